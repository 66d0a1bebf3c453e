//! What a world hands to the records of runs.

use std::collections::HashSet;

use super::World;
use crate::intern::Sym;
use crate::{ordinals, records};

impl World {
    /// The claims that there are, or that PersistentVolumes are reserved for, with the UIDs of their clusters.
    pub(crate) fn claim_homes(&self) -> impl Iterator<Item = (&str, &str)> {
        let live = self.claim_by_uid.iter().map(|(uid, (cluster, _))| (*uid, *cluster));
        let reserved = self.reserved.iter().map(|(uid, cluster)| (*uid, *cluster));
        live.chain(reserved).filter_map(|(claim, cluster)| {
            let cluster = self.cluster(cluster).uid.some()?;
            Some((self.text(claim), self.text(cluster)))
        })
    }

    /// Every UID of a claim that a claim, a PersistentVolume or a volume names.
    pub(crate) fn claim_uids_named(&self) -> HashSet<Sym> {
        let volumes = self.volumes.iter().filter_map(|volume| volume.maker.claim_uid.some());
        let uids = self.claim_by_uid.keys().chain(self.reserved.keys()).copied();
        uids.chain(volumes).collect()
    }

    /// Every template of the sets of clusters whose UID is known: cluster, key of the record, set and selector.
    pub(crate) fn each_set(&self, mut see: impl FnMut(&str, String, &str, &str)) {
        for cluster in self.clusters.iter().filter(|cluster| !cluster.uid.is_none()) {
            for set in &cluster.sets {
                let name = self.text(set.name);
                for template in &set.templates {
                    let stem = ordinals::stem(self.text(*template), name);
                    let key = records::key(self.text(set.namespace), &stem);
                    see(self.text(cluster.uid), key, name, self.text(set.selector));
                }
            }
        }
    }

    /// The key of the set's record that each claim would have: cluster and key.
    pub(crate) fn each_stem(&self, mut see: impl FnMut(&str, &str)) {
        for cluster in self.clusters.iter().filter(|cluster| !cluster.uid.is_none()) {
            for claim in &cluster.claims {
                if let Some((stem, _)) = ordinals::split(self.text(claim.name)) {
                    see(self.text(cluster.uid), &records::key(self.text(claim.namespace), stem));
                }
            }
        }
    }
}
