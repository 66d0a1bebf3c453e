//! Garbage collection whose run store fails: it ends in success or in one error that names the call, deletes nothing that it cannot write
//! down, and the next run finishes.

use std::collections::BTreeMap;

use super::bucket::{Accident, Bucket, Rule};
use super::life::{Cloud, Stage, Step};
use super::{CASE, HOW_MANY};
use crate::plays;
use crate::support::Run;

/// So many lives are played without `MOORLINE_MATRIX=all`, evenly from all.
const SAMPLE: usize = 6;

/// A name, whether it strikes every call, whether after its effect, whether the store heals it, and what it is.
type Kind = (&'static str, bool, bool, bool, Accident);

const KINDS: [Kind; 11] = [
    ("500", false, false, true, Accident::Refusal(500, "InternalError")),
    ("503", false, false, true, Accident::Refusal(503, "SlowDown")),
    ("401", false, false, true, Accident::Refusal(400, "ExpiredToken")),
    (
        "409",
        false,
        false,
        false,
        Accident::Refusal(409, "ConditionalRequestConflict"),
    ),
    ("reset-before", false, false, true, Accident::Reset),
    ("reset-after", false, true, true, Accident::Reset),
    ("cut", false, true, true, Accident::Cut),
    ("hang-after", false, true, true, Accident::Hang),
    (
        "500-for-good",
        true,
        false,
        false,
        Accident::Refusal(500, "InternalError"),
    ),
    (
        "403-for-good",
        true,
        false,
        false,
        Accident::Refusal(403, "AccessDenied"),
    ),
    ("reset-for-good", true, false, false, Accident::Reset),
];

/// One fault of one run of the collector.
#[derive(Clone, Debug)]
struct Case {
    name: String,
    heals: bool,
    rule: Rule,
}

/// What can happen to a run that makes these calls: to the first, a middle and the last of each operation.
fn cases(step: &str, calls: &BTreeMap<String, usize>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (operation, calls) in calls {
        let mut places = vec![0, calls / 2, calls - 1];
        places.dedup();
        for (name, lasting, after, heals, accident) in KINDS {
            for skip in places.iter().copied() {
                cases.push(Case {
                    name: format!("store-{step}/s3:{operation}#{}/{name}", skip + 1),
                    heals,
                    rule: Rule {
                        operation: operation.clone(),
                        skip,
                        lasting,
                        after,
                        accident,
                    },
                });
            }
        }
    }
    let wanted = std::env::var(CASE).unwrap_or_default();
    cases.retain(|case| case.name.starts_with(&wanted));
    cases
}

/// A set that is gone, and a bucket.
struct Scene {
    stage: Stage,
    bucket: Bucket,
}

impl Scene {
    fn new() -> Self {
        let bucket = Bucket::serve();
        let stage = Stage::of(Cloud::Ebs);
        let policy = std::fs::read_to_string(stage.live.world.path().join("gc.yaml")).unwrap();
        stage
            .live
            .world
            .write("gc.yaml", &policy.replace("store: runs", "store: s3://runs"));
        Self { stage, bucket }
    }

    /// Calls that nobody answers are given up soon.
    fn gc(&self, hurry: bool) -> Run {
        let policy = self.stage.live.world.path().join("gc.yaml");
        let line = format!("gc --apply --policy {} --timeout 60s", policy.display());
        let mut command = self.stage.live.world.moorline(&line);
        let served = &self.stage.live.served;
        command.envs(served.environment.iter().map(|(name, value)| (name, value)));
        command.env("AWS_ENDPOINT_URL_S3", &self.bucket.url);
        if hurry {
            command.env("MOORLINE_CALL_TIMEOUT", "2s");
        }
        Run::of(&line, &command.output().unwrap())
    }

    /// A life up to the first run, or to the second.
    fn begins(&mut self) {
        self.bucket.reset();
        self.stage.reset();
        self.stage.play(Step::Up, false).succeeds();
        self.stage.prepare(Step::Mark);
    }

    /// Plays a run while the store fails, and again without where it did not succeed. What is wrong about that, if anything.
    fn meets(&self, case: Option<&Case>) -> Option<String> {
        let before = self.stage.live.state()["volumes"].as_array().unwrap().len();
        self.bucket.fails(case.map(|case| case.rule.clone()));
        let run = self.gc(case.is_some_and(|case| case.rule.accident == Accident::Hang));
        self.bucket.fails(None);
        let Some(case) = case else {
            return (run.code != Some(0)).then(|| run.stderr.clone());
        };
        // Also of a run that succeeded, but for giving its lease back.
        if case.rule.lasting || run.code != Some(0) {
            self.bucket.lease_is_over();
        }
        let wrong = |what: &str| Some(format!("{what}: exit {:?}\n{}{}", run.code, run.stdout, run.stderr));
        if run.code == Some(0) {
            return None;
        }
        let said = format!("{}{}", run.stdout, run.stderr);
        if case.heals {
            return wrong("this heals by itself, and the run failed");
        }
        if !matches!(run.code, Some(1 | 3 | 6)) || said.contains("panicked") || said.contains("Error {") {
            return wrong("this is not how a failed run ends");
        }
        if !said.contains(&format!("s3:{}", case.rule.operation)) {
            return wrong("the call is not named");
        }
        let after = self.stage.live.state()["volumes"].as_array().unwrap().len();
        if case.rule.lasting && case.rule.skip == 0 && after != before {
            return wrong("it deleted what it could not write down");
        }
        let again = self.gc(false);
        (again.code != Some(0)).then(|| {
            format!(
                "run again: exit {:?}\n{}{}\nafter\n{}",
                again.code, again.stdout, again.stderr, run.stderr
            )
        })
    }

    /// A life in which the run that marks meets one fault and the run that deletes another.
    fn plays(&mut self, mark: Option<&Case>, sweep: Option<&Case>) {
        self.begins();
        for (case, step) in [(mark, Step::Mark), (sweep, Step::Sweep)] {
            if step == Step::Sweep {
                self.stage.prepare(step);
            }
            let name = case.map_or("undisturbed", |case| &*case.name);
            let wrong = self.meets(case);
            assert_eq!(wrong.as_deref().unwrap_or_default(), "", "{CASE}='{name}'");
            if step == Step::Sweep {
                assert_eq!(self.stage.wrongs(step), [""; 0], "{CASE}='{name}'");
            }
        }
    }
}

#[test]
fn every_fault_of_the_run_store() {
    let mut scene = Scene::new();
    scene.begins();
    scene.bucket.calls();
    assert_eq!(scene.meets(None), None);
    let marks = cases("mark", &scene.bucket.calls());
    scene.stage.prepare(Step::Sweep);
    assert_eq!(scene.meets(None), None);
    let sweeps = cases("sweep", &scene.bucket.calls());
    let lives = marks.len().max(sweeps.len());
    let all = std::env::var(HOW_MANY).is_ok_and(|value| value == "all") || std::env::var(CASE).is_ok();
    let step = if all { 1 } else { lives.div_ceil(SAMPLE).max(1) };
    let mut played = 0;
    for life in (0..lives).step_by(step) {
        let (mark, sweep) = (marks.get(life), sweeps.get(life));
        scene.plays(mark, sweep);
        played += usize::from(mark.is_some()) + usize::from(sweep.is_some());
    }
    let possible = marks.len() + sweeps.len();
    plays::say(&format!("run store: {played} of {possible} cases were played"));
}
