//! What a PersistentVolume says of the volume that it names.

use super::{Case, Finding};
use crate::coverage::Kind;
use crate::world::{Phase, PointerRecord, PvRecord};

impl Case<'_> {
    pub(super) fn pointer(&mut self, pointer: &PointerRecord) -> Finding {
        let world = self.world;
        let cluster = world.cluster(pointer.cluster);
        let pv = &cluster.pvs[pointer.pv as usize];
        let name = world.text(pv.name);
        let what = format!("PersistentVolume {name} of cluster {}", cluster.name);
        if pv.uid != pointer.pv_uid {
            return Finding::Unknown(format!("{what} was made anew while it was read"));
        }
        if !pointer.exact {
            return Finding::Claimed(format!("{what} may mean it: its source has the name in it"));
        }
        self.clusters.push(pointer.cluster);
        self.protected = self
            .protected
            .take()
            .or_else(|| Some(world.text(pv.protected.some()?).to_owned()));
        self.link(pointer.cluster, &Kind::PersistentVolumes, describe(&what, pv));
        let none = crate::intern::Sym::NONE;
        let target = self.target(pointer.cluster, none, pv.name, pv.uid);
        self.persistent_volumes.push(target);
        self.retained |= pv.retain;
        self.used_at(pv.created);
        self.used_at(pv.changed);
        if let Some(node) = cluster.attached.get(&pv.name) {
            return Finding::InUse(format!("a VolumeAttachment has {what} on {}", world.text(*node)));
        }
        let claims = self.claims_of(pointer.cluster, pv);
        if claims.is_empty() {
            return self.without_claim(pointer.cluster, pv, &what);
        }
        let findings = claims.into_iter().map(|claim| self.claim(pointer.cluster, claim));
        findings
            .max()
            .unwrap_or_else(|| Finding::Unknown(format!("{what} has no claim and has one")))
    }

    /// The claims that a PersistentVolume is bound to or reserved for, and those that name it.
    fn claims_of(&self, cluster: u16, pv: &PvRecord) -> Vec<u32> {
        let cluster = self.world.cluster(cluster);
        let by_name = cluster.claim_by_name.get(&(pv.claim_namespace, pv.claim_name)).copied();
        let reserved = by_name.filter(|claim| {
            let uid = cluster.claims[*claim as usize].uid;
            pv.claim_uid.is_none() || pv.claim_uid == uid
        });
        let naming = cluster.claims_by_pv.get(&pv.name).into_iter().flatten().copied();
        let naming = naming.filter(|claim| cluster.claims[*claim as usize].volume_name == pv.name);
        let mut claims: Vec<u32> = naming.chain(reserved).collect();
        claims.sort_unstable();
        claims.dedup();
        claims
    }

    fn without_claim(&mut self, cluster: u16, pv: &PvRecord, what: &str) -> Finding {
        let world = self.world;
        let namespace = world.text(pv.claim_namespace);
        if let Some(missing) = self.missing(cluster, &Kind::Claims, Some(namespace)) {
            return Finding::Unknown(missing);
        }
        let claim = format!("{namespace}/{}", world.text(pv.claim_name));
        if pv.claim_name.is_none() {
            return Finding::Claimed(format!("{what} offers it to claims"));
        }
        if pv.claim_uid.is_none() {
            return Finding::Claimed(format!("{what} is reserved for claim {claim}, should it be made"));
        }
        match pv.phase {
            Phase::Released | Phase::Failed => {
                self.link(cluster, &Kind::Claims, format!("claim {claim} of that UID is gone"));
                Finding::Released(format!("{what} is released, and claim {claim} is gone"))
            }
            Phase::Bound | Phase::Other => Finding::Unknown(format!(
                "{what} is not released, and claim {claim} is not there: one was read too early"
            )),
        }
    }
}

fn describe(what: &str, pv: &PvRecord) -> String {
    let phase = match pv.phase {
        Phase::Bound => "Bound",
        Phase::Released => "Released",
        Phase::Failed => "Failed",
        Phase::Other => "neither bound nor released",
    };
    let policy = if pv.retain { "Retain" } else { "Delete" };
    format!("{what} names it; it is {phase}, and its reclaim policy is {policy}")
}
