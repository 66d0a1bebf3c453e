//! Before anything is changed the API server is asked, by dry run, whether it would take each kind of write that the run
//! will make: a permission, quota or admission rule that is in the way is told while nothing is half done.

use std::collections::BTreeMap;

use moorline_api::{DeleteOptions, Error, ErrorKind, ObjectRef, Propagation, ResourceKind, VolumeId, Write};
use moorline_profile::Profile;
use serde_json::json;

use crate::apply::persistent_volume::{Anchor, Recipe};
use crate::context::Context;
use crate::plan::{ClaimAction, ClaimPlan, DownPlan, ObjectAction, Removal, UpPlan, VolumeFate};
use crate::{mounts, names};

/// Stands for a volume that does not exist yet.
const VOLUME_TO_COME: &str = "volume-to-come";

/// Rehearses the first write of each kind that a plan of `up` or `scale` leads to beside its objects, which were rehearsed
/// one by one.
pub(crate) async fn up(ctx: &Context, profile: &Profile, plan: &UpPlan) -> Result<(), Error> {
    replacements(ctx, plan).await?;
    let created = plan
        .claims
        .iter()
        .find(|claim| claim.action == ClaimAction::Create && !comes_later(plan, claim));
    if let Some((claim, object)) = created.and_then(|claim| Some((claim, claim.object.as_ref()?))) {
        let target = ObjectRef::new(ResourceKind::claim(), &claim.namespace, &claim.name);
        rehearse(ctx, &target, Write::Create(object)).await?;
    }
    let unfinished = |claim: &&ClaimPlan| matches!(claim.action, ClaimAction::Create | ClaimAction::Resume { .. });
    if let Some(claim) = plan.claims.iter().find(unfinished) {
        persistent_volume(ctx, profile, claim).await?;
        let target = ObjectRef::new(ResourceKind::claim(), &claim.namespace, &claim.name);
        rehearse(
            ctx,
            &target,
            Write::Merge(&json!({"metadata": {"annotations": { names::VOLUME: VOLUME_TO_COME }}})),
        )
        .await?;
    }
    if let Some(step) = plan.scale.as_ref().filter(|step| step.from != step.to) {
        rehearse(ctx, &step.target, Write::Scale(step.to)).await?;
    }
    let releases = plan
        .releases
        .iter()
        .flat_map(|r| [r.claim.as_ref(), r.persistent_volume.as_ref()])
        .flatten();
    deletions(ctx, plan.removals.iter().chain(releases)).await
}

/// What is deleted to be made anew must be taken anew: the server validates before it says that the name is taken. A
/// Service is left out, whose own address and node ports count as taken.
async fn replacements(ctx: &Context, plan: &UpPlan) -> Result<(), Error> {
    let replaced = plan
        .objects
        .iter()
        .filter(|object| matches!(object.action, ObjectAction::Replace { .. }))
        .filter(|object| !object.target.resource.gvk.is("", "Service"));
    for object in replaced {
        rehearse(ctx, &object.target, Write::Create(&object.object)).await?;
    }
    Ok(())
}

/// Whether the claim's namespace is made by this very plan, so that the server knows nothing of it yet.
fn comes_later(plan: &UpPlan, claim: &ClaimPlan) -> bool {
    plan.objects
        .iter()
        .any(|object| object.target.resource.gvk.is("", "Namespace") && object.target.name == claim.namespace)
}

async fn persistent_volume(ctx: &Context, profile: &Profile, claim: &ClaimPlan) -> Result<(), Error> {
    let (Some(volume), Some(storage)) = (&claim.volume, &claim.storage) else {
        return Ok(());
    };
    if matches!(
        claim.action,
        ClaimAction::Resume {
            persistent_volume: true,
            ..
        }
    ) {
        return Ok(());
    }
    let anchor = Anchor {
        uid: "claim-to-come".to_owned(),
        persistent_volume: claim.persistent_volume.clone(),
    };
    let recipe = Recipe {
        rules: &*ctx.cloud.rules,
        profile: Some(&profile.name),
        owner: profile.owner.as_deref(),
        claim: (&claim.namespace, &claim.name),
        storage,
        adopted: false,
    };
    let made = recipe.persistent_volume(&anchor, &VolumeId(VOLUME_TO_COME.to_owned()), volume);
    if let Some(secret) = &made.secret {
        let object = mounts::object(&profile.name, secret, &BTreeMap::new());
        rehearse(ctx, &mounts::target_of(secret), Write::Create(&object)).await?;
    }
    let target = ObjectRef::new(ResourceKind::persistent_volume(), "", claim.persistent_volume.clone());
    rehearse(ctx, &target, Write::Create(&made.object)).await
}

/// Rehearses the first deletion of each kind, and the patch that keeps volumes from being deleted.
pub(crate) async fn down(ctx: &Context, plan: &DownPlan) -> Result<(), Error> {
    let pinned = plan
        .claims
        .iter()
        .filter(|claim| claim.fate != VolumeFate::Delete)
        .find_map(|claim| claim.persistent_volume.as_ref());
    if let Some(pv) = pinned {
        let patch = json!({"metadata": {"uid": pv.uid}, "spec": {"persistentVolumeReclaimPolicy": "Retain"}});
        rehearse(ctx, &pv.target, Write::Merge(&patch)).await?;
    }
    let volumes = plan
        .claims
        .iter()
        .filter(|claim| claim.fate != VolumeFate::Keep)
        .filter_map(|claim| claim.persistent_volume.as_ref());
    let claims = plan.claims.iter().filter_map(|claim| claim.claim.as_ref());
    let removals = plan.objects.iter().chain(claims).chain(volumes).chain(&plan.secrets);
    deletions(ctx, removals).await
}

async fn deletions(ctx: &Context, removals: impl Iterator<Item = &Removal>) -> Result<(), Error> {
    let mut first: BTreeMap<String, &Removal> = BTreeMap::new();
    for removal in removals {
        first.entry(removal.target.resource.qualified()).or_insert(removal);
    }
    for removal in first.into_values() {
        let options = DeleteOptions {
            uid: Some(removal.uid.clone()),
            resource_version: None,
            propagation: Propagation::Background,
            dry_run: true,
        };
        rehearse(ctx, &removal.target, Write::Delete(&options)).await?;
    }
    Ok(())
}

/// That the thing is not there yet, there already, or changed since, is what the run itself will meet and handle.
async fn rehearse(ctx: &Context, target: &ObjectRef, write: Write<'_>) -> Result<(), Error> {
    match ctx.cluster.rehearse(target, &write).await {
        Err(error)
            if !matches!(
                error.kind,
                ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::Stale
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}
