//! What a claim says of the volume behind it: who uses it, who may want it back, or that the set it was made for is gone.

use super::{Case, Finding};
use crate::coverage::Kind;
use crate::intern::Sym;
use crate::ordinals;
use crate::world::{ClaimRecord, ClusterWorld, Phase, SetRecord, StatefulClaim};

impl Case<'_> {
    /// What a claim says.
    pub(super) fn claim(&mut self, cluster: u16, index: u32) -> Finding {
        let world = self.world;
        let place = world.cluster(cluster);
        let claim = &place.claims[index as usize];
        let what = format!("claim {}/{}", world.text(claim.namespace), world.text(claim.name));
        self.link(
            cluster,
            &Kind::Claims,
            format!("{what} exists, with UID {}", world.text(claim.uid)),
        );
        self.protected = self
            .protected
            .take()
            .or_else(|| Some(world.text(claim.protected.some()?).to_owned()));
        self.used_at(claim.created);
        self.used_at(claim.unused_since);
        if let Some(wanted) = self.wanted(place, claim, &what) {
            return wanted;
        }
        let namespace = world.text(claim.namespace);
        let users = place.readings.keys().filter(|kind| kind.may_use_claims());
        let missing = users
            .into_iter()
            .find_map(|kind| self.missing(cluster, kind, Some(namespace)));
        if let Some(missing) = missing {
            return Finding::Unknown(missing);
        }
        match self.set_is_gone(place, claim) {
            Err(kept) => Finding::Claimed(format!("{what}: {kept}")),
            Ok(gone) => {
                self.link(cluster, &Kind::StatefulSets, gone.clone());
                let since = (claim.unused_since > 0).then_some(" and Kubernetes says that no pod uses it");
                self.link(
                    cluster,
                    &Kind::Pods,
                    format!("nothing refers to {what}{}", since.unwrap_or_default()),
                );
                let target = self.target(cluster, claim.namespace, claim.name, claim.uid);
                if !self.claims.contains(&target) {
                    self.claims.push(target);
                }
                Finding::LeftBehind(format!("{what}: {gone}, and nothing refers to it"))
            }
        }
    }

    /// Who uses the claim or may want it back, as far as was seen.
    fn wanted(&self, place: &ClusterWorld, claim: &ClaimRecord, what: &str) -> Option<Finding> {
        let world = self.world;
        // An object that lives in no namespace may mean a claim of any.
        let places = [claim.namespace, Sym::NONE];
        let users = places.map(|namespace| place.uses.get(&(namespace, claim.name)));
        let user = users.into_iter().flatten().max_by_key(|user| user.now);
        let named = |user: &crate::world::UseRecord| format!("{} {}", world.text(user.kind), world.text(user.name));
        if let Some(user) = user.filter(|user| user.now) {
            return Some(Finding::InUse(format!("{} uses {what}", named(user))));
        }
        if claim.unused_since < 0 {
            return Some(Finding::InUse(format!("Kubernetes says that a pod uses {what}")));
        }
        let by_sets = self.sets_that_make(place, claim).into_iter().map(|(set, ordinal)| {
            let name = format!("{} {}", world.text(set.kind), world.text(set.name));
            let runs = (set.start..set.start.saturating_add(set.replicas)).contains(&i64::from(ordinal));
            if runs {
                Finding::InUse(format!("{name} may start the pod that uses {what}"))
            } else {
                Finding::Claimed(format!("{name} takes {what} back when it is scaled up"))
            }
        });
        let by_user = user.map(|user| Finding::Claimed(format!("{} names {what}", named(user))));
        by_sets.chain(by_user).max()
    }

    /// The sets that make a claim of this name, and the ordinal that it has there, whatever their replicas.
    fn sets_that_make<'w>(&self, place: &'w ClusterWorld, claim: &ClaimRecord) -> Vec<(&'w SetRecord, u32)> {
        let made = ordinals::split(self.world.text(claim.name)).and_then(|(stem, ordinal)| {
            let stem = self.world.names.find(stem)?;
            let sets = place.stems.get(&(claim.namespace, stem))?;
            let sets = sets.iter().map(|set| (&place.sets[*set as usize], ordinal));
            // A set that was made anew under its name while it was read may have other templates now.
            Some(sets.collect())
        });
        made.unwrap_or_default()
    }

    /// What proves that the claim was made for a StatefulSet which is gone; or why that is not proved.
    fn set_is_gone(&self, place: &ClusterWorld, claim: &ClaimRecord) -> Result<String, String> {
        let world = self.world;
        let by_owner = self.owner_is_gone(place, claim)?;
        let Some((stem, _)) = ordinals::split(world.text(claim.name)) else {
            return Err("its name is not one that a StatefulSet gives".to_owned());
        };
        if let StatefulClaim::ByMoorline(set) = claim.stateful {
            if place.set_by_name.contains_key(&(claim.namespace, set)) {
                let set = world.text(set);
                return Err(format!(
                    "StatefulSet {set} is there, though its templates do not name it"
                ));
            }
            if ordinals::may_be_of(stem, world.text(set)) {
                return Ok(format!(
                    "moorline made it for StatefulSet {}, which is gone",
                    world.text(set)
                ));
            }
        }
        if let Some(set) = self.namesake(place, claim, stem) {
            return Err(format!(
                "StatefulSet {set} is there and may have made it with another template"
            ));
        }
        if let Some(set) = by_owner {
            return Ok(format!("its owner, StatefulSet {set}, is gone"));
        }
        if let Some(set) = self.recorded_set(place, claim, stem) {
            return Ok(format!(
                "an earlier run saw StatefulSet {set}, which made it and is gone"
            ));
        }
        if claim.stateful == StatefulClaim::ByController {
            return Ok("a StatefulSet's controller made it, and no StatefulSet that could have is there".to_owned());
        }
        Err("nothing proves that it was made for a StatefulSet that is gone".to_owned())
    }

    /// The set that owned the claim; an error where an owner is there, or cannot be known to be gone.
    fn owner_is_gone(&self, place: &ClusterWorld, claim: &ClaimRecord) -> Result<Option<String>, String> {
        let mut set = None;
        for line in self.world.text(claim.owners).lines() {
            let mut words = line.split(' ');
            let mut word = || words.next().unwrap_or_default();
            let (kind, name, uid) = (word(), word(), word());
            let uid = self.world.names.find(uid).unwrap_or(Sym::NONE);
            if kind != "StatefulSet" || place.set_uids.contains(&uid) {
                return Err(format!("its owner {kind} {name} may want it"));
            }
            set = Some(name.to_owned());
        }
        Ok(set)
    }

    /// A set of the namespace whose name the claim's ends with, whatever its templates are.
    fn namesake(&self, place: &ClusterWorld, claim: &ClaimRecord, stem: &str) -> Option<String> {
        let mut names = stem.match_indices('-').map(|(at, _)| &stem[at + 1..]);
        let name = names.find(|name| {
            let known = self.world.names.find(name).and_then(Sym::some);
            known.is_some_and(|name| place.set_by_name.contains_key(&(claim.namespace, name)))
        })?;
        Some(name.to_owned())
    }

    /// A set that an earlier run saw and that made the claim: its template and name are in the claim's name, and its selector's
    /// labels are on the claim.
    fn recorded_set(&self, place: &ClusterWorld, claim: &ClaimRecord, stem: &str) -> Option<String> {
        let world = self.world;
        let set = self
            .records
            .set_of(world.text(place.uid), world.text(claim.namespace), stem)?;
        let labels = world.text(claim.labels);
        let on_claim = |label: &str| labels.lines().any(|line| line == label);
        let selected = !set.selector.is_empty() && set.selector.lines().all(on_claim);
        selected.then(|| set.name.clone())
    }

    /// The claim for which the volume says it was made, where no PersistentVolume leads there: it may still get the volume.
    pub(super) fn claim_without_pointer(&mut self) -> Option<Finding> {
        let world = self.world;
        let (cluster, index) = *world.claim_by_uid.get(&self.volume.maker.claim_uid.some()?)?;
        let place = world.cluster(cluster);
        let claim = Some(&place.claims[index as usize]).filter(|claim| claim.uid == self.volume.maker.claim_uid)?;
        let pv = place
            .pv_by_name
            .get(&claim.volume_name)
            .map(|pv| &place.pvs[*pv as usize]);
        let target = pv.map(|pv| self.target(cluster, Sym::NONE, pv.name, pv.uid));
        if target.is_some_and(|target| self.persistent_volumes.contains(&target)) {
            return None;
        }
        let name = format!("claim {}/{}", world.text(claim.namespace), world.text(claim.name));
        if claim.phase == Phase::Bound && pv.is_some_and(|pv| pv.readable) {
            // What a call that was sent twice had made beside it.
            self.link(
                cluster,
                &Kind::Claims,
                format!("{name}, for which it was made, has another volume"),
            );
            return None;
        }
        self.clusters.push(cluster);
        match self.claim(cluster, index) {
            Finding::LeftBehind(_) if !claim.ours && claim.phase != Phase::Bound && claim.volume_name.is_none() => {
                self.claims.clear();
                Some(Finding::Claimed(format!(
                    "{name} is not bound: its provisioner may still come to it"
                )))
            }
            finding => Some(finding),
        }
    }
}
