//! `down` on a stage in memory: what it plans, what it deletes in which order, and what makes it stop.

mod foundations;
mod planned;
mod reclaimed;
mod secrets;
mod unfinished;

use moorline_profile::Profile;
use serde_json::Value;

use crate::error::EngineError;
use crate::fakes::{Stage, claim, profile, pv, set, volume};
use crate::outcome::{DownOutcome, Fate};
use crate::plan::{ClaimRemoval, DownPlan, VolumeFate};
use crate::{execute_down, plan_down};

/// Profile `web` whose classes follow the reclaim policy, as by default.
fn web() -> Profile {
    profile("externalClasses: [fast]\n", "")
}

/// Claim `data-db-0` with PersistentVolume and volume, and set `db` that made it.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.cluster.add(set(1));
    add(&stage, "data-db-0");
    stage
}

fn add(stage: &Stage, name: &str) {
    stage.cluster.add(claim(name));
    stage.cluster.add(pv(name));
    stage.cloud.add(volume(name));
}

async fn planned(stage: &Stage, profile: &Profile) -> DownPlan {
    plan_down(&stage.context(), profile).await.unwrap()
}

/// Plans and carries out.
async fn down(stage: &Stage, profile: &Profile) -> Result<DownOutcome, EngineError> {
    let ctx = stage.context();
    let plan = plan_down(&ctx, profile).await?;
    execute_down(&ctx, profile, plan).await
}

/// Claim, PersistentVolume, volume and fate of a removal, in short.
fn brief(removal: &ClaimRemoval) -> (bool, Option<&str>, Option<&str>, VolumeFate) {
    let pv = removal.persistent_volume.as_ref().map(|pv| &*pv.target.name);
    let volume = removal.volume.as_ref().map(|id| &*id.0);
    (removal.claim.is_some(), pv, volume, removal.fate)
}

fn whats(fates: &[Fate]) -> Vec<&str> {
    fates.iter().map(|fate| &*fate.what).collect()
}

/// A value whose field at this pointer is another.
fn with(mut value: Value, pointer: &str, to: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap()[field] = to;
    value
}
