//! What a `down` that was cut short means for the next `up`: volumes of claims that are still there are the claims' as before, those
//! whose claims are gone, and that were to be snapshotted and deleted, are, and PersistentVolumes that are all that is left go.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use moorline_api::{Error, ErrorKind, Propagation, ReclaimPolicy, VolumeFilter, VolumeId};
use moorline_profile::{OnDown, Profile};
use serde_json::{Value, json};

use super::claims::{begun_earlier, fate, pv_removal};
use crate::apply::{self, Halt, Run, Tally};
use crate::error::EngineError;
use crate::event::{Change, Stage};
use crate::fold::{ClaimView, Key, PvView};
use crate::plan::{ClaimRemoval, Removal, ReturnPlan, VolumeFate};
use crate::{context::Context, names, observe};

/// What is left of an interrupted `down`.
#[derive(Debug, Default)]
pub(crate) struct Interrupted {
    /// PersistentVolumes that get back what they said before.
    pub(crate) returns: Vec<ReturnPlan>,
    /// Volumes to be snapshotted and deleted.
    pub(crate) removals: Vec<ClaimRemoval>,
    /// PersistentVolumes whose claims and volumes are gone.
    pub(crate) pointless: Vec<Removal>,
    /// What could not be looked for.
    pub(crate) notices: Vec<String>,
}

/// Looks for it.
pub(crate) async fn interrupted(ctx: &Context, profile: &Profile) -> Result<Interrupted, EngineError> {
    if !observe::has_claims(profile) {
        return Ok(Interrupted::default());
    }
    let pvs = match observe::labelled_persistent_volumes(ctx, &profile.name).await {
        Ok(pvs) => pvs,
        Err(error) if error.kind == ErrorKind::Forbidden => {
            let notice = format!("whether an interrupted down left anything could not be looked for: {error}");
            return Ok(Interrupted {
                notices: vec![notice],
                ..Interrupted::default()
            });
        }
        Err(error) => return Err(error.into()),
    };
    let (decided, others): (Vec<PvView>, Vec<PvView>) = pvs.into_iter().partition(|pv| pv.decided.is_some());
    let others: Vec<PvView> = others.into_iter().filter(is_let_go).collect();
    if decided.is_empty() && others.is_empty() {
        return Ok(Interrupted::default());
    }
    // Claims are read after the PersistentVolumes: one that is not among them is gone.
    let claims = observe::claims(ctx, &observe::namespaces(profile)).await?;
    let mut left = sorted(profile, &decided, &claims);
    match pointless(ctx, others).await {
        Ok(pointless) => left.pointless = pointless,
        // What another account or a lost server has is for `check` to tell; it keeps nobody from coming up.
        Err(error) => left.notices.push(format!(
            "whether volumes of PersistentVolumes that were let go are still there could not be read: {error}"
        )),
    }
    Ok(left)
}

/// Whether Kubernetes says that the claim is gone, and the reclaim policy that the volume is to go.
fn is_let_go(pv: &PvView) -> bool {
    matches!(&*pv.phase, "Released" | "Failed") && pv.reclaim == ReclaimPolicy::Delete && pv.volume.is_some()
}

/// Those of them whose volumes the cloud does not have: a run died between the volume's end and its own. One whose volume is
/// there is left to a driver, to garbage collection, or to `down`.
async fn pointless(ctx: &Context, pvs: Vec<PvView>) -> Result<Vec<Removal>, Error> {
    let ids: Vec<VolumeId> = pvs.iter().filter_map(|pv| pv.volume.clone()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut there = BTreeSet::new();
    let mut pages = ctx.cloud.volumes.list(VolumeFilter::Ids(ids));
    while let Some(page) = pages.next().await {
        there.extend(page?.into_iter().map(|volume| volume.id));
    }
    let gone = |pv: &&PvView| pv.volume.as_ref().is_some_and(|id| !there.contains(id));
    Ok(pvs.iter().filter(gone).map(pv_removal).collect())
}

/// Which of them go back to their claims, and which go.
fn sorted(profile: &Profile, decided: &[PvView], claims: &BTreeMap<Key, ClaimView>) -> Interrupted {
    let mut left = Interrupted::default();
    let namespaces = observe::namespaces(profile);
    for pv in decided {
        let Some(key) = pv.claim.as_ref().filter(|key| namespaces.contains(&key.0)) else {
            continue;
        };
        let same_life = |claim: &&ClaimView| pv.claim_uid.as_deref().is_none_or(|uid| uid == claim.uid);
        match claims.get(key).filter(same_life) {
            Some(claim) if claim.terminating => {}
            Some(_) => left.returns.push(ReturnPlan {
                persistent_volume: pv_removal(pv),
                claim_name: format!("{}/{}", key.0, key.1),
                reclaim_policy: pv.reclaim,
            }),
            None if pv.phase == "Bound" => {}
            None => {
                let (fate, why) = fate(OnDown::ReclaimPolicy, Some(pv), None);
                if fate == VolumeFate::SnapshotThenDelete {
                    left.removals.push(begun_earlier(pv, key, (fate, &why)));
                }
            }
        }
    }
    left
}

impl Run<'_> {
    /// Takes back what an interrupted `down` had said of volumes whose claims are still there.
    pub(crate) async fn take_back(&self) -> Vec<Halt> {
        let returns = self.plan.returns.iter().map(|one| async move {
            self.gate()?;
            let target = &one.persistent_volume.target;
            let failed = |error: Error| Halt::failed(target.to_string(), error);
            self.ctx.cluster.merge(target, &as_before(one)).await.map_err(failed)?;
            Tally::add(&self.tally.changed);
            let detail = format!(
                "reclaim policy {:?}, as before the interrupted down",
                one.reclaim_policy
            );
            self.done(Stage::Volumes, apply::kubectl_name(target), Change::Configured, detail);
            Ok(())
        });
        apply::all(self.ctx.limits.concurrency, returns).await
    }

    /// Deletes PersistentVolumes whose claims and volumes are gone.
    pub(crate) async fn clear_away(&self) -> Vec<Halt> {
        let removals = self.plan.pointless.iter().map(|removal| async move {
            self.gate()?;
            let target = &removal.target;
            let gone =
                apply::delete_and_wait(self.ctx, target, &removal.uid, Propagation::Background, self.deadline).await;
            gone.map_err(|error| Halt::failed(target.to_string(), error))?;
            Tally::add(&self.tally.changed);
            let detail = "claim and volume are gone; an earlier run began it";
            self.done(Stage::Volumes, apply::kubectl_name(target), Change::Deleted, detail);
            Ok(())
        });
        apply::all(self.ctx.limits.concurrency, removals).await
    }
}

fn as_before(one: &ReturnPlan) -> Value {
    json!({
        "metadata": {
            "uid": one.persistent_volume.uid,
            "annotations": { names::ON_DOWN: null, names::RECLAIM_POLICY: null },
        },
        "spec": {"persistentVolumeReclaimPolicy": one.reclaim_policy},
    })
}

#[cfg(test)]
mod tests;
