//! The verdict on one candidate. As with volumes, the more alive answer wins, and every doubt keeps.

use jiff::Timestamp;
use moorline_api::{Content, HolderMaker, Object, Resource};

use super::balancers::Balancer;
use super::groups::Group;
use super::holders::Account;
use super::names::Hint;
use super::snapshots::Expiring;
use super::world::{Candidate, Facts, Kind, Leftovers, Side, Sign, Sort};
use crate::coverage::Freshness;
use crate::verdict::Verdict;

/// A verdict, and what decided it.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) why: String,
    /// Why it is not for a run to delete all the same.
    pub(super) withheld: Option<&'static str>,
}

/// Azure's cloud controller takes addresses off its load balancer by itself, at the latest when the next Service changes.
const SHARED: &str =
    "it is part of the load balancer that Azure's cloud controller keeps for all Services, which tidies it up";

type Said = (Verdict, String);

impl Facts {
    /// The kinds whose whole listing a verdict of orphan depends on.
    pub(super) fn depends_on(&self) -> &'static [Kind] {
        match self {
            Self::Balancer(_) => &[Kind::Services, Kind::Ingresses, Kind::Gateways],
            Self::Group(_) => &[Kind::Services, Kind::Ingresses, Kind::TargetGroupBindings],
            Self::Account(_) => &[Kind::StorageClasses, Kind::PersistentVolumes],
            Self::Snapshot(_) => &[Kind::SnapshotContents],
        }
    }

    /// What an object says for a candidate that it means.
    pub(super) fn sign(&self, hint: Hint, object: &Object, side: &Side) -> Option<Sign> {
        let kind = object.str_at(&["kind"]).unwrap_or("an object");
        let namespace = object.namespace().map(|namespace| format!("{namespace}/"));
        let place = format!("{kind} {}{}", namespace.unwrap_or_default(), object.name());
        let place = format!("{place} of cluster {}", side.name);
        match (hint, self) {
            (Hint::Address, _) => Some(Sign::Uses(format!("{place} has its address"))),
            (Hint::Uid, _) => Some(Sign::Uses(format!("its name is of the UID of {place}"))),
            // Every cluster may have a Service of that name.
            (Hint::Maker, Self::Balancer(maker) | Self::Group(Group { maker, .. })) => maker
                .is_of(side)
                .then(|| Sign::Wants(format!("{place} is there, and its tags name it or its like"))),
            (Hint::Mention, Self::Snapshot(_)) => Some(Sign::Uses(format!("{place} names it"))),
            _ => Some(Sign::Wants(format!("{place} names it"))),
        }
    }
}

impl Candidate {
    /// Whether nothing about it says by itself that it stays, so that clusters have to be asked.
    pub(super) fn may_be_orphan(&self, now: Timestamp) -> bool {
        self.protected.is_none()
            && match &self.facts {
                Facts::Balancer(maker) | Facts::Group(Group { maker, .. }) => maker.stays().is_none(),
                Facts::Account(account) => account.stays().is_none(),
                Facts::Snapshot(snapshot) => snapshot.stays(now).is_none(),
            }
    }
}

impl Leftovers {
    pub(super) fn judge(&self, candidate: &Candidate, fresh: Freshness) -> Judgement {
        let (verdict, why) = self.decide(candidate, fresh);
        let shared = matches!(&candidate.facts, Facts::Balancer(balancer) if balancer.shared);
        Judgement {
            verdict,
            why,
            withheld: (shared && verdict.is_unused()).then_some(SHARED),
        }
    }

    fn decide(&self, candidate: &Candidate, fresh: Freshness) -> Said {
        if let Some(Sign::Uses(why)) = &candidate.sign {
            return (Verdict::InUse, why.clone());
        }
        if let Facts::Group(group) = &candidate.facts
            && let Some(balancer) = self.user_of(candidate, group, fresh)
        {
            return (Verdict::InUse, format!("load balancer {balancer} forwards to it"));
        }
        let stays = match &candidate.facts {
            Facts::Balancer(maker) | Facts::Group(Group { maker, .. }) => maker.stays(),
            Facts::Account(account) => account.stays(),
            Facts::Snapshot(snapshot) => snapshot.stays(fresh.now),
        };
        if let Some((Verdict::InUse, why)) = stays {
            return (Verdict::InUse, why);
        }
        if let Some(why) = &candidate.protected {
            return (Verdict::Protected, why.clone());
        }
        if let Some(Sign::Wants(why)) = &candidate.sign {
            return (Verdict::Claimed, why.clone());
        }
        stays
            .or_else(|| Some((Verdict::Unknown, self.missing(candidate, fresh)?)))
            .unwrap_or_else(|| match &candidate.facts {
                Facts::Balancer(balancer) => {
                    self.made_by(balancer, "where that is gone, and nothing shows its address")
                }
                Facts::Group(group) => self.made_by(
                    &group.maker,
                    "where that is gone, and no load balancer that stays forwards to it",
                ),
                Facts::Account(account) => self.account(account),
                Facts::Snapshot(snapshot) => self.snapshot(snapshot),
            })
    }

    /// The first listing that an answer depends on and that was not read. A listing that broke off later has shown the candidate
    /// all the same.
    fn missing(&self, candidate: &Candidate, fresh: Freshness) -> Option<String> {
        let scope = &self.scopes[usize::from(candidate.scope.0)];
        let sort = candidate.facts.sort();
        let reading = scope.readings.get(&sort).filter(|reading| reading.began().is_some());
        let stale = reading.and_then(|reading| reading.problem(None, fresh));
        let stale = stale.map(|problem| format!("{sort} of {} {problem}", scope.name));
        stale.or_else(|| {
            self.clusters.iter().find_map(|side| {
                candidate.facts.depends_on().iter().find_map(|kind| {
                    let problem = side.problem(*kind, fresh)?;
                    Some(format!("{kind} of cluster {} {problem}", side.name))
                })
            })
        })
    }

    /// The first load balancer that forwards to a group and that is not itself to go. One that a whole listing does not have is gone; one
    /// of which nobody knows uses it.
    fn user_of<'a>(&'a self, candidate: &Candidate, group: &'a Group, fresh: Freshness) -> Option<&'a str> {
        let readings = &self.scopes[usize::from(candidate.scope.0)].readings;
        let listed_whole = readings
            .get(&Sort::LoadBalancers)
            .is_some_and(|reading| reading.problem(None, fresh).is_none());
        group.balancers.iter().find_map(|id| match self.balancer(id) {
            Some(balancer) => (!self.judge(balancer, fresh).verdict.is_unused()).then_some(&*balancer.name),
            None => (!listed_whole).then_some(id),
        })
    }

    /// The load balancers that forward to a thing and that the cloud still lists.
    pub(super) fn balancers_of<'a>(&'a self, candidate: &'a Candidate) -> impl Iterator<Item = &'a Candidate> {
        let group = match &candidate.facts {
            Facts::Group(group) => Some(group),
            _ => None,
        };
        let ids = group.into_iter().flat_map(|group| &group.balancers);
        ids.filter_map(|id| self.balancer(id))
    }

    fn balancer(&self, id: &str) -> Option<&Candidate> {
        self.find(&Resource::LoadBalancer(id.to_owned()))
    }

    /// No object means it, and everything was read.
    fn made_by(&self, balancer: &Balancer, gone: &str) -> Said {
        if let Some(stranger) = balancer.clusters.iter().find(|id| !self.is_named(id)) {
            return (Verdict::Foreign, unnamed(stranger));
        }
        let made_for = balancer.made_for().unwrap_or_default();
        let cluster = balancer.clusters.join(", ");
        let why = format!("it was made for {made_for} of cluster {cluster}, {gone}");
        (Verdict::Orphan, why)
    }

    fn account(&self, account: &Account) -> Said {
        match &account.maker {
            HolderMaker::Moorline { cluster } if !self.is_named(cluster) => (Verdict::Foreign, unnamed(cluster)),
            HolderMaker::Moorline { .. } => (Verdict::Orphan, empty("moorline")),
            HolderMaker::Driver(driver) => (Verdict::Orphan, empty(driver)),
            HolderMaker::Unknown => (Verdict::Foreign, MADE_BY_NOBODY.to_owned()),
        }
    }

    fn snapshot(&self, snapshot: &Expiring) -> Said {
        let expires = snapshot.expires.map(|expires| expires.to_string()).unwrap_or_default();
        match &snapshot.cluster {
            Some(cluster) if self.is_named(cluster) => {
                let why = format!("it was kept until {expires}, and no VolumeSnapshotContent names it");
                (Verdict::Orphan, why)
            }
            Some(cluster) => (Verdict::Foreign, unnamed(cluster)),
            None => (
                Verdict::Foreign,
                "no tag says for which cluster it was taken".to_owned(),
            ),
        }
    }

    fn is_named(&self, id: &str) -> bool {
        self.clusters.iter().any(|side| side.is_called(id))
    }
}

const MADE_BY_NOBODY: &str = "nothing says that moorline or a driver made it";

fn unnamed(cluster: &str) -> String {
    format!("its tags name cluster {cluster}, which the policy does not")
}

fn empty(maker: &str) -> String {
    format!("{maker} made it, it holds nothing, and no StorageClass or PersistentVolume names it")
}

impl Balancer {
    /// Why it stays, as far as it says so itself.
    fn stays(&self) -> Option<Said> {
        let why = if self.made_for().is_none() {
            "no tag says for which Service or Ingress it was made"
        } else if self.clusters.is_empty() {
            "no tag says for which cluster it was made"
        } else {
            return None;
        };
        Some((Verdict::Foreign, why.to_owned()))
    }
}

impl Account {
    fn stays(&self) -> Option<Said> {
        match (&self.content, &self.maker) {
            (Content::Something(what), _) => Some((Verdict::InUse, format!("it holds {what}"))),
            (_, HolderMaker::Unknown) => Some((Verdict::Foreign, MADE_BY_NOBODY.to_owned())),
            (Content::Unread(why), _) => {
                let why = format!("what it holds could not be read: {why}");
                Some((Verdict::Unknown, why))
            }
            (Content::Nothing, _) => None,
        }
    }
}

impl Expiring {
    fn stays(&self, now: Timestamp) -> Option<Said> {
        if !self.ours {
            let why = "it says that it is of another volume, as a copy does".to_owned();
            return Some((Verdict::Foreign, why));
        }
        match self.expires {
            None => Some((Verdict::Foreign, "what it says of its expiry is no time".to_owned())),
            Some(expires) if expires > now => Some((Verdict::Claimed, format!("it is kept until {expires}"))),
            Some(_) if !self.ready => Some((Verdict::InUse, "it is still being taken".to_owned())),
            Some(_) => None,
        }
    }
}
