//! Reading what is no volume, and everything that may speak for it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use moorline_api::{
    Cluster, Error, ErrorKind, Holder, Kinds, ListQuery, LoadBalancer, Recoverable, Resource, ResourceKind, Tags,
    TargetGroup, tags,
};
use moorline_gc::ClusterIndex;
use moorline_gc::leftovers::{Kind, Leftovers, Sort};
use tokio::time::Instant;

use super::Balancers;
use crate::clock;
use crate::error::{CollectError, Result};
use crate::event::Event;
use crate::survey::Eyes;

/// How often a listing whose version ran out is begun anew.
const ATTEMPTS: usize = 3;

/// A listing from which nothing comes for so long has failed: its provider's own retries end before.
const STALLED: Duration = Duration::from_mins(3);

/// What was there when it was looked at.
pub(super) struct Look {
    pub(super) world: Leftovers,
    pub(super) balancers: Balancers,
    /// When it was complete, by the clouds' clock.
    pub(super) now: Timestamp,
}

/// What a listing of a scope shows.
enum Things {
    Balancers(Vec<LoadBalancer>),
    Groups(Vec<TargetGroup>),
    Holders(Vec<Holder>),
    Snapshots(Vec<Recoverable>),
}

impl Things {
    fn count(&self) -> usize {
        match self {
            Self::Balancers(all) => all.len(),
            Self::Groups(all) => all.len(),
            Self::Holders(all) => all.len(),
            Self::Snapshots(all) => all.len(),
        }
    }
}

/// The UIDs of the clusters, or why one of them is not known.
type Uids = std::result::Result<BTreeSet<String>, String>;

/// A listing of a scope.
struct Listing {
    scope: usize,
    sort: Sort,
    began: Instant,
    outcome: std::result::Result<Things, Error>,
}

/// Looks at some sorts of things in some scopes, and then at what clusters say of them.
pub(super) async fn look(eyes: &Eyes<'_>, scopes: &[usize], sorts: &BTreeSet<Sort>) -> Result<Look> {
    let stop = &eyes.collector.stop;
    let look = async {
        let identities = identities(eyes).await;
        let (mut world, balancers) = clouds(eyes, scopes, sorts, &identities).await;
        for (index, identity) in &identities {
            match identity {
                Ok(uid) => world.identify(*index, uid),
                Err(why) => world.unreachable(*index, why),
            }
        }
        let wanted = world.wants(eyes.now());
        let world = clusters(eyes, world, &wanted).await;
        Look {
            world,
            balancers,
            now: eyes.now(),
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(CollectError::Interrupted),
        look = look => Ok(look),
    }
}

/// The UID of each cluster, or why it does not say. It proves nothing about anything else, and may be asked first.
async fn identities(eyes: &Eyes<'_>) -> Vec<(ClusterIndex, std::result::Result<String, String>)> {
    let asked = (0_u16..)
        .zip(&eyes.collector.policy.clusters)
        .map(|(index, _)| async move {
            let index = ClusterIndex(index);
            let uid = match reach(eyes, index) {
                Ok(cluster) => cluster
                    .identity()
                    .await
                    .map(|identity| identity.uid)
                    .map_err(|error| error.to_string()),
                Err(why) => Err(why),
            };
            (index, uid)
        });
    join_all(asked).await
}

fn reach<'a>(eyes: &Eyes<'a>, index: ClusterIndex) -> std::result::Result<&'a dyn Cluster, String> {
    let collector = eyes.collector;
    let name = &collector.policy.clusters[usize::from(index.0)].name;
    let link = collector.clusters.iter().find(|link| link.name == *name);
    let link = link.ok_or_else(|| "nobody said how to reach it".to_owned())?;
    let cluster = link.connection.as_ref().map_err(ToString::to_string)?;
    Ok(&**cluster)
}

async fn clouds(
    eyes: &Eyes<'_>,
    scopes: &[usize],
    sorts: &BTreeSet<Sort>,
    identities: &[(ClusterIndex, std::result::Result<String, String>)],
) -> (Leftovers, Balancers) {
    let pinned = eyes
        .collector
        .policy
        .clusters
        .iter()
        .filter_map(|cluster| cluster.uid.clone());
    let answered = identities.iter().filter_map(|(_, uid)| uid.clone().ok());
    let silent = identities.iter().find_map(|(index, uid)| {
        let pinned = &eyes.collector.policy.clusters[usize::from(index.0)].uid;
        let why = uid.as_ref().err().filter(|_| pinned.is_none())?;
        Some(format!("{} does not say whose they are: {why}", eyes.place(*index)))
    });
    let uids = silent.map_or_else(|| Ok(pinned.chain(answered).collect()), Err);
    let wanted = scopes
        .iter()
        .flat_map(|scope| sorts.iter().map(move |sort| (*scope, *sort)));
    let listings = join_all(wanted.map(|(scope, sort)| list(eyes, scope, sort, &uids))).await;
    let now = eyes.now();
    let mut world = Leftovers::new(&eyes.collector.policy);
    let mut balancers = Balancers::new();
    for listing in listings {
        let scope = &eyes.collector.scopes[listing.scope];
        let prices = &eyes.collector.prices;
        let index = world.scope(&scope.name);
        // A sort that was not asked for is not missed.
        for sort in Sort::ALL.into_iter().filter(|sort| !sorts.contains(sort)) {
            world.sort_read(index, sort, now);
        }
        match listing.outcome {
            Ok(things) => {
                world.sort_read(index, listing.sort, clock::at(now, listing.began));
                match things {
                    Things::Balancers(all) => all.into_iter().for_each(|balancer| {
                        world.add_balancer(index, &balancer, prices.load_balancer(scope, &balancer));
                        balancers.insert(Resource::LoadBalancer(balancer.id.clone()), balancer);
                    }),
                    Things::Groups(all) => all.iter().for_each(|group| world.add_target_group(index, group)),
                    Things::Holders(all) => all.iter().for_each(|holder| world.add_holder(index, holder)),
                    Things::Snapshots(all) => all.iter().for_each(|snapshot| {
                        world.add_recoverable(index, snapshot, prices.snapshot(scope, snapshot));
                    }),
                }
            }
            Err(error) => {
                gap(eyes, &scope.name, &listing.sort.to_string(), &error);
                world.sort_failed(index, listing.sort, error.to_string());
            }
        }
    }
    (world, balancers)
}

async fn list(eyes: &Eyes<'_>, scope: usize, sort: Sort, clusters: &Uids) -> Listing {
    let began = Instant::now();
    let outcome = match eyes.permits.acquire().await {
        Ok(_permit) => things(eyes, scope, sort, clusters).await,
        Err(_) => Err(Error::new(ErrorKind::Internal, "list", "", "the run has ended")),
    };
    if let Ok(things) = &outcome {
        eyes.collector.emit(Event::Read {
            place: eyes.collector.scopes[scope].name.clone(),
            what: sort.to_string(),
            count: things.count(),
            complete: true,
        });
    }
    Listing {
        scope,
        sort,
        began,
        outcome,
    }
}

async fn things(eyes: &Eyes<'_>, scope: usize, sort: Sort, clusters: &Uids) -> std::result::Result<Things, Error> {
    let scope = &eyes.collector.scopes[scope];
    match sort {
        Sort::LoadBalancers => all(scope.load_balancers.list()).await.map(Things::Balancers),
        Sort::TargetGroups => all(scope.target_groups.target_groups()).await.map(Things::Groups),
        Sort::StorageAccounts => all(scope.holders.holders()).await.map(Things::Holders),
        Sort::Snapshots => {
            let unknown = |why: &String| Error::new(ErrorKind::Unreachable, "list", "snapshots", why);
            let mut found = Vec::new();
            for uid in clusters.as_ref().map_err(unknown)? {
                let ours = Tags::from([(tags::CLUSTER_UID.to_owned(), uid.clone())]);
                found.extend(all(scope.recovery.snapshots(ours)).await?);
            }
            Ok(Things::Snapshots(found))
        }
    }
}

/// All of a listing. Of what a cloud does not have there is nothing.
async fn all<T>(mut pages: BoxStream<'_, moorline_api::Result<Vec<T>>>) -> moorline_api::Result<Vec<T>> {
    let mut found = Vec::new();
    while let Some(page) = next(&mut pages).await? {
        match page {
            Ok(page) => found.extend(page),
            Err(error) if error.kind == ErrorKind::Unsupported => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

async fn next<S: Stream + Unpin>(pages: &mut S) -> moorline_api::Result<Option<S::Item>> {
    tokio::time::timeout(STALLED, pages.next()).await.map_err(|_| {
        let why = format!("nothing came for {} seconds", STALLED.as_secs());
        Error::new(ErrorKind::Unreachable, "list", "", why)
    })
}

/// Reads these kinds of every cluster that answers.
async fn clusters(eyes: &Eyes<'_>, world: Leftovers, wanted: &BTreeSet<Kind>) -> Leftovers {
    let world = Mutex::new(world);
    if !wanted.is_empty() {
        let indices = (0_u16..).zip(&eyes.collector.policy.clusters);
        let read = indices.map(|(index, _)| cluster(eyes, &world, ClusterIndex(index), wanted));
        join_all(read).await;
    }
    world.into_inner().unwrap_or_else(PoisonError::into_inner)
}

async fn cluster(eyes: &Eyes<'_>, world: &Mutex<Leftovers>, index: ClusterIndex, wanted: &BTreeSet<Kind>) {
    // One that does not answer has said so before.
    let Ok(cluster) = reach(eyes, index) else { return };
    let served = match cluster.kinds().await {
        Ok(served) => served,
        Err(error) => {
            gap(eyes, &eyes.place(index), "everything", &error);
            return lock(world).unreachable(index, &error.to_string());
        }
    };
    join_all(wanted.iter().map(|kind| async {
        let began = Instant::now();
        let outcome = match served_as(*kind, &served) {
            Ok(Some(resource)) => objects(eyes, cluster, resource, |object| lock(world).add(index, object)).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => lock(world).read_whole(index, *kind, clock::at(eyes.now(), began)),
            Err(error) => {
                gap(eyes, &eyes.place(index), &kind.to_string(), &error);
                lock(world).failed(index, *kind, error.to_string());
            }
        }
    }))
    .await;
}

fn lock(world: &Mutex<Leftovers>) -> std::sync::MutexGuard<'_, Leftovers> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a cluster serves a kind; `None` where it can do without and does.
fn served_as(kind: Kind, served: &Kinds) -> moorline_api::Result<Option<ResourceKind>> {
    let (group, name) = kind.group_and_kind();
    let found = served.served.iter().find(|resource| resource.gvk.is(group, name));
    let silent = || {
        served
            .unanswered
            .iter()
            .any(|version| version.split_once('/').is_some_and(|(of, _)| of == group))
    };
    match found {
        Some(resource) => Ok(Some(resource.clone())),
        None if silent() => Err(unreadable(kind, "its server does not answer")),
        None if kind.is_optional() => Ok(None),
        None => Err(unreadable(kind, "the cluster does not serve it")),
    }
}

fn unreadable(kind: Kind, why: &str) -> Error {
    Error::new(ErrorKind::Unreachable, "list", kind.to_string(), why)
}

/// Folds every object of a kind. A listing whose version ran out begins anew: what was seen already is seen again.
async fn objects(
    eyes: &Eyes<'_>,
    cluster: &dyn Cluster,
    resource: ResourceKind,
    fold: impl Fn(&moorline_api::Object),
) -> moorline_api::Result<()> {
    let ended = |_| Error::new(ErrorKind::Internal, "list", "", "the run has ended");
    let _permit = eyes.permits.acquire().await.map_err(ended)?;
    let mut attempt = 1;
    loop {
        let mut pages = cluster.list(ListQuery::everywhere(resource.clone()));
        let outcome = loop {
            match next(&mut pages).await.and_then(Option::transpose) {
                Ok(Some(page)) => page.objects.iter().for_each(&fold),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        match outcome {
            Err(error) if error.kind == ErrorKind::Expired && attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}

fn gap(eyes: &Eyes<'_>, place: &str, what: &str, error: &Error) {
    eyes.collector.emit(Event::Gap {
        place: place.to_owned(),
        what: what.to_owned(),
        why: error.to_string(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_may_do_without_a_kind_only_where_it_says_that_it_has_none() {
        let ingresses = ResourceKind {
            gvk: moorline_api::Gvk::new("networking.k8s.io/v1", "Ingress"),
            plural: "ingresses".to_owned(),
            namespaced: true,
            verbs: Vec::new(),
        };
        let kinds = |served: &[ResourceKind], unanswered: &[&str]| Kinds {
            served: served.to_vec(),
            unanswered: unanswered.iter().map(|&version| version.to_owned()).collect(),
        };
        let served = |kind, kinds: &Kinds| served_as(kind, kinds).map_err(|error| error.message);
        let all = kinds(std::slice::from_ref(&ingresses), &["metrics.k8s.io/v1"]);
        assert_eq!(served(Kind::Ingresses, &all), Ok(Some(ingresses)));
        assert_eq!(served(Kind::Gateways, &all), Ok(None));
        assert_eq!(
            served(Kind::Services, &all),
            Err("the cluster does not serve it".to_owned())
        );
        let silent = kinds(&[], &["gateway.networking.k8s.io/v1"]);
        assert_eq!(
            served(Kind::Gateways, &silent),
            Err("its server does not answer".to_owned())
        );
        assert_eq!(served(Kind::Ingresses, &silent), Ok(None));
    }
}
