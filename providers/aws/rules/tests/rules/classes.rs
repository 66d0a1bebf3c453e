//! What a class may say, and what its volumes get.

use super::*;

#[test]
fn the_tutorials_class_gets_ten_gib_of_gp2() {
    let placed = place(&class(IN_TREE_PROVISIONER, &[("type", "gp2")]), 10).unwrap();
    let config = VolumeConfig::ebs("gp2");
    assert_eq!(
        placed,
        Placement {
            size_gib: 10,
            config,
            zones: None,
            zonal: true
        }
    );
}

#[test]
fn accepts_what_the_provisioners_accept() {
    for (provisioner, parameters, gib, expected) in [
        (IN_TREE_PROVISIONER, &[][..], 1, ("gp2", None, None)),
        (CSI_DRIVER, &[], 1, ("gp3", None, None)),
        (CSI_DRIVER, &[("TYPE", "standard")], 1024, ("standard", None, None)),
        (CSI_DRIVER, &[("type", "st1")], 125, ("st1", None, None)),
        (CSI_DRIVER, &[("type", "sc1")], 16_384, ("sc1", None, None)),
        (
            CSI_DRIVER,
            &[("type", "gp3"), ("iops", "3000")],
            1,
            ("gp3", Some(3000), None),
        ),
        (
            CSI_DRIVER,
            &[("type", "gp3"), ("iops", "80000"), ("throughput", "2000")],
            160,
            ("gp3", Some(80_000), Some(2000)),
        ),
        (CSI_DRIVER, &[("throughput", "750")], 1, ("gp3", None, Some(750))),
        (
            CSI_DRIVER,
            &[("type", "io1"), ("iops", "200")],
            4,
            ("io1", Some(200), None),
        ),
        (
            CSI_DRIVER,
            &[("type", "io2"), ("iops", "256000"), ("blockExpress", "true")],
            256,
            ("io2", Some(256_000), None),
        ),
        // A ratio is capped by size and type …
        (
            CSI_DRIVER,
            &[("type", "io1"), ("iopsPerGB", "80")],
            100,
            ("io1", Some(5000), None),
        ),
        (
            CSI_DRIVER,
            &[("type", "io1"), ("iopsPerGB", "50")],
            16_384,
            ("io1", Some(64_000), None),
        ),
        (
            CSI_DRIVER,
            &[("type", "gp3"), ("iopspergb", "500")],
            10,
            ("gp3", Some(5000), None),
        ),
        (
            CSI_DRIVER,
            &[("type", "io2"), ("iopsPerGB", "4294967295")],
            65_536,
            ("io2", Some(256_000), None),
        ),
        // … and raised where the class allows it, or the provisioner is the in-tree one.
        (
            CSI_DRIVER,
            &[
                ("type", "io1"),
                ("iopsPerGB", "1"),
                ("allowautoiopspergbincrease", "true"),
            ],
            10,
            ("io1", Some(100), None),
        ),
        (
            CSI_DRIVER,
            &[("type", "io1"), ("iops", "1"), ("allowAutoIOPSPerGBIncrease", "TRUE")],
            10,
            ("io1", Some(100), None),
        ),
        (
            IN_TREE_PROVISIONER,
            &[("type", "io1"), ("iopsPerGB", "1")],
            10,
            ("io1", Some(100), None),
        ),
    ] {
        let (volume_type, iops, throughput) = expected;
        let expected = Ok((volume_type.to_owned(), iops, throughput));
        assert_eq!(sizing(provisioner, parameters, gib), expected, "{parameters:?} {gib}");
    }
}

#[test]
fn refuses_with_cause_and_cure() {
    for (provisioner, parameters, gib, words) in [
        (
            CSI_DRIVER,
            &[("type", "gp4")][..],
            10,
            &["\"gp4\" is no EBS volume type", "did you mean gp"][..],
        ),
        (CSI_DRIVER, &[("type", "GP3")], 10, &["did you mean gp3?"]),
        (CSI_DRIVER, &[("type", "")], 10, &["\"\" is no EBS volume type"]),
        (
            CSI_DRIVER,
            &[("type", "gp2")],
            16_385,
            &["16385 GiB is out of range", "1 to 16384 GiB", "at most 16384Gi"],
        ),
        (
            CSI_DRIVER,
            &[("type", "st1")],
            10,
            &["125 to 16384 GiB", "ask for at least 125Gi"],
        ),
        (CSI_DRIVER, &[("type", "io1"), ("iops", "100")], 3, &["4 to 16384 GiB"]),
        (CSI_DRIVER, &[("type", "standard")], 1025, &["1 to 1024 GiB"]),
        (CSI_DRIVER, &[], 65_537, &["gp3 volumes have 1 to 65536 GiB"]),
        (
            CSI_DRIVER,
            &[("type", "io1")],
            10,
            &["io1 needs iops or iopsPerGB", "add iops: \"100\" (100 to 64000)"],
        ),
        (
            IN_TREE_PROVISIONER,
            &[("type", "io2")],
            10,
            &["io2 needs iops or iopsPerGB"],
        ),
        (
            CSI_DRIVER,
            &[("type", "io1"), ("iops", "64001")],
            10_000,
            &["out of range", "100 to 64000"],
        ),
        (
            CSI_DRIVER,
            &[("type", "io1"), ("iops", "501")],
            10,
            &["too much for 10 GiB", "at most 500", "at least 11Gi"],
        ),
        (CSI_DRIVER, &[("type", "io2"), ("iops", "99")], 10, &["100 to 256000"]),
        (CSI_DRIVER, &[("type", "gp3"), ("iops", "2999")], 10, &["3000 to 80000"]),
        (
            CSI_DRIVER,
            &[("type", "gp3"), ("iopsPerGB", "10")],
            10,
            &["is 100", "at least 300"],
        ),
        (
            CSI_DRIVER,
            &[("type", "gp2"), ("iops", "100")],
            10,
            &["gp2 volumes take no iops", "remove iops"],
        ),
        (
            CSI_DRIVER,
            &[("type", "gp2"), ("throughput", "125")],
            10,
            &["gp2 volumes take no throughput"],
        ),
        (CSI_DRIVER, &[("throughput", "124")], 10, &["125 to 2000"]),
        (
            CSI_DRIVER,
            &[("throughput", "751")],
            10,
            &["too much for 3000 IOPS", "at most 750, or at least 3004 iops"],
        ),
        (
            CSI_DRIVER,
            &[("iops", "abc")],
            10,
            &["\"abc\" is not a positive whole number"],
        ),
        (CSI_DRIVER, &[("iops", "-1")], 10, &["not a positive whole number"]),
        (CSI_DRIVER, &[("iops", "0")], 10, &["not a positive whole number"]),
        (
            CSI_DRIVER,
            &[("iops", "99999999999")],
            10,
            &["not a positive whole number"],
        ),
        (
            CSI_DRIVER,
            &[("iops", "3000"), ("iopsPerGB", "300")],
            10,
            &["exclude each other"],
        ),
        (CSI_DRIVER, &[("encrypted", "yes")], 10, &["neither true nor false"]),
        (
            CSI_DRIVER,
            &[("kmsKeyId", "alias/k")],
            10,
            &["a KMS key needs encryption"],
        ),
        (
            CSI_DRIVER,
            &[("encrypted", "false"), ("kmsKeyId", "alias/k")],
            10,
            &["a KMS key needs encryption"],
        ),
        (
            CSI_DRIVER,
            &[("encrypted", "true"), ("kmsKeyId", " ")],
            10,
            &["kmsKeyId is empty"],
        ),
        (
            CSI_DRIVER,
            &[("typ", "gp2")],
            10,
            &["has no parameter typ", "did you mean type?"],
        ),
        (CSI_DRIVER, &[("iopsPerGiB", "3")], 10, &["did you mean iopsPerGB?"]),
        (
            CSI_DRIVER,
            &[("skuName", "Premium_LRS")],
            10,
            &["known parameters are type, iops"],
        ),
        (CSI_DRIVER, &[("zone", "us-east-1a")], 10, &["use allowedTopologies"]),
        (
            CSI_DRIVER,
            &[("tagSpecification_1", "a=b")],
            10,
            &["does not take tags from a class", "remove it"],
        ),
        (CSI_DRIVER, &[("Type", "gp2"), ("type", "gp3")], 10, &["same parameter"]),
        (
            CSI_DRIVER,
            &[("fsType", "btrfs")],
            10,
            &["\"btrfs\" is no file system", "ext4"],
        ),
        (
            CSI_DRIVER,
            &[("fsType", "xfs"), ("csi.storage.k8s.io/fstype", "ext4")],
            10,
            &["given twice"],
        ),
        (
            CSI_DRIVER,
            &[("csi.storage.k8s.io/fstype", "xfs"), ("bytesPerInode", "8192")],
            10,
            &["does not go with xfs"],
        ),
        (CSI_DRIVER, &[("blockSize", "4 KiB")], 10, &["takes a number"]),
        (CSI_DRIVER, &[("ext4ClusterSize", "16384")], 10, &["needs ext4BigAlloc"]),
        (
            IN_TREE_PROVISIONER,
            &[("throughput", "200")],
            10,
            &["has no parameter throughput", "use provisioner: ebs.csi.aws.com"],
        ),
        (IN_TREE_PROVISIONER, &[("fsTyp", "xfs")], 10, &["did you mean fsType?"]),
        (
            IN_TREE_PROVISIONER,
            &[("zone", "us-east-1a"), ("zones", "us-east-1b")],
            10,
            &["exclude each other"],
        ),
        (
            IN_TREE_PROVISIONER,
            &[("zone", "eu-west-1a")],
            10,
            &["not in this region", "us-east-1a, us-east-1b, us-east-1c"],
        ),
        (
            IN_TREE_PROVISIONER,
            &[("zones", "us-east-1a,,")],
            10,
            &["does not name zones"],
        ),
    ] {
        let told = sizing(provisioner, parameters, gib).expect_err(&format!("{parameters:?} {gib}"));
        for word in words {
            assert!(told.contains(word), "{parameters:?} {gib}: {told:?} lacks {word:?}");
        }
        assert!(
            !told.contains('|'),
            "{parameters:?} {gib}: one fault is told once: {told}"
        );
    }
}

#[test]
fn tells_every_fault_at_once_and_where() {
    let class = class(CSI_DRIVER, &[("Iops", "x"), ("throughput", "1"), ("wrong", "1")]);
    let mut claim = claim(99_999);
    claim.access_modes = vec!["ReadWriteOnce".to_owned(), "ReadWriteMany".to_owned()];
    let problems = EbsRules.place(&class, &claim, None).unwrap_err();
    let mut fields: Vec<_> = problems
        .iter()
        .map(|problem| match &problem.field {
            FieldPath::Class(path) => format!("class.{}", path.join(".")),
            FieldPath::Claim(path) => format!("claim.{}", path.join(".")),
        })
        .collect();
    fields.sort();
    let expected = [
        "claim.spec.accessModes.1",
        "claim.spec.resources.requests.storage",
        "class.parameters.Iops",
        "class.parameters.throughput",
        "class.parameters.wrong",
    ];
    assert_eq!(fields, expected);
}
