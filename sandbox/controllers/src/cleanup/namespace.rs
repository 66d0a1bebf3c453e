//! A deleted namespace goes when it is empty.

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
    let contents = cluster.index.contents(&key.name);
    let mut held = 0;
    for place in &contents {
        let Some(object) = cluster.at(place) else { continue };
        if !is_deleting(&object) {
            cluster.delete(&place.resource, &object)?;
        }
        held += usize::from(cluster.at(place).is_some());
    }
    if held > 0 {
        return report(cluster, &namespace, held);
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

/// Says what the namespace still waits for; the end of each object wakes it again.
fn report(cluster: &Cluster, namespace: &Value, held: usize) -> Outcome {
    let now = cluster.now();
    cluster.change_status(NAMESPACES, namespace, MANAGER, |live| {
        set_condition(
            live,
            json!({
                "type": "NamespaceContentRemaining", "status": "True", "reason": "SomeResourcesRemain",
                "message": format!("Some resources are remaining: {held} objects"),
            }),
            now,
        );
    })
}
