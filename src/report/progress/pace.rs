//! What calls wait for: the account's rates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moorline_pacing::{Cause, Listener, Wait};

use super::{Mode, Progress};
use crate::report::plain_log::aligned;
use crate::report::{age, inline};

/// Lines about the same calls keep this distance.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Shows waits where the run's progress is shown.
pub(crate) fn listener(progress: &Arc<Progress>) -> Listener {
    let progress = Arc::clone(progress);
    let told = Mutex::new(BTreeMap::<String, Instant>::new());
    Arc::new(move |wait| match progress.mode {
        Mode::Bars => progress.on_the_last_bar(&format!("{}, {}", title(wait.cause), inline(&text(wait)))),
        Mode::Lines => {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let is_new = told
                .get(&wait.calls)
                .is_none_or(|before| now - *before >= BETWEEN_LINES);
            if is_new {
                told.insert(wait.calls.clone(), now);
                progress.say(&aligned(title(wait.cause), &text(wait)));
            }
        }
        Mode::Silent => {}
    })
}

impl Progress {
    /// Says something beside what goes on now.
    fn on_the_last_bar(&self, message: &str) {
        let stages = self.lock();
        if let Some(bar) = stages.bars.values().rev().find(|bar| !bar.is_finished()) {
            bar.set_message(message.to_owned());
        }
    }
}

/// A burst that is spread costs less than being throttled, which it keeps from happening.
fn title(cause: Cause) -> &'static str {
    match cause {
        Cause::Spread => "paced",
        Cause::Rate | Cause::Refused => "throttled",
    }
}

fn text(wait: &Wait) -> String {
    let Wait {
        calls,
        waiting,
        eta,
        per_second,
        cause,
    } = wait;
    let why = match cause {
        Cause::Spread => "a burst, one after the other",
        Cause::Rate => "the account's rate",
        Cause::Refused => "the cloud refused some",
    };
    let eta = age::span(eta.as_secs_f64());
    format!("ETA {eta}: {waiting} waiting for {calls} ({why}, now {per_second:.1} a second)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_names_the_calls_their_number_and_the_end() {
        let mut wait = Wait {
            calls: "CreateVolume in us-east-1".to_owned(),
            waiting: 37,
            eta: Duration::from_millis(7400),
            per_second: 4.975,
            cause: Cause::Rate,
        };
        assert_eq!(
            text(&wait),
            "ETA 8 s: 37 waiting for CreateVolume in us-east-1 (the account's rate, now 5.0 a second)"
        );
        wait.cause = Cause::Refused;
        assert!(text(&wait).contains("the cloud refused some"));
        assert_eq!((title(Cause::Rate), title(Cause::Refused)), ("throttled", "throttled"));
        wait.cause = Cause::Spread;
        assert!(text(&wait).contains("a burst"));
        assert_eq!(title(wait.cause), "paced", "nothing was refused, and nothing is short");
    }
}
