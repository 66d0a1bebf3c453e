//! Everything that a run saw, in small records: what verdicts are made of.
//!
//! Objects and volumes go in as listings stream by and are not kept. Putting the same thing in twice replaces it, so that a
//! listing that has to begin again does no harm. A world begins knowing that nothing was read.

mod claims;
mod lookup;
mod persistent_volumes;
mod records;
mod seen;
mod volumes;
mod workloads;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
pub use moorline_api::Detail;
use moorline_api::{Object, StorageRules, VolumeId};
use serde::{Deserialize, Serialize};

pub use lookup::{Described, Whereabouts};
pub(crate) use records::{
    ClaimRecord, Phase, PointerRecord, PvRecord, SetRecord, StatefulClaim, UseRecord, VolumeRecord,
};

use workloads::seconds;

use crate::coverage::{Freshness, Gap, Kind, Reading};
use crate::intern::{Names, Sym};
use crate::policy::{Policy, Protect};

/// A cluster of the policy, by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterIndex(pub u16);

/// A scope of a cloud, in the order in which scopes were named: an account and region, a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopeIndex(pub(crate) u16);

/// A volume of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeIndex(u32);

/// Tells which volumes an object means.
pub trait VolumeNames {
    /// The volumes that a PersistentVolume (or anything with its `spec`) names, in any form that its provider knows; empty
    /// where no provider knows it. What it may mean beside these is found without a provider.
    fn volume_ids(&self, persistent_volume: &Object) -> Vec<VolumeId>;
}

/// Every provider's rules together.
impl VolumeNames for [&dyn StorageRules] {
    fn volume_ids(&self, persistent_volume: &Object) -> Vec<VolumeId> {
        self.iter()
            .filter_map(|rules| rules.volume_id(persistent_volume))
            .collect()
    }
}

/// One number, or more in the rare case.
#[derive(Clone, Debug)]
pub(crate) enum One {
    Just(u32),
    More(Vec<u32>),
}

impl One {
    fn push(&mut self, number: u32) {
        match self {
            Self::Just(known) if *known == number => {}
            Self::Just(known) => *self = Self::More(vec![*known, number]),
            Self::More(known) => known.push(number),
        }
    }
}

impl<'a> IntoIterator for &'a One {
    type Item = &'a u32;
    type IntoIter = std::slice::Iter<'a, u32>;

    fn into_iter(self) -> Self::IntoIter {
        match self {
            One::Just(known) => std::slice::from_ref(known).iter(),
            One::More(known) => known.iter(),
        }
    }
}

/// One cluster.
#[derive(Debug, Default)]
pub(crate) struct ClusterWorld {
    pub(crate) name: String,
    pub(crate) uid: Sym,
    pub(crate) tag_ids: Vec<Sym>,
    pub(crate) readings: BTreeMap<Kind, Reading>,
    pub(crate) pvs: Vec<PvRecord>,
    pub(crate) pv_by_name: HashMap<Sym, u32>,
    pub(crate) claims: Vec<ClaimRecord>,
    pub(crate) claim_by_name: HashMap<(Sym, Sym), u32>,
    /// The claims whose `spec` names a PersistentVolume: nearly always one.
    pub(crate) claims_by_pv: HashMap<Sym, One>,
    pub(crate) sets: Vec<SetRecord>,
    /// Sets by namespace and what stands before the ordinal in their claims' names.
    pub(crate) stems: HashMap<(Sym, Sym), Vec<u32>>,
    /// Sets by namespace and name.
    pub(crate) set_by_name: HashMap<(Sym, Sym), u32>,
    /// What uses a claim, or may start something that does; the strongest.
    pub(crate) uses: HashMap<(Sym, Sym), UseRecord>,
    /// PersistentVolumes with a VolumeAttachment, and the node.
    pub(crate) attached: HashMap<Sym, Sym>,
    /// Volumes attached without a PersistentVolume, and the node.
    pub(crate) attached_volumes: HashMap<Sym, Sym>,
    /// The UIDs of the sets that there are.
    pub(crate) set_uids: HashSet<Sym>,
    /// Whether another cluster answered than the policy pins.
    pub(crate) impostor: bool,
}

/// One scope of a cloud.
#[derive(Debug)]
pub(crate) struct ScopeWorld {
    pub(crate) name: String,
    pub(crate) reading: Reading,
}

/// Everything that a run saw.
#[derive(Debug)]
pub struct World {
    pub(crate) names: Names,
    pub(crate) clusters: Vec<ClusterWorld>,
    pub(crate) scopes: Vec<ScopeWorld>,
    pub(crate) volumes: Vec<VolumeRecord>,
    pub(crate) volume_by_id: HashMap<Sym, u32>,
    /// PersistentVolumes by volume id or, where that is all they say, by the volume's name: the first of a chain.
    pub(crate) pointers_to: HashMap<Sym, u32>,
    pub(crate) pointers: Vec<PointerRecord>,
    /// Claims by UID: cluster and place there.
    pub(crate) claim_by_uid: HashMap<Sym, (u16, u32)>,
    /// Ids of volumes that claims which are not bound are being brought back from, and in words which claims those are.
    pub(crate) brought_back: HashMap<String, String>,
    /// UIDs of claims for which a PersistentVolume is or was reserved, and the cluster.
    pub(crate) reserved: HashMap<Sym, u16>,
    protect: Protect,
}

impl World {
    /// A world of the policy's clusters of which nothing is known yet.
    pub fn new(policy: &Policy) -> Self {
        let mut names = Names::default();
        let clusters = policy.clusters.iter().map(|named| ClusterWorld {
            name: named.name.clone(),
            uid: names.add(named.uid.as_deref().unwrap_or_default()),
            tag_ids: named.tag_ids.iter().map(|id| names.add(id)).collect(),
            readings: Kind::BUILT_IN.into_iter().map(|kind| (kind, Reading::Not)).collect(),
            ..ClusterWorld::default()
        });
        let clusters = clusters.collect();
        Self {
            names,
            clusters,
            scopes: Vec::new(),
            volumes: Vec::new(),
            volume_by_id: HashMap::new(),
            pointers_to: HashMap::new(),
            pointers: Vec::new(),
            claim_by_uid: HashMap::new(),
            brought_back: HashMap::new(),
            reserved: HashMap::new(),
            protect: policy.protect.clone(),
        }
    }

    /// The clusters, in the policy's order.
    pub fn clusters(&self) -> impl Iterator<Item = ClusterIndex> + use<> {
        (0..self.clusters.len()).filter_map(|index| Some(ClusterIndex(u16::try_from(index).ok()?)))
    }

    /// Says which cluster answered. Where the policy pins another UID, nothing of it counts as read from here on.
    pub fn identify(&mut self, cluster: ClusterIndex, uid: &str) {
        let uid = self.names.add(uid);
        let world = &mut self.clusters[usize::from(cluster.0)];
        let pinned = world.uid.some().filter(|pinned| *pinned != uid);
        if let Some(pinned) = pinned {
            let why = format!(
                "another cluster answered: its UID is {}, and the policy says {}",
                self.names.get(uid),
                self.names.get(pinned)
            );
            self.unreachable(cluster, &why);
            self.clusters[usize::from(cluster.0)].impostor = true;
        } else {
            world.uid = uid;
        }
    }

    /// Says that verdicts also depend on this kind of the cluster, which is not read yet.
    pub fn expect(&mut self, cluster: ClusterIndex, kind: Kind) {
        self.clusters[usize::from(cluster.0)]
            .readings
            .entry(kind)
            .or_insert(Reading::Not);
    }

    /// Says that a kind of the cluster was listed to its end. `began` is when the listing was begun.
    pub fn read_whole(&mut self, cluster: ClusterIndex, kind: Kind, began: Timestamp) {
        self.set(cluster, kind, Reading::Complete { began });
    }

    /// Says that a kind was listed to its end in one namespace, for a second look. Other namespaces read before stay read.
    pub fn read_within(&mut self, cluster: ClusterIndex, kind: Kind, namespace: &str, began: Timestamp) {
        let before = self.clusters[usize::from(cluster.0)].readings.get(&kind);
        let (mut namespaces, first) = match before {
            Some(Reading::Within { namespaces, began }) => (namespaces.clone(), *began),
            _ => (BTreeSet::new(), began),
        };
        namespaces.insert(namespace.to_owned());
        let began = first.min(began);
        self.set(cluster, kind, Reading::Within { namespaces, began });
    }

    /// Says that a kind could not be read to its end.
    pub fn failed(&mut self, cluster: ClusterIndex, kind: Kind, why: impl Into<String>) {
        self.set(cluster, kind, Reading::Failed { why: why.into() });
    }

    /// Says that a cluster does not answer at all.
    pub fn unreachable(&mut self, cluster: ClusterIndex, why: &str) {
        for reading in self.clusters[usize::from(cluster.0)].readings.values_mut() {
            *reading = Reading::Failed { why: why.to_owned() };
        }
    }

    fn set(&mut self, cluster: ClusterIndex, kind: Kind, reading: Reading) {
        let world = &mut self.clusters[usize::from(cluster.0)];
        let counts = !world.impostor || matches!(reading, Reading::Failed { .. });
        if counts {
            world.readings.insert(kind, reading);
        }
    }

    pub(crate) fn cluster(&self, index: u16) -> &ClusterWorld {
        &self.clusters[usize::from(index)]
    }

    pub(crate) fn text(&self, sym: Sym) -> &str {
        self.names.get(sym)
    }

    /// Everything that verdicts depend on and that was not read, or not lately.
    pub fn gaps(&self, policy: &Policy, now: Timestamp) -> Vec<Gap> {
        let fresh = Freshness {
            now,
            stale_after: policy.stale_after,
        };
        let clusters = self.clusters.iter().flat_map(|cluster| {
            cluster.readings.iter().filter_map(move |(kind, reading)| {
                Some(Gap {
                    place: format!("cluster {}", cluster.name),
                    what: kind.name().to_owned(),
                    why: reading.problem(None, fresh)?,
                })
            })
        });
        let scopes = self.scopes.iter().filter_map(|scope| {
            Some(Gap {
                place: scope.name.clone(),
                what: "volumes".to_owned(),
                why: scope.reading.problem(None, fresh)?,
            })
        });
        clusters.chain(scopes).collect()
    }

    /// Whether everything was read to its end.
    pub(crate) fn is_whole(&self) -> bool {
        let mut readings = self.clusters.iter().flat_map(|cluster| cluster.readings.values());
        let complete = |reading: &Reading| matches!(reading, Reading::Complete { .. });
        readings.all(complete) && self.scopes.iter().all(|scope| complete(&scope.reading))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_twice_takes_no_more_room() {
        let mut one = One::Just(1);
        one.push(1);
        assert!(matches!(one, One::Just(1)), "{one:?}");
        one.push(2);
        one.push(3);
        assert_eq!(one.into_iter().collect::<Vec<_>>(), [&1, &2, &3]);
    }
}
