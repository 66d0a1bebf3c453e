//! StatefulSets: pods with an ordinal each, and claims that outlive them.

mod claims;
mod identity;
mod revisions;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{MANAGER, PODS, REVISIONS, STATEFUL_SETS};
use crate::object::{is_deleting, label, name, namespace, number, text};
use crate::queue::Key;
use crate::workload::adoption::adopt;
use crate::workload::pods::{available_at, controlled, has_ended, is_available, is_healthy, replicas};
use revisions::Revisions;

/// How events name their source.
const COMPONENT: &str = "statefulset-controller";
/// The label that says which revision of the template a pod was made from.
const REVISION: &str = "controller-revision-hash";

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(set) = cluster.get(STATEFUL_SETS, &key.namespace, &key.name) else {
        return Ok(());
    };
    if is_deleting(&set) {
        return Ok(());
    }
    let of_ours = |pod: &Value| identity::ordinal(&set, name(pod)).is_some();
    if adopt(cluster, &set, PODS, of_ours)? | adopt(cluster, &set, REVISIONS, |_| true)? {
        return Ok(());
    }
    let revisions = revisions::current_and_update(cluster, &set)?;
    let mut pass = Pass::new(cluster, key, &set, &revisions);
    let outcome = pass.run();
    // Also after a failure: what was reached is to be seen.
    status::write(cluster, &set, &revisions)?;
    revisions::trim(cluster, &set, &revisions)?;
    outcome
}

/// One look at one set.
struct Pass<'a> {
    cluster: &'a mut Cluster,
    key: &'a Key,
    set: &'a Value,
    revisions: &'a Revisions,
    /// The set's pods by ordinal.
    pods: BTreeMap<u64, Arc<Value>>,
    /// Each pod waits until the one before it is available.
    ordered: bool,
}

/// Whether to go on with the next pod or wait for this one.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Wait,
}

impl<'a> Pass<'a> {
    fn new(cluster: &'a mut Cluster, key: &'a Key, set: &'a Value, revisions: &'a Revisions) -> Self {
        let pods = controlled(cluster, set).into_iter();
        let pods = pods
            .filter_map(|pod| Some((identity::ordinal(set, name(&pod))?, pod)))
            .collect();
        let ordered = text(set, "/spec/podManagementPolicy") != "Parallel";
        Self {
            cluster,
            key,
            set,
            revisions,
            pods,
            ordered,
        }
    }

    fn run(&mut self) -> Outcome {
        let wanted = identity::ordinals(self.set);
        let condemned: Vec<u64> = self
            .pods
            .keys()
            .copied()
            .filter(|ordinal| !wanted.contains(ordinal))
            .collect();
        for &ordinal in &condemned {
            claims::retain_or_release(
                self.cluster,
                self.set,
                ordinal,
                self.pods.get(&ordinal).map(Arc::as_ref),
            )?;
        }
        for ordinal in wanted.clone() {
            if self.fill(ordinal)? == Next::Wait {
                return Ok(());
            }
        }
        for &ordinal in condemned.iter().rev() {
            if self.remove_condemned(ordinal)? == Next::Wait {
                return Ok(());
            }
        }
        if text(self.set, "/spec/updateStrategy/type") == "OnDelete" {
            return Ok(());
        }
        self.roll(&wanted)
    }

    /// Sees to it that the pod of `ordinal` exists, has its claims, and (when ordered) is available.
    fn fill(&mut self, ordinal: u64) -> Result<Next, crate::cluster::ControlError> {
        let Some(pod) = self.pods.get(&ordinal).cloned() else {
            return self.make(ordinal);
        };
        let in_turn = if self.ordered { Next::Wait } else { Next::GoOn };
        if has_ended(&pod) && !is_deleting(&pod) {
            self.cluster.warn(
                self.set,
                "RecreatingFailedPod",
                &format!(
                    "StatefulSet {}/{} is recreating failed Pod {}",
                    namespace(self.set),
                    name(self.set),
                    name(&pod)
                ),
                COMPONENT,
            );
            self.delete(&pod)?;
            return Ok(in_turn);
        }
        if !is_deleting(&pod) && text(&pod, "/status/phase") == "Pending" {
            claims::ensure(self.cluster, self.set, ordinal)?;
        }
        claims::retain_or_release(self.cluster, self.set, ordinal, None)?;
        let seconds = number(self.set, "/spec/minReadySeconds");
        if is_healthy(&pod) && is_available(&pod, seconds, self.cluster.now()) {
            return Ok(Next::GoOn);
        }
        if let Some(moment) = available_at(&pod, seconds).filter(|moment| *moment > self.cluster.now()) {
            self.cluster.wake_at(self.key, moment);
        }
        Ok(in_turn)
    }

    fn make(&mut self, ordinal: u64) -> Result<Next, crate::cluster::ControlError> {
        let revision = self.revisions.of_new_pod(self.set, ordinal);
        let pod = identity::pod(self.set, revision, ordinal);
        let what = format!("create Pod {} in StatefulSet {}", name(&pod), name(self.set));
        let made = claims::ensure(self.cluster, self.set, ordinal)
            .and_then(|()| self.cluster.api.create(PODS, pod, MANAGER).map_err(Into::into));
        match made {
            Ok(_) => {
                self.cluster
                    .event(self.set, "SuccessfulCreate", &format!("{what} successful"), COMPONENT);
                Ok(if self.ordered { Next::Wait } else { Next::GoOn })
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                self.cluster.warn(
                    self.set,
                    "FailedCreate",
                    &format!("{what} failed error: {cause}"),
                    COMPONENT,
                );
                Err(error)
            }
        }
    }

    /// Takes away a pod outside the wanted ordinals; when ordered, one at a time and only while the others are well.
    fn remove_condemned(&mut self, ordinal: u64) -> Result<Next, crate::cluster::ControlError> {
        let Some(pod) = self.pods.get(&ordinal).cloned() else {
            return Ok(Next::GoOn);
        };
        let in_turn = if self.ordered { Next::Wait } else { Next::GoOn };
        if is_deleting(&pod) {
            return Ok(in_turn);
        }
        let sick = self
            .pods
            .iter()
            .find(|(_, pod)| !is_healthy(pod))
            .map(|(ordinal, _)| *ordinal);
        if self.ordered && !is_healthy(&pod) && sick != Some(ordinal) {
            return Ok(Next::Wait);
        }
        self.delete(&pod)?;
        Ok(in_turn)
    }

    /// Replaces pods of an old revision from the highest ordinal down to the partition, one at a time.
    fn roll(&mut self, wanted: &std::ops::Range<u64>) -> Outcome {
        let partition =
            u64::try_from(number(self.set, "/spec/updateStrategy/rollingUpdate/partition")).unwrap_or_default();
        for ordinal in (wanted.start + partition..wanted.end).rev() {
            let Some(pod) = self.pods.get(&ordinal).cloned() else {
                return Ok(());
            };
            if label(&pod, REVISION) != name(&self.revisions.update) {
                return if is_deleting(&pod) { Ok(()) } else { self.delete(&pod) };
            }
            if !is_healthy(&pod) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn delete(&mut self, pod: &Value) -> Outcome {
        self.cluster.delete(PODS, pod)?;
        let what = format!("delete Pod {} in StatefulSet {} successful", name(pod), name(self.set));
        self.cluster.event(self.set, "SuccessfulDelete", &what, COMPONENT);
        Ok(())
    }
}

/// How many pods the set is to have.
fn wanted_replicas(set: &Value) -> u64 {
    replicas(set) as u64
}
