//! A sample of the crash matrix on a real control plane, with moto: every command of a life is killed (`SIGKILL`) at some of its calls, before
//! and after their effect, run after run; the last run, which nobody kills, finishes.

use serde_json::Value;

use crate::between::Moment;
use crate::life::Life;
use crate::own::Turn;
use crate::stage::eventually;
use crate::support::Run;

const NAME: &str = "crashes";

/// Where the runs of each command die. Each run goes on from where the one before it died.
const KILLS: [Moment; 4] = [Moment::After(2), Moment::Before(3), Moment::After(1), Moment::Before(2)];

/// Runs a command that is killed again and again, counts the kills, and runs it to its end.
fn survives(life: &Life, command: &str, killed: &mut usize) -> Run {
    for moment in KILLS {
        life.lease_of_gc_is_over();
        match life.between.kill(life.runs.moorline(command), moment) {
            None => *killed += 1,
            Some(code) => {
                assert_eq!(code, 0, "{command}, to be killed {moment:?}");
                break;
            }
        }
    }
    life.lease_of_gc_is_over();
    life.runs.run(command)
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn every_command_of_a_life_is_killed_at_some_of_its_calls() {
    let mut life = Life::new(NAME, Turn::of(1));
    let mut killed = 0;
    let up = format!("up {} --yes", life.folder);
    let down = format!("down {} --yes", life.folder);
    survives(&life, &up, &mut killed).succeeds();
    life.has(2);
    let scale = format!("scale {} {NAME} --replicas 3 --yes", life.folder);
    survives(&life, &scale, &mut killed).succeeds();
    life.has(3);

    life.loses_its_set();
    let collect = format!("gc --apply --policy {}", life.policy);
    survives(&life, &collect, &mut killed);
    eventually("grace is over", || {
        survives(&life, &collect, &mut killed);
        life.volumes().is_empty()
    });
    life.has(0);

    life.runs.run(&up).succeeds();
    life.has(2);
    let volumes = life.volumes();
    survives(&life, &down, &mut killed).succeeds();
    life.has(0);
    let snapshots = life.sees.account.snapshots(NAME);
    let mut restored = 0;
    for volume in &volumes {
        let of_it: Vec<&Value> = snapshots.iter().filter(|one| one["volume"] == *volume).collect();
        assert_eq!(of_it.len(), 1, "{snapshots:?}");
        let snapshot = of_it[0]["id"].as_str().unwrap();
        survives(&life, &format!("restore {snapshot} {}", life.folder), &mut killed).succeeds();
        restored += 1;
        life.has(restored);
    }
    let up_again = survives(&life, &format!("{up} -o json"), &mut killed).succeeds().json();
    assert_eq!(up_again["status"]["ready"], true, "{up_again:#}");
    life.has(2);
    life.keeps("delete");
    survives(&life, &down, &mut killed).succeeds();
    life.has(0);
    assert!(killed >= 15, "only {killed} runs were killed");
}
