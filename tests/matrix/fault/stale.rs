//! Lives in clouds whose reads are ten seconds behind what was written: what was just made is not listed yet, and what was deleted still is.

use super::life::{Cloud, Stage};
use crate::support::eventually;

/// How far reads are behind, in milliseconds.
const BEHIND: u32 = 10_000;

/// Plays a life there.
fn life(cloud: Cloud) {
    let mut stage = Stage::configured(cloud, |settings| {
        for service in ["aws", "azure"] {
            settings[service]["visibility_lag_millis"] = BEHIND.into();
        }
    });
    stage.reset();
    for step in cloud.steps() {
        stage.prepare(step);
        let run = stage.play(step, false);
        if run.code != Some(0) {
            assert!(matches!(run.code, Some(1 | 3 | 6)), "{cloud:?} {step:?}: {run:?}");
            eventually("reads are no longer late", || stage.play(step, false).code == Some(0));
        }
        assert_eq!(stage.wrongs(step), [""; 0], "{cloud:?} {step:?}");
    }
}

/// A command that cannot tell says so, and succeeds a moment later. None takes what it does not see for what is not there, makes it
/// twice, or calls gone what is still listed.
#[test]
fn lives_in_which_reads_are_ten_seconds_late() {
    // They wait a minute and work little: all at once.
    std::thread::scope(|scope| {
        for cloud in [Cloud::Ebs, Cloud::Files, Cloud::Blobs] {
            scope.spawn(move || life(cloud));
        }
    });
}
