//! Of a volume and everything that was seen: whether anybody can want it, and what proves the answer.
//!
//! The more alive answer always wins, wherever it comes from: one pod in one cluster outweighs every sign of death in the
//! others. What was seen alive needs no other listing; that something is *not* there is told only by listings that came to
//! their end.

mod claims;
mod pointers;
mod proof;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::coverage::{Freshness, Kind};
use crate::intern::Sym;
use crate::policy::Policy;
use crate::records::Records;
use crate::world::{VolumeIndex, VolumeRecord, World};
use proof::Proof;

/// Whether a volume can be wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Attached or mounted, or its claim is used by a pod or by something that may start one.
    InUse,
    /// Its claim exists, and a set or another workload may want it back; or a PersistentVolume keeps it for a claim.
    Claimed,
    /// Claim and PersistentVolume exist, but the StatefulSet they were made for is gone and nothing refers to them.
    LeftBehind,
    /// Its PersistentVolume is Released or Failed, and its claim is gone.
    Released,
    /// No PersistentVolume names it in any named cluster, and a claim of one of those was its maker.
    Orphan,
    /// Nothing proves that a claim of a named cluster made it.
    Foreign,
    /// A tag, a label, an annotation or the policy says never.
    Protected,
    /// Something that the answer depends on was not read.
    Unknown,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::InUse,
        Self::Claimed,
        Self::LeftBehind,
        Self::Released,
        Self::Orphan,
        Self::Foreign,
        Self::Protected,
        Self::Unknown,
    ];

    /// As marks, plans and messages write it: `left-behind`.
    pub fn word(self) -> &'static str {
        match self {
            Self::InUse => "in-use",
            Self::Claimed => "claimed",
            Self::LeftBehind => "left-behind",
            Self::Released => "released",
            Self::Orphan => "orphan",
            Self::Foreign => "foreign",
            Self::Protected => "protected",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it says that nobody uses the volume, so that grace runs.
    pub fn is_unused(self) -> bool {
        matches!(self, Self::LeftBehind | Self::Released | Self::Orphan)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One link of a chain of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What was seen: `PersistentVolume pvc-1 is Released`.
    pub what: String,
    /// Where: `persistentvolumes of cluster prod`.
    pub source: String,
    /// When the listing that shows it began; `None` where it comes from no listing.
    pub read: Option<Timestamp>,
}

/// An object of a cluster, in one of its lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The cluster's name in the policy.
    pub cluster: String,
    /// The namespace; empty where the kind has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The UID: a deletion must name it.
    pub uid: String,
}

/// Why an unused volume is not for a run to delete, however long it waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Withheld {
    /// Nothing proves that a claim made the volume: somebody may have put data into it by hand.
    Unproven(String),
    /// Its PersistentVolume says Retain, and the policy does not include that.
    Retain,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unproven(why) => why,
            Self::Retain => "its PersistentVolume says Retain, and the policy does not include that",
        })
    }
}

const ORPHAN: &str = "no PersistentVolume of any named cluster names it, and a claim of one of them made it";

/// A verdict with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What decided it.
    pub why: String,
    /// The chain of evidence, from the cloud to the cluster.
    pub chain: Vec<Link>,
    /// The claims that are left behind.
    pub claims: Vec<Target>,
    /// The PersistentVolumes that name the volume.
    pub persistent_volumes: Vec<Target>,
    /// UID of the cluster whose claim made it, where that is proved and matters: of what is unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<String>,
    /// Why it is not to be deleted all the same.
    pub withheld: Option<Withheld>,
    /// The latest sign that it was used, where there is one.
    pub last_use: Option<Timestamp>,
}

/// What one claim or PersistentVolume says of the volume behind it, the strongest last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Released(String),
    LeftBehind(String),
    Unknown(String),
    Claimed(String),
    InUse(String),
}

/// A volume being judged.
struct Case<'a> {
    world: &'a World,
    policy: &'a Policy,
    records: &'a Records,
    fresh: Freshness,
    volume: &'a VolumeRecord,
    chain: Vec<Link>,
    claims: Vec<Target>,
    persistent_volumes: Vec<Target>,
    /// Clusters whose claims or PersistentVolumes name it.
    clusters: Vec<u16>,
    protected: Option<String>,
    /// The cluster that is proved to have made it.
    maker: Option<u16>,
    /// Whether a PersistentVolume that names it says Retain: somebody wants the volume to outlive its claim.
    retained: bool,
    /// In seconds since 1970; 0 where there is no sign.
    last_use: i64,
}

/// Judges one volume. `now` is the run's time, by which readings are fresh or stale.
pub fn judge(world: &World, volume: VolumeIndex, policy: &Policy, records: &Records, now: Timestamp) -> Judgement {
    let mut case = Case {
        world,
        policy,
        records,
        fresh: Freshness {
            now,
            stale_after: policy.stale_after,
        },
        volume: world.volume(volume),
        chain: Vec::new(),
        claims: Vec::new(),
        persistent_volumes: Vec::new(),
        clusters: Vec::new(),
        protected: None,
        maker: None,
        retained: false,
        last_use: 0,
    };
    let (verdict, why, withheld) = case.decide();
    Judgement {
        verdict,
        why,
        chain: case.chain,
        claims: case.claims,
        persistent_volumes: case.persistent_volumes,
        maker: case.maker.and_then(|cluster| {
            let uid = world.cluster(cluster).uid.some()?;
            Some(world.text(uid).to_owned())
        }),
        withheld,
        last_use: (case.last_use > 0)
            .then(|| Timestamp::from_second(case.last_use).ok())
            .flatten(),
    }
}

type Decision = (Verdict, String, Option<Withheld>);

impl Case<'_> {
    fn decide(&mut self) -> Decision {
        self.link_volume();
        let used = self.world.text(self.volume.used);
        if !used.is_empty() {
            return (Verdict::InUse, format!("the cloud says that it is {used}"), None);
        }
        let strongest = self.findings();
        if let Some(Finding::InUse(why)) = strongest {
            return (Verdict::InUse, why, None);
        }
        let tagged = self.volume.protected.some().map(|why| self.world.text(why).to_owned());
        if let Some(why) = tagged.or_else(|| self.protected.take()) {
            return (Verdict::Protected, why, None);
        }
        if let Some(Finding::Claimed(why)) = strongest {
            return (Verdict::Claimed, why, None);
        }
        if let Some(why) = self.world.brought_back.get(self.world.text(self.volume.id)) {
            return (Verdict::Claimed, why.clone(), None);
        }
        let unknown = match &strongest {
            Some(Finding::Unknown(why)) => Some(why.clone()),
            _ if self.volume.odd => Some("the cloud gives it a state that this version does not know".to_owned()),
            _ => self.what_is_missing(strongest.is_some()),
        };
        if let Some(why) = unknown {
            return (Verdict::Unknown, why, None);
        }
        self.decide_unused(strongest)
    }

    /// Nothing uses it, and everything was read.
    fn decide_unused(&mut self, strongest: Option<Finding>) -> Decision {
        let proof = self.proof();
        if let Proof::Refuted(why) = proof {
            return (Verdict::Foreign, why, None);
        }
        if let Proof::Made { cluster, how } = &proof {
            self.maker = Some(*cluster);
            self.chain_of_records(how);
            if self.clusters.iter().any(|other| other != cluster) {
                let name = &self.world.cluster(*cluster).name;
                let why = format!("cluster {name} made it, and a PersistentVolume of another cluster names it");
                return (Verdict::Foreign, why, None);
            }
        }
        let unproven = match proof {
            Proof::None(why) => Some(why),
            _ => None,
        };
        let (verdict, why) = match (strongest, &unproven) {
            (Some(Finding::LeftBehind(why)), _) => (Verdict::LeftBehind, why),
            (Some(Finding::Released(why)), _) => (Verdict::Released, why),
            (_, Some(unproven)) => return (Verdict::Foreign, unproven.clone(), None),
            (_, None) => (Verdict::Orphan, ORPHAN.to_owned()),
        };
        let retained = self.retained && !self.policy.include_retain;
        let withheld = unproven
            .map(Withheld::Unproven)
            .or(retained.then_some(Withheld::Retain));
        (verdict, why, withheld)
    }

    /// What claims and PersistentVolumes say; the most alive of it.
    fn findings(&mut self) -> Option<Finding> {
        let world = self.world;
        let mut strongest = world.clusters.iter().find_map(|cluster| {
            let node = [self.volume.id, self.volume.name]
                .into_iter()
                .find_map(|id| cluster.attached_volumes.get(&id))?;
            let node = world.text(*node);
            Some(Finding::InUse(format!(
                "a VolumeAttachment of cluster {} has it on {node}",
                cluster.name
            )))
        });
        for pointer in world.pointers_to(self.volume.id, self.volume.name) {
            strongest = strongest.max(Some(self.pointer(&pointer)));
        }
        strongest.max(self.claim_without_pointer())
    }

    /// The first listing that an answer depends on and that was not read. That something unused is attached nowhere depends on
    /// attachments; that something is foreign does not.
    fn what_is_missing(&self, has_pointers: bool) -> Option<String> {
        let namespace = self.world.text(self.volume.maker.namespace);
        let namespace = (!namespace.is_empty()).then_some(namespace);
        let scope = &self.world.scopes[usize::from(self.volume.scope)];
        // A scope that broke off later has shown this volume all the same; one that is stale has not shown it lately.
        let stale = scope
            .reading
            .began()
            .and_then(|_| scope.reading.problem(None, self.fresh));
        let stale = stale.map(|problem| format!("{} {problem}", scope.name));
        let maker = &self.volume.maker;
        let may_be_ours = has_pointers || maker.for_a_claim;
        stale.or_else(|| {
            (0..self.world.clusters.len()).find_map(|cluster| {
                let cluster = u16::try_from(cluster).ok()?;
                let attachments = may_be_ours.then_some(Kind::VolumeAttachments);
                self.missing(cluster, &Kind::PersistentVolumes, None)
                    .or_else(|| self.missing(cluster, &Kind::Claims, namespace))
                    .or_else(|| self.missing(cluster, &attachments?, None))
            })
        })
    }

    /// Why absence of a kind cannot be told in a cluster.
    fn missing(&self, cluster: u16, kind: &Kind, namespace: Option<&str>) -> Option<String> {
        let cluster = self.world.cluster(cluster);
        let problem = match cluster.readings.get(kind) {
            Some(reading) => reading.problem(namespace, self.fresh)?,
            None => "was not read".to_owned(),
        };
        Some(format!("{kind} of cluster {} {problem}", cluster.name))
    }

    fn link_volume(&mut self) {
        let scope = &self.world.scopes[usize::from(self.volume.scope)];
        let used = self.world.text(self.volume.used);
        let state = if used.is_empty() { "attached nowhere" } else { used };
        self.chain.push(Link {
            what: format!("volume {} is {state}", self.world.text(self.volume.id)),
            source: format!("volumes of {}", scope.name),
            read: scope.reading.began(),
        });
    }

    fn link(&mut self, cluster: u16, kind: &Kind, what: String) {
        let cluster = self.world.cluster(cluster);
        self.chain.push(Link {
            what,
            source: format!("{kind} of cluster {}", cluster.name),
            read: cluster.readings.get(kind).and_then(crate::coverage::Reading::began),
        });
    }

    fn chain_of_records(&mut self, how: &str) {
        self.chain.push(Link {
            what: how.to_owned(),
            source: "tags, names and records of earlier runs".to_owned(),
            read: None,
        });
    }

    fn target(&self, cluster: u16, namespace: Sym, name: Sym, uid: Sym) -> Target {
        Target {
            cluster: self.world.cluster(cluster).name.clone(),
            namespace: self.world.text(namespace).to_owned(),
            name: self.world.text(name).to_owned(),
            uid: self.world.text(uid).to_owned(),
        }
    }

    fn used_at(&mut self, seconds: i64) {
        self.last_use = self.last_use.max(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_and_what_is_withheld_say_what_they_are() {
        assert_eq!(
            format!("{} {}", Verdict::LeftBehind, Verdict::InUse),
            "left-behind in-use"
        );
        let why = Withheld::Unproven("no tag says so".to_owned());
        assert_eq!(why.to_string(), "no tag says so");
        assert!(Withheld::Retain.to_string().contains("says Retain"));
    }
}
