//! `down`: everything in reverse. It deletes only what the profile made, each thing by the UID it was planned with, and
//! reads again before it says that something is gone.

mod claims;
mod evidence;
mod interrupted;
mod plan;
mod reclaim;

use std::collections::BTreeSet;
use std::time::Duration;

use moorline_api::{Error, ErrorKind, Object, ObjectRef, Propagation, ResourceKind, Swept};
use moorline_profile::Profile;
use serde_json::Value;
use tokio::time::Instant;

use crate::apply::{self, kubectl_name};
use crate::balancers;
use crate::context::Context;
use crate::error::EngineError;
use crate::event::{Change, Event, Stage};
use crate::mounts;
use crate::observe::{self, Catalog, Site};
use crate::outcome::{DownOutcome, Fate};
use crate::plan::{BalancerRemoval, DownPlan, Removal};

pub(crate) use claims::{removals_of, unfinished};
pub(crate) use interrupted::interrupted;
pub(crate) use plan::not_ours;
pub use plan::plan_down;
pub(crate) use reclaim::release;

/// Between two looks at load balancers; their listing costs a call for each kind and batch of tags.
const BALANCER_LOOK: Duration = Duration::from_millis(500);

/// When an object goes, the first ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    /// Pods and what makes them, and Services: their load balancers must be gone before anything they stand on.
    Workload,
    /// Everything else.
    Object,
    /// Namespaces and custom resource definitions, which take all they hold with them.
    Foundation,
}

pub(crate) fn turn(target: &ObjectRef) -> Turn {
    match &*target.resource.gvk.kind {
        "Pod"
        | "Deployment"
        | "ReplicaSet"
        | "StatefulSet"
        | "DaemonSet"
        | "Job"
        | "CronJob"
        | "ReplicationController"
        | "Service"
        | "Ingress" => Turn::Workload,
        "Namespace" | "CustomResourceDefinition" => Turn::Foundation,
        _ => Turn::Object,
    }
}

fn runs_pods(workload: &ObjectRef) -> bool {
    !["Service", "Ingress"].contains(&&*workload.resource.gvk.kind)
}

/// Carries out a plan of [`plan_down`]. What could not be proved gone is in `remaining`; running again goes on with it.
pub async fn execute_down(ctx: &Context, profile: &Profile, plan: DownPlan) -> Result<DownOutcome, EngineError> {
    let site = observe::site(ctx, profile).await?;
    let deadline = Instant::now() + ctx.limits.timeout;
    let mut outcome = DownOutcome {
        kept: plan.keeps.clone(),
        notices: plan.notices.clone(),
        ..DownOutcome::default()
    };
    let stopped = |left: &str| EngineError::Interrupted {
        left: format!("{left}; run down again to go on"),
    };
    // Whoever honours a reclaim policy must not act on a volume that is to be kept or snapshotted first.
    reclaim::pin(ctx, &plan.claims).await?;

    ctx.emit(Event::Stage {
        stage: Stage::Teardown,
        total: plan.objects.len(),
    });
    let stuck = delete_turn(ctx, &plan, Turn::Workload, deadline, &mut outcome).await;
    if ctx.stop.is_cancelled() {
        return Err(stopped("some workloads are deleted; claims and volumes are untouched"));
    }
    let balancers = wait_balancers(ctx, &plan.load_balancers, &stuck, deadline);
    if let Some(workload) = stuck.iter().find(|target| runs_pods(target)) {
        merge(&mut outcome, balancers.await);
        outcome.remaining.extend(untouched(&plan, workload));
        return Ok(sorted(outcome));
    }
    let (balancers, reclaimed) = futures::future::join(balancers, async {
        ctx.emit(Event::Stage {
            stage: Stage::Reclaim,
            total: plan.claims.len(),
        });
        reclaim::all(ctx, &site, &plan.claims, deadline).await
    })
    .await;
    merge(&mut outcome, balancers);
    merge(&mut outcome, reclaimed);
    if ctx.stop.is_cancelled() {
        return Err(stopped(
            "workloads are deleted; some claims, volumes or load balancers are left",
        ));
    }
    merge(&mut outcome, mounts::remove(ctx, &plan.secrets, deadline).await);
    merge(&mut outcome, upkeep(ctx, profile, &site).await);
    delete_turn(ctx, &plan, Turn::Object, deadline, &mut outcome).await;
    delete_foundations(ctx, &plan, deadline, &mut outcome).await;
    if ctx.stop.is_cancelled() {
        return Err(stopped("volumes are done; some objects are left"));
    }
    Ok(sorted(outcome))
}

fn sorted(mut outcome: DownOutcome) -> DownOutcome {
    outcome.gone.sort();
    outcome.kept.sort();
    outcome.remaining.sort();
    outcome
}

/// What stays because a workload does: its pods may use any of it, and a claim that is deleted under a pod would go with its data at the
/// pod's next restart.
fn untouched(plan: &DownPlan, workload: &ObjectRef) -> impl Iterator<Item = Fate> {
    let claims = plan
        .claims
        .iter()
        .map(|removal| match (&removal.claim, &removal.volume) {
            (None, Some(id)) => format!("volume {id} of claim {}", removal.claim_name),
            _ => format!("persistentvolumeclaims {}", removal.claim_name),
        });
    let objects = plan.secrets.iter().chain(&plan.objects);
    let objects = objects.filter(|removal| turn(&removal.target) != Turn::Workload);
    let why = format!("{workload} is still there, and may use it");
    claims
        .chain(objects.map(|removal| removal.target.to_string()))
        .map(move |what| Fate { what, why: why.clone() })
}

/// Clears away what held the volumes, where the cloud has such things and nothing else is in them.
async fn upkeep(ctx: &Context, profile: &Profile, site: &Site) -> DownOutcome {
    let mut outcome = DownOutcome::default();
    if site.account.is_none() || !observe::has_claims(profile) {
        return outcome;
    }
    match ctx.cloud.upkeep.sweep(&site.cluster.uid, &profile.name).await {
        Ok(swept) => {
            for Swept { what, gone, why } in swept {
                let fates = if gone { &mut outcome.gone } else { &mut outcome.kept };
                fates.push(Fate { what, why });
            }
        }
        Err(error) => outcome.remaining.push(Fate {
            what: "what held the volumes".to_owned(),
            why: error.to_string(),
        }),
    }
    outcome
}

fn merge(outcome: &mut DownOutcome, other: DownOutcome) {
    outcome.gone.extend(other.gone);
    outcome.kept.extend(other.kept);
    outcome.remaining.extend(other.remaining);
    outcome.notices.extend(other.notices);
}

/// Deletes the objects of one turn at once, and waits until each is gone with what depends on it. Those that are still there.
async fn delete_turn<'plan>(
    ctx: &Context,
    plan: &'plan DownPlan,
    wanted: Turn,
    deadline: Instant,
    outcome: &mut DownOutcome,
) -> BTreeSet<&'plan ObjectRef> {
    let mut stuck = BTreeSet::new();
    let removals: Vec<&Removal> = plan
        .objects
        .iter()
        .filter(|removal| turn(&removal.target) == wanted)
        .collect();
    let work = removals
        .iter()
        .map(|removal| async { (*removal, delete(ctx, removal, deadline).await) });
    for (removal, result) in futures::future::join_all(work).await {
        let what = removal.target.to_string();
        match result {
            Ok(()) => outcome.gone.push(Fate {
                what,
                why: "no longer in the cluster".to_owned(),
            }),
            Err(error) => {
                stuck.insert(&removal.target);
                outcome.remaining.push(Fate {
                    what,
                    why: error.to_string(),
                });
            }
        }
    }
    stuck
}

async fn delete(ctx: &Context, removal: &Removal, deadline: Instant) -> Result<(), Error> {
    if ctx.stop.is_cancelled() {
        return Err(apply::refusal(
            moorline_api::ErrorKind::InUse,
            "delete",
            &removal.target.to_string(),
            "stopped before it was begun",
        ));
    }
    // In the foreground, so that a set counts as gone only when its pods are.
    apply::delete_and_wait(ctx, &removal.target, &removal.uid, Propagation::Foreground, deadline).await?;
    ctx.emit(Event::Done {
        stage: Stage::Teardown,
        what: kubectl_name(&removal.target),
        change: Change::Deleted,
        detail: String::new(),
    });
    Ok(())
}

/// Waits until the cloud no longer lists these load balancers. Those whose Services are still there stay with them.
async fn wait_balancers(
    ctx: &Context,
    balancers: &[BalancerRemoval],
    stuck: &BTreeSet<&ObjectRef>,
    deadline: Instant,
) -> DownOutcome {
    let mut outcome = DownOutcome::default();
    let (staying, going): (Vec<_>, Vec<_>) = balancers.iter().partition(|balancer| stuck.contains(&balancer.service));
    outcome.remaining.extend(
        staying
            .iter()
            .map(|balancer| balancer_fate(&balancer.name, &format!("{} is still there", balancer.service))),
    );
    let mut waiting: Vec<&String> = going.iter().map(|balancer| &balancer.name).collect();
    while !waiting.is_empty() {
        let listing = balancers::list(ctx).await;
        if let Some(error) = listing.failed {
            let why = format!("its state is unknown: {error}");
            outcome
                .remaining
                .extend(waiting.into_iter().map(|name| balancer_fate(name, &why)));
            return outcome;
        }
        let (left, gone): (Vec<&String>, Vec<&String>) = waiting
            .iter()
            .copied()
            .partition(|name| listing.balancers.iter().any(|b| b.name == **name));
        for name in gone {
            ctx.emit(Event::Done {
                stage: Stage::Teardown,
                what: format!("load balancer/{name}"),
                change: Change::Deleted,
                detail: String::new(),
            });
            outcome.gone.push(balancer_fate(name, "no longer listed by the cloud"));
        }
        waiting = left;
        if waiting.is_empty() {
            break;
        }
        if Instant::now() + BALANCER_LOOK >= deadline || ctx.stop.is_cancelled() {
            let why = "still listed by the cloud";
            outcome
                .remaining
                .extend(waiting.into_iter().map(|name| balancer_fate(name, why)));
            return outcome;
        }
        tokio::select! {
            () = tokio::time::sleep(BALANCER_LOOK) => {}
            () = ctx.stop.cancelled() => {}
        }
    }
    outcome
}

fn balancer_fate(name: &str, why: &str) -> Fate {
    Fate {
        what: format!("load balancer {name}"),
        why: why.to_owned(),
    }
}

/// Namespaces and definitions go last and only when nothing that is not ours would go with them.
async fn delete_foundations(ctx: &Context, plan: &DownPlan, deadline: Instant, outcome: &mut DownOutcome) {
    for removal in plan
        .objects
        .iter()
        .filter(|removal| turn(&removal.target) == Turn::Foundation)
    {
        let what = removal.target.to_string();
        match inhabitants(ctx, &removal.target).await {
            Ok(found) if found.is_empty() => match delete(ctx, removal, deadline).await {
                Ok(()) => outcome.gone.push(Fate {
                    what,
                    why: "no longer in the cluster".to_owned(),
                }),
                Err(error) => outcome.remaining.push(Fate {
                    what,
                    why: error.to_string(),
                }),
            },
            Ok(found) => outcome.kept.push(Fate {
                what,
                why: format!("it still holds {}", found.join(", ")),
            }),
            Err(error) => outcome.remaining.push(Fate {
                what,
                why: format!("what it holds could not be read: {error}"),
            }),
        }
    }
}

/// What would go with a namespace or a definition; at most a few of each kind are named.
async fn inhabitants(ctx: &Context, target: &ObjectRef) -> Result<Vec<String>, Error> {
    let kinds: Vec<ResourceKind> = if target.resource.gvk.kind == "Namespace" {
        let catalog = Catalog::read(ctx).await?;
        if !catalog.unanswered().is_empty() {
            let groups = catalog.unanswered().join(", ");
            let message = format!("{groups} does not answer; see kubectl get apiservices, and run again when it does");
            return Err(Error::new(ErrorKind::Unreachable, "discover", "API groups", message));
        }
        catalog
            .listable()
            .filter(|kind| kind.namespaced && is_lasting(kind) && !comes_by_itself(kind))
            .cloned()
            .collect()
    } else {
        let Some(crd) = ctx.cluster.get(target).await? else {
            return Ok(Vec::new());
        };
        served_by(&crd).into_iter().collect()
    };
    let mut found = Vec::new();
    for kind in kinds {
        let mut query = moorline_api::ListQuery::everywhere(kind.clone());
        if target.resource.gvk.kind == "Namespace" {
            query.namespace = Some(target.name.clone());
        }
        let (objects, _) = observe::list(ctx, query, |object| {
            (!is_furniture(&object)).then(|| object.name().to_owned())
        })
        .await?;
        found.extend(
            objects
                .iter()
                .take(3)
                .map(|name| format!("{} {name}", kind.qualified())),
        );
    }
    Ok(found)
}

/// Kinds whose objects somebody keeps. Those that cannot be deleted (`PodMetrics`) are measured, not kept.
fn is_lasting(kind: &ResourceKind) -> bool {
    kind.verbs.iter().any(|verb| verb == "delete")
}

/// Kinds that controllers fill by themselves.
fn comes_by_itself(kind: &ResourceKind) -> bool {
    ["Event", "Endpoints", "EndpointSlice", "ControllerRevision", "Lease"].contains(&&*kind.gvk.kind)
}

/// What every namespace has from its first moment.
fn is_furniture(object: &Object) -> bool {
    let gvk = object.gvk();
    (gvk.is("", "ServiceAccount") && object.name() == "default")
        || (gvk.is("", "ConfigMap") && object.name() == "kube-root-ca.crt")
}

fn served_by(crd: &Object) -> Option<ResourceKind> {
    let version = crd
        .list_at(&["spec", "versions"])
        .iter()
        .find(|v| v["served"] == Value::Bool(true))?
        .get("name")?
        .as_str()?;
    let gvk = moorline_api::Gvk {
        group: crd.str_at(&["spec", "group"])?.to_owned(),
        version: version.to_owned(),
        kind: crd.str_at(&["spec", "names", "kind"])?.to_owned(),
    };
    let plural = crd.str_at(&["spec", "names", "plural"])?.to_owned();
    Some(ResourceKind {
        gvk,
        plural,
        namespaced: crd.str_at(&["spec", "scope"]) == Some("Namespaced"),
        verbs: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
