//! `scale`: up, volumes first and replicas last; down, replicas first and volumes by the retention policy.

use std::collections::BTreeMap;

use moorline_api::{Object, ObjectRef, ResourceKind};
use moorline_profile::{Profile, SetClaims};

use crate::apply::{self, Run, Tally};
use crate::context::Context;
use crate::down;
use crate::error::EngineError;
use crate::event::{Change, Event, Stage};
use crate::observe::{self, Site};
use crate::outcome::{Cause, UpOutcome};
use crate::plan::{ClaimAction, ClaimRemoval, ObjectAction, PlannedClaims, ScaleStep, UpPlan};
use crate::preflight;
use crate::up::{assemble, in_time, observe_claims, wait_ready};

/// Says what scaling one set of the profile would do.
pub async fn plan_scale(ctx: &Context, profile: &Profile, set: &str, replicas: u32) -> Result<UpPlan, EngineError> {
    ctx.emit(Event::Stage {
        stage: Stage::Observe,
        total: 0,
    });
    in_time(ctx, observe_and_plan(ctx, profile, set, replicas)).await
}

async fn observe_and_plan(ctx: &Context, profile: &Profile, set: &str, replicas: u32) -> Result<UpPlan, EngineError> {
    let site = observe::site(ctx, profile).await?;
    let (wanted, live) = find(ctx, profile, set).await?;
    let from = live
        .i64_at(&["spec", "replicas"])
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(1);
    let target = ObjectRef::new(ResourceKind::stateful_set(), &wanted.namespace, &wanted.name);
    let (claims, releases) = if replicas > from {
        (new_claims(ctx, profile, &site, wanted, replicas).await?, Vec::new())
    } else {
        let deletes = live.str_at(&["spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"]) == Some("Delete");
        let releases = if deletes {
            let lost = releases(ctx, profile, &site, wanted, replicas..from).await?;
            with_unfinished(ctx, profile, &site, (wanted, replicas), lost).await?
        } else {
            Vec::new()
        };
        (PlannedClaims::default(), releases)
    };
    let mut notices = site.notices.clone();
    notices.extend(claims.notices);
    if replicas < from && releases.is_empty() && !wanted.templates.is_empty() {
        notices.push(format!(
            "the claims and volumes of {} ordinals are kept (whenScaled: Retain)",
            from - replicas
        ));
    }
    if wanted.replicas.is_some_and(|manifest| manifest != replicas) {
        notices.push(format!(
            "the manifest says {} replicas; the next up goes back to that",
            wanted.replicas.unwrap_or_default()
        ));
    }
    let mut plan = assemble(ctx, profile, site, Vec::new(), claims.claims);
    plan.scale = Some(ScaleStep {
        target,
        from,
        to: replicas,
    });
    plan.releases = releases;
    plan.notices = notices;
    plan.blocked = claims.blocked;
    preflight::up(ctx, profile, &plan).await?;
    Ok(plan)
}

/// The set in the profile and in the cluster.
async fn find<'a>(ctx: &Context, profile: &'a Profile, set: &str) -> Result<(&'a SetClaims, Object), EngineError> {
    let blocked = |why: String, hint: String| {
        EngineError::Blocked(vec![Cause {
            what: format!("statefulset {set}"),
            why,
            hint: Some(hint),
            fatal: true,
        }])
    };
    let Some(wanted) = profile.sets.iter().find(|wanted| wanted.name == set) else {
        let names: Vec<_> = profile.sets.iter().map(|set| &*set.name).collect();
        let hint = if names.is_empty() {
            "it has no StatefulSet".to_owned()
        } else {
            format!("it has {}", names.join(", "))
        };
        return Err(blocked("the profile has no such StatefulSet".to_owned(), hint));
    };
    let target = ObjectRef::new(ResourceKind::stateful_set(), &wanted.namespace, &wanted.name);
    match ctx.cluster.get(&target).await? {
        Some(live) if live.is_terminating() => Err(blocked(
            "it is being deleted".to_owned(),
            "wait until it is gone, then run up".to_owned(),
        )),
        Some(live) => match down::not_ours(profile, &live) {
            Some(why) => Err(blocked(
                why,
                "scale it with kubectl, or run up to take it over".to_owned(),
            )),
            None => Ok((wanted, live)),
        },
        None => Err(blocked(
            "it is not in the cluster".to_owned(),
            format!("run: moorline up {}", profile.folder.display()),
        )),
    }
}

/// The claims that the set will have, of which only those that lack something are work. Standalone claims are `up`'s.
async fn new_claims(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    set: &SetClaims,
    replicas: u32,
) -> Result<PlannedClaims, EngineError> {
    let wanted = BTreeMap::from([((set.namespace.clone(), set.name.clone()), replicas)]);
    let mut planned = observe_claims(ctx, profile, site, &wanted).await?;
    planned
        .claims
        .retain(|claim| claim.set.as_ref() == Some(&set.name) && claim.namespace == set.namespace);
    Ok(planned)
}

/// The claims and volumes of the ordinals that a set loses, counted from its first.
pub(crate) async fn releases(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    set: &SetClaims,
    lost: std::ops::Range<u32>,
) -> Result<Vec<ClaimRemoval>, EngineError> {
    let first = set.first_ordinal;
    let lost = (first + lost.start)..(first + lost.end);
    let names = lost
        .flat_map(|ordinal| {
            set.templates
                .iter()
                .map(move |t| (set.namespace.clone(), set.claim_name(&t.name, ordinal)))
        })
        .collect();
    down::removals_of(ctx, profile, site, names, moorline_profile::OnDown::ReclaimPolicy).await
}

/// What goes, and what an earlier run that was killed after it had shrunk the set to these replicas left behind.
pub(crate) async fn with_unfinished(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    (set, replicas): (&SetClaims, u32),
    lost: Vec<ClaimRemoval>,
) -> Result<Vec<ClaimRemoval>, EngineError> {
    Ok(with_new(
        lost,
        down::unfinished(ctx, profile, site, set, replicas).await?,
    ))
}

/// Those of both, without what is in the first already: another life of the same claim has a PersistentVolume of its own.
pub(crate) fn with_new(mut known: Vec<ClaimRemoval>, more: Vec<ClaimRemoval>) -> Vec<ClaimRemoval> {
    let is_same = |a: &ClaimRemoval, b: &ClaimRemoval| {
        a.claim_name == b.claim_name && a.persistent_volume == b.persistent_volume && a.volume == b.volume
    };
    let new = |removal: &ClaimRemoval| !known.iter().any(|known| is_same(known, removal));
    let new: Vec<ClaimRemoval> = more.into_iter().filter(new).collect();
    known.extend(new);
    known
}

/// Lets claims and volumes of lost ordinals go, unless a set has meanwhile been scaled to want them back.
pub(crate) async fn release(run: &Run<'_>) -> Result<(), EngineError> {
    if run.plan.releases.is_empty() {
        return Ok(());
    }
    for (target, replicas) in shrunk(run.plan) {
        let live = run.ctx.cluster.get(&target).await?;
        if let Some(live) = live
            .and_then(|live| live.i64_at(&["spec", "replicas"]))
            .filter(|live| *live > replicas)
        {
            return Err(EngineError::Refused {
                what: format!("{target} was scaled to {live} replicas meanwhile and may want its claims back"),
                cure: "their claims and volumes are left alone; run again".to_owned(),
            });
        }
    }
    let halts = down::release(run.ctx, &run.site, &run.plan.releases, run.deadline).await;
    apply::verdict(halts, run.ctx.limits.timeout.as_secs(), || {
        "volumes of removed ordinals are left; run again to go on, or down takes those under reclaim policy Delete"
            .to_owned()
    })
}

/// The sets that a plan makes smaller, with the replicas that they keep.
fn shrunk(plan: &UpPlan) -> Vec<(ObjectRef, i64)> {
    let scaled = plan.scale.iter().map(|step| (step.target.clone(), i64::from(step.to)));
    let applied = plan
        .objects
        .iter()
        .filter(|plan| matches!(plan.action, ObjectAction::Update { destroys: Some(_), .. }))
        .filter_map(|plan| Some((plan.target.clone(), plan.object.i64_at(&["spec", "replicas"])?)));
    scaled.chain(applied).collect()
}

/// Carries out a plan of [`plan_scale`] and waits until the profile is Bound and Ready again.
pub async fn execute_scale(ctx: &Context, profile: &Profile, plan: UpPlan) -> Result<UpOutcome, EngineError> {
    if !plan.blocked.is_empty() {
        return Err(EngineError::Blocked(plan.blocked));
    }
    let site = observe::site(ctx, profile).await?;
    let run = Run::begin(ctx, profile, &plan, site).await?;
    run.scale().await?;
    wait_ready(&run).await?;
    release(&run).await?;
    Ok(run.outcome().await)
}

impl Run<'_> {
    async fn scale(&self) -> Result<(), EngineError> {
        let Some(step) = &self.plan.scale else { return Ok(()) };
        let work: Vec<_> = self
            .plan
            .claims
            .iter()
            .filter(|c| matches!(c.action, ClaimAction::Create | ClaimAction::Resume { .. }))
            .collect();
        let seconds = self.ctx.limits.timeout.as_secs();
        let left = || format!("replicas are still {}; run the same scale again to go on", step.from);
        if !work.is_empty() {
            self.ctx.emit(Event::Stage {
                stage: Stage::Volumes,
                total: work.len(),
            });
            let halts = apply::all(
                self.ctx.limits.concurrency * 8,
                work.iter().map(|claim| self.provision(claim)),
            )
            .await;
            apply::verdict(halts, seconds, left)?;
            apply::verdict(self.wait_bound(&work).await.err().into_iter().collect(), seconds, left)?;
        }
        if step.from == step.to {
            return Ok(());
        }
        apply::verdict(self.gate().err().into_iter().collect(), seconds, left)?;
        self.ctx.emit(Event::Stage {
            stage: Stage::Workloads,
            total: 1,
        });
        self.ctx.cluster.scale(&step.target, step.to).await?;
        Tally::add(&self.tally.changed);
        if let Some(live) = self.ctx.cluster.get(&step.target).await? {
            self.written.note(&step.target, &live);
        }
        self.done(
            Stage::Workloads,
            apply::kubectl_name(&step.target),
            Change::Configured,
            format!("{} → {} replicas", step.from, step.to),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests;
