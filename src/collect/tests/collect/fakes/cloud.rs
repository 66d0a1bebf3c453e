//! A cloud in memory: one scope with volumes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use moorline_api::{
    Detail, Error, ErrorKind, Holder, Inventoried, Inventory, LoadBalancer, NewVolume, Resource, Result, Snapshot,
    TagChange, Tagged, Tagging, Tags, TargetGroup, Volume, VolumeFilter, VolumeId, VolumeState, Volumes,
};

use super::{Script, failure};

/// Small, so that every listing has several pages.
const PAGE: usize = 2;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) volumes: BTreeMap<VolumeId, Volume>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) balancers: Vec<LoadBalancer>,
    pub(crate) groups: Vec<TargetGroup>,
    pub(crate) holders: Vec<Holder>,
    pub(crate) now: Timestamp,
    /// Lists leave tags out.
    pub(crate) listed_only: bool,
    /// What lists still show, though it is gone.
    pub(crate) ghosts: Vec<Volume>,
    /// Listings break off after so many pages.
    pub(crate) pages: Option<usize>,
    pub(crate) deletions: Vec<VolumeId>,
    /// Whether it does not answer at all.
    pub(crate) silent: bool,
}

impl State {
    fn tags_of(&mut self, thing: &Resource) -> Option<&mut Tags> {
        let id = thing.id();
        match thing {
            Resource::Volume(id) => self.volumes.get_mut(id).map(|volume| &mut volume.tags),
            Resource::Snapshot(_) => named(&mut self.snapshots, |one| one.id == id).map(|one| &mut one.tags),
            Resource::LoadBalancer(_) => named(&mut self.balancers, |one| one.id == id).map(|one| &mut one.tags),
            Resource::TargetGroup(_) => named(&mut self.groups, |one| one.id == id).map(|one| &mut one.tags),
            Resource::Holder(_) => named(&mut self.holders, |one| one.id == id).map(|one| &mut one.tags),
        }
    }
}

fn named<T>(all: &mut [T], is: impl Fn(&T) -> bool) -> Option<&mut T> {
    all.iter_mut().find(|one| is(one))
}

#[derive(Clone, Debug)]
pub(crate) struct FakeCloud {
    name: String,
    script: Script,
    state: Arc<Mutex<State>>,
    answered: Arc<Mutex<bool>>,
}

impl FakeCloud {
    pub(crate) fn new(name: &str, script: &Script, now: Timestamp) -> Self {
        let state = State {
            volumes: BTreeMap::new(),
            snapshots: Vec::new(),
            balancers: Vec::new(),
            groups: Vec::new(),
            holders: Vec::new(),
            now,
            listed_only: false,
            ghosts: Vec::new(),
            pages: None,
            deletions: Vec::new(),
            silent: false,
        };
        Self {
            name: name.to_owned(),
            script: script.clone(),
            state: Arc::new(Mutex::new(state)),
            answered: Arc::default(),
        }
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub(crate) fn add(&self, volume: Volume) {
        self.with(|state| _ = state.volumes.insert(volume.id.clone(), volume));
    }

    pub(crate) fn passes(&self, time: SignedDuration) {
        self.with(|state| state.now += time);
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.with(|state| state.volumes.contains_key(&VolumeId(id.to_owned())))
    }

    pub(crate) fn tag_of(&self, id: &str, key: &str) -> Option<String> {
        self.with(|state| state.volumes.get(&VolumeId(id.to_owned()))?.tags.get(key).cloned())
    }

    pub(super) async fn answer<T>(&self, call: &str, effect: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let call = format!("{call} of {}", self.name);
        let fate = self.script.begins(&call).await?;
        if self.with(|state| state.silent) {
            return Err(failure(&call, ErrorKind::Unreachable));
        }
        *self.answered.lock().unwrap() = true;
        let outcome = self.with(effect)?;
        fate.ends(&call).await?;
        Ok(outcome)
    }
}

#[async_trait]
impl Inventory for FakeCloud {
    fn inventory(&self) -> BoxStream<'_, Result<Inventoried>> {
        let all = async move {
            self.answer("inventory", |state| {
                let detail = if state.listed_only {
                    Detail::Listed
                } else {
                    Detail::Full
                };
                let mut all: Vec<Volume> = state.volumes.values().chain(&state.ghosts).cloned().collect();
                if detail == Detail::Listed {
                    for volume in &mut all {
                        volume.tags.clear();
                    }
                }
                let pages = all.chunks(PAGE).map(|page| {
                    Ok(Inventoried {
                        volumes: page.to_vec(),
                        detail,
                    })
                });
                let mut pages: Vec<Result<Inventoried>> = pages.collect();
                if let Some(most) = state.pages {
                    pages.truncate(most);
                    pages.push(Err(failure("inventory", ErrorKind::Internal)));
                }
                Ok(pages)
            })
            .await
        };
        stream::once(all)
            .flat_map(|pages| match pages {
                Ok(pages) => stream::iter(pages).boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            })
            .boxed()
    }

    fn read(&self, ids: Vec<VolumeId>) -> BoxStream<'_, Result<Vec<Volume>>> {
        let some = async move {
            self.answer("read volumes", |state| {
                Ok(ids.iter().filter_map(|id| state.volumes.get(id).cloned()).collect())
            })
            .await
        };
        stream::once(some).boxed()
    }

    fn clock(&self) -> Option<Timestamp> {
        let answered = *self.answered.lock().unwrap();
        answered.then(|| self.with(|state| state.now))
    }
}

impl Tagging for FakeCloud {
    fn tag(&self, things: Vec<Resource>, change: TagChange) -> BoxStream<'_, Tagged> {
        let outcome = async move {
            let outcome = self
                .answer("!tag", |state| {
                    for thing in &things {
                        match (state.tags_of(thing), change.value.clone()) {
                            (Some(tags), Some(value)) => _ = tags.insert(change.key.clone(), value),
                            (Some(tags), None) => _ = tags.remove(&change.key),
                            (None, _) => {}
                        }
                    }
                    Ok(())
                })
                .await;
            Tagged { things, outcome }
        };
        stream::once(outcome).boxed()
    }
}

#[async_trait]
impl Volumes for FakeCloud {
    async fn create(&self, _new: &NewVolume) -> Result<Volume> {
        Err(failure("create", ErrorKind::Unsupported))
    }

    fn list(&self, _filter: VolumeFilter) -> BoxStream<'_, Result<Vec<Volume>>> {
        stream::iter([Err(failure("list", ErrorKind::Unsupported))]).boxed()
    }

    async fn wait_usable(&self, _id: &VolumeId) -> Result<Volume> {
        Err(failure("wait", ErrorKind::Unsupported))
    }

    async fn delete(&self, id: &VolumeId) -> Result<()> {
        self.answer(&format!("!delete {id}"), |state| {
            let in_use = |volume: &Volume| volume.state == VolumeState::InUse;
            if state.volumes.get(id).is_some_and(in_use) {
                return Err(Error::new(ErrorKind::InUse, "delete", &id.0, "VolumeInUse"));
            }
            if state.volumes.remove(id).is_some() {
                state.deletions.push(id.clone());
            }
            Ok(())
        })
        .await
    }

    async fn wait_gone(&self, id: &VolumeId) -> Result<()> {
        self.answer("wait", |state| {
            assert!(!state.volumes.contains_key(id), "nobody deletes what is waited for");
            Ok(())
        })
        .await
    }

    async fn snapshot(&self, id: &VolumeId, name: &str, tags: &Tags) -> Result<Snapshot> {
        self.answer(&format!("!snapshot {id}"), |state| {
            let snapshot = Snapshot {
                id: format!("snap of {id} {name}"),
                volume: id.clone(),
                completed: true,
                tags: tags.clone(),
            };
            if !state.snapshots.iter().any(|known| known.id == snapshot.id) {
                state.snapshots.push(snapshot.clone());
            }
            Ok(snapshot)
        })
        .await
    }

    fn creation_floor(&self, _creates: u32) -> Duration {
        Duration::ZERO
    }
}
