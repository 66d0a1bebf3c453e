//! `up`: observe → plan → apply → wait → report.

mod alike;
mod claims;
mod editors;
mod objects;
mod rehearsal;
mod stages;

use std::time::Duration;

use futures::future;
use moorline_api::{ObjectRef, ResourceKind};
use moorline_profile::Profile;

use crate::apply::Run;
use crate::context::Context;
use crate::down;
use crate::error::EngineError;
use crate::event::{Event, Stage};
use crate::fold::Place;
use crate::observe::{self, Catalog, Site};
use crate::outcome::{Cause, UpOutcome};
use crate::plan::{ClaimPlan, ClaimRemoval, ObjectAction, ObjectPlan, UpPlan};
use crate::preflight;
use crate::readiness::{self, Balancers};
use crate::scale;
use crate::status::compose;
use crate::tracker::{Kept, Snapshot};

pub(crate) use claims::observe_claims;
use objects::LiveObjects;
pub(crate) use objects::is_kept;
use rehearsal::plan_objects;
pub(crate) use stages::wait_ready;

/// Reads cluster and cloud and says what `up` would do. Changes nothing: the API server is asked by dry run.
pub async fn plan_up(ctx: &Context, profile: &Profile) -> Result<UpPlan, EngineError> {
    ctx.emit(Event::Stage {
        stage: Stage::Observe,
        total: 0,
    });
    in_time(ctx, observe_and_plan(ctx, profile)).await
}

/// A call that is under way when the time is over ends by itself, at most so much later, and its own error says more.
const LAST_CALL: Duration = Duration::from_secs(30);

/// Planning, until the user stops it or its time is over.
pub(crate) async fn in_time(
    ctx: &Context,
    planning: impl Future<Output = Result<UpPlan, EngineError>>,
) -> Result<UpPlan, EngineError> {
    let timeout = ctx.limits.timeout;
    tokio::select! {
        plan = planning => plan,
        () = ctx.stop.cancelled() => Err(EngineError::Interrupted { left: "nothing was changed".to_owned() }),
        () = tokio::time::sleep(timeout + timeout.min(LAST_CALL)) => Err(EngineError::TimedOut {
            seconds: timeout.as_secs(),
            causes: vec![Cause {
                what: "the plan".to_owned(),
                why: "cluster and cloud were still being read; nothing was changed".to_owned(),
                hint: Some("pass a longer --timeout".to_owned()),
                fatal: false,
            }],
        }),
    }
}

async fn observe_and_plan(ctx: &Context, profile: &Profile) -> Result<UpPlan, EngineError> {
    let (site, catalog) = future::join(observe::site_as_needed(ctx, profile), Catalog::read(ctx)).await;
    let (site, catalog) = (site?, catalog?);
    let live = LiveObjects::read(ctx, profile, &catalog).await?;
    let replicas = live.replicas(profile);
    let (objects, claims, interrupted) = future::join3(
        plan_objects(ctx, profile, &catalog, &live),
        observe_claims(ctx, profile, &site, &replicas),
        down::interrupted(ctx, profile),
    )
    .await;
    let (objects, claims, interrupted) = (objects?, claims?, interrupted?);
    let mut notices = site.notices.clone();
    notices.extend(live.notices.iter().cloned());
    notices.extend(claims.notices);
    notices.extend(interrupted.notices);
    let mut blocked = objects.blocked;
    blocked.extend(claims.blocked);
    let releases = scale::with_new(
        releases(ctx, profile, &site, &live, &objects.plans).await?,
        interrupted.removals,
    );
    let mut plan = assemble(ctx, profile, site, objects.plans, claims.claims);
    plan.mounts = claims.mounts;
    plan.returns = interrupted.returns;
    plan.pointless = interrupted.pointless;
    plan.removals = live.removals;
    plan.releases = releases;
    plan.notices = notices;
    plan.blocked = blocked;
    preflight::up(ctx, profile, &plan).await?;
    Ok(plan)
}

/// What goes with the ordinals of sets that shrink under `whenScaled: Delete`, or that an earlier run has shrunk.
async fn releases(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    live: &LiveObjects,
    plans: &[ObjectPlan],
) -> Result<Vec<ClaimRemoval>, EngineError> {
    let mut releases = Vec::new();
    for set in &profile.sets {
        let target = ObjectRef::new(ResourceKind::stateful_set(), &set.namespace, &set.name);
        let Some(found) = live.get(&target) else { continue };
        let before = found.i64_at(&["spec", "replicas"]).and_then(|n| u32::try_from(n).ok());
        let before = before.unwrap_or(1);
        let replicas = set.replicas.unwrap_or(before);
        let shrinks = plans.iter().any(|plan| {
            Place::of(&plan.target) == Place::of(&target)
                && matches!(plan.action, ObjectAction::Update { destroys: Some(_), .. })
        });
        let lost = if shrinks {
            scale::releases(ctx, profile, site, set, replicas..before).await?
        } else {
            Vec::new()
        };
        let deletes = found.str_at(&["spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"]) == Some("Delete");
        releases.extend(if shrinks || deletes {
            scale::with_unfinished(ctx, profile, site, (set, replicas), lost).await?
        } else {
            lost
        });
    }
    Ok(releases)
}

/// A plan of these objects and claims, with what they cost.
pub(crate) fn assemble(
    ctx: &Context,
    profile: &Profile,
    site: Site,
    objects: Vec<ObjectPlan>,
    claims: Vec<ClaimPlan>,
) -> UpPlan {
    let creates: Vec<&ClaimPlan> = claims.iter().filter(|claim| claim.makes_volume()).collect();
    let volume_creates = u32::try_from(creates.len()).unwrap_or(u32::MAX);
    let prices = creates.iter().filter_map(|claim| claim.monthly_usd);
    // A sum of nothing would be -0.0.
    let monthly_usd = prices.fold(0.0, |sum, price| sum + price);
    let unpriced = creates.iter().filter(|claim| claim.monthly_usd.is_none()).count();
    UpPlan {
        profile: profile.name.clone(),
        cluster: site.cluster,
        account: site.account,
        volume_creates,
        monthly_usd,
        unpriced,
        floor_seconds: ctx.cloud.volumes.creation_floor(volume_creates).as_secs_f64(),
        objects,
        claims,
        mounts: Vec::new(),
        returns: Vec::new(),
        pointless: Vec::new(),
        removals: Vec::new(),
        scale: None,
        releases: Vec::new(),
        notices: site.notices,
        blocked: Vec::new(),
    }
}

/// The outcome of a run that has nothing to do and nothing to wait for; `None` where something is not ready. What was
/// planned is judged as it was read; pods and events, most of what a cluster holds, only say why something is not ready.
async fn settled(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    plan: &UpPlan,
) -> Result<Option<UpOutcome>, EngineError> {
    let mut snapshot = Snapshot::read(ctx, &readiness::queries_of_claims(profile)).await?;
    for object in &plan.objects {
        snapshot.keep(&object.target.resource, object.live.iter().cloned().map(Kept::of));
    }
    if !snapshot.unreadable.is_empty() || !readiness::assess(profile, &snapshot, Balancers::Awaited).is_ready() {
        return Ok(None);
    }
    let status = compose(ctx, profile, site, &snapshot).await;
    Ok(Some(UpOutcome {
        changed: 0,
        volumes_created: 0,
        volumes_adopted: 0,
        status,
    }))
}

/// Carries out a plan, waits until everything is Bound and Ready, and says where things stand.
pub async fn execute_up(ctx: &Context, profile: &Profile, plan: UpPlan) -> Result<UpOutcome, EngineError> {
    if !plan.blocked.is_empty() {
        return Err(EngineError::Blocked(plan.blocked));
    }
    let site = observe::site_as_needed(ctx, profile).await?;
    if plan.changes() == 0
        && let Some(outcome) = settled(ctx, profile, &site, &plan).await?
    {
        return Ok(outcome);
    }
    let run = Run::begin(ctx, profile, &plan, site).await?;
    run.stages().await?;
    if ctx.limits.wait {
        wait_ready(&run).await?;
    }
    scale::release(&run).await?;
    Ok(run.outcome().await)
}

#[cfg(test)]
mod tests;
