//! Replica sets: as many pods of one template as asked for, no matter which.

use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{MANAGER, PODS, REPLICA_SETS};
use crate::object::{child, entries, is_deleting, labels_match, name, number, text};
use crate::queue::Key;
use crate::workload::adoption::adopt;
use crate::workload::pods::{available_at, controlled, from_template, has_ended, is_available, is_ready, replicas};

const COMPONENT: &str = "replicaset-controller";

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(set) = cluster.get(REPLICA_SETS, &key.namespace, &key.name) else {
        return Ok(());
    };
    if !is_deleting(&set) && adopt(cluster, &set, PODS, |pod| !has_ended(pod))? {
        return Ok(());
    }
    let pods: Vec<_> = controlled(cluster, &set)
        .into_iter()
        .filter(|pod| !has_ended(pod))
        .collect();
    let outcome = if is_deleting(&set) {
        Ok(())
    } else {
        scale(cluster, &set, &pods)
    };
    write_status(cluster, key, &set)?;
    outcome
}

fn scale(cluster: &mut Cluster, set: &Value, pods: &[Arc<Value>]) -> Outcome {
    let mut active: Vec<_> = pods.iter().filter(|pod| !is_deleting(pod)).collect();
    let wanted = replicas(set);
    for _ in active.len()..wanted {
        let mut pod = from_template(set, &set["spec"]["template"]);
        let prefix = format!("{}-", name(set));
        child(&mut pod, "metadata").insert("generateName".to_owned(), prefix.into());
        match cluster.api.create(PODS, pod, MANAGER) {
            Ok(pod) => cluster.event(
                set,
                "SuccessfulCreate",
                &format!("Created pod: {}", name(&pod)),
                COMPONENT,
            ),
            Err(error) => {
                cluster.warn(set, "FailedCreate", &format!("Error creating: {error}"), COMPONENT);
                return Err(error.into());
            }
        }
    }
    // Those that do the least go first; among equals the youngest.
    active.sort_by_key(|pod| {
        let scheduled = !text(pod, "/spec/nodeName").is_empty();
        (
            scheduled,
            text(pod, "/status/phase") == "Running",
            is_ready(pod),
            Reverse(text(pod, "/metadata/creationTimestamp").to_owned()),
        )
    });
    for pod in active.iter().take(active.len().saturating_sub(wanted)) {
        cluster.delete(PODS, pod)?;
        cluster.event(
            set,
            "SuccessfulDelete",
            &format!("Deleted pod: {}", name(pod)),
            COMPONENT,
        );
    }
    Ok(())
}

fn write_status(cluster: &mut Cluster, key: &Key, set: &Value) -> Outcome {
    let now = cluster.now();
    let seconds = number(set, "/spec/minReadySeconds");
    let template = set.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
    let (mut all, mut labelled, mut ready, mut available) = (0, 0, 0, 0);
    for pod in controlled(cluster, set)
        .into_iter()
        .filter(|pod| !has_ended(pod) && !is_deleting(pod))
    {
        all += 1;
        labelled += u64::from(labels_match(template, &pod));
        ready += u64::from(is_ready(&pod));
        available += u64::from(is_available(&pod, seconds, now));
        if let Some(moment) = available_at(&pod, seconds).filter(|moment| *moment > now) {
            cluster.wake_at(key, moment);
        }
    }
    let terminating = controlled(cluster, set)
        .iter()
        .filter(|pod| !has_ended(pod) && is_deleting(pod))
        .count();
    let mut status = json!({
        "replicas": all, "observedGeneration": set["metadata"]["generation"], "terminatingReplicas": terminating,
    });
    for (field, count) in [
        ("fullyLabeledReplicas", labelled),
        ("readyReplicas", ready),
        ("availableReplicas", available),
    ] {
        if count > 0 {
            entries(&mut status).insert(field.to_owned(), count.into());
        }
    }
    cluster.change_status(REPLICA_SETS, set, MANAGER, |live| live["status"] = status)
}
