//! Lives in which reads are ten seconds behind what was written: what was just made is not listed yet, and what was deleted still is.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fault::life::{Cloud, Stage};

/// How far reads are behind, in milliseconds.
const BEHIND: u32 = 10_000;
/// How long a step may take to come to its end: a command may have to wait for its own writes several times.
const PATIENCE: Duration = Duration::from_mins(4);

#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Plays a life there.
fn life(cloud: Cloud, late: impl Fn(&mut Value)) {
    let mut stage = Stage::configured(cloud, late);
    eventually("the cluster's beginning is seen", || {
        let namespaces = stage.live.served.get("/api/v1/namespaces");
        namespaces["items"].as_array().unwrap().len() > 3
    });
    for step in cloud.steps() {
        stage.prepare(step);
        let run = stage.play(step, false);
        if run.code != Some(0) {
            assert!(matches!(run.code, Some(1 | 3 | 6)), "{cloud:?} {step:?}: {run:?}");
            eventually("reads are no longer late", || stage.play(step, false).code == Some(0));
        }
        eventually("nothing is wrong", || stage.wrongs(step).is_empty());
    }
}

/// A command that cannot tell says so, and succeeds a moment later. None takes what it does not see for what is not there, makes it
/// twice, or calls gone what is still listed.
#[test]
fn lives_in_which_reads_of_clouds_are_ten_seconds_late() {
    // They wait a minute and work little: all at once.
    std::thread::scope(|scope| {
        for cloud in [Cloud::Ebs, Cloud::Files, Cloud::Blobs] {
            scope.spawn(move || {
                life(cloud, |settings| {
                    for service in ["aws", "azure"] {
                        settings[service]["visibility_lag_millis"] = BEHIND.into();
                    }
                });
            });
        }
    });
}

/// The same of the cluster, as if a cache stood before the API server.
#[test]
fn lives_in_which_reads_of_the_cluster_are_ten_seconds_late() {
    std::thread::scope(|scope| {
        for cloud in [Cloud::Ebs, Cloud::Files, Cloud::Blobs] {
            scope.spawn(move || life(cloud, |settings| settings["api"]["read_lag_millis"] = BEHIND.into()));
        }
    });
}
