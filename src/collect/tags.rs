//! Marks taken off and protection set by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use moorline_api::{Detail, Resource, TagChange, VolumeId};
use moorline_gc::names::{PROTECT, UNUSED};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::error::{CollectError, Result};
use crate::survey::reading::{News, Portion, Reading};
use crate::{Collector, Scope};

/// Which volumes are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These. One that is in no scope is an error for it alone.
    These(Vec<VolumeId>),
    /// Every one with a mark.
    All,
}

/// What became of a volume's tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tagging {
    /// The volume.
    pub volume: VolumeId,
    /// Its scope, where it is in one.
    pub scope: Option<String>,
    /// Why it failed.
    pub failed: Option<String>,
}

/// Volumes by the number of their scope, and the scopes that could not be read.
#[derive(Default)]
struct Located {
    volumes: BTreeMap<usize, Vec<VolumeId>>,
    unread: Vec<(String, String)>,
}

impl Collector {
    /// Takes marks off, so that grace begins anew. Takes no lease: it can only delay what a run does.
    pub async fn unmark(&self, volumes: Selection) -> Result<Vec<Tagging>> {
        let located = match &volumes {
            Selection::These(ids) => self.locate(ids).await?,
            Selection::All => self.marked().await?,
        };
        let change = TagChange {
            key: UNUSED.to_owned(),
            value: None,
        };
        self.tag(volumes, located, &change).await
    }

    /// Protects volumes from every run, or takes that protection off, and with it the mark: grace begins anew, whether or not a run saw
    /// the protection. Takes no lease: a run that is under way looks at each volume again before it goes.
    pub async fn protect(&self, mut volumes: Vec<VolumeId>, on: bool) -> Result<Vec<Tagging>> {
        let mut located = self.locate(&volumes).await?;
        // The mark goes first: whoever is interrupted in between leaves the volume protected.
        let still_marked = if on {
            Vec::new()
        } else {
            self.take_off(&mut located).await
        };
        volumes.retain(|id| !still_marked.iter().any(|marked| marked.volume == *id));
        let change = TagChange {
            key: PROTECT.to_owned(),
            value: on.then(|| "true".to_owned()),
        };
        let mut all = self.tag(Selection::These(volumes), located, &change).await?;
        all.extend(still_marked);
        Ok(all)
    }

    /// Takes marks off. Those of which one is still there are no longer among the volumes, and come back with the reason.
    async fn take_off(&self, located: &mut Located) -> Vec<Tagging> {
        let change = TagChange {
            key: UNUSED.to_owned(),
            value: None,
        };
        let mut still_marked = Vec::new();
        for (number, ids) in &mut located.volumes {
            let tagged = tag_some(&self.scopes[*number], ids, change.clone()).await;
            let failed: Vec<Tagging> = tagged.into_iter().filter(|one| one.failed.is_some()).collect();
            ids.retain(|id| !failed.iter().any(|one| one.volume == *id));
            still_marked.extend(failed);
        }
        still_marked
    }

    async fn tag(&self, wanted: Selection, located: Located, change: &TagChange) -> Result<Vec<Tagging>> {
        let known: BTreeSet<&VolumeId> = located.volumes.values().flatten().collect();
        let unread: Vec<String> = located
            .unread
            .iter()
            .map(|(scope, why)| format!("{scope}: {why}"))
            .collect();
        let mut all: Vec<Tagging> = match &wanted {
            Selection::These(ids) => ids
                .iter()
                .filter(|id| !known.contains(id))
                .map(|id| Tagging {
                    volume: id.clone(),
                    scope: None,
                    failed: Some(if unread.is_empty() {
                        "it is in no scope of the policy".to_owned()
                    } else {
                        format!(
                            "it was not found, and not everything could be read: {}",
                            unread.join("; ")
                        )
                    }),
                })
                .collect(),
            // Marks that may be there and were not seen are not taken off, and nobody may think that they were.
            Selection::All => match located.unread.first() {
                Some((scope, why)) => {
                    return Err(CollectError::NotSeen {
                        what: format!("every mark of {scope}"),
                        why: why.clone(),
                    });
                }
                None => Vec::new(),
            },
        };
        for (number, ids) in &located.volumes {
            all.extend(tag_some(&self.scopes[*number], ids, change.clone()).await);
        }
        Ok(all)
    }

    /// In which scope each volume is.
    async fn locate(&self, ids: &[VolumeId]) -> Result<Located> {
        let permits = self.permits();
        let mut reading = Reading::new(&permits);
        for scope in &self.scopes {
            reading.read(Arc::clone(&scope.inventory), ids.to_vec());
        }
        let mut located = Located::default();
        let fold = |number: usize, news: News<'_>| {
            if let News::Portion(Portion::Read(volumes)) = news {
                let known = located.volumes.entry(number).or_default();
                known.extend(volumes.into_iter().map(|volume| volume.id));
            }
        };
        let endings = reading.fold(&self.stop, fold).await.ok_or(CollectError::Interrupted)?;
        for (scope, ending) in self.scopes.iter().zip(endings) {
            if let Err(error) = ending.outcome {
                located.unread.push((scope.name.clone(), error.to_string()));
            }
        }
        Ok(located)
    }

    /// Every volume with a mark.
    async fn marked(&self) -> Result<Located> {
        let permits = self.permits();
        let mut reading = Reading::new(&permits);
        for scope in &self.scopes {
            reading.volumes(Arc::clone(&scope.inventory));
        }
        let mut located = Located::default();
        // Lists may leave tags out.
        let mut hidden: BTreeMap<usize, Vec<VolumeId>> = BTreeMap::new();
        let fold = |number: usize, news: News<'_>| {
            if let News::Portion(Portion::Volumes(page)) = news {
                for volume in page.volumes {
                    if volume.tags.contains_key(UNUSED) {
                        located.volumes.entry(number).or_default().push(volume.id);
                    } else if page.detail == Detail::Listed {
                        hidden.entry(number).or_default().push(volume.id);
                    }
                }
            }
        };
        let endings = reading.fold(&self.stop, fold).await.ok_or(CollectError::Interrupted)?;
        let mut reading = Reading::new(&permits);
        let numbers: Vec<usize> = hidden.keys().copied().collect();
        for (number, ids) in hidden {
            reading.read(Arc::clone(&self.scopes[number].inventory), ids);
        }
        let fold = |listing: usize, news: News<'_>| {
            if let News::Portion(Portion::Read(volumes)) = news {
                let marked = volumes.into_iter().filter(|volume| volume.tags.contains_key(UNUSED));
                let known = located.volumes.entry(numbers[listing]).or_default();
                known.extend(marked.map(|volume| volume.id));
            }
        };
        let more = reading.fold(&self.stop, fold).await.ok_or(CollectError::Interrupted)?;
        let scopes = self
            .scopes
            .iter()
            .chain(numbers.iter().map(|number| &self.scopes[*number]));
        for (scope, ending) in scopes.zip(endings.into_iter().chain(more)) {
            if let Err(error) = ending.outcome {
                located.unread.push((scope.name.clone(), error.to_string()));
            }
        }
        Ok(located)
    }

    fn permits(&self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(self.settings.concurrency.max(1)))
    }
}

async fn tag_some(scope: &Scope, ids: &[VolumeId], change: TagChange) -> Vec<Tagging> {
    let things = ids.iter().cloned().map(Resource::Volume).collect();
    let tagged = scope.tagging.tag(things, change);
    let told = tagged.map(|tagged| {
        let failed = tagged.outcome.err().map(|error| error.to_string());
        let told = tagged.things.into_iter().map(|thing| Tagging {
            volume: VolumeId(thing.id().to_owned()),
            scope: Some(scope.name.clone()),
            failed: failed.clone(),
        });
        told.collect::<Vec<_>>()
    });
    told.collect::<Vec<_>>().await.concat()
}
