//! Claim, volume, Secret (where nodes need one), PersistentVolume, touch: as `up` does it, and for the same reason.

use std::time::Duration;

use futures::StreamExt;
use moorline_api::{
    ClientToken, Error, ErrorKind, ListQuery, NewVolume, Object, ObjectRef, Origin, ResourceKind, Tags, Volume,
    VolumeFilter, VolumeSpec,
};
use moorline_profile::Profile;
use serde_json::json;
use tokio::time::Instant;

use super::blueprint::inherited;
use super::plan::{self, Site};
use super::{ClaimToMake, RestoreAction, RestoreOutcome, RestorePlan, RestoreRequest, Source, find, refused};
use crate::apply::persistent_volume::Anchor;
use crate::apply::{kubectl_name, refusal};
use crate::context::Context;
use crate::error::{EngineError, Failure};
use crate::event::{Change, Event, Stage};
use crate::mounts;
use crate::names;
use crate::outcome::Cause;
use crate::tracker::{Snapshot, Tracker, Waited};

/// A claim's token is burnt by each volume of it that failed or was deleted; more than this many are not believed.
const GENERATIONS: u32 = 16;

/// How long the binder is given after each touch before the claim is touched again.
const BINDING: Duration = Duration::from_secs(2);

/// Carries a plan out and waits until the claim is bound. Again after a kill at any call, it finishes what that run began.
pub async fn execute_restore(
    ctx: &Context,
    profile: Option<&Profile>,
    request: &RestoreRequest,
    plan: RestorePlan,
) -> Result<RestoreOutcome, EngineError> {
    let mut run = Run {
        ctx,
        deadline: Instant::now() + ctx.limits.timeout,
        changed: 0,
    };
    let RestorePlan {
        cluster,
        account,
        source,
        action,
        notices,
        ..
    } = plan;
    let site = Site { cluster, account };
    match action {
        RestoreAction::Nothing {
            claim,
            persistent_volume,
        } => {
            let volume = behind(ctx, &persistent_volume).await?;
            Ok(RestoreOutcome {
                source,
                claim: Some(claim),
                persistent_volume: Some(persistent_volume),
                spec: volume.as_ref().map(|volume| volume.spec.clone()),
                volume: volume.map(|volume| volume.id),
                changed: 0,
                notices,
            })
        }
        RestoreAction::Make(claim) => run.make(&site, source, *claim, notices).await,
        RestoreAction::Return { claim } => {
            let volume = run.come_back(&source).await?;
            if claim.is_some() {
                return Ok(RestoreOutcome {
                    source,
                    claim,
                    persistent_volume: None,
                    volume: Some(volume.id),
                    spec: Some(volume.spec),
                    changed: run.changed,
                    notices,
                });
            }
            run.claim_what_came_back(profile, request, &site, volume).await
        }
    }
}

/// The volume that a PersistentVolume names, as the cloud has it.
async fn behind(ctx: &Context, persistent_volume: &str) -> Result<Option<Volume>, Error> {
    let target = ObjectRef::new(ResourceKind::persistent_volume(), "", persistent_volume);
    let live = ctx.cluster.get(&target).await?;
    let Some(id) = live.and_then(|live| ctx.cloud.rules.volume_id(&live)) else {
        return Ok(None);
    };
    let mut pages = ctx.cloud.volumes.list(VolumeFilter::Ids(vec![id.clone()]));
    while let Some(page) = pages.next().await {
        if let Some(volume) = page?.into_iter().find(|volume| volume.id == id) {
            return Ok(Some(volume));
        }
    }
    Ok(None)
}

/// One run of a plan.
struct Run<'a> {
    ctx: &'a Context,
    deadline: Instant,
    changed: usize,
}

fn failed(what: impl Into<String>, error: Error) -> EngineError {
    EngineError::Failed(vec![Failure {
        what: what.into(),
        error,
    }])
}

impl Run<'_> {
    fn gate(&self) -> Result<(), EngineError> {
        if self.ctx.stop.is_cancelled() {
            return Err(stopped());
        }
        Ok(())
    }

    fn done(&mut self, what: String, change: Change, detail: impl Into<String>) {
        self.changed += 1;
        self.ctx.emit(Event::Done {
            stage: Stage::Volumes,
            what,
            change,
            detail: detail.into(),
        });
    }

    /// A call of the cloud that waits until the volume can be used: until the deadline, or until the user stops it.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<Result<T, Error>, EngineError> {
        tokio::select! {
            result = call => Ok(result),
            () = self.ctx.stop.cancelled() => Err(stopped()),
            () = tokio::time::sleep_until(self.deadline) => {
                Err(self.timed_out("the volume", "the cloud does not have it ready".to_owned()))
            }
        }
    }

    fn timed_out(&self, what: &str, why: String) -> EngineError {
        EngineError::TimedOut {
            seconds: self.ctx.limits.timeout.as_secs(),
            causes: vec![Cause {
                what: what.to_owned(),
                why,
                hint: Some("run the same command again to go on".to_owned()),
                fatal: false,
            }],
        }
    }

    /// The deleted volume, back as it was.
    async fn come_back(&mut self, source: &Source) -> Result<Volume, EngineError> {
        self.gate()?;
        let Some(spec) = source.spec.clone() else {
            return Err(refused(
                format!("the cloud does not say what {} was like", source.title()),
                "bring it back with the cloud's own tools, and run again with its id",
            ));
        };
        let token = ClientToken {
            claim_uid: String::new(),
            generation: 1,
        };
        let new = NewVolume {
            spec,
            token,
            tags: Tags::new(),
        };
        let back = self
            .in_time(self.ctx.cloud.recovery.recover(&source.origin, &new))
            .await?;
        let volume = back.map_err(|error| failed(source.title(), error))?;
        self.done(format!("volume/{}", volume.id), Change::Restored, "as it was");
        Ok(volume)
    }

    /// Plans again with what the volume says now that it is back, and makes its claim.
    async fn claim_what_came_back(
        mut self,
        profile: Option<&Profile>,
        request: &RestoreRequest,
        site: &Site,
        volume: Volume,
    ) -> Result<RestoreOutcome, EngineError> {
        let id = volume.id.clone();
        let planned = plan::plan(self.ctx, profile, site, request, find::returned(volume)).await;
        let planned = planned.map_err(|error| match error {
            EngineError::Refused { what, cure } => {
                let cure = cure.replace("nothing was changed", "nothing else was changed");
                refused(format!("volume {id} is back, and has no claim yet: {what}"), cure)
            }
            other => other,
        })?;
        let RestorePlan {
            source,
            action,
            notices,
            ..
        } = planned;
        match action {
            RestoreAction::Make(claim) => self.make(site, source, *claim, notices).await,
            RestoreAction::Nothing { claim, .. } | RestoreAction::Return { claim: Some(claim) } => Ok(RestoreOutcome {
                claim: Some(claim),
                persistent_volume: None,
                volume: Some(id),
                spec: source.spec.clone(),
                source,
                changed: self.changed,
                notices,
            }),
            RestoreAction::Return { claim: None } => Err(failed(
                source.title(),
                refusal(
                    ErrorKind::Internal,
                    "restore",
                    &id.0,
                    "the cloud says that it is deleted again",
                ),
            )),
        }
    }

    /// Makes what is missing, in the order in which each thing is found again.
    async fn make(
        &mut self,
        site: &Site,
        source: Source,
        claim: ClaimToMake,
        notices: Vec<String>,
    ) -> Result<RestoreOutcome, EngineError> {
        let what = format!("claim {}/{}", claim.namespace, claim.name);
        let anchor = self.claim(&claim, &what).await?;
        let volume = self.volume(site, &source, &claim, &anchor).await?;
        self.persistent_volume(&claim, &anchor, &volume)
            .await
            .map_err(|error| failed(what.clone(), error))?;
        self.bind(&claim, &anchor, &volume, &what).await?;
        Ok(RestoreOutcome {
            source,
            claim: Some(format!("{}/{}", claim.namespace, claim.name)),
            persistent_volume: Some(anchor.persistent_volume),
            volume: Some(volume.id),
            spec: Some(volume.spec),
            changed: self.changed,
            notices,
        })
    }

    async fn claim(&mut self, claim: &ClaimToMake, what: &str) -> Result<Anchor, EngineError> {
        if let Some(uid) = &claim.uid {
            return Ok(Anchor {
                uid: uid.clone(),
                persistent_volume: claim.persistent_volume.clone(),
            });
        }
        self.gate()?;
        let created = self.ctx.cluster.create(&claim.target(), &claim.object).await;
        let created = created.map_err(|error| match error.kind {
            ErrorKind::AlreadyExists => {
                let message = "someone else made it after this run was planned; run again to plan with it";
                failed(what, refusal(ErrorKind::Stale, "create claim", what, message))
            }
            _ => failed(what, error),
        })?;
        self.done(kubectl_name(&claim.target()), Change::Created, "");
        let uid = created.uid().ok_or_else(|| {
            let message = "the API server gave it no UID";
            failed(what, refusal(ErrorKind::Internal, "create claim", what, message))
        })?;
        Ok(Anchor {
            uid: uid.to_owned(),
            persistent_volume: claim.persistent_volume.clone(),
        })
    }

    async fn volume(
        &mut self,
        site: &Site,
        source: &Source,
        claim: &ClaimToMake,
        anchor: &Anchor,
    ) -> Result<Volume, EngineError> {
        let mut tags = inherited(&source.tags);
        tags.extend(claim.tags(self.ctx, &site.cluster.uid, &anchor.uid));
        if matches!(source.origin, Origin::Deleted { .. }) {
            return self.own(source, claim, anchor, tags).await;
        }
        let what = source.title();
        if claim.uid.is_some()
            && let Some(made) = self.made(&anchor.uid).await.map_err(|error| failed(&*what, error))?
        {
            return self.adopt(claim, made, &what).await;
        }
        for generation in 1..=GENERATIONS {
            self.gate()?;
            let new = NewVolume {
                spec: claim.volume.clone(),
                token: ClientToken {
                    claim_uid: anchor.uid.clone(),
                    generation,
                },
                tags: tags.clone(),
            };
            match self
                .in_time(self.ctx.cloud.recovery.recover(&source.origin, &new))
                .await?
            {
                Ok(volume) => {
                    let zone = volume
                        .spec
                        .zone
                        .as_ref()
                        .map_or_else(String::new, |zone| format!(" in {zone}"));
                    let detail = format!("from {}{zone}", source.origin.id());
                    self.done(format!("volume/{}", volume.id), Change::Created, detail);
                    return Ok(volume);
                }
                Err(error) if error.kind == ErrorKind::TokenBurnt => {
                    if let Some(made) = self.made(&anchor.uid).await.map_err(|error| failed(&*what, error))? {
                        return self.adopt(claim, made, &what).await;
                    }
                }
                Err(error) => return Err(failed(what, error)),
            }
        }
        let message =
            format!("{GENERATIONS} volumes of this claim have failed or were deleted; delete the claim and run again");
        Err(failed(
            &*what,
            refusal(ErrorKind::TokenBurnt, "restore", &what, message),
        ))
    }

    /// Makes a volume that came back this claim's.
    async fn own(
        &mut self,
        source: &Source,
        claim: &ClaimToMake,
        anchor: &Anchor,
        tags: Tags,
    ) -> Result<Volume, EngineError> {
        self.gate()?;
        let new = NewVolume {
            spec: claim.volume.clone(),
            token: ClientToken {
                claim_uid: anchor.uid.clone(),
                generation: 1,
            },
            tags,
        };
        let owned = self
            .in_time(self.ctx.cloud.recovery.recover(&source.origin, &new))
            .await?;
        let volume = owned.map_err(|error| failed(source.title(), error))?;
        self.done(
            format!("volume/{}", volume.id),
            Change::Configured,
            format!("for {}", claim.name),
        );
        Ok(volume)
    }

    /// The volume that an earlier run made for this life of the claim.
    async fn made(&self, claim_uid: &str) -> Result<Option<Volume>, Error> {
        let tags = Tags::from([(names::CLAIM_UID.to_owned(), claim_uid.to_owned())]);
        let mut found: Vec<Volume> = Vec::new();
        let mut pages = self.ctx.cloud.volumes.list(VolumeFilter::Tagged(tags));
        while let Some(page) = pages.next().await {
            found.extend(page?.into_iter().filter(|volume| volume.state.is_alive()));
        }
        found.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(found.into_iter().next())
    }

    async fn adopt(&mut self, claim: &ClaimToMake, made: Volume, what: &str) -> Result<Volume, EngineError> {
        let (has, asks) = (&made.spec, &claim.volume);
        if has.size_gib < asks.size_gib || has.config.type_name() != asks.config.type_name() {
            let message = format!(
                "volume {}, made for the claim by an earlier run, is {}, and now {} is asked for; delete the claim and run again",
                made.id,
                size_and_type(has),
                size_and_type(asks),
            );
            return Err(failed(
                what,
                refusal(ErrorKind::AlreadyExists, "adopt", &made.id.0, message),
            ));
        }
        let usable = self.in_time(self.ctx.cloud.volumes.wait_usable(&made.id)).await?;
        let volume = usable.map_err(|error| failed(what, error))?;
        self.done(
            format!("volume/{}", volume.id),
            Change::Adopted,
            format!("for {}", claim.name),
        );
        Ok(volume)
    }

    /// Creates the PersistentVolume, reserved for this life of the claim, and before it the Secret with which nodes mount.
    async fn persistent_volume(&mut self, claim: &ClaimToMake, anchor: &Anchor, volume: &Volume) -> Result<(), Error> {
        let made = claim
            .recipe(self.ctx)
            .persistent_volume(anchor, &volume.id, &volume.spec);
        if let Some(secret) = &made.secret {
            let profile = claim.profile.as_deref().unwrap_or_default();
            if let Some(change) = mounts::ensure(self.ctx, profile, secret, &volume.id).await? {
                self.done(
                    kubectl_name(&mounts::target_of(secret)),
                    change,
                    "with which nodes mount",
                );
            }
        }
        let target = ObjectRef::new(ResourceKind::persistent_volume(), "", anchor.persistent_volume.clone());
        match self.ctx.cluster.create(&target, &made.object).await {
            Ok(_) => {
                self.done(kubectl_name(&target), Change::Created, format!("for {}", claim.name));
                Ok(())
            }
            Err(error) if error.kind == ErrorKind::AlreadyExists => {
                let live = self.ctx.cluster.get(&target).await?;
                let points = |live: Object| {
                    live.str_at(&["spec", "claimRef", "uid"]) == Some(&*anchor.uid)
                        && self.ctx.cloud.rules.volume_id(&live).as_ref() == Some(&volume.id)
                };
                if live.is_some_and(points) { Ok(()) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    /// Touches the claim, so that Kubernetes looks at it, and waits until it is bound; what the binder overlooked is touched again.
    async fn bind(
        &mut self,
        claim: &ClaimToMake,
        anchor: &Anchor,
        volume: &Volume,
        what: &str,
    ) -> Result<(), EngineError> {
        let mut query = ListQuery::within(ResourceKind::claim(), &claim.namespace);
        query.fields = Some(format!("metadata.name={}", claim.name));
        let tracker = Tracker::start(self.ctx, vec![query]);
        // What may not be read will never be seen bound: that is told, and not waited for.
        tracker.first_look(self.deadline).await.map_err(|error| match error {
            EngineError::Interrupted { .. } => stopped(),
            other => other,
        })?;
        let mut annotations = json!({ names::VOLUME: volume.id.0 });
        loop {
            self.gate()?;
            let patch = json!({"metadata": {"uid": anchor.uid, "annotations": annotations}});
            let touched = self.ctx.cluster.merge(&claim.target(), &patch).await;
            touched.map_err(|error| failed(what, error))?;
            let until = self.deadline.min(Instant::now() + BINDING);
            let bound = |snapshot: &Snapshot| {
                let live = snapshot.get(&ResourceKind::claim(), &claim.namespace, &claim.name)?;
                (live.str_at(&["status", "phase"]) == Some("Bound")).then_some(())
            };
            match tracker.until(until, bound).await {
                Waited::Done(()) => break,
                Waited::TimedOut if Instant::now() >= self.deadline => {
                    let why = format!("it is not bound to PersistentVolume {}", anchor.persistent_volume);
                    return Err(self.timed_out(what, why));
                }
                Waited::TimedOut => {}
                Waited::Stopped => return Err(stopped()),
                Waited::Lost(error) => return Err(error.into()),
            }
            annotations = json!({ names::RESUMED: (self.ctx.now)().to_string() });
        }
        self.done(kubectl_name(&claim.target()), Change::Settled, "Bound");
        Ok(())
    }
}

impl ClaimToMake {
    fn target(&self) -> ObjectRef {
        ObjectRef::new(ResourceKind::claim(), &self.namespace, self.name.clone())
    }
}

fn stopped() -> EngineError {
    EngineError::Interrupted {
        left: "run the same command again to finish it".to_owned(),
    }
}

fn size_and_type(spec: &VolumeSpec) -> String {
    format!("{} GiB {}", spec.size_gib, spec.config.type_name())
}
