//! The profile's objects: as they are, as they would be, and what a former version of the profile left behind.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, stream};
use moorline_api::{ApplyOptions, Error, ErrorKind, Gvk, ListQuery, Object, ObjectRef, ResourceKind};
use moorline_profile::Profile;

use crate::context::Context;
use crate::error::{Conflict, EngineError};
use crate::fold::{Key, made_for};
use crate::names;
use crate::observe::{self, Catalog};
use crate::outcome::Cause;
use crate::plan::{DryRun, ObjectPlan, Obstacle, Removal, plan_object, prepared};

/// The profile's objects as they are, and what a former version of the profile left.
pub(super) struct LiveObjects {
    targets: Vec<(ObjectRef, Object)>,
    pub(super) live: HashMap<ObjectRef, Object>,
    /// Kinds that the cluster will only serve when this plan's CRDs are there.
    later: BTreeSet<Gvk>,
    unknown: Vec<Cause>,
    pub(super) removals: Vec<Removal>,
    pub(super) notices: Vec<String>,
}

impl LiveObjects {
    pub(super) async fn read(ctx: &Context, profile: &Profile, catalog: &Catalog) -> Result<Self, Error> {
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
        this.sort_out(profile, labelled);
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
                    self.unknown.push(unserved(what, catalog.may_hide(&gvk)));
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
        if !catalog.unanswered().is_empty() {
            self.notices.push(format!(
                "could not look for objects that the profile no longer names in {}: the API group does not answer",
                catalog.unanswered().join(", ")
            ));
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
    fn sort_out(&mut self, profile: &Profile, labelled: HashMap<ObjectRef, Object>) {
        let same = |a: &ObjectRef, b: &ObjectRef| {
            a.resource.gvk.is(&b.resource.gvk.group, &b.resource.gvk.kind)
                && a.namespace == b.namespace
                && a.name == b.name
        };
        for (found, object) in labelled {
            if let Some((target, _)) = self.targets.iter().find(|(target, _)| same(target, &found)) {
                self.live.insert(target.clone(), object);
            } else if made_for(profile, &object) && !object.is_terminating() {
                if holds_others(&found.resource.gvk) {
                    self.notices.push(format!(
                        "{found} is no longer in the profile; it is left alone, because all that it holds would go with it"
                    ));
                    continue;
                }
                if object.str_at(&["spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"]) == Some("Delete") {
                    self.notices.push(format!(
                        "removing {found} deletes its claims too (whenDeleted: Delete), and volumes by their reclaim policy"
                    ));
                }
                let uid = object.uid().unwrap_or_default().to_owned();
                self.removals.push(Removal { target: found, uid });
            }
        }
        self.removals.sort_by(|a, b| a.target.cmp(&b.target));
    }

    /// Whether a refusal is about an object that this very plan makes: admission looks for a pod's service account,
    /// priority class and runtime class and for a binding's role already in a dry run.
    fn misses_what_comes(&self, error: &Error) -> bool {
        if !matches!(error.kind, ErrorKind::Forbidden | ErrorKind::NotFound) {
            return false;
        }
        let comes = |(target, _): &&(ObjectRef, Object)| !self.live.contains_key(target);
        let coming = self.targets.iter().filter(comes);
        coming
            .map(|(target, _)| (&*target.resource.gvk.kind, &*target.name))
            .any(|(kind, name)| says_missing(&error.message, kind, name))
    }

    /// Replicas that each set will have: what the manifest says, else what is there, else Kubernetes' default.
    pub(super) fn replicas(&self, profile: &Profile) -> BTreeMap<Key, u32> {
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

/// Whether a server's words say that this object is missing: `serviceaccount "bot" not found`, `no PriorityClass with
/// name high was found`.
fn says_missing(message: &str, kind: &str, name: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let kind = kind.to_ascii_lowercase();
    let mut words = message.split(|c: char| !(c.is_ascii_alphanumeric() || "-._".contains(c)));
    let kinds = ["ServiceAccount", "PriorityClass", "RuntimeClass", "Role", "ClusterRole"];
    kinds.iter().any(|known| known.eq_ignore_ascii_case(&kind))
        && (message.contains("not found") || message.contains("was found"))
        && message.contains(&kind)
        && words.any(|word| word == name)
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

/// Kinds whose deletion takes with it what others put there: only `down` deletes them, and only when they are empty.
fn holds_others(gvk: &Gvk) -> bool {
    gvk.is("", "Namespace") || gvk.is("apiextensions.k8s.io", "CustomResourceDefinition")
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

/// Why an object of a kind that the server does not serve cannot be applied.
fn unserved(what: String, may_be_hidden: bool) -> Cause {
    let (why, hint) = if may_be_hidden {
        (
            "its API group does not answer",
            "see kubectl get apiservices; run again when it answers",
        )
    } else {
        (
            "the cluster serves no such kind",
            "install its CustomResourceDefinition first, or correct apiVersion and kind",
        )
    };
    Cause {
        what,
        why: why.to_owned(),
        hint: Some(hint.to_owned()),
        fatal: true,
    }
}

/// Planned objects, and what stands in the way.
pub(super) struct PlannedObjects {
    pub(super) plans: Vec<ObjectPlan>,
    pub(super) blocked: Vec<Cause>,
}

pub(super) async fn plan_objects(
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
        let dry = match dry {
            Err(error) | Ok(DryRun::Refused(error))
                if !live.live.contains_key(target) && live.misses_what_comes(&error) =>
            {
                Ok(DryRun::Later)
            }
            dry => dry,
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
                    force = true;
                }
                ErrorKind::FieldConflicts(_) | ErrorKind::Invalid | ErrorKind::NotFound => {
                    return Ok(DryRun::Refused(error));
                }
                _ => return Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::says_missing;

    #[test]
    fn a_dry_run_may_miss_what_the_same_plan_makes() {
        let account =
            r#"pods "web" is forbidden: error looking up service account demo/bot: serviceaccount "bot" not found"#;
        assert!(says_missing(account, "ServiceAccount", "bot"));
        assert!(!says_missing(account, "ServiceAccount", "robot"));
        assert!(!says_missing(account, "ConfigMap", "bot"));
        let class = r#"pods "web" is forbidden: no PriorityClass with name high was found"#;
        assert!(says_missing(class, "PriorityClass", "high"));
        assert!(says_missing(
            r#"roles.rbac.authorization.k8s.io "reader" not found"#,
            "Role",
            "reader"
        ));
        assert!(!says_missing(r#"namespaces "demo" not found"#, "Role", "demo"));
        assert!(!says_missing(
            r#"User "bot" cannot create resource "serviceaccounts""#,
            "ServiceAccount",
            "bot"
        ));
    }
}
