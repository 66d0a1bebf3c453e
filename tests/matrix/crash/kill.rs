//! Where in a run its process dies: at the n-th call of an operation, before the call's effect or right after it.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::Run;

/// One moment of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kill {
    service: String,
    operation: String,
    /// Which of these calls, from 1.
    nth: u64,
    moment: &'static str,
    /// Whether calls of this operation mean to change something.
    pub mutating: bool,
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = self.operation.replace(' ', "-");
        write!(f, "{}:{operation}#{}/{}", self.service, self.nth, self.moment)
    }
}

impl Kill {
    /// Every kill that the calls of a run without one allow. A read changes nothing: right after it is right before the next call.
    pub fn all(audit: &[Value]) -> Vec<Self> {
        let of_row = |row: &Value| {
            let mutating = row["mutating"] != 0;
            let moments: &[&str] = if mutating { &["before", "after"] } else { &["before"] };
            let text = |field: &str| row[field].as_str().unwrap().to_owned();
            let (service, operation) = (text("service"), text("operation"));
            let calls =
                (1..=row["calls"].as_u64().unwrap()).flat_map(|nth| moments.iter().map(move |moment| (nth, *moment)));
            calls
                .map(|(nth, moment)| Self {
                    service: service.clone(),
                    operation: operation.clone(),
                    nth,
                    moment,
                    mutating,
                })
                .collect::<Vec<_>>()
        };
        audit.iter().flat_map(of_row).collect()
    }

    /// Runs a command until it is killed there. `None` where the run ended well before it came to that call: reads are as many as a
    /// run has to wait.
    pub fn strike(&self, live: &Live, command: &str) -> Option<Run> {
        let rule = |process: u32| {
            json!({"service": self.service, "operation": self.operation, "moment": self.moment, "skip": self.nth - 1, "times": 1,
                "effect": {"kill": process}})
        };
        let run = live.run_under(command, rule);
        live.clear_faults();
        if run.code.is_some() {
            run.succeeds();
            return None;
        }
        Some(run)
    }
}

/// So many as evenly as can be, among them every operation; those that change something first.
pub fn sample(all: &[Kill], most: usize) -> Vec<Kill> {
    if all.len() <= most {
        return all.to_vec();
    }
    let mut chosen = BTreeSet::new();
    for kill in all.iter().filter(|kill| kill.nth == 1) {
        if chosen.len() < most {
            chosen.insert(kill);
        }
    }
    let step = all.len().div_ceil(most - chosen.len() + 1);
    chosen.extend(all.iter().step_by(step));
    chosen.into_iter().take(most).cloned().collect()
}
