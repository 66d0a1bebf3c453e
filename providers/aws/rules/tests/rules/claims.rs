//! What a claim may ask for.

use super::*;

#[test]
fn judges_the_claim() {
    for (modes, volume_mode, words) in [
        (&["ReadWriteOncePod"][..], "Filesystem", None),
        (&["ReadWriteOnce"], "Block", None),
        (&["ReadWriteMany"], "Filesystem", Some("a class of a file share")),
        (&["ReadOnlyMany"], "Filesystem", Some("mounted on one node")),
        (&["ReadWriteMany"], "Block", Some("multi-attach")),
        (&["ReadWriteTwice"], "Filesystem", Some("no access mode")),
        (&[], "Filesystem", Some("has no access mode")),
        (&["ReadWriteOnce"], "Raw", Some("no volume mode")),
    ] {
        let shape = ClaimShape {
            bytes: GIB,
            access_modes: modes.iter().map(|&mode| mode.to_owned()).collect(),
            volume_mode: volume_mode.to_owned(),
        };
        let told = EbsRules.place(&class(CSI_DRIVER, &[]), &shape, None);
        match words {
            None => assert!(told.is_ok(), "{modes:?} {volume_mode}: {told:?}"),
            Some(words) => assert!(
                told.unwrap_err()[0].to_string().contains(words),
                "{modes:?} {volume_mode}"
            ),
        }
    }
    let block = ClaimShape {
        volume_mode: "Block".to_owned(),
        ..claim(1)
    };
    assert!(
        EbsRules
            .place(&class(CSI_DRIVER, &[("blockSize", "4096")]), &block, None)
            .is_err()
    );
}

#[test]
fn rounds_up_to_whole_gib() {
    for (bytes, gib) in [(0, 1), (1, 1), (50 << 20, 1), (GIB, 1), (GIB + 1, 2), (3 * GIB / 2, 2)] {
        let shape = ClaimShape { bytes, ..claim(1) };
        assert_eq!(
            EbsRules.place(&class(CSI_DRIVER, &[]), &shape, None).unwrap().size_gib,
            gib,
            "{bytes}"
        );
    }
    let shape = ClaimShape {
        bytes: u64::MAX,
        ..claim(1)
    };
    assert!(EbsRules.place(&class(CSI_DRIVER, &[]), &shape, None).is_err());
}
