//! The one path by which claims and volumes go, and the second look on it.

use std::time::Duration;

use moorline_api::{ErrorKind, Volume, VolumeState};
use serde_json::{Value, json};

use super::*;
use crate::fakes::attached;
use crate::names;

const CLAIM: &str = "delete persistentvolumeclaims default/data-db-0";
const VOLUME: &str = "delete volume vol-0";
const POINTER: &str = "delete persistentvolumes pv-data-db-0";
const SWEEP: &str = "sweep cluster-uid web";

/// What is left after `down`, of which something remains: the volume and its pointer must.
async fn held_back(stage: &Stage) -> String {
    let outcome = down(stage, &web()).await.unwrap();
    assert!(stage.cloud.has("vol-0"), "the volume is gone: {outcome:?}");
    assert!(
        !stage
            .script
            .changes()
            .iter()
            .any(|call| call == VOLUME || call == POINTER)
    );
    assert_eq!(whats(&outcome.remaining), ["volume vol-0 of claim default/data-db-0"]);
    outcome.remaining[0].why.clone()
}

#[tokio::test]
async fn set_claim_volume_and_pointer_go_in_this_order() {
    let stage = stage();
    let outcome = down(&stage, &web()).await.unwrap();
    let changes = stage.script.changes();
    assert_eq!(
        changes,
        ["delete statefulsets.apps default/db", CLAIM, VOLUME, POINTER, SWEEP]
    );
    assert!(outcome.remaining.is_empty() && outcome.kept.is_empty(), "{outcome:?}");
    let gone = [
        "persistentvolumeclaims default/data-db-0",
        "persistentvolumes pv-data-db-0",
        "statefulsets.apps default/db",
        "volume vol-0 of claim default/data-db-0",
    ];
    assert_eq!(whats(&outcome.gone), gone);
}

#[tokio::test]
async fn a_volume_without_a_persistent_volume_goes_before_its_claim() {
    let stage = stage();
    stage.cluster.remove("PersistentVolume", "pv-data-db-0");
    stage
        .cluster
        .add(with(claim("data-db-0"), "/status/phase", json!("Pending")));
    let profile = profile("externalClasses: [fast]\nonDown: delete\n", "");
    down(&stage, &profile).await.unwrap();
    assert_eq!(stage.script.changes()[1..], [VOLUME, CLAIM, SWEEP]);
}

#[tokio::test]
async fn what_is_kept_is_put_out_of_reach_before_anything_goes() {
    let stage = stage();
    let profile = profile("externalClasses: [fast]\nonDown: keep\n", "");
    let outcome = down(&stage, &profile).await.unwrap();
    let changes = stage.script.changes();
    assert_eq!(changes[0], "merge persistentvolumes pv-data-db-0");
    assert!(changes.contains(&CLAIM.to_owned()) && !changes.contains(&POINTER.to_owned()));
    let pv = stage.cluster.find("PersistentVolume", "pv-data-db-0").unwrap();
    assert_eq!(pv.annotation(names::ON_DOWN), Some("keep"));
    assert_eq!(pv.str_at(&["spec", "persistentVolumeReclaimPolicy"]), Some("Retain"));
    assert!(stage.cloud.has("vol-0"));
    let kept = &outcome.kept[0];
    assert_eq!(kept.what, "volume vol-0 of claim default/data-db-0");
    assert_eq!(kept.why, "onDown: keep; PersistentVolume pv-data-db-0 points to it");
    // The next run goes by what this one decided.
    let again = planned(&stage, &web()).await;
    assert!(
        again.claims.is_empty() && again.keeps[0].why.contains("decided: keep"),
        "{again:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_put_out_of_reach_stops_everything() {
    let stage = stage();
    stage.script.refuse("!merge persistentvolumes", ErrorKind::Forbidden);
    let profile = profile("externalClasses: [fast]\nonDown: keep\n", "");
    assert!(down(&stage, &profile).await.is_err());
    assert_eq!(stage.script.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_kept_volume_that_nothing_points_to_is_named_by_its_tags() {
    let stage = stage();
    stage.cluster.remove("PersistentVolume", "pv-data-db-0");
    let outcome = down(&stage, &profile("externalClasses: [fast]\nonDown: keep\n", ""))
        .await
        .unwrap();
    assert_eq!(outcome.kept[0].why, "onDown: keep; only its tags say whose it was");
    assert!(stage.cloud.has("vol-0"));
}

#[tokio::test]
async fn a_snapshot_is_complete_before_the_volume_goes_and_knows_what_it_was() {
    let stage = stage();
    let outcome = down(&stage, &profile("externalClasses: [fast]\nonDown: snapshot\n", ""))
        .await
        .unwrap();
    let changes = stage.script.changes();
    let pin = "merge persistentvolumes pv-data-db-0";
    let set = "delete statefulsets.apps default/db";
    assert_eq!(changes, [pin, set, CLAIM, "snapshot vol-0", VOLUME, POINTER, SWEEP]);
    let tags = stage.cloud.with(|cloud| cloud.snapshots[0].tags.clone());
    assert_eq!(tags[names::CLUSTER_UID], "cluster-uid");
    assert_eq!(tags[names::CLAIM], "data-db-0");
    assert_eq!(tags[moorline_api::tags::STORAGE_CLASS], "fast");
    assert_eq!(
        whats(&outcome.kept),
        ["snapshot snap-moorline-down-vol-0-uid-data-db-0 of volume vol-0"]
    );
}

#[tokio::test]
async fn no_snapshot_no_deletion() {
    let stage = stage();
    stage.script.refuse("!snapshot", ErrorKind::LimitExceeded);
    let outcome = down(&stage, &profile("externalClasses: [fast]\nonDown: snapshot\n", ""))
        .await
        .unwrap();
    assert_eq!(outcome.remaining.len(), 1);
    assert!(stage.cloud.has("vol-0") && stage.cluster.has("PersistentVolume", "pv-data-db-0"));
}

#[tokio::test]
async fn a_claim_that_is_there_again_keeps_its_volume() {
    for uid in ["uid-data-db-0", "uid-of-a-later-life"] {
        let stage = stage();
        let again = with(claim("data-db-0"), "/metadata/uid", json!(uid));
        let cluster = stage.cluster.clone();
        stage.script.before("look at volumes", move || cluster.add(again));
        assert!(held_back(&stage).await.contains("the claim is there again"), "{uid}");
    }
}

#[tokio::test]
async fn a_claim_of_that_name_which_wants_another_volume_does_not_keep_it() {
    let stage = stage();
    let other = with(claim("data-db-0"), "/metadata/uid", json!("uid-of-a-later-life"));
    let other = with(other, "/spec/volumeName", json!("pv-of-another"));
    let cluster = stage.cluster.clone();
    stage.script.before("look at volumes", move || cluster.add(other));
    let outcome = down(&stage, &web()).await.unwrap();
    assert!(outcome.remaining.is_empty() && !stage.cloud.has("vol-0"), "{outcome:?}");
}

#[tokio::test]
async fn a_persistent_volume_reserved_by_name_waits_for_whoever_bears_it() {
    let stage = stage();
    stage.cluster.add(with(
        pv("data-db-0"),
        "/spec/claimRef",
        json!({"namespace": "default", "name": "data-db-0"}),
    ));
    let later = with(claim("data-db-0"), "/metadata/uid", json!("uid-of-a-later-life"));
    let later = with(later, "/spec", json!({"storageClassName": "fast"}));
    let cluster = stage.cluster.clone();
    stage.script.before("look at volumes", move || cluster.add(later));
    assert!(held_back(&stage).await.contains("the claim is there again"));
}

#[tokio::test]
async fn a_persistent_volume_that_was_given_to_another_keeps_the_volume() {
    for (pointer, to, why) in [
        ("/metadata/uid", json!("another"), "another one now"),
        ("/spec/csi/volumeHandle", json!("vol-9"), "another one now"),
        ("/spec/claimRef", Value::Null, "took its reservation away"),
    ] {
        let stage = stage();
        let changed = with(pv("data-db-0"), pointer, to);
        let cluster = stage.cluster.clone();
        stage.script.before("look at volumes", move || cluster.add(changed));
        assert!(held_back(&stage).await.contains(why), "{pointer}");
    }
}

#[tokio::test]
async fn a_persistent_volume_that_its_driver_removed_holds_nothing_up() {
    let stage = stage();
    let cluster = stage.cluster.clone();
    stage.script.before("look at volumes", move || {
        cluster.remove("PersistentVolume", "pv-data-db-0");
    });
    let outcome = down(&stage, &web()).await.unwrap();
    assert!(outcome.remaining.is_empty() && !stage.cloud.has("vol-0"), "{outcome:?}");
}

/// Claim `data-db-0` and its volume, without a PersistentVolume.
fn unbound() -> Stage {
    let stage = stage();
    stage.cluster.remove("PersistentVolume", "pv-data-db-0");
    stage
        .cluster
        .add(with(claim("data-db-0"), "/status/phase", json!("Pending")));
    stage
}

/// The PersistentVolume of `data-db-0`, which no provider can read: only its reservation tells anything.
fn unreadable_pv() -> Value {
    with(
        pv("data-db-0"),
        "/spec/csi",
        json!({"driver": "other", "volumeHandle": "x"}),
    )
}

async fn unbound_held_back(stage: &Stage) -> String {
    let profile = profile("externalClasses: [fast]\nonDown: delete\n", "");
    let outcome = down(stage, &profile).await.unwrap();
    assert!(stage.cloud.has("vol-0") && stage.cluster.has("PersistentVolumeClaim", "data-db-0"));
    outcome.remaining[0].why.clone()
}

#[tokio::test]
async fn a_claim_that_was_bound_meanwhile_keeps_its_volume() {
    let stage = unbound();
    let cluster = stage.cluster.clone();
    stage
        .script
        .before("look at volumes", move || cluster.add(claim("data-db-0")));
    assert!(unbound_held_back(&stage).await.contains("was bound meanwhile"));
}

#[tokio::test]
async fn a_persistent_volume_that_was_made_meanwhile_keeps_the_volume() {
    let stage = unbound();
    let cluster = stage.cluster.clone();
    stage
        .script
        .before("look at volumes", move || cluster.add(unreadable_pv()));
    assert!(unbound_held_back(&stage).await.contains("was made meanwhile"));
}

#[tokio::test]
async fn a_persistent_volume_that_is_reserved_for_another_does_not_keep_it() {
    let stage = unbound();
    let cluster = stage.cluster.clone();
    let made = with(unreadable_pv(), "/spec/claimRef/uid", json!("another"));
    stage.script.before("look at volumes", move || cluster.add(made));
    let profile = profile("externalClasses: [fast]\nonDown: delete\n", "");
    down(&stage, &profile).await.unwrap();
    assert!(!stage.cloud.has("vol-0"));
}

#[tokio::test]
async fn tags_that_changed_keep_the_volume() {
    let stage = stage();
    let cloud = stage.cloud.clone();
    stage.script.before("look at volumes", move || {
        let mut strange = volume("data-db-0");
        strange.tags.insert(names::CLUSTER_UID.to_owned(), "another".to_owned());
        cloud.add(strange);
    });
    assert!(held_back(&stage).await.contains("belongs to cluster another"));
}

#[tokio::test]
async fn another_persistent_volume_that_names_it_keeps_the_volume() {
    let stage = stage();
    let ctx = stage.context();
    let plan = planned(&stage, &web()).await;
    assert_eq!(plan.claims[0].fate, VolumeFate::Delete);
    stage
        .cluster
        .add(with(pv("data-db-0"), "/metadata/name", json!("twin")));
    let outcome = execute_down(&ctx, &web(), plan).await.unwrap();
    assert!(
        outcome.remaining[0]
            .why
            .contains("PersistentVolume twin names the same volume")
    );
    assert!(stage.cloud.has("vol-0"));
}

#[tokio::test]
async fn where_persistent_volumes_cannot_be_read_no_volume_goes() {
    let stage = stage();
    let plan = planned(&stage, &web()).await;
    stage.script.refuse("list persistentvolumes", ErrorKind::Forbidden);
    let outcome = execute_down(&stage.context(), &web(), plan).await.unwrap();
    assert!(
        outcome.remaining[0]
            .why
            .contains("whether a PersistentVolume names it is not known")
    );
    assert!(stage.cloud.has("vol-0"));
}

#[tokio::test]
async fn a_volume_is_waited_for_until_it_is_detached() {
    let held = |state| Volume {
        state,
        ..attached(volume("data-db-0"))
    };
    let unattached = |state| Volume {
        state,
        ..volume("data-db-0")
    };
    for first in [
        held(VolumeState::InUse),
        held(VolumeState::Available),
        unattached(VolumeState::InUse),
    ] {
        let stage = stage();
        let (cloud, then) = (stage.cloud.clone(), stage.cloud.clone());
        stage.script.before("look at volumes", move || cloud.add(first));
        stage
            .script
            .before("look at volumes", move || then.add(volume("data-db-0")));
        let outcome = down(&stage, &web()).await.unwrap();
        assert!(outcome.remaining.is_empty(), "{outcome:?}");
        let deletions = stage.script.changes().into_iter().filter(|call| call == VOLUME).count();
        assert_eq!(deletions, 1);
    }
}

#[tokio::test]
async fn a_volume_that_failed_goes_too() {
    let stage = stage();
    stage.cloud.add(Volume {
        state: VolumeState::Error,
        ..volume("data-db-0")
    });
    assert!(down(&stage, &web()).await.unwrap().remaining.is_empty());
}

#[tokio::test]
async fn a_volume_that_stays_attached_remains_and_its_machine_is_named() {
    let mut stage = stage();
    stage.timeout = Duration::ZERO;
    stage.cloud.add(attached(volume("data-db-0")));
    assert!(held_back(&stage).await.contains("still in-use at i-1"));
    let mut stage = super::stage();
    stage.timeout = Duration::ZERO;
    let leased = VolumeState::InUse;
    stage.cloud.add(Volume {
        state: leased,
        ..volume("data-db-0")
    });
    assert!(held_back(&stage).await.ends_with("still in-use"));
}

#[tokio::test]
async fn a_volume_that_is_attached_between_look_and_call_is_looked_at_again() {
    let stage = stage();
    stage.script.fail("!delete volume", ErrorKind::InUse);
    let outcome = down(&stage, &web()).await.unwrap();
    assert!(outcome.remaining.is_empty() && !stage.cloud.has("vol-0"), "{outcome:?}");
    let stage = super::stage();
    stage.script.fail("!delete volume", ErrorKind::Forbidden);
    assert!(held_back(&stage).await.contains("as the test wants it"));
}

#[tokio::test]
async fn a_volume_that_the_cloud_goes_on_listing_is_not_called_gone() {
    let mut stage = stage();
    stage.timeout = Duration::from_millis(50);
    stage.cloud.with(|cloud| cloud.lasting = true);
    let outcome = down(&stage, &web()).await.unwrap();
    assert!(outcome.remaining[0].why.contains("still lists it"), "{outcome:?}");
    assert!(
        stage.cluster.has("PersistentVolume", "pv-data-db-0"),
        "the pointer outlives its target"
    );
}

#[tokio::test]
async fn a_volume_that_is_on_its_way_or_gone_is_not_deleted_again() {
    for state in [Some(VolumeState::Deleting), Some(VolumeState::Deleted), None] {
        let stage = stage();
        let cloud = stage.cloud.clone();
        stage.script.before("look at volumes", move || {
            let gone = state.map(|state| Volume {
                state,
                ..volume("data-db-0")
            });
            cloud.with(|cloud| cloud.volumes.clear());
            if let Some(volume) = gone {
                cloud.add(volume);
            }
        });
        let outcome = down(&stage, &web()).await.unwrap();
        assert!(outcome.remaining.is_empty(), "{outcome:?}");
        assert!(!stage.script.changes().contains(&VOLUME.to_owned()), "{state:?}");
    }
}

#[tokio::test]
async fn a_claim_that_finalizers_hold_keeps_its_volume() {
    let mut stage = stage();
    stage.timeout = Duration::ZERO;
    stage.cluster.add(with(
        claim("data-db-0"),
        "/metadata/finalizers",
        json!(["example.com/held"]),
    ));
    let outcome = down(&stage, &web()).await.unwrap();
    assert_eq!(whats(&outcome.remaining), ["persistentvolumeclaims default/data-db-0"]);
    assert!(outcome.remaining[0].why.contains("example.com/held") && stage.cloud.has("vol-0"));
}

#[tokio::test]
async fn a_persistent_volume_that_names_nothing_known_is_kept() {
    let stage = stage();
    stage.cluster.add(unreadable_pv());
    let outcome = down(&stage, &web()).await.unwrap();
    assert_eq!(whats(&outcome.kept), ["persistentvolumes pv-data-db-0"]);
    assert!(stage.cluster.has("PersistentVolume", "pv-data-db-0") && stage.cloud.has("vol-0"));
}

#[tokio::test]
async fn stopped_while_workloads_go_nothing_else_does() {
    let stage = stage();
    let stop = stage.stop.clone();
    stage.script.before("!delete statefulsets.apps", move || stop.cancel());
    assert!(matches!(
        down(&stage, &web()).await,
        Err(EngineError::Interrupted { .. })
    ));
    assert_eq!(stage.script.changes(), ["delete statefulsets.apps default/db"]);
}

#[tokio::test]
async fn stopped_at_a_claim_its_volume_stays() {
    for (call, expected) in [("!delete persistentvolumeclaims", 2), ("!delete volume", 3)] {
        let stage = stage();
        let stop = stage.stop.clone();
        stage.script.before(call, move || stop.cancel());
        assert!(matches!(
            down(&stage, &web()).await,
            Err(EngineError::Interrupted { .. })
        ));
        let changes = stage.script.changes();
        assert_eq!(changes.len(), expected, "{changes:?}");
        assert!(stage.cluster.has("PersistentVolume", "pv-data-db-0"));
    }
}

#[tokio::test]
async fn stopped_before_it_begins_nothing_is_deleted() {
    let stage = stage();
    let plan = planned(&stage, &web()).await;
    stage.stop.cancel();
    assert!(execute_down(&stage.context(), &web(), plan).await.is_err());
    assert_eq!(stage.script.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_service_that_cannot_be_deleted_keeps_no_volume() {
    let stage = stage();
    let front = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "front", "uid": "uid-front"},
    });
    stage.cluster.add(crate::fakes::applied(front));
    stage.script.refuse("!delete services", ErrorKind::Forbidden);
    let manifest =
        "apiVersion: v1\nkind: Service\nmetadata: {name: front}\nspec: {selector: {app: db}, ports: [{port: 80}]}\n";
    let outcome = down(&stage, &profile("externalClasses: [fast]\n", manifest))
        .await
        .unwrap();
    assert_eq!(whats(&outcome.remaining), ["services default/front"]);
    assert!(!stage.cloud.has("vol-0"), "{outcome:?}");
}

#[tokio::test]
async fn what_others_were_writing_is_deleted_again() {
    for call in [
        "delete persistentvolumeclaims",
        "delete persistentvolumes",
        "delete statefulsets",
    ] {
        let stage = stage();
        stage.script.fail(&format!("!{call}"), ErrorKind::Stale);
        let outcome = down(&stage, &web()).await.unwrap();
        assert!(
            outcome.remaining.is_empty() && !stage.cloud.has("vol-0"),
            "{call}: {outcome:?}"
        );
    }
}
