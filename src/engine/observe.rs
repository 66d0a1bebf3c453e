//! Reading cluster and cloud. Every listing here is complete or an error; nothing is taken for absent because it could not
//! be read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use moorline_api::{
    Account, ClusterIdentity, Error, ErrorKind, Gvk, Kinds, ListQuery, Object, ObjectRef, ResourceKind, StorageClass,
    Tags, Volume, VolumeFilter, VolumeId,
};
use moorline_profile::Profile;

use crate::context::Context;
use crate::error::EngineError;
use crate::fold::{ClaimView, Key, NodeView, PvView};
use crate::names;

/// Above this many, PersistentVolumes are listed rather than read one by one.
const READ_ONE_BY_ONE: usize = 20;
/// A listing whose token expired half-way begins again this often.
const RELISTS: usize = 3;

/// Where a run takes place, after the profile's pins were checked.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) cluster: ClusterIdentity,
    /// `None` only where the profile has no volumes and pins no account.
    pub(crate) account: Option<Account>,
    pub(crate) notices: Vec<String>,
}

/// Says where we are and refuses a place that the profile does not belong to.
pub(crate) async fn site(ctx: &Context, profile: &Profile) -> Result<Site, EngineError> {
    let (cluster, account) = futures::join!(ctx.cluster.identity(), ctx.cloud.accounts.account());
    located(profile, cluster?, Some(account))
}

/// The same without a question to the cloud where nothing in the profile lives there.
pub(crate) async fn site_as_needed(ctx: &Context, profile: &Profile) -> Result<Site, EngineError> {
    let is_balanced =
        |object: &Object| object.gvk().is("", "Service") && object.str_at(&["spec", "type"]) == Some("LoadBalancer");
    if needs_cloud(profile) || profile.manifests.iter().any(|manifest| is_balanced(&manifest.object)) {
        return site(ctx, profile).await;
    }
    located(profile, ctx.cluster.identity().await?, None)
}

/// The same for who asks the cluster alone.
pub(crate) async fn site_in_cluster(ctx: &Context, profile: &Profile) -> Result<Site, EngineError> {
    located(profile, ctx.cluster.identity().await?, None)
}

/// Whether the profile has volumes or names an account.
fn needs_cloud(profile: &Profile) -> bool {
    has_claims(profile) || profile.provider.account().is_some()
}

/// Whether the profile has claims, be it under a set or by themselves.
pub(crate) fn has_claims(profile: &Profile) -> bool {
    !profile.claims.is_empty() || profile.sets.iter().any(|set| !set.templates.is_empty())
}

fn located(
    profile: &Profile,
    cluster: ClusterIdentity,
    account: Option<Result<Account, Error>>,
) -> Result<Site, EngineError> {
    check_cluster(profile, &cluster)?;
    let mut notices = Vec::new();
    let account = match account {
        None => None,
        Some(Ok(account)) => Some(account),
        Some(Err(error)) if needs_cloud(profile) => return Err(error.into()),
        Some(Err(error)) => {
            notices.push(format!(
                "going on without the cloud, which this profile needs only for its load balancers' state: {error}"
            ));
            None
        }
    };
    if let Some(account) = &account {
        let provider = &profile.provider;
        let (what, cure) = provider.account_words();
        check_pin(what, provider.account(), &account.id.0, cure)?;
        let (what, cure) = provider.region_words();
        check_pin(what, provider.region(), &account.region, cure)?;
    }
    Ok(Site {
        cluster,
        account,
        notices,
    })
}

fn check_cluster(profile: &Profile, cluster: &ClusterIdentity) -> Result<(), EngineError> {
    check_pin(
        "cluster context",
        profile.cluster.context.as_deref(),
        &cluster.context,
        "pass --context, or switch with kubectl config use-context",
    )?;
    check_pin(
        "cluster UID",
        profile.cluster.uid.as_deref(),
        &cluster.uid,
        "switch to the cluster whose namespace kube-system has that UID",
    )
}

fn check_pin(what: &str, pinned: Option<&str>, actual: &str, cure: &str) -> Result<(), EngineError> {
    match pinned {
        Some(pinned) if pinned != actual => Err(EngineError::Refused {
            what: format!("the profile pins {what} {pinned}, and this is {actual}"),
            cure: format!("{cure}; nothing was changed"),
        }),
        _ => Ok(()),
    }
}

/// The kinds that the server serves, by group and kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    kinds: Vec<ResourceKind>,
    unanswered: Vec<String>,
}

impl Catalog {
    pub(crate) async fn read(ctx: &Context) -> Result<Self, Error> {
        let Kinds { served, unanswered } = ctx.cluster.kinds().await?;
        Ok(Self {
            kinds: served,
            unanswered,
        })
    }

    /// Group versions whose server does not answer: whether there are objects of theirs cannot be known.
    pub(crate) fn unanswered(&self) -> &[String] {
        &self.unanswered
    }

    /// Whether a kind may be served by a group that does not answer.
    pub(crate) fn may_hide(&self, gvk: &Gvk) -> bool {
        self.unanswered
            .iter()
            .any(|version| Gvk::new(version, "").group == gvk.group)
    }

    /// The kind of a manifest. Discovery names each group's preferred version; a manifest's own version is kept, and the
    /// server says so if it does not serve it.
    pub(crate) fn find(&self, gvk: &Gvk) -> Option<ResourceKind> {
        let exact = self.kinds.iter().find(|kind| kind.gvk == *gvk);
        let found = exact.or_else(|| self.kinds.iter().find(|kind| kind.gvk.is(&gvk.group, &gvk.kind)))?;
        Some(ResourceKind {
            gvk: gvk.clone(),
            ..found.clone()
        })
    }

    /// Kinds whose objects can be listed.
    pub(crate) fn listable(&self) -> impl Iterator<Item = &ResourceKind> {
        self.kinds
            .iter()
            .filter(|kind| kind.verbs.iter().any(|verb| verb == "list"))
    }

    /// Kinds whose objects a profile can have made: listable and deletable.
    pub(crate) fn deletable(&self) -> impl Iterator<Item = &ResourceKind> {
        let can = |kind: &ResourceKind, verb: &str| kind.verbs.iter().any(|v| v == verb);
        self.kinds
            .iter()
            .filter(move |kind| can(kind, "list") && can(kind, "delete") && can(kind, "patch"))
    }
}

/// Lists everything that matches and keeps what `fold` makes of it, with the version to watch from.
/// A listing that expires half-way begins again from nothing.
pub(crate) async fn list<T>(
    ctx: &Context,
    query: ListQuery,
    fold: impl Fn(Object) -> Option<T>,
) -> Result<(Vec<T>, String), Error> {
    let mut relists = 0;
    loop {
        let mut kept = Vec::new();
        let mut version = String::new();
        let mut pages = ctx.cluster.list(query.clone());
        loop {
            match pages.next().await {
                None => return Ok((kept, version)),
                Some(Ok(page)) => {
                    version = page.resource_version;
                    kept.extend(page.objects.into_iter().filter_map(&fold));
                }
                Some(Err(error)) if error.kind == ErrorKind::Expired && relists < RELISTS => break,
                Some(Err(error)) => return Err(error),
            }
        }
        relists += 1;
    }
}

/// The namespaces that the profile's namespaced things live in.
pub(crate) fn namespaces(profile: &Profile) -> BTreeSet<String> {
    let manifests = profile
        .manifests
        .iter()
        .map(|manifest| manifest.object.namespace().unwrap_or(&profile.namespace).to_owned());
    let sets = profile.sets.iter().map(|set| set.namespace.clone());
    manifests
        .chain(sets)
        .chain(profile.claims.iter().map(|claim| claim.namespace.clone()))
        .collect()
}

/// Every claim of these namespaces.
pub(crate) async fn claims(ctx: &Context, namespaces: &BTreeSet<String>) -> Result<BTreeMap<Key, ClaimView>, Error> {
    let mut all = BTreeMap::new();
    for namespace in namespaces {
        let query = ListQuery::within(ResourceKind::claim(), namespace);
        let (claims, _) = list(ctx, query, |claim| Some(ClaimView::of(&claim))).await?;
        all.extend(claims.into_iter().map(|claim| (claim.key(), claim)));
    }
    Ok(all)
}

/// The named PersistentVolumes that exist.
pub(crate) async fn persistent_volumes(
    ctx: &Context,
    wanted: BTreeSet<String>,
) -> Result<BTreeMap<String, PvView>, Error> {
    let rules = &*ctx.cloud.rules;
    if wanted.len() > READ_ONE_BY_ONE {
        let query = ListQuery::everywhere(ResourceKind::persistent_volume());
        let keep = |pv: Object| wanted.contains(pv.name()).then(|| PvView::of(&pv, rules));
        let (volumes, _) = list(ctx, query, keep).await?;
        return Ok(volumes.into_iter().map(|pv| (pv.name.clone(), pv)).collect());
    }
    let reads = wanted.into_iter().map(|name| async move {
        let target = ObjectRef::new(ResourceKind::persistent_volume(), "", name);
        ctx.cluster.get(&target).await
    });
    let found: Vec<Option<Object>> = stream::iter(reads)
        .buffered(ctx.limits.concurrency.max(1))
        .try_collect()
        .await?;
    Ok(found
        .into_iter()
        .flatten()
        .map(|pv| PvView::of(&pv, rules))
        .map(|pv| (pv.name.clone(), pv))
        .collect())
}

/// PersistentVolumes that this profile made.
pub(crate) async fn labelled_persistent_volumes(ctx: &Context, profile: &str) -> Result<Vec<PvView>, Error> {
    let query =
        ListQuery::everywhere(ResourceKind::persistent_volume()).labelled(format!("{}={profile}", names::PROFILE));
    let rules = &*ctx.cloud.rules;
    Ok(list(ctx, query, |pv| Some(PvView::of(&pv, rules))).await?.0)
}

/// The nodes' zones and labels.
pub(crate) async fn nodes(ctx: &Context) -> Result<Vec<NodeView>, Error> {
    Ok(list(ctx, ListQuery::everywhere(ResourceKind::node()), |node| {
        NodeView::of(&node)
    })
    .await?
    .0)
}

/// One StorageClass of the cluster.
pub(crate) async fn storage_class(ctx: &Context, name: &str) -> Result<Option<StorageClass>, Error> {
    let target = ObjectRef::new(ResourceKind::storage_class(), "", name);
    Ok(ctx
        .cluster
        .get(&target)
        .await?
        .map(|class| StorageClass::from_object(&class)))
}

/// Whether a StorageClass is marked as the default one.
pub(crate) fn is_default(class: &Object) -> bool {
    let marks = [
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ];
    marks.iter().any(|mark| class.annotation(mark) == Some("true"))
}

/// The cluster's default StorageClass: of several the newest, as the API server chooses.
pub(crate) async fn default_class(ctx: &Context) -> Result<Option<StorageClass>, Error> {
    let query = ListQuery::everywhere(ResourceKind::storage_class());
    let keep = |class: Object| is_default(&class).then(|| (class.created(), StorageClass::from_object(&class)));
    let (classes, _) = list(ctx, query, keep).await?;
    Ok(classes
        .into_iter()
        .max_by(|(a, x), (b, y)| a.cmp(b).then_with(|| y.name.cmp(&x.name)))
        .map(|(_, class)| class))
}

/// Cloud volumes, found by the claim they were made for and by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct CloudVolumes {
    all: HashMap<VolumeId, Volume>,
    made_for: HashMap<String, Vec<VolumeId>>,
    namesakes: HashMap<Key, Vec<VolumeId>>,
}

impl CloudVolumes {
    /// The volumes of this profile in this cluster, by their tags, and those of `ids` beside them.
    pub(crate) async fn read(
        ctx: &Context,
        cluster: &str,
        profile: &str,
        ids: BTreeSet<VolumeId>,
    ) -> Result<Self, Error> {
        let mut volumes = Self::default();
        let tags = Tags::from([
            (names::CLUSTER_UID.to_owned(), cluster.to_owned()),
            (names::PROFILE.to_owned(), profile.to_owned()),
        ]);
        volumes.extend(ctx, VolumeFilter::Tagged(tags)).await?;
        let others: Vec<VolumeId> = ids.into_iter().filter(|id| !volumes.all.contains_key(id)).collect();
        if !others.is_empty() {
            volumes.extend(ctx, VolumeFilter::Ids(others)).await?;
        }
        Ok(volumes)
    }

    async fn extend(&mut self, ctx: &Context, filter: VolumeFilter) -> Result<(), Error> {
        let mut pages = ctx.cloud.volumes.list(filter);
        while let Some(page) = pages.next().await {
            for volume in page? {
                self.insert(volume);
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, id: &VolumeId) -> Option<&Volume> {
        self.all.get(id)
    }

    /// The volumes made for a claim's life, the oldest first.
    pub(crate) fn of_claim(&self, uid: &str) -> Vec<&Volume> {
        let ids = self.made_for.get(uid).into_iter().flatten();
        let mut volumes: Vec<_> = ids.filter_map(|id| self.all.get(id)).collect();
        volumes.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        volumes
    }

    pub(crate) fn insert(&mut self, volume: Volume) {
        if let Some(uid) = volume.tags.get(names::CLAIM_UID) {
            self.made_for.entry(uid.clone()).or_default().push(volume.id.clone());
        }
        if let (Some(namespace), Some(claim)) = (volume.tags.get(names::NAMESPACE), volume.tags.get(names::CLAIM)) {
            let key = (namespace.clone(), claim.clone());
            self.namesakes.entry(key).or_default().push(volume.id.clone());
        }
        self.all.insert(volume.id.clone(), volume);
    }

    /// The usable volumes that were made for a claim of this name, in any of its lives.
    pub(crate) fn of_claim_name(&self, key: &Key) -> impl Iterator<Item = &Volume> {
        let ids = self.namesakes.get(key).into_iter().flatten();
        ids.filter_map(|id| self.all.get(id))
            .filter(|volume| volume.state.is_alive())
    }
}

#[cfg(test)]
mod tests;
