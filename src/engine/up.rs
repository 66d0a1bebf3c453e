//! `up`: observe → plan → apply → wait → report.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use futures::{StreamExt, future, stream};
use moorline_api::{ApplyOptions, Error, ErrorKind, Gvk, ListQuery, Object, ObjectRef, ResourceKind, StorageClass};
use moorline_profile::{ClassRef, Profile};
use tokio::time::Instant;

use crate::apply::{self, Halt, Run, Tally, Written};
use crate::context::Context;
use crate::down;
use crate::error::{Conflict, EngineError};
use crate::event::{Event, Stage};
use crate::fold::{Key, applied_by_us, claims_of_pod};
use crate::names;
use crate::observe::{self, Catalog, CloudVolumes, Site};
use crate::outcome::{Cause, UpOutcome};
use crate::plan::{
    ClaimAction, ClaimInputs, ClaimPlan, ClaimRemoval, DryRun, ObjectAction, ObjectPlan, Obstacle, PlannedClaims,
    Removal, UpPlan, plan_claims, plan_object, prepared,
};
use crate::readiness;
use crate::scale;
use crate::status::compose;
use crate::tracker::{Tracker, Waited};

/// Reads cluster and cloud and says what `up` would do. Changes nothing: the API server is asked by dry run.
pub async fn plan_up(ctx: &Context, profile: &Profile) -> Result<UpPlan, EngineError> {
    ctx.emit(Event::Stage {
        stage: Stage::Observe,
        total: 0,
    });
    tokio::select! {
        plan = observe_and_plan(ctx, profile) => plan,
        () = ctx.stop.cancelled() => Err(EngineError::Interrupted { left: "nothing was changed".to_owned() }),
    }
}

async fn observe_and_plan(ctx: &Context, profile: &Profile) -> Result<UpPlan, EngineError> {
    let (site, catalog) = future::join(observe::site(ctx, profile), Catalog::read(ctx)).await;
    let (site, catalog) = (site?, catalog?);
    let live = LiveObjects::read(ctx, profile, &catalog).await?;
    let replicas = live.replicas(profile);
    let (objects, claims) = future::join(
        plan_objects(ctx, profile, &catalog, &live),
        observe_claims(ctx, profile, &site, &replicas),
    )
    .await;
    let (objects, claims) = (objects?, claims?);
    let mut notices = site.notices.clone();
    notices.extend(live.notices.iter().cloned());
    notices.extend(claims.notices);
    let mut blocked = objects.blocked;
    blocked.extend(claims.blocked);
    let releases = releases(ctx, profile, &site, &live, &objects.plans).await?;
    let mut plan = assemble(ctx, profile, site, objects.plans, claims.claims);
    plan.removals = live.removals;
    plan.releases = releases;
    plan.notices = notices;
    plan.blocked = blocked;
    Ok(plan)
}

/// What goes with the ordinals of sets that shrink under `whenScaled: Delete`.
async fn releases(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    live: &LiveObjects,
    plans: &[ObjectPlan],
) -> Result<Vec<ClaimRemoval>, EngineError> {
    let mut releases = Vec::new();
    for plan in plans
        .iter()
        .filter(|plan| matches!(plan.action, ObjectAction::Update { destroys: Some(_), .. }))
    {
        let set = profile
            .sets
            .iter()
            .find(|set| set.name == plan.target.name && Some(&set.namespace) == plan.target.namespace.as_ref());
        let before = live
            .live
            .get(&plan.target)
            .and_then(|live| u32::try_from(live.i64_at(&["spec", "replicas"])?).ok());
        let Some((set, before)) = set.zip(before) else { continue };
        releases.extend(scale::releases(ctx, profile, site, set, set.replicas.unwrap_or(before)..before).await?);
    }
    Ok(releases)
}

/// A plan of these objects and claims, with what they cost.
pub(crate) fn assemble(
    ctx: &Context,
    profile: &Profile,
    site: Site,
    objects: Vec<ObjectPlan>,
    claims: Vec<ClaimPlan>,
) -> UpPlan {
    let creates: Vec<&ClaimPlan> = claims
        .iter()
        .filter(|c| {
            matches!(
                c.action,
                ClaimAction::Create
                    | ClaimAction::Resume {
                        volume: None,
                        persistent_volume: false,
                        ..
                    }
            )
        })
        .collect();
    let volume_creates = u32::try_from(creates.len()).unwrap_or(u32::MAX);
    let monthly_usd = creates.iter().filter_map(|claim| claim.monthly_usd).sum();
    let unpriced = creates.iter().filter(|claim| claim.monthly_usd.is_none()).count();
    UpPlan {
        profile: profile.name.clone(),
        cluster: site.cluster,
        account: site.account,
        volume_creates,
        monthly_usd,
        unpriced,
        floor_seconds: ctx.cloud.volumes.creation_floor(volume_creates).as_secs_f64(),
        objects,
        claims,
        removals: Vec::new(),
        scale: None,
        releases: Vec::new(),
        notices: site.notices,
        blocked: Vec::new(),
    }
}

/// The profile's objects as they are, and what a former version of the profile left.
struct LiveObjects {
    targets: Vec<(ObjectRef, Object)>,
    live: HashMap<ObjectRef, Object>,
    /// Kinds that the cluster will only serve when this plan's CRDs are there.
    later: BTreeSet<Gvk>,
    unknown: Vec<Cause>,
    removals: Vec<Removal>,
    notices: Vec<String>,
}

impl LiveObjects {
    async fn read(ctx: &Context, profile: &Profile, catalog: &Catalog) -> Result<Self, Error> {
        let mut this = Self {
            targets: Vec::new(),
            live: HashMap::new(),
            later: BTreeSet::new(),
            unknown: Vec::new(),
            removals: Vec::new(),
            notices: Vec::new(),
        };
        this.resolve(profile, catalog);
        let labelled = this.labelled(ctx, profile, catalog).await?;
        let unread: Vec<ObjectRef> = this
            .targets
            .iter()
            .map(|(target, _)| target)
            .filter(|t| !labelled.contains_key(t) && !this.later.contains(&t.resource.gvk))
            .cloned()
            .collect();
        let reads = unread
            .into_iter()
            .map(|target| async move { (ctx.cluster.get(&target).await, target) });
        let mut reads = stream::iter(reads).buffer_unordered(ctx.limits.concurrency.max(1));
        while let Some((found, target)) = reads.next().await {
            this.live.extend(found?.map(|object| (target, object)));
        }
        drop(reads);
        this.sort_out(labelled);
        Ok(this)
    }

    /// Finds each manifest's kind, among the served ones or the profile's own CRDs.
    fn resolve(&mut self, profile: &Profile, catalog: &Catalog) {
        for manifest in &profile.manifests {
            let gvk = manifest.object.gvk();
            if is_claim(&gvk) {
                continue;
            }
            let kind = if let Some(kind) = catalog.find(&gvk) {
                kind
            } else {
                let Some(kind) = kind_of_crd(profile, &gvk) else {
                    let what = format!(
                        "{}:{}: {gvk} {}",
                        manifest.origin.file.display(),
                        manifest.origin.line,
                        manifest.object.name()
                    );
                    let hint =
                        Some("install its CustomResourceDefinition first, or correct apiVersion and kind".to_owned());
                    self.unknown.push(Cause {
                        what,
                        why: "the cluster serves no such kind".to_owned(),
                        hint,
                        fatal: true,
                    });
                    continue;
                };
                self.later.insert(gvk.clone());
                kind
            };
            let object = prepared(profile, &manifest.object, kind.namespaced);
            let namespace = object.namespace().unwrap_or_default().to_owned();
            self.targets
                .push((ObjectRef::new(kind, &namespace, object.name()), object));
        }
    }

    /// Every object that carries the profile's label. A kind that may not be listed is named in a notice: nothing of it is removed.
    async fn labelled(
        &mut self,
        ctx: &Context,
        profile: &Profile,
        catalog: &Catalog,
    ) -> Result<HashMap<ObjectRef, Object>, Error> {
        let namespaces = observe::namespaces(profile);
        let selector = format!("{}={}", names::PROFILE, profile.name);
        let queries = catalog.deletable().filter(|kind| !is_kept(&kind.gvk)).flat_map(|kind| {
            let spaces: Vec<Option<String>> = if kind.namespaced {
                namespaces.iter().cloned().map(Some).collect()
            } else {
                vec![None]
            };
            let selector = &selector;
            spaces.into_iter().map(move |namespace| ListQuery {
                resource: kind.clone(),
                namespace,
                labels: Some(selector.clone()),
                fields: None,
            })
        });
        let lists = queries.map(|query| async move { (observe::list(ctx, query.clone(), Some).await, query) });
        let mut lists = stream::iter(lists.collect::<Vec<_>>()).buffer_unordered(ctx.limits.concurrency.max(1));
        let mut found = HashMap::new();
        let mut forbidden = BTreeSet::new();
        while let Some((result, query)) = lists.next().await {
            match result {
                Ok((objects, _)) => found.extend(objects.into_iter().map(|object| {
                    let namespace = object.namespace().unwrap_or_default().to_owned();
                    (
                        ObjectRef::new(query.resource.clone(), &namespace, object.name()),
                        object,
                    )
                })),
                Err(error)
                    if matches!(
                        error.kind,
                        ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Unsupported
                    ) =>
                {
                    forbidden.insert(query.resource.qualified());
                }
                Err(error) => return Err(error),
            }
        }
        if !forbidden.is_empty() {
            let kinds = forbidden.into_iter().collect::<Vec<_>>().join(", ");
            self.notices.push(format!(
                "could not look for objects that the profile no longer names among {kinds}: they may not be listed"
            ));
        }
        Ok(found)
    }

    /// Parts what is labelled into the profile's objects and what it no longer names.
    fn sort_out(&mut self, labelled: HashMap<ObjectRef, Object>) {
        let same = |a: &ObjectRef, b: &ObjectRef| {
            a.resource.gvk.is(&b.resource.gvk.group, &b.resource.gvk.kind)
                && a.namespace == b.namespace
                && a.name == b.name
        };
        for (found, object) in labelled {
            if let Some((target, _)) = self.targets.iter().find(|(target, _)| same(target, &found)) {
                self.live.insert(target.clone(), object);
            } else if applied_by_us(&object) && !object.is_terminating() {
                // Controllers copy labels (a Service's go to its EndpointSlices): only what we applied is ours to remove.
                let uid = object.uid().unwrap_or_default().to_owned();
                self.removals.push(Removal { target: found, uid });
            }
        }
        self.removals.sort_by(|a, b| a.target.cmp(&b.target));
    }

    /// Replicas that each set will have: what the manifest says, else what is there, else Kubernetes' default.
    fn replicas(&self, profile: &Profile) -> BTreeMap<Key, u32> {
        let of_set = |set: &moorline_profile::SetClaims| {
            let target = ObjectRef::new(ResourceKind::stateful_set(), &set.namespace, &set.name);
            let same = |(found, _): &(&ObjectRef, &Object)| {
                found.resource.plural == target.resource.plural
                    && found.namespace == target.namespace
                    && found.name == target.name
            };
            let live = self
                .live
                .iter()
                .find(same)
                .and_then(|(_, live)| u32::try_from(live.i64_at(&["spec", "replicas"])?).ok());
            (
                (set.namespace.clone(), set.name.clone()),
                set.replicas.or(live).unwrap_or(1),
            )
        };
        profile.sets.iter().map(of_set).collect()
    }
}

/// Claims have a path of their own, for they need a volume.
fn is_claim(gvk: &Gvk) -> bool {
    gvk.is("", "PersistentVolumeClaim")
}

/// Kinds whose objects are never removed because a profile stopped naming them: data, and what others make.
pub(crate) fn is_kept(gvk: &Gvk) -> bool {
    let kinds = [
        "PersistentVolumeClaim",
        "PersistentVolume",
        "Pod",
        "Event",
        "Endpoints",
        "Node",
        "EndpointSlice",
        "ControllerRevision",
        "Lease",
    ];
    kinds.contains(&&*gvk.kind)
}

/// The kind that one of the profile's own CRDs will serve.
fn kind_of_crd(profile: &Profile, gvk: &Gvk) -> Option<ResourceKind> {
    let crds = profile
        .manifests
        .iter()
        .map(|m| &m.object)
        .filter(|o| o.gvk().is("apiextensions.k8s.io", "CustomResourceDefinition"));
    let crd = crds.into_iter().find(|crd| {
        crd.str_at(&["spec", "group"]) == Some(&gvk.group) && crd.str_at(&["spec", "names", "kind"]) == Some(&gvk.kind)
    })?;
    Some(ResourceKind {
        gvk: gvk.clone(),
        plural: crd.str_at(&["spec", "names", "plural"])?.to_owned(),
        namespaced: crd.str_at(&["spec", "scope"]) == Some("Namespaced"),
        verbs: Vec::new(),
    })
}

/// Planned objects, and what stands in the way.
struct PlannedObjects {
    plans: Vec<ObjectPlan>,
    blocked: Vec<Cause>,
}

async fn plan_objects(
    ctx: &Context,
    profile: &Profile,
    catalog: &Catalog,
    live: &LiveObjects,
) -> Result<PlannedObjects, EngineError> {
    let coming: BTreeSet<&str> = live
        .targets
        .iter()
        .filter(|(target, _)| target.resource.gvk.is("", "Namespace") && !live.live.contains_key(target))
        .map(|(target, _)| &*target.name)
        .collect();
    let (later_kinds, coming) = (&live.later, &coming);
    let dry_runs = live.targets.iter().map(|(target, object)| async move {
        let later = later_kinds.contains(&target.resource.gvk)
            || target.namespace.as_deref().is_some_and(|n| coming.contains(n));
        let dry = if later {
            Ok(DryRun::Later)
        } else {
            dry_run(ctx, target, object).await
        };
        (target, object, dry)
    });
    let results: Vec<_> = stream::iter(dry_runs)
        .buffered(ctx.limits.concurrency.max(1))
        .collect()
        .await;
    let mut planned = PlannedObjects {
        plans: Vec::new(),
        blocked: live.unknown.clone(),
    };
    let mut conflicts: Vec<Conflict> = Vec::new();
    for (target, object, dry) in results {
        match plan_object(
            &profile.name,
            target.clone(),
            object.clone(),
            live.live.get(target),
            dry?,
        ) {
            Ok(plan) => planned.plans.push(plan),
            Err(Obstacle::Conflicts(found)) => conflicts.extend(found),
            Err(Obstacle::Blocked(cause)) => planned.blocked.push(cause),
            Err(Obstacle::Failed(error)) if error.is_not_found() && catalog.find(&target.resource.gvk).is_some() => {
                let hint = Some("add the Namespace to the profile, or create it".to_owned());
                planned.blocked.push(Cause {
                    what: target.to_string(),
                    why: error.message,
                    hint,
                    fatal: true,
                });
            }
            Err(Obstacle::Failed(error)) => return Err(error.into()),
        }
    }
    if conflicts.is_empty() {
        Ok(planned)
    } else {
        Err(EngineError::Conflicts(conflicts))
    }
}

/// Asks the server what an apply would do. Fields that only our own other writes own (`scale` writes replicas through
/// another subresource, which counts as another manager) are taken back; anyone else's are a conflict unless forced.
async fn dry_run(ctx: &Context, target: &ObjectRef, object: &Object) -> Result<DryRun, Error> {
    let mut force = ctx.limits.force_conflicts;
    loop {
        match ctx
            .cluster
            .apply(target, object, ApplyOptions { dry_run: true, force })
            .await
        {
            Ok(applied) => {
                return Ok(DryRun::Would {
                    object: Box::new(applied.object),
                    forced: force,
                });
            }
            Err(error) => match &error.kind {
                ErrorKind::FieldConflicts(fields)
                    if !force && fields.iter().all(|f| f.manager == names::FIELD_MANAGER) =>
                {
                    force = true
                }
                ErrorKind::FieldConflicts(_) | ErrorKind::Invalid | ErrorKind::NotFound => {
                    return Ok(DryRun::Refused(error));
                }
                _ => return Err(error),
            },
        }
    }
}

/// Reads what claims need and plans them.
pub(crate) async fn observe_claims(
    ctx: &Context,
    profile: &Profile,
    site: &Site,
    replicas: &BTreeMap<Key, u32>,
) -> Result<PlannedClaims, EngineError> {
    if profile.claims.is_empty() && profile.sets.iter().all(|set| set.templates.is_empty()) {
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
    Ok(planned)
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

/// Carries out a plan, waits until everything is Bound and Ready, and says where things stand.
pub async fn execute_up(ctx: &Context, profile: &Profile, plan: UpPlan) -> Result<UpOutcome, EngineError> {
    if !plan.blocked.is_empty() {
        return Err(EngineError::Blocked(plan.blocked));
    }
    let site = observe::site(ctx, profile).await?;
    let tracker = Tracker::start(ctx, readiness::queries(profile));
    let seconds = ctx.limits.timeout.as_secs_f64() + plan.floor_seconds;
    let deadline = Instant::now() + std::time::Duration::from_secs_f64(seconds);
    let tally = Tally::default();
    tally.creates_left.store(plan.volume_creates, Ordering::Relaxed);
    let run = Run {
        ctx,
        profile,
        site: &site,
        plan: &plan,
        tracker: &tracker,
        deadline,
        tally,
        written: Written::default(),
    };
    run.stages().await?;
    wait_ready(&run).await?;
    let halts = down::release(ctx, &site, &plan.releases, deadline).await;
    apply::verdict(halts, ctx.limits.timeout.as_secs(), || {
        "volumes of removed ordinals are left; run up again".to_owned()
    })?;
    let snapshot = match tracker.until(deadline, |snapshot| Some(snapshot.clone())).await {
        Waited::Done(snapshot) => snapshot,
        Waited::TimedOut | Waited::Stopped => {
            return Err(EngineError::Interrupted {
                left: "everything is applied and ready; only the report is missing".to_owned(),
            });
        }
    };
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::Relaxed);
    Ok(UpOutcome {
        changed: count(&run.tally.changed),
        volumes_created: count(&run.tally.volumes_created),
        volumes_adopted: count(&run.tally.volumes_adopted),
        status: compose(ctx, profile, &site, &snapshot).await,
    })
}

/// When an object is applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wave {
    Foundation,
    Object,
    Workload,
}

fn wave(plan: &ObjectPlan) -> Wave {
    let kind = &*plan.target.resource.gvk.kind;
    match kind {
        "Namespace" | "CustomResourceDefinition" => Wave::Foundation,
        "Pod"
        | "Deployment"
        | "ReplicaSet"
        | "StatefulSet"
        | "DaemonSet"
        | "Job"
        | "CronJob"
        | "ReplicationController" => Wave::Workload,
        _ => Wave::Object,
    }
}

impl Run<'_> {
    /// Foundations, then objects, then volumes beside the workloads that need none, then the workloads that need them.
    async fn stages(&self) -> Result<(), EngineError> {
        let seconds = self.ctx.limits.timeout.as_secs();
        let pending = |wanted: Wave| {
            self.plan
                .objects
                .iter()
                .filter(move |plan| wave(plan) == wanted && plan.action != ObjectAction::Unchanged)
                .collect::<Vec<_>>()
        };
        let left = || {
            format!(
                "volumes and workloads are left to do; run up again to go on{}",
                self.failing()
            )
        };
        for (stage, wanted) in [(Stage::Foundations, Wave::Foundation), (Stage::Objects, Wave::Object)] {
            apply::verdict(self.apply_all(stage, pending(wanted)).await, seconds, left)?;
            if stage == Stage::Foundations {
                self.wait_foundations().await?;
            }
        }
        let (halts, removed) = future::join(self.volumes_and_workloads(pending(Wave::Workload)), self.remove()).await;
        apply::verdict(halts.into_iter().chain(removed).collect(), seconds, left)
    }

    fn failing(&self) -> String {
        let failing = self.tracker.failing();
        if failing.is_empty() {
            String::new()
        } else {
            format!(" ({})", failing.join("; "))
        }
    }

    async fn apply_all(&self, stage: Stage, plans: Vec<&ObjectPlan>) -> Vec<Halt> {
        if plans.is_empty() {
            return Vec::new();
        }
        self.ctx.emit(Event::Stage {
            stage,
            total: plans.len(),
        });
        apply::all(
            self.ctx.limits.concurrency,
            plans.into_iter().map(|plan| self.apply_object(stage, plan)),
        )
        .await
    }

    /// Custom resources can be applied only when their definitions are established.
    async fn wait_foundations(&self) -> Result<(), EngineError> {
        for plan in
            self.plan.objects.iter().filter(|p| {
                p.target.resource.gvk.kind == "CustomResourceDefinition" && p.action != ObjectAction::Unchanged
            })
        {
            loop {
                let established = self.ctx.cluster.get(&plan.target).await?.is_some_and(|crd| {
                    crd.list_at(&["status", "conditions"])
                        .iter()
                        .any(|c| c["type"] == "Established" && c["status"] == "True")
                });
                if established {
                    break;
                }
                if self.gate().is_err() {
                    return Err(EngineError::Interrupted {
                        left: format!("{} is not established yet; run up again to go on", plan.target),
                    });
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// Workloads that wait for no planned claim are applied at once; each other one as soon as its own claims are Bound.
    async fn volumes_and_workloads(&self, workloads: Vec<&ObjectPlan>) -> Vec<Halt> {
        let claims: Vec<&ClaimPlan> = self
            .plan
            .claims
            .iter()
            .filter(|c| matches!(c.action, ClaimAction::Create | ClaimAction::Resume { .. }))
            .collect();
        if !claims.is_empty() {
            self.ctx.emit(Event::Stage {
                stage: Stage::Volumes,
                total: claims.len(),
            });
        }
        if !workloads.is_empty() {
            self.ctx.emit(Event::Stage {
                stage: Stage::Workloads,
                total: workloads.len(),
            });
        }
        let provision = apply::all(
            self.ctx.limits.concurrency * 8,
            claims.iter().map(|claim| self.provision(claim)),
        );
        let failed = tokio_util::sync::CancellationToken::new();
        let provisioned = async {
            let halts = provision.await;
            if !halts.is_empty() {
                failed.cancel();
            }
            halts
        };
        let applied = apply::all(
            self.ctx.limits.concurrency,
            workloads
                .iter()
                .map(|plan| self.apply_when_bound(plan, &claims, &failed)),
        );
        let (mut halts, applied) = future::join(provisioned, applied).await;
        halts.extend(applied);
        halts
    }

    async fn apply_when_bound(
        &self,
        plan: &ObjectPlan,
        claims: &[&ClaimPlan],
        failed: &tokio_util::sync::CancellationToken,
    ) -> Result<(), Halt> {
        let needed: Vec<&ClaimPlan> = claims.iter().filter(|claim| needs(plan, claim)).copied().collect();
        if !needed.is_empty() {
            tokio::select! {
                biased;
                bound = self.wait_bound(&needed) => bound?,
                // The claim's own failure is reported; without it the set would only sit and wait.
                () = failed.cancelled() => return Ok(()),
            }
        }
        self.apply_object(Stage::Workloads, plan).await
    }

    /// Removes what the profile no longer names.
    async fn remove(&self) -> Vec<Halt> {
        let removals = self.plan.removals.iter().map(|removal| async {
            self.gate()?;
            let gone = apply::delete_and_wait(
                self.ctx,
                &removal.target,
                &removal.uid,
                moorline_api::Propagation::Background,
                self.deadline,
            )
            .await;
            gone.map_err(|error| Halt::failed(removal.target.to_string(), error))?;
            Tally::add(&self.tally.changed);
            self.done(
                Stage::Workloads,
                apply::kubectl_name(&removal.target),
                crate::event::Change::Deleted,
                "no longer in the profile",
            );
            Ok(())
        });
        apply::all(self.ctx.limits.concurrency, removals).await
    }
}

/// Whether a workload's pods mount this claim.
fn needs(workload: &ObjectPlan, claim: &ClaimPlan) -> bool {
    if workload.target.namespace.as_ref() != Some(&claim.namespace) {
        return false;
    }
    if let Some(set) = &claim.set {
        return workload.target.resource.gvk.is("apps", "StatefulSet") && workload.target.name == *set;
    }
    let templates: [&[&str]; 3] = [
        &["spec", "template", "spec"],
        &["spec"],
        &["spec", "jobTemplate", "spec", "template", "spec"],
    ];
    templates
        .iter()
        .filter_map(|path| workload.object.at(path))
        .any(|spec| claims_of_pod(spec).any(|name| name == claim.name))
}

/// Waits until everything is Bound and Ready, telling what is not, and why, whenever that changes.
pub(crate) async fn wait_ready(run: &Run<'_>) -> Result<(), EngineError> {
    run.ctx.emit(Event::Stage {
        stage: Stage::Wait,
        total: 0,
    });
    let mut last = readiness::Readiness::default();
    let waited = {
        let last = &mut last;
        run.tracker
            .until(run.deadline, |snapshot| {
                let now = readiness::assess(run.profile, snapshot);
                if now != *last {
                    run.ctx.emit(Event::Waiting {
                        ready: now.ready,
                        total: now.total,
                        causes: now.causes.clone(),
                    });
                    *last = now.clone();
                }
                let settled = now.is_ready() || !now.fatal().is_empty();
                (settled && run.written.is_seen_in(snapshot)).then_some(now)
            })
            .await
    };
    match waited {
        Waited::Done(now) if now.is_ready() => Ok(()),
        Waited::Done(now) => Err(EngineError::NeverReady(now.fatal())),
        Waited::Stopped => Err(EngineError::Interrupted {
            left: format!(
                "everything is applied; {} of {} are ready; moorline status shows the rest",
                last.ready, last.total
            ),
        }),
        Waited::TimedOut => {
            let mut causes = last.causes;
            let failing = run.tracker.failing().into_iter();
            causes.extend(failing.map(|why| Cause {
                what: "the cluster".to_owned(),
                why,
                hint: None,
                fatal: false,
            }));
            Err(EngineError::TimedOut {
                seconds: run.ctx.limits.timeout.as_secs(),
                causes,
            })
        }
    }
}
