//! Things that take a while: when each began, remembered across processes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moorline_sandbox_core::{Journal, JournalError};

const TABLE: &str = "controller-waits";

/// When each wait began, by the UID of the object it is about.
pub(crate) struct Waits {
    begun: HashMap<String, HashMap<String, Timestamp>>,
    journal: Arc<Journal>,
}

impl Waits {
    pub(crate) fn load(journal: Arc<Journal>) -> Result<Self, JournalError> {
        Ok(Self {
            begun: journal.load(TABLE)?.into_iter().collect(),
            journal,
        })
    }

    /// When the wait for `what` ends: `None` when it has. The first question begins it.
    pub(crate) fn until(&mut self, uid: &str, what: &str, wait: Duration, now: Timestamp) -> Option<Timestamp> {
        if wait.is_zero() {
            return None;
        }
        let begun = if let Some(&begun) = self.begun.get(uid).and_then(|waits| waits.get(what)) {
            begun
        } else {
            let waits = self.begun.entry(uid.to_owned()).or_default();
            waits.insert(what.to_owned(), now);
            if let Err(error) = self.journal.put(TABLE, uid, waits) {
                tracing::error!(%error, "a wait could not be kept");
            }
            now
        };
        let end = begun + SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        (end > now).then_some(end)
    }

    /// Whether the wait for `what` was begun.
    pub(crate) fn has_begun(&self, uid: &str, what: &str) -> bool {
        self.begun.get(uid).is_some_and(|waits| waits.contains_key(what))
    }

    /// Forgets every wait about an object that is gone.
    pub(crate) fn forget(&mut self, uid: &str) {
        if self.begun.remove(uid).is_some()
            && let Err(error) = self.journal.delete(TABLE, uid)
        {
            tracing::error!(%error, "a wait could not be forgotten");
        }
    }

    /// Forgets the waits about every object that `exists` does not know.
    pub(crate) fn keep(&mut self, exists: impl Fn(&str) -> bool) {
        let gone: Vec<String> = self.begun.keys().filter(|uid| !exists(uid)).cloned().collect();
        for uid in gone {
            self.forget(&uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_goes_on_in_the_next_process() {
        let journal = Arc::new(Journal::in_memory());
        let now = Timestamp::UNIX_EPOCH;
        let end = now + SignedDuration::from_millis(300);
        let wait = Duration::from_millis(300);
        let mut waits = Waits::load(journal.clone()).unwrap();
        assert_eq!(waits.until("uid", "start", wait, now), Some(end));
        let mut waits = Waits::load(journal).unwrap();
        assert_eq!(waits.until("uid", "start", wait, end), None);
        assert!(waits.has_begun("uid", "start"));
        waits.forget("uid");
        assert!(!waits.has_begun("uid", "start"));
    }
}
