//! The change from old replica sets to the newest, within `maxSurge` and `maxUnavailable`.

use std::sync::Arc;

use serde_json::Value;

use super::replica_sets::scale;
use crate::cluster::{Cluster, ControlError, Outcome};
use crate::object::{number, text, uid};
use crate::workload::pods::{controlled, has_ended, replicas};

/// Under `Recreate`, scales the old replica sets to nothing first; `true` while pods of them are left.
pub(super) fn waits_for_old_pods(
    cluster: &Cluster,
    deployment: &Value,
    sets: &[Arc<Value>],
) -> Result<bool, ControlError> {
    if text(deployment, "/spec/strategy/type") != "Recreate" {
        return Ok(false);
    }
    for set in sets {
        scale(cluster, deployment, set, 0)?;
    }
    Ok(sets
        .iter()
        .any(|set| controlled(cluster, set).iter().any(|pod| !has_ended(pod))))
}

/// How many pods a new ReplicaSet begins with.
pub(super) fn first_replicas(deployment: &Value, sets: &[Arc<Value>]) -> usize {
    let wanted = replicas(deployment);
    let total: usize = sets.iter().map(|set| replicas(set)).sum();
    (wanted + surge(deployment)).saturating_sub(total).min(wanted)
}

/// How many pods above its size a Deployment may have during a rollout.
pub(super) fn surge(deployment: &Value) -> usize {
    match text(deployment, "/spec/strategy/type") {
        "RollingUpdate" => limits(deployment).0,
        _ => 0,
    }
}

/// How many of a Deployment's pods may be unavailable before it counts as unavailable.
pub(super) fn unavailable(deployment: &Value) -> usize {
    match text(deployment, "/spec/strategy/type") {
        "RollingUpdate" if replicas(deployment) > 0 => limits(deployment).1.min(replicas(deployment)),
        _ => 0,
    }
}

/// Takes the next step towards all pods being of `newest`.
pub(super) fn step(cluster: &Cluster, deployment: &Value, newest: &Value, sets: &[Arc<Value>]) -> Outcome {
    let old: Vec<_> = sets.iter().filter(|set| uid(set) != uid(newest)).collect();
    let wanted = replicas(deployment);
    if deployment["spec"]["paused"] == true && old.iter().any(|set| replicas(set) > 0) {
        return Ok(());
    }
    if text(deployment, "/spec/strategy/type") == "Recreate" {
        return scale(cluster, deployment, newest, wanted);
    }
    let (surge, unavailable) = limits(deployment);
    let total: usize = sets.iter().map(|set| replicas(set)).sum();
    let present = replicas(newest);
    if present > wanted {
        scale(cluster, deployment, newest, wanted)?;
    } else if present < wanted {
        let room = (wanted + surge).saturating_sub(total);
        scale(cluster, deployment, newest, present + room.min(wanted - present))?;
    }
    scale_down_old(cluster, deployment, newest, &old, wanted.saturating_sub(unavailable))
}

/// Takes from the old replica sets what may go while `least` pods stay available; pods that never became available go
/// first, as nobody misses them.
fn scale_down_old(cluster: &Cluster, deployment: &Value, newest: &Value, old: &[&Arc<Value>], least: usize) -> Outcome {
    let available = |set: &Value| usize::try_from(number(set, "/status/availableReplicas")).unwrap_or_default();
    let all: usize = old.iter().map(|set| replicas(set)).sum::<usize>() + replicas(newest);
    let new_unavailable = replicas(newest).saturating_sub(available(newest));
    let mut allowance = all.saturating_sub(least).saturating_sub(new_unavailable);
    let mut left: Vec<usize> = old.iter().map(|set| replicas(set)).collect();
    for (set, left) in old.iter().zip(&mut left) {
        let useless = left.saturating_sub(available(set)).min(allowance);
        *left -= useless;
        allowance -= useless;
    }
    let total_available: usize = old.iter().map(|set| available(set)).sum::<usize>() + available(newest);
    let mut spare = total_available.saturating_sub(least).min(allowance);
    for left in &mut left {
        let taken = (*left).min(spare);
        *left -= taken;
        spare -= taken;
    }
    for (set, left) in old.iter().zip(left) {
        scale(cluster, deployment, set, left)?;
    }
    Ok(())
}

/// `maxSurge`, rounded up, and `maxUnavailable`, rounded down; never both zero.
pub(super) fn limits(deployment: &Value) -> (usize, usize) {
    let wanted = replicas(deployment);
    let share = |key: &str, up: bool| {
        let value = &deployment["spec"]["strategy"]["rollingUpdate"][key];
        if let Some(percent) = value
            .as_str()
            .and_then(|text| text.strip_suffix('%')?.parse::<usize>().ok())
        {
            return if up {
                (wanted * percent).div_ceil(100)
            } else {
                wanted * percent / 100
            };
        }
        value
            .as_u64()
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or_default()
    };
    match (share("maxSurge", true), share("maxUnavailable", false)) {
        (0, 0) => (0, 1),
        both => both,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn percentages_round_so_that_a_rollout_can_move() {
        let deployment = |replicas: u64, surge: Value, unavailable: Value| json!({"spec": {"replicas": replicas, "strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}});
        assert_eq!(limits(&deployment(3, json!("25%"), json!("25%"))), (1, 0));
        assert_eq!(limits(&deployment(10, json!("25%"), json!("25%"))), (3, 2));
        assert_eq!(limits(&deployment(3, json!(0), json!("10%"))), (0, 1));
        assert_eq!(limits(&deployment(3, json!(2), json!(1))), (2, 1));
    }
}
