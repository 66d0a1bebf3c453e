//! Faults and latency, set per call, before or after the call's effect.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::{Call, Clock};

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Before the call changes anything.
    Before,
    /// After the change was made, so that only the answer is lost.
    After,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Effect {
    /// Answers with this HTTP status and the service's own error body for `code`.
    Error {
        /// HTTP status.
        status: u16,
        /// Error code (EC2) or reason (Kubernetes).
        code: String,
        /// Message for a person.
        message: String,
        /// `Retry-After` in seconds, where given.
        retry_after: Option<u32>,
    },
    /// Cuts the connection without an answer.
    Reset,
    /// Never answers.
    Hang,
    /// Waits this many milliseconds of real time, then goes on.
    Latency(u64),
    /// Stops the whole process as a SIGKILL would (for crash tests in-process).
    Abort,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The service, or `*`.
    pub service: String,
    /// The operation, or `*`.
    pub operation: String,
    /// Before or after the effect.
    pub moment: Moment,
    /// How many matching calls pass first.
    #[serde(default)]
    pub skip: u64,
    /// How many calls it then strikes; absent means every one.
    #[serde(default)]
    pub times: Option<u64>,
    /// What it does.
    pub effect: Effect,
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Fault>>,
}

impl Faults {
    /// Adds a rule.
    pub fn add(&self, fault: Fault) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Forgets every rule.
    pub fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The effects that strike `call` now, in the order of the rules; each use counts.
    pub fn strike(&self, call: &Call, moment: Moment) -> Vec<Effect> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut effects = Vec::new();
        for rule in rules.iter_mut() {
            let matches = rule.moment == moment
                && (rule.service == "*" || rule.service == call.service)
                && (rule.operation == "*" || rule.operation == call.operation);
            if !matches {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            match &mut rule.times {
                Some(0) => continue,
                Some(times) => *times -= 1,
                None => {}
            }
            effects.push(rule.effect.clone());
        }
        effects
    }

    /// Strikes `call` and performs latency and hang here; what is left for the service to answer comes back.
    pub async fn apply(&self, call: &Call, moment: Moment, _clock: &Clock) -> Option<Effect> {
        for effect in self.strike(call, moment) {
            match effect {
                Effect::Latency(milliseconds) => tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await,
                Effect::Hang => std::future::pending().await,
                Effect::Abort => std::process::abort(),
                Effect::Error { .. } | Effect::Reset => return Some(effect),
            }
        }
        None
    }
}
