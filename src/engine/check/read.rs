//! Reading: a few listings, and the volumes in batches; no call for a single claim or volume.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, future};
use jiff::Timestamp;
use moorline_api::{
    ClusterIdentity, Error, ListQuery, Object, ResourceKind, StorageClass, Tags, VolumeFilter, VolumeId, VolumeSort,
};
use moorline_profile::Profile;

use super::world::{Attached, Claim, Pod, Pv, Set, Volumes, World, with_profile};
use crate::context::{Cloud, Context};
use crate::fold::Key;
use crate::names;
use crate::observe;
use crate::status::set_of;
use crate::tracker::{Kept, Snapshot};

/// What a cloud does not show yet is looked for again where it is younger than this: listings lag.
const YOUNG: Duration = Duration::from_mins(5);
/// How many seconds after each look.
const LOOKS: [u64; 4] = [1, 2, 4, 8];
/// Above this many namespaces, events are read everywhere at once.
const NAMESPACES: usize = 20;

/// Reads what there is to judge. What cannot be read is a gap.
pub(super) async fn world(ctx: &Context, cluster: &ClusterIdentity, profile: Option<&Profile>) -> World {
    let within = profile.map(observe::namespaces);
    let within = within.as_ref();
    let clouds: Vec<&Cloud> = std::iter::once(&ctx.cloud).chain(&ctx.others).collect();
    let rules: Vec<_> = clouds.iter().map(|cloud| cloud.rules.clone()).collect();
    let (claims, pvs, classes, pods) = future::join4(
        listed(ctx, ResourceKind::claim(), within, |claim| Some(Claim::of(&claim))),
        listed(ctx, ResourceKind::persistent_volume(), None, |pv| {
            Some(Pv::of(&pv, &rules))
        }),
        listed(ctx, ResourceKind::storage_class(), None, |class| {
            Some((observe::is_default(&class), StorageClass::from_object(&class)))
        }),
        listed(ctx, ResourceKind::pod(), within, |pod| Pod::of(&pod)),
    )
    .await;
    let (nodes, attachments, sets) = future::join3(
        listed(ctx, ResourceKind::node(), None, |node| machine(&node)),
        listed(ctx, ResourceKind::volume_attachment(), None, |attachment| {
            Attached::of(&attachment)
        }),
        listed(ctx, ResourceKind::stateful_set(), within, |set| Set::of(&set)),
    )
    .await;
    let mut gaps = Vec::new();
    let claims = known(&mut gaps, "claims", claims).unwrap_or_default();
    let pvs = known(&mut gaps, "PersistentVolumes", pvs);
    let classes = known(&mut gaps, "StorageClasses", classes);
    let has_default = classes
        .as_ref()
        .map(|classes| classes.iter().any(|(default, _)| *default));
    let by_name = |classes: Vec<(bool, StorageClass)>| {
        let classes = classes.into_iter().map(|(_, class)| (class.name.clone(), class));
        classes.collect::<BTreeMap<_, _>>()
    };
    let ours = |key: &Key, claim: &Claim| profile.is_none_or(|profile| is_of(profile, key, claim));
    let claims: BTreeMap<Key, Claim> = claims
        .into_iter()
        .map(|claim| (claim.view.key(), claim))
        .filter(|(key, claim)| ours(key, claim))
        .collect();
    let mut world = World {
        cluster_uid: cluster.uid.clone(),
        profile: profile.map(|profile| profile.name.clone()),
        persistent_volumes: pvs.map(|pvs| pvs.into_iter().map(|pv| (pv.view.name.clone(), pv)).collect()),
        classes: with_profile(classes.map(by_name), profile),
        has_default,
        pods: known(&mut gaps, "pods", pods),
        machines: known(&mut gaps, "nodes", nodes)
            .unwrap_or_default()
            .into_iter()
            .collect(),
        attachments: known(&mut gaps, "VolumeAttachments", attachments),
        sets: known(&mut gaps, "StatefulSets", sets)
            .unwrap_or_default()
            .into_iter()
            .filter(|set| profile.is_none_or(|profile| has_set(profile, set)))
            .collect(),
        claims,
        volumes: Volumes::default(),
        events: Snapshot::default(),
        rules,
        accounts: Vec::new(),
        gaps,
    };
    world.volumes.named_complete = world.persistent_volumes.is_some();
    world.volumes.tagged_complete = true;
    for (index, cloud) in clouds.into_iter().enumerate() {
        let named = world.named_volumes(index, (ctx.now)());
        // One that nothing of the cluster is in is not asked.
        if index == 0 || !named.is_empty() {
            volumes(cloud, profile, named, &mut world).await;
        }
    }
    events(ctx, &mut world).await;
    world
}

/// Whether a claim is a profile's: it bears its label, or a name that it gives.
fn is_of(profile: &Profile, key: &Key, claim: &Claim) -> bool {
    let standalone = profile
        .claims
        .iter()
        .any(|claim| (&claim.namespace, &claim.name) == (&key.0, &key.1));
    claim.view.profile() == Some(&*profile.name) || standalone || set_of(profile, key).is_some()
}

fn has_set(profile: &Profile, set: &Set) -> bool {
    let same = |of: &moorline_profile::SetClaims| of.namespace == set.namespace && of.name == set.name;
    profile.sets.iter().any(same)
}

/// The node's name, and its machine in the cloud's words.
fn machine(node: &Object) -> Option<(String, String)> {
    Some((node.name().to_owned(), node.str_at(&["spec", "providerID"])?.to_owned()))
}

/// Everything of a kind, everywhere or in some namespaces.
async fn listed<T>(
    ctx: &Context,
    kind: ResourceKind,
    within: Option<&BTreeSet<String>>,
    fold: impl Fn(Object) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let Some(namespaces) = within else {
        return Ok(observe::list(ctx, ListQuery::everywhere(kind), fold).await?.0);
    };
    let mut all = Vec::new();
    for namespace in namespaces {
        let query = ListQuery::within(kind.clone(), namespace);
        all.extend(observe::list(ctx, query, &fold).await?.0);
    }
    Ok(all)
}

fn known<T>(gaps: &mut Vec<String>, what: &str, read: Result<T, Error>) -> Option<T> {
    read.map_err(|error| gaps.push(format!("{what} could not be read: {error}")))
        .ok()
}

/// The volumes that the tags name as this cluster's (and profile's), and those that PersistentVolumes name beside them.
async fn volumes(cloud: &Cloud, profile: Option<&Profile>, named: Vec<Named>, world: &mut World) {
    match cloud.accounts.account().await {
        Ok(account) => world.accounts.push(account),
        Err(error) => world.gap(format!("the account in {} is not known: {error}", cloud.rules.cloud())),
    }
    let mut tags = Tags::from([(names::CLUSTER_UID.to_owned(), world.cluster_uid.clone())]);
    tags.extend(profile.map(|profile| (names::PROFILE.to_owned(), profile.name.clone())));
    if let Err(error) = add(cloud, VolumeFilter::Tagged(tags), world).await {
        world.volumes.tagged_complete = false;
        world.gap(format!("volumes of this cluster could not be listed: {error}"));
    }
    let others = ids(&named, |named| world.is_unseen(named));
    let mut looked = Ok(());
    if !others.is_empty() {
        looked = add(cloud, VolumeFilter::Ids(others), world).await;
    }
    for pause in LOOKS {
        let late = ids(&named, |named| world.may_be_late(named));
        if looked.is_err() || late.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(pause)).await;
        looked = add(cloud, VolumeFilter::Ids(late), world).await;
    }
    if let Err(error) = looked {
        world.volumes.named_complete = false;
        world.gap(format!("volumes could not be read: {error}"));
    }
}

fn ids(named: &[Named], wanted: impl Fn(&Named) -> bool) -> Vec<VolumeId> {
    let wanted = named.iter().filter(|named| wanted(named));
    wanted.map(|named| named.id.clone()).collect()
}

async fn add(cloud: &Cloud, filter: VolumeFilter, world: &mut World) -> Result<(), Error> {
    let mut pages = cloud.volumes.list(filter);
    while let Some(page) = pages.next().await {
        for volume in page? {
            world.volumes.seen.insert(volume.id.clone(), volume);
        }
    }
    Ok(())
}

/// A volume that a PersistentVolume names.
struct Named {
    id: VolumeId,
    /// Whether the PersistentVolume is so young that listings may lag behind it.
    is_young: bool,
    /// Whether it was attached so lately that they may not show it.
    attached_lately: bool,
}

impl World {
    /// The volumes of one cloud that PersistentVolumes name, as far as they are looked at.
    fn named_volumes(&self, cloud: usize, now: Timestamp) -> Vec<Named> {
        let of_claims: BTreeSet<&str> = self.claims.values().map(|claim| &*claim.view.volume_name).collect();
        let is_young = |created: Option<Timestamp>| {
            created.is_none_or(|created| now.duration_since(created).unsigned_abs() < YOUNG)
        };
        let attached = self.attachments.iter().flatten();
        let attached_lately: BTreeSet<&str> = attached
            .filter(|attached| attached.done && is_young(attached.created))
            .map(|attached| &*attached.persistent_volume)
            .collect();
        let all = self.persistent_volumes.iter().flat_map(BTreeMap::values);
        all.filter(|pv| pv.cloud == Some(cloud) && self.looks_at(pv, &of_claims))
            .filter_map(|pv| {
                Some(Named {
                    id: pv.view.volume.clone()?,
                    is_young: is_young(pv.created),
                    attached_lately: attached_lately.contains(&*pv.view.name),
                })
            })
            .collect()
    }

    fn is_unseen(&self, named: &Named) -> bool {
        !self.volumes.seen.contains_key(&named.id)
    }

    /// Whether the cloud may show more of it in a moment.
    fn may_be_late(&self, named: &Named) -> bool {
        match self.volumes.seen.get(&named.id) {
            None => named.is_young,
            Some(volume) => {
                let is_disk = volume.spec.config.sort() == VolumeSort::Disk;
                is_disk && named.attached_lately && volume.attachments.is_empty()
            }
        }
    }

    /// Whether a PersistentVolume is part of what is checked.
    pub(super) fn looks_at(&self, pv: &Pv, of_claims: &BTreeSet<&str>) -> bool {
        self.profile.is_none() || of_claims.contains(&*pv.view.name) || pv.view.profile == self.profile
    }
}

/// Events of the namespaces where something waits.
async fn events(ctx: &Context, world: &mut World) {
    let unbound = world
        .claims
        .values()
        .filter(|claim| !claim.view.is_bound())
        .map(|claim| claim.view.namespace.clone());
    let waiting = world.pods.iter().flatten().filter(|pod| pod.waits.is_some());
    let namespaces: BTreeSet<String> = unbound.chain(waiting.map(|pod| pod.namespace.clone())).collect();
    if namespaces.is_empty() {
        return;
    }
    let within = (namespaces.len() <= NAMESPACES).then_some(&namespaces);
    match listed(ctx, ResourceKind::event(), within, |event| Some(Kept::of(event))).await {
        Ok(events) => world.events.keep(&ResourceKind::event(), events),
        // They explain, and decide nothing.
        Err(error) => tracing::debug!("events could not be read: {error}"),
    }
}
