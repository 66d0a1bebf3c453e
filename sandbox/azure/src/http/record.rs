//! What the audit shall say of a call.

use moorline_sandbox_core::{Audit, Call, Outcome};

use crate::cloud::AzureCloud;

/// Counts a call in the audit exactly once, also when the client goes away in the middle.
pub(super) struct Record<'a> {
    audit: &'a Audit,
    pub(super) call: Call,
    pub(super) outcome: Outcome,
    settled: bool,
}

impl<'a> Record<'a> {
    pub(super) fn new(cloud: &'a AzureCloud, service: &'static str, operation: &str, mutating: bool) -> Self {
        let call = Call {
            service: service.into(),
            operation: operation.to_owned(),
            mutating,
            dry_run: false,
        };
        Self {
            audit: &cloud.world().audit,
            call,
            outcome: Outcome::Failed,
            settled: false,
        }
    }

    pub(super) fn settle(&mut self) {
        if !self.settled {
            self.settled = true;
            self.audit.count(&self.call, self.outcome);
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.settle();
    }
}
