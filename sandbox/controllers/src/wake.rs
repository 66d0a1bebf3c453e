//! Which controllers look again when an object changes.

use moorline_sandbox_kubernetes::{Change, ChangeKind};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::index::claims_of;
use crate::kinds::{
    ATTACHMENTS, CLAIMS, CLASSES, DEPLOYMENTS, EVENTS, NAMESPACES, NODES, PODS, REPLICA_SETS, SERVICES, STATEFUL_SETS,
    VOLUMES,
};
use crate::network::endpoints::is_selected;
use crate::object::{controller, is_deleting, list, name, namespace, text, uid};
use crate::queue::{Item, Place, Work};

/// Takes a change into the index and wakes whoever it concerns.
pub(crate) fn apply(cluster: &mut Cluster, change: &Change) {
    let place = Place {
        resource: change.resource.clone(),
        namespace: change.namespace.clone().unwrap_or_default(),
        name: change.name.clone(),
    };
    if let Some(old) = &change.old {
        cluster.index.forget(&place, old);
        wake(cluster, &place, old, change.kind);
    }
    if change.kind == ChangeKind::Deleted {
        cluster.waits.forget(uid(&change.object));
        cluster.usage.forget(uid(&change.object));
        collect_after(cluster, &change.object);
    } else {
        cluster.index.learn(&place, &change.object);
    }
    wake(cluster, &place, &change.object, change.kind);
    let ownership = |object: &Value| !list(object, "/metadata/ownerReferences").is_empty() || is_deleting(object);
    if change.kind != ChangeKind::Deleted
        && ownership(&change.object)
        && change
            .old
            .as_deref()
            .is_none_or(|old| concerns_collector(old, &change.object))
    {
        cluster.queue.push(Item::Collect(place));
    }
}

/// Takes an object that was there before anyone listened.
pub(crate) fn learn(cluster: &mut Cluster, place: Place, object: &Value) {
    // The index first: whoever is woken looks there.
    cluster.index.learn(&place, object);
    wake(cluster, &place, object, ChangeKind::Added);
    collect(cluster, place, object);
}

/// The same for one that nobody but the collector has to look at.
pub(crate) fn learn_settled(cluster: &mut Cluster, place: Place, object: &Value) {
    cluster.index.learn(&place, object);
    collect(cluster, place, object);
}

fn collect(cluster: &mut Cluster, place: Place, object: &Value) {
    if !list(object, "/metadata/ownerReferences").is_empty() || is_deleting(object) {
        cluster.queue.push(Item::Collect(place));
    }
}

fn concerns_collector(old: &Value, new: &Value) -> bool {
    let metadata = |object: &Value, key: &str| object["metadata"].get(key).cloned();
    ["ownerReferences", "finalizers", "deletionTimestamp"]
        .iter()
        .any(|key| metadata(old, key) != metadata(new, key))
}

/// An owner is gone: its dependents may be too, and those who waited for it may go.
fn collect_after(cluster: &mut Cluster, gone: &Value) {
    for dependent in cluster.index.owned(uid(gone)) {
        cluster.queue.push(Item::Collect(dependent));
    }
    for owner in list(gone, "/metadata/ownerReferences") {
        if let Some(place) = cluster.index.place(text(owner, "/uid")).cloned() {
            cluster.queue.push(Item::Collect(place));
        }
    }
    let namespace = namespace(gone);
    if !namespace.is_empty()
        && cluster
            .get(NAMESPACES, "", namespace)
            .is_some_and(|namespace| is_deleting(&namespace))
    {
        cluster.wake(Work::Namespace, "", namespace);
    }
}

fn wake(cluster: &mut Cluster, place: &Place, object: &Value, kind: ChangeKind) {
    let (namespace, name) = (place.namespace.as_str(), place.name.as_str());
    match &*place.resource {
        PODS => wake_for_pod(cluster, object, kind),
        CLAIMS => look_at_claim(cluster, place),
        VOLUMES => wake_for_volume(cluster, object, kind),
        ATTACHMENTS => {
            cluster.wake(Work::Attachment, "", name);
            let volume = text(object, "/spec/source/persistentVolumeName").to_owned();
            cluster.wake(Work::Reclaim, "", &volume);
            if let Some(volume) = cluster.get(VOLUMES, "", &volume) {
                wake_pods_of(
                    cluster,
                    text(&volume, "/spec/claimRef/namespace"),
                    text(&volume, "/spec/claimRef/name"),
                );
            }
        }
        CLASSES if kind == ChangeKind::Added => wake_unscheduled(cluster),
        NODES => wake_unscheduled(cluster),
        STATEFUL_SETS => cluster.wake(Work::StatefulSet, namespace, name),
        DEPLOYMENTS => cluster.wake(Work::Deployment, namespace, name),
        REPLICA_SETS => {
            cluster.wake(Work::ReplicaSet, namespace, name);
            wake_owner(cluster, object);
        }
        SERVICES => {
            cluster.wake(Work::Balancer, namespace, name);
            cluster.wake(Work::Endpoints, namespace, name);
        }
        NAMESPACES => cluster.wake(Work::Namespace, "", name),
        // Events cause nothing; what remains is the collector's.
        EVENTS => {}
        _ => wake_owner(cluster, object),
    }
}

/// Wakes everyone whom a claim concerns.
pub(crate) fn look_at_claim(cluster: &mut Cluster, Place { namespace, name, .. }: &Place) {
    for work in [Work::Claim, Work::Provision, Work::ClaimProtection] {
        cluster.wake(work, namespace, name);
    }
    for volume in cluster.index.volumes_of_claim(namespace, name) {
        cluster.wake(Work::Volume, "", &volume);
    }
    wake_pods_of(cluster, namespace, name);
}

fn wake_owner(cluster: &mut Cluster, object: &Value) {
    let Some(owner) = controller(object) else { return };
    let work = match text(owner, "/kind") {
        "StatefulSet" => Work::StatefulSet,
        "ReplicaSet" => Work::ReplicaSet,
        "Deployment" => Work::Deployment,
        _ => return,
    };
    cluster.wake(work, namespace(object), text(owner, "/name"));
}

fn wake_for_pod(cluster: &mut Cluster, pod: &Value, kind: ChangeKind) {
    let namespace = namespace(pod);
    if kind != ChangeKind::Deleted {
        cluster.wake(Work::Pod, namespace, name(pod));
    }
    wake_owner(cluster, pod);
    for claim in claims_of(pod) {
        if kind == ChangeKind::Deleted {
            cluster.wake(Work::ClaimProtection, namespace, claim);
            let Some(found) = cluster.get(CLAIMS, namespace, claim) else {
                continue;
            };
            for attachment in cluster.index.attachments(text(&found, "/spec/volumeName")) {
                cluster.wake(Work::Attachment, "", &attachment);
            }
        } else if text(pod, "/spec/nodeName").is_empty() {
            // The binder says "waiting for pod … to be scheduled" once there is one.
            cluster.wake(Work::Claim, namespace, claim);
        }
    }
    for service in cluster.api.list(SERVICES, Some(namespace)) {
        if is_selected(&service, pod) {
            cluster.wake(Work::Endpoints, namespace, name(&service));
        }
    }
}

fn wake_for_volume(cluster: &mut Cluster, volume: &Value, kind: ChangeKind) {
    cluster.wake(Work::Volume, "", name(volume));
    cluster.wake(Work::Reclaim, "", name(volume));
    let claim = (
        text(volume, "/spec/claimRef/namespace"),
        text(volume, "/spec/claimRef/name"),
    );
    if claim.1.is_empty() {
        if kind == ChangeKind::Added {
            wake_unscheduled(cluster);
        }
        return;
    }
    wake_pods_of(cluster, claim.0, claim.1);
    if kind == ChangeKind::Deleted {
        // A bound claim is Lost at once.
        cluster.wake(Work::Claim, claim.0, claim.1);
    }
}

fn wake_pods_of(cluster: &mut Cluster, namespace: &str, claim: &str) {
    for pod in cluster.index.pods_of_claim(namespace, claim) {
        cluster.wake(Work::Pod, namespace, &pod);
    }
}

fn wake_unscheduled(cluster: &mut Cluster) {
    let pods: Vec<_> = cluster.index.unscheduled().cloned().collect();
    for (namespace, pod) in pods {
        cluster.wake(Work::Pod, &namespace, &pod);
    }
}
