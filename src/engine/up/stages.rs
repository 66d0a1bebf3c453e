//! The stages of a run, from foundations to readiness.

use std::time::Duration;

use futures::future;
use moorline_api::Propagation;
use tokio_util::sync::CancellationToken;

use crate::apply::{self, Halt, Run, Tally};
use crate::balancers;
use crate::error::{EngineError, Failure};
use crate::event::{Change, Event, Stage};
use crate::fold::claims_of_pod;
use crate::outcome::Cause;
use crate::plan::{ClaimAction, ClaimPlan, MountPlan, ObjectAction, ObjectPlan};
use crate::readiness::{self, Silence};
use crate::tracker::Waited;

/// When an object is applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wave {
    Foundation,
    Object,
    /// What the API server takes only when what it refers to is there.
    Binding,
    Workload,
}

fn wave(plan: &ObjectPlan) -> Wave {
    let kind = &*plan.target.resource.gvk.kind;
    match kind {
        "Namespace" | "CustomResourceDefinition" => Wave::Foundation,
        "Pod"
        | "Deployment"
        | "ReplicaSet"
        | "StatefulSet"
        | "DaemonSet"
        | "Job"
        | "CronJob"
        | "ReplicationController" => Wave::Workload,
        "RoleBinding" | "ClusterRoleBinding" => Wave::Binding,
        _ => Wave::Object,
    }
}

impl Run<'_> {
    /// Foundations, then objects, then volumes beside the workloads that need none, then the workloads that need them.
    pub(super) async fn stages(&self) -> Result<(), EngineError> {
        let seconds = self.ctx.limits.timeout.as_secs();
        let pending = |wanted: Wave| {
            self.plan
                .objects
                .iter()
                .filter(move |plan| wave(plan) == wanted && plan.action != ObjectAction::Unchanged)
                .collect::<Vec<_>>()
        };
        let left = || {
            format!(
                "volumes and workloads are left to do; run up again to go on{}",
                self.failing()
            )
        };
        for (stage, wanted) in [
            (Stage::Foundations, Wave::Foundation),
            (Stage::Objects, Wave::Object),
            (Stage::Objects, Wave::Binding),
        ] {
            apply::verdict(self.apply_all(stage, pending(wanted)).await, seconds, left)?;
            if wanted == Wave::Foundation {
                let halted = self.wait_foundations().await?.err().into_iter().collect();
                apply::verdict(halted, seconds, || {
                    "custom resource definitions are not established yet; run up again to go on".to_owned()
                })?;
            }
        }
        let (halts, removed) = future::join(self.volumes_and_workloads(pending(Wave::Workload)), self.remove()).await;
        apply::verdict(halts.into_iter().chain(removed).collect(), seconds, left)
    }

    fn failing(&self) -> String {
        let failing = self.tracker.failing();
        if failing.is_empty() {
            String::new()
        } else {
            format!(" ({})", failing.join("; "))
        }
    }

    async fn apply_all(&self, stage: Stage, plans: Vec<&ObjectPlan>) -> Vec<Halt> {
        if plans.is_empty() {
            return Vec::new();
        }
        self.ctx.emit(Event::Stage {
            stage,
            total: plans.len(),
        });
        apply::all(
            self.ctx.limits.concurrency,
            plans.into_iter().map(|plan| self.apply_object(stage, plan)),
        )
        .await
    }

    /// Custom resources can be applied only when their definitions are established.
    async fn wait_foundations(&self) -> Result<Result<(), Halt>, EngineError> {
        for plan in
            self.plan.objects.iter().filter(|p| {
                p.target.resource.gvk.kind == "CustomResourceDefinition" && p.action != ObjectAction::Unchanged
            })
        {
            loop {
                let established = self.ctx.cluster.get(&plan.target).await?.is_some_and(|crd| {
                    crd.list_at(&["status", "conditions"])
                        .iter()
                        .any(|c| c["type"] == "Established" && c["status"] == "True")
                });
                if established {
                    break;
                }
                if let Err(halt) = self.gate() {
                    return Ok(Err(halt));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(Ok(()))
    }

    /// Workloads that wait for no planned claim are applied at once; each other one as soon as its own claims are Bound.
    async fn volumes_and_workloads(&self, workloads: Vec<&ObjectPlan>) -> Vec<Halt> {
        let claims: Vec<&ClaimPlan> = self
            .plan
            .claims
            .iter()
            .filter(|c| matches!(c.action, ClaimAction::Create | ClaimAction::Resume { .. }))
            .collect();
        if !claims.is_empty() {
            self.ctx.emit(Event::Stage {
                stage: Stage::Volumes,
                total: claims.len(),
            });
        }
        if !workloads.is_empty() {
            self.ctx.emit(Event::Stage {
                stage: Stage::Workloads,
                total: workloads.len(),
            });
        }
        let provision = apply::all(
            self.ctx.limits.concurrency * 8,
            claims.iter().map(|claim| self.provision(claim)),
        );
        let mounts = apply::all(
            self.ctx.limits.concurrency,
            self.plan.mounts.iter().map(|mount| self.mount_again(mount)),
        );
        let failed = CancellationToken::new();
        let provisioned = async {
            let (mut halts, mounts, returned, cleared) =
                future::join4(provision, mounts, self.take_back(), self.clear_away()).await;
            halts.extend(mounts.into_iter().chain(returned).chain(cleared));
            if !halts.is_empty() {
                failed.cancel();
            }
            halts
        };
        let applied = apply::all(
            self.ctx.limits.concurrency,
            workloads
                .iter()
                .map(|plan| self.apply_when_bound(plan, &claims, &failed)),
        );
        let (mut halts, applied) = future::join(provisioned, applied).await;
        halts.extend(applied);
        halts
    }

    async fn mount_again(&self, mount: &MountPlan) -> Result<(), Halt> {
        self.gate()?;
        let made = self.mountable(&mount.secret, &mount.volume).await;
        made.map_err(|error| Halt::failed(format!("secret {}", mount.secret), error))
    }

    async fn apply_when_bound(
        &self,
        plan: &ObjectPlan,
        claims: &[&ClaimPlan],
        failed: &CancellationToken,
    ) -> Result<(), Halt> {
        let needed: Vec<&ClaimPlan> = claims.iter().filter(|claim| needs(plan, claim)).copied().collect();
        if !needed.is_empty() {
            tokio::select! {
                biased;
                bound = self.wait_bound(&needed) => bound?,
                // The claim's own failure is reported; without it the set would only sit and wait.
                () = failed.cancelled() => return Ok(()),
            }
        }
        self.apply_object(Stage::Workloads, plan).await
    }

    /// Removes what the profile no longer names.
    async fn remove(&self) -> Vec<Halt> {
        let removals = self.plan.removals.iter().map(|removal| async {
            self.gate()?;
            let gone = apply::delete_and_wait(
                self.ctx,
                &removal.target,
                &removal.uid,
                Propagation::Background,
                self.deadline,
            )
            .await;
            gone.map_err(|error| Halt::failed(removal.target.to_string(), error))?;
            Tally::add(&self.tally.changed);
            self.done(
                Stage::Workloads,
                apply::kubectl_name(&removal.target),
                Change::Deleted,
                "no longer in the profile",
            );
            Ok(())
        });
        apply::all(self.ctx.limits.concurrency, removals).await
    }
}

/// Whether a workload's pods mount this claim.
fn needs(workload: &ObjectPlan, claim: &ClaimPlan) -> bool {
    if workload.target.namespace.as_ref() != Some(&claim.namespace) {
        return false;
    }
    if let Some(set) = &claim.set {
        return workload.target.resource.gvk.is("apps", "StatefulSet") && workload.target.name == *set;
    }
    let templates: [&[&str]; 3] = [
        &["spec", "template", "spec"],
        &["spec"],
        &["spec", "jobTemplate", "spec", "template", "spec"],
    ];
    templates
        .iter()
        .filter_map(|path| workload.object.at(path))
        .any(|spec| claims_of_pod(spec).any(|name| name == claim.name))
}

/// Waits until everything is Bound and Ready, telling what is not, and why, whenever that changes.
pub(crate) async fn wait_ready(run: &Run<'_>) -> Result<(), EngineError> {
    run.ctx.emit(Event::Stage {
        stage: Stage::Wait,
        total: 0,
    });
    let balancers = balancers::obtainable(run).await;
    let mut last = readiness::Readiness::default();
    let mut silence = Silence::new();
    let waited = {
        let (last, silence) = (&mut last, &mut silence);
        let ready = run.tracker.until(run.deadline, |snapshot| {
            silence.look(run.profile, snapshot);
            let now = readiness::assess(run.profile, snapshot, balancers);
            if now != *last {
                run.ctx.emit(Event::Waiting {
                    ready: now.ready,
                    total: now.total,
                    causes: now.causes.clone(),
                });
                *last = now.clone();
            }
            let settled = now.is_ready() || !now.fatal().is_empty();
            (settled && run.written.is_seen_in(snapshot)).then_some(now)
        });
        tokio::select! {
            waited = ready => waited,
            never = run.wake() => match never {},
        }
    };
    match waited {
        Waited::Done(now) if now.is_ready() => Ok(()),
        Waited::Done(now) => Err(EngineError::NeverReady(now.fatal())),
        Waited::Stopped => Err(EngineError::Interrupted {
            left: format!(
                "everything is applied; {} of {} are ready; moorline status shows the rest",
                last.ready, last.total
            ),
        }),
        Waited::Lost(error) => Err(EngineError::Failed(vec![Failure {
            what: "waiting until all is bound and ready".to_owned(),
            error,
        }])),
        Waited::TimedOut => {
            let seconds = run.ctx.limits.timeout.as_secs();
            let parts = silence.lasting();
            if !parts.is_empty() {
                return Err(EngineError::Silent { seconds, causes: parts });
            }
            let mut causes = last.causes;
            let failing = run.tracker.failing().into_iter();
            causes.extend(failing.map(|why| Cause {
                what: "the cluster".to_owned(),
                why,
                hint: None,
                fatal: false,
            }));
            Err(EngineError::TimedOut { seconds, causes })
        }
    }
}

#[cfg(test)]
mod tests;
