//! The first policy, events, and what is never said.

use serde_json::{Value, json};

use super::stage::{AWS, AZURE, Stage};
use crate::secrets::{account_key, files_under, forms, looks_like_a_key};
use crate::support::{Run, World};

#[test]
fn the_first_policy_is_read_back_without_a_warning_and_works() {
    let stage = Stage::left_behind(&AWS);
    let file = stage.world.path().join("moorline-gc.yaml");
    let file = file.display();
    let store = stage.world.path().join("runs");
    stage
        .gc(&format!("init {file} --run-store {}", store.display()))
        .succeeds();
    let gc = |line: &str| stage.world.run(&format!("gc {line} --policy {file} --sandbox"));
    let seen = gc("").succeeds();
    for trouble in ["warning", "error"] {
        assert!(!seen.stderr.contains(trouble), "{}", seen.stderr);
    }
    gc("--apply").succeeds();
    stage.grace_passes();
    gc("--apply").succeeds();
    assert_eq!(stage.remains(), [0; 3]);
    // It is nobody's to overwrite.
    stage.gc(&format!("init {file}")).exits(2);
}

#[test]
fn events_are_lines_of_json_and_the_report_is_the_last() {
    let stage = Stage::left_behind(&AWS);
    stage.gc("--apply --events").succeeds();
    stage.grace_passes();
    let run = stage.gc("--apply --events").succeeds();
    let events: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((of("done"), of("report")), (3, 1), "{}", run.stdout);
    assert!(of("stage") > 2 && of("read") > 10, "{}", run.stdout);
    // For each volume: the claim, the volume, the PersistentVolume, and then its end.
    for done in events.iter().filter(|event| event["event"] == "done") {
        let steps = events.iter().filter(|event| event["event"] == "step");
        let own = steps.filter(|step| step["volume"] == done["volume"]).count();
        assert_eq!(own, 3, "{}", run.stdout);
        assert_eq!(done["outcome"], "gone");
    }
    let last = events.last().unwrap();
    assert_eq!(
        (last["event"].as_str(), &last["report"]["saved"]["count"]),
        (Some("report"), &Value::from(3))
    );
}

#[test]
fn a_listing_that_takes_long_is_told_of_where_there_is_no_terminal() {
    let world = World::instant();
    let slow =
        json!({"service": "ec2", "operation": "DescribeVolumes", "moment": "after", "effect": {"latency": 11_000}});
    world.fault(&slow);
    let run = world.run("gc --sandbox").succeeds();
    let told: Vec<_> = run.stderr.lines().filter(|line| line.contains("still")).collect();
    assert!(
        matches!(told[..], [line] if line.contains("still listing volumes for 1")),
        "{}",
        run.stderr
    );
}

const CLIENT_SECRET: &str = "hush~Client.Secret-0815";

#[test]
fn what_azure_gives_out_is_in_no_line_no_event_and_no_record() {
    let world = World::instant();
    let stage = Stage {
        sandbox: world.serve(),
        world,
    };
    let said = |line: &str| {
        let mut command = stage.world.moorline(line);
        command.envs(stage.sandbox.environment.iter().map(|(name, value)| (name, value)));
        command
            .env("AZURE_CLIENT_SECRET", CLIENT_SECRET)
            .env("RUST_LOG", "trace");
        Run::of(line, &command.output().unwrap())
    };
    let runs = stage.world.path().join("runs");
    let policy = stage.world.path().join("gc.yaml");
    let (store, policy) = (runs.display(), policy.display());
    let mut all = vec![said(&format!("up {}", AZURE.profile)).succeeds()];
    all.push(said(&format!("gc init {policy} --run-store {store}")).succeeds());
    let key = account_key(&stage.world, &stage.sandbox);
    stage.delete_set(&AZURE);
    all.push(said(&format!("gc --apply --policy {policy} -vvv")).succeeds());
    stage.grace_passes();
    let claim = "default/counter-div-counter-div-0";
    for line in [
        format!("gc --policy {policy} -o json"),
        format!("gc --policy {policy} -o wide"),
        format!("explain {claim} --policy {policy} -o yaml"),
        format!("check {} -vvv", AZURE.profile),
        format!("gc --apply --events --policy {policy}"),
        format!("gc history --policy {policy} -o json"),
        "restore --list -o json".to_owned(),
    ] {
        let run = said(&line);
        assert!(matches!(run.code, Some(0 | 3 | 4)), "{run:?}");
        all.push(run);
    }
    assert_eq!(stage.remains(), [0; 3], "all of that was seen by a run that deletes");
    let records = files_under(&runs);
    assert!(records.len() > 3, "{records:?}");
    let records = records
        .iter()
        .map(|file| (file.display().to_string(), std::fs::read_to_string(file).unwrap()));
    let texts = all.iter().flat_map(|run| {
        [("stdout", &run.stdout), ("stderr", &run.stderr)]
            .map(|(name, text)| (format!("{name} of {}", run.line), text.clone()))
    });
    for (place, text) in texts.chain(records) {
        for secret in forms(CLIENT_SECRET).into_iter().chain(forms(&key)) {
            assert!(!text.contains(&secret), "{secret} in {place}");
        }
        assert!(!looks_like_a_key(&text), "an account's key in {place}");
        for token in ["eyJ", "Bearer ", "sig=", "client_assertion"] {
            let found = text.lines().find(|line| line.contains(token));
            assert_eq!(found, None, "{token} in {place}");
        }
    }
}
