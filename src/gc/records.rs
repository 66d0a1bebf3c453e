//! What earlier runs saw: which claims there were in which cluster, and which StatefulSets. A set's deletion leaves claims
//! that name no owner, and a claim's deletion leaves volumes that name only its UID.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::world::World;

/// What earlier runs saw, as one of them hands it to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Records {
    /// When the last run took place.
    pub last_run: Option<Timestamp>,
    /// The UIDs of claims, by the UID of the cluster that they lived in.
    pub claims: BTreeMap<String, BTreeSet<String>>,
    /// StatefulSets by cluster UID, namespace and name.
    pub sets: BTreeMap<String, BTreeMap<String, BTreeMap<String, SetRecord>>>,
}

/// A StatefulSet that an earlier run saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetRecord {
    /// Its UID when it was seen last.
    pub uid: String,
    /// The names of its volume claim templates, in all of its lives.
    pub templates: BTreeSet<String>,
    /// `spec.selector.matchLabels`, which every claim of its has too.
    pub selector: BTreeMap<String, String>,
    /// When it was seen last.
    pub seen: Timestamp,
}

impl Records {
    /// The clusters, by UID, in which earlier runs saw this claim: more than one where a cluster was copied.
    pub(crate) fn clusters_of<'a>(&'a self, claim_uid: &'a str) -> impl Iterator<Item = &'a str> {
        let with = self.claims.iter().filter(move |(_, claims)| claims.contains(claim_uid));
        with.map(|(cluster, _)| cluster.as_str())
    }

    /// The sets of a namespace that could have made claims of this stem, all of them gone or not.
    pub(crate) fn sets_of<'a>(
        &'a self,
        cluster: &str,
        namespace: &str,
        stem: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a SetRecord)> {
        let sets = self.sets.get(cluster).and_then(|of| of.get(namespace));
        sets.into_iter()
            .flatten()
            .filter(move |(name, set)| {
                let template = stem.strip_suffix(name.as_str()).and_then(|rest| rest.strip_suffix('-'));
                template.is_some_and(|template| set.templates.contains(template))
            })
            .map(|(name, set)| (name.as_str(), set))
    }

    /// Adds what a run sees, and forgets claims that neither the world nor any volume of it names any more: they can prove
    /// nothing. Claims and sets of clusters that were not read whole are kept as they are.
    pub fn observe(&mut self, world: &World, now: Timestamp) {
        self.last_run = Some(now);
        for (claim, cluster) in world.claim_homes() {
            let known = self.claims.entry(cluster.to_owned()).or_default();
            if !known.contains(claim) {
                known.insert(claim.to_owned());
            }
        }
        for seen in world.sets_seen() {
            let namespaces = self.sets.entry(seen.cluster).or_default();
            let set = namespaces
                .entry(seen.namespace)
                .or_default()
                .entry(seen.name)
                .or_default();
            set.uid = seen.uid;
            set.templates.extend(seen.templates);
            set.selector = seen.selector;
            set.seen = now;
        }
        if world.is_whole() {
            let named = world.claim_uids_named();
            for claims in self.claims.values_mut() {
                claims.retain(|uid| named.contains(uid.as_str()));
            }
        }
    }
}

/// A set as a world has it.
#[derive(Debug)]
pub(crate) struct SeenSet {
    pub(crate) cluster: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) templates: Vec<String>,
    pub(crate) selector: BTreeMap<String, String>,
}
