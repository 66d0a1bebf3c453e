//! One account, and more processes than one that spend its budget.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Run, World, profile, set};

const PROCESSES: u32 = 10;
const VOLUMES: u32 = 9;
/// A tenth of the published rate would take too long here, and a larger one would measure the machine.
const BURST: u32 = 30;
const PER_SECOND: u32 = 6;

/// A world of ten profiles, whose account creates volumes at that rate and is quick otherwise.
fn world() -> World {
    let world = World::realistic();
    world.configure(|settings| {
        settings["aws"]["buckets"]["volumes"] = json!({"burst": BURST, "refill_per_second": PER_SECOND});
        settings["aws"]["creation_millis"] = 0.into();
        settings["aws"]["visibility_lag_millis"] = 0.into();
    });
    for number in 0..PROCESSES {
        let name = format!("many-{number}");
        world.write(&format!("{name}/set.yaml"), &set(&name, VOLUMES));
        world.write(&format!("{name}/profile.yaml"), &profile(&name));
    }
    world
}

#[test]
fn ten_processes_at_once_share_the_accounts_rate() {
    let world = world();
    let _served = world.serve();
    world.reset_audit();
    let begun = Instant::now();
    let runs: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let folder = world.path().join(format!("many-{number}"));
            let line = format!("up {} --sandbox --volume-rate {BURST}/{PER_SECOND}", folder.display());
            let mut command = world.moorline(&line);
            command.env("TMPDIR", world.path());
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            (line, child)
        })
        .collect();
    let ended = runs
        .into_iter()
        .map(|(line, child)| Run::of(&line, &child.wait_with_output().unwrap()).succeeds());
    let told: Vec<String> = ended.map(|run| run.stderr).collect();
    let took = begun.elapsed();
    let audit = world.audit();
    let all = PROCESSES * VOLUMES;
    assert_eq!(audit.count("CreateVolume", "changed"), u64::from(all));
    // One in a hundred would be allowed.
    assert_eq!(audit.sum("*", "throttled"), 0, "{}", audit.with("throttled"));
    let floor = Duration::from_secs(u64::from((all - BURST) / PER_SECOND));
    // Ten processes have to start, too, on whatever else the machine does.
    assert!(
        took < floor.mul_f64(1.3) + Duration::from_secs(8),
        "{took:?} of {floor:?}"
    );
    assert!(
        told.iter()
            .any(|told| told.contains("throttled ETA") && told.contains("CreateVolume in us-east-1")),
        "{}",
        told.join("\n")
    );
}
