//! Lives in which the clouds' clock and the machine's are an hour apart.

use crate::fault::life::{Cloud, Stage};

const HOUR: i64 = 60 * 60;

fn life(cloud: Cloud, ahead: i64) {
    let mut stage = Stage::of(cloud);
    stage.live.advance(ahead);
    stage.reset();
    for step in cloud.steps() {
        stage.prepare(step);
        let run = stage.play(step, false);
        assert_eq!(run.code, Some(0), "{cloud:?} {step:?}, {ahead} s ahead: {run:?}");
        assert_eq!(stage.wrongs(step), [""; 0], "{cloud:?} {step:?}, {ahead} s ahead");
    }
}

/// What time it is, the clouds say.
#[test]
fn lives_in_which_clocks_are_an_hour_apart() {
    std::thread::scope(|scope| {
        for cloud in [Cloud::Ebs, Cloud::Files, Cloud::Blobs] {
            for ahead in [HOUR, -HOUR] {
                scope.spawn(move || life(cloud, ahead));
            }
        }
    });
}
