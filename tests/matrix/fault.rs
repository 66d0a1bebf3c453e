//! The fault matrix: every call that a command makes, and everything that can go wrong with it. Each case ends in success, or in an
//! error that names the operation, the thing, the cause and what to do next; then the same command, undisturbed, finishes.
//!
//! A life is played once undisturbed, and tells which calls each of its commands makes. Then lives are played in which each command
//! meets one fault, until every call of every command has met every fault.

mod bucket;
mod chance;
mod kinds;
pub(crate) mod life;
mod store;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use serde_json::{Value, json};

use self::kinds::{KINDS, Kind, Struck};
use self::life::{Cloud, Stage, Step};
use crate::plays;
use crate::support::Run;

/// Plays only cases whose name begins so.
const CASE: &str = "MOORLINE_MATRIX_CASE";
/// `all` plays every case instead of a sample.
const HOW_MANY: &str = "MOORLINE_MATRIX";
/// So many lives are played without it, as evenly among all as can be.
const SAMPLE: usize = 10;
/// So many calls of an operation may be struck in a command, one in each case.
const PLACES: u64 = 3;
/// Worlds at once.
const AT_ONCE: usize = 3;

/// One fault of one call of one command.
#[derive(Debug)]
struct Case {
    step: Step,
    call: Struck,
    /// Which of these calls is struck, or is the first that is.
    nth: u64,
    kind: &'static Kind,
}

impl Case {
    fn name(&self, cloud: Cloud) -> String {
        let Struck { service, operation, .. } = &self.call;
        format!(
            "{}-{}/{service}:{operation}#{}/{}",
            self.step.name(),
            cloud.name(),
            self.nth,
            self.kind.name
        )
    }

    /// The fault as the sandbox takes it.
    fn rule(&self) -> Value {
        let mut rule = self.kind.rule(&self.call).unwrap();
        rule["skip"] = (self.nth - 1).into();
        rule
    }
}

/// At most one fault for each command of a life.
type Life = BTreeMap<Step, Case>;

/// The lives in which every call of every command meets every fault.
fn lives(cloud: Cloud) -> Vec<Life> {
    let mut stage = Stage::of(cloud);
    stage.reset();
    let mut cases: BTreeMap<Step, Vec<Case>> = BTreeMap::new();
    for step in cloud.steps() {
        stage.prepare(step);
        stage.live.reset_audit();
        stage.play(step, false).succeeds();
        assert_eq!(stage.wrongs(step), [""; 0], "{step:?} without a fault");
        let of_step = cases.entry(step).or_default();
        for (call, count) in stage.calls() {
            of_step.extend(faults(step, &call, count));
        }
    }
    if let Ok(wanted) = std::env::var(CASE) {
        for cases in cases.values_mut() {
            cases.retain(|case| case.name(cloud).starts_with(&wanted));
        }
    }
    let longest = cases.values().map(Vec::len).max().unwrap_or_default();
    let mut lives: Vec<Life> = (0..longest).map(|_| Life::new()).collect();
    for (step, cases) in cases {
        // A command of few cases meets them evenly among all lives, for a sample of these to have some of each.
        let count = cases.len();
        for (index, case) in cases.into_iter().enumerate() {
            lives[index * longest / count].insert(step, case);
        }
    }
    lives
}

/// What can go wrong with a call that a command makes so often, each at one of the first of them, which each run makes. Another seed
/// strikes others.
fn faults(step: Step, call: &Struck, count: u64) -> impl Iterator<Item = Case> {
    let possible = KINDS.iter().filter(|kind| kind.rule(call).is_some());
    (0..).zip(possible).map(move |(index, kind): (u64, _)| Case {
        step,
        call: call.clone(),
        nth: 1 + (index + step as u64 + plays::seed()) % count.clamp(1, PLACES),
        kind,
    })
}

/// What came of the cases.
#[derive(Debug, Default)]
struct Tally {
    played: usize,
    healed: usize,
    missed: usize,
    wrong: Vec<String>,
}

/// Plays a life; a case that goes wrong ends it.
fn play(stage: &mut Stage, life: &Life, tally: &Mutex<Tally>) {
    stage.live.clear_faults();
    stage.reset();
    for step in stage.cloud.steps() {
        stage.prepare(step);
        let case = life.get(&step);
        let wrong = match case {
            None => {
                let run = stage.play(step, false);
                (run.code != Some(0)).then(|| format!("undisturbed {step:?}: {}{}", run.stdout, run.stderr))
            }
            Some(case) => struck(stage, case, tally),
        };
        let mut wrongs: Vec<String> = wrong.into_iter().collect();
        if wrongs.is_empty() {
            wrongs = stage.wrongs(step);
        }
        if !wrongs.is_empty() {
            let name = case.map_or_else(|| format!("{life:?}"), |case| case.name(stage.cloud));
            let wrong = format!(
                "{}={} {CASE}='{name}': {}",
                plays::SEED,
                plays::seed(),
                wrongs.join("; ")
            );
            // At once, too: all of them take most of an hour.
            plays::say(&wrong);
            tally.lock().unwrap().wrong.push(wrong);
            return;
        }
    }
}

/// Plays a command whose call goes wrong, then undisturbed where it did not succeed. What is wrong about that, if anything.
fn struck(stage: &Stage, case: &Case, tally: &Mutex<Tally>) -> Option<String> {
    stage.live.fault(&case.rule());
    let run = stage.play(case.step, case.kind.hangs());
    stage.back();
    let met = case.kind.lasting || is_spent(&stage.live.admin("GET /_sandbox/faults", &Value::Null));
    stage.live.clear_faults();
    let healed = run.code == Some(0);
    {
        let mut tally = tally.lock().unwrap();
        tally.played += 1;
        tally.healed += usize::from(healed);
        tally.missed += usize::from(!met);
    }
    if healed {
        return None;
    }
    let told = untold(case, &run);
    if let Some(what) = told {
        return Some(format!("{what}: exit {:?}\n{}{}", run.code, run.stdout, run.stderr));
    }
    let again = stage.play(case.step, false);
    let unfinished = again.code != Some(0);
    unfinished.then(|| {
        format!(
            "run again: exit {:?}\n{}{}\nafter\n{}",
            again.code, again.stdout, again.stderr, run.stderr
        )
    })
}

fn is_spent(rules: &Value) -> bool {
    rules.as_array().unwrap().iter().all(|rule| rule["times"] == json!(0))
}

/// What a run that failed leaves unsaid.
fn untold(case: &Case, run: &Run) -> Option<&'static str> {
    let said = format!("{}{}", run.stdout, run.stderr);
    let plain = |text: &str| text.contains("panicked") || text.contains("Error {");
    let next = run.stderr.contains("hint:") || run.errors().iter().all(|error| error.contains("; "));
    match run.code {
        Some(1 | 3 | 6) => {}
        _ => return Some("this is not how a failed run ends"),
    }
    if case.kind.heals {
        return Some("this heals by itself, and the run failed");
    }
    if plain(&said) {
        return Some("it shows its insides");
    }
    // What gc could not do is part of its report.
    let reported = [" failed: ", "failed, for the next run to take up"]
        .iter()
        .any(|words| said.contains(words));
    if run.errors().is_empty() && !reported && run.code != Some(3) {
        return Some("there is no error");
    }
    if !case.call.named_in(&said) {
        return Some("the operation is not named");
    }
    (!next).then_some("it does not say what to do next")
}

/// Every call of every command of a life meets every fault.
#[expect(clippy::print_stdout, reason = "a run says how many cases it tried")]
fn every_fault(cloud: Cloud) {
    let all = lives(cloud);
    let cases: usize = all.iter().map(BTreeMap::len).sum();
    let calls: BTreeSet<&Struck> = all
        .iter()
        .flat_map(|life| life.values().map(|case| &case.call))
        .collect();
    let everything = std::env::var(CASE).is_ok() || std::env::var(HOW_MANY).is_ok_and(|value| value == "all");
    let step = if everything {
        1
    } else {
        all.len().div_ceil(SAMPLE).max(1)
    };
    if everything {
        plays::say(&format!("{}: {cases} cases in {} lives", cloud.name(), all.len()));
    }
    let chosen: Mutex<VecDeque<&Life>> = Mutex::new(all.iter().step_by(step).collect());
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let mut stage = Stage::of(cloud);
                loop {
                    let Some(life) = chosen.lock().unwrap().pop_front() else {
                        return;
                    };
                    play(&mut stage, life, &tally);
                }
            });
        }
    });
    let Tally {
        played,
        healed,
        missed,
        wrong,
    } = tally.into_inner().unwrap();
    println!(
        "{}: {played} of {cases} cases were played on {} operations; {healed} healed, {missed} were not met",
        cloud.name(),
        calls.len()
    );
    assert!(
        wrong.is_empty(),
        "{} cases went wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn every_fault_of_every_call_about_ebs_volumes() {
    every_fault(Cloud::Ebs);
}

#[test]
fn every_fault_of_every_call_about_file_shares() {
    every_fault(Cloud::Files);
}

#[test]
fn every_fault_of_every_call_about_blob_containers() {
    every_fault(Cloud::Blobs);
}

#[test]
fn lives_of_ebs_volumes_in_which_any_call_may_fail() {
    chance::lives(Cloud::Ebs);
}

#[test]
fn lives_of_file_shares_in_which_any_call_may_fail() {
    chance::lives(Cloud::Files);
}

#[test]
fn lives_of_blob_containers_in_which_any_call_may_fail() {
    chance::lives(Cloud::Blobs);
}
