//! What is to be looked at: now, and at a later moment of the sandbox's clock.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Which controller looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Work {
    /// Schedules, starts and stops a pod.
    Pod,
    /// Attaches and detaches a volume.
    Attachment,
    /// Binds a claim.
    Claim,
    /// Provisions for a claim.
    Provision,
    /// Keeps a deleted claim while a pod uses it.
    ClaimProtection,
    /// Binds, releases and protects a volume.
    Volume,
    /// Deletes a released volume.
    Reclaim,
    StatefulSet,
    ReplicaSet,
    Deployment,
    /// Makes a Service's load balancer.
    Balancer,
    /// Lists a Service's pods.
    Endpoints,
    Namespace,
    /// Looks at every claim and volume that waits.
    BinderResync,
    /// Forgets old events.
    Events,
}

/// One object for one controller; cluster-scoped objects have no namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) work: Work,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(work: Work, namespace: &str, name: &str) -> Self {
        Self {
            work,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// An item of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Item {
    Key(Key),
    /// The garbage collector's: any object of any kind.
    Collect(Place),
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) resource: std::sync::Arc<str>,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Place {
    /// The namespace as the API takes it.
    pub(crate) fn scope(&self) -> Option<&str> {
        (!self.namespace.is_empty()).then_some(&self.namespace)
    }
}

/// First in, first out; an item waits at most once.
#[derive(Default)]
pub(crate) struct Queue {
    ready: VecDeque<Item>,
    waiting: HashSet<Item>,
    later: BTreeSet<(Timestamp, Item)>,
    failures: HashMap<Item, u32>,
}

impl Queue {
    pub(crate) fn push(&mut self, item: Item) {
        if !self.waiting.contains(&item) {
            self.waiting.insert(item.clone());
            self.ready.push_back(item);
        }
    }

    /// Pushes `item` when the clock shows `moment`.
    pub(crate) fn push_at(&mut self, item: Item, moment: Timestamp) {
        self.later.insert((moment, item));
    }

    /// Pushes `item` again after a failure: after 100 ms, and twice as long each time up to ten seconds.
    pub(crate) fn retry(&mut self, item: Item, now: Timestamp) {
        let failures = self.failures.entry(item.clone()).or_insert(0);
        let delay = Duration::from_millis(100 << (*failures).min(10)).min(Duration::from_secs(10));
        *failures += 1;
        self.push_at(
            item,
            now + SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX),
        );
    }

    /// Forgets the failures of an item that went well.
    pub(crate) fn succeeded(&mut self, item: &Item) {
        if !self.failures.is_empty() {
            self.failures.remove(item);
        }
    }

    /// The next item to look at.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<Item> {
        while self.later.first().is_some_and(|(moment, _)| *moment <= now) {
            if let Some((_, item)) = self.later.pop_first() {
                self.push(item);
            }
        }
        let item = self.ready.pop_front()?;
        self.waiting.remove(&item);
        Some(item)
    }

    /// When the next later item is due.
    pub(crate) fn next_moment(&self) -> Option<Timestamp> {
        self.later.first().map(|(moment, _)| *moment)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> Item {
        Item::Key(Key::new(Work::Pod, "default", name))
    }

    #[test]
    fn an_item_waits_once_and_in_turn() {
        let mut queue = Queue::default();
        let now = Timestamp::UNIX_EPOCH;
        for name in ["a", "b", "a"] {
            queue.push(item(name));
        }
        assert_eq!(
            [queue.pop(now), queue.pop(now), queue.pop(now)],
            [Some(item("a")), Some(item("b")), None]
        );
    }

    #[test]
    fn later_items_come_when_the_clock_gets_there() {
        let mut queue = Queue::default();
        let now = Timestamp::UNIX_EPOCH;
        let then = now + SignedDuration::from_secs(5);
        queue.push_at(item("a"), then);
        assert_eq!(queue.pop(now), None);
        assert_eq!(queue.next_moment(), Some(then));
        assert_eq!(queue.pop(then), Some(item("a")));
    }

    #[test]
    fn failures_wait_longer_each_time() {
        let mut queue = Queue::default();
        let now = Timestamp::UNIX_EPOCH;
        let mut delays = Vec::new();
        for _ in 0..12 {
            queue.retry(item("a"), now);
            let due = queue.next_moment().unwrap();
            delays.push(due.duration_since(now).as_millis());
            assert_eq!(queue.pop(due), Some(item("a")));
        }
        assert_eq!((delays[0], delays[1], delays[11]), (100, 200, 10_000));
        queue.succeeded(&item("a"));
        queue.retry(item("a"), now);
        assert_eq!(queue.next_moment().unwrap().duration_since(now).as_millis(), 100);
    }
}
