//! The audit: how often each operation was called and how it ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::{Call, Journal, JournalError};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded and changed something.
    Changed,
    /// It succeeded and changed nothing: a read, a dry run, an apply without a difference.
    Unchanged,
    /// Refused for its rate.
    Throttled,
    /// Any other error.
    Failed,
}

/// The counts of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Service of the call.
    pub service: String,
    /// Operation of the call.
    pub operation: String,
    /// All calls.
    pub calls: u64,
    /// Calls of a mutating kind, whatever came of them.
    pub mutating: u64,
    /// Calls that changed something.
    pub changed: u64,
    /// Calls refused for their rate.
    pub throttled: u64,
    /// Calls that failed in another way.
    pub failed: u64,
}

/// Counts every call since the last reset, across processes.
#[derive(Debug)]
pub struct Audit {
    rows: Mutex<BTreeMap<String, AuditRow>>,
    journal: Arc<Journal>,
}

impl Audit {
    pub(crate) fn load(journal: Arc<Journal>) -> Result<Self, JournalError> {
        let rows = journal.load("audit")?.into_iter().collect();
        Ok(Self {
            rows: Mutex::new(rows),
            journal,
        })
    }

    /// Counts one call.
    pub fn count(&self, call: &Call, outcome: Outcome) {
        let key = format!("{} {}", call.service, call.operation);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(key.clone()).or_insert_with(|| AuditRow {
            service: call.service.clone().into_owned(),
            operation: call.operation.clone(),
            ..AuditRow::default()
        });
        row.calls += 1;
        row.mutating += u64::from(call.mutating);
        row.changed += u64::from(outcome == Outcome::Changed);
        row.throttled += u64::from(outcome == Outcome::Throttled);
        row.failed += u64::from(outcome == Outcome::Failed);
        if let Err(error) = self.journal.put("audit", &key, row) {
            tracing::error!(%error, "the audit could not be kept");
        }
    }

    /// The counts, by service and operation.
    pub fn rows(&self) -> Vec<AuditRow> {
        self.rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Starts again from zero.
    pub fn clear(&self) -> Result<(), JournalError> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.journal.clear_table("audit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_outlive_the_process() {
        let journal = Arc::new(Journal::in_memory());
        let audit = Audit::load(journal.clone()).unwrap();
        let call = |mutating| Call {
            service: "ec2".into(),
            operation: "CreateVolume".to_owned(),
            mutating,
            dry_run: false,
        };
        audit.count(&call(true), Outcome::Changed);
        audit.count(&call(true), Outcome::Throttled);
        audit.count(&call(true), Outcome::Failed);
        audit.count(&call(false), Outcome::Unchanged);

        let rows = Audit::load(journal.clone()).unwrap().rows();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!(
            (row.calls, row.mutating, row.changed, row.throttled, row.failed),
            (4, 3, 1, 1, 1)
        );
        audit.clear().unwrap();
        assert_eq!(Audit::load(journal).unwrap().rows(), []);
    }
}
