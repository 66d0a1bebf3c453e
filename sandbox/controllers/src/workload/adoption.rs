//! Taking over what an earlier owner of the same kind left behind, as `kubectl delete --cascade=orphan` does.

use serde_json::{Value, json};

use crate::cluster::{Cluster, ControlError};
use crate::kinds::MANAGER;
use crate::object::{child, controlled_by, is_deleting, list, namespace, selector_matches};

/// Makes `owner` the controller of every object of `resource` that it selects, that has no controller and that `fits`.
/// `true` when there was one: the change wakes the owner again.
pub(super) fn adopt(
    cluster: &Cluster,
    owner: &Value,
    resource: &str,
    fits: impl Fn(&Value) -> bool,
) -> Result<bool, ControlError> {
    let selector = owner.pointer("/spec/selector");
    let orphans: Vec<_> = cluster
        .index
        .orphans(namespace(owner), resource)
        .filter_map(|place| cluster.at(place))
        .collect();
    let mut adopted = false;
    for orphan in orphans {
        if is_deleting(&orphan) || !selector_matches(selector, &orphan) || !fits(&orphan) {
            continue;
        }
        cluster.change(resource, &orphan, MANAGER, |live| {
            let mut owners = list(live, "/metadata/ownerReferences").to_vec();
            owners.push(controlled_by(owner));
            child(live, "metadata").insert("ownerReferences".to_owned(), json!(owners));
        })?;
        adopted = true;
    }
    Ok(adopted)
}
