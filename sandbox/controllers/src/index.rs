//! Who owns, uses and holds what, kept up to date by every change, so that no controller scans.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use serde_json::Value;

use crate::kinds::{ATTACHMENTS, CLAIMS, PODS, REPLICA_SETS, REVISIONS, VOLUMES};
use crate::object::{controller, list, name, namespace, text, uid};
use crate::queue::Place;

/// Namespace and name of a namespaced object.
pub(crate) type Named = (String, String);

/// Lookups over all objects of the cluster.
#[derive(Default)]
pub(crate) struct Index {
    places: HashMap<String, Place>,
    owned: HashMap<String, BTreeSet<Place>>,
    contents: HashMap<String, BTreeSet<Place>>,
    claim_pods: HashMap<Named, BTreeSet<String>>,
    claim_volumes: HashMap<Named, BTreeSet<String>>,
    free_volumes: BTreeSet<String>,
    unbound: BTreeSet<Place>,
    attachments: HashMap<String, BTreeSet<String>>,
    node_pods: HashMap<String, BTreeSet<Named>>,
    node_devices: HashMap<String, BTreeSet<String>>,
    unscheduled: BTreeSet<Named>,
    addresses: BTreeSet<String>,
    orphans: HashMap<String, BTreeSet<Place>>,
}

impl Index {
    pub(crate) fn learn(&mut self, place: &Place, object: &Value) {
        self.places.insert(uid(object).to_owned(), place.clone());
        self.note(place, object, true);
    }

    pub(crate) fn forget(&mut self, place: &Place, object: &Value) {
        self.places.remove(uid(object));
        self.note(place, object, false);
    }

    fn note(&mut self, place: &Place, object: &Value, present: bool) {
        for owner in list(object, "/metadata/ownerReferences") {
            put(&mut self.owned, text(owner, "/uid").to_owned(), place.clone(), present);
        }
        if !place.namespace.is_empty() {
            put(&mut self.contents, place.namespace.clone(), place.clone(), present);
        }
        if matches!(&*place.resource, PODS | REPLICA_SETS | REVISIONS) && controller(object).is_none() {
            put(&mut self.orphans, place.namespace.clone(), place.clone(), present);
        }
        if matches!(&*place.resource, CLAIMS | VOLUMES) && text(object, "/status/phase") != "Bound" {
            toggle(&mut self.unbound, place.clone(), present);
        }
        match &*place.resource {
            PODS => self.note_pod(object, present),
            VOLUMES => {
                let volume = name(object).to_owned();
                if text(object, "/spec/claimRef/name").is_empty() {
                    toggle(&mut self.free_volumes, volume, present);
                } else {
                    let at = |pointer| text(object, pointer).to_owned();
                    let claim = (at("/spec/claimRef/namespace"), at("/spec/claimRef/name"));
                    put(&mut self.claim_volumes, claim, volume, present);
                }
            }
            ATTACHMENTS => {
                let volume = text(object, "/spec/source/persistentVolumeName").to_owned();
                put(&mut self.attachments, volume, name(object).to_owned(), present);
                // Of an EBS volume the name of the device, of a disk its number.
                let metadata = |key: &str| text(object, &format!("/status/attachmentMetadata/{key}")).to_owned();
                let device = format!("{}{}", metadata("devicePath"), metadata("LUN"));
                if !device.is_empty() {
                    let node = text(object, "/spec/nodeName").to_owned();
                    put(&mut self.node_devices, node, device, present);
                }
            }
            _ => {}
        }
    }

    fn note_pod(&mut self, pod: &Value, present: bool) {
        let named = || (namespace(pod).to_owned(), name(pod).to_owned());
        for claim in claims_of(pod) {
            put(
                &mut self.claim_pods,
                (namespace(pod).to_owned(), claim.to_owned()),
                name(pod).to_owned(),
                present,
            );
        }
        let address = text(pod, "/status/podIP");
        if !address.is_empty() {
            toggle(&mut self.addresses, address.to_owned(), present);
        }
        match text(pod, "/spec/nodeName") {
            "" => toggle(&mut self.unscheduled, named(), present),
            node => put(&mut self.node_pods, node.to_owned(), named(), present),
        }
    }

    /// Where the object with this UID is.
    pub(crate) fn place(&self, uid: &str) -> Option<&Place> {
        self.places.get(uid)
    }

    /// The objects that name this UID as an owner.
    pub(crate) fn owned(&self, uid: &str) -> Vec<Place> {
        self.owned.get(uid).into_iter().flatten().cloned().collect()
    }

    pub(crate) fn owned_of<'a>(&'a self, uid: &str, resource: &'a str) -> impl Iterator<Item = &'a Place> {
        self.owned
            .get(uid)
            .into_iter()
            .flatten()
            .filter(move |place| &*place.resource == resource)
    }

    pub(crate) fn has_dependents(&self, uid: &str) -> bool {
        self.owned.contains_key(uid)
    }

    /// What could have a controller in a namespace and has none.
    pub(crate) fn orphans<'a>(&'a self, namespace: &str, resource: &'a str) -> impl Iterator<Item = &'a Place> {
        self.orphans
            .get(namespace)
            .into_iter()
            .flatten()
            .filter(move |place| &*place.resource == resource)
    }

    /// Everything in a namespace.
    pub(crate) fn contents(&self, namespace: &str) -> Vec<Place> {
        self.contents.get(namespace).into_iter().flatten().cloned().collect()
    }

    /// Names of the pods that name a claim among their volumes.
    pub(crate) fn pods_of_claim(&self, namespace: &str, claim: &str) -> Vec<String> {
        let named = (namespace.to_owned(), claim.to_owned());
        self.claim_pods.get(&named).into_iter().flatten().cloned().collect()
    }

    /// Names of the volumes whose `claimRef` names a claim.
    pub(crate) fn volumes_of_claim(&self, namespace: &str, claim: &str) -> Vec<String> {
        let named = (namespace.to_owned(), claim.to_owned());
        self.claim_volumes.get(&named).into_iter().flatten().cloned().collect()
    }

    /// Names of the volumes without a `claimRef`.
    pub(crate) fn free_volumes(&self) -> impl Iterator<Item = &String> {
        self.free_volumes.iter()
    }

    /// The claims and volumes that are not bound.
    pub(crate) fn unbound(&self) -> Vec<Place> {
        self.unbound.iter().cloned().collect()
    }

    /// Names of a volume's attachments.
    pub(crate) fn attachments(&self, volume: &str) -> Vec<String> {
        self.attachments.get(volume).into_iter().flatten().cloned().collect()
    }

    pub(crate) fn pods_on(&self, node: &str) -> usize {
        self.node_pods.get(node).map_or(0, BTreeSet::len)
    }

    pub(crate) fn has_device(&self, node: &str, device: &str) -> bool {
        self.node_devices
            .get(node)
            .is_some_and(|devices| devices.contains(device))
    }

    /// Whether a pod has this address.
    pub(crate) fn has_address(&self, address: &str) -> bool {
        self.addresses.contains(address)
    }

    pub(crate) fn unscheduled(&self) -> impl Iterator<Item = &Named> {
        self.unscheduled.iter()
    }
}

/// Names of the claims among a pod's volumes.
pub(crate) fn claims_of(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = list(pod, "/spec/volumes").iter();
    volumes
        .map(|volume| text(volume, "/persistentVolumeClaim/claimName"))
        .filter(|claim| !claim.is_empty())
}

fn toggle<T: Ord>(set: &mut BTreeSet<T>, item: T, present: bool) {
    if present {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}

fn put<K: Eq + Hash, T: Ord>(map: &mut HashMap<K, BTreeSet<T>>, key: K, item: T, present: bool) {
    if present {
        map.entry(key).or_default().insert(item);
    } else if let Some(set) = map.get_mut(&key) {
        set.remove(&item);
        if set.is_empty() {
            map.remove(&key);
        }
    }
}
