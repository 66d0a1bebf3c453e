//! What `down` would delete, keep, and leave alone.

use std::collections::{BTreeMap, BTreeSet};

use moorline_api::{Error, ErrorKind, ListQuery, Object, ObjectRef, ReclaimPolicy, ResourceKind};
use moorline_profile::{OnDown, Profile};

use super::turn;
use crate::balancers;
use crate::context::Context;
use crate::error::EngineError;
use crate::event::{Event, Stage};
use crate::fold::{ClaimView, Key, PvView, applied_by_us, claims_of_pod, string_map};
use crate::names;
use crate::observe::{self, Catalog, CloudVolumes, Site};
use crate::outcome::Fate;
use crate::plan::{ClaimRemoval, DownPlan, Removal, VolumeFate};
use crate::preflight;
use crate::readiness;
use crate::status::set_of;

/// Reads cluster and cloud and says what `down` would do. Changes nothing.
pub async fn plan_down(ctx: &Context, profile: &Profile) -> Result<DownPlan, EngineError> {
    ctx.emit(Event::Stage {
        stage: Stage::Observe,
        total: 0,
    });
    tokio::select! {
        plan = observe_and_plan(ctx, profile) => plan,
        () = ctx.stop.cancelled() => Err(EngineError::Interrupted { left: "nothing was changed".to_owned() }),
    }
}

async fn observe_and_plan(ctx: &Context, profile: &Profile) -> Result<DownPlan, EngineError> {
    let site = observe::site(ctx, profile).await?;
    let catalog = Catalog::read(ctx).await?;
    let mut plan = DownPlan {
        profile: profile.name.clone(),
        cluster: site.cluster.clone(),
        account: site.account.clone(),
        objects: Vec::new(),
        claims: Vec::new(),
        load_balancers: Vec::new(),
        keeps: Vec::new(),
        notices: site.notices.clone(),
        incomplete: false,
    };
    let services = objects(ctx, profile, &catalog, &mut plan).await?;
    balancers_of(ctx, &site, &services, &mut plan).await?;
    claims(ctx, profile, &site, &mut plan).await?;
    classes_in_use(ctx, &mut plan).await?;
    preflight::down(ctx, &plan).await?;
    plan.objects
        .sort_by(|a, b| (turn(&a.target), &a.target).cmp(&(turn(&b.target), &b.target)));
    Ok(plan)
}

/// Plans the profile's objects and returns its Services.
async fn objects(
    ctx: &Context,
    profile: &Profile,
    catalog: &Catalog,
    plan: &mut DownPlan,
) -> Result<Vec<Object>, Error> {
    let mut services = Vec::new();
    let mut seen = BTreeSet::new();
    for manifest in &profile.manifests {
        let gvk = manifest.object.gvk();
        if gvk.is("", "PersistentVolumeClaim") {
            continue;
        }
        // A kind that is not served has no objects.
        let Some(kind) = catalog.find(&gvk) else { continue };
        let namespace = manifest.object.namespace().unwrap_or(&profile.namespace);
        let target = ObjectRef::new(kind, namespace, manifest.object.name());
        let Some(live) = ctx.cluster.get(&target).await? else {
            continue;
        };
        seen.insert(target.clone());
        if let Some(why) = not_ours(profile, &live) {
            plan.keeps.push(Fate {
                what: target.to_string(),
                why,
            });
            continue;
        }
        if gvk.is("", "Service") {
            services.push(live.clone());
        }
        plan.objects.push(Removal {
            target,
            uid: live.uid().unwrap_or_default().to_owned(),
        });
    }
    former(ctx, profile, catalog, &seen, plan).await?;
    Ok(services)
}

/// Why an object of the profile is not deleted: someone else made it.
fn not_ours(profile: &Profile, live: &Object) -> Option<String> {
    match live.label(names::PROFILE) {
        Some(owner) if owner != profile.name => Some(format!("it belongs to profile {owner}")),
        None if !applied_by_us(live) => Some("moorline did not make it; kubectl delete it if it should go".to_owned()),
        _ => None,
    }
}

/// Objects that a former version of the profile made.
async fn former(
    ctx: &Context,
    profile: &Profile,
    catalog: &Catalog,
    seen: &BTreeSet<ObjectRef>,
    plan: &mut DownPlan,
) -> Result<(), Error> {
    let selector = format!("{}={}", names::PROFILE, profile.name);
    let same = |a: &ObjectRef, b: &ObjectRef| {
        a.resource.gvk.is(&b.resource.gvk.group, &b.resource.gvk.kind) && a.namespace == b.namespace && a.name == b.name
    };
    let namespaces = observe::namespaces(profile);
    for kind in catalog.deletable().filter(|kind| !crate::up::is_kept(&kind.gvk)) {
        let spaces: Vec<Option<String>> = if kind.namespaced {
            namespaces.iter().cloned().map(Some).collect()
        } else {
            vec![None]
        };
        for namespace in spaces {
            let query = ListQuery {
                resource: kind.clone(),
                namespace,
                labels: Some(selector.clone()),
                fields: None,
            };
            let listed = observe::list(ctx, query, |object| applied_by_us(&object).then_some(object)).await;
            let objects = match listed {
                Ok((objects, _)) => objects,
                Err(error)
                    if matches!(
                        error.kind,
                        ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Unsupported
                    ) =>
                {
                    plan.notices.push(format!(
                        "{} that the profile no longer names could not be looked for: {error}",
                        kind.qualified()
                    ));
                    continue;
                }
                Err(error) => return Err(error),
            };
            for object in objects {
                let target = ObjectRef::new(kind.clone(), object.namespace().unwrap_or_default(), object.name());
                if !seen.iter().any(|known| same(known, &target)) {
                    plan.objects.push(Removal {
                        target,
                        uid: object.uid().unwrap_or_default().to_owned(),
                    });
                }
            }
        }
    }
    Ok(())
}

/// The load balancers of Services that go, by the hostname that each Service shows.
async fn balancers_of(ctx: &Context, site: &Site, services: &[Object], plan: &mut DownPlan) -> Result<(), Error> {
    let hostnames: BTreeSet<String> = services
        .iter()
        .filter_map(balancers::hostname)
        .map(|name| name.to_ascii_lowercase())
        .collect();
    if hostnames.is_empty() || site.account.is_none() {
        return Ok(());
    }
    let listing = balancers::list(ctx).await;
    plan.notices.extend(listing.notices);
    if let Some(error) = listing.failed {
        return Err(error);
    }
    let mine = listing
        .balancers
        .into_iter()
        .filter(|balancer| hostnames.contains(&balancer.hostname.to_ascii_lowercase()));
    plan.load_balancers = mine.map(|balancer| balancer.name).collect();
    Ok(())
}

/// Plans every claim of the profile, and PersistentVolumes that an interrupted `down` left.
async fn claims(ctx: &Context, profile: &Profile, site: &Site, plan: &mut DownPlan) -> Result<(), EngineError> {
    let namespaces = observe::namespaces(profile);
    let live = observe::claims(ctx, &namespaces).await?;
    let standalone: BTreeSet<Key> = profile
        .claims
        .iter()
        .map(|claim| (claim.namespace.clone(), claim.name.clone()))
        .collect();
    let strangers = strangers(ctx, profile, &namespaces).await?;
    let mut names = Vec::new();
    for (key, claim) in &live {
        let labelled = claim.profile() == Some(&*profile.name);
        let of_set = set_of(profile, key).is_some_and(|(set, _)| readiness::selects(&set.match_labels, &claim.labels));
        if !labelled && !of_set && !standalone.contains(key) {
            continue;
        }
        let what = format!("persistentvolumeclaims {}/{}", key.0, key.1);
        if let Some(owner) = claim.profile().filter(|owner| *owner != profile.name) {
            plan.keeps.push(Fate {
                what,
                why: format!("it belongs to profile {owner}"),
            });
        } else if standalone.contains(key) && !labelled {
            plan.keeps.push(Fate {
                what,
                why: "moorline did not make it; kubectl delete it if it should go".to_owned(),
            });
        } else if let Some(pod) = strangers.get(key) {
            plan.keeps.push(Fate {
                what,
                why: format!("pod {pod}, which is not this profile's, uses it"),
            });
        } else {
            names.push(key.clone());
        }
    }
    plan.claims = removals_of(ctx, profile, site, names, profile.on_down).await?;
    left_by_a_former_run(ctx, profile, &live, plan).await?;
    Ok(())
}

/// Claims that pods outside the profile mount, with one such pod each.
async fn strangers(
    ctx: &Context,
    profile: &Profile,
    namespaces: &BTreeSet<String>,
) -> Result<BTreeMap<Key, String>, Error> {
    let selectors: Vec<(String, BTreeMap<String, String>)> = profile
        .manifests
        .iter()
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
    let without_pv = claims.iter().any(|claim| !pvs.contains_key(&claim.volume_name));
    let volumes = match &site.account {
        Some(_) if without_pv => CloudVolumes::read(ctx, &site.cluster.uid, &profile.name, BTreeSet::new()).await?,
        _ => CloudVolumes::default(),
    };
    let removal = |claim: &&ClaimView| {
        // A PersistentVolume that is reserved for another claim, or another life of this one, is not this claim's.
        let pv = pvs
            .get(&claim.volume_name)
            .filter(|pv| pv.claim_uid.as_deref().is_none_or(|uid| uid == claim.uid) && pv.claim == Some(claim.key()));
        let class = profile.classes.get(&claim.class).map(|class| class.reclaim_policy);
        let (fate, why) = fate(on_down, pv, class);
        let target = ObjectRef::new(ResourceKind::claim(), &claim.namespace, &claim.name);
        ClaimRemoval {
            claim: Some(Removal {
                target,
                uid: claim.uid.clone(),
            }),
            claim_name: format!("{}/{}", claim.namespace, claim.name),
            volume: pv.map_or_else(
                || volumes.of_claim(&claim.uid).first().map(|volume| volume.id.clone()),
                |pv| pv.volume.clone(),
            ),
            persistent_volume: pv.map(pv_removal),
            fate,
            why,
        }
    };
    Ok(claims.iter().map(removal).collect())
}

fn pv_removal(pv: &PvView) -> Removal {
    Removal {
        target: ObjectRef::new(ResourceKind::persistent_volume(), "", pv.name.clone()),
        uid: pv.uid.clone(),
    }
}

/// A volume's fate: what an earlier run decided, else what the profile says, else the reclaim policy; in doubt it is kept.
fn fate(on_down: OnDown, pv: Option<&PvView>, class: Option<ReclaimPolicy>) -> (VolumeFate, String) {
    match pv.and_then(|pv| pv.decided.as_deref()) {
        Some("snapshot") => {
            return (
                VolumeFate::SnapshotThenDelete,
                "an earlier down began to snapshot it".to_owned(),
            );
        }
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
        let claim_name = format!("{}/{}", claim.0, claim.1);
        if fate == VolumeFate::Keep {
            let id = pv.volume.as_ref().map(ToString::to_string).unwrap_or_default();
            plan.keeps.push(Fate {
                what: format!("persistentvolumes {} (volume {id} of {claim_name})", pv.name),
                why,
            });
        } else {
            plan.claims.push(ClaimRemoval {
                claim: None,
                claim_name,
                persistent_volume: Some(pv_removal(pv)),
                volume: pv.volume.clone(),
                fate,
                why,
            });
        }
    }
    Ok(())
}

/// A StorageClass that claims outside the profile name stays: they could not be made again without it.
async fn classes_in_use(ctx: &Context, plan: &mut DownPlan) -> Result<(), Error> {
    if !plan
        .objects
        .iter()
        .any(|removal| removal.target.resource.gvk.kind == "StorageClass")
    {
        return Ok(());
    }
    let going: BTreeSet<&str> = plan.claims.iter().map(|claim| &*claim.claim_name).collect();
    let keep = |claim: Object| {
        let view = ClaimView::of(&claim);
        let name = format!("{}/{}", view.namespace, view.name);
        (!going.contains(&*name)).then_some((view.class, name))
    };
    let listed = observe::list(ctx, ListQuery::everywhere(ResourceKind::claim()), keep).await;
    let users: Result<BTreeMap<String, String>, String> = match listed {
        Ok((users, _)) => Ok(users.into_iter().collect()),
        Err(error) if error.kind == ErrorKind::Forbidden => {
            Err(format!("whether other claims use it could not be read: {error}"))
        }
        Err(error) => return Err(error),
    };
    let (mut kept, mut going) = (Vec::new(), Vec::new());
    for removal in std::mem::take(&mut plan.objects) {
        let why = match &users {
            _ if removal.target.resource.gvk.kind != "StorageClass" => None,
            Ok(users) => users
                .get(&removal.target.name)
                .map(|claim| format!("claim {claim} uses it")),
            Err(why) => Some(why.clone()),
        };
        match why {
            Some(why) => kept.push(Fate {
                what: removal.target.to_string(),
                why,
            }),
            None => going.push(removal),
        }
    }
    plan.objects = going;
    plan.keeps.extend(kept);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pv(reclaim: ReclaimPolicy, decided: Option<&str>) -> PvView {
        PvView {
            name: "pv".to_owned(),
            uid: "u".to_owned(),
            phase: "Bound".to_owned(),
            claim: None,
            claim_uid: None,
            reclaim,
            volume: None,
            profile: None,
            decided: decided.map(str::to_owned),
        }
    }

    /// In every cell where something is not known, or was decided otherwise before, the volume is kept.
    #[test]
    fn the_fate_of_a_volume() {
        use OnDown::{Delete as Del, Keep, ReclaimPolicy as Follow, Snapshot};
        use VolumeFate::{Delete, Keep as Kept, SnapshotThenDelete};
        let (delete, retain) = (ReclaimPolicy::Delete, ReclaimPolicy::Retain);
        for (on_down, pv, class, expected) in [
            (Follow, Some(pv(delete, None)), Some(retain), Delete),
            (Follow, Some(pv(retain, None)), Some(delete), Kept),
            (Follow, None, Some(delete), Delete),
            (Follow, None, Some(retain), Kept),
            (Follow, None, None, Kept),
            (Del, Some(pv(retain, None)), None, Delete),
            (Del, Some(pv(retain, Some("keep"))), None, Kept),
            (Follow, Some(pv(retain, Some("snapshot"))), None, SnapshotThenDelete),
            (Del, Some(pv(delete, Some("something-new"))), None, Kept),
            (Keep, Some(pv(delete, None)), None, Kept),
            (Snapshot, Some(pv(delete, None)), None, SnapshotThenDelete),
        ] {
            assert_eq!(
                fate(on_down, pv.as_ref(), class).0,
                expected,
                "{on_down:?} {pv:?} {class:?}"
            );
        }
    }
}
