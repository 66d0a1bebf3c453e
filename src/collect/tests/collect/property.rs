//! Random worlds, users that act at any call of a run, faults at any call, and kills: no volume goes that was live when its evidence was
//! read, and in the end everything that nobody wants is gone.
//!
//! The oracle looks at the truth itself, at the moments that the guarantee names: when the second look began, and when claim and
//! PersistentVolume were read once more directly before the deletion. `MOORLINE_COLLECT_CASES` sets how many worlds there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use moorline_api::{ErrorKind, VolumeState};
use moorline_gc::names::PROTECT;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::fakes::{FakeCloud, FakeCluster, Happening};
use crate::stage::{DAY, Stage, claim, pod, set};

/// How many worlds without a word from the environment.
const CASES: u32 = 200;
const VOLUMES: u32 = 4;

/// One thing that happens: what, to which volume, and during a run at which call.
type Op = (u8, u8, u8);

/// Who acts on the stage.
#[derive(Clone)]
struct Users {
    cloud: FakeCloud,
    prod: FakeCluster,
}

impl Users {
    fn act(&self, what: u8, number: u32) {
        let name = format!("data-db-{number}");
        match what % 9 {
            0 => self.prod.add(set(u32::from(what) % 3)),
            1 => self.prod.remove("StatefulSet", "web", "db"),
            2 if self.prod.has("PersistentVolumeClaim", &name) => self.prod.add(pod(number)),
            3 => self.prod.remove("Pod", "web", &format!("db-{number}")),
            4 if !self.prod.has("Pod", &format!("db-{number}")) => {
                self.prod.remove("PersistentVolumeClaim", "web", &name);
            }
            5 => self.tag(number, "true"),
            6 => self.tag(number, "false"),
            // A set's controller makes the claim anew under its name.
            7 if self.prod.has("StatefulSet", "db") && !self.prod.has("PersistentVolumeClaim", &name) => {
                let mut anew = claim(number);
                anew["metadata"]["uid"] = serde_json::json!(format!("anew-{number}"));
                anew["spec"] = serde_json::json!({});
                anew["status"] = serde_json::json!({"phase": "Pending"});
                self.prod.add(anew);
            }
            8 => self.attach(number, what >= 128),
            _ => {}
        }
    }

    fn tag(&self, number: u32, value: &str) {
        self.cloud.with(|state| {
            if let Some(volume) = state.volumes.get_mut(&crate::stage::volume(number).id) {
                volume.tags.insert(PROTECT.to_owned(), value.to_owned());
            }
        });
    }

    fn attach(&self, number: u32, on: bool) {
        self.cloud.with(|state| {
            if let Some(volume) = state.volumes.get_mut(&crate::stage::volume(number).id) {
                volume.state = if on { VolumeState::InUse } else { VolumeState::Available };
            }
        });
    }

    /// Whether somebody wants the volume.
    fn is_live(&self, number: u32) -> bool {
        let wanted = self.prod.with(|state| {
            let claim = state.get("PersistentVolumeClaim", "web", &format!("data-db-{number}"));
            let bound = claim.is_some_and(|claim| claim.uid() == Some(&crate::stage::claim_uid(number)));
            let pod = state.get("Pod", "web", &format!("db-{number}")).is_some();
            bound && (pod || state.get("StatefulSet", "web", "db").is_some())
        });
        let kept = self.cloud.with(|state| {
            let volume = state.volumes.get(&crate::stage::volume(number).id);
            volume.is_some_and(|volume| {
                volume.state == VolumeState::InUse || volume.tags.get(PROTECT).is_some_and(|value| value == "true")
            })
        });
        wanted || kept
    }

    /// Whether there is a claim of its name, so that the volume may not go now.
    fn has_claim(&self, number: u32) -> bool {
        self.prod.has("PersistentVolumeClaim", &format!("data-db-{number}"))
    }

    fn calm_down(&self) {
        self.prod.remove("StatefulSet", "web", "db");
        for number in 0..VOLUMES {
            self.prod.remove("Pod", "web", &format!("db-{number}"));
            self.tag(number, "false");
            self.attach(number, false);
            // What was made anew for a set that is gone again has no volume.
            let anew = self.prod.with(|state| {
                let claim = state.get("PersistentVolumeClaim", "web", &format!("data-db-{number}"));
                claim.is_some_and(|claim| claim.uid() != Some(&crate::stage::claim_uid(number)))
            });
            if anew {
                self.prod
                    .remove("PersistentVolumeClaim", "web", &format!("data-db-{number}"));
            }
        }
    }
}

/// What the oracle saw.
#[derive(Default)]
struct Seen {
    live_at_look: BTreeSet<u32>,
    claimed_at_glance: BTreeMap<u32, bool>,
    wrongs: Vec<String>,
}

fn watch(stage: &Stage, users: &Users) -> Arc<Mutex<Seen>> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (noted, users) = (Arc::clone(&seen), users.clone());
    stage.script.watch(move |call| {
        let mut seen = noted.lock().unwrap();
        if call.starts_with("read volumes") {
            seen.live_at_look = (0..VOLUMES).filter(|number| users.is_live(*number)).collect();
            // A claim that was read when a run of before was taken up, and has gone since, is none directly before the deletion.
            seen.claimed_at_glance.clear();
        }
        let number = |rest: &str| {
            rest.split(' ')
                .next()
                .and_then(|id| id.rsplit('-').next()?.parse::<u32>().ok())
        };
        if let Some(number) = call.strip_prefix("get persistentvolumeclaims ").and_then(number) {
            let claimed = users.has_claim(number);
            seen.claimed_at_glance.insert(number, claimed);
        }
        if let Some(number) = call.strip_prefix("!delete vol-").and_then(number) {
            if seen.live_at_look.contains(&number) {
                seen.wrongs
                    .push(format!("volume {number} was live when it was looked at"));
            }
            if seen.claimed_at_glance.get(&number) == Some(&true) {
                seen.wrongs.push(format!("volume {number} had a claim directly before"));
            }
        }
    });
    seen
}

async fn play(ops: &[Op]) -> Result<u32, String> {
    let mut stage = Stage::left_behind(VOLUMES);
    stage.settings.deletion_timeout = std::time::Duration::from_millis(15);
    let users = Users {
        cloud: stage.cloud.clone(),
        prod: stage.prod.clone(),
    };
    let seen = watch(&stage, &users);
    for (what, number, call) in ops {
        let number = u32::from(*number) % VOLUMES;
        match what % 8 {
            0 => stage.cloud.passes(SignedDuration::from_hours(i64::from(*call) / 8)),
            // A run, with something that happens at one of its calls.
            1..=4 => run(&stage, &users, (*what, number, *call)).await,
            _ => users.act(what / 8, number),
        }
        let wrongs = std::mem::take(&mut seen.lock().unwrap().wrongs);
        if !wrongs.is_empty() {
            return Err(wrongs.join("; "));
        }
    }
    users.calm_down();
    for _ in 0..3 {
        stage.apply().await;
        stage.cloud.passes(DAY);
    }
    let left: Vec<u32> = (0..VOLUMES)
        .filter(|number| stage.cloud.has(&format!("vol-{number}")))
        .collect();
    if !left.is_empty() {
        let report = stage.dry_run().await;
        return Err(format!("nobody wants {left:?}, and they stay: {:#?}", report.plan));
    }
    let deleted = stage.cloud.with(|state| state.deletions.len());
    u32::try_from(deleted).map_err(|error| error.to_string())
}

async fn run(stage: &Stage, users: &Users, (what, number, call): Op3) {
    let happening = match what % 5 {
        0 => Happening::Fail(ErrorKind::Unreachable),
        1 => Happening::FailAfter(ErrorKind::Internal),
        2 => Happening::Kill,
        _ => {
            let users = users.clone();
            Happening::Do(Box::new(move || users.act(what / 8, number)))
        }
    };
    stage.script.at_call(usize::from(call), happening);
    let collector = stage.collector();
    let _ = stage.script.until_killed(collector.apply()).await;
    stage.script.forget();
    if let Some(lease) = stage.store.text("gc/lease.json") {
        stage.store.put(
            "gc/lease.json",
            &lease.replace("\"released\": false", "\"released\": true"),
        );
    }
}

/// What, to which volume, at which call.
type Op3 = (u8, u32, u8);

#[test]
fn users_and_faults_at_any_call_cost_no_live_volume_and_keep_no_dead_one() {
    let cases = std::env::var("MOORLINE_COLLECT_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let deleted = std::cell::Cell::new(0);
    let outcome = TestRunner::new(config).run(&vec(any::<Op>(), 1..14), |ops| {
        let count = runtime.block_on(play(&ops)).map_err(TestCaseError::fail)?;
        deleted.set(deleted.get() + count);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    println!("{} deletions in {cases} worlds", deleted.get());
    assert!(deleted.get() > cases, "{} deletions in {cases} worlds", deleted.get());
}
