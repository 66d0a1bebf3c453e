//! The candidates, what speaks for each of them, and what was read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use moorline_api::{Holder, LoadBalancer, Object, Recoverable, Resource, Tags, TargetGroup};
use serde::{Deserialize, Serialize};

use super::balancers::Balancer;
use super::groups::Group;
use super::holders::Account;
use super::names::{self, Name};
use super::snapshots::Expiring;
use crate::coverage::{Freshness, Gap, Reading};
use crate::mark::Mark;
use crate::policy::{Policy, Protect};
use crate::world::{ClusterIndex, ScopeIndex};
use crate::{names as tag_names, protect};

/// The kinds of objects that may speak for a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Services.
    Services,
    /// Ingresses of `networking.k8s.io`.
    Ingresses,
    /// Gateways of `gateway.networking.k8s.io`; complete and empty where the cluster does not serve them.
    Gateways,
    /// `TargetGroupBindings` of the AWS Load Balancer Controller; complete and empty where the cluster does not serve them.
    TargetGroupBindings,
    /// `StorageClasses`.
    StorageClasses,
    /// PersistentVolumes.
    PersistentVolumes,
    /// `VolumeSnapshotContents`; complete and empty where the cluster does not serve them.
    SnapshotContents,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Services,
        Self::Ingresses,
        Self::Gateways,
        Self::TargetGroupBindings,
        Self::StorageClasses,
        Self::PersistentVolumes,
        Self::SnapshotContents,
    ];

    /// API group and kind.
    pub fn group_and_kind(self) -> (&'static str, &'static str) {
        match self {
            Self::Services => ("", "Service"),
            Self::Ingresses => ("networking.k8s.io", "Ingress"),
            Self::Gateways => ("gateway.networking.k8s.io", "Gateway"),
            Self::TargetGroupBindings => ("elbv2.k8s.aws", "TargetGroupBinding"),
            Self::StorageClasses => ("storage.k8s.io", "StorageClass"),
            Self::PersistentVolumes => ("", "PersistentVolume"),
            Self::SnapshotContents => ("snapshot.storage.k8s.io", "VolumeSnapshotContent"),
        }
    }

    /// Whether a cluster may do without it.
    pub fn is_optional(self) -> bool {
        matches!(
            self,
            Self::Ingresses | Self::Gateways | Self::TargetGroupBindings | Self::SnapshotContents
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Services => "services",
            Self::Ingresses => "ingresses.networking.k8s.io",
            Self::Gateways => "gateways.gateway.networking.k8s.io",
            Self::TargetGroupBindings => "targetgroupbindings.elbv2.k8s.aws",
            Self::StorageClasses => "storageclasses.storage.k8s.io",
            Self::PersistentVolumes => "persistentvolumes",
            Self::SnapshotContents => "volumesnapshotcontents.snapshot.storage.k8s.io",
        })
    }
}

/// What a scope of a cloud is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// Load balancers.
    LoadBalancers,
    /// Target groups of load balancers, which go after them.
    TargetGroups,
    /// Storage accounts.
    StorageAccounts,
    /// Snapshots that runs took before they deleted a volume.
    Snapshots,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::LoadBalancers,
        Self::TargetGroups,
        Self::StorageAccounts,
        Self::Snapshots,
    ];

    /// The sort of a thing; `None` of volumes, which are judged elsewhere.
    pub fn of(resource: &Resource) -> Option<Self> {
        match resource {
            Resource::LoadBalancer(_) => Some(Self::LoadBalancers),
            Resource::TargetGroup(_) => Some(Self::TargetGroups),
            Resource::Holder(_) => Some(Self::StorageAccounts),
            Resource::Snapshot(_) => Some(Self::Snapshots),
            Resource::Volume(_) => None,
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoadBalancers => "load balancers",
            Self::TargetGroups => "target groups",
            Self::StorageAccounts => "storage accounts",
            Self::Snapshots => "snapshots",
        })
    }
}

/// What an object says for a candidate; the strongest last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// It may want the thing back, or use it soon.
    Wants(String),
    /// It uses the thing.
    Uses(String),
}

/// What a candidate is, as far as its verdict depends on it.
#[derive(Debug)]
pub(super) enum Facts {
    Balancer(Balancer),
    Group(Group),
    Account(Account),
    Snapshot(Expiring),
}

impl Facts {
    pub(super) fn sort(&self) -> Sort {
        match self {
            Self::Balancer(_) => Sort::LoadBalancers,
            Self::Group(_) => Sort::TargetGroups,
            Self::Account(_) => Sort::StorageAccounts,
            Self::Snapshot(_) => Sort::Snapshots,
        }
    }
}

/// Something that may have to go.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) resource: Resource,
    pub(super) name: String,
    pub(super) scope: ScopeIndex,
    pub(super) facts: Facts,
    pub(super) gib: u32,
    /// US dollars a month.
    pub(super) monthly: Option<f64>,
    pub(super) created: Option<Timestamp>,
    pub(super) protected: Option<String>,
    /// Since when runs have seen it unused.
    pub(super) marked: Option<Timestamp>,
    /// Whether it has a mark, readable or not.
    pub(super) has_mark: bool,
    pub(super) sign: Option<Sign>,
}

/// A cluster that the policy names.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) name: String,
    pub(super) uid: Option<String>,
    pub(super) tag_ids: Vec<String>,
    pub(super) readings: BTreeMap<Kind, Reading>,
    /// Whether another cluster answered than the policy pins.
    impostor: bool,
}

impl Side {
    /// Whether tags mean this cluster when they name this id.
    pub(super) fn is_called(&self, id: &str) -> bool {
        self.uid.as_deref() == Some(id) || self.tag_ids.iter().any(|known| known == id)
    }
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) readings: BTreeMap<Sort, Reading>,
}

/// Everything that a run saw of what is no volume. Begins knowing that nothing was read.
#[derive(Debug)]
pub struct Leftovers {
    pub(super) clusters: Vec<Side>,
    pub(super) scopes: Vec<Place>,
    pub(super) candidates: Vec<Candidate>,
    by_resource: HashMap<Resource, usize>,
    /// Candidates by what objects call them.
    by_name: HashMap<Name, Vec<usize>>,
    protect: Protect,
}

impl Leftovers {
    /// A world of the policy's clusters of which nothing is known yet.
    pub fn new(policy: &Policy) -> Self {
        let clusters = policy.clusters.iter().map(|named| Side {
            name: named.name.clone(),
            uid: named.uid.clone(),
            tag_ids: named.tag_ids.clone(),
            readings: BTreeMap::new(),
            impostor: false,
        });
        Self {
            clusters: clusters.collect(),
            scopes: Vec::new(),
            candidates: Vec::new(),
            by_resource: HashMap::new(),
            by_name: HashMap::new(),
            protect: policy.protect.clone(),
        }
    }

    /// Names a scope of a cloud. Nothing of it is read yet.
    pub fn scope(&mut self, name: &str) -> ScopeIndex {
        let known = self.scopes.iter().position(|scope| scope.name == name);
        let index = known.unwrap_or_else(|| {
            self.scopes.push(Place {
                name: name.to_owned(),
                readings: Sort::ALL.into_iter().map(|sort| (sort, Reading::Not)).collect(),
            });
            self.scopes.len() - 1
        });
        ScopeIndex(u16::try_from(index).unwrap_or(u16::MAX))
    }

    /// Says that a sort of a scope was listed to its end. `began` is the time before the first call.
    pub fn sort_read(&mut self, scope: ScopeIndex, sort: Sort, began: Timestamp) {
        self.set_reading(scope, sort, Reading::Complete { began });
    }

    /// Says that a sort of a scope could not be listed to its end.
    pub fn sort_failed(&mut self, scope: ScopeIndex, sort: Sort, why: impl Into<String>) {
        self.set_reading(scope, sort, Reading::Failed { why: why.into() });
    }

    fn set_reading(&mut self, scope: ScopeIndex, sort: Sort, reading: Reading) {
        self.scopes[usize::from(scope.0)].readings.insert(sort, reading);
    }

    /// Takes in a load balancer. `monthly` is what it costs, in US dollars a month, where that is known.
    pub fn add_balancer(&mut self, scope: ScopeIndex, balancer: &LoadBalancer, monthly: Option<f64>) {
        let facts = Balancer::of(&balancer.tags);
        let protected = protect::of_thing(
            &self.protect,
            &balancer.tags,
            &[&balancer.id, &balancer.name, &balancer.hostname],
            facts.namespaces(),
        );
        let keys = facts.keys(balancer);
        let resource = Resource::LoadBalancer(balancer.id.clone());
        let candidate = Candidate {
            name: balancer.name.clone(),
            created: balancer.created,
            protected,
            ..Candidate::new(resource, scope, Facts::Balancer(facts), &balancer.tags, monthly)
        };
        self.put(candidate, keys);
    }

    /// Takes in a target group. It costs nothing.
    pub fn add_target_group(&mut self, scope: ScopeIndex, group: &TargetGroup) {
        let facts = Group::of(group);
        let names = [group.id.as_str(), group.name.as_str()];
        let protected = protect::of_thing(&self.protect, &group.tags, &names, facts.maker.namespaces());
        let keys = facts.keys(group);
        let resource = Resource::TargetGroup(group.id.clone());
        let candidate = Candidate {
            name: group.name.clone(),
            protected,
            ..Candidate::new(resource, scope, Facts::Group(facts), &group.tags, Some(0.0))
        };
        self.put(candidate, keys);
    }

    /// Takes in a storage account. One that holds nothing costs nothing.
    pub fn add_holder(&mut self, scope: ScopeIndex, holder: &Holder) {
        let protected = protect::of_thing(&self.protect, &holder.tags, &[&holder.id, &holder.name], []);
        let (resource, facts) = (Resource::Holder(holder.id.clone()), Facts::Account(Account::of(holder)));
        let candidate = Candidate {
            name: holder.name.clone(),
            created: holder.created,
            protected,
            ..Candidate::new(resource, scope, facts, &holder.tags, Some(0.0))
        };
        self.put(candidate, vec![Name::Word(holder.name.to_ascii_lowercase())]);
    }

    /// Takes in what a volume can be brought back from. Only snapshots that say when they expire become candidates: the others
    /// are nobody's business here.
    pub fn add_recoverable(&mut self, scope: ScopeIndex, recoverable: &Recoverable, monthly: Option<f64>) {
        let Some((id, facts)) = Expiring::of(recoverable) else {
            return;
        };
        let protected = protect::of_thing(&self.protect, &recoverable.tags, &[id, &recoverable.volume.0], []);
        let (resource, facts) = (Resource::Snapshot(id.to_owned()), Facts::Snapshot(facts));
        let candidate = Candidate {
            name: id.to_owned(),
            gib: recoverable.size_gib,
            created: recoverable.taken,
            protected,
            ..Candidate::new(resource, scope, facts, &recoverable.tags, monthly)
        };
        self.put(candidate, vec![Name::Word(id.to_ascii_lowercase())]);
    }

    fn put(&mut self, candidate: Candidate, keys: Vec<Name>) {
        let index = self.by_resource.get(&candidate.resource).copied();
        let index = index.unwrap_or(self.candidates.len());
        self.by_resource.insert(candidate.resource.clone(), index);
        for key in keys {
            let of_key = self.by_name.entry(key).or_default();
            if !of_key.contains(&index) {
                of_key.push(index);
            }
        }
        match self.candidates.get_mut(index) {
            Some(known) => *known = candidate,
            None => self.candidates.push(candidate),
        }
    }

    /// The kinds that have to be read in every cluster before the candidates can be judged.
    pub fn wants(&self, now: Timestamp) -> BTreeSet<Kind> {
        let open = self.candidates.iter().filter(|candidate| candidate.may_be_orphan(now));
        open.flat_map(|candidate| candidate.facts.depends_on())
            .copied()
            .collect()
    }

    /// Says which cluster answered, before any of its objects is added. Where the policy pins another UID, nothing of it counts
    /// as read from here on.
    pub fn identify(&mut self, cluster: ClusterIndex, uid: &str) {
        let side = &mut self.clusters[usize::from(cluster.0)];
        match &side.uid {
            Some(pinned) if pinned != uid => {
                side.impostor = true;
                let why = format!("another cluster answered: its UID is {uid}, and the policy says {pinned}");
                self.unreachable(cluster, &why);
            }
            _ => side.uid = Some(uid.to_owned()),
        }
    }

    /// Says that a kind of the cluster was listed to its end, or is not served. `began` is the time before the first call.
    pub fn read_whole(&mut self, cluster: ClusterIndex, kind: Kind, began: Timestamp) {
        let side = &mut self.clusters[usize::from(cluster.0)];
        if !side.impostor {
            side.readings.insert(kind, Reading::Complete { began });
        }
    }

    /// Says that a kind could not be read to its end.
    pub fn failed(&mut self, cluster: ClusterIndex, kind: Kind, why: impl Into<String>) {
        let side = &mut self.clusters[usize::from(cluster.0)];
        if !side.impostor {
            side.readings.insert(kind, Reading::Failed { why: why.into() });
        }
    }

    /// Says that a cluster does not answer at all.
    pub fn unreachable(&mut self, cluster: ClusterIndex, why: &str) {
        let readings = &mut self.clusters[usize::from(cluster.0)].readings;
        for kind in Kind::ALL {
            readings.insert(kind, Reading::Failed { why: why.to_owned() });
        }
    }

    /// Takes in an object of any kind: what it says for candidates is kept, and nothing else of it.
    pub fn add(&mut self, cluster: ClusterIndex, object: &Object) {
        let side = &self.clusters[usize::from(cluster.0)];
        names::each(object, |name, hint| {
            for index in self.by_name.get(name).into_iter().flatten() {
                let candidate = &mut self.candidates[*index];
                let sign = candidate.facts.sign(hint, object, side);
                candidate.sign = candidate.sign.take().max(sign);
            }
        });
    }

    pub(super) fn find(&self, resource: &Resource) -> Option<&Candidate> {
        self.by_resource.get(resource).map(|index| &self.candidates[*index])
    }

    /// Whether a listing of the scope that came to its end does not have the thing; `None` where none did.
    pub fn is_gone(&self, scope: &str, resource: &Resource) -> Option<bool> {
        let scope = self.scopes.iter().find(|known| known.name == scope)?;
        let whole = matches!(scope.readings.get(&Sort::of(resource)?)?, Reading::Complete { .. });
        whole.then(|| self.find(resource).is_none())
    }

    /// Everything that verdicts depend on and that was not read, or not lately.
    pub fn gaps(&self, policy: &Policy, now: Timestamp) -> Vec<Gap> {
        let fresh = Freshness {
            now,
            stale_after: policy.stale_after,
        };
        let wanted = self.wants(now);
        let scopes = self.scopes.iter().flat_map(|scope| {
            scope.readings.iter().filter_map(move |(sort, reading)| {
                Some(Gap {
                    place: scope.name.clone(),
                    what: sort.to_string(),
                    why: reading.problem(None, fresh)?,
                })
            })
        });
        let clusters = self.clusters.iter().flat_map(|side| {
            wanted.iter().filter_map(move |kind| {
                Some(Gap {
                    place: format!("cluster {}", side.name),
                    what: kind.to_string(),
                    why: side.problem(*kind, fresh)?,
                })
            })
        });
        scopes.chain(clusters).collect()
    }
}

impl Side {
    /// Why absence of a kind cannot be told.
    pub(super) fn problem(&self, kind: Kind, fresh: Freshness) -> Option<String> {
        self.readings.get(&kind).unwrap_or(&Reading::Not).problem(None, fresh)
    }
}

impl Candidate {
    fn new(resource: Resource, scope: ScopeIndex, facts: Facts, tags: &Tags, monthly: Option<f64>) -> Self {
        let written = tags.get(tag_names::UNUSED);
        Self {
            resource,
            name: String::new(),
            scope,
            facts,
            gib: 0,
            monthly: monthly.filter(|cost| cost.is_finite() && *cost >= 0.0),
            created: None,
            protected: None,
            marked: written
                .and_then(|text| text.parse::<Mark>().ok())
                .map(|mark| mark.since),
            has_mark: written.is_some(),
            sign: None,
        }
    }
}
