//! The second look: the evidence for some volumes, read again directly before they go.
//!
//! Volumes are read by their ids, then PersistentVolumes and what is attached in every cluster, then in the namespaces that these lead
//! to everything that may use a claim. One look serves all volumes that are about to go; none of them is touched when its look is
//! older than [`FRESH`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use moorline_api::{Error, ListQuery, ResourceKind, Volume, VolumeId};
use moorline_gc::listing::lean;
use moorline_gc::plan::{Clock, second_look};
use moorline_gc::verdict::Target;
use moorline_gc::{ClusterIndex, Deletion, Detail, Kind, Records, Step, Verdict, World, judge};
use tokio::time::Instant;

use crate::clock;
use crate::survey::kinds::{How, ToRead};
use crate::survey::reading::{News, Portion, Reading};
use crate::survey::{Eyes, Introduced};

/// How old a look may be at the first call that destroys something.
pub(super) const FRESH: Duration = Duration::from_secs(30);

/// Objects to a page, by which listing a kind everywhere is weighed against listing it in each namespace.
const PAGE: usize = 500;

/// What a second look found.
pub(super) enum Found {
    /// It may go, in this way.
    Go(Box<Looked>),
    /// The cloud does not have it any more.
    Absent,
    /// It is used again, or something else has changed.
    Keep(String),
    /// Something could not be read.
    Unsure(String),
}

/// A deletion by the evidence of just now.
pub(super) struct Looked {
    pub(super) deletion: Deletion,
    /// The volume as it is.
    pub(super) volume: Volume,
    /// Before the first call of the look.
    pub(super) at: Instant,
    /// The claims that go with it, by their UIDs, in the versions that were seen.
    pub(super) versions: BTreeMap<String, String>,
}

/// Where to list one cluster's objects.
#[derive(Clone, Debug, Default)]
struct Places {
    /// Where claims may be that matter; `None` is everywhere.
    claims: Option<BTreeSet<String>>,
    /// Where whatever uses claims matters.
    users: BTreeSet<String>,
}

fn claims_of(deletions: &[Deletion]) -> impl Iterator<Item = &Target> {
    let steps = deletions.iter().flat_map(|deletion| &deletion.steps);
    steps.filter_map(|step| match step {
        Step::Claim(target) => Some(target),
        _ => None,
    })
}

/// One listing of a look.
struct Listed {
    cluster: ClusterIndex,
    kind: Kind,
    namespace: Option<String>,
}

struct Look<'a, 'e> {
    eyes: &'e Eyes<'a>,
    world: World,
    clusters: Vec<Introduced>,
    /// How many objects of each kind the survey saw.
    counts: &'e [Vec<(Kind, usize)>],
    /// The versions of claims that are to go, by their UIDs; empty of those that were not seen yet.
    versions: BTreeMap<String, String>,
}

/// Looks at volumes again. `None` where the run is told to stop.
pub(super) async fn look(
    eyes: &Eyes<'_>,
    deletions: Vec<Deletion>,
    counts: &[Vec<(Kind, usize)>],
    records: &Records,
) -> Option<Vec<(Deletion, Found)>> {
    let at = Instant::now();
    let mut look = Look {
        eyes,
        world: World::new(&eyes.collector.policy),
        clusters: Vec::new(),
        counts,
        versions: claims_of(&deletions)
            .map(|claim| (claim.uid.clone(), String::new()))
            .collect(),
    };
    let (introduced, volumes) = tokio::join!(eyes.introductions(), read_volumes(eyes, &deletions));
    let (volumes, failed) = volumes?;
    look.take_volumes(&volumes);
    for (index, outcome) in introduced {
        match outcome {
            Ok(cluster) => look.introduce(cluster),
            Err(why) => eyes.gone(&mut look.world, index, &why),
        }
    }
    look.pointers().await?;
    let places = look.places(&deletions);
    look.claims_and_users(&places).await?;
    let clock = Clock { now: eyes.now() };
    let found = deletions.into_iter().map(|first| {
        let found = match (volumes.get(&first.volume), failed.get(&first.scope)) {
            (Some((_, volume)), _) => look.judge(&first, volume, records, (clock, at)),
            (None, Some(why)) => Found::Unsure(why.clone()),
            (None, None) => Found::Absent,
        };
        (first, found)
    });
    Some(found.collect())
}

type Volumes = HashMap<VolumeId, (usize, Volume)>;
type Failures = BTreeMap<String, String>;

/// The volumes as they are, each with the number of its scope, and the scopes that could not be read.
async fn read_volumes(eyes: &Eyes<'_>, deletions: &[Deletion]) -> Option<(Volumes, Failures)> {
    let mut reading = Reading::new(&eyes.permits);
    let mut asked = Vec::new();
    let mut failed = Failures::new();
    for (number, scope) in eyes.collector.scopes.iter().enumerate() {
        let own = deletions.iter().filter(|deletion| deletion.scope == scope.name);
        let own: Vec<VolumeId> = own.map(|deletion| deletion.volume.clone()).collect();
        if !own.is_empty() {
            reading.read(Arc::clone(&scope.inventory), own);
            asked.push(number);
        }
    }
    let mut volumes = Volumes::new();
    let fold = |listing: usize, news: News<'_>| {
        if let News::Portion(Portion::Read(page)) = news {
            volumes.extend(
                page.into_iter()
                    .map(|volume| (volume.id.clone(), (asked[listing], volume))),
            );
        }
    };
    let endings = reading.fold(&eyes.collector.stop, fold).await?;
    for (number, ending) in asked.iter().zip(endings) {
        if let Err(error) = ending.outcome {
            let scope = &eyes.collector.scopes[*number].name;
            failed.insert(scope.clone(), format!("volumes of {scope} could not be read: {error}"));
        }
    }
    Some((volumes, failed))
}

impl Look<'_, '_> {
    fn take_volumes(&mut self, volumes: &Volumes) {
        let now = self.eyes.now();
        for (number, volume) in volumes.values() {
            let scope = &self.eyes.collector.scopes[*number];
            let index = self.world.scope(&scope.name);
            let monthly = self.eyes.collector.prices.volume(scope, volume);
            self.world.add_volume(index, volume, Detail::Full, monthly);
            self.world.scope_read(index, now);
        }
    }

    fn introduce(&mut self, cluster: Introduced) {
        self.world.identify(cluster.index, &cluster.uid);
        for ToRead { kind, how } in &cluster.kinds {
            self.world.expect(cluster.index, kind.clone());
            match how {
                How::List(_) => {}
                How::Absent => self.world.read_whole(cluster.index, kind.clone(), self.eyes.now()),
                How::Unreadable(why) => self.world.failed(cluster.index, kind.clone(), why.as_str()),
            }
        }
        self.clusters.push(cluster);
    }

    /// PersistentVolumes and what is attached, everywhere: any of them may name the volume.
    async fn pointers(&mut self) -> Option<()> {
        let wanted = |kind: &Kind| matches!(kind, Kind::PersistentVolumes | Kind::VolumeAttachments);
        let listed = self.clusters.iter().flat_map(|cluster| {
            let kinds = cluster.kinds.iter().filter(|to_read| wanted(&to_read.kind));
            kinds.map(|to_read| Listed {
                cluster: cluster.index,
                kind: to_read.kind.clone(),
                namespace: None,
            })
        });
        let listed = listed.collect();
        self.list(listed).await
    }

    /// Where the claims are that may matter, in each cluster.
    fn places(&self, deletions: &[Deletion]) -> BTreeMap<ClusterIndex, Places> {
        let none = Places {
            claims: Some(BTreeSet::new()),
            users: BTreeSet::new(),
        };
        let mut places: BTreeMap<ClusterIndex, Places> = self
            .clusters
            .iter()
            .map(|cluster| (cluster.index, none.clone()))
            .collect();
        for target in claims_of(deletions) {
            if let Some(place) = self.index_of(&target.cluster).and_then(|index| places.get_mut(&index)) {
                place.users.insert(target.namespace.clone());
                place.claims.iter_mut().for_each(|claims| {
                    claims.insert(target.namespace.clone());
                });
            }
        }
        let volumes = deletions
            .iter()
            .filter_map(|deletion| self.world.find_volume(&deletion.volume));
        for volume in volumes {
            let found = self.world.whereabouts(volume);
            for place in places.values_mut() {
                match (&found.maker, &mut place.claims) {
                    (Some(namespace), Some(claims)) => {
                        claims.insert(namespace.clone());
                    }
                    (None, claims) => *claims = None,
                    (_, None) => {}
                }
            }
            for (cluster, namespace) in found.claims {
                if let Some(place) = places.get_mut(&cluster) {
                    place.users.insert(namespace.clone());
                    place.claims.iter_mut().for_each(|claims| {
                        claims.insert(namespace.clone());
                    });
                }
            }
        }
        places
    }

    fn index_of(&self, cluster: &str) -> Option<ClusterIndex> {
        let mut named = self.eyes.collector.policy.clusters.iter();
        let index = named.position(|named| named.name == cluster)?;
        Some(ClusterIndex(u16::try_from(index).ok()?))
    }

    async fn claims_and_users(&mut self, places: &BTreeMap<ClusterIndex, Places>) -> Option<()> {
        let mut listed = Vec::new();
        for cluster in &self.clusters {
            let Some(places) = places.get(&cluster.index) else {
                continue;
            };
            for ToRead { kind, how } in &cluster.kinds {
                let How::List(resource) = how else { continue };
                let namespaces = match kind {
                    Kind::PersistentVolumes | Kind::VolumeAttachments => continue,
                    Kind::Claims => places.claims.as_ref(),
                    _ => Some(&places.users),
                };
                let whole = Listed {
                    cluster: cluster.index,
                    kind: kind.clone(),
                    namespace: None,
                };
                match namespaces.filter(|namespaces| !self.is_cheaper_whole(cluster.index, kind, namespaces.len())) {
                    Some(namespaces) if namespaces.is_empty() => {}
                    Some(namespaces) if resource.namespaced => {
                        listed.extend(namespaces.iter().map(|namespace| Listed {
                            cluster: cluster.index,
                            kind: kind.clone(),
                            namespace: Some(namespace.clone()),
                        }));
                    }
                    _ => listed.push(whole),
                }
            }
        }
        self.list(listed).await
    }

    fn is_cheaper_whole(&self, cluster: ClusterIndex, kind: &Kind, namespaces: usize) -> bool {
        let counts = self.counts.get(usize::from(cluster.0)).map_or(&[][..], Vec::as_slice);
        let known = counts.iter().find(|(known, _)| known == kind);
        known.is_some_and(|(_, count)| count / PAGE + 1 < namespaces)
    }

    fn resource(&self, cluster: ClusterIndex, kind: &Kind) -> Option<(&Introduced, &ResourceKind)> {
        let cluster = self.clusters.iter().find(|known| known.index == cluster)?;
        let to_read = cluster.kinds.iter().find(|to_read| to_read.kind == *kind)?;
        match &to_read.how {
            How::List(resource) => Some((cluster, resource)),
            How::Absent | How::Unreadable(_) => None,
        }
    }

    async fn list(&mut self, listed: Vec<Listed>) -> Option<()> {
        let mut reading = Reading::new(&self.eyes.permits);
        let mut asked = Vec::new();
        for one in listed {
            let Some((cluster, resource)) = self.resource(one.cluster, &one.kind) else {
                continue;
            };
            let mut query = lean(ListQuery::everywhere(resource.clone()));
            query.namespace.clone_from(&one.namespace);
            reading.objects(Arc::clone(&cluster.cluster), query);
            asked.push(one);
        }
        let rules = self.eyes.rules();
        let (world, versions) = (&mut self.world, &mut self.versions);
        let fold = |listing: usize, news: News<'_>| {
            if let News::Portion(Portion::Objects(objects)) = news {
                for object in &objects {
                    let version = object.uid().and_then(|uid| versions.get_mut(uid));
                    if let (Some(version), Some(seen)) = (version, object.resource_version()) {
                        seen.clone_into(version);
                    }
                    world.add(asked[listing].cluster, object, &rules[..]);
                }
            }
        };
        let endings = reading.fold(&self.eyes.collector.stop, fold).await?;
        let now = self.eyes.now();
        let mut failures: Vec<(&Listed, Error)> = Vec::new();
        for (one, ending) in asked.iter().zip(endings) {
            let began = clock::at(now, ending.began);
            match (ending.outcome, &one.namespace) {
                (Ok(()), Some(namespace)) => self.world.read_within(one.cluster, one.kind.clone(), namespace, began),
                (Ok(()), None) => self.world.read_whole(one.cluster, one.kind.clone(), began),
                (Err(error), _) => failures.push((one, error)),
            }
        }
        for (one, error) in failures {
            self.world.failed(one.cluster, one.kind.clone(), error.to_string());
        }
        Some(())
    }

    fn versions_of(&self, deletion: &Deletion) -> BTreeMap<String, String> {
        let claims = claims_of(std::slice::from_ref(deletion));
        let seen = claims.filter_map(|claim| self.versions.get_key_value(&claim.uid));
        seen.filter(|(_, version)| !version.is_empty())
            .map(|(uid, version)| (uid.clone(), version.clone()))
            .collect()
    }

    fn judge(&self, first: &Deletion, volume: &Volume, records: &Records, (clock, at): (Clock, Instant)) -> Found {
        let policy = &self.eyes.collector.policy;
        match second_look(first, &self.world, (policy, records), clock, &self.eyes.collector.run) {
            Ok(deletion) => Found::Go(Box::new(Looked {
                versions: self.versions_of(&deletion),
                deletion,
                volume: volume.clone(),
                at,
            })),
            Err(why) => match self.world.find_volume(&first.volume) {
                Some(index) if judge(&self.world, index, policy, records, clock.now).verdict == Verdict::Unknown => {
                    Found::Unsure(why)
                }
                Some(_) => Found::Keep(why),
                // On its way out already.
                None => Found::Absent,
            },
        }
    }
}
