//! Claim, volume, Secret (where nodes need one), PersistentVolume, touch: in this order, so that a kill between any two leaves what the next run finishes.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use moorline_api::{
    ClientToken, Error, ErrorKind, NewVolume, Object, ObjectRef, ResourceKind, Tags, Volume, VolumeId, VolumeSpec, tags,
};
use serde_json::json;

use super::persistent_volume::{Anchor, Recipe};
use super::{Halt, Run, Tally, refusal};
use crate::event::{Change, Event, Stage};
use crate::fold::ClaimView;
use crate::names;
use crate::observe::CloudVolumes;
use crate::plan::{ClaimAction, ClaimPlan, ClaimStorage};
use crate::readiness::Silence;
use crate::tracker::Waited;

/// A claim's token is burnt by each failed or deleted volume; more than this many lives of one claim are not believed.
const GENERATIONS: u32 = 16;
/// How often a claim that vanishes while it is being created is tried anew.
const ATTEMPTS: usize = 5;

impl Run<'_> {
    /// Makes whatever a claim lacks, up to the touch that binds it.
    pub(crate) async fn provision(&self, plan: &ClaimPlan) -> Result<(), Halt> {
        let what = format!("claim {}/{}", plan.namespace, plan.name);
        let (Some(spec), Some(storage)) = (&plan.volume, &plan.storage) else {
            return Ok(());
        };
        let fail = |error| Halt::failed(what.clone(), error);
        let (anchor, volume, has_pv) = match &plan.action {
            ClaimAction::Keep | ClaimAction::Await { .. } => return Ok(()),
            ClaimAction::Create => (self.create_claim(plan, &what).await?, None, false),
            ClaimAction::Resume {
                uid,
                volume,
                persistent_volume,
            } => {
                let anchor = Anchor {
                    uid: uid.clone(),
                    persistent_volume: plan.persistent_volume.clone(),
                };
                (anchor, volume.clone(), *persistent_volume)
            }
        };
        if has_pv {
            return self.touch(plan, &anchor, None).await;
        }
        let volume = match volume {
            Some(id) => self.adopt(plan, spec, id).await?,
            None => self.create_volume(plan, spec, &anchor).await?,
        };
        self.gate()?;
        self.create_persistent_volume(plan, storage, &anchor, &volume)
            .await
            .map_err(fail)?;
        self.touch(plan, &anchor, Some(&volume.id)).await
    }

    fn claim_ref(plan: &ClaimPlan) -> ObjectRef {
        ObjectRef::new(ResourceKind::claim(), &plan.namespace, &plan.name)
    }

    /// Creates the claim, or takes the one that another run of ours made meanwhile. A claim on its way out is waited for.
    async fn create_claim(&self, plan: &ClaimPlan, what: &str) -> Result<Anchor, Halt> {
        let target = Self::claim_ref(plan);
        let Some(object) = &plan.object else {
            return Err(Halt::failed(
                what,
                refusal(
                    ErrorKind::Invalid,
                    "create claim",
                    what,
                    "the plan has no object for it",
                ),
            ));
        };
        for _ in 0..ATTEMPTS {
            self.gate()?;
            match self.ctx.cluster.create(&target, object).await {
                Ok(created) => {
                    Tally::add(&self.tally.changed);
                    self.done(
                        Stage::Volumes,
                        format!("persistentvolumeclaim/{}", plan.name),
                        Change::Created,
                        "",
                    );
                    return Self::anchor(&created).map_err(|error| Halt::failed(what, error));
                }
                Err(error) if error.kind == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Halt::failed(what, error)),
            }
            let live = self
                .ctx
                .cluster
                .get(&target)
                .await
                .map_err(|error| Halt::failed(what, error))?;
            let Some(live) = live else { continue };
            if live.is_terminating() {
                self.wait_replaced(plan, live.uid().unwrap_or_default()).await?;
                continue;
            }
            let view = ClaimView::of(&live);
            let ours = view.profile() == Some(&*self.profile.name) && view.restored_from.is_none();
            if ours && !view.volume_name.is_empty() && !view.is_bound() {
                return Self::anchor(&live).map_err(|error| Halt::failed(what, error));
            }
            let message = "someone else made it after this run was planned; run again to plan with it";
            return Err(Halt::failed(
                what,
                refusal(ErrorKind::Stale, "create claim", what, message),
            ));
        }
        Err(Halt::failed(
            what,
            refusal(
                ErrorKind::Stale,
                "create claim",
                what,
                "it keeps being made and deleted by someone else",
            ),
        ))
    }

    fn anchor(claim: &Object) -> Result<Anchor, Error> {
        let uid = claim.uid().ok_or_else(|| {
            refusal(
                ErrorKind::Internal,
                "create claim",
                claim.name(),
                "the API server gave it no UID",
            )
        })?;
        let persistent_volume = claim.str_at(&["spec", "volumeName"]).unwrap_or_default().to_owned();
        Ok(Anchor {
            uid: uid.to_owned(),
            persistent_volume,
        })
    }

    /// Waits until the claim with this UID is gone.
    async fn wait_replaced(&self, plan: &ClaimPlan, uid: &str) -> Result<(), Halt> {
        let gone = |snapshot: &crate::tracker::Snapshot| {
            let live = snapshot.get(&ResourceKind::claim(), &plan.namespace, &plan.name);
            live.is_none_or(|live| live.uid() != Some(uid)).then_some(())
        };
        match self.tracker.until(self.deadline, gone).await {
            Waited::Done(()) => Ok(()),
            Waited::TimedOut => Err(Halt::timed_out(
                format!("claim {}/{}", plan.namespace, plan.name),
                "it is still being deleted: Kubernetes keeps a claim for as long as a pod uses it",
                Some("delete the pod that uses it"),
            )),
            Waited::Stopped => Err(Halt::Stopped),
            Waited::Lost(error) => Err(Halt::failed(format!("claim {}/{}", plan.namespace, plan.name), error)),
        }
    }

    /// Creates the volume under the claim's UID. A burnt token means that a volume of this claim failed or was deleted:
    /// what is tagged with the UID is looked for, and only then the next generation is used.
    async fn create_volume(&self, plan: &ClaimPlan, spec: &VolumeSpec, anchor: &Anchor) -> Result<Volume, Halt> {
        let what = format!("volume for claim {}/{}", plan.namespace, plan.name);
        let tags = self.tags(plan, anchor);
        for generation in 1..=GENERATIONS {
            self.gate()?;
            let token = ClientToken {
                claim_uid: anchor.uid.clone(),
                generation,
            };
            let new = NewVolume {
                spec: spec.clone(),
                token,
                tags: tags.clone(),
            };
            match self.ctx.cloud.volumes.create(&new).await {
                Ok(volume) => {
                    self.pace();
                    if volume.tags.contains_key(names::ADOPTED) {
                        Tally::add(&self.tally.volumes_adopted);
                        let detail = format!("for {}; it was there before, and stays", plan.name);
                        self.done(Stage::Volumes, format!("volume/{}", volume.id), Change::Adopted, detail);
                        return self.usable(&volume.id, &what).await;
                    }
                    Tally::add(&self.tally.changed);
                    Tally::add(&self.tally.volumes_created);
                    let zone = volume
                        .spec
                        .zone
                        .as_ref()
                        .map_or_else(String::new, |zone| format!(" in {zone}"));
                    self.done(
                        Stage::Volumes,
                        format!("volume/{}", volume.id),
                        Change::Created,
                        format!("for {}{zone}", plan.name),
                    );
                    return self.usable(&volume.id, &what).await;
                }
                Err(error) if matches!(error.kind, ErrorKind::TokenBurnt | ErrorKind::LimitExceeded) => {
                    if let Some(volume) = self
                        .made_before(&anchor.uid)
                        .await
                        .map_err(|error| Halt::failed(what.clone(), error))?
                    {
                        return self.adopt(plan, spec, volume.id).await;
                    }
                    if error.kind == ErrorKind::LimitExceeded {
                        return Err(Halt::failed(what, error));
                    }
                }
                Err(error) => return Err(Halt::failed(what, error)),
            }
        }
        let message = format!(
            "{GENERATIONS} volumes of this claim have failed or were deleted; delete the claim and run up again"
        );
        Err(Halt::failed(
            what.clone(),
            refusal(ErrorKind::TokenBurnt, "create volume", &what, message),
        ))
    }

    /// How long the rest of the volumes takes at least, for the reporter.
    fn pace(&self) {
        let left = self
            .tally
            .creates_left
            .fetch_sub(1, Ordering::Relaxed)
            .saturating_sub(1);
        let all = self.plan.volume_creates;
        let done = all.saturating_sub(left);
        let floor = |creates| self.ctx.cloud.volumes.creation_floor(creates).as_secs_f64();
        let seconds = floor(all) - floor(done);
        if seconds > 0.0 {
            self.ctx.emit(Event::Pace { calls: left, seconds });
        }
    }

    async fn made_before(&self, claim_uid: &str) -> Result<Option<Volume>, Error> {
        let volumes = CloudVolumes::read(self.ctx, &self.site.cluster.uid, &self.profile.name, BTreeSet::new()).await?;
        Ok(volumes
            .of_claim(claim_uid)
            .into_iter()
            .find(|volume| volume.state.is_alive())
            .cloned())
    }

    /// Uses a volume that an earlier run made for this very claim, if it is what is asked for.
    async fn adopt(&self, plan: &ClaimPlan, spec: &VolumeSpec, id: VolumeId) -> Result<Volume, Halt> {
        let what = format!("claim {}/{}", plan.namespace, plan.name);
        let volume = self.usable(&id, &what).await?;
        let (has, asks) = (&volume.spec, spec);
        if has.size_gib != asks.size_gib || has.config.type_name() != asks.config.type_name() {
            let message = format!(
                "volume {id}, made for it by an earlier run, is {} GiB {}, and the profile now asks {} GiB {}; delete the claim and run up again",
                has.size_gib,
                has.config.type_name(),
                asks.size_gib,
                asks.config.type_name(),
            );
            return Err(Halt::failed(
                what,
                refusal(ErrorKind::AlreadyExists, "adopt", &id.0, message),
            ));
        }
        Tally::add(&self.tally.volumes_adopted);
        self.done(
            Stage::Volumes,
            format!("volume/{id}"),
            Change::Adopted,
            format!("for {}", plan.name),
        );
        Ok(volume)
    }

    async fn usable(&self, id: &VolumeId, what: &str) -> Result<Volume, Halt> {
        tokio::select! {
            usable = self.ctx.cloud.volumes.wait_usable(id) => usable.map_err(|error| Halt::failed(what, error)),
            () = self.ctx.stop.cancelled() => Err(Halt::Stopped),
            () = tokio::time::sleep_until(self.deadline) => {
                let why = format!("volume {id} was created, and the cloud does not list it as usable");
                Err(Halt::timed_out(what, why, None))
            }
        }
    }

    fn tags(&self, plan: &ClaimPlan, anchor: &Anchor) -> Tags {
        let mut tags =
            self.ctx
                .cloud
                .rules
                .standard_tags(&plan.namespace, &plan.name, &anchor.uid, &anchor.persistent_volume);
        let ours = [
            (names::CLUSTER_UID, self.site.cluster.uid.clone()),
            (names::NAMESPACE, plan.namespace.clone()),
            (names::CLAIM, plan.name.clone()),
            (names::CLAIM_UID, anchor.uid.clone()),
            (names::PROFILE, self.profile.name.clone()),
        ];
        tags.extend(ours.map(|(key, value)| (key.to_owned(), value)));
        tags.extend(remembered(plan));
        tags.extend(
            self.profile
                .owner
                .iter()
                .map(|owner| (names::OWNER.to_owned(), owner.clone())),
        );
        tags
    }

    /// Creates the PersistentVolume, reserved for this life of the claim. One of that name is ours only if it points from
    /// the same claim to the same volume.
    async fn create_persistent_volume(
        &self,
        plan: &ClaimPlan,
        storage: &ClaimStorage,
        anchor: &Anchor,
        volume: &Volume,
    ) -> Result<(), Error> {
        let target = ObjectRef::new(ResourceKind::persistent_volume(), "", anchor.persistent_volume.clone());
        let recipe = Recipe {
            rules: &*self.ctx.cloud.rules,
            profile: Some(&self.profile.name),
            owner: self.profile.owner.as_deref(),
            claim: (&plan.namespace, &plan.name),
            storage,
            adopted: volume.tags.contains_key(names::ADOPTED),
        };
        let made = recipe.persistent_volume(anchor, &volume.id, &volume.spec);
        if let Some(secret) = &made.secret {
            self.mountable(secret, &volume.id).await?;
        }
        match self.ctx.cluster.create(&target, &made.object).await {
            Ok(_) => {
                Tally::add(&self.tally.changed);
                self.done(
                    Stage::Volumes,
                    format!("persistentvolume/{}", target.name),
                    Change::Created,
                    format!("for {}", plan.name),
                );
                Ok(())
            }
            Err(error) if error.kind == ErrorKind::AlreadyExists => {
                let live = self.ctx.cluster.get(&target).await?;
                let same = live.is_some_and(|live| {
                    live.str_at(&["spec", "claimRef", "uid"]) == Some(&*anchor.uid)
                        && self.ctx.cloud.rules.volume_id(&live).as_ref() == Some(&volume.id)
                });
                if same { Ok(()) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    /// Writes to the claim, because Kubernetes looks at a waiting claim at once only when the claim itself changes, and
    /// otherwise every 15 s. The write is of use beside that: it leaves the volume's id where `kubectl describe` shows it.
    async fn touch(&self, plan: &ClaimPlan, anchor: &Anchor, volume: Option<&VolumeId>) -> Result<(), Halt> {
        self.gate()?;
        let annotation = match volume {
            Some(id) => json!({ names::VOLUME: id.0 }),
            // An earlier run may have written the id already; the same again would change nothing and wake no one.
            None => {
                json!({ names::RESUMED: (self.ctx.now)().round(jiff::Unit::Millisecond).unwrap_or(Timestamp::UNIX_EPOCH).to_string() })
            }
        };
        let patch = json!({"metadata": {"uid": anchor.uid, "annotations": annotation}});
        let what = format!("claim {}/{}", plan.namespace, plan.name);
        self.ctx
            .cluster
            .merge(&Self::claim_ref(plan), &patch)
            .await
            .map_err(|error| Halt::failed(what, error))?;
        Tally::add(&self.tally.changed);
        let key = (plan.namespace.clone(), plan.name.clone());
        self.tally.touched.note(key, &anchor.uid);
        Ok(())
    }

    /// Waits until every one of these claims is Bound.
    pub(crate) async fn wait_bound(&self, claims: &[&ClaimPlan]) -> Result<(), Halt> {
        let mut silence = Silence::new();
        let unbound = |snapshot: &crate::tracker::Snapshot| {
            silence.look(self.profile, snapshot);
            let bound = |claim: &&&ClaimPlan| {
                let live = snapshot.get(&ResourceKind::claim(), &claim.namespace, &claim.name);
                live.is_some_and(|live| live.str_at(&["status", "phase"]) == Some("Bound"))
            };
            claims.iter().all(|claim| bound(&claim)).then_some(())
        };
        let waited = tokio::select! {
            waited = self.tracker.until(self.deadline, unbound) => waited,
            never = self.wake() => match never {},
        };
        match waited {
            Waited::Done(()) => {
                for claim in claims {
                    self.done(
                        Stage::Volumes,
                        format!("persistentvolumeclaim/{}", claim.name),
                        Change::Settled,
                        "Bound",
                    );
                }
                Ok(())
            }
            Waited::TimedOut => match silence.lasting() {
                parts if parts.is_empty() => Err(Halt::TimedOut(None)),
                parts => Err(Halt::Silent(parts)),
            },
            Waited::Stopped => Err(Halt::Stopped),
            Waited::Lost(error) => Err(Halt::failed("waiting until claims are bound", error)),
        }
    }
}

/// What nothing but the volume knows any more when claim and PersistentVolume are gone, and `restore` needs.
fn remembered(plan: &ClaimPlan) -> Tags {
    let Some(storage) = &plan.storage else {
        return Tags::new();
    };
    let mut tags = Tags::from([
        (tags::STORAGE_CLASS.to_owned(), storage.class.name.clone()),
        (tags::ACCESS_MODES.to_owned(), storage.shape.access_modes.join(" ")),
        (tags::VOLUME_MODE.to_owned(), storage.shape.volume_mode.clone()),
    ]);
    tags.extend(plan.set.iter().map(|set| (tags::SET.to_owned(), set.clone())));
    tags
}

#[cfg(test)]
mod tests;
