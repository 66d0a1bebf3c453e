//! The garbage collector: dependents whose owners are gone, and owners that wait for their dependents.

use moorline_sandbox_kubernetes::{DeleteOptions, Propagation};
use serde_json::Value;

use crate::cluster::{Cluster, Outcome};
use crate::kinds::MANAGER;
use crate::object::{has_finalizer, is_deleting, list, remove_finalizer, text, uid};
use crate::queue::Place;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

pub(crate) fn reconcile(cluster: &mut Cluster, place: &Place) -> Outcome {
    let Some(object) = cluster.at(place) else { return Ok(()) };
    if is_deleting(&object) {
        if has_finalizer(&object, ORPHAN) {
            return orphan_dependents(cluster, place, &object);
        }
        if has_finalizer(&object, FOREGROUND) {
            return wait_for_dependents(cluster, place, &object);
        }
        return Ok(());
    }
    collect(cluster, place, &object)
}

/// Deletes an object all of whose owners are gone or wait for it; otherwise drops the references to those.
fn collect(cluster: &Cluster, place: &Place, object: &Value) -> Outcome {
    let owners = list(object, "/metadata/ownerReferences");
    let (mut waiting, mut dangling) = (0, 0);
    let mut solid = Vec::new();
    for owner in owners {
        match cluster
            .index
            .place(text(owner, "/uid"))
            .and_then(|place| cluster.at(place))
        {
            None => dangling += 1,
            Some(owner) if is_deleting(&owner) && has_finalizer(&owner, FOREGROUND) => waiting += 1,
            Some(_) => solid.push(text(owner, "/uid")),
        }
    }
    if !solid.is_empty() {
        if waiting + dangling == 0 {
            return Ok(());
        }
        return cluster.change(&place.resource, object, MANAGER, |live| {
            retain_owners(live, |owner| solid.contains(&text(owner, "/uid")));
        });
    }
    if waiting + dangling == 0 {
        return Ok(());
    }
    let foreground = waiting > 0 && cluster.index.has_dependents(uid(object));
    let propagation = if foreground {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    cluster.delete_with(
        &place.resource,
        object,
        DeleteOptions {
            propagation: Some(propagation),
            ..DeleteOptions::default()
        },
    )
}

/// Cuts the dependents loose, then lets the owner go.
fn orphan_dependents(cluster: &Cluster, place: &Place, owner: &Value) -> Outcome {
    for dependent in cluster.index.owned(uid(owner)) {
        if let Some(dependent_object) = cluster.at(&dependent) {
            cluster.change(&dependent.resource, &dependent_object, MANAGER, |live| {
                retain_owners(live, |reference| text(reference, "/uid") != uid(owner));
            })?;
        }
    }
    cluster.change(&place.resource, owner, MANAGER, |live| remove_finalizer(live, ORPHAN))
}

/// Has the dependents deleted; lets the owner go when none that blocks it is left.
fn wait_for_dependents(cluster: &mut Cluster, place: &Place, owner: &Value) -> Outcome {
    let mut blocked = false;
    for dependent in cluster.index.owned(uid(owner)) {
        let Some(object) = cluster.at(&dependent) else { continue };
        let references = list(&object, "/metadata/ownerReferences").iter();
        blocked |= references
            .into_iter()
            .any(|reference| text(reference, "/uid") == uid(owner) && reference["blockOwnerDeletion"] == true);
        if !is_deleting(&object) {
            cluster.queue.push(crate::queue::Item::Collect(dependent));
        }
    }
    if blocked {
        return Ok(());
    }
    cluster.change(&place.resource, owner, MANAGER, |live| {
        remove_finalizer(live, FOREGROUND);
    })
}

fn retain_owners(object: &mut Value, keep: impl Fn(&Value) -> bool) {
    if let Some(owners) = object
        .pointer_mut("/metadata/ownerReferences")
        .and_then(Value::as_array_mut)
    {
        owners.retain(keep);
    }
}
