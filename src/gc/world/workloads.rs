//! What uses claims, or may start something that does.

use moorline_api::Object;
use serde_json::Value;

use super::{ClusterIndex, UseRecord, VolumeNames, World};

/// Keys under which objects of all kinds name a claim.
const CLAIM_KEYS: [&str; 4] = ["claimName", "existingClaim", "persistentVolumeClaimName", "pvcName"];

/// A claim's creation time and others like it, in seconds since 1970; 0 where it is not known.
pub(super) fn seconds(object: &Object) -> i64 {
    object.created().map_or(0, jiff::Timestamp::as_second)
}

impl World {
    /// Takes in an object of any kind; what is known already is replaced.
    pub fn add(&mut self, cluster: ClusterIndex, object: &Object, names_of: &(impl VolumeNames + ?Sized)) {
        let gvk = object.gvk();
        match (&*gvk.group, &*gvk.kind) {
            ("", "PersistentVolume") => self.add_persistent_volume(cluster, object, names_of),
            ("", "PersistentVolumeClaim") => self.add_claim(cluster, object),
            ("", "Pod") => self.add_pod(cluster, object),
            ("storage.k8s.io", "VolumeAttachment") => self.add_attachment(cluster, object, names_of),
            ("snapshot.storage.k8s.io", "VolumeSnapshot") => self.add_snapshot(cluster, object),
            _ => self.add_workload(cluster, object),
        }
    }

    fn add_pod(&mut self, cluster: ClusterIndex, pod: &Object) {
        // A finished pod uses nothing, but it still names the claim.
        let finished = matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"));
        let namespace = pod.namespace().unwrap_or_default();
        for volume in pod.list_at(&["spec", "volumes"]) {
            if let Some(claim) = volume
                .pointer("/persistentVolumeClaim/claimName")
                .and_then(Value::as_str)
            {
                self.add_use(cluster, namespace, claim, pod, !finished);
            }
            if let (Some(_), Some(name)) = (volume.get("ephemeral"), volume.get("name").and_then(Value::as_str)) {
                self.add_use(cluster, namespace, &format!("{}-{name}", pod.name()), pod, !finished);
            }
        }
    }

    fn add_workload(&mut self, cluster: ClusterIndex, workload: &Object) {
        let has_templates = !workload.list_at(&["spec", "volumeClaimTemplates"]).is_empty();
        if has_templates || workload.gvk().is("apps", "StatefulSet") {
            self.add_set(cluster, workload);
        }
        let namespace = workload.namespace().unwrap_or_default();
        let now = may_start_pods(workload);
        let mut claims = Vec::new();
        if let Some(spec) = workload.at(&["spec"]) {
            claims_in(spec, &mut claims);
        }
        for claim in claims {
            self.add_use(cluster, namespace, claim, workload, now);
        }
    }

    pub(super) fn add_use(&mut self, cluster: ClusterIndex, namespace: &str, claim: &str, user: &Object, now: bool) {
        let key = (self.names.add(namespace), self.names.add(claim));
        let record = UseRecord {
            kind: self.names.add(user.str_at(&["kind"]).unwrap_or("object")),
            name: self.names.add(user.name()),
            now,
        };
        let world = &mut self.clusters[usize::from(cluster.0)];
        let known = world.uses.entry(key).or_insert(record);
        if now {
            *known = record;
        }
    }
}

/// Whether a workload may start a pod at any moment, as it stands; in doubt it may.
fn may_start_pods(workload: &Object) -> bool {
    let gvk = workload.gvk();
    match (&*gvk.group, &*gvk.kind) {
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet") | ("", "ReplicationController") => {
            workload.i64_at(&["spec", "replicas"]) != Some(0)
        }
        ("batch", "Job") => {
            let conditions = workload.list_at(&["status", "conditions"]).iter();
            let is = |condition: &Value, key: &str, wanted: &[&str]| {
                condition
                    .get(key)
                    .and_then(Value::as_str)
                    .is_some_and(|value| wanted.contains(&value))
            };
            let mut over = conditions.filter(|c| is(c, "type", &["Complete", "Failed"]) && is(c, "status", &["True"]));
            over.next().is_none() && !suspended(workload)
        }
        ("batch", "CronJob") => !suspended(workload),
        _ => true,
    }
}

fn suspended(workload: &Object) -> bool {
    workload.at(&["spec", "suspend"]).and_then(Value::as_bool) == Some(true)
}

/// Every claim that is named anywhere below.
fn claims_in<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(claim) if CLAIM_KEYS.contains(&key.as_str()) && !claim.is_empty() => {
                        found.push(claim);
                    }
                    below => claims_in(below, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| claims_in(item, found)),
        _ => {}
    }
}
