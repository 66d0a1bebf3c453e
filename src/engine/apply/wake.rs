//! Claims that the binder has overlooked. It learns of PersistentVolumes and of claims by two watches, and looks at a waiting
//! claim when the claim changes: a touch that it hears of before the PersistentVolume is lost, and its next look is at its
//! resync, up to 15 s later. So a claim that is not Bound soon after its touch is touched again.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use moorline_api::{ObjectRef, ResourceKind};
use serde_json::json;
use tokio::time::Instant;

use super::Run;
use crate::fold::Key;
use crate::names;
use crate::tracker::Snapshot;

/// How long each touch is given to have its effect; after the last one the binder's own resync is as good.
const PATIENCE: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Between two looks at what is overdue.
const LOOK: Duration = Duration::from_millis(50);

/// Claims that this run touched and that are not known to be Bound.
#[derive(Debug, Default)]
pub(crate) struct Touched(Mutex<BTreeMap<Key, Touch>>);

#[derive(Debug)]
struct Touch {
    uid: String,
    times: usize,
    last: Instant,
}

impl Touched {
    pub(super) fn note(&self, key: Key, uid: &str) {
        let touch = Touch {
            uid: uid.to_owned(),
            times: 0,
            last: Instant::now(),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, touch);
    }

    /// Takes out what is Bound, and gives what is overdue, with its UID; each counts as touched again.
    fn overdue(&self, snapshot: &Snapshot) -> Vec<(Key, String)> {
        let mut touched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        touched.retain(|(namespace, name), touch| {
            let live = snapshot.get(&ResourceKind::claim(), namespace, name);
            let pending = live.is_none_or(|live| live.str_at(&["status", "phase"]) != Some("Bound"));
            pending && touch.times < PATIENCE.len()
        });
        let mut overdue = Vec::new();
        for (key, touch) in touched.iter_mut() {
            if touch.last.elapsed() >= PATIENCE[touch.times] {
                touch.times += 1;
                touch.last = Instant::now();
                overdue.push((key.clone(), touch.uid.clone()));
            }
        }
        overdue
    }
}

impl Run<'_> {
    /// Touches claims that stay unbound, for as long as someone waits for them.
    pub(crate) async fn wake(&self) -> Infallible {
        loop {
            tokio::time::sleep(LOOK).await;
            let overdue = self.tally.touched.overdue(&self.tracker.snapshot());
            if self.gate().is_ok() {
                join_all(overdue.into_iter().map(|(key, uid)| self.touch_again(key, uid))).await;
            }
        }
    }

    async fn touch_again(&self, (namespace, name): Key, uid: String) {
        let now = (self.ctx.now)().to_string();
        let patch = json!({"metadata": {"uid": uid, "annotations": { names::RESUMED: now }}});
        let target = ObjectRef::new(ResourceKind::claim(), &namespace, &name);
        if let Err(error) = self.ctx.cluster.merge(&target, &patch).await {
            // The wait itself tells what does not get bound, and why.
            tracing::debug!("{target} was not touched again: {error}");
        }
    }
}
