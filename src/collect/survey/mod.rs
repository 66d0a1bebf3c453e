//! What there is: every volume of every scope, then every object that may say something of it in every cluster.
//!
//! Clouds come first, so that a volume which was there has its PersistentVolume in the listing that begins after. What cannot be
//! read is said, and the rest goes on.

pub(crate) mod kinds;
pub(crate) mod reading;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use moorline_api::{Cluster, Error, ListQuery, StorageRules, VolumeId};
use moorline_gc::listing::lean;
use moorline_gc::names::UNUSED;
use moorline_gc::plan::{Clock, plan};
use moorline_gc::{ClusterIndex, Detail, Kind, Plan, Records, ScopeIndex, World};
use tokio::sync::Semaphore;

use crate::clock::{self, CloudClock};
use crate::error::{CollectError, Result};
use crate::event::{Event, Stage};
use crate::report::{ScopeSeen, Seen};
use crate::{Collector, Scope};
use kinds::{Definitions, How, ToRead};
use reading::{News, Portion, Reading};

/// How often volumes that lists show without their tags are read and planned again. Once is enough, unless what was read shows others.
const ROUNDS: usize = 3;

/// What a run saw.
pub(crate) struct Survey {
    pub(crate) world: World,
    /// When it was complete, by the clouds' clock.
    pub(crate) now: Timestamp,
    pub(crate) seen: Seen,
    /// How many objects of each kind each cluster has, in the policy's order.
    pub(crate) counts: Vec<Vec<(Kind, usize)>>,
    pub(crate) notices: Vec<String>,
    /// Volumes that were read by themselves because their lists leave tags out.
    pub(crate) bare: BTreeSet<VolumeId>,
}

/// Pages of clusters' objects in memory at once, whatever the bound on calls: one takes some eight megabytes while it is folded, and
/// more of them would not be folded sooner.
const PAGES: usize = 3;

/// What reads share in a run.
pub(crate) struct Eyes<'a> {
    pub(crate) collector: &'a Collector,
    pub(crate) clock: &'a CloudClock,
    pub(crate) definitions: Definitions,
    pub(crate) permits: Arc<Semaphore>,
}

/// A cluster as it introduced itself.
pub(crate) struct Introduced {
    pub(crate) index: ClusterIndex,
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) uid: String,
    pub(crate) kinds: Vec<ToRead>,
}

/// A listing of a kind of a cluster, or of a scope.
struct Listed<T> {
    of: T,
    count: usize,
}

impl<'a> Eyes<'a> {
    pub(crate) fn new(collector: &'a Collector, clock: &'a CloudClock) -> Self {
        Self {
            collector,
            clock,
            definitions: Definitions::default(),
            permits: Arc::new(Semaphore::new(collector.settings.concurrency.max(1))),
        }
    }

    /// Now, by the clouds. Where none has answered, nothing that was read counts, and any time is as good.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.clock.now(&self.collector.scopes);
        now.unwrap_or_else(|| self.collector.clock.wall())
    }

    pub(crate) fn rules(&self) -> Vec<&'a dyn StorageRules> {
        self.collector.rules.iter().map(|rules| &**rules).collect()
    }

    /// Reads everything.
    pub(crate) async fn survey(&self) -> Result<Survey> {
        let mut world = World::new(&self.collector.policy);
        // Saying who they are takes clusters as long as a listing, and proves nothing: it need not wait.
        let (introduced, scopes) = tokio::join!(self.introductions(), self.clouds(&mut world));
        let scopes = scopes?;
        let mut notices = Vec::new();
        let mut answering = Vec::new();
        for (index, outcome) in introduced {
            match outcome {
                Ok(cluster) => {
                    notices.extend(twin(&answering, &cluster, self.collector));
                    world.identify(index, &cluster.uid);
                    for kind in &cluster.kinds {
                        world.expect(index, kind.kind.clone());
                    }
                    answering.push(cluster);
                }
                Err(error) => self.gone(&mut world, index, &error),
            }
        }
        let counts = self.clusters(&mut world, &answering).await?;
        let now = self.now();
        let gaps = world.gaps(&self.collector.policy, now);
        let whole = |place: &str| !gaps.iter().any(|gap| gap.place == place);
        let names = self.collector.policy.clusters.iter().map(|cluster| &cluster.name);
        let clusters = names.zip(&counts).map(|(name, counts)| ScopeSeen {
            name: name.clone(),
            count: counts.iter().map(|(_, count)| count).sum(),
            complete: whole(&format!("cluster {name}")),
        });
        let seen = Seen {
            scopes,
            clusters: clusters.collect(),
        };
        Ok(Survey {
            world,
            now,
            seen,
            counts,
            notices,
            bare: BTreeSet::new(),
        })
    }

    /// Makes the plan, and reads by themselves the volumes whose tags their lists leave out and that look unused.
    pub(crate) async fn plan(&self, survey: &mut Survey, records: &Records) -> Result<Plan> {
        let Collector { policy, run, .. } = self.collector;
        let made = |survey: &Survey| plan(&survey.world, policy, records, Clock { now: survey.now }, run);
        let mut whole = made(survey);
        for _ in 0..ROUNDS {
            let unread: Vec<VolumeId> = whole.unread().cloned().collect();
            if unread.is_empty() {
                break;
            }
            self.details(survey, &unread, records).await?;
            survey.now = self.now();
            whole = made(survey);
        }
        Ok(whole)
    }

    /// Reads volumes with all their tags; those that turn out to be gone are forgotten.
    async fn details(&self, survey: &mut Survey, ids: &[VolumeId], records: &Records) -> Result<()> {
        let Survey { world, bare, .. } = survey;
        self.collector.emit(Event::Stage {
            stage: Stage::Details,
            total: ids.len(),
        });
        let mut reading = Reading::new(&self.permits);
        let mut asked: Vec<(&Scope, ScopeIndex, Vec<VolumeId>)> = Vec::new();
        for scope in &self.collector.scopes {
            let index = world.scope(&scope.name);
            let own = ids.iter().filter(|id| {
                let volume = world.find_volume(id);
                volume.is_some_and(|volume| world.describe(volume).scope == scope.name)
            });
            let own: Vec<VolumeId> = own.cloned().collect();
            if !own.is_empty() {
                reading.read(Arc::clone(&scope.inventory), own.clone());
                asked.push((scope, index, own));
            }
        }
        let mut found = std::collections::HashSet::new();
        let endings = reading
            .fold(&self.collector.stop, |listing, news| {
                let (scope, index, _) = &asked[listing];
                if let News::Portion(Portion::Read(volumes)) = news {
                    for mut volume in volumes {
                        found.insert(volume.id.clone());
                        // Whether it was used since, nobody knows: grace begins anew.
                        if !records.unused.contains(&volume.id.0) {
                            volume.tags.remove(UNUSED);
                        }
                        let monthly = self.collector.prices.volume(scope, &volume);
                        world.add_volume(*index, &volume, Detail::Full, monthly);
                    }
                }
            })
            .await
            .ok_or(CollectError::Interrupted)?;
        bare.extend(found.iter().cloned());
        for ((scope, _, own), ending) in asked.iter().zip(endings) {
            match ending.outcome {
                Ok(()) => own
                    .iter()
                    .filter(|id| !found.contains(*id))
                    .for_each(|id| world.forget(id)),
                Err(error) => self.gap(&scope.name, "volumes", &error),
            }
        }
        Ok(())
    }

    /// Lists the volumes of every scope.
    async fn clouds(&self, world: &mut World) -> Result<Vec<ScopeSeen>> {
        self.collector.emit(Event::Stage {
            stage: Stage::Clouds,
            total: self.collector.scopes.len(),
        });
        let mut reading = Reading::new(&self.permits);
        let mut listed = Vec::new();
        for scope in &self.collector.scopes {
            reading.volumes(Arc::clone(&scope.inventory));
            let of = (scope, world.scope(&scope.name));
            listed.push(Listed { of, count: 0 });
        }
        let endings = reading
            .fold(&self.collector.stop, |listing, news| {
                let Listed { of, count } = &mut listed[listing];
                if let News::Portion(Portion::Volumes(page)) = &news {
                    for volume in &page.volumes {
                        let monthly = self.collector.prices.volume(of.0, volume);
                        world.add_volume(of.1, volume, page.detail, monthly);
                    }
                    *count += page.volumes.len();
                }
                self.tell(&of.0.name, "volumes", *count, &news);
            })
            .await
            .ok_or(CollectError::Interrupted)?;
        let now = self.now();
        let mut seen = Vec::new();
        for (Listed { of, count }, ending) in listed.into_iter().zip(endings) {
            seen.push(ScopeSeen {
                name: of.0.name.clone(),
                count,
                complete: ending.outcome.is_ok(),
            });
            match ending.outcome {
                Ok(()) => world.scope_read(of.1, clock::at(now, ending.began)),
                Err(error) => world.scope_failed(of.1, error.to_string()),
            }
        }
        Ok(seen)
    }

    /// Asks every cluster who it is and what it serves.
    pub(crate) async fn introductions(&self) -> Vec<(ClusterIndex, std::result::Result<Introduced, String>)> {
        let policy = &self.collector.policy;
        let named = policy.clusters.iter().enumerate().filter_map(|(index, named)| {
            let index = ClusterIndex(u16::try_from(index).ok()?);
            let link = self.collector.clusters.iter().find(|link| link.name == named.name);
            Some((index, link))
        });
        let asked = named.map(|(index, link)| async move {
            let Some(link) = link else {
                return (index, Err("nobody said how to reach it".to_owned()));
            };
            let outcome = match &link.connection {
                Ok(cluster) => self
                    .introduction(index, cluster)
                    .await
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            (index, outcome)
        });
        join_all(asked).await
    }

    async fn introduction(
        &self,
        index: ClusterIndex,
        cluster: &Arc<dyn Cluster>,
    ) -> std::result::Result<Introduced, Error> {
        let (identity, kinds) = tokio::try_join!(cluster.identity(), kinds::to_read(&**cluster, &self.definitions))?;
        Ok(Introduced {
            index,
            cluster: Arc::clone(cluster),
            uid: identity.uid,
            kinds,
        })
    }

    /// Lists every kind of the clusters that answer.
    async fn clusters(&self, world: &mut World, answering: &[Introduced]) -> Result<Vec<Vec<(Kind, usize)>>> {
        let mut counts = vec![Vec::new(); self.collector.policy.clusters.len()];
        let pages = self.collector.settings.concurrency.clamp(1, PAGES);
        let mut reading = Reading::new(&Arc::new(Semaphore::new(pages)));
        let mut listed = Vec::new();
        for cluster in answering {
            for ToRead { kind, how } in &cluster.kinds {
                match how {
                    How::List(resource) => {
                        let query = lean(ListQuery::everywhere(resource.clone()));
                        reading.objects(Arc::clone(&cluster.cluster), query);
                        let of = (cluster.index, kind.clone());
                        listed.push(Listed { of, count: 0 });
                    }
                    How::Absent => {}
                    How::Unreadable(why) => {
                        self.gap_for(&self.place(cluster.index), kind.name(), why);
                        world.failed(cluster.index, kind.clone(), why.as_str());
                    }
                }
            }
        }
        self.collector.emit(Event::Stage {
            stage: Stage::Clusters,
            total: listed.len(),
        });
        let rules = self.rules();
        let endings = reading
            .fold(&self.collector.stop, |listing, news| {
                let Listed { of, count } = &mut listed[listing];
                if let News::Portion(Portion::Objects(objects)) = &news {
                    for object in objects {
                        world.add(of.0, object, &rules[..]);
                    }
                    *count += objects.len();
                }
                self.tell(&self.place(of.0), of.1.name(), *count, &news);
            })
            .await
            .ok_or(CollectError::Interrupted)?;
        let now = self.now();
        for cluster in answering {
            for absent in cluster.kinds.iter().filter(|kind| matches!(kind.how, How::Absent)) {
                world.read_whole(cluster.index, absent.kind.clone(), now);
            }
        }
        for (
            Listed {
                of: (index, kind),
                count,
            },
            ending,
        ) in listed.into_iter().zip(endings)
        {
            counts[usize::from(index.0)].push((kind.clone(), count));
            match ending.outcome {
                Ok(()) => world.read_whole(index, kind, clock::at(now, ending.began)),
                Err(error) => world.failed(index, kind, error.to_string()),
            }
        }
        Ok(counts)
    }

    pub(crate) fn gone(&self, world: &mut World, index: ClusterIndex, why: &str) {
        self.gap_for(&self.place(index), "everything", why);
        world.unreachable(index, why);
    }

    /// As gaps name a cluster.
    pub(crate) fn place(&self, index: ClusterIndex) -> String {
        let named = self.collector.policy.clusters.get(usize::from(index.0));
        format!("cluster {}", named.map_or("", |named| named.name.as_str()))
    }

    fn tell(&self, place: &str, what: &str, count: usize, news: &News<'_>) {
        match news {
            News::Ended(ending) if ending.outcome.is_err() => {
                let error = ending.outcome.as_ref().err();
                self.gap_for(place, what, &error.map(ToString::to_string).unwrap_or_default());
            }
            news => self.collector.emit(Event::Read {
                place: place.to_owned(),
                what: what.to_owned(),
                count,
                complete: matches!(news, News::Ended(_)),
            }),
        }
    }

    fn gap(&self, place: &str, what: &str, error: &Error) {
        self.gap_for(place, what, &error.to_string());
    }

    fn gap_for(&self, place: &str, what: &str, why: &str) {
        self.collector.emit(Event::Gap {
            place: place.to_owned(),
            what: what.to_owned(),
            why: why.to_owned(),
        });
    }
}

/// Two names of one cluster contradict each other in every verdict, and nobody would see why nothing ever goes.
fn twin(before: &[Introduced], cluster: &Introduced, collector: &Collector) -> Option<String> {
    let twin = before.iter().find(|other| other.uid == cluster.uid)?;
    let name = |index: ClusterIndex| collector.policy.clusters[usize::from(index.0)].name.as_str();
    Some(format!(
        "{} and {} are one cluster, with UID {}; take one of them out of the policy, or nothing of it can be proved",
        name(twin.index),
        name(cluster.index),
        cluster.uid
    ))
}
