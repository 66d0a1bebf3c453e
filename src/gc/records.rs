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
    /// Volumes whose deletion an earlier run began and did not finish, by their ids. The claims that are gone are gone by its
    /// hand: that begins no grace anew.
    pub begun: BTreeSet<String>,
    /// Of the volumes whose lists leave tags out, by their ids: those that were marked and that no run has seen used since. A run that
    /// sees one of them in use does not see its mark, and so does not take it off: a mark that is not confirmed here counts as none.
    pub unused: BTreeSet<String>,
    /// The UIDs of claims, by the UID of the cluster that they lived in.
    pub claims: BTreeMap<String, BTreeSet<String>>,
    /// StatefulSets' templates by the UID of their cluster, and then by what their claims' names begin with and their namespace:
    /// `web/data-db` of template `data` of set `db`.
    pub sets: BTreeMap<String, BTreeMap<String, SetRecord>>,
}

/// A template of a StatefulSet that an earlier run saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetRecord {
    /// The set's name.
    pub name: String,
    /// Its `spec.selector.matchLabels`, which every claim that it makes has too: `key=value`, a line each.
    pub selector: String,
    /// When it, or a claim of its name, was seen last.
    pub seen: Timestamp,
}

/// The key of [`Records::sets`].
pub(crate) fn key(namespace: &str, stem: &str) -> String {
    format!("{namespace}/{stem}")
}

impl Records {
    /// The clusters, by UID, in which earlier runs saw this claim: more than one where a cluster was copied.
    pub(crate) fn clusters_of<'a>(&'a self, claim_uid: &'a str) -> impl Iterator<Item = &'a str> {
        let with = self.claims.iter().filter(move |(_, claims)| claims.contains(claim_uid));
        with.map(|(cluster, _)| cluster.as_str())
    }

    /// The set of a namespace that made claims of this stem.
    pub(crate) fn set_of(&self, cluster: &str, namespace: &str, stem: &str) -> Option<&SetRecord> {
        self.sets.get(cluster)?.get(&key(namespace, stem))
    }

    /// Adds what a run sees. Where it sees everything, claims that nothing names any more and sets without a claim are forgotten:
    /// they can prove nothing.
    pub fn observe(&mut self, world: &World, now: Timestamp) {
        self.last_run = Some(now);
        for (claim, cluster) in world.claim_homes() {
            insert(&mut self.claims, cluster, claim);
        }
        world.each_set(|cluster, key, name, selector| {
            let seen = SetRecord {
                name: name.to_owned(),
                selector: selector.to_owned(),
                seen: now,
            };
            self.sets.entry(cluster.to_owned()).or_default().insert(key, seen);
        });
        world.each_stem(|cluster, key| {
            let known = self.sets.get_mut(cluster).and_then(|sets| sets.get_mut(key));
            if let Some(known) = known {
                known.seen = now;
            }
        });
        if world.is_whole() {
            let named = world.claim_uids_named();
            for claims in self.claims.values_mut() {
                claims.retain(|uid| world.names.find(uid).is_some_and(|uid| named.contains(&uid)));
            }
            for sets in self.sets.values_mut() {
                sets.retain(|_, set| set.seen == now);
            }
        }
    }
}

fn insert(claims: &mut BTreeMap<String, BTreeSet<String>>, cluster: &str, claim: &str) {
    if let Some(known) = claims.get_mut(cluster) {
        if !known.contains(claim) {
            known.insert(claim.to_owned());
        }
        return;
    }
    claims.insert(cluster.to_owned(), [claim.to_owned()].into());
}
