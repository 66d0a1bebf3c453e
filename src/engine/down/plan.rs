//! What `down` would delete, keep, and leave alone: objects and load balancers.

use std::collections::{BTreeMap, BTreeSet};

use moorline_api::{Error, ErrorKind, ListQuery, ManagedFields, Object, ObjectRef, ResourceKind};
use moorline_profile::Profile;

use super::claims::claims;
use super::turn;
use crate::balancers;
use crate::context::Context;
use crate::error::EngineError;
use crate::event::{Event, Stage};
use crate::fold::{ClaimView, applied_by_us, made_for};
use crate::observe::{self, Catalog, Site};
use crate::outcome::Fate;
use crate::plan::{BalancerRemoval, DownPlan, Removal};
use crate::preflight;
use crate::{mounts, names};

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
        secrets: Vec::new(),
        load_balancers: Vec::new(),
        keeps: Vec::new(),
        notices: site.notices.clone(),
        incomplete: false,
    };
    let found = objects(ctx, profile, &catalog, &mut plan).await?;
    balancers_of(ctx, &site, &found.services, &mut plan).await?;
    claims(ctx, profile, &site, &found.kept, &mut plan).await?;
    plan.secrets = mounts::made(ctx, profile).await?;
    classes_in_use(ctx, &mut plan).await?;
    preflight::down(ctx, &plan).await?;
    plan.objects
        .sort_by(|a, b| (turn(&a.target), &a.target).cmp(&(turn(&b.target), &b.target)));
    Ok(plan)
}

/// What planning claims and load balancers must know of the profile's objects.
struct Found {
    /// Services that go.
    services: Vec<(ObjectRef, Object)>,
    /// Objects that stay because someone else made them.
    kept: BTreeSet<ObjectRef>,
}

/// Plans the profile's objects.
async fn objects(ctx: &Context, profile: &Profile, catalog: &Catalog, plan: &mut DownPlan) -> Result<Found, Error> {
    let mut services = Vec::new();
    let mut kept = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for manifest in &profile.manifests {
        let gvk = manifest.object.gvk();
        if gvk.is("", "PersistentVolumeClaim") {
            continue;
        }
        let Some(kind) = catalog.find(&gvk) else {
            // A kind that is not served has no objects, unless its group only does not answer.
            if catalog.may_hide(&gvk) {
                let name = manifest.object.name();
                plan.notices.push(format!(
                    "whether {gvk} {name} exists is unknown: its API group does not answer; run again when it does"
                ));
                plan.incomplete = true;
            }
            continue;
        };
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
            kept.insert(target);
            continue;
        }
        if gvk.is("", "Service") {
            services.push((target.clone(), live.clone()));
        }
        plan.objects.push(Removal {
            target,
            uid: live.uid().unwrap_or_default().to_owned(),
        });
    }
    former(ctx, profile, catalog, &seen, plan).await?;
    Ok(Found { services, kept })
}

/// Why an object of the profile is not deleted or scaled: someone else made it.
pub(crate) fn not_ours(profile: &Profile, live: &Object) -> Option<String> {
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
    if !catalog.unanswered().is_empty() {
        plan.notices.push(format!(
            "what the profile no longer names could not be looked for in {}: the API group does not answer",
            catalog.unanswered().join(", ")
        ));
    }
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
                managed_fields: ManagedFields::All,
                unwanted: &[],
            };
            let listed = observe::list(ctx, query, |object| made_for(profile, &object).then_some(object)).await;
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
async fn balancers_of(
    ctx: &Context,
    site: &Site,
    services: &[(ObjectRef, Object)],
    plan: &mut DownPlan,
) -> Result<(), Error> {
    let by_hostname: BTreeMap<String, &ObjectRef> = services
        .iter()
        .filter_map(|(service, live)| Some((balancers::hostname(live)?.to_ascii_lowercase(), service)))
        .collect();
    if by_hostname.is_empty() || site.account.is_none() {
        return Ok(());
    }
    let listing = balancers::list(ctx).await;
    plan.notices.extend(listing.lacking);
    if let Some(error) = listing.failed {
        return Err(error);
    }
    let mine = listing.balancers.into_iter().filter_map(|balancer| {
        let service = *by_hostname.get(&balancer.hostname.to_ascii_lowercase())?;
        Some(BalancerRemoval {
            name: balancer.name,
            service: service.clone(),
        })
    });
    plan.load_balancers = mine.collect();
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
