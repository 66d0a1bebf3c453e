//! Deployments: a ReplicaSet for each template, and the change from one to the next.

mod replica_sets;
mod rollout;
mod status;

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{DEPLOYMENTS, REPLICA_SETS};
use crate::object::is_deleting;
use crate::queue::Key;
use crate::workload::adoption::adopt;

const COMPONENT: &str = "deployment-controller";
/// Which template this is, counted from one.
const REVISION: &str = "deployment.kubernetes.io/revision";

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(deployment) = cluster.get(DEPLOYMENTS, &key.namespace, &key.name) else {
        return Ok(());
    };
    if is_deleting(&deployment) {
        return Ok(());
    }
    if adopt(cluster, &deployment, REPLICA_SETS, |_| true)? {
        return Ok(());
    }
    let mut sets = replica_sets::owned(cluster, &deployment);
    let paused = deployment["spec"]["paused"] == true;
    if !paused
        && replica_sets::newest(&deployment, &sets).is_none()
        && !rollout::waits_for_old_pods(cluster, &deployment, &sets)?
    {
        replica_sets::create(cluster, &deployment, &sets)?;
        sets = replica_sets::owned(cluster, &deployment);
    }
    if let Some(newest) = replica_sets::newest(&deployment, &sets) {
        replica_sets::number(cluster, &deployment, newest, &sets)?;
        rollout::step(cluster, &deployment, newest, &sets)?;
    }
    sets = replica_sets::owned(cluster, &deployment);
    status::write(cluster, key, &deployment, &sets)?;
    replica_sets::trim(cluster, &deployment, &sets)
}
