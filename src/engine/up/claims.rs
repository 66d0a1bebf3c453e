//! What claims need to be planned: themselves, their volumes, classes and nodes.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::future;
use moorline_api::{Error, ErrorKind, Owner, StorageClass, VolumeSpec};
use moorline_profile::{ClassRef, Profile};

use crate::context::Context;
use crate::error::EngineError;
use crate::fold::Key;
use crate::mounts;
use crate::observe::{self, CloudVolumes, Site};
use crate::outcome::Cause;
use crate::plan::{ClaimInputs, ClaimPlan, PlannedClaims, plan_claims};

/// Reads what claims need and plans them.
pub(crate) async fn observe_claims(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    replicas: &BTreeMap<Key, u32>,
) -> Result<PlannedClaims, EngineError> {
    if !observe::has_claims(profile) {
        return Ok(PlannedClaims::default());
    }
    let Some(account) = &site.account else {
        return Ok(PlannedClaims::default());
    };
    let namespaces: BTreeSet<String> = profile
        .sets
        .iter()
        .map(|s| s.namespace.clone())
        .chain(profile.claims.iter().map(|c| c.namespace.clone()))
        .collect();
    let (claims, nodes, classes) = future::join3(
        observe::claims(ctx, &namespaces),
        observe::nodes(ctx),
        Classes::read(ctx, profile),
    )
    .await;
    let (claims, classes) = (claims?, classes?);
    let mut notices = Vec::new();
    let nodes = nodes.or_else(|error| match error.kind {
        ErrorKind::Forbidden => {
            notices.push(format!(
                "volumes are spread over all zones of the region, because nodes may not be listed: {error}"
            ));
            Ok(Vec::new())
        }
        _ => Err(error),
    })?;
    let mut ours: BTreeSet<Key> = profile
        .claims
        .iter()
        .map(|c| (c.namespace.clone(), c.name.clone()))
        .collect();
    ours.extend(
        claims
            .keys()
            .filter(|key| crate::status::set_of(profile, key).is_some())
            .cloned(),
    );
    let names = ours
        .iter()
        .filter_map(|key| claims.get(key))
        .map(|claim| claim.volume_name.clone())
        .filter(|name| !name.is_empty());
    let persistent_volumes = observe::persistent_volumes(ctx, names.collect()).await?;
    let ids = persistent_volumes.values().filter_map(|pv| pv.volume.clone()).collect();
    let volumes = CloudVolumes::read(ctx, &site.cluster.uid, &profile.name, ids).await?;
    let mut planned = plan_claims(&ClaimInputs {
        profile,
        rules: &*ctx.cloud.rules,
        replicas,
        classes: &classes.named,
        default_class: classes.default.as_ref(),
        claims: &claims,
        persistent_volumes: &persistent_volumes,
        volumes: &volumes,
        nodes: &nodes,
        region: &account.region,
        zones: &account.zones,
        entropy: (ctx.entropy)(),
    });
    planned.notices.extend(notices);
    let obstacles = obstacles(ctx, profile, site, &planned.claims).await?;
    planned.blocked.extend(obstacles);
    planned.mounts = mounts::missing(ctx, profile, persistent_volumes.values()).await?;
    Ok(planned)
}

/// What the cloud can tell beforehand of the volumes that would be made.
async fn obstacles(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    claims: &[ClaimPlan],
) -> Result<Vec<Cause>, EngineError> {
    let made = claims.iter().filter(|claim| claim.makes_volume());
    let specs: HashSet<&VolumeSpec> = made.filter_map(|claim| claim.volume.as_ref()).collect();
    if specs.is_empty() {
        return Ok(Vec::new());
    }
    let specs: Vec<VolumeSpec> = specs.into_iter().cloned().collect();
    let owner = Owner {
        cluster: &site.cluster.uid,
        profile: &profile.name,
    };
    let found = ctx.cloud.volumes.obstacles(owner, &specs).await?;
    let cause = |error: Error| Cause {
        what: "volumes to create".to_owned(),
        why: error.to_string(),
        hint: None,
        fatal: true,
    };
    Ok(found.into_iter().map(cause).collect())
}

/// The classes that claims name.
struct Classes {
    named: BTreeMap<String, StorageClass>,
    default: Option<StorageClass>,
}

impl Classes {
    async fn read(ctx: &Context, profile: &Profile) -> Result<Self, Error> {
        let refs = profile
            .sets
            .iter()
            .flat_map(|set| &set.templates)
            .map(|t| &t.class)
            .chain(profile.claims.iter().map(|c| &c.class));
        let mut named = profile.classes.clone();
        let mut wants_default = false;
        for class in refs {
            match class {
                ClassRef::Named(name) if !named.contains_key(name) => {
                    named.extend(
                        observe::storage_class(ctx, name)
                            .await?
                            .map(|class| (name.clone(), class)),
                    );
                }
                ClassRef::ClusterDefault => wants_default = true,
                _ => {}
            }
        }
        let default = if wants_default {
            observe::default_class(ctx).await?
        } else {
            None
        };
        Ok(Self { named, default })
    }
}
