//! Faults and latency, set per call, before or after the call's effect.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::{Call, Clock, Journal, JournalError};

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
    /// Answers with half of a body, and cuts the connection.
    Cut,
    /// Answers with a good status and a body that nobody can read.
    Garbled,
    /// Cuts every connection to this server, and refuses new ones for this many milliseconds of real time.
    Refuse(u64),
    /// Never answers.
    Hang,
    /// Waits this many milliseconds of real time, then goes on.
    Latency(u64),
    /// One of several effects, by chance. The same seed strikes the same calls, counted from the first that the rule matches.
    Chance {
        /// How many of a hundred calls.
        percent: u8,
        /// Where the chance begins; it moves on with every call.
        seed: u64,
        /// The effects, each as likely as the others.
        of: Vec<Effect>,
    },
    /// Stops the whole process as a SIGKILL would (for crash tests in-process).
    Abort,
    /// Sends SIGKILL to the process of this id, which made the call, and never answers (for crash tests of a served sandbox).
    Kill(u32),
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

impl Fault {
    fn matches(&self, call: &Call, moment: Moment) -> bool {
        self.moment == moment
            && (self.service == "*" || self.service == call.service)
            && (self.operation == "*" || self.operation == call.operation)
            && (!call.dry_run || self.effect.is_refusal() || matches!(self.effect, Effect::Kill(_)))
    }
}

impl Effect {
    /// Whether this is a service's lasting "no", which a dry run meets like the call that it rehearses. Throttling, failures
    /// inside and broken connections are accidents of one call: a rule for them waits for the real one.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Error { status: 400..=499, .. }) && !matches!(self, Self::Error { status: 408 | 429, .. })
    }

    /// What strikes this time; `moved` is set where the rule is not what it was before.
    fn drawn(&mut self, moved: &mut bool) -> Option<Self> {
        let Self::Chance { percent, seed, of } = self else {
            return Some(self.clone());
        };
        *moved = true;
        if next(seed) % 100 >= u64::from(*percent) {
            return None;
        }
        let which = usize::try_from(next(seed) >> 1).unwrap_or_default();
        of.get(which % of.len().max(1)).cloned()
    }
}

/// The next number after this seed, which is moved on: splitmix64, which S. Vigna gave to the public domain.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The rules in force. They are kept in the journal with what is left of their counts, so that a
/// process that a rule stopped does not meet the same rule again.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Fault>>,
    journal: Option<Arc<Journal>>,
}

impl Faults {
    pub(crate) fn load(journal: Arc<Journal>) -> Result<Self, JournalError> {
        let rules = journal.get("world", "faults")?.unwrap_or_default();
        Ok(Self {
            rules: Mutex::new(rules),
            journal: Some(journal),
        })
    }

    /// Adds a rule.
    pub fn add(&self, fault: Fault) {
        let mut rules = self.lock();
        rules.push(fault);
        self.keep(&rules);
    }

    /// Forgets every rule.
    pub fn clear(&self) {
        let mut rules = self.lock();
        rules.clear();
        self.keep(&rules);
    }

    /// The rules in force, with the counts that are left of them.
    pub fn rules(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// The effects that strike `call` now, in the order of the rules; each use counts.
    pub fn strike(&self, call: &Call, moment: Moment) -> Vec<Effect> {
        let mut rules = self.lock();
        let mut effects = Vec::new();
        let mut counted = false;
        for rule in rules.iter_mut().filter(|rule| rule.matches(call, moment)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                counted = true;
                continue;
            }
            if rule.times == Some(0) {
                continue;
            }
            let Some(effect) = rule.effect.drawn(&mut counted) else {
                continue;
            };
            if let Some(times) = &mut rule.times {
                *times -= 1;
                counted = true;
            }
            effects.push(effect);
        }
        if counted {
            self.keep(&rules);
        }
        effects
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, rules: &[Fault]) {
        let Some(journal) = &self.journal else { return };
        if let Err(error) = journal.put("world", "faults", &rules) {
            tracing::error!(%error, "the fault rules could not be kept");
        }
    }

    /// Strikes `call` and performs latency and hang here; what is left for the service to answer comes back.
    pub async fn apply(&self, call: &Call, moment: Moment, _clock: &Clock) -> Option<Effect> {
        for effect in self.strike(call, moment) {
            match effect {
                Effect::Latency(milliseconds) => {
                    tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
                }
                Effect::Hang => std::future::pending().await,
                Effect::Abort => std::process::abort(),
                Effect::Kill(process) => {
                    kill(process);
                    std::future::pending::<()>().await;
                }
                // A chance within a chance is none.
                Effect::Chance { .. } => {}
                Effect::Error { .. } | Effect::Reset | Effect::Cut | Effect::Garbled | Effect::Refuse(_) => {
                    return Some(effect);
                }
            }
        }
        None
    }
}

/// Ends a process at once. One that is gone already is as good.
fn kill(process: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let killed = pid.map(|pid| kill_process(pid, Signal::KILL));
    if !matches!(killed, Some(Ok(()))) {
        tracing::warn!(process, "a fault rule names a process that cannot be killed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str) -> Call {
        Call {
            service: "ec2".into(),
            operation: operation.to_owned(),
            mutating: true,
            dry_run: false,
        }
    }

    fn reset(operation: &str, skip: u64, times: Option<u64>) -> Fault {
        Fault {
            service: "ec2".to_owned(),
            operation: operation.to_owned(),
            moment: Moment::After,
            skip,
            times,
            effect: Effect::Reset,
        }
    }

    #[test]
    fn a_rule_skips_then_strikes_as_often_as_it_says() {
        let faults = Faults::default();
        faults.add(reset("CreateVolume", 1, Some(2)));
        let struck = |operation, moment| faults.strike(&call(operation), moment).len();
        assert_eq!(struck("CreateVolume", Moment::Before), 0);
        assert_eq!(struck("DeleteVolume", Moment::After), 0);
        let strikes: Vec<_> = (0..4).map(|_| struck("CreateVolume", Moment::After)).collect();
        assert_eq!(strikes, [0, 1, 1, 0]);
    }

    #[test]
    fn chance_strikes_its_share_and_the_same_calls_each_time() {
        let struck = |percent, seed| {
            let faults = Faults::default();
            let of = vec![Effect::Reset, Effect::Cut];
            faults.add(Fault {
                effect: Effect::Chance { percent, seed, of },
                ..reset("*", 0, None)
            });
            let call = call("CreateVolume");
            let strikes = (0..1000).map(|_| faults.strike(&call, Moment::After));
            strikes.map(|effects| effects.first().cloned()).collect::<Vec<_>>()
        };
        for (percent, least, most) in [(0, 0, 0), (5, 25, 75), (30, 250, 350), (100, 1000, 1000)] {
            let count = struck(percent, 7).into_iter().flatten().count();
            assert!((least..=most).contains(&count), "{percent} %: {count}");
        }
        let half = struck(100, 7)
            .iter()
            .filter(|effect| **effect == Some(Effect::Cut))
            .count();
        assert!((400..600).contains(&half), "{half}");
        assert_eq!(struck(30, 7), struck(30, 7));
        assert_ne!(struck(30, 7), struck(30, 8));
    }

    #[test]
    fn a_dry_run_meets_refusals_but_no_accidents() {
        let error = |status| Effect::Error {
            status,
            code: "X".to_owned(),
            message: String::new(),
            retry_after: None,
        };
        let rehearsal = Call {
            dry_run: true,
            mutating: false,
            ..call("CreateVolume")
        };
        for (effect, strikes) in [
            (error(403), 1),
            (error(409), 1),
            (error(429), 0),
            (error(500), 0),
            (Effect::Reset, 0),
            (Effect::Abort, 0),
            (Effect::Latency(1), 0),
            (Effect::Kill(0), 1),
        ] {
            let faults = Faults::default();
            faults.add(Fault {
                effect: effect.clone(),
                ..reset("*", 0, Some(1))
            });
            assert_eq!(faults.strike(&rehearsal, Moment::After).len(), strikes, "{effect:?}");
            assert_eq!(
                faults.strike(&call("CreateVolume"), Moment::After).len(),
                1 - strikes,
                "{effect:?}"
            );
        }
    }

    #[test]
    fn counts_outlive_the_process() -> Result<(), JournalError> {
        let journal = Arc::new(Journal::in_memory());
        let faults = Faults::load(journal.clone())?;
        faults.add(reset("*", 0, Some(1)));
        assert_eq!(faults.strike(&call("CreateVolume"), Moment::After), [Effect::Reset]);
        assert_eq!(Faults::load(journal)?.strike(&call("CreateVolume"), Moment::After), []);
        Ok(())
    }
}
