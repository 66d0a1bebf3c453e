//! What a `down` that was cut short means for the next `up`: volumes of claims that are still there are the claims' as before, and those
//! whose claims are gone, and that were to be snapshotted and deleted, are.

use std::collections::BTreeMap;

use moorline_api::{Error, ErrorKind};
use moorline_profile::{OnDown, Profile};
use serde_json::{Value, json};

use super::claims::{begun_earlier, fate, pv_removal};
use crate::apply::{self, Halt, Run, Tally};
use crate::error::EngineError;
use crate::event::{Change, Stage};
use crate::fold::{ClaimView, Key, PvView};
use crate::plan::{ClaimRemoval, ReturnPlan, VolumeFate};
use crate::{context::Context, names, observe};

/// What is left of an interrupted `down`.
#[derive(Debug, Default)]
pub(crate) struct Interrupted {
    /// PersistentVolumes that get back what they said before.
    pub(crate) returns: Vec<ReturnPlan>,
    /// Volumes to be snapshotted and deleted.
    pub(crate) removals: Vec<ClaimRemoval>,
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
    let decided: Vec<PvView> = pvs.into_iter().filter(|pv| pv.decided.is_some()).collect();
    if decided.is_empty() {
        return Ok(Interrupted::default());
    }
    // Claims are read after the PersistentVolumes: one that is not among them is gone.
    let claims = observe::claims(ctx, &observe::namespaces(profile)).await?;
    Ok(sorted(profile, &decided, &claims))
}

/// Which of them go back to their claims, and which go.
fn sorted(profile: &Profile, decided: &[PvView], claims: &BTreeMap<Key, ClaimView>) -> Interrupted {
    let mut left = Interrupted::default();
    let namespaces = observe::namespaces(profile);
    for pv in decided {
        let Some(key) = pv.claim.as_ref().filter(|key| namespaces.contains(&key.0)) else {
            continue;
        };
        let claim_name = format!("{}/{}", key.0, key.1);
        let same_life = |claim: &&ClaimView| pv.claim_uid.as_deref().is_none_or(|uid| uid == claim.uid);
        match claims.get(key).filter(same_life) {
            Some(claim) if claim.terminating => {}
            Some(_) => left.returns.push(ReturnPlan {
                persistent_volume: pv_removal(pv),
                claim_name,
                reclaim_policy: pv.reclaim,
            }),
            None if pv.phase == "Bound" => {}
            None => {
                let (fate, why) = fate(OnDown::ReclaimPolicy, Some(pv), None);
                if fate == VolumeFate::SnapshotThenDelete {
                    left.removals.push(ClaimRemoval {
                        claim: None,
                        claim_name,
                        persistent_volume: Some(pv_removal(pv)),
                        reclaim_policy: Some(pv.reclaim),
                        volume: pv.volume.clone(),
                        fate,
                        why: begun_earlier(&why),
                    });
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
