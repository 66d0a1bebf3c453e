//! What `down` and a shrinking set do with claims and the volumes behind them.

use std::collections::{BTreeMap, BTreeSet};

use moorline_api::{Error, ErrorKind, ListQuery, Object, ObjectRef, ReclaimPolicy, ResourceKind, Volume, VolumeState};
use moorline_profile::{OnDown, Profile, Retention, SetClaims};

use super::evidence::{Pointers, foreign};
use crate::context::Context;
use crate::error::EngineError;
use crate::fold::{ClaimView, Key, PvView, claims_of_pod, is_owned_by, string_map};
use crate::observe::{self, CloudVolumes, Site};
use crate::outcome::Fate;
use crate::plan::{ClaimRemoval, DownPlan, Removal, VolumeFate};
use crate::readiness;
use crate::status::set_of;

/// Plans every claim of the profile, and PersistentVolumes that an interrupted `down` left. `kept` are objects that the
/// profile names and someone else made.
pub(super) async fn claims(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    kept: &BTreeSet<ObjectRef>,
    plan: &mut DownPlan,
) -> Result<(), EngineError> {
    let namespaces = observe::namespaces(profile);
    let live = observe::claims(ctx, &namespaces).await?;
    let strangers = strangers(ctx, profile, kept, &namespaces).await?;
    let owners = Owners::of(profile, kept, &plan.objects, &live);
    let mut names = Vec::new();
    for (key, claim) in &live {
        let why = match owners.of_claim(key, claim) {
            Ownership::Unrelated => continue,
            Ownership::Others(why) => Some(why),
            Ownership::Ours => strangers
                .get(key)
                .map(|pod| format!("pod {pod}, which is not this profile's, uses it")),
        };
        match why {
            None => names.push(key.clone()),
            Some(why) => plan.keeps.push(Fate {
                what: format!("persistentvolumeclaims {}/{}", key.0, key.1),
                why,
            }),
        }
    }
    plan.claims = removals_of(ctx, profile, site, names, profile.on_down).await?;
    left_by_a_former_run(ctx, profile, &live, plan).await?;
    Ok(())
}

/// Whose a claim is.
enum Ownership {
    /// It has nothing to do with the profile.
    Unrelated,
    /// It bears a name of the profile and is not its to delete.
    Others(String),
    /// It goes with the profile.
    Ours,
}

/// What tells whose a claim is.
struct Owners<'a> {
    profile: &'a Profile,
    standalone: BTreeSet<Key>,
    /// Sets in the cluster that someone else made.
    kept: BTreeSet<Key>,
    /// Sets that moorline made: they are in the cluster, or one of their claims bears the profile's label.
    made: BTreeSet<Key>,
}

impl<'a> Owners<'a> {
    fn of(
        profile: &'a Profile,
        kept: &BTreeSet<ObjectRef>,
        going: &[Removal],
        live: &BTreeMap<Key, ClaimView>,
    ) -> Self {
        let set = |target: &ObjectRef| {
            let is_set = target.resource.gvk.is("apps", "StatefulSet");
            is_set.then(|| (target.namespace.clone().unwrap_or_default(), target.name.clone()))
        };
        let by_claim = live
            .iter()
            .filter(|(_, claim)| claim.profile() == Some(&*profile.name))
            .filter_map(|(key, _)| set_of(profile, key))
            .map(|(set, _)| (set.namespace.clone(), set.name.clone()));
        let claims = profile.claims.iter();
        Self {
            profile,
            standalone: claims.map(|c| (c.namespace.clone(), c.name.clone())).collect(),
            kept: kept.iter().filter_map(set).collect(),
            made: going
                .iter()
                .filter_map(|removal| set(&removal.target))
                .chain(by_claim)
                .collect(),
        }
    }

    /// The StatefulSet controller makes claims without a label (`kubectl scale`): those are ours when their set is.
    fn of_claim(&self, key: &Key, claim: &ClaimView) -> Ownership {
        let labelled = claim.profile() == Some(&*self.profile.name);
        let standalone = self.standalone.contains(key);
        let set = set_of(self.profile, key)
            .filter(|(set, _)| labelled || readiness::selects(&set.match_labels, &claim.labels))
            .map(|(set, _)| (set.namespace.clone(), set.name.clone()));
        if !labelled && !standalone && set.is_none() {
            return Ownership::Unrelated;
        }
        if let Some(owner) = claim.profile().filter(|owner| *owner != self.profile.name) {
            return Ownership::Others(format!("it belongs to profile {owner}"));
        }
        if let Some((_, name)) = set.as_ref().filter(|set| self.kept.contains(set)) {
            return Ownership::Others(format!("StatefulSet {name}, which moorline did not make, may want it"));
        }
        if labelled || set.is_some_and(|set| self.made.contains(&set)) {
            return Ownership::Ours;
        }
        Ownership::Others("moorline did not make it; kubectl delete it if it should go".to_owned())
    }
}

/// Claims that pods outside the profile mount, with one such pod each.
async fn strangers(
    ctx: &Context,
    profile: &Profile,
    kept: &BTreeSet<ObjectRef>,
    namespaces: &BTreeSet<String>,
) -> Result<BTreeMap<Key, String>, Error> {
    let goes = |object: &Object, namespace: &str| {
        let gvk = object.gvk();
        let same = |target: &&ObjectRef| {
            target.resource.gvk.is(&gvk.group, &gvk.kind)
                && target.namespace.as_deref() == Some(namespace)
                && target.name == object.name()
        };
        !kept.iter().any(|target| same(&target))
    };
    let selectors: Vec<(String, BTreeMap<String, String>)> = profile
        .manifests
        .iter()
        .filter(|m| goes(&m.object, m.object.namespace().unwrap_or(&profile.namespace)))
        .map(|m| {
            (
                m.object.namespace().unwrap_or(&profile.namespace).to_owned(),
                string_map(&m.object, &["spec", "selector", "matchLabels"]),
            )
        })
        .collect();
    let mut found = BTreeMap::new();
    for namespace in namespaces {
        let keep = |pod: Object| {
            let labels = string_map(&pod, &["metadata", "labels"]);
            let ours = selectors
                .iter()
                .any(|(of, selector)| of == namespace && readiness::selects(selector, &labels));
            let finished = matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"));
            let claims: Vec<Key> = pod
                .at(&["spec"])
                .map(|spec| {
                    claims_of_pod(spec)
                        .map(|name| (namespace.clone(), name.to_owned()))
                        .collect()
                })
                .unwrap_or_default();
            (!ours && !finished && !claims.is_empty()).then(|| (pod.name().to_owned(), claims))
        };
        let (pods, _) = observe::list(ctx, ListQuery::within(ResourceKind::pod(), namespace), keep).await?;
        for (pod, claims) in pods {
            found.extend(claims.into_iter().map(|claim| (claim, format!("{namespace}/{pod}"))));
        }
    }
    Ok(found)
}

/// What becomes of these claims and the volumes behind them; claims that do not exist are left out.
pub(crate) async fn removals_of(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    names: Vec<Key>,
    on_down: OnDown,
) -> Result<Vec<ClaimRemoval>, EngineError> {
    let namespaces: BTreeSet<String> = names.iter().map(|(namespace, _)| namespace.clone()).collect();
    let live = observe::claims(ctx, &namespaces).await?;
    let claims: Vec<&ClaimView> = names.iter().filter_map(|key| live.get(key)).collect();
    let pvs = observe::persistent_volumes(
        ctx,
        claims
            .iter()
            .map(|c| c.volume_name.clone())
            .filter(|name| !name.is_empty())
            .collect(),
    )
    .await?;
    // Without a cloud nothing can be deleted there; the tags of what moorline did not make are nothing to hold against it.
    let ids = pvs.values().filter_map(|pv| pv.volume.clone()).collect();
    let (volumes, pointers) = match &site.account {
        Some(_) if !claims.is_empty() => futures::try_join!(
            CloudVolumes::read(ctx, &site.cluster.uid, &profile.name, ids),
            Pointers::read(ctx)
        )?,
        _ => Default::default(),
    };
    let removals = |claim: &&ClaimView| {
        // A PersistentVolume that is reserved for another claim, or another life of this one, is not this claim's.
        let pv = pvs
            .get(&claim.volume_name)
            .filter(|pv| pv.claim_uid.as_deref().is_none_or(|uid| uid == claim.uid) && pv.claim == Some(claim.key()));
        let claim_name = format!("{}/{}", claim.namespace, claim.name);
        let volume = pv.map_or_else(
            || alive_first(&volumes.of_claim(&claim.uid)).map(|volume| volume.id.clone()),
            |pv| pv.volume.clone(),
        );
        let not_its_own = volume.as_ref().and_then(|id| {
            let tagged = volumes.get(id);
            let foreign = tagged.and_then(|v| foreign(v, &site.cluster.uid, &claim_name, Some(&claim.uid)));
            foreign.or_else(|| pointers.shared(id, pv.map(|pv| &*pv.name)))
        });
        let class = profile.classes.get(&claim.class).map(|class| class.reclaim_policy);
        let decided = if claim.phase == "Lost" && on_down == OnDown::ReclaimPolicy {
            // It had data, and its PersistentVolume, with the policy for them, is gone.
            fate(on_down, None, None)
        } else {
            fate(on_down, pv, class)
        };
        // A PersistentVolume that nobody can read may name any of them.
        let is_unreadable = pv.is_some_and(|pv| pv.volume.is_none());
        let spares = volumes
            .of_claim(&claim.uid)
            .into_iter()
            .filter(|_| !is_unreadable)
            .filter(|spare| !matches!(spare.state, VolumeState::Deleting | VolumeState::Deleted))
            .filter(|spare| Some(&spare.id) != volume.as_ref() && pointers.shared(&spare.id, None).is_none())
            .filter(|spare| foreign(spare, &site.cluster.uid, &claim_name, Some(&claim.uid)).is_none());
        let spares: Vec<ClaimRemoval> = spares
            .map(|spare| spare_removal(&claim_name, spare, &decided))
            .collect();
        let (fate, why) = not_its_own.map_or(decided, |why| (VolumeFate::Keep, why));
        let target = ObjectRef::new(ResourceKind::claim(), &claim.namespace, &claim.name);
        let own = ClaimRemoval {
            claim: Some(Removal {
                target,
                uid: claim.uid.clone(),
            }),
            claim_name,
            volume,
            persistent_volume: pv.map(pv_removal),
            reclaim_policy: pv.map(|pv| pv.reclaim),
            fate,
            why,
        };
        std::iter::once(own).chain(spares)
    };
    Ok(claims.iter().flat_map(removals).collect())
}

/// What an earlier run that made a set smaller under `whenScaled: Delete` did not finish: claims beyond `replicas` that are on
/// their way out, and volumes whose claims are gone. Where the controller has not got so far as to delete a claim, its pod is still
/// there or owns it. Any other claim that is alive was kept on purpose.
pub(crate) async fn unfinished(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    set: &SetClaims,
    replicas: u32,
) -> Result<Vec<ClaimRemoval>, EngineError> {
    let wanted = set.ordinals(replicas);
    let is_lost = |key: &Key| {
        set_of(profile, key).is_some_and(|(of, ordinal)| {
            of.name == set.name && of.namespace == set.namespace && !wanted.contains(&ordinal)
        })
    };
    let namespaces = BTreeSet::from([set.namespace.clone()]);
    // Pods are read first: one that goes meanwhile leaves its claim owned by it.
    let mounted = mounted_by(ctx, set).await?;
    let (live, pvs) = futures::try_join!(
        observe::claims(ctx, &namespaces),
        observe::labelled_persistent_volumes(ctx, &profile.name)
    )?;
    let is_there = |name: &str| pvs.iter().any(|pv| pv.name == name);
    let goes = |claim: &ClaimView| {
        claim.terminating
            || claim.goes_with_its_pod
            || mounted.contains(&claim.key())
            || (set.when_scaled == Retention::Delete && claim.is_half_made(&profile.name, is_there))
    };
    let going = live.values().filter(|claim| goes(claim) && is_lost(&claim.key()));
    let mut left = removals_of(
        ctx,
        profile,
        site,
        going.map(ClaimView::key).collect(),
        OnDown::ReclaimPolicy,
    )
    .await?;
    for pv in pvs.iter().filter(|pv| pv.phase != "Bound") {
        let Some(claim) = pv.claim.as_ref().filter(|claim| is_lost(claim)) else {
            continue;
        };
        let (fate, why) = fate(OnDown::ReclaimPolicy, Some(pv), None);
        let is_alive = live
            .get(claim)
            .is_some_and(|claim| Some(&*claim.uid) == pv.claim_uid.as_deref());
        if !is_alive && fate != VolumeFate::Keep {
            left.push(begun_earlier(pv, claim, (fate, &why)));
        }
    }
    Ok(left)
}

/// The claims that pods of a set mount.
async fn mounted_by(ctx: &Context, set: &SetClaims) -> Result<BTreeSet<Key>, Error> {
    let keep = |pod: Object| is_owned_by(&pod, "StatefulSet", Some(&set.name)).then_some(pod);
    let query = ListQuery::within(ResourceKind::pod(), &set.namespace);
    let (pods, _) = observe::list(ctx, query, keep).await?;
    let claims = pods.iter().filter_map(|pod| pod.at(&["spec"])).flat_map(claims_of_pod);
    Ok(claims.map(|name| (set.namespace.clone(), name.to_owned())).collect())
}

/// What is left where an earlier run has deleted the claim already, and was cut short.
pub(super) fn begun_earlier(pv: &PvView, (namespace, name): &Key, (fate, why): (VolumeFate, &str)) -> ClaimRemoval {
    ClaimRemoval {
        claim: None,
        claim_name: format!("{namespace}/{name}"),
        persistent_volume: Some(pv_removal(pv)),
        reclaim_policy: Some(pv.reclaim),
        volume: pv.volume.clone(),
        fate,
        why: format!("{why}; an earlier run began it"),
    }
}

/// Another volume that was made for this life of a claim, by a call that was sent twice where the cloud ignores its token,
/// and that no PersistentVolume names: nothing could ever use it, and nothing but its tags points to it.
fn spare_removal(claim_name: &str, spare: &Volume, (fate, why): &(VolumeFate, String)) -> ClaimRemoval {
    ClaimRemoval {
        claim: None,
        claim_name: claim_name.to_owned(),
        persistent_volume: None,
        reclaim_policy: None,
        volume: Some(spare.id.clone()),
        fate: *fate,
        why: format!("made for it too, and not used; {why}"),
    }
}

/// The volume that a claim without a PersistentVolume would get: failed ones may have been made before it.
fn alive_first<'a>(volumes: &[&'a Volume]) -> Option<&'a Volume> {
    let alive = volumes.iter().find(|volume| volume.state.is_alive());
    alive.or(volumes.first()).copied()
}

pub(super) fn pv_removal(pv: &PvView) -> Removal {
    Removal {
        target: ObjectRef::new(ResourceKind::persistent_volume(), "", pv.name.clone()),
        uid: pv.uid.clone(),
    }
}

/// A volume's fate: what an earlier run decided, else what the profile says, else the reclaim policy; in doubt it is kept.
pub(super) fn fate(on_down: OnDown, pv: Option<&PvView>, class: Option<ReclaimPolicy>) -> (VolumeFate, String) {
    match pv.and_then(|pv| pv.decided.as_deref()) {
        Some("snapshot") => {
            return (
                VolumeFate::SnapshotThenDelete,
                "an earlier down began to snapshot it".to_owned(),
            );
        }
        Some("delete") => return (VolumeFate::Delete, "an earlier down decided: delete".to_owned()),
        Some(decided) => return (VolumeFate::Keep, format!("an earlier down decided: {decided}")),
        None => {}
    }
    match on_down {
        OnDown::Delete => (VolumeFate::Delete, "onDown: delete".to_owned()),
        OnDown::Keep => (VolumeFate::Keep, "onDown: keep".to_owned()),
        OnDown::Snapshot => (VolumeFate::SnapshotThenDelete, "onDown: snapshot".to_owned()),
        OnDown::ReclaimPolicy => match pv.map(|pv| pv.reclaim).or(class) {
            Some(ReclaimPolicy::Delete) => (VolumeFate::Delete, "reclaim policy Delete".to_owned()),
            Some(ReclaimPolicy::Retain) => (VolumeFate::Keep, "reclaim policy Retain".to_owned()),
            None => (VolumeFate::Keep, "its reclaim policy is not known".to_owned()),
        },
    }
}

/// PersistentVolumes of this profile whose claim is gone: a `down` was killed between claim and volume. Those under Retain
/// were kept on purpose.
async fn left_by_a_former_run(
    ctx: &Context,
    profile: &Profile,
    live: &BTreeMap<Key, ClaimView>,
    plan: &mut DownPlan,
) -> Result<(), Error> {
    let pvs = match observe::labelled_persistent_volumes(ctx, &profile.name).await {
        Ok(pvs) => pvs,
        Err(error) if error.kind == ErrorKind::Forbidden => {
            plan.notices.push(format!(
                "volumes that an interrupted down may have left could not be looked for: {error}"
            ));
            plan.incomplete = true;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let planned: BTreeSet<String> = plan
        .claims
        .iter()
        .filter_map(|c| c.persistent_volume.as_ref())
        .map(|pv| pv.target.name.clone())
        .collect();
    for pv in pvs
        .iter()
        .filter(|pv| pv.profile.as_deref() == Some(&*profile.name) && !planned.contains(&pv.name))
    {
        let Some(claim) = &pv.claim else { continue };
        let alive = live
            .get(claim)
            .is_some_and(|claim| Some(&*claim.uid) == pv.claim_uid.as_deref());
        // A claim in a namespace that was not read could be alive: nothing is known about it.
        if alive || pv.phase == "Bound" || !observe::namespaces(profile).contains(&claim.0) {
            continue;
        }
        let (fate, why) = fate(OnDown::ReclaimPolicy, Some(pv), None);
        if fate == VolumeFate::Keep {
            let id = pv.volume.as_ref().map(ToString::to_string).unwrap_or_default();
            plan.keeps.push(Fate {
                what: format!("persistentvolumes {} (volume {id} of {}/{})", pv.name, claim.0, claim.1),
                why,
            });
        } else {
            plan.claims.push(begun_earlier(pv, claim, (fate, &why)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
