//! Applying and deleting Kubernetes objects.

use moorline_api::{ApplyOptions, DeleteOptions, Deletion, Error, ErrorKind, ObjectRef, Propagation};
use tokio::time::Instant;

use super::{Halt, Run, Tally, refusal};
use crate::context::Context;
use crate::event::{Change, Stage};
use crate::plan::{ObjectAction, ObjectPlan};

/// Between two looks at something that is going.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(200);

/// `statefulset.apps/home-deployment`, as kubectl names what it did.
pub(crate) fn kubectl_name(target: &ObjectRef) -> String {
    let gvk = &target.resource.gvk;
    let kind = gvk.kind.to_lowercase();
    if gvk.group.is_empty() {
        format!("{kind}/{}", target.name)
    } else {
        format!("{kind}.{}/{}", gvk.group, target.name)
    }
}

impl Run<'_> {
    /// Applies one object as planned.
    pub(crate) async fn apply_object(&self, stage: Stage, plan: &ObjectPlan) -> Result<(), Halt> {
        let what = plan.target.to_string();
        let change = match &plan.action {
            ObjectAction::Unchanged => return Ok(()),
            ObjectAction::Create => Change::Created,
            ObjectAction::Update { .. } => Change::Configured,
            ObjectAction::Replace {
                keeps_dependents, uid, ..
            } => {
                self.gate()?;
                let propagation = if *keeps_dependents {
                    Propagation::Orphan
                } else {
                    Propagation::Background
                };
                let gone = delete_and_wait(self.ctx, &plan.target, uid, propagation, self.deadline).await;
                gone.map_err(|error| Halt::failed(what.clone(), error))?;
                Tally::add(&self.tally.changed);
                Change::Replaced
            }
        };
        self.gate()?;
        let options = ApplyOptions {
            dry_run: false,
            force: plan.force,
        };
        let applied = self
            .ctx
            .cluster
            .apply(&plan.target, &plan.object, options)
            .await
            .map_err(|error| Halt::failed(what, error))?;
        Tally::add(&self.tally.changed);
        self.written.note(&plan.target, &applied.object);
        for warning in applied.warnings {
            self.ctx.notice(format!("{}: {warning}", plan.target));
        }
        self.done(stage, kubectl_name(&plan.target), change, "");
        Ok(())
    }
}

/// How many conflicts a deletion may meet.
const CONFLICTS: u32 = 5;

/// Deletes the object with this UID and waits until it is gone. One that is absent, or was made anew by someone, is success.
pub(crate) async fn delete_and_wait(
    ctx: &Context,
    target: &ObjectRef,
    uid: &str,
    propagation: Propagation,
    deadline: Instant,
) -> Result<(), Error> {
    let options = DeleteOptions {
        uid: Some(uid.to_owned()),
        resource_version: None,
        propagation,
        dry_run: false,
    };
    let mut conflict = None;
    let mut conflicts = 0;
    let mut is_asked = false;
    loop {
        if !is_asked {
            match ctx.cluster.delete(target, &options).await {
                Ok(Deletion::Absent) => return Ok(()),
                Ok(Deletion::Gone | Deletion::Terminating) => {}
                // The object of that UID is gone and another bears its name, or it is a namespace that is still being emptied, or
                // somebody was writing it: the look tells which.
                Err(error) if error.kind == ErrorKind::Stale => conflict = Some(error),
                Err(error) => return Err(error),
            }
            is_asked = true;
        }
        let live = ctx.cluster.get(target).await?;
        let Some(live) = live.filter(|live| live.uid() == Some(uid)) else {
            return Ok(());
        };
        if let Some(error) = conflict.take_if(|_| !live.is_terminating()) {
            conflicts += 1;
            if conflicts == CONFLICTS {
                return Err(error);
            }
            is_asked = false;
        }
        if Instant::now() + LOOK_AGAIN >= deadline {
            let held = live
                .list_at(&["metadata", "finalizers"])
                .iter()
                .filter_map(|f| f.as_str())
                .collect::<Vec<_>>()
                .join(", ");
            let why = if held.is_empty() {
                "it is still terminating".to_owned()
            } else {
                format!("finalizers hold it: {held}")
            };
            return Err(refusal(ErrorKind::InUse, "delete", &target.to_string(), why));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = ctx.stop.cancelled() => return Err(refusal(ErrorKind::InUse, "delete", &target.to_string(), "stopped while it was terminating")),
        }
    }
}
