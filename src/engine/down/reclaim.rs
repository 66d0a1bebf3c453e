//! The one path by which a claim and its volume go: claim, then volume, then PersistentVolume, so that the pointer
//! outlives its target. Before the volume goes, what proves it unused is read again.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use moorline_api::{
    Error, ErrorKind, Object, ObjectRef, Propagation, ReclaimPolicy, ResourceKind, Volume, VolumeFilter, VolumeId,
    VolumeState, tags,
};
use serde_json::json;
use tokio::time::Instant;

use super::evidence::{Pointers, foreign};
use crate::apply::{self, Halt, refusal};
use crate::context::Context;
use crate::error::Failure;
use crate::event::{Change, Event, Stage};
use crate::fold::PvView;
use crate::names;
use crate::observe::Site;
use crate::outcome::{DownOutcome, Fate};
use crate::plan::{ClaimRemoval, Removal, VolumeFate};

/// Between two looks at a volume that is being detached.
const DETACH_LOOK: Duration = Duration::from_millis(500);

/// Takes the volumes that are kept, or snapshotted first, out of everyone's reach, and writes the decision where the next
/// run finds it, with what was said before: claims that live on get that back. Where a volume goes although its PersistentVolume
/// says Retain, only the decision is written; what goes by its own reclaim policy needs none.
pub(crate) async fn pin(ctx: &Context, removals: &[ClaimRemoval]) -> Result<(), Error> {
    let patches = removals.iter().filter_map(|removal| {
        let pv = removal.persistent_volume.as_ref()?;
        let (decision, before) = match (removal.fate, removal.reclaim_policy?) {
            (VolumeFate::Delete, ReclaimPolicy::Delete) => return None,
            (VolumeFate::Delete, before) => ("delete", before),
            (VolumeFate::Keep, before) => ("keep", before),
            (VolumeFate::SnapshotThenDelete, before) => ("snapshot", before),
        };
        let patch = json!({
            "metadata": {"uid": pv.uid, "annotations": { names::ON_DOWN: decision, names::RECLAIM_POLICY: before }},
            "spec": {"persistentVolumeReclaimPolicy": ReclaimPolicy::Retain},
        });
        Some(async move { ctx.cluster.merge(&pv.target, &patch).await.map(drop) })
    });
    stream::iter(patches)
        .buffer_unordered(ctx.limits.concurrency.max(1))
        .try_collect()
        .await
}

/// What the steps of all removals stand on.
struct Ground<'a> {
    ctx: &'a Context,
    site: &'a Site,
    /// Read once for all; where they could not be, no volume is deleted.
    pointers: Result<&'a Pointers, &'a Error>,
    deadline: Instant,
}

/// Reclaims all of them at once, with a bound.
pub(crate) async fn all(ctx: &Context, site: &Site, removals: &[ClaimRemoval], deadline: Instant) -> DownOutcome {
    if removals.is_empty() {
        return DownOutcome::default();
    }
    let pointers = Pointers::read(ctx).await;
    let ground = Ground {
        ctx,
        site,
        pointers: pointers.as_ref(),
        deadline,
    };
    let work = removals.iter().map(|removal| one(&ground, removal));
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

async fn one(ground: &Ground<'_>, removal: &ClaimRemoval) -> DownOutcome {
    let mut outcome = DownOutcome::default();
    if let Err(failure) = steps(ground, removal, &mut outcome).await {
        outcome.remaining.push(Fate {
            what: failure.what,
            why: failure.error.to_string(),
        });
    }
    outcome
}

/// A step's failure carries what it was about.
type Step<T> = Result<T, Box<Failure>>;

async fn steps(ground: &Ground<'_>, removal: &ClaimRemoval, outcome: &mut DownOutcome) -> Step<()> {
    let Ground { ctx, deadline, .. } = *ground;
    // A volume that no PersistentVolume names can be in use nowhere, and once the claim is gone nothing would point to it:
    // here the volume goes first.
    if removal.persistent_volume.is_none() && removal.fate != VolumeFate::Keep {
        volume(ground, removal, outcome).await?;
    }
    claim(ctx, removal, deadline, outcome).await?;
    if removal.fate == VolumeFate::Keep {
        if let Some(id) = &removal.volume {
            let pointer = match &removal.persistent_volume {
                Some(pv) => format!("PersistentVolume {} points to it", pv.target.name),
                None => "only its tags say whose it was".to_owned(),
            };
            let why = format!("{}; {pointer}", removal.why);
            outcome.kept.push(Fate {
                what: format!("volume {id} of claim {}", removal.claim_name),
                why,
            });
        }
        return Ok(());
    }
    if removal.persistent_volume.is_some() {
        volume(ground, removal, outcome).await?;
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
async fn volume(ground: &Ground<'_>, removal: &ClaimRemoval, outcome: &mut DownOutcome) -> Step<()> {
    let Ground {
        ctx, site, deadline, ..
    } = *ground;
    let Some(id) = &removal.volume else { return Ok(()) };
    let what = format!("volume {id} of claim {}", removal.claim_name);
    let fail = |error| failure(&what, error);
    loop {
        gate(ctx, &what)?;
        let Some(seen) = look(ctx, id).await.map_err(fail)? else {
            break;
        };
        if detached(&seen) {
            its_own(ground, removal, &seen).map_err(fail)?;
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
            return Err(fail(refusal(ErrorKind::InUse, "delete", &id.0, still_used(&seen))));
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

/// Who uses it, where the cloud says so: a lease has no name.
fn still_used(volume: &Volume) -> String {
    let state = volume.state;
    let machines: Vec<&str> = volume.attachments.iter().map(|a| &*a.instance).collect();
    if machines.is_empty() {
        return format!("still {state}");
    }
    format!("still {state} at {}", machines.join(", "))
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

/// That no other cluster, claim or PersistentVolume has a right to the volume.
fn its_own(ground: &Ground<'_>, removal: &ClaimRemoval, volume: &Volume) -> Result<(), Error> {
    let refuse = |why: String| Err(refusal(ErrorKind::InUse, "delete", &volume.id.0, why));
    let uid = removal.claim.as_ref().map(|claim| &*claim.uid);
    if let Some(why) = foreign(volume, &ground.site.cluster.uid, &removal.claim_name, uid) {
        return refuse(why);
    }
    let own = removal.persistent_volume.as_ref().map(|pv| &*pv.target.name);
    match ground.pointers {
        Ok(pointers) => pointers.shared(&volume.id, own).map_or(Ok(()), refuse),
        Err(error) => refuse(format!("whether a PersistentVolume names it is not known: {error}")),
    }
}

/// The second look: the claim of that UID must be gone, or unbound where there never was a PersistentVolume; and the
/// PersistentVolume, where it is still there, must be the planned one, reserved for nobody who is there.
async fn still_unused(ctx: &Context, removal: &ClaimRemoval) -> Result<(), Error> {
    match (&removal.persistent_volume, &removal.claim) {
        (Some(pv), _) => still_released(ctx, pv, removal).await,
        (None, Some(claim)) => still_unbound(ctx, claim).await,
        (None, None) => Ok(()),
    }
}

fn alive(what: &ObjectRef, why: &str) -> Result<(), Error> {
    Err(refusal(ErrorKind::InUse, "delete volume of", &what.to_string(), why))
}

async fn still_unbound(ctx: &Context, claim: &Removal) -> Result<(), Error> {
    let Some(live) = ctx.cluster.get(&claim.target).await? else {
        return Ok(());
    };
    if live.str_at(&["status", "phase"]) == Some("Bound") {
        return alive(&claim.target, "the claim was bound meanwhile; run down again");
    }
    let made = match live.str_at(&["spec", "volumeName"]) {
        Some(name) => {
            let pv = ObjectRef::new(ResourceKind::persistent_volume(), "", name);
            let pv = ctx.cluster.get(&pv).await?;
            pv.is_some_and(|pv| pv.str_at(&["spec", "claimRef", "uid"]) == Some(&claim.uid))
        }
        None => false,
    };
    if made {
        return alive(&claim.target, "its PersistentVolume was made meanwhile; run down again");
    }
    Ok(())
}

/// The phase says little: it lags behind the claim's end by a moment. What counts is whether the claim is there that the
/// PersistentVolume is reserved for.
async fn still_released(ctx: &Context, pv: &Removal, removal: &ClaimRemoval) -> Result<(), Error> {
    let Some(live) = ctx.cluster.get(&pv.target).await? else {
        return Ok(());
    };
    let view = PvView::of(&live, &*ctx.cloud.rules);
    if view.uid != pv.uid || view.volume != removal.volume {
        return alive(&pv.target, "the PersistentVolume is another one now");
    }
    let Some((namespace, name)) = &view.claim else {
        return alive(
            &pv.target,
            "someone took its reservation away, so that another claim can have it",
        );
    };
    let target = ObjectRef::new(ResourceKind::claim(), namespace, name.clone());
    let Some(claim) = ctx.cluster.get(&target).await? else {
        return Ok(());
    };
    let reserved = view.claim_uid.is_none() || view.claim_uid.as_deref() == claim.uid();
    if reserved || claim.str_at(&["spec", "volumeName"]) == Some(&view.name) {
        return alive(&target, "the claim is there again");
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
    let mut tags = volume.tags.clone();
    let live = match &removal.persistent_volume {
        Some(pv) => ctx.cluster.get(&pv.target).await?,
        None => None,
    };
    tags.extend(live.iter().flat_map(tags::of_persistent_volume));
    tags.insert(names::CLUSTER_UID.to_owned(), site.cluster.uid.clone());
    let name = snapshot_name(removal, volume, live.as_ref());
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

/// By its name a snapshot that an earlier run began is found again. It has to be one of this life of the claim: what a volume held
/// before it was given to another claim, or bound at all, is not what it holds now.
fn snapshot_name(removal: &ClaimRemoval, volume: &Volume, pv: Option<&Object>) -> String {
    let bound = pv.and_then(|pv| pv.str_at(&["spec", "claimRef", "uid"]));
    let life = match (bound, &removal.claim) {
        (Some(uid), _) => format!("-{uid}"),
        (None, Some(claim)) => format!("-unbound-{}", claim.uid),
        (None, None) => String::new(),
    };
    format!("moorline-down-{}{life}", volume.id)
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
