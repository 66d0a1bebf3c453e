//! What is in the cluster now: read once for a report, or kept current by watches while a run waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use moorline_api::{Error, ErrorKind, ListQuery, Object, ObjectRef, ResourceKind, WatchEvent};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::context::Context;
use crate::error::EngineError;
use crate::fold::{EventView, Key};
use crate::observe;
use crate::outcome::Cause;
use crate::slim::slim;

/// Between two attempts to list or watch what could not be.
const RETRY: Duration = Duration::from_millis(500);

/// Between two questions whether the API server still answers: a watch that hears nothing cannot tell peace from death.
const PULSE: Duration = Duration::from_secs(5);

/// How long an answer to that may take.
const ANSWER: Duration = Duration::from_secs(5);

/// For how long the API server may give no answer before a wait ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looking may take one part in this many and one of the time.
const LOOK_SHARE: u32 = 4;

/// The objects of some kinds and namespaces. One that goes on while it changes shares with the next what stays the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    kinds: BTreeMap<String, BTreeMap<Key, Kept>>,
    /// Kinds that may not be read, a sentence each.
    pub(crate) unreadable: Vec<String>,
}

/// What is kept of an object. Most of what a cluster holds are events, and six words of each are looked at.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Event(Arc<EventView>),
    Object(Arc<Object>),
}

impl Kept {
    /// With its namespace and name.
    pub(crate) fn of(object: Object) -> (Key, Self) {
        let key = key(&object);
        if object.gvk() == ResourceKind::event().gvk {
            return (key, Self::Event(Arc::new(EventView::of(&object))));
        }
        (key, Self::Object(Arc::new(slim(object))))
    }
}

impl Snapshot {
    /// Reads everything once. What is forbidden is named in `unreadable`; any other failure is the error.
    pub(crate) async fn read(ctx: &Context, queries: &[ListQuery]) -> Result<Self, Error> {
        let mut snapshot = Self::default();
        let reads = queries
            .iter()
            .map(|query| async move { (query, observe::list(ctx, query.clone(), |o| Some(Kept::of(o))).await) });
        for (query, result) in futures::future::join_all(reads).await {
            match result {
                Ok((kept, _)) => snapshot.keep(&query.resource, kept),
                Err(error) if error.kind == ErrorKind::Forbidden => snapshot.unreadable.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(snapshot)
    }

    /// The objects of a kind, by namespace and name; events have a way of their own.
    pub(crate) fn all<'a>(&'a self, kind: &ResourceKind) -> impl Iterator<Item = &'a Object> + use<'a> {
        self.of_kind(kind).filter_map(|kept| match kept {
            Kept::Object(object) => Some(&**object),
            Kept::Event(_) => None,
        })
    }

    /// The events.
    pub(crate) fn events(&self) -> impl Iterator<Item = &EventView> {
        self.of_kind(&ResourceKind::event()).filter_map(|kept| match kept {
            Kept::Event(event) => Some(&**event),
            Kept::Object(_) => None,
        })
    }

    fn of_kind<'a>(&'a self, kind: &ResourceKind) -> impl Iterator<Item = &'a Kept> + use<'a> {
        let of_kind = self.kinds.get(&kind.qualified()).into_iter();
        of_kind.flat_map(BTreeMap::values)
    }

    /// Whether objects of this kind are read at all.
    pub(crate) fn holds(&self, kind: &ResourceKind) -> bool {
        self.kinds.contains_key(&kind.qualified())
    }

    /// One object.
    pub(crate) fn get(&self, kind: &ResourceKind, namespace: &str, name: &str) -> Option<&Object> {
        let key = (namespace.to_owned(), name.to_owned());
        match self.kinds.get(&kind.qualified())?.get(&key)? {
            Kept::Object(object) => Some(object),
            Kept::Event(_) => None,
        }
    }

    /// Adds objects of a kind, each in the place of what was known of it.
    pub(crate) fn keep(&mut self, kind: &ResourceKind, kept: impl IntoIterator<Item = (Key, Kept)>) {
        self.kinds.entry(kind.qualified()).or_default().extend(kept);
    }

    /// Puts a fresh listing of one query in the place of what an older one held.
    fn replace(&mut self, query: &ListQuery, kept: Vec<(Key, Kept)>) {
        let of_kind = self.kinds.entry(query.resource.qualified()).or_default();
        of_kind.retain(|(namespace, _), _| query.namespace.as_ref().is_some_and(|n| n != namespace));
        of_kind.extend(kept);
    }
}

fn key(object: &Object) -> Key {
    (
        object.namespace().unwrap_or_default().to_owned(),
        object.name().to_owned(),
    )
}

/// What a tracked wait came to.
pub(crate) enum Waited<T> {
    /// The condition held.
    Done(T),
    /// The deadline passed.
    TimedOut,
    /// The user asked to stop.
    Stopped,
    /// The API server has not answered for a while, or not at the deadline.
    Lost(Error),
}

/// The API server gives no answer.
struct Unanswered {
    since: Instant,
    error: Error,
}

/// A query that cannot be read.
struct Failing {
    since: Instant,
    error: Arc<Error>,
    /// Whether something may wait for what it would tell.
    matters: bool,
}

#[derive(Default)]
struct Shared {
    snapshot: Mutex<Arc<Snapshot>>,
    /// Queries that were listed at least once.
    synced: Mutex<usize>,
    /// The last failure of each query that cannot be read now.
    failing: Mutex<BTreeMap<usize, Failing>>,
    /// What the last pulse met, where it was no answer.
    unanswered: Mutex<Option<Unanswered>>,
}

/// Keeps a [`Snapshot`] current. Its tasks end with it.
pub(crate) struct Tracker {
    shared: Arc<Shared>,
    version: watch::Receiver<u64>,
    queries: usize,
    stop: tokio_util::sync::CancellationToken,
    _tasks: JoinSet<()>,
}

impl Tracker {
    /// Begins to watch.
    pub(crate) fn start(ctx: &Context, queries: Vec<ListQuery>) -> Self {
        let (sender, version) = watch::channel(0);
        let shared = Arc::new(Shared::default());
        let sender = Arc::new(sender);
        let count = queries.len();
        let mut tasks = JoinSet::new();
        for (index, query) in queries.into_iter().enumerate() {
            let follower = Follower {
                ctx: ctx.clone(),
                query,
                index,
                shared: shared.clone(),
                version: sender.clone(),
            };
            tasks.spawn(follower.run());
        }
        tasks.spawn(pulse(ctx.clone(), shared.clone(), sender));
        Self {
            shared,
            version,
            queries: count,
            stop: ctx.stop.clone(),
            _tasks: tasks,
        }
    }

    /// Waits until `condition` gives something, looking again after every change. It first looks when everything was read.
    pub(crate) async fn until<T>(
        &self,
        deadline: Instant,
        mut condition: impl FnMut(&Snapshot) -> Option<T>,
    ) -> Waited<T> {
        let mut version = self.version.clone();
        loop {
            version.borrow_and_update();
            let began = Instant::now();
            if *lock(&self.shared.synced) >= self.queries
                && let Some(value) = condition(&lock(&self.shared.snapshot))
            {
                return Waited::Done(value);
            }
            if let Some(error) = self.lost(PATIENCE) {
                return Waited::Lost(error);
            }
            // Many changes come at once. Looking costs in proportion to what is looked at, so a large profile gathers
            // them for a few times as long as a look takes, and a small one looks at once.
            tokio::time::sleep(began.elapsed() * LOOK_SHARE).await;
            tokio::select! {
                changed = version.changed() => if changed.is_err() { return Waited::TimedOut },
                () = tokio::time::sleep_until(deadline) => {
                    return self.lost(Duration::ZERO).map_or(Waited::TimedOut, Waited::Lost);
                }
                () = self.stop.cancelled() => return Waited::Stopped,
            }
        }
    }

    /// The error of an API server that has not answered for at least this long, or that does not tell what is waited for.
    fn lost(&self, patience: Duration) -> Option<Error> {
        self.silent(patience).or_else(|| self.unreadable())
    }

    /// The error of a query that matters and has failed for as long as an API server may be silent: what is waited for would not be seen.
    fn unreadable(&self) -> Option<Error> {
        let failing = lock(&self.shared.failing);
        let lasting = |failing: &&Failing| failing.matters && failing.since.elapsed() >= PATIENCE;
        let Failing { since, error, .. } = failing.values().find(lasting)?;
        let message = format!("{} (for {} s)", error.message, since.elapsed().as_secs());
        Some(Error::new(
            error.kind.clone(),
            &error.operation,
            &error.resource,
            message,
        ))
    }

    fn silent(&self, patience: Duration) -> Option<Error> {
        let unanswered = lock(&self.shared.unanswered);
        let Unanswered { since, error } = unanswered.as_ref()?;
        let silent = since.elapsed();
        (silent >= patience).then(|| {
            let message = format!("{} (no answer for {} s)", error.message, silent.as_secs());
            Error::new(ErrorKind::Unreachable, &error.operation, &error.resource, message)
        })
    }

    /// Waits until everything was read once. What will never be read, because it may not be, is the error: told now, while
    /// nothing is changed, and not as a wait that runs into its deadline.
    pub(crate) async fn first_look(&self, deadline: Instant) -> Result<(), EngineError> {
        let mut version = self.version.clone();
        while *lock(&self.shared.synced) < self.queries {
            let refused = lock(&self.shared.failing)
                .values()
                .find(|failing| !failing.error.is_transient())
                .map(|failing| failing.error.clone());
            if let Some(error) = refused {
                let Error {
                    operation,
                    resource,
                    message,
                    kind,
                    ..
                } = &*error;
                return Err(Error::new(kind.clone(), operation, resource, message).into());
            }
            if let Some(error) = self.lost(PATIENCE) {
                return Err(error.into());
            }
            tokio::select! {
                _ = version.changed() => {}
                () = tokio::time::sleep_until(deadline) => {
                    return Err(self.lost(Duration::ZERO).map_or_else(|| self.unread(), EngineError::from));
                }
                () = self.stop.cancelled() => return Err(EngineError::Interrupted { left: "nothing was changed".to_owned() }),
            }
        }
        Ok(())
    }

    fn unread(&self) -> EngineError {
        let cause = |why| Cause {
            what: "the cluster".to_owned(),
            why,
            hint: None,
            fatal: false,
        };
        EngineError::TimedOut {
            seconds: 0,
            causes: self.failing().into_iter().map(cause).collect(),
        }
    }

    /// What is known now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        lock(&self.shared.snapshot).clone()
    }

    /// Why what is not current is not.
    pub(crate) fn failing(&self) -> Vec<String> {
        let failing = lock(&self.shared.failing);
        failing.values().map(|failing| failing.error.to_string()).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks for one small object, past every cache, for as long as something waits.
async fn pulse(ctx: Context, shared: Arc<Shared>, version: Arc<watch::Sender<u64>>) {
    let target = ObjectRef::new(ResourceKind::namespace(), "", "kube-system");
    loop {
        tokio::time::sleep(PULSE).await;
        let asked = Instant::now();
        let late = |_| {
            let message = format!(
                "the API server does not answer within {} s; run again when it does",
                ANSWER.as_secs()
            );
            Err(Error::new(ErrorKind::Unreachable, "get", target.to_string(), message))
        };
        let answer = timeout(ANSWER, ctx.cluster.get(&target)).await.unwrap_or_else(late);
        shared.heard(asked, answer.err());
        version.send_modify(|version| *version += 1);
    }
}

impl Shared {
    /// Takes note of what came of asking; a refusal is an answer too.
    fn heard(&self, asked: Instant, error: Option<Error>) {
        let mut unanswered = lock(&self.unanswered);
        let silent = error.filter(|error| matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Internal));
        *unanswered = silent.map(|error| Unanswered {
            since: unanswered.as_ref().map_or(asked, |before| before.since),
            error,
        });
    }
}

/// Whether objects of a kind only say why something is not ready: a run that may not read them goes on without their words.
fn only_explains(kind: &ResourceKind) -> bool {
    *kind == ResourceKind::event() || *kind == ResourceKind::pod()
}

/// Follows one query: lists it, watches from there, and lists again whenever the watch ends.
struct Follower {
    ctx: Context,
    query: ListQuery,
    index: usize,
    shared: Arc<Shared>,
    version: Arc<watch::Sender<u64>>,
}

impl Follower {
    async fn run(self) {
        let mut synced = false;
        loop {
            match observe::list(&self.ctx, self.query.clone(), |object| Some(Kept::of(object))).await {
                Ok((kept, from)) => {
                    self.change(|snapshot| snapshot.replace(&self.query, kept));
                    lock(&self.shared.failing).remove(&self.index);
                    self.sync(&mut synced);
                    let began = Instant::now();
                    match self.follow(from).await {
                        Err(error) if error.kind != ErrorKind::Expired => self.fail(error).await,
                        // One that ended at once would be followed by the next, and each costs a list.
                        _ if began.elapsed() < RETRY => tokio::time::sleep(RETRY).await,
                        _ => {}
                    }
                }
                Err(error) if only_explains(&self.query.resource) => {
                    let is_final = error.kind == ErrorKind::Forbidden;
                    if is_final {
                        self.change(|snapshot| snapshot.unreadable.push(error.to_string()));
                    }
                    // Nothing waits for words alone.
                    self.sync(&mut synced);
                    if is_final {
                        return;
                    }
                    self.fail(error).await;
                }
                Err(error) => self.fail(error).await,
            }
        }
    }

    /// The query has been read once, or never will be.
    fn sync(&self, synced: &mut bool) {
        if !std::mem::replace(synced, true) {
            *lock(&self.shared.synced) += 1;
            self.version.send_modify(|version| *version += 1);
        }
    }

    async fn follow(&self, from: String) -> Result<(), Error> {
        let mut events = self.ctx.cluster.watch(self.query.clone(), from);
        while let Some(event) = events.next().await {
            match event? {
                WatchEvent::Applied(object) => {
                    let kept = Kept::of(object);
                    self.change(|snapshot| snapshot.keep(&self.query.resource, [kept]));
                }
                WatchEvent::Deleted(object) => self.change(|snapshot| {
                    if let Some(of_kind) = snapshot.kinds.get_mut(&self.query.resource.qualified()) {
                        of_kind.remove(&key(&object));
                    }
                }),
                WatchEvent::Bookmark(_) => {}
            }
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        change(Arc::make_mut(&mut lock(&self.shared.snapshot)));
        self.version.send_modify(|version| *version += 1);
    }

    /// Remembers the failure, so that whoever waits can say it, and gives the server a moment.
    async fn fail(&self, error: Error) {
        {
            let mut failing = lock(&self.shared.failing);
            let since = failing
                .get(&self.index)
                .map_or_else(Instant::now, |before| before.since);
            let now = Failing {
                since,
                error: Arc::new(error),
                matters: !only_explains(&self.query.resource),
            };
            failing.insert(self.index, now);
        }
        self.version.send_modify(|version| *version += 1);
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests;
