//! A deleted namespace goes when it is empty.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Outcome};
use crate::kinds::{MANAGER, NAMESPACES};
use crate::object::{is_deleting, list, set_condition};
use crate::queue::Key;

pub(crate) fn reconcile(cluster: &mut Cluster, key: &Key) -> Outcome {
    let Some(namespace) = cluster.get(NAMESPACES, "", &key.name) else {
        return Ok(());
    };
    if !is_deleting(&namespace) {
        return Ok(());
    }
    let mut left = Remains::default();
    for place in &cluster.index.contents(&key.name) {
        let Some(object) = cluster.at(place) else { continue };
        if !is_deleting(&object) {
            cluster.delete(&place.resource, &object)?;
        }
        if let Some(object) = cluster.at(place) {
            left.add(&place.resource, &object);
        }
    }
    report(cluster, &namespace, &left)?;
    if !left.kinds.is_empty() {
        return Ok(());
    }
    cluster
        .api
        .modify(NAMESPACES, None, &key.name, Some("finalize"), MANAGER, |live| {
            let left: Vec<Value> = list(live, "/spec/finalizers")
                .iter()
                .filter(|one| *one != "kubernetes")
                .cloned()
                .collect();
            live["spec"]["finalizers"] = json!(left);
        })?;
    Ok(())
}

/// What a namespace still holds: how many of each kind, and behind how many each finalizer.
#[derive(Default)]
struct Remains {
    kinds: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
}

impl Remains {
    fn add(&mut self, resource: &str, object: &Value) {
        // As the namespace controller writes it: with a dot even where the group has no name.
        let dot = if resource.contains('.') { "" } else { "." };
        *self.kinds.entry(format!("{resource}{dot}")).or_default() += 1;
        for finalizer in list(object, "/metadata/finalizers").iter().filter_map(Value::as_str) {
            *self.finalizers.entry(finalizer.to_owned()).or_default() += 1;
        }
    }

    /// Type, status, reason and message of each condition.
    fn conditions(&self) -> [(&'static str, bool, &'static str, String); 5] {
        let listed = |counts: &BTreeMap<String, usize>, between: &str| {
            let parts = counts.iter();
            let parts = parts.map(|(what, count)| format!("{what} {between} {count} resource instances"));
            parts.collect::<Vec<_>>().join(", ")
        };
        let content = if self.kinds.is_empty() {
            let message = "All content successfully removed".to_owned();
            ("NamespaceContentRemaining", false, "ContentRemoved", message)
        } else {
            let message = format!("Some resources are remaining: {}", listed(&self.kinds, "has"));
            ("NamespaceContentRemaining", true, "SomeResourcesRemain", message)
        };
        let finalizers = if self.finalizers.is_empty() {
            let message = "All content-preserving finalizers finished".to_owned();
            ("NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers", message)
        } else {
            let held = listed(&self.finalizers, "in");
            let message = format!("Some content in the namespace has finalizers remaining: {held}");
            ("NamespaceFinalizersRemaining", true, "SomeFinalizersRemain", message)
        };
        [
            (
                "NamespaceDeletionDiscoveryFailure",
                false,
                "ResourcesDiscovered",
                "All resources successfully discovered".to_owned(),
            ),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                false,
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed".to_owned(),
            ),
            (
                "NamespaceDeletionContentFailure",
                false,
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization".to_owned(),
            ),
            content,
            finalizers,
        ]
    }
}

/// Says what the namespace still waits for; the end of each object wakes it again.
fn report(cluster: &Cluster, namespace: &Value, left: &Remains) -> Outcome {
    let now = cluster.now();
    cluster.change_status(NAMESPACES, namespace, MANAGER, |live| {
        for (name, holds, reason, message) in left.conditions() {
            let status = if holds { "True" } else { "False" };
            set_condition(
                live,
                json!({"type": name, "status": status, "reason": reason, "message": message}),
                now,
            );
        }
    })
}
