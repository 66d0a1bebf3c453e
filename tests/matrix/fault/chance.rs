//! Lives in which any call may go wrong, by chance: what the table of single faults cannot combine.

use serde_json::{Value, json};

use super::life::{Cloud, Stage, Step};
use super::{CASE, HOW_MANY};

/// Of a hundred calls, so many are struck.
const RATES: [u8; 2] = [5, 30];
/// Lives at each rate.
const LIVES: u64 = 1;
/// The same where all is played.
const ALL_LIVES: u64 = 20;
/// A command is given up under faults after so many runs, and has to succeed without.
const RUNS: usize = 4;

/// One life.
struct Chance {
    percent: u8,
    seed: u64,
}

impl Chance {
    fn name(&self, cloud: Cloud) -> String {
        format!("chance-{}/{}%#{}", cloud.name(), self.percent, self.seed)
    }

    /// Half of the faults strike before calls have their effect, and half after.
    fn rules(&self, step: Step) -> [Value; 2] {
        let accident = |status: u16, code: &str| json!({"error": {"status": status, "code": code, "message": "by chance", "retry_after": null}});
        let before = json!([
            "reset", {"refuse": 50}, accident(500, "InternalError"), accident(503, "ServiceUnavailable"), accident(429, "TooManyRequests")
        ]);
        let after = json!(["reset", "cut", "garbled"]);
        let seed = self.seed * 1000 + step as u64 * 10;
        [("before", before, 0), ("after", after, 1)].map(|(moment, of, more)| {
            let chance = json!({"percent": self.percent.div_ceil(2), "seed": seed + more, "of": of});
            json!({"service": "*", "operation": "*", "moment": moment, "effect": {"chance": chance}})
        })
    }

    /// Plays the life; what went wrong, if anything, and how many runs it took.
    fn play(&self, stage: &mut Stage) -> (Option<String>, usize) {
        stage.live.clear_faults();
        stage.reset();
        let mut runs = 0;
        for step in stage.cloud.steps() {
            stage.prepare(step);
            for rule in self.rules(step) {
                stage.live.fault(&rule);
            }
            let mut done = false;
            for _ in 0..RUNS {
                runs += 1;
                done = stage.play(step, false).code == Some(0);
                if done {
                    break;
                }
            }
            stage.back();
            stage.live.clear_faults();
            if !done {
                runs += 1;
                let run = stage.play(step, false);
                if run.code != Some(0) {
                    let told = format!(
                        "{step:?} without faults: exit {:?}\n{}{}",
                        run.code, run.stdout, run.stderr
                    );
                    return (Some(told), runs);
                }
            }
            let wrongs = stage.wrongs(step);
            if !wrongs.is_empty() {
                return (Some(format!("after {step:?}: {}", wrongs.join("; "))), runs);
            }
        }
        (None, runs)
    }
}

/// Lives at every rate, each with a seed of its own.
#[expect(clippy::print_stdout, reason = "a run says how many cases it tried")]
pub fn lives(cloud: Cloud) {
    let lives = if std::env::var(HOW_MANY).is_ok_and(|value| value == "all") {
        ALL_LIVES
    } else {
        LIVES
    };
    let all = RATES.iter().flat_map(|percent| {
        (0..lives).map(|seed| Chance {
            percent: *percent,
            seed,
        })
    });
    let wanted = std::env::var(CASE).unwrap_or_default();
    let chosen: Vec<Chance> = all.filter(|life| life.name(cloud).starts_with(&wanted)).collect();
    if chosen.is_empty() {
        return;
    }
    let mut stage = Stage::of(cloud);
    for life in &chosen {
        let (wrong, runs) = life.play(&mut stage);
        println!("{}: {runs} runs for {} commands", life.name(cloud), cloud.steps().len());
        if let Some(wrong) = wrong {
            panic!("{CASE}='{}': {wrong}", life.name(cloud));
        }
    }
}
