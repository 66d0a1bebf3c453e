//! What is said of a volume: its PersistentVolume, its tags, its price.

use super::*;

fn spec(volume_type: &str, size_gib: u32, iops: Option<u32>, throughput: Option<u32>) -> VolumeSpec {
    let config = VolumeConfig::Ebs {
        volume_type: volume_type.to_owned(),
        iops,
        throughput,
        encrypted: None,
        kms_key_id: None,
    };
    VolumeSpec {
        size_gib,
        zone: Some("us-east-1a".to_owned()),
        config,
    }
}

#[test]
fn writes_the_persistent_volumes_source() {
    let id = VolumeId("vol-0123456789abcdef0".to_owned());
    let spec = spec("gp3", 10, None, None);
    let source = |class: &StorageClass, shape: &ClaimShape| {
        EbsRules.pv_source(&PvRequest {
            class,
            id: &id,
            spec: &spec,
            shape,
            namespace: "default",
            claim: "data-0",
            persistent_volume: "pv-0",
        })
    };
    let plain = source(&class(IN_TREE_PROVISIONER, &[("type", "gp2")]), &claim(10));
    let csi = json!({"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0123456789abcdef0", "fsType": "ext4"});
    assert_eq!(plain.source, ("csi".to_owned(), csi));
    assert_eq!(plain.provisioned_by, "ebs.csi.aws.com");
    assert_eq!(plain.secret, None);
    let affinity = plain.node_affinity.unwrap();
    let expression = &affinity["required"]["nodeSelectorTerms"][0]["matchExpressions"][0];
    assert_eq!(
        *expression,
        json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-east-1a"]})
    );

    let formatted = class(
        CSI_DRIVER,
        &[("csi.storage.k8s.io/fstype", "xfs"), ("blockSize", "4096")],
    );
    let formatted = source(&formatted, &claim(10)).source.1;
    assert_eq!(formatted["fsType"], "xfs");
    assert_eq!(formatted["volumeAttributes"], json!({"blocksize": "4096"}));

    let block = ClaimShape {
        volume_mode: "Block".to_owned(),
        ..claim(10)
    };
    let block = source(&class(CSI_DRIVER, &[]), &block).source.1;
    assert_eq!(block.get("fsType"), None);
}

#[test]
fn finds_the_volume_behind_a_persistent_volume() {
    let csi = |driver: &str, handle: &str| json!({"csi": {"driver": driver, "volumeHandle": handle}});
    let in_tree = |id: &str| json!({"awsElasticBlockStore": {"volumeID": id}});
    for (spec, expected) in [
        (csi("ebs.csi.aws.com", "vol-0ab"), Some("vol-0ab")),
        (csi("efs.csi.aws.com", "vol-0ab"), None),
        (csi("ebs.csi.aws.com", "snap-0ab"), None),
        (in_tree("aws://us-east-1a/vol-0ab"), Some("vol-0ab")),
        (in_tree("aws:///vol-0ab"), Some("vol-0ab")),
        (in_tree("vol-0ab"), Some("vol-0ab")),
        (in_tree("aws://vol-0ab"), None),
        (in_tree("vol-"), None),
        (in_tree("vol-0ab/../x"), None),
        (json!({"nfs": {"path": "/vol-0ab"}}), None),
    ] {
        let object = Object::from_value(json!({"kind": "PersistentVolume", "spec": spec})).unwrap();
        assert_eq!(
            EbsRules.volume_id(&object),
            expected.map(|id| VolumeId(id.to_owned())),
            "{spec}"
        );
    }
}

#[test]
fn tags_as_the_csi_driver_does() {
    let tags = EbsRules.standard_tags("default", "data-web-0", "11-22", "pvc-11-22");
    assert_eq!(tags["CSIVolumeName"], "pvc-11-22");
    assert_eq!(tags["ebs.csi.aws.com/cluster"], "true");
    assert_eq!(tags["kubernetes.io/created-for/pvc/name"], "data-web-0");
    assert_eq!(tags["kubernetes.io/created-for/pvc/namespace"], "default");
    assert_eq!(tags["kubernetes.io/created-for/pv/name"], "pvc-11-22");
}

#[test]
fn estimates_cost() {
    for (region, spec, expected) in [
        ("us-east-1", spec("gp2", 10, None, None), Some(1.0)),
        (
            "us-east-1",
            spec("gp3", 100, Some(4000), Some(225)),
            Some(8.0 + 5.0 + 4.0),
        ),
        ("us-east-1", spec("gp3", 100, Some(3000), Some(125)), Some(8.0)),
        ("us-east-1", spec("io1", 100, Some(1000), None), Some(12.5 + 65.0)),
        (
            "us-east-1",
            spec("io2", 1000, Some(66_000), None),
            Some(125.0 + 0.065 * (32_000.0 + 0.7 * 32_000.0 + 0.49 * 2_000.0)),
        ),
        ("eu-central-1", spec("st1", 1000, None, None), Some(54.0)),
        ("eu-west-1", spec("standard", 100, None, None), Some(5.5)),
        ("mars-north-1", spec("gp3", 1, None, None), None),
        ("us-east-1", spec("gp9", 1, None, None), None),
    ] {
        let cost = EbsRules.monthly_cost(region, &spec);
        let same = match (cost, expected) {
            (Some(cost), Some(expected)) => (cost - expected).abs() < 1e-6,
            (cost, expected) => cost == expected,
        };
        assert!(same, "{region} {spec:?}: {cost:?}, not {expected:?}");
    }
}
