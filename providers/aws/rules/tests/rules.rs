//! Every rule, in tables: what a class and a claim get, and what they are told when they are wrong.
//!
//! Over 500 lines, because it is one table for each rule, and tables are read best beside each other.

use std::collections::BTreeMap;

use moorline_api::{
    BindingMode, ClaimShape, FieldPath, FieldProblem, Object, Placement, PvRequest, ReclaimPolicy, StorageClass,
    StorageRules, VolumeConfig, VolumeId, VolumeSpec,
};
use moorline_aws_rules::{CSI_DRIVER, EbsRules, IN_TREE_PROVISIONER};
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;

fn class(provisioner: &str, parameters: &[(&str, &str)]) -> StorageClass {
    StorageClass {
        name: "fast".to_owned(),
        provisioner: provisioner.to_owned(),
        parameters: parameters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        reclaim_policy: ReclaimPolicy::Delete,
        binding_mode: BindingMode::Immediate,
        mount_options: Vec::new(),
        allowed_topologies: Vec::new(),
    }
}

fn claim(gib: u64) -> ClaimShape {
    ClaimShape {
        bytes: gib * GIB,
        access_modes: vec!["ReadWriteOnce".to_owned()],
        volume_mode: "Filesystem".to_owned(),
    }
}

fn zones() -> Vec<String> {
    ["us-east-1a", "us-east-1b", "us-east-1c"].map(str::to_owned).to_vec()
}

fn place(class: &StorageClass, gib: u64) -> Result<Placement, Vec<FieldProblem>> {
    EbsRules.place(class, &claim(gib), Some(&zones()))
}

/// Type, IOPS, throughput, or the problems in words.
fn sizing(
    provisioner: &str,
    parameters: &[(&str, &str)],
    gib: u64,
) -> Result<(String, Option<u32>, Option<u32>), String> {
    match place(&class(provisioner, parameters), gib) {
        Ok(Placement {
            config:
                VolumeConfig::Ebs {
                    volume_type,
                    iops,
                    throughput,
                    ..
                },
            ..
        }) => Ok((volume_type, iops, throughput)),
        Ok(other) => Err(format!("not EBS: {other:?}")),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")),
    }
}

#[test]
fn the_tutorials_class_gets_ten_gib_of_gp2() {
    let placed = place(&class(IN_TREE_PROVISIONER, &[("type", "gp2")]), 10).unwrap();
    let config = VolumeConfig::Ebs {
        volume_type: "gp2".to_owned(),
        iops: None,
        throughput: None,
        encrypted: None,
        kms_key_id: None,
    };
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

fn topology(terms: &Value) -> StorageClass {
    StorageClass {
        allowed_topologies: terms.as_array().cloned().unwrap_or_default(),
        ..class(CSI_DRIVER, &[])
    }
}

fn term(key: &str, zones: &[&str]) -> Value {
    json!({"matchLabelExpressions": [{"key": key, "values": zones}]})
}

#[test]
fn reads_allowed_zones() {
    let both = json!({"matchLabelExpressions": [
        {"key": "topology.kubernetes.io/zone", "values": ["us-east-1a", "us-east-1b"]},
        {"key": "topology.ebs.csi.aws.com/zone", "values": ["us-east-1b", "us-east-1c"]},
    ]});
    for (terms, expected) in [
        (json!([]), None),
        (
            json!([term("topology.kubernetes.io/zone", &["us-east-1b", "us-east-1a"])]),
            Some(vec!["us-east-1b", "us-east-1a"]),
        ),
        (
            json!([term("failure-domain.beta.kubernetes.io/zone", &["us-east-1a"])]),
            Some(vec!["us-east-1a"]),
        ),
        (json!([both]), Some(vec!["us-east-1b"])),
        (
            json!([
                term("topology.ebs.csi.aws.com/zone", &["us-east-1a"]),
                term("topology.kubernetes.io/zone", &["us-east-1c", "us-east-1a"])
            ]),
            Some(vec!["us-east-1a", "us-east-1c"]),
        ),
    ] {
        let expected = expected.map(|zones| zones.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(place(&topology(&terms), 1).unwrap().zones, expected, "{terms}");
    }
    let listed = class(IN_TREE_PROVISIONER, &[("zones", "us-east-1c, us-east-1a")]);
    assert_eq!(
        place(&listed, 1).unwrap().zones,
        Some(vec!["us-east-1c".to_owned(), "us-east-1a".to_owned()])
    );
}

#[test]
fn refuses_zones_that_cannot_be() {
    for (terms, words) in [
        (
            json!([term("topology.kubernetes.io/region", &["us-east-1"])]),
            "cannot be placed by",
        ),
        (
            json!([term("topology.kubernetes.io/zone", &["us-west-2a"])]),
            "not in this region",
        ),
        (json!([term("topology.kubernetes.io/zone", &[])]), "no zone satisfies"),
        (json!([{}]), "no zone satisfies"),
    ] {
        let problems = place(&topology(&terms), 1).unwrap_err();
        assert_eq!(problems.len(), 1, "{terms}: {problems:?}");
        assert!(problems[0].to_string().contains(words), "{terms}: {problems:?}");
    }
    // Without knowledge of the region, the cloud decides.
    let elsewhere = topology(&json!([term("topology.kubernetes.io/zone", &["us-west-2a"])]));
    assert!(EbsRules.place(&elsewhere, &claim(1), None).is_ok());
    let mut twice = elsewhere;
    twice.provisioner = IN_TREE_PROVISIONER.to_owned();
    twice.parameters.insert("zone".to_owned(), "us-east-1a".to_owned());
    let told = EbsRules.place(&twice, &claim(1), None).unwrap_err();
    assert!(told[0].cause.contains("zone and allowedTopologies exclude each other"));
}

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
