//! A cloud, clusters and a run store in memory, which fail, lag and are used by others at any call that a test names.

pub(crate) mod cloud;
pub(crate) mod cluster;
mod leftovers;
pub(crate) mod store;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline_api::{Error, ErrorKind};

pub(crate) use cloud::FakeCloud;
pub(crate) use cluster::FakeCluster;
pub(crate) use store::MemoryStore;

type Deed = Box<dyn FnOnce() + Send>;

/// What happens at a call.
pub(crate) enum Happening {
    /// The call fails with this kind, and has no effect.
    Fail(ErrorKind),
    /// The call has its effect, and then fails with this kind.
    FailAfter(ErrorKind),
    /// Somebody does something just before it.
    Do(Deed),
    /// The call takes so long.
    Slow(Duration),
    /// The process is killed before it: the call never comes back.
    Kill,
    /// The process is killed when the call has had its effect, before its answer.
    KillAfter,
}

/// Whoever watches the calls of a test: everything is written down here, and whatever is to happen at one of them.
#[derive(Clone, Default)]
pub(crate) struct Script {
    inner: Arc<Mutex<Inner>>,
    killed: Arc<tokio::sync::Notify>,
}

type Watcher = Box<dyn FnMut(&str) + Send>;

#[derive(Default)]
struct Inner {
    calls: Vec<String>,
    /// How many calls there were in all.
    count: usize,
    watcher: Option<Watcher>,
    rules: VecDeque<(Rule, Happening)>,
    /// Fails every call that begins with this, for good.
    broken: Vec<(String, ErrorKind)>,
}

enum Rule {
    /// The call that begins with this text.
    Named(String),
    /// The call of this number, among those that change something.
    Mutation(usize),
    /// The call of this number, counted from when the rule was made.
    Call(usize),
}

/// How a call goes on.
pub(crate) struct Fate {
    script: Script,
    fail_after: Option<ErrorKind>,
    kill_after: bool,
}

impl Script {
    /// At the next call that begins with this text.
    pub(crate) fn at(&self, call: &str, happening: Happening) {
        let rule = Rule::Named(call.to_owned());
        self.inner.lock().unwrap().rules.push_back((rule, happening));
    }

    /// At the call of this number among those that change something, the first being 0.
    pub(crate) fn at_mutation(&self, number: usize, happening: Happening) {
        let rule = Rule::Mutation(number);
        self.inner.lock().unwrap().rules.push_back((rule, happening));
    }

    /// At some call from now on, whatever it is.
    pub(crate) fn at_call(&self, number: usize, happening: Happening) {
        let mut inner = self.inner.lock().unwrap();
        let rule = Rule::Call(inner.count + number);
        inner.rules.push_back((rule, happening));
    }

    /// Tells of every call before it has an effect.
    pub(crate) fn watch(&self, watcher: impl FnMut(&str) + Send + 'static) {
        self.inner.lock().unwrap().watcher = Some(Box::new(watcher));
    }

    pub(crate) fn break_for_good(&self, call: &str, kind: ErrorKind) {
        self.inner.lock().unwrap().broken.push((call.to_owned(), kind));
    }

    /// What was called since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.lock().unwrap().calls)
    }

    pub(crate) fn forget(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.calls.clear();
        inner.rules.clear();
        inner.broken.clear();
    }

    /// To be asked at the beginning of each call. Calls that change something begin with `!`.
    pub(crate) async fn begins(&self, call: &str) -> Result<Fate, Error> {
        let happening = {
            let mut inner = self.inner.lock().unwrap();
            inner.calls.push(call.to_owned());
            inner.count += 1;
            let count = inner.count;
            let mutations = inner.calls.iter().filter(|call| call.starts_with('!')).count();
            if let Some(watcher) = &mut inner.watcher {
                watcher(call);
            }
            let broken = inner.broken.iter().find(|(text, _)| call.starts_with(text.as_str()));
            if let Some((_, kind)) = broken {
                return Err(failure(call, kind.clone()));
            }
            let hit = inner.rules.iter().position(|(rule, _)| match rule {
                Rule::Named(text) => call.starts_with(text.as_str()),
                Rule::Mutation(number) => call.starts_with('!') && mutations == number + 1,
                Rule::Call(number) => count > *number,
            });
            hit.and_then(|index| inner.rules.remove(index))
        };
        let mut fate = Fate {
            fail_after: None,
            kill_after: false,
            script: self.clone(),
        };
        match happening {
            None => {}
            Some((_, Happening::Fail(kind))) => return Err(failure(call, kind)),
            Some((_, Happening::FailAfter(kind))) => fate.fail_after = Some(kind),
            Some((_, Happening::Do(deed))) => deed(),
            Some((_, Happening::Slow(time))) => Box::pin(tokio::time::sleep(time)).await,
            Some((_, Happening::Kill)) => self.dead().await,
            Some((_, Happening::KillAfter)) => fate.kill_after = true,
        }
        Ok(fate)
    }

    /// Where a process that was killed waits for ever.
    async fn dead(&self) {
        self.killed.notify_one();
        std::future::pending::<()>().await;
    }

    /// Runs something until it ends, or is killed: then `None`.
    pub(crate) async fn until_killed<T>(&self, run: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            outcome = run => Some(outcome),
            () = self.killed.notified() => None,
        }
    }
}

impl Fate {
    /// To be asked when the call has had its effect.
    pub(crate) async fn ends(self, call: &str) -> Result<(), Error> {
        if self.kill_after {
            self.script.dead().await;
        }
        self.fail_after.map_or(Ok(()), |kind| Err(failure(call, kind)))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

pub(crate) fn failure(call: &str, kind: ErrorKind) -> Error {
    Error::new(kind, call.trim_start_matches('!'), "", "as the test wants it")
}
