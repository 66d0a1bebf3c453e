//! The profile's objects: as they are, as they would be, and what a former version of the profile left behind.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures::{StreamExt, future, stream};
use moorline_api::{Error, ErrorKind, Gvk, ListQuery, ManagedFields, Object, ObjectRef, ResourceKind};
use moorline_profile::Profile;

use super::editors::Editors;
use crate::context::Context;
use crate::fold::{Key, Place, made_for};
use crate::names;
use crate::observe::{self, Catalog};
use crate::outcome::Cause;
use crate::plan::{Removal, prepared};

/// Kinds whose objects decide what can be planned for others: each is read before anything is rehearsed.
const CONSULTED: [(&str, &str); 7] = [
    ("", "Namespace"),
    ("", "ServiceAccount"),
    ("apps", "StatefulSet"),
    ("node.k8s.io", "RuntimeClass"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "Role"),
    ("scheduling.k8s.io", "PriorityClass"),
];

/// The profile's objects as they are, and what a former version of the profile left.
pub(super) struct LiveObjects {
    /// What is to be applied, and where.
    pub(super) targets: Vec<(ObjectRef, Object)>,
    live: HashMap<Place, Object>,
    /// Objects without our label that were not looked at: most are not there, and a rehearsal says so.
    unread: HashSet<Place>,
    /// Kinds that the cluster will only serve when this plan's CRDs are there.
    later: BTreeSet<Gvk>,
    /// Namespaces that are not there, and that this plan makes.
    coming: BTreeSet<String>,
    editors: Editors,
    /// Manifests of kinds that no one serves.
    pub(super) unknown: Vec<Cause>,
    pub(super) removals: Vec<Removal>,
    pub(super) notices: Vec<String>,
}

impl LiveObjects {
    pub(super) async fn read(ctx: &Context, profile: &Profile, catalog: &Catalog) -> Result<Self, Error> {
        let mut this = Self {
            targets: Vec::new(),
            live: HashMap::new(),
            unread: HashSet::new(),
            later: BTreeSet::new(),
            coming: BTreeSet::new(),
            editors: Editors::Unknown,
            unknown: Vec::new(),
            removals: Vec::new(),
            notices: Vec::new(),
        };
        this.resolve(profile, catalog);
        let (labelled, editors) = future::join(this.labelled(ctx, profile, catalog), Editors::read(ctx, catalog)).await;
        this.editors = editors;
        this.sort_out(profile, labelled?);
        this.consult(ctx).await?;
        Ok(this)
    }

    /// One of the profile's objects as it is.
    pub(super) fn get(&self, target: &ObjectRef) -> Option<&Object> {
        self.live.get(&Place::of(target))
    }

    /// Whether nobody knows yet if it is there.
    pub(super) fn is_unread(&self, target: &ObjectRef) -> bool {
        self.unread.contains(&Place::of(target))
    }

    /// Whether the server cannot be asked about it yet: its kind or namespace comes with this very plan.
    pub(super) fn comes_later(&self, target: &ObjectRef) -> bool {
        let namespace = target.namespace.as_ref();
        self.later.contains(&target.resource.gvk) || namespace.is_some_and(|name| self.coming.contains(name))
    }

    /// Whether a webhook or policy may edit it when it is applied.
    pub(super) fn may_be_edited(&self, target: &ObjectRef) -> bool {
        self.editors.may_edit(&target.resource)
    }

    /// Reads what others depend on and carries no label of ours.
    async fn consult(&mut self, ctx: &Context) -> Result<(), Error> {
        let missing = |target: &&ObjectRef| self.get(target).is_none() && !self.comes_later(target);
        let (consulted, unread): (Vec<_>, Vec<_>) = self
            .targets
            .iter()
            .map(|(target, _)| target)
            .filter(missing)
            .partition(|target| {
                let gvk = &target.resource.gvk;
                CONSULTED.iter().any(|(group, kind)| gvk.is(group, kind))
            });
        let unread = unread.into_iter().map(Place::of).collect();
        let reads = consulted
            .into_iter()
            .map(|target| async move { (Place::of(target), ctx.cluster.get(target).await) });
        let reads: Vec<_> = stream::iter(reads)
            .buffer_unordered(ctx.limits.concurrency.max(1))
            .collect()
            .await;
        for (place, found) in reads {
            self.live.extend(found?.map(|object| (place, object)));
        }
        self.unread = unread;
        let namespaces = self
            .targets
            .iter()
            .filter(|(target, _)| target.resource.gvk.is("", "Namespace"));
        self.coming = namespaces
            .filter(|(target, _)| self.get(target).is_none())
            .map(|(target, _)| target.name.clone())
            .collect();
        Ok(())
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
                managed_fields: ManagedFields::All,
                unwanted: &[],
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
        let wanted: HashMap<Place, &Gvk> = self
            .targets
            .iter()
            .map(|(target, _)| (Place::of(target), &target.resource.gvk))
            .collect();
        for (found, object) in labelled {
            let place = Place::of(&found);
            if let Some(gvk) = wanted.get(&place) {
                // Read in another version than the manifest's it cannot be compared, and is read again.
                if **gvk == found.resource.gvk {
                    self.live.insert(place, object);
                }
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
    pub(super) fn misses_what_comes(&self, error: &Error) -> bool {
        if !matches!(error.kind, ErrorKind::Forbidden | ErrorKind::NotFound) {
            return false;
        }
        let comes = |(target, _): &&(ObjectRef, Object)| self.get(target).is_none();
        let coming = self.targets.iter().filter(comes);
        coming
            .map(|(target, _)| (&*target.resource.gvk.kind, &*target.name))
            .any(|(kind, name)| says_missing(&error.message, kind, name))
    }

    /// Replicas that each set will have: what the manifest says, else what is there, else Kubernetes' default.
    pub(super) fn replicas(&self, profile: &Profile) -> BTreeMap<Key, u32> {
        let of_set = |set: &moorline_profile::SetClaims| {
            let target = ObjectRef::new(ResourceKind::stateful_set(), &set.namespace, &set.name);
            let live = self
                .get(&target)
                .and_then(|live| u32::try_from(live.i64_at(&["spec", "replicas"])?).ok());
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
