//! Run stores of others: `gc` keeps its lease, journal and history in a bucket of moto and in a container of Azurite. Cloud and cluster
//! are the sandbox's, whose clock can be moved.

use std::process::{Child, Stdio};

use moorline_parts::AZURITE_KEY;
use serde_json::{Value, json};

use crate::azure::Azurite;
use crate::clouds::{Account, Cloud, Place as _};
use crate::sandbox_stage::{AWS, Stage, ended};
use crate::stage::parts;
use crate::support::{Run, eventually};

/// Must not be found in anything that is printed or kept.
const SECRET: &str = "Hush/NotAWord0fThisMayBeKept+Anywhere000";

type Environment = Vec<(String, String)>;

/// `gc` with a policy whose store is somewhere else.
struct Remote {
    stage: Stage,
    environment: Environment,
    policy: String,
}

impl Remote {
    fn new(store: &str, environment: Environment) -> Self {
        let stage = Stage::left_behind(&AWS);
        let text = format!(
            "scopes:\n  - aws: {{regions: [us-east-1]}}\nclusters:\n  - context: moorline-sandbox\n\
             lock: {{span: 4s, margin: 1s}}\nstore: {store}\n"
        );
        let policy = stage.world.write("gc/policy.yaml", &text).join("policy.yaml");
        Self {
            stage,
            environment,
            policy: policy.display().to_string(),
        }
    }

    fn command(&self, line: &str) -> std::process::Command {
        let line = format!("gc {line} --policy {} --sandbox", self.policy);
        let mut command = self.stage.world.moorline(&line);
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Runs `gc` to its end; whatever that is, it tells no secret.
    fn gc(&self, line: &str) -> Run {
        let run = Run::of(line, &self.command(line).output().unwrap());
        for secret in [SECRET, AZURITE_KEY] {
            assert!(!format!("{run:?}").contains(secret), "{run:?}");
        }
        run
    }

    /// A `gc --apply` that hangs in its first deletion.
    fn hanging(&self) -> Child {
        self.stage.world.fault(
            &json!({"service": "ec2", "operation": "DeleteVolume", "moment": "before", "times": 1, "effect": "hang"}),
        );
        let mut command = self.command("--apply");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("the first deletion is asked for", || {
            let rules = self.stage.world.run("sandbox fault list -o json").succeeds().json();
            rules[0]["times"] == 0
        });
        child
    }
}

/// One run marks, the next is killed in its first deletion, the third names it while its lease lasts and then finishes what it began;
/// the history tells all of it.
fn a_killed_run_is_finished(remote: &Remote) {
    let marked = remote.gc("--apply -o json").succeeds().json();
    assert_eq!(marked["marksWritten"], 3, "{marked}");
    remote.stage.grace_passes();

    let mut first = remote.hanging();
    let refused = remote.gc("--apply").exits(5);
    let holder = format!("process {}", first.id());
    assert!(refused.stderr.contains(&holder), "{}", refused.stderr);
    first.kill().unwrap();
    first.wait().unwrap();

    let mut report = Value::Null;
    eventually("the lease is over", || {
        let run = remote.gc("--apply -o json");
        let over = run.code != Some(5);
        if over {
            report = run.succeeds().json();
        }
        over
    });
    let gone = ended(&report, "gone");
    // The others may have gone before the kill.
    assert!(gone.iter().any(|done| !done["resumed"].is_null()), "{report}");
    assert_eq!(remote.stage.remains(), [0; 3]);

    let runs = remote.gc("history -o json").succeeds().json();
    let runs = runs.as_array().unwrap();
    let saved = runs.iter().map(|run| run["saved"]["count"].as_u64().unwrap());
    assert_eq!((runs.len(), saved.sum()), (3, 3), "{runs:?}");
    let told = remote.gc("history").succeeds();
    assert!(told.stdout.contains("killed, or under way"), "{}", told.stdout);
    let run = report["run"].as_str().unwrap();
    let lines = remote.gc(&format!("history {run}")).succeeds();
    let volume = gone[0]["volume"].as_str().unwrap();
    assert!(lines.stdout.contains(volume), "{}", lines.stdout);
}

/// Everything that was kept: below the prefix, and without a secret.
#[track_caller]
fn nothing_secret_is_kept(objects: &[Value], prefix: &str) {
    assert!(objects.len() > 5, "a lease, three runs and their lines: {objects:#?}");
    for object in objects {
        assert!(object["key"].as_str().unwrap().starts_with(prefix), "{object}");
        let text = object.to_string();
        assert!(!text.contains(SECRET) && !text.contains(AZURITE_KEY), "{object}");
    }
}

/// A bucket that is not there is no empty one: nothing is begun without a place to write it down.
#[track_caller]
fn a_missing_place_ends_a_run_before_it_begins(remote: &Remote, place: &str) {
    remote.stage.world.reset_audit();
    let run = remote.gc(&format!("--apply --run-store {place}")).exits(1);
    assert!(run.stderr.contains(place), "{}", run.stderr);
    let audit = remote.stage.world.audit();
    assert_eq!(audit.sum("*", "changed"), 0, "{}", audit.with("changed"));
}

fn moto() -> (Account, Environment) {
    let parts = parts();
    let account = Account::at(&Cloud::Moto.url(&parts), &parts);
    let mut environment = account.environment().to_vec();
    environment.retain(|(name, _)| name != "AWS_SECRET_ACCESS_KEY");
    environment.push(("AWS_SECRET_ACCESS_KEY".to_owned(), SECRET.to_owned()));
    (account, environment)
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn a_bucket_keeps_lease_journal_and_history() {
    let (account, environment) = moto();
    let bucket = format!("runs-{}", std::process::id());
    account.make_bucket(&bucket);
    let remote = Remote::new(&format!("s3://{bucket}/team/gc"), environment);
    a_missing_place_ends_a_run_before_it_begins(&remote, &format!("s3://{bucket}-missing/team"));
    a_killed_run_is_finished(&remote);
    nothing_secret_is_kept(&account.objects(&bucket), "team/gc/");
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn a_container_keeps_lease_journal_and_history() {
    let azurite = Azurite::shared(&parts());
    let container = format!("runs-{}", std::process::id());
    azurite.make(&container);
    let place = |container: &str| format!("azblob://devstoreaccount1/{container}/team/gc");
    let remote = Remote::new(&place(&container), azurite.environment().to_vec());
    a_missing_place_ends_a_run_before_it_begins(&remote, &place(&format!("{container}-missing")));
    a_killed_run_is_finished(&remote);
    nothing_secret_is_kept(&azurite.objects(&container), "team/gc/");
    azurite.delete(&container);
}
