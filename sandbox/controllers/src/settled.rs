//! Bound claims and volumes that need nothing: most of a large cluster, and no controller has to look at them when everything is
//! learnt anew.

use std::collections::HashMap;

use serde_json::Value;

use crate::object::{annotation, has_finalizer, is_deleting, name, text, uid};
use crate::queue::Place;
use crate::storage::binder::BIND_COMPLETED;
use crate::storage::provisioner::FINALIZER;

/// Claims that need nothing if their volumes need nothing, by UID.
#[derive(Default)]
pub(crate) struct Settled {
    claims: HashMap<String, Bound>,
}

/// What a claim says of its volume.
struct Bound {
    place: Place,
    volume: String,
    access_modes: Value,
    capacity: Value,
}

impl Settled {
    /// Takes a claim that seems settled; whether it is, its volume has to show.
    pub(crate) fn takes_claim(&mut self, place: &Place, claim: &Value) -> bool {
        let bound = text(claim, "/status/phase") == "Bound" && annotation(claim, BIND_COMPLETED).is_some();
        if !bound || is_deleting(claim) {
            return false;
        }
        let bound = Bound {
            place: place.clone(),
            volume: text(claim, "/spec/volumeName").to_owned(),
            access_modes: claim["status"]["accessModes"].clone(),
            capacity: claim["status"]["capacity"]["storage"].clone(),
        };
        self.claims.insert(uid(claim).to_owned(), bound);
        true
    }

    /// Whether a volume and the claim that was taken before need nothing.
    pub(crate) fn settles(&mut self, volume: &Value) -> bool {
        let claim = text(volume, "/spec/claimRef/uid");
        let Some(bound) = self.claims.get(claim) else {
            return false;
        };
        let deletes = text(volume, "/spec/persistentVolumeReclaimPolicy") == "Delete";
        let settled = text(volume, "/status/phase") == "Bound"
            && !is_deleting(volume)
            && deletes == has_finalizer(volume, FINALIZER)
            && bound.volume == name(volume)
            && bound.place.name == text(volume, "/spec/claimRef/name")
            && bound.place.namespace == text(volume, "/spec/claimRef/namespace")
            && bound.access_modes == volume["spec"]["accessModes"]
            && bound.capacity == volume["spec"]["capacity"]["storage"];
        if settled {
            self.claims.remove(claim);
        }
        settled
    }

    /// The claims whose volumes are missing, or not settled.
    pub(crate) fn others(self) -> impl Iterator<Item = Place> {
        self.claims.into_values().map(|bound| bound.place)
    }
}
