//! One run at a time: what a run without its Lease can change, which is nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures::{FutureExt as _, StreamExt as _};
use moorline_api::{
    ApplyOptions, ClientToken, DeleteOptions, ErrorKind, LoadBalancer, LoadBalancerKind, NewVolume, ObjectRef, Origin,
    Propagation, ResourceKind, Tags, VolumeFilter, VolumeId, Write,
};
use serde_json::{Value, json};

use super::*;
use crate::fakes::{Stage, claim, object, set, volume};

const LEASE: &str = "leases.coordination.k8s.io default/moorline-web";

fn terms(fate: fn(&str) -> Fate, patience: Patience) -> Terms {
    Terms {
        what: "profile web".to_owned(),
        namespace: "default".to_owned(),
        name: "moorline-web".to_owned(),
        holder: Holder {
            identity: "me@here/1/1".to_owned(),
            command: "moorline up".to_owned(),
            process: "mark".to_owned(),
            fate,
        },
        patience,
    }
}

fn ours() -> Terms {
    terms(|_| Fate::Unknown, Patience::UntilAlive)
}

/// The Lease as another run holds it, for a second.
fn held(holder: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"namespace": "default", "name": "moorline-web", "uid": "uid-lease"},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 1, "leaseTransitions": 7},
    })
}

fn holder(stage: &Stage) -> Option<String> {
    let lease = stage.cluster.find("Lease", "moorline-web")?;
    Some(lease.str_at(&["spec", "holderIdentity"]).unwrap_or_default().to_owned())
}

fn target() -> ObjectRef {
    ObjectRef::new(ResourceKind::claim(), "default", "data-db-0")
}

fn deletion(dry_run: bool) -> DeleteOptions {
    DeleteOptions {
        uid: None,
        resource_version: None,
        propagation: Propagation::Background,
        dry_run,
    }
}

/// Makes every call that changes something, and says which of them failed for want of the Lease.
async fn everything(ctx: &Context) -> Vec<bool> {
    let (claim, set) = (target(), ObjectRef::new(ResourceKind::stateful_set(), "default", "db"));
    let id = VolumeId("vol-0".to_owned());
    let new = NewVolume {
        token: ClientToken {
            claim_uid: "u".to_owned(),
            generation: 1,
        },
        spec: volume("data-db-0").spec,
        tags: Tags::new(),
    };
    let balancer = LoadBalancer {
        id: "front".to_owned(),
        name: "front".to_owned(),
        kind: LoadBalancerKind::Classic,
        hostname: String::new(),
        scheme: String::new(),
        state: String::new(),
        created: None,
        tags: Tags::new(),
    };
    let written = object(crate::fakes::claim("data-db-1"));
    let other = ObjectRef::new(ResourceKind::claim(), "default", "data-db-1");
    let cloud = &ctx.cloud;
    let outcomes = [
        ctx.cluster
            .apply(
                &claim,
                &object(crate::fakes::claim("data-db-0")),
                ApplyOptions::default(),
            )
            .await
            .map(drop),
        ctx.cluster.create(&other, &written).await.map(drop),
        ctx.cluster
            .merge(&claim, &json!({"metadata": {"annotations": {"a": "b"}}}))
            .await
            .map(drop),
        ctx.cluster.scale(&set, 0).await,
        ctx.cluster.delete(&claim, &deletion(false)).await.map(drop),
        cloud.volumes.create(&new).await.map(drop),
        cloud.volumes.snapshot(&id, "s", &Tags::new()).await.map(drop),
        cloud.volumes.delete(&id).await,
        cloud.load_balancers.delete(&balancer).await,
        cloud
            .recovery
            .recover(&Origin::Snapshot("s".to_owned()), &new)
            .await
            .map(drop),
        cloud.recovery.delete_snapshot("s").await,
        cloud.upkeep.sweep("c", "web").await.map(drop),
    ];
    let failed = outcomes
        .into_iter()
        .map(|outcome| outcome.err().is_some_and(|error| error.operation == "hold"));
    failed.collect()
}

fn busy() -> Stage {
    let stage = Stage::new();
    stage.cluster.add(claim("data-db-0"));
    stage.cluster.add(set(1));
    stage.cloud.add(volume("data-db-0"));
    stage
}

#[tokio::test]
async fn without_the_lease_nothing_that_changes_anything_begins() {
    let stage = busy();
    stage.script.refuse(&format!("!create {LEASE}"), ErrorKind::Forbidden);
    let mut ctx = stage.context();
    ctx.others = vec![ctx.cloud.clone()];
    let done: Result<(), LockError> = exclusively(&ctx, &ours(), async |ctx| {
        assert_eq!(everything(ctx).await, [true; 12]);
        let other = ctx.others[0].volumes.delete(&VolumeId("vol-0".to_owned())).await;
        assert_eq!(other.unwrap_err().operation, "hold");
        assert!(
            ctx.stop.is_cancelled() && !stage.stop.is_cancelled(),
            "there is no use in going on"
        );
        Ok(((), Afterwards::Free))
    })
    .await;
    assert!(matches!(done, Err(LockError::Provider(_))), "{done:?}");
    assert_eq!(stage.script.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn with_the_lease_every_call_passes_and_it_is_given_back() {
    let stage = busy();
    let done: Result<(), LockError> = exclusively(&stage.context(), &ours(), async |ctx| {
        assert_eq!(everything(ctx).await, [false; 12]);
        assert_eq!(holder(&stage).as_deref(), Some("me@here/1/1"));
        Ok(((), Afterwards::Free))
    })
    .await;
    done.unwrap();
    let passed = [
        format!("create {LEASE}"),
        "apply persistentvolumeclaims default/data-db-0".to_owned(),
        "create persistentvolumeclaims default/data-db-1".to_owned(),
        "merge persistentvolumeclaims default/data-db-0".to_owned(),
        "scale statefulsets.apps default/db to 0".to_owned(),
        "delete persistentvolumeclaims default/data-db-0".to_owned(),
        "create volume".to_owned(),
        "snapshot vol-0".to_owned(),
        "delete volume vol-0".to_owned(),
        "delete load balancer front".to_owned(),
        "recover s".to_owned(),
        "delete snapshot s".to_owned(),
        "sweep c web".to_owned(),
        format!("merge {LEASE}"),
    ];
    assert_eq!(stage.script.changes(), passed);
    assert_eq!(holder(&stage).as_deref(), Some(""), "free");
}

#[tokio::test]
async fn reads_and_dry_runs_need_no_lease_and_write_none() {
    let stage = busy();
    stage.script.refuse(&format!("!create {LEASE}"), ErrorKind::Forbidden);
    let read: Result<(), LockError> = exclusively(&stage.context(), &ours(), async |ctx| {
        let dry = ApplyOptions {
            dry_run: true,
            force: false,
        };
        ctx.cluster
            .apply(&target(), &object(claim("data-db-0")), dry)
            .await
            .unwrap();
        ctx.cluster.delete(&target(), &deletion(true)).await.unwrap();
        let live = ctx.cluster.get(&target()).await.unwrap().unwrap();
        assert_eq!(live.uid(), Some("uid-data-db-0"));
        let id = VolumeId("vol-0".to_owned());
        let gone = ctx.cloud.volumes.wait_gone(&id);
        assert!(gone.now_or_never().is_none(), "it is there");
        let write = Write::Scale(0);
        stage.script.refuse("rehearse", ErrorKind::Forbidden);
        assert!(ctx.cluster.rehearse(&target(), &write).await.is_err());
        assert!(ctx.cluster.mount_statistics("node").await.is_err());
        assert!(!ctx.cluster.kinds().await.unwrap().served.is_empty());
        let volumes = ctx.cloud.volumes.list(VolumeFilter::All).next().await.unwrap().unwrap();
        assert_eq!(volumes.len(), 1);
        Ok(((), Afterwards::Free))
    })
    .await;
    read.unwrap();
    assert_eq!(holder(&stage), None);
    assert!(stage.cluster.has("PersistentVolumeClaim", "data-db-0"));
}

/// Changes something, once, and counts how often the work was begun.
async fn change(stage: &Stage, terms: &Terms, before: impl Fn(usize)) -> (Result<(), LockError>, usize) {
    let begun = AtomicUsize::new(0);
    let done = exclusively(&stage.context(), terms, async |ctx| {
        before(begun.fetch_add(1, Ordering::Relaxed));
        drop(ctx.cloud.volumes.delete(&VolumeId("vol-0".to_owned())).await);
        Ok(((), Afterwards::Free))
    })
    .await;
    (done, begun.into_inner())
}

#[tokio::test]
async fn a_lease_that_cannot_be_written_is_the_failure_that_is_told() {
    let stage = busy();
    stage.cluster.add(held(""));
    stage.script.refuse(&format!("!merge {LEASE}"), ErrorKind::Internal);
    let (done, begun) = change(&stage, &ours(), |_| {}).await;
    assert!(matches!(done, Err(LockError::Provider(_))), "{done:?}");
    assert_eq!((begun, stage.cloud.has("vol-0")), (1, true));
}

#[tokio::test]
async fn where_another_run_came_between_the_work_is_begun_anew() {
    let stage = busy();
    let (done, begun) = change(&stage, &ours(), |round| {
        if round == 0 {
            // It came, changed something, and went.
            stage.cluster.add(held(""));
            assert!(stage.cloud.has("vol-0"));
        }
    })
    .await;
    done.unwrap();
    assert_eq!((begun, stage.cloud.has("vol-0")), (2, false));
    let lease = stage.cluster.find("Lease", "moorline-web").unwrap();
    assert_eq!(lease.i64_at(&["spec", "leaseTransitions"]), Some(8), "the fence grows");
}

#[tokio::test]
async fn a_holder_that_runs_is_left_alone_and_named() {
    let stage = busy();
    stage.cluster.add(held("you@there/2/2"));
    let (done, begun) = change(&stage, &terms(|_| Fate::Runs, Patience::UntilAlive), |_| {}).await;
    let Err(LockError::Held { keeper, .. }) = done else {
        panic!("{done:?}")
    };
    assert_eq!(
        (&*keeper.holder, begun, stage.cloud.has("vol-0")),
        ("you@there/2/2", 0, true)
    );
}

#[tokio::test]
async fn a_holder_that_is_gone_is_followed() {
    for fate in [(|_: &str| Fate::Gone) as fn(&str) -> Fate, |_| Fate::Unknown] {
        let stage = busy();
        stage.cluster.add(held("you@there/2/2"));
        let looked = Instant::now();
        let (done, begun) = change(&stage, &terms(fate, Patience::UntilAlive), |_| {}).await;
        done.unwrap();
        // Its span is waited out where nobody can tell.
        let waited = looked.elapsed() >= Duration::from_secs(1);
        assert_eq!(waited, fate("mark") == Fate::Unknown);
        assert_eq!((begun, stage.cloud.has("vol-0")), (1, false));
        assert_eq!(holder(&stage).as_deref(), Some(""));
    }
}

#[tokio::test]
async fn a_patient_run_waits_as_long_as_it_was_told() {
    let with = async |patience| {
        let stage = busy();
        stage.cluster.add(held("you@there/2/2"));
        let patience = Patience::For(Duration::from_millis(patience));
        let (done, _) = change(&stage, &terms(|_| Fate::Runs, patience), |_| {}).await;
        (done, stage.cloud.has("vol-0"))
    };
    assert!(matches!(with(50).await, (Err(LockError::Held { .. }), true)));
    let (done, left) = with(60_000).await;
    done.unwrap();
    assert!(!left, "a holder without a sign of life for its span is followed");
}

#[tokio::test]
async fn a_lease_that_is_not_wanted_any_more_is_removed() {
    for before in [None, Some(held(""))] {
        let stage = busy();
        if let Some(lease) = before {
            stage.cluster.add(lease);
        }
        let done: Result<(), LockError> = exclusively(&stage.context(), &ours(), async |ctx| {
            drop(ctx.cloud.volumes.delete(&VolumeId("vol-0".to_owned())).await);
            Ok(((), Afterwards::Remove))
        })
        .await;
        done.unwrap();
        assert_eq!(holder(&stage), None);
    }
}

#[tokio::test]
async fn a_lease_that_another_has_meanwhile_is_not_given_away() {
    let stage = busy();
    let (done, _) = change(&stage, &ours(), |_| {}).await;
    done.unwrap();
    for afterwards in [Afterwards::Free, Afterwards::Remove] {
        let done: Result<(), LockError> = exclusively(&stage.context(), &ours(), async |ctx| {
            drop(ctx.cloud.volumes.delete(&VolumeId("vol-0".to_owned())).await);
            stage.cluster.add(held("you@there/2/2"));
            Ok(((), afterwards))
        })
        .await;
        done.unwrap();
        assert_eq!(holder(&stage).as_deref(), Some("you@there/2/2"));
        stage.cluster.add(held(""));
    }
}

/// How often the run tried to take the Lease, or to give it back.
fn writes(stage: &Stage) -> usize {
    let changes = stage.script.changes();
    changes.iter().filter(|change| change.ends_with(LEASE)).count()
}

#[tokio::test]
async fn an_answer_that_was_lost_when_the_lease_was_taken_is_no_other_run() {
    let stage = busy();
    let cluster = stage.cluster.clone();
    // The request had its effect; the one that is sent again is refused.
    stage
        .script
        .before(&format!("!create {LEASE}"), move || cluster.add(held("me@here/1/1")));
    let (done, begun) = change(&stage, &ours(), |_| {}).await;
    done.unwrap();
    assert_eq!((begun, stage.cloud.has("vol-0")), (1, false));
    assert_eq!(holder(&stage).as_deref(), Some(""));
}

#[tokio::test]
async fn a_lease_that_is_as_it_was_seen_is_tried_again_and_another_s_is_not() {
    for before in [None, Some(held(""))] {
        let stage = busy();
        // What is read is older than what refused it.
        let (call, refusal) = if before.is_some() {
            ("!merge", ErrorKind::Stale)
        } else {
            ("!create", ErrorKind::AlreadyExists)
        };
        if let Some(lease) = before {
            stage.cluster.add(lease);
        }
        stage.script.fail(&format!("{call} {LEASE}"), refusal);
        let (done, begun) = change(&stage, &ours(), |_| {}).await;
        done.unwrap();
        assert_eq!((begun, stage.cloud.has("vol-0")), (1, false));
    }
    let stage = busy();
    stage.cluster.add(held(""));
    let (done, begun) = change(&stage, &ours(), |round| {
        if round == 0 {
            stage.cluster.add(held(""));
        }
    })
    .await;
    done.unwrap();
    assert_eq!((begun, writes(&stage)), (2, 3), "refused, taken, given back");
}

#[tokio::test]
async fn a_lease_that_is_gone_when_it_is_to_be_taken_is_looked_at_again() {
    let stage = busy();
    stage.cluster.add(held(""));
    let (done, begun) = change(&stage, &ours(), |round| {
        if round == 0 {
            stage.cluster.remove("Lease", "moorline-web");
        }
    })
    .await;
    done.unwrap();
    assert_eq!((begun, writes(&stage)), (2, 3), "refused, made, given back");
}

#[tokio::test]
async fn where_the_request_for_the_lease_may_be_lost_nothing_begins() {
    for kind in [ErrorKind::Unreachable, ErrorKind::Internal] {
        let stage = busy();
        stage.script.fail(&format!("!create {LEASE}"), kind);
        let (done, begun) = change(&stage, &ours(), |_| {}).await;
        assert!(matches!(done, Err(LockError::Provider(_))), "{done:?}");
        assert_eq!((begun, stage.cloud.has("vol-0"), holder(&stage)), (1, true, None));
    }
}

#[tokio::test]
async fn a_run_that_changed_nothing_only_takes_away_a_lease_that_is_not_wanted_any_more() {
    for (before, afterwards, written) in [
        (None, Afterwards::Free, 0),
        (None, Afterwards::Remove, 0),
        (Some(held("")), Afterwards::Free, 0),
        (Some(held("")), Afterwards::Remove, 2),
    ] {
        let stage = Stage::new();
        let was_there = before.is_some();
        if let Some(lease) = before {
            stage.cluster.add(lease);
        }
        let done: Result<(), LockError> = exclusively(&stage.context(), &ours(), async |_| Ok(((), afterwards))).await;
        done.unwrap();
        assert_eq!(stage.script.changes().len(), written, "{:?}", stage.script.changes());
        assert_eq!(holder(&stage).is_some(), was_there && afterwards == Afterwards::Free);
    }
}

#[tokio::test]
async fn a_lease_that_somebody_labelled_meanwhile_is_given_back_all_the_same() {
    let stage = busy();
    let done: Result<(), LockError> = exclusively(&stage.context(), &ours(), async |ctx| {
        drop(ctx.cloud.volumes.delete(&VolumeId("vol-0".to_owned())).await);
        let mut lease = stage.cluster.find("Lease", "moorline-web").unwrap();
        lease.set(&["metadata", "labels"], json!({"team": "shop"}));
        stage.cluster.add(lease.into_value());
        Ok(((), Afterwards::Free))
    })
    .await;
    done.unwrap();
    assert_eq!(holder(&stage).as_deref(), Some(""));
}
