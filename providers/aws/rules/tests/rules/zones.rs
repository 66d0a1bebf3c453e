//! In which zones a class allows volumes.

use super::*;

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
