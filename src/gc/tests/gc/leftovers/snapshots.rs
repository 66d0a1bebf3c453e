//! Snapshots past their expiry.

use moorline_api::{Origin, Recoverable, VolumeId, tags};
use moorline_gc::Verdict;
use moorline_gc::leftovers::{Action, Kind};
use moorline_gc::plan::Kept;
use serde_json::json;

use super::build::*;

fn scene_of(change: impl FnOnce(&mut Recoverable)) -> Scene {
    let mut snapshot = snapshot();
    change(&mut snapshot);
    Scene::of([Thing::Snapshot(Box::new(snapshot))])
}

fn content(fields: serde_json::Value) -> moorline_api::Object {
    let content = named("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent", "c");
    content.with(&["spec"], fields.clone()).with(&["status"], fields)
}

#[test]
fn goes_when_it_has_expired_without_a_mark() {
    let row = scene_of(|_| {}).row().unwrap();
    assert_eq!((row.verdict, row.action), (Verdict::Orphan, Action::Delete));
    assert_eq!(row.since, Some("2026-11-21T11:00:00Z".parse().unwrap()));
    assert_eq!((row.gib, row.monthly), (8, Some(0.4)));
}

#[test]
fn stays_until_its_expiry_to_the_second() {
    for (expires, verdict) in [
        ("2026-11-21T12:00:00Z", Verdict::Orphan),
        ("2026-11-21T12:00:01Z", Verdict::Claimed),
    ] {
        let scene = scene_of(|snapshot| _ = snapshot.tags.insert(tags::EXPIRES.to_owned(), expires.to_owned()));
        assert_eq!(scene.verdict(), verdict, "{expires}");
    }
}

#[test]
fn is_nobodys_business_where_it_has_no_expiry() {
    let scene = scene_of(|snapshot| _ = snapshot.tags.remove(tags::EXPIRES));
    assert!(scene.plan().totals.is_empty());
    let scene = scene_of(|snapshot| {
        snapshot.origin = Origin::Deleted {
            volume: VolumeId("vol-1".to_owned()),
            version: "1".to_owned(),
        };
    });
    assert!(scene.plan().totals.is_empty());
}

#[test]
fn foreign_where_it_is_a_copy_or_says_no_time_or_is_of_another_cluster() {
    let copy = scene_of(|snapshot| snapshot.volume = VolumeId("vol-ffffffff".to_owned()));
    assert_eq!(copy.verdict(), Verdict::Foreign);
    let without = |key: &'static str| scene_of(move |snapshot| _ = snapshot.tags.remove(key));
    assert_eq!(without(tags::SNAPSHOT_OF).verdict(), Verdict::Foreign);
    assert_eq!(without(tags::CLUSTER_UID).verdict(), Verdict::Foreign);
    let with = |key: &str, value: &str| {
        let (key, value) = (key.to_owned(), value.to_owned());
        scene_of(move |snapshot| _ = snapshot.tags.insert(key, value))
    };
    assert_eq!(with(tags::EXPIRES, "soon").verdict(), Verdict::Foreign);
    assert_eq!(with(tags::CLUSTER_UID, "another").verdict(), Verdict::Foreign);
    assert_eq!(with(tags::PROTECT, "true").verdict(), Verdict::Protected);
}

#[test]
fn in_use_where_a_snapshot_content_of_any_cluster_names_it() {
    for fields in [
        json!({"snapshotHandle": "snap-1"}),
        json!({"source": {"snapshotHandle": "snap-1"}}),
        json!({"source": {"snapshotHandle": "arn:aws:ec2:eu-west-1::snapshot/snap-1"}}),
    ] {
        let scene = scene_of(|_| {}).stage([content(fields.clone())]);
        assert_eq!(scene.verdict(), Verdict::InUse, "{fields}");
    }
    let other = content(json!({"source": {"snapshotHandle": "snap-12"}}));
    assert_eq!(scene_of(|_| {}).stage([other]).verdict(), Verdict::Orphan);
}

#[test]
fn in_use_while_it_is_being_taken() {
    assert_eq!(scene_of(|snapshot| snapshot.ready = false).verdict(), Verdict::InUse);
}

#[test]
fn unknown_where_snapshot_contents_were_not_read() {
    for cluster in [0, 1] {
        let scene = scene_of(|_| {}).without(cluster, Kind::SnapshotContents);
        assert_eq!(scene.verdict(), Verdict::Unknown);
    }
}

#[test]
fn one_from_the_future_says_that_a_clock_is_wrong() {
    let scene = scene_of(|snapshot| snapshot.taken = Some(now() + hours(1)));
    assert_eq!(scene.row().unwrap().action, Action::Keep(Kept::Clock));
}
