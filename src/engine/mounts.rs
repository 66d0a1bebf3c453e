//! The Secrets with which nodes mount volumes, where a cloud wants them.
//!
//! A Secret is there before the first PersistentVolume that names it, and goes when none names it any more. Several volumes may
//! share one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moorline_api::{
    Error, ErrorKind, ListQuery, Object, ObjectRef, Propagation, ResourceKind, SecretRef, Sensitive, VolumeId,
};
use moorline_profile::Profile;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::apply::{self, Run, Tally};
use crate::context::Context;
use crate::event::{Change, Event, Stage};
use crate::fold::PvView;
use crate::names;
use crate::observe;
use crate::outcome::{DownOutcome, Fate};
use crate::plan::{MountPlan, Removal};

/// The Secrets that a run has made sure of, so that a hundred volumes of one account cost one write.
#[derive(Debug, Default)]
pub(crate) struct Mounts(Mutex<HashMap<SecretRef, Arc<OnceCell<()>>>>);

impl Mounts {
    fn cell(&self, secret: &SecretRef) -> Arc<OnceCell<()>> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(secret.clone()).or_default())
    }
}

/// The Secret that a PersistentVolume names for its mount.
pub(crate) fn secret_of(persistent_volume: &Object) -> Option<SecretRef> {
    let field = |name: &str| persistent_volume.str_at(&["spec", "csi", "nodeStageSecretRef", name]);
    Some(SecretRef {
        namespace: field("namespace")?.to_owned(),
        name: field("name")?.to_owned(),
    })
}

pub(crate) fn target_of(secret: &SecretRef) -> ObjectRef {
    ObjectRef::new(ResourceKind::secret(), &secret.namespace, secret.name.clone())
}

/// The Secret as it is created, for a profile.
pub(crate) fn object(profile: &str, secret: &SecretRef, values: &BTreeMap<String, Sensitive>) -> Object {
    let mut object = Object::default();
    object.set(&["apiVersion"], json!("v1"));
    object.set(&["kind"], json!("Secret"));
    object.set(&["type"], json!("Opaque"));
    let labels = json!({ names::MOUNTS_FOR: profile });
    object.set(
        &["metadata"],
        json!({"namespace": secret.namespace, "name": secret.name, "labels": labels}),
    );
    object.set(&["data"], data(values));
    object
}

fn data(values: &BTreeMap<String, Sensitive>) -> Value {
    let encoded = values.iter().map(|(key, value)| (key, STANDARD.encode(value.expose())));
    json!(encoded.collect::<BTreeMap<_, _>>())
}

impl Run<'_> {
    /// Makes sure of the Secret with which nodes mount this volume.
    pub(crate) async fn mountable(&self, secret: &SecretRef, volume: &VolumeId) -> Result<(), Error> {
        let cell = self.mounts.cell(secret);
        cell.get_or_try_init(|| self.make_secret(secret, volume)).await.copied()
    }

    async fn make_secret(&self, secret: &SecretRef, volume: &VolumeId) -> Result<(), Error> {
        if let Some(change) = ensure(self.ctx, &self.profile.name, secret, volume).await? {
            Tally::add(&self.tally.changed);
            let what = apply::kubectl_name(&target_of(secret));
            self.done(Stage::Volumes, what, change, "with which nodes mount");
        }
        Ok(())
    }
}

/// Makes sure of the Secret with which nodes mount a volume, and says what that changed.
pub(crate) async fn ensure(
    ctx: &Context,
    profile: &str,
    secret: &SecretRef,
    volume: &VolumeId,
) -> Result<Option<Change>, Error> {
    let values = ctx.cloud.mount_secrets.mount_secret(volume).await?;
    if values.is_empty() {
        return Ok(None);
    }
    let target = target_of(secret);
    match ctx.cluster.create(&target, &object(profile, secret, &values)).await {
        Ok(_) => Ok(Some(Change::Created)),
        Err(error) if error.kind == ErrorKind::AlreadyExists => renew(ctx, &target, &data(&values)).await,
        Err(error) => Err(error),
    }
}

/// A Secret that is there holds what it should, or what the cloud had changed since we wrote it. One that somebody else
/// wrote is theirs.
async fn renew(ctx: &Context, target: &ObjectRef, data: &Value) -> Result<Option<Change>, Error> {
    let Some(live) = ctx.cluster.get(target).await? else {
        let message = "it was deleted a moment ago; run again";
        return Err(Error::new(ErrorKind::Stale, "create", target.to_string(), message));
    };
    if live.at(&["data"]) == Some(data) {
        return Ok(None);
    }
    if live.label(names::MOUNTS_FOR).is_none() {
        ctx.notice(format!(
            "{target} was not made by moorline and holds something else than the cloud gives out now; it is left as it is"
        ));
        return Ok(None);
    }
    let patch = json!({"metadata": {"uid": live.uid()}, "data": data});
    ctx.cluster.merge(target, &patch).await?;
    Ok(Some(Change::Configured))
}

/// The Secrets that PersistentVolumes of this profile name and that are not there, with a volume of each. Where Secrets may not
/// be read they are taken for there: that a pod cannot mount shows in its events.
pub(crate) async fn missing<'a>(
    ctx: &Context,
    profile: &Profile,
    persistent_volumes: impl Iterator<Item = &'a PvView>,
) -> Result<Vec<MountPlan>, Error> {
    let ours = persistent_volumes.filter(|pv| pv.profile.as_deref() == Some(&profile.name));
    let named: BTreeMap<&SecretRef, &VolumeId> = ours
        .filter_map(|pv| Some((pv.secret.as_ref()?, pv.volume.as_ref()?)))
        .collect();
    let mut missing = Vec::new();
    for (secret, volume) in named {
        match ctx.cluster.get(&target_of(secret)).await {
            Ok(Some(_)) => {}
            Ok(None) => missing.push(MountPlan {
                secret: secret.clone(),
                volume: volume.clone(),
            }),
            Err(error) if error.kind == ErrorKind::Forbidden => {}
            Err(error) => return Err(error),
        }
    }
    Ok(missing)
}

/// The Secrets that were made for mounts of this profile, in its namespaces and where its PersistentVolumes name them. Where
/// Secrets may not be listed there are none, unless a PersistentVolume names one.
pub(crate) async fn made(ctx: &Context, profile: &Profile) -> Result<Vec<Removal>, Error> {
    let mut namespaces = observe::namespaces(profile);
    let volumes = observe::labelled_persistent_volumes(ctx, &profile.name).await?;
    let named: BTreeSet<String> = volumes
        .into_iter()
        .filter_map(|pv| Some(pv.secret?.namespace))
        .collect();
    let is_needed = !named.is_empty();
    namespaces.extend(named);
    let mut found = Vec::new();
    for namespace in namespaces {
        let query = ListQuery::within(ResourceKind::secret(), &namespace).labelled(format!(
            "{}={}",
            names::MOUNTS_FOR,
            profile.name
        ));
        let removal = |secret: Object| {
            let target = ObjectRef::new(ResourceKind::secret(), &namespace, secret.name());
            let uid = secret.uid()?.to_owned();
            Some(Removal { target, uid })
        };
        match observe::list(ctx, query, removal).await {
            Ok((secrets, _)) => found.extend(secrets),
            Err(error) if error.kind == ErrorKind::Forbidden && !is_needed => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Deletes those Secrets that no PersistentVolume of the cluster names any more.
pub(crate) async fn remove(ctx: &Context, secrets: &[Removal], deadline: Instant) -> DownOutcome {
    let mut outcome = DownOutcome::default();
    if secrets.is_empty() {
        return outcome;
    }
    let users = users(ctx).await;
    for removal in secrets {
        let what = removal.target.to_string();
        let named = match &users {
            Ok(users) => users.get(&removal.target),
            Err(error) => {
                let why = format!("whether a PersistentVolume names it is not known: {error}");
                outcome.remaining.push(Fate { what, why });
                continue;
            }
        };
        if let Some(volume) = named {
            let why = format!("nodes mount PersistentVolume {volume} with it");
            outcome.kept.push(Fate { what, why });
            continue;
        }
        match apply::delete_and_wait(ctx, &removal.target, &removal.uid, Propagation::Background, deadline).await {
            Ok(()) => {
                ctx.emit(Event::Done {
                    stage: Stage::Reclaim,
                    what: apply::kubectl_name(&removal.target),
                    change: Change::Deleted,
                    detail: String::new(),
                });
                let why = "no longer in the cluster".to_owned();
                outcome.gone.push(Fate { what, why });
            }
            Err(error) => outcome.remaining.push(Fate {
                what,
                why: error.to_string(),
            }),
        }
    }
    outcome
}

/// The Secrets that PersistentVolumes of the cluster name, with one such volume each.
async fn users(ctx: &Context) -> Result<BTreeMap<ObjectRef, String>, Error> {
    let keep = |pv: Object| Some((target_of(&secret_of(&pv)?), pv.name().to_owned()));
    let query = ListQuery::everywhere(ResourceKind::persistent_volume());
    Ok(observe::list(ctx, query, keep).await?.0.into_iter().collect())
}

#[cfg(test)]
mod tests;
