//! The one path by which a claim and its volume go: claim, then volume, then PersistentVolume, so that the pointer
//! outlives its target. Before the volume goes, what proves it unused is read again.

use std::time::Duration;

use futures::{StreamExt, stream};
use moorline_api::{Error, ErrorKind, ObjectRef, Propagation, Tags, Volume, VolumeFilter, VolumeId, VolumeState};
use serde_json::json;
use tokio::time::Instant;

use crate::apply::{self, Halt, refusal};
use crate::context::Context;
use crate::error::Failure;
use crate::event::{Change, Event, Stage};
use crate::fold::PvView;
use crate::names;
use crate::observe::Site;
use crate::outcome::{DownOutcome, Fate};
use crate::plan::{ClaimRemoval, VolumeFate};

/// Between two looks at a volume that is being detached.
const DETACH_LOOK: Duration = Duration::from_millis(500);

/// Takes the volumes that are kept, or snapshotted first, out of everyone's reach, and writes the decision where the next
/// run finds it.
pub(crate) async fn pin(ctx: &Context, removals: &[ClaimRemoval]) -> Result<(), Error> {
    for removal in removals {
        let decision = match removal.fate {
            VolumeFate::Delete => continue,
            VolumeFate::Keep => "keep",
            VolumeFate::SnapshotThenDelete => "snapshot",
        };
        let Some(pv) = &removal.persistent_volume else { continue };
        let patch = json!({
            "metadata": {"uid": pv.uid, "annotations": { names::ON_DOWN: decision }},
            "spec": {"persistentVolumeReclaimPolicy": "Retain"},
        });
        ctx.cluster.merge(&pv.target, &patch).await?;
    }
    Ok(())
}

/// Reclaims all of them at once, with a bound.
pub(crate) async fn all(ctx: &Context, site: &Site, removals: &[ClaimRemoval], deadline: Instant) -> DownOutcome {
    let work = removals.iter().map(|removal| one(ctx, site, removal, deadline));
    let mut outcomes = stream::iter(work).buffer_unordered(ctx.limits.concurrency.max(1) * 8);
    let mut outcome = DownOutcome::default();
    while let Some(one) = outcomes.next().await {
        super::merge(&mut outcome, one);
    }
    outcome
}

/// Reclaims what `scale` lets go; what is left is the halts.
pub(crate) async fn release(ctx: &Context, site: &Site, removals: &[ClaimRemoval], deadline: Instant) -> Vec<Halt> {
    let outcome = all(ctx, site, removals, deadline).await;
    let halt = |fate: Fate| {
        Halt::failed(
            fate.what.clone(),
            refusal(ErrorKind::InUse, "delete", &fate.what, fate.why),
        )
    };
    outcome.remaining.into_iter().map(halt).collect()
}

async fn one(ctx: &Context, site: &Site, removal: &ClaimRemoval, deadline: Instant) -> DownOutcome {
    let mut outcome = DownOutcome::default();
    if let Err(failure) = steps(ctx, site, removal, deadline, &mut outcome).await {
        outcome.remaining.push(Fate {
            what: failure.what,
            why: failure.error.to_string(),
        });
    }
    outcome
}

/// A step's failure carries what it was about.
type Step<T> = Result<T, Box<Failure>>;

async fn steps(
    ctx: &Context,
    site: &Site,
    removal: &ClaimRemoval,
    deadline: Instant,
    outcome: &mut DownOutcome,
) -> Step<()> {
    // A volume that no PersistentVolume names can be in use nowhere, and once the claim is gone nothing would point to it:
    // here the volume goes first.
    if removal.persistent_volume.is_none() && removal.fate != VolumeFate::Keep {
        volume(ctx, site, removal, deadline, outcome).await?;
    }
    claim(ctx, removal, deadline, outcome).await?;
    if removal.fate == VolumeFate::Keep {
        if let Some(id) = &removal.volume {
            let why = format!(
                "{}; PersistentVolume {} points to it",
                removal.why,
                removal
                    .persistent_volume
                    .as_ref()
                    .map_or("(none)", |pv| &pv.target.name)
            );
            outcome.kept.push(Fate {
                what: format!("volume {id} of claim {}", removal.claim_name),
                why,
            });
        }
        return Ok(());
    }
    if removal.persistent_volume.is_some() {
        volume(ctx, site, removal, deadline, outcome).await?;
        persistent_volume(ctx, removal, deadline, outcome).await?;
    }
    Ok(())
}

fn failure(what: &str, error: Error) -> Box<Failure> {
    Box::new(Failure {
        what: what.to_owned(),
        error,
    })
}

fn gate(ctx: &Context, what: &str) -> Step<()> {
    if ctx.stop.is_cancelled() {
        return Err(failure(
            what,
            refusal(ErrorKind::InUse, "delete", what, "stopped before it was begun"),
        ));
    }
    Ok(())
}

fn deleted(ctx: &Context, what: String, detail: &str) {
    ctx.emit(Event::Done {
        stage: Stage::Reclaim,
        what,
        change: Change::Deleted,
        detail: detail.to_owned(),
    });
}

async fn claim(ctx: &Context, removal: &ClaimRemoval, deadline: Instant, outcome: &mut DownOutcome) -> Step<()> {
    let Some(claim) = &removal.claim else { return Ok(()) };
    let what = claim.target.to_string();
    gate(ctx, &what)?;
    let gone = apply::delete_and_wait(ctx, &claim.target, &claim.uid, Propagation::Background, deadline).await;
    gone.map_err(|error| failure(&what, error))?;
    deleted(ctx, apply::kubectl_name(&claim.target), "");
    outcome.gone.push(Fate {
        what,
        why: "no longer in the cluster".to_owned(),
    });
    Ok(())
}

/// Deletes the volume once it is detached and its evidence still holds.
async fn volume(
    ctx: &Context,
    site: &Site,
    removal: &ClaimRemoval,
    deadline: Instant,
    outcome: &mut DownOutcome,
) -> Step<()> {
    let Some(id) = &removal.volume else { return Ok(()) };
    let what = format!("volume {id} of claim {}", removal.claim_name);
    let fail = |error| failure(&what, error);
    loop {
        gate(ctx, &what)?;
        let Some(seen) = look(ctx, id).await.map_err(fail)? else {
            break;
        };
        if detached(&seen) {
            still_unused(ctx, removal).await.map_err(fail)?;
            if removal.fate == VolumeFate::SnapshotThenDelete {
                snapshot(ctx, site, removal, &seen, outcome).await.map_err(fail)?;
            }
            match ctx.cloud.volumes.delete(id).await {
                Ok(()) => break,
                // Someone attached it between the look and the call: look again.
                Err(error) if error.kind == ErrorKind::InUse => {}
                Err(error) => return Err(fail(error)),
            }
        }
        if Instant::now() + DETACH_LOOK >= deadline {
            let where_ = seen
                .attachments
                .iter()
                .map(|a| &*a.instance)
                .collect::<Vec<_>>()
                .join(", ");
            return Err(fail(refusal(
                ErrorKind::InUse,
                "delete",
                &id.0,
                format!("still {} at {where_}", seen.state),
            )));
        }
        tokio::time::sleep(DETACH_LOOK).await;
    }
    tokio::select! {
        gone = ctx.cloud.volumes.wait_gone(id) => gone.map_err(fail)?,
        () = tokio::time::sleep_until(deadline) => return Err(fail(refusal(ErrorKind::InUse, "delete", &id.0, "the cloud still lists it"))),
        () = ctx.stop.cancelled() => return Err(fail(refusal(ErrorKind::InUse, "delete", &id.0, "stopped while it was being deleted"))),
    }
    deleted(ctx, format!("volume/{id}"), &format!("of {}", removal.claim_name));
    outcome.gone.push(Fate {
        what,
        why: "no longer listed by the cloud".to_owned(),
    });
    Ok(())
}

async fn look(ctx: &Context, id: &VolumeId) -> Result<Option<Volume>, Error> {
    let mut pages = ctx.cloud.volumes.list(VolumeFilter::Ids(vec![id.clone()]));
    while let Some(page) = pages.next().await {
        if let Some(volume) = page?.into_iter().find(|volume| volume.id == *id) {
            let going = matches!(volume.state, VolumeState::Deleting | VolumeState::Deleted);
            return Ok((!going).then_some(volume));
        }
    }
    Ok(None)
}

fn detached(volume: &Volume) -> bool {
    volume.attachments.is_empty() && matches!(volume.state, VolumeState::Available | VolumeState::Error)
}

/// The second look: the claim of that UID must be gone, or unbound where there never was a PersistentVolume; and the
/// PersistentVolume, where it is still there, must be the planned one and bound to nothing.
async fn still_unused(ctx: &Context, removal: &ClaimRemoval) -> Result<(), Error> {
    let alive =
        |what: &ObjectRef, why: &str| Err(refusal(ErrorKind::InUse, "delete volume of", &what.to_string(), why));
    if let (Some(claim), Some(_)) = (&removal.claim, &removal.persistent_volume)
        && ctx
            .cluster
            .get(&claim.target)
            .await?
            .is_some_and(|live| live.uid() == Some(&claim.uid))
    {
        return alive(&claim.target, "the claim is there again");
    }
    if let (Some(claim), None) = (&removal.claim, &removal.persistent_volume)
        && ctx
            .cluster
            .get(&claim.target)
            .await?
            .is_some_and(|live| live.str_at(&["status", "phase"]) == Some("Bound"))
    {
        return alive(&claim.target, "the claim was bound meanwhile; run down again");
    }
    let Some(pv) = &removal.persistent_volume else {
        return Ok(());
    };
    let Some(live) = ctx.cluster.get(&pv.target).await? else {
        return Ok(());
    };
    let view = PvView::of(&live, &*ctx.cloud.rules);
    if view.uid != pv.uid || view.phase == "Bound" || view.volume != removal.volume {
        return alive(&pv.target, "the PersistentVolume is in use again");
    }
    Ok(())
}

async fn snapshot(
    ctx: &Context,
    site: &Site,
    removal: &ClaimRemoval,
    volume: &Volume,
    outcome: &mut DownOutcome,
) -> Result<(), Error> {
    let mut tags: Tags = volume
        .tags
        .iter()
        .filter(|(key, _)| !key.starts_with("aws:"))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    tags.insert(names::CLUSTER_UID.to_owned(), site.cluster.uid.clone());
    let name = format!("moorline-down-{}", volume.id);
    let snapshot = ctx.cloud.volumes.snapshot(&volume.id, &name, &tags).await?;
    ctx.emit(Event::Done {
        stage: Stage::Reclaim,
        what: format!("snapshot/{}", snapshot.id),
        change: Change::Snapshotted,
        detail: format!("of {}", volume.id),
    });
    outcome.kept.push(Fate {
        what: format!("snapshot {} of volume {}", snapshot.id, volume.id),
        why: format!("of claim {}", removal.claim_name),
    });
    Ok(())
}

async fn persistent_volume(
    ctx: &Context,
    removal: &ClaimRemoval,
    deadline: Instant,
    outcome: &mut DownOutcome,
) -> Step<()> {
    let Some(pv) = &removal.persistent_volume else {
        return Ok(());
    };
    let what = pv.target.to_string();
    if removal.volume.is_none() {
        outcome.kept.push(Fate {
            what,
            why: "it points to no volume that moorline knows".to_owned(),
        });
        return Ok(());
    }
    gate(ctx, &what)?;
    let gone = apply::delete_and_wait(ctx, &pv.target, &pv.uid, Propagation::Background, deadline).await;
    gone.map_err(|error| failure(&what, error))?;
    deleted(ctx, apply::kubectl_name(&pv.target), "");
    outcome.gone.push(Fate {
        what,
        why: "no longer in the cluster".to_owned(),
    });
    Ok(())
}
