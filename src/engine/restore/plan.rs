//! What is there already, and what is missing for the volume to be back in use.

use moorline_api::{
    Account, ClusterIdentity, Error, ErrorKind, ListQuery, Object, ObjectRef, Origin, ResourceKind, StorageClass,
    VolumeId, VolumeSpec, Write, tags,
};
use moorline_profile::Profile;

use super::blueprint::{Blueprint, key_of};
use super::{ClaimToMake, RestoreAction, RestorePlan, RestoreRequest, Source, forgotten_class, refused};
use crate::apply::persistent_volume::{Anchor, Recipe};
use crate::context::Context;
use crate::error::EngineError;
use crate::fold::{ClaimView, Key, PvView, string_map};
use crate::names;
use crate::observe;
use crate::plan::{ClaimStorage, new_name};

/// Where it happens.
pub(super) struct Site {
    pub(super) cluster: ClusterIdentity,
    pub(super) account: Account,
}

pub(super) async fn site(ctx: &Context, profile: Option<&Profile>) -> Result<Site, EngineError> {
    if let Some(profile) = profile {
        observe::site(ctx, profile).await?;
    }
    let (cluster, account) = futures::try_join!(ctx.cluster.identity(), ctx.cloud.accounts.account())?;
    Ok(Site { cluster, account })
}

pub(super) async fn plan(
    ctx: &Context,
    profile: Option<&Profile>,
    site: &Site,
    request: &RestoreRequest,
    source: Source,
) -> Result<RestorePlan, EngineError> {
    let mut notices = Vec::new();
    check_cluster(site, request, &source, &mut notices)?;
    check_request(request, &source)?;
    let pointer = pointer_to(ctx, &source).await?;
    let action = match pointer {
        Some(pv) => match bound_by(ctx, &pv, &source).await? {
            Bound::Lives(claim) if source.alive => RestoreAction::Nothing {
                claim,
                persistent_volume: pv.name,
            },
            Bound::Lives(claim) => RestoreAction::Return { claim: Some(claim) },
            Bound::HalfMade => make(ctx, profile, site, request, &source, &mut notices).await?,
        },
        // Most of what a deleted volume says of its claim can be read only when it is back.
        None if !source.alive && is_deleted(&source) => {
            if let Some(key) = key_of(request, &source.tags) {
                standing(ctx, &key, &source).await?;
            }
            RestoreAction::Return { claim: None }
        }
        None => make(ctx, profile, site, request, &source, &mut notices).await?,
    };
    let monthly_usd = match &action {
        RestoreAction::Make(claim) if claim.uid.is_none() => {
            ctx.cloud.rules.monthly_cost(&site.account.region, &claim.volume)
        }
        _ => None,
    };
    Ok(RestorePlan {
        cluster: site.cluster.clone(),
        account: site.account.clone(),
        source,
        action,
        monthly_usd,
        notices,
    })
}

fn is_deleted(source: &Source) -> bool {
    matches!(source.origin, Origin::Deleted { .. })
}

/// A copy of another cluster's snapshot does that cluster no harm; its volume itself may have a PersistentVolume there.
fn check_cluster(
    site: &Site,
    request: &RestoreRequest,
    source: &Source,
    notices: &mut Vec<String>,
) -> Result<(), EngineError> {
    let other = match source.tags.get(names::CLUSTER_UID) {
        Some(uid) if *uid == site.cluster.uid => return Ok(()),
        Some(uid) => format!("it was cluster {uid}'s"),
        None => "it does not say whose it was".to_owned(),
    };
    if is_deleted(source) && !request.any_cluster {
        return Err(refused(
            format!("{}: {other}, and another cluster may still point to it", source.title()),
            "pass --any-cluster where you know that none does; nothing was changed",
        ));
    }
    notices.push(format!("{}: {other}; its copy becomes this cluster's", source.title()));
    Ok(())
}

fn check_request(request: &RestoreRequest, source: &Source) -> Result<(), EngineError> {
    let refuse = |what: String, cure: &str| Err(refused(what, format!("{cure}; nothing was changed")));
    if is_deleted(source) && (request.zone.is_some() || request.size_gib.is_some()) {
        return refuse(
            format!("{} comes back as it was", source.title()),
            "leave --zone and --size out",
        );
    }
    match request.size_gib {
        Some(size) if size < source.size_gib => refuse(
            format!(
                "{} has {} GiB, and {size} GiB cannot hold it",
                source.title(),
                source.size_gib
            ),
            "pass a --size as large, or none",
        ),
        _ => Ok(()),
    }
}

/// The PersistentVolume that names the volume which comes back itself. A snapshot's volume is another one than before.
async fn pointer_to(ctx: &Context, source: &Source) -> Result<Option<PvView>, EngineError> {
    if !is_deleted(source) {
        return Ok(None);
    }
    let rules = &*ctx.cloud.rules;
    let query = ListQuery::everywhere(ResourceKind::persistent_volume());
    let keep = |pv: Object| (rules.volume_id(&pv).as_ref() == Some(&source.volume)).then(|| PvView::of(&pv, rules));
    let (found, _) = observe::list(ctx, query, keep).await?;
    if let [first, second, ..] = &*found {
        return Err(refused(
            format!(
                "PersistentVolumes {} and {} both name {}",
                first.name, second.name, source.volume
            ),
            "delete the one that should not, with its reclaim policy set to Retain first; nothing was changed",
        ));
    }
    Ok(found.into_iter().next())
}

/// What became of the claim of a PersistentVolume that names the volume.
enum Bound {
    /// It is there, and bound.
    Lives(String),
    /// An earlier run of this restore did not get further.
    HalfMade,
}

async fn bound_by(ctx: &Context, pv: &PvView, source: &Source) -> Result<Bound, EngineError> {
    let stands = |why: String| {
        refused(
            format!(
                "PersistentVolume {} names {} already, and {why}",
                pv.name, source.volume
            ),
            format!(
                "set its reclaim policy to Retain, then kubectl delete persistentvolume {}, and run again; nothing was changed",
                pv.name
            ),
        )
    };
    let Some((namespace, name)) = &pv.claim else {
        return Err(stands("is reserved for no claim".to_owned()));
    };
    let live = read_claim(ctx, &(namespace.clone(), name.clone())).await?;
    let same = live.filter(|live| Some(live.uid().unwrap_or_default()) == pv.claim_uid.as_deref());
    match same {
        Some(live) if ClaimView::of(&live).is_bound() => Ok(Bound::Lives(format!("{namespace}/{name}"))),
        Some(live) if live.annotation(tags::RESTORED_FROM) == Some(source.origin.id()) => Ok(Bound::HalfMade),
        Some(_) => Err(stands(format!("claim {namespace}/{name} is not bound to it"))),
        None => Err(stands(format!("the claim {namespace}/{name} that it was for is gone"))),
    }
}

async fn read_claim(ctx: &Context, (namespace, name): &Key) -> Result<Option<Object>, Error> {
    let target = ObjectRef::new(ResourceKind::claim(), namespace, name.clone());
    ctx.cluster.get(&target).await
}

/// What a claim of this name, where there is one, leaves to do.
enum Standing {
    Free,
    /// UID and name of the PersistentVolume to come.
    HalfMade(String, String),
    Done(String),
}

async fn standing(ctx: &Context, key: &Key, source: &Source) -> Result<Standing, EngineError> {
    let Some(live) = read_claim(ctx, key).await? else {
        return Ok(Standing::Free);
    };
    let what = format!("claim {}/{}", key.0, key.1);
    let view = ClaimView::of(&live);
    if view.terminating {
        return Err(refused(
            format!("{what} is being deleted"),
            "run again when it is gone; nothing was changed",
        ));
    }
    if live.annotation(tags::RESTORED_FROM) == Some(source.origin.id()) && !view.volume_name.is_empty() {
        return match &*view.phase {
            "Lost" => Err(refused(
                format!("{what} was brought back from it before, and is Lost: its PersistentVolume is gone"),
                "delete the claim and run again; nothing was changed",
            )),
            _ if view.is_bound() => Ok(Standing::Done(view.volume_name)),
            _ => Ok(Standing::HalfMade(view.uid, view.volume_name)),
        };
    }
    let is = match &*view.phase {
        "Bound" => format!("bound to PersistentVolume {}", view.volume_name),
        "" => "there".to_owned(),
        phase => phase.to_owned(),
    };
    Err(refused(
        format!("{what} is there already ({is})"),
        "pass another name with --claim; or scale its workload to 0, delete the claim, and run again; nothing was changed",
    ))
}

/// Plans claim, volume and PersistentVolume.
async fn make(
    ctx: &Context,
    profile: Option<&Profile>,
    site: &Site,
    request: &RestoreRequest,
    source: &Source,
    notices: &mut Vec<String>,
) -> Result<RestoreAction, EngineError> {
    let mut blueprint = Blueprint::of(profile, request, source)?;
    let key = blueprint.key.clone();
    let (uid, persistent_volume) = match standing(ctx, &key, source).await? {
        Standing::Done(persistent_volume) => {
            return Ok(RestoreAction::Nothing {
                claim: format!("{}/{}", key.0, key.1),
                persistent_volume,
            });
        }
        Standing::Free => (None, new_name((ctx.entropy)(), &key)),
        Standing::HalfMade(uid, name) => (Some(uid), name),
    };
    if let (None, Some(set)) = (profile, &blueprint.set) {
        let labels = labels_of_set(ctx, &key, set).await?;
        blueprint.labels.extend(labels);
    }
    let class = class(ctx, profile, request, &blueprint, source, notices).await?;
    let volume = volume(ctx, site, request, &class, &blueprint, source)?;
    let made = ClaimToMake {
        namespace: key.0,
        name: key.1,
        uid,
        class: class.name.clone(),
        access_modes: blueprint.shape.access_modes.clone(),
        volume,
        profile: blueprint.profile.clone(),
        set: blueprint.set.clone(),
        owner: blueprint.owner.clone(),
        object: blueprint.object(&class.name, &persistent_volume, source),
        storage: ClaimStorage {
            class,
            shape: blueprint.shape,
        },
        persistent_volume,
    };
    rehearse(ctx, &made, &source.volume).await?;
    Ok(RestoreAction::Make(Box::new(made)))
}

/// The labels that the StatefulSet's controller would have given the claim, where the set is there.
async fn labels_of_set(
    ctx: &Context,
    (namespace, claim): &Key,
    set: &str,
) -> Result<std::collections::BTreeMap<String, String>, Error> {
    let target = ObjectRef::new(ResourceKind::stateful_set(), namespace, set);
    let Some(live) = ctx.cluster.get(&target).await? else {
        return Ok(std::collections::BTreeMap::new());
    };
    let of_claim = |template: &&serde_json::Value| {
        let name = template.pointer("/metadata/name").and_then(serde_json::Value::as_str);
        name.is_some_and(|name| claim.starts_with(&format!("{name}-{set}-")))
    };
    let template = live.list_at(&["spec", "volumeClaimTemplates"]).iter().find(of_claim);
    let template = template.and_then(|template| Object::from_value(template.clone()).ok());
    let mut labels = template.map_or_else(Default::default, |template| {
        string_map(&template, &["metadata", "labels"])
    });
    labels.extend(string_map(&live, &["spec", "selector", "matchLabels"]));
    Ok(labels)
}

/// The class by its name: of the profile, of the cluster, or, where it is nowhere any more, what the volume itself says.
async fn class(
    ctx: &Context,
    profile: Option<&Profile>,
    request: &RestoreRequest,
    blueprint: &Blueprint,
    source: &Source,
    notices: &mut Vec<String>,
) -> Result<StorageClass, EngineError> {
    let rules = &*ctx.cloud.rules;
    let Some(name) = &blueprint.class else {
        let default = observe::default_class(ctx).await?;
        return default.filter(|class| rules.serves(&class.provisioner)).ok_or_else(|| {
            refused(
                format!("{} does not say what its claim's StorageClass was", source.title()),
                "pass --class; nothing was changed",
            )
        });
    };
    let of_profile = profile.and_then(|profile| profile.classes.get(name)).cloned();
    let found = match of_profile {
        Some(class) => Some(class),
        None => observe::storage_class(ctx, name).await?,
    };
    match found {
        Some(class) if rules.serves(&class.provisioner) => Ok(class),
        Some(class) => Err(refused(
            format!(
                "StorageClass {name} is provisioned by {}, which is not this volume's",
                class.provisioner
            ),
            "pass another --class; nothing was changed",
        )),
        None if request.class.is_none() => forgotten(ctx, name, blueprint, source, notices),
        None => Err(refused(
            format!("StorageClass {name} is not in the cluster"),
            "name one that is, or the profile's folder; nothing was changed",
        )),
    }
}

/// A claim that names its PersistentVolume needs no class to be bound. What the class said of mounts is lost.
fn forgotten(
    ctx: &Context,
    name: &str,
    blueprint: &Blueprint,
    source: &Source,
    notices: &mut Vec<String>,
) -> Result<StorageClass, EngineError> {
    let rules = &*ctx.cloud.rules;
    let Some(spec) = &source.spec else {
        return Err(refused(
            format!(
                "StorageClass {name} is not in the cluster, and {} does not say what the volume was like",
                source.title()
            ),
            "name the profile's folder, or another --class; nothing was changed",
        ));
    };
    let suits = |provisioner: &&str| {
        let class = forgotten_class(name, provisioner);
        let placed = rules.place(&class, &blueprint.shape, None);
        placed.is_ok_and(|placement| placement.config.sort() == spec.config.sort())
    };
    let provisioner = rules
        .provisioners()
        .iter()
        .copied()
        .find(|provisioner| suits(provisioner));
    let Some(provisioner) = provisioner else {
        return Err(refused(
            format!("StorageClass {name} is not in the cluster"),
            "name the profile's folder, or another --class; nothing was changed",
        ));
    };
    let mut class = forgotten_class(name, provisioner);
    if let Some(fs_type) = source.tags.get(tags::FS_TYPE) {
        let key = "csi.storage.k8s.io/fstype".to_owned();
        class.parameters.insert(key, fs_type.clone());
    }
    notices.push(format!(
        "StorageClass {name} is not in the cluster: the PersistentVolume gets no mount options, and reclaim policy Retain; name \
         the profile's folder to have the class's"
    ));
    Ok(class)
}

/// The volume as it was, or, where nothing says that, as its class would have it.
fn volume(
    ctx: &Context,
    site: &Site,
    request: &RestoreRequest,
    class: &StorageClass,
    blueprint: &Blueprint,
    source: &Source,
) -> Result<VolumeSpec, EngineError> {
    let size_gib = request.size_gib.unwrap_or(source.size_gib);
    let zones = &site.account.zones;
    let placed = ctx.cloud.rules.place(class, &blueprint.shape, Some(zones));
    let spec = match (&source.spec, &placed) {
        (Some(spec), _) => spec.clone(),
        (None, Ok(placement)) => VolumeSpec {
            size_gib,
            zone: None,
            config: placement.config.clone(),
        },
        (None, Err(problems)) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return Err(refused(
                format!("StorageClass {}: {}", class.name, problems.join("; ")),
                "pass another --class; nothing was changed",
            ));
        }
    };
    let zone = request.zone.clone().or(spec.zone);
    let is_zonal = placed.is_ok_and(|placement| placement.zonal);
    match &zone {
        None if is_zonal => Err(refused(
            format!("{} does not say which zone its volume was in", source.title()),
            format!("pass --zone, one of {}; nothing was changed", zones.join(", ")),
        )),
        Some(zone) if is_zonal && !zones.is_empty() && !zones.contains(zone) => Err(refused(
            format!(
                "zone {zone} is not one that this account may use in {}",
                site.account.region
            ),
            format!("pass --zone, one of {}; nothing was changed", zones.join(", ")),
        )),
        _ => Ok(VolumeSpec { size_gib, zone, ..spec }),
    }
}

/// Asks the API server by dry run whether it would take what is to be written.
async fn rehearse(ctx: &Context, made: &ClaimToMake, volume: &VolumeId) -> Result<(), EngineError> {
    let target = ObjectRef::new(ResourceKind::claim(), &made.namespace, made.name.clone());
    if made.uid.is_none() {
        match ctx.cluster.rehearse(&target, &Write::Create(&made.object)).await {
            Err(error) if error.is_not_found() => {
                return Err(refused(
                    format!("namespace {} is not in the cluster", made.namespace),
                    "make it, or pass --namespace; nothing was changed",
                ));
            }
            Err(error) if error.kind == ErrorKind::AlreadyExists => {}
            other => other?,
        }
    }
    let anchor = Anchor {
        uid: made.uid.clone().unwrap_or_else(|| "claim-to-come".to_owned()),
        persistent_volume: made.persistent_volume.clone(),
    };
    let pv = made.recipe(ctx).persistent_volume(&anchor, volume, &made.volume);
    let target = ObjectRef::new(ResourceKind::persistent_volume(), "", anchor.persistent_volume);
    match ctx.cluster.rehearse(&target, &Write::Create(&pv.object)).await {
        Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
        other => Ok(other?),
    }
}

impl ClaimToMake {
    pub(super) fn recipe<'a>(&'a self, ctx: &'a Context) -> Recipe<'a> {
        Recipe {
            rules: &*ctx.cloud.rules,
            profile: self.profile.as_deref(),
            owner: self.owner.as_deref(),
            claim: (&self.namespace, &self.name),
            storage: &self.storage,
            adopted: false,
        }
    }

    pub(super) fn tags(&self, ctx: &Context, cluster: &str, uid: &str) -> moorline_api::Tags {
        let standard = ctx
            .cloud
            .rules
            .standard_tags(&self.namespace, &self.name, uid, &self.persistent_volume);
        let ours = [
            (names::CLUSTER_UID, cluster.to_owned()),
            (names::NAMESPACE, self.namespace.clone()),
            (names::CLAIM, self.name.clone()),
            (names::CLAIM_UID, uid.to_owned()),
            (tags::STORAGE_CLASS, self.class.clone()),
            (tags::ACCESS_MODES, self.access_modes.join(" ")),
            (tags::VOLUME_MODE, self.storage.shape.volume_mode.clone()),
        ];
        let said = [
            (names::PROFILE, &self.profile),
            (names::OWNER, &self.owner),
            (names::SET, &self.set),
        ];
        let said = said.into_iter().filter_map(|(key, value)| Some((key, value.clone()?)));
        let ours = ours.into_iter().chain(said).map(|(key, value)| (key.to_owned(), value));
        standard.into_iter().chain(ours).collect()
    }
}

#[cfg(test)]
mod tests;
