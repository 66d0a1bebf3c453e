//! What a world hands to the records of runs.

use std::collections::{BTreeMap, HashSet};

use super::World;
use crate::intern::Sym;
use crate::records::SeenSet;

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
    pub(crate) fn claim_uids_named(&self) -> HashSet<&str> {
        let volumes = self.volumes.iter().filter_map(|volume| volume.maker.claim_uid.some());
        let uids = self.claim_by_uid.keys().chain(self.reserved.keys()).copied();
        uids.chain(volumes).map(|uid| self.text(uid)).collect()
    }

    /// The sets of clusters whose UID is known.
    pub(crate) fn sets_seen(&self) -> impl Iterator<Item = SeenSet> {
        let clusters = self.clusters.iter().filter(|cluster| !cluster.uid.is_none());
        clusters.flat_map(move |cluster| {
            let text = |sym: Sym| self.text(sym).to_owned();
            cluster.sets.iter().map(move |set| SeenSet {
                cluster: text(cluster.uid),
                namespace: text(set.namespace),
                name: text(set.name),
                uid: text(set.uid),
                templates: set.templates.iter().map(|template| text(*template)).collect(),
                selector: pairs(self.text(set.selector)),
            })
        })
    }
}

/// What `lines_of` wrote.
fn pairs(lines: &str) -> BTreeMap<String, String> {
    let pairs = lines.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
