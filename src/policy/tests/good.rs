//! What a good policy means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use moorline_api::{CloudName, VolumeConfig, VolumeSort, VolumeSpec};
use moorline_gc::policy::{Caps, Grace, NamedCluster, Protect};
use moorline_prices::Prices;
use moorline_store::Location;
use serde_json::Value;

use crate::{
    AwsScope, AzureScope, ClusterAccess, ClusterSpec, LeftoverGrace, LockTerms, PolicyFile, ScopeSpec, load, parse,
};

const FULL: &str = include_str!("full.yaml");
pub(super) const SCHEMA: &str = include_str!("../../../schemas/policy.schema.json");

pub(super) fn read(text: &str) -> PolicyFile {
    let policy = parse(Path::new("etc/gc.yaml"), text, Some(Path::new("/home/me")));
    policy.unwrap_or_else(|problems| panic!("{problems}"))
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

#[test]
fn every_key_is_read() {
    let policy = read(FULL);
    assert!(policy.warnings.is_empty(), "{}", policy.warnings);
    let text = str::to_owned;
    let aws = AwsScope {
        profile: Some(text("billing")),
        role: Some(text("arn:aws:iam::123456789012:role/ops/moorline-gc")),
        external_id: Some(text("a-secret-handshake")),
        account: Some(text("123456789012")),
        regions: vec![text("us-east-1"), text("eu-central-1")],
    };
    let plain = AwsScope {
        profile: None,
        role: None,
        external_id: None,
        account: None,
        regions: vec![text("us-east-1")],
    };
    let azure = AzureScope {
        subscription: text("0c2b1f6e-3a4d-4b5c-8d6e-7f8091a2b3c4"),
        tenant: Some(text("1c2b1f6e-3a4d-4b5c-8d6e-7f8091a2b3c4")),
        resource_groups: vec![text("web"), text("DB")],
    };
    assert_eq!(
        policy.scopes,
        [ScopeSpec::Aws(aws), ScopeSpec::Aws(plain), ScopeSpec::Azure(azure)]
    );
    let kubeconfig = |file: &str, context: &str| ClusterAccess::Kubeconfig {
        file: Some(PathBuf::from(file)),
        context: Some(text(context)),
    };
    let uid = Some(text("2c2b1f6e-3a4d-4b5c-8d6e-7f8091a2b3c4"));
    let cluster = |name: &str, access| ClusterSpec {
        name: text(name),
        access,
        uid: None,
        tag_ids: Vec::new(),
    };
    let prod = ClusterSpec {
        uid: uid.clone(),
        tag_ids: vec![text("k8s-prod")],
        ..cluster("prod", kubeconfig("etc/kube/prod.yaml", "prod-admin"))
    };
    let here = cluster("in-cluster", ClusterAccess::InCluster);
    let trial = cluster("test", kubeconfig("/home/me/.kube/config", "test"));
    assert_eq!(policy.clusters, [prod, here, trial]);
    let named = |name: &str| NamedCluster {
        name: text(name),
        ..NamedCluster::default()
    };
    let prod = NamedCluster {
        name: text("prod"),
        uid,
        tag_ids: vec![text("k8s-prod")],
    };
    assert_eq!(policy.rules.clusters, [prod, named("in-cluster"), named("test")]);
    let grace = Grace {
        left_behind: SignedDuration::from_mins(90),
        released: hours(36),
        orphan: SignedDuration::from_secs(30),
    };
    assert_eq!(policy.rules.grace, grace);
    let leftovers = LeftoverGrace {
        load_balancer: hours(48),
        storage_account: hours(720),
    };
    assert_eq!(policy.leftovers, leftovers);
    let caps = Caps {
        count: Some(10),
        percent: Some(5),
        gib: Some(500),
        monthly: Some(99.5),
    };
    assert_eq!(policy.rules.caps, caps);
    let first = [(VolumeSort::Disk, hours(720)), (VolumeSort::Share, hours(336))];
    assert_eq!(policy.rules.snapshot_first, BTreeMap::from(first));
    assert!(policy.rules.include_retain);
    let protect = Protect {
        names: vec![text("db-*"), text("vol-0123456789abcdef0")],
        tags: BTreeMap::from([(text("keep"), None), (text("team"), Some(text("data")))]),
        namespaces: vec![text("kube-*")],
        labels: BTreeMap::from([
            (text("app.kubernetes.io/name"), Some(text("billing"))),
            (text("keep"), Some(String::new())),
        ]),
    };
    assert_eq!(policy.rules.protect, protect);
    assert_eq!(policy.store, Some(Location::Folder("etc/runs".into())));
    let lock = LockTerms {
        span: Duration::from_secs(30),
        margin: Duration::from_secs(5),
    };
    assert_eq!(policy.lock, lock);
    assert_eq!(policy.rules.stale_after, SignedDuration::from_mins(30));
    assert_eq!(policy.concurrency, Some(8));
    let gp2 = VolumeSpec {
        size_gib: 100,
        zone: None,
        config: VolumeConfig::ebs("gp2"),
    };
    let prices = Prices::with(policy.prices);
    assert_eq!(prices.volume(CloudName::Aws, "us-east-1", &gp2), Some(8.0));
    assert_eq!(prices.volume(CloudName::Aws, "us-west-2", &gp2), Some(10.0));
}

/// Takes each key of `full.yaml` out, one by one: another policy or a complaint must come of it. And the file has every key that the
/// schema has, so none is in the schema and unknown to the reader.
#[test]
fn no_key_of_the_schema_is_without_effect() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let full = format!("{:?}", read(FULL));
    let document = as_json(FULL);
    let mut paths = Vec::new();
    leaves(&document, &mut Vec::new(), &mut paths);
    for path in &paths {
        let mut changed = document.clone();
        remove(&mut changed, path);
        let text = serde_json::to_string(&changed).unwrap();
        let policy = parse(Path::new("etc/gc.yaml"), &text, Some(Path::new("/home/me")));
        let differs = policy.map_or(true, |policy| format!("{policy:?}") != full);
        assert!(differs, "{path:?} has no effect");
    }
    let mut keys = Vec::new();
    keys_of(&schema, &mut keys);
    assert!(keys.len() >= 45, "{keys:?}");
    for key in keys {
        let used = FULL.contains(&format!("{key}:"));
        assert!(used, "{key} is in the schema and not in full.yaml");
    }
}

pub(super) fn as_json(text: &str) -> Value {
    let source = moorline_yaml::source::Source::new("f.yaml".into(), text.to_owned());
    let mut findings = moorline_yaml::diagnostic::Findings::default();
    moorline_yaml::read(&source, &mut findings)[0].to_json()
}

/// The paths of everything that is a value, or empty.
fn leaves(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item))
            .collect(),
        _ => Vec::new(),
    };
    if children.is_empty() {
        // What says the same as the role's ARN, and regions of one list, are not missed alone.
        if path.last().is_some_and(|key| key != "account") {
            found.push(path.clone());
        }
    }
    for (key, child) in children {
        path.push(key);
        leaves(child, path, found);
        path.pop();
    }
}

pub(super) fn remove(value: &mut Value, path: &[String]) {
    let (last, above) = path.split_last().unwrap();
    let mut value = value;
    for part in above {
        value = match value {
            Value::Array(items) => &mut items[part.parse::<usize>().unwrap()],
            other => &mut other[part.as_str()],
        };
    }
    match value {
        Value::Array(items) => drop(items.remove(last.parse().unwrap())),
        Value::Object(fields) => drop(fields.remove(last)),
        _ => unreachable!("{path:?}"),
    }
}

pub(super) fn keys_of(schema: &Value, keys: &mut Vec<String>) {
    let Value::Object(fields) = schema else {
        if let Value::Array(items) = schema {
            for item in items {
                keys_of(item, keys);
            }
        }
        return;
    };
    for (key, value) in fields {
        if key == "properties" {
            keys.extend(value.as_object().unwrap().keys().cloned());
        }
        keys_of(value, keys);
    }
}

#[test]
fn what_is_not_said_is_careful() {
    let policy = read("scopes:\n  - aws: {regions: [us-east-1]}\nclusters:\n  - context: prod\n");
    assert!(policy.warnings.is_empty(), "{}", policy.warnings);
    assert_eq!(policy.rules.grace, Grace::all(hours(168)));
    assert_eq!((policy.rules.include_retain, policy.store), (false, None));
    assert_eq!(policy.lock, LockTerms::default());
    let ours = moorline_store::Terms::new("x");
    assert_eq!((policy.lock.span, policy.lock.margin), (ours.span, ours.margin));
    assert_eq!(policy.rules.stale_after, hours(1));
    assert!(policy.rules.caps == Caps::default() && policy.prices.is_empty());
}

#[test]
fn a_scope_without_an_account_has_that_of_its_role() {
    let text = "scopes:\n  - aws: {role: 'arn:aws-us-gov:iam::123456789012:role/gc', regions: [us-gov-west-1]}\n\
                clusters: [{inCluster: true}]\n";
    let ScopeSpec::Aws(scope) = &read(text).scopes[0] else {
        panic!("not AWS");
    };
    assert_eq!(scope.account.as_deref(), Some("123456789012"));
}

#[test]
fn what_is_allowed_and_risky_is_warned_of() {
    let text = "scopes:\n  - aws: {regions: [us-east-1]}\n\
                clusters:\n  - {tagIds: [kubernetes]}\n  - {context: b, tagIds: [x]}\n  - {context: c, tagIds: [x]}\n\
                grace: {orphan: 0s}\nprotect: {names: ['*']}\n";
    let policy = read(text);
    let warnings: Vec<_> = policy.warnings.iter().map(|one| one.cause.as_str()).collect();
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    for part in [
        "whichever cluster is current",
        "no name",
        "as a cluster before has",
        "is 0",
        "ever deleted",
    ] {
        assert!(
            warnings.iter().any(|warning| warning.contains(part)),
            "{part}: {warnings:?}"
        );
    }
}

#[test]
fn a_value_left_out_of_tags_stands_for_any_and_is_never_lost() {
    let base = "scopes:\n  - aws: {regions: [us-east-1]}\nclusters:\n  - context: prod\n";
    let policy = read(&format!("{base}protect:\n  tags:\n    keep:\n  labels:\n    keep: ~\n"));
    let keep = BTreeMap::from([("keep".to_owned(), None)]);
    assert_eq!(
        (policy.rules.protect.tags, policy.rules.protect.labels),
        (keep.clone(), keep)
    );
}

#[test]
fn windows_lines_marks_and_aliases_are_understood() {
    let text = "\u{feff}scopes:\r\n  - aws: {regions: &all [us-east-1]}\r\n  - aws: {profile: b, regions: *all}\r\n\
                clusters:\r\n  - context: prod\r\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gc.yaml");
    std::fs::write(&path, text).unwrap();
    let policy = load(&path, None).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(policy.scopes.len(), 2);
    // As a ConfigMap is mounted.
    let link = folder.path().join("link.yaml");
    std::os::unix::fs::symlink("gc.yaml", &link).unwrap();
    assert!(load(&link, None).is_ok());
}

#[test]
fn paths_begin_at_the_file_unless_they_are_whole() {
    let base = "scopes:\n  - aws: {regions: [us-east-1]}\nclusters:\n  - context: prod\n";
    let store = |text: &str| read(&format!("{base}store: {text}\n")).store.unwrap().to_string();
    assert_eq!(store("runs"), "etc/runs");
    assert_eq!(store("../runs"), "etc/../runs");
    assert_eq!(store("/var/runs"), "/var/runs");
    assert_eq!(store("file:///var/runs"), "/var/runs");
    assert_eq!(store("~/runs"), "/home/me/runs");
    assert_eq!(store("s3://bucket/a?region=eu-west-1"), "s3://bucket/a");
    let homeless = parse(Path::new("gc.yaml"), &format!("{base}store: ~/runs\n"), None).unwrap_err();
    assert!(homeless.to_string().contains("HOME is not set"), "{homeless}");
}
