//! What is true of a volume, from how the world was made.

use super::truth::{Claim, Made, Tagging, Truth};

/// Whether anybody may want the volume, in any cluster, whatever a run can see.
pub(crate) fn is_live(truth: &Truth, index: usize) -> bool {
    let volume = &truth.volumes[index];
    if volume.attached || volume.protected {
        return true;
    }
    let clusters = 0..truth.clusters.len();
    let mut live = clusters.clone().any(|cluster| {
        let place = &truth.clusters[cluster];
        let mut pvs = place.pvs.iter().filter(|pv| pv.volume == index);
        pvs.any(|pv| {
            if volume.attaching {
                return true;
            }
            let reserved = |claim: &&Claim| {
                let Some((namespace, name, uid)) = &pv.claim else {
                    return false;
                };
                let same = claim.namespace == *namespace && claim.name == *name;
                same && uid.as_ref().is_none_or(|uid| *uid == claim.uid)
            };
            let naming = |claim: &&Claim| claim.volume_name.as_ref() == Some(&pv.name);
            let mut claims = place
                .claims
                .iter()
                .filter(|claim| reserved(claim) || naming(claim))
                .peekable();
            // Without a claim it is live where the next claim may get it.
            let waits = pv.claim.as_ref().is_none_or(|(_, _, uid)| uid.is_none());
            if claims.peek().is_none() {
                return waits;
            }
            claims.any(|claim| is_wanted(truth, cluster, claim))
        })
    });
    if let Some((cluster, uid)) = &volume.made_by {
        let claims = &truth.clusters[*cluster].claims;
        let waiting = claims.iter().find(|claim| claim.uid == *uid).filter(|claim| {
            let pv = claim
                .volume_name
                .as_ref()
                .and_then(|name| truth.pv_named(*cluster, name));
            pv.is_none()
        });
        live |= waiting.is_some_and(|claim| is_wanted(truth, *cluster, claim));
    }
    live
}

/// Whether somebody uses a claim or may want it back.
fn is_wanted(truth: &Truth, cluster: usize, claim: &Claim) -> bool {
    let place = &truth.clusters[cluster];
    let used = place
        .users
        .iter()
        .any(|user| user.namespace == claim.namespace && user.claim == claim.name);
    let sets = truth.set_names(cluster);
    let mut sets = sets.values().filter(|set| set.namespace == claim.namespace);
    let by_set = sets.any(|set| {
        let made = (0..64).any(|ordinal| claim.name == format!("{}-{}-{ordinal}", set.template, set.name));
        made || claim.made.set() == Some(set.name)
    });
    claim.protected || used || by_set || claim.made == Made::Hand
}

/// Whether a claim of a cluster that the policy names made the volume.
pub(crate) fn is_ours(truth: &Truth, index: usize) -> bool {
    let volume = &truth.volumes[index];
    let maker = volume.made_by.as_ref();
    maker.is_some_and(|(cluster, _)| *cluster != truth.stranger) && !matches!(volume.tagging, Tagging::Trap(_))
}

/// Whether everything that proves it can be read, so that it has to go.
pub(crate) fn is_provable(truth: &Truth, index: usize) -> bool {
    let volume = &truth.volumes[index];
    let Some((maker, uid)) = &volume.made_by else {
        return false;
    };
    if !is_ours(truth, index) {
        return false;
    }
    let named = (0..truth.stranger).flat_map(|cluster| truth.clusters[cluster].pvs.iter().map(move |pv| (cluster, pv)));
    let mut pointers = named.filter(|(_, pv)| pv.volume == index);
    // What two clusters point to is nobody's to judge.
    let elsewhere = pointers.clone().any(|(cluster, _)| cluster != *maker);
    let says_so = volume.tagging != Tagging::Csi;
    let reserved = pointers.any(|(_, pv)| pv.claim.as_ref().is_some_and(|(_, _, own)| own.as_ref() == Some(uid)));
    // A claim that a driver still works for is the driver's.
    let claim = truth.clusters[*maker].claims.iter().find(|claim| claim.uid == *uid);
    let unfinished = claim.is_some_and(|claim| claim.volume_name.is_none());
    // A set whose name the claim's ends with may have made it under another template: that is kept, though the truth knows better.
    let doubtful = (0..truth.stranger).any(|cluster| {
        let sets = truth.set_names(cluster);
        let claims = truth.clusters[cluster].claims.iter();
        claims
            .filter(|claim| points_to(truth, cluster, claim, index))
            .any(|claim| {
                let mut sets = sets.values().filter(|set| set.namespace == claim.namespace);
                sets.any(|set| claim.name.contains(&format!("-{}-", set.name)))
            })
    });
    !elsewhere && (says_so || reserved) && !unfinished && !doubtful
}

fn points_to(truth: &Truth, cluster: usize, claim: &Claim, index: usize) -> bool {
    let pv = claim
        .volume_name
        .as_ref()
        .and_then(|name| truth.pv_named(cluster, name));
    let made = truth.volumes[index].made_by.as_ref();
    pv.map_or_else(
        || made.is_some_and(|(_, uid)| *uid == claim.uid),
        |pv| pv.volume == index,
    )
}
