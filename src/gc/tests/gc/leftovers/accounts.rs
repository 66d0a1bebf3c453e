//! Storage accounts.

use moorline_api::{Content, Holder, HolderMaker};
use moorline_gc::Verdict;
use moorline_gc::leftovers::Kind;
use serde_json::json;

use super::build::*;

fn scene() -> Scene {
    scene_of(|_| {})
}

fn scene_of(change: impl FnOnce(&mut Holder)) -> Scene {
    let mut account = account();
    change(&mut account);
    Scene::of([Thing::Account(account)])
}

fn persistent_volume(spec: serde_json::Value) -> moorline_api::Object {
    named("v1", "PersistentVolume", "pv").with(&["spec"], spec)
}

#[test]
fn orphan_where_it_holds_nothing_and_nobody_names_it() {
    let other = class(&json!({"storageAccount": "fabcd", "server": "fab.file.core.windows.net"}));
    assert_eq!(scene().prod([other]).verdict(), Verdict::Orphan);
    let ours = |uid: &str| {
        let cluster = uid.to_owned();
        scene_of(|account| account.maker = HolderMaker::Moorline { cluster })
    };
    assert_eq!(ours(PROD).verdict(), Verdict::Orphan);
    assert_eq!(ours("another").verdict(), Verdict::Foreign);
    let why = |scene: Scene| scene.row().unwrap().why;
    assert!(why(ours("another")).contains("name cluster another, which the policy does not"));
    assert!(why(ours(PROD)).starts_with("moorline made it, it holds nothing"));
    assert!(why(scene()).starts_with("file.csi.azure.com made it"));
}

#[test]
fn in_use_where_it_holds_something_and_unknown_where_that_was_not_read() {
    let holding = |content| scene_of(|account| account.content = content);
    let deleted = Content::Something("a deleted share that can still be restored".to_owned());
    assert_eq!(holding(deleted).verdict(), Verdict::InUse);
    let unread = holding(Content::Unread("403".to_owned()));
    assert_eq!(unread.verdict(), Verdict::Unknown);
    assert!(unread.plan().is_incomplete());
}

#[test]
fn foreign_where_nothing_says_who_made_it() {
    for content in [Content::Nothing, Content::Unread("403".to_owned())] {
        let scene = scene_of(|account| {
            account.maker = HolderMaker::Unknown;
            account.content = content;
        });
        assert_eq!(scene.verdict(), Verdict::Foreign);
        assert!(!scene.plan().is_incomplete());
    }
}

#[test]
fn claimed_where_a_class_or_persistent_volume_of_any_cluster_names_it_in_any_way() {
    for namer in [
        class(&json!({"storageAccount": "fabc"})),
        class(&json!({"storageaccount": "FABC"})),
        class(&json!({"server": "fabc.privatelink.file.core.windows.net"})),
        persistent_volume(json!({"csi": {"driver": "file.csi.azure.com", "volumeHandle": "g#fabc#share#"}})),
        persistent_volume(json!({"csi": {"volumeHandle": "x", "volumeAttributes": {"storageAccount": "fabc"}}})),
        persistent_volume(json!({"mountOptions": ["ro", "addr=fabc.file.core.windows.net"]})),
        persistent_volume(json!({"azureFile": {"secretName": "azure-storage-account-fabc-secret"}})),
    ] {
        assert_eq!(scene().stage([namer.clone()]).verdict(), Verdict::Claimed, "{namer:?}");
    }
}

#[test]
fn protected_by_tag_or_name() {
    let tagged = scene_of(|account| _ = account.tags.insert("moorline.dev/protect".to_owned(), String::new()));
    assert_eq!(tagged.verdict(), Verdict::Protected);
    let named = scene().policy(|policy| policy.protect.names.push("fabc".to_owned()));
    assert_eq!(named.verdict(), Verdict::Protected);
}

#[test]
fn unknown_where_classes_or_persistent_volumes_of_any_cluster_were_not_read() {
    for cluster in [0, 1] {
        for kind in [Kind::StorageClasses, Kind::PersistentVolumes] {
            assert_eq!(
                scene().without(cluster, kind).verdict(),
                Verdict::Unknown,
                "{cluster} {kind}"
            );
        }
    }
}

#[test]
fn an_account_that_holds_something_asks_nothing_of_the_clusters() {
    let full = scene_of(|account| account.content = Content::Something("2 shares".to_owned()));
    assert!(full.world().wants(full.now).is_empty());
    assert_eq!(scene().world().wants(now()).len(), 2);
}
