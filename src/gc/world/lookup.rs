//! Finding volumes in a world, and what has to be read to judge one of them again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use moorline_api::VolumeId;

use super::{ClusterIndex, VolumeIndex, VolumeRecord, World};
use crate::intern::Sym;

/// Where the evidence for one volume is, so that a second look can leave the rest out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// The namespace of the claim that the volume says it was made for. Without one, its claim may be in any.
    pub maker: Option<String>,
    /// Where the claims are, or were, that its PersistentVolumes are bound to or reserved for, and those that name these.
    pub claims: BTreeSet<(ClusterIndex, String)>,
}

/// What a volume is, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Its scope.
    pub scope: String,
    /// Its type or SKU in one word.
    pub type_name: String,
    /// Its size.
    pub gib: u32,
    /// What it costs in US dollars a month, where that is known.
    pub monthly: Option<f64>,
    /// When its mark was set, whether or not that still counts.
    pub marked: Option<Timestamp>,
}

impl World {
    /// Leaves out a volume that turned out to be gone.
    pub fn forget(&mut self, volume: &VolumeId) {
        let known = self.names.find(&volume.0).and_then(|id| self.volume_by_id.remove(&id));
        if let Some(index) = known {
            self.volumes[index as usize].id = Sym::NONE;
        }
    }

    /// What a volume is.
    pub fn describe(&self, volume: VolumeIndex) -> Described {
        let VolumeRecord {
            scope,
            type_name,
            gib,
            monthly,
            marked,
            ..
        } = *self.volume(volume);
        Described {
            scope: self.scopes[usize::from(scope)].name.clone(),
            type_name: self.text(type_name).to_owned(),
            gib,
            monthly: (monthly >= 0.0).then_some(monthly),
            marked,
        }
    }

    /// The volumes that a user may mean: by id, by name, by a PersistentVolume's name, or by `namespace/claim`.
    pub fn look_up(&self, subject: &str) -> Vec<VolumeIndex> {
        let Some(wanted) = self.names.find(subject).and_then(Sym::some) else {
            return self.of_claim(subject);
        };
        let by_id = self.volume_by_id.get(&wanted).map(|index| VolumeIndex(*index));
        if let Some(volume) = by_id {
            return vec![volume];
        }
        let named = |volume: &VolumeIndex| {
            let record = self.volume(*volume);
            record.name == wanted || self.persistent_volumes_of(record).any(|pv| pv == wanted)
        };
        let found: Vec<_> = self.volumes().filter(named).collect();
        if found.is_empty() {
            self.of_claim(subject)
        } else {
            found
        }
    }

    fn of_claim(&self, subject: &str) -> Vec<VolumeIndex> {
        let Some((namespace, claim)) = subject.split_once('/') else {
            return Vec::new();
        };
        let sym = |text: &str| self.names.find(text).and_then(Sym::some);
        let (Some(namespace), Some(claim)) = (sym(namespace), sym(claim)) else {
            return Vec::new();
        };
        let reserved = |volume: &VolumeIndex| {
            let record = self.volume(*volume);
            let mut pointers = self.pointers_to(record.id, record.name);
            pointers.any(|pointer| {
                let cluster = self.cluster(pointer.cluster);
                let pv = &cluster.pvs[pointer.pv as usize];
                (pv.claim_namespace, pv.claim_name) == (namespace, claim)
                    || cluster
                        .claim_by_name
                        .get(&(namespace, claim))
                        .is_some_and(|index| cluster.claims[*index as usize].volume_name == pv.name)
            })
        };
        self.volumes().filter(reserved).collect()
    }

    fn persistent_volumes_of(&self, volume: &VolumeRecord) -> impl Iterator<Item = Sym> + '_ {
        let pointers = self.pointers_to(volume.id, volume.name);
        pointers.map(|pointer| self.cluster(pointer.cluster).pvs[pointer.pv as usize].name)
    }

    /// What has to be read beside PersistentVolumes and `VolumeAttachments` to judge the volume again. To be asked when those have
    /// been taken in: they lead to the claims.
    pub fn whereabouts(&self, volume: VolumeIndex) -> Whereabouts {
        let record = self.volume(volume);
        let mut claims = BTreeSet::new();
        for pointer in self.pointers_to(record.id, record.name) {
            let cluster = self.cluster(pointer.cluster);
            let pv = &cluster.pvs[pointer.pv as usize];
            let index = ClusterIndex(pointer.cluster);
            if let Some(namespace) = pv.claim_namespace.some() {
                claims.insert((index, self.text(namespace).to_owned()));
            }
            for claim in cluster.claims_by_pv.get(&pv.name).into_iter().flatten() {
                let namespace = cluster.claims[*claim as usize].namespace;
                claims.insert((index, self.text(namespace).to_owned()));
            }
        }
        Whereabouts {
            maker: record
                .maker
                .namespace
                .some()
                .map(|namespace| self.text(namespace).to_owned()),
            claims,
        }
    }
}
