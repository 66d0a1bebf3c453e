//! What would happen to each of the profile's objects: proved from what was read, or asked of the server by dry run.

use std::borrow::Cow;
use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use moorline_api::{ApplyOptions, Error, ErrorKind, Object, ObjectRef};
use moorline_profile::Profile;

use super::alike;
use super::objects::LiveObjects;
use crate::context::Context;
use crate::error::{Conflict, EngineError};
use crate::names;
use crate::observe::Catalog;
use crate::outcome::Cause;
use crate::plan::{DryRun, ObjectPlan, Obstacle, is_proved, plan_object};

/// Planned objects, and what stands in the way.
pub(super) struct PlannedObjects {
    pub(super) plans: Vec<ObjectPlan>,
    pub(super) blocked: Vec<Cause>,
}

/// Plans every object of the profile.
pub(super) async fn plan_objects(
    ctx: &Context,
    profile: &Profile,
    catalog: &Catalog,
    live: &LiveObjects,
) -> Result<PlannedObjects, EngineError> {
    let results = rehearse_all(ctx, live).await;
    let mut planned = PlannedObjects {
        plans: Vec::new(),
        blocked: live.unknown.clone(),
    };
    let mut conflicts: Vec<Conflict> = Vec::new();
    for ((target, object), rehearsed) in live.targets.iter().zip(results) {
        let (found, dry) = rehearsed?;
        match plan_object(&profile.name, target.clone(), object.clone(), found.as_deref(), dry) {
            Ok(plan) => planned.plans.push(plan),
            Err(Obstacle::Conflicts(found)) => conflicts.extend(found),
            Err(Obstacle::Blocked(cause)) => planned.blocked.push(cause),
            Err(Obstacle::Failed(error)) if error.is_not_found() && catalog.find(&target.resource.gvk).is_some() => {
                let hint = Some("add the Namespace to the profile, or create it".to_owned());
                planned.blocked.push(Cause {
                    what: target.to_string(),
                    why: error.message,
                    hint,
                    fatal: true,
                });
            }
            Err(Obstacle::Failed(error)) => return Err(error.into()),
        }
    }
    if conflicts.is_empty() {
        Ok(planned)
    } else {
        Err(EngineError::Conflicts(conflicts))
    }
}

/// An object as it is, and what the server says to its manifest.
type Rehearsed<'a> = Result<(Option<Cow<'a, Object>>, DryRun), Error>;

/// Rehearses every object, in their order; of new ones that are alike only one, unless the server would not take that.
async fn rehearse_all<'a>(ctx: &Context, live: &'a LiveObjects) -> Vec<Rehearsed<'a>> {
    let spokesmen = alike::spokesmen(ctx, live).await;
    let width = ctx.limits.concurrency.max(1);
    let one = |place: usize| async move {
        let (target, object) = &live.targets[place];
        let rehearsed = if live.comes_later(target) {
            Ok((live.get(target).map(Cow::Borrowed), DryRun::Later))
        } else {
            rehearse(ctx, live, target, object).await
        };
        (place, rehearsed)
    };
    let (first, alike): (Vec<usize>, Vec<usize>) = (0..spokesmen.len()).partition(|&place| spokesmen[place] == place);
    let mut results: BTreeMap<usize, Rehearsed> = stream::iter(first).map(one).buffer_unordered(width).collect().await;
    let (taken, others): (Vec<usize>, Vec<usize>) = alike.into_iter().partition(|&place| {
        let answer = results.get(&spokesmen[place]);
        matches!(answer, Some(Ok((None, DryRun::Would { creates: true, .. }))))
    });
    let others: Vec<_> = stream::iter(others).map(one).buffer_unordered(width).collect().await;
    results.extend(others);
    results.extend(taken.into_iter().map(|place| (place, Ok((None, DryRun::Alike)))));
    results.into_values().collect()
}

/// One object as it is, and what the server says to its manifest. The server is not asked where the answer is proved,
/// and an object that it would create need not be looked for.
async fn rehearse<'a>(ctx: &Context, live: &'a LiveObjects, target: &ObjectRef, object: &Object) -> Rehearsed<'a> {
    let known = live.get(target);
    if known.is_some_and(|known| !live.may_be_edited(target) && is_proved(known, object)) {
        return Ok((known.map(Cow::Borrowed), DryRun::Needless));
    }
    let dry = dry_run(ctx, target, object).await;
    let creates = matches!(&dry, Ok(DryRun::Would { creates: true, .. }));
    let found = match known {
        None if live.is_unread(target) && !creates => ctx.cluster.get(target).await?.map(Cow::Owned),
        known => known.map(Cow::Borrowed),
    };
    let dry = match dry {
        Err(error) | Ok(DryRun::Refused(error)) if found.is_none() && live.misses_what_comes(&error) => DryRun::Later,
        dry => dry?,
    };
    Ok((found, dry))
}

/// Asks the server what an apply would do. Fields that only our own other writes own (`scale` writes replicas through
/// another subresource, which counts as another manager) are taken back; anyone else's are a conflict unless forced.
async fn dry_run(ctx: &Context, target: &ObjectRef, object: &Object) -> Result<DryRun, Error> {
    let mut force = ctx.limits.force_conflicts;
    loop {
        match ctx
            .cluster
            .apply(target, object, ApplyOptions { dry_run: true, force })
            .await
        {
            Ok(applied) => {
                return Ok(DryRun::Would {
                    object: Box::new(applied.object),
                    forced: force,
                    creates: applied.created,
                });
            }
            Err(error) => match &error.kind {
                ErrorKind::FieldConflicts(fields)
                    if !force && fields.iter().all(|f| f.manager == names::FIELD_MANAGER) =>
                {
                    force = true;
                }
                ErrorKind::FieldConflicts(_) | ErrorKind::Invalid | ErrorKind::NotFound => {
                    return Ok(DryRun::Refused(error));
                }
                _ => return Err(error),
            },
        }
    }
}
