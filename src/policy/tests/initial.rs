//! What `gc init` writes reads back.

use std::path::Path;

use proptest::prelude::*;

use crate::{AwsScope, AzureScope, ClusterAccess, ClusterSpec, ScopeSpec, Seen, SeenCluster, parse, render_initial};

fn aws(profile: Option<&str>, regions: &[&str]) -> ScopeSpec {
    ScopeSpec::Aws(AwsScope {
        profile: profile.map(str::to_owned),
        role: None,
        external_id: None,
        account: Some("012345678901".to_owned()),
        regions: regions.iter().map(|region| (*region).to_owned()).collect(),
    })
}

fn azure(groups: &[&str]) -> ScopeSpec {
    ScopeSpec::Azure(AzureScope {
        subscription: "0c2b1f6e-3a4d-4b5c-8d6e-7f8091a2b3c4".to_owned(),
        tenant: None,
        resource_groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    })
}

fn cluster(context: &str, uid: Option<&str>) -> ClusterSpec {
    ClusterSpec {
        name: context.to_owned(),
        access: ClusterAccess::Kubeconfig {
            file: None,
            context: Some(context.to_owned()),
        },
        uid: uid.map(str::to_owned),
        tag_ids: Vec::new(),
    }
}

fn read(text: &str) -> crate::PolicyFile {
    parse(Path::new("/etc/gc.yaml"), text, None).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

#[test]
fn what_was_seen_reads_back_without_a_warning() {
    let uid = "2c2b1f6e-3a4d-4b5c-8d6e-7f8091a2b3c4";
    let silent = |spec, why: &str| SeenCluster {
        spec,
        silent: Some(why.to_owned()),
    };
    let answered = |spec| SeenCluster { spec, silent: None };
    let here = ClusterSpec {
        name: "here".to_owned(),
        access: ClusterAccess::InCluster,
        uid: None,
        tag_ids: vec!["k8s-here".to_owned(), "on".to_owned()],
    };
    let odd = "arn:aws:eks:us-east-1:012345678901:cluster/no: \"yes\" # 1";
    let seen = Seen {
        scopes: vec![aws(Some("prod"), &["us-east-1", "eu-west-1"]), azure(&[])],
        clusters: vec![
            answered(cluster("prod", Some(uid))),
            answered(cluster("prod-again", Some(uid))),
            silent(cluster(odd, None), "connection refused\nrm -rf: \u{1b}[31m."),
            answered(here.clone()),
        ],
        tag_ids: vec![("k8s-prod".to_owned(), 3), ("x\n- context: y".to_owned(), 1)],
        store: Some("s3://runs/gc".to_owned()),
    };
    let text = render_initial(&seen);
    let policy = read(&text);
    assert!(policy.warnings.is_empty(), "{}", policy.warnings);
    assert_eq!(policy.scopes, seen.scopes);
    assert_eq!(
        policy.clusters,
        [cluster("prod", Some(uid)), cluster(odd, None), here],
        "the same cluster under two names is one\n{text}"
    );
    assert!(text.contains("# The same cluster as prod:"), "{text}");
    assert!(text.contains("did not answer: connection refused"), "{text}");
    assert!(text.contains("#   k8s-prod (3 volumes)"), "{text}");
    assert_eq!(policy.store.unwrap().to_string(), "s3://runs/gc");
}

#[test]
fn where_nothing_was_seen_what_is_missing_is_left_to_fill_in() {
    let text = render_initial(&Seen::default());
    let problems = parse(Path::new("gc.yaml"), &text, None).unwrap_err();
    let causes: Vec<_> = problems.iter().map(|one| one.cause.as_str()).collect();
    assert_eq!(causes, ["scopes is missing", "clusters is missing"], "{text}");
    let filled = text
        .replace("  # - aws: {regions: [us-east-1]}", "  - aws: {regions: [us-east-1]}")
        .replace("  # - context: prod", "  - context: prod");
    assert_eq!(read(&filled).clusters.len(), 1);
}

/// What is written in comments is right too: with their marks taken off, each reads.
#[test]
fn what_is_commented_out_is_right() {
    let seen = Seen {
        scopes: vec![azure(&["web"])],
        clusters: vec![SeenCluster {
            spec: cluster("prod", None),
            silent: None,
        }],
        ..Seen::default()
    };
    let text = render_initial(&seen);
    let code = [
        "percent:",
        "gib:",
        "monthly:",
        "share:",
        "tags:",
        "labels:",
        "lock:",
        "staleAfter:",
        "prices:",
        "  aws: {us-east-1",
    ];
    let mut uncommented = 0;
    let lines = text.lines().map(|line| {
        let inner = line.trim_start().strip_prefix("# ");
        match inner.filter(|inner| code.iter().any(|code| inner.starts_with(code))) {
            Some(_) => {
                uncommented += 1;
                line.replacen("# ", "", 1)
            }
            None => line.to_owned(),
        }
    });
    let whole = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(uncommented, code.len(), "{whole}");
    let policy = read(&whole);
    assert!(policy.warnings.is_empty(), "{}", policy.warnings);
    assert_eq!(policy.rules.protect.tags.len(), 2);
    assert!(!policy.prices.is_empty());
}

proptest! {
    /// Names of contexts and folders are whatever people gave them.
    #[test]
    fn any_name_reads_back(context in "[^\\p{C}]{1,40}", file in "/[^\\p{C}]{1,20}", why in "\\PC{0,80}") {
        prop_assume!(!context.trim().is_empty());
        let mut spec = cluster(&context, None);
        spec.access = ClusterAccess::Kubeconfig { file: Some(file.into()), context: Some(context) };
        let seen = Seen {
            scopes: vec![aws(None, &["us-east-1"])],
            clusters: vec![SeenCluster { spec: spec.clone(), silent: Some(why) }],
            ..Seen::default()
        };
        let text = render_initial(&seen);
        prop_assert_eq!(read(&text).clusters, vec![spec]);
    }
}
