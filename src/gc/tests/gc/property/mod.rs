//! Random worlds, random users, random faults, and an oracle that knows the truth from how the worlds were made: no live or
//! unproven volume is ever deleted, and every provable orphan goes within two runs after grace.
//!
//! `MOORLINE_GC_CASES` sets how many worlds a run of the test makes.

mod oracle;
mod runs;
mod show;
mod truth;
mod users;

use std::num::NonZero;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use runs::Story;
use truth::Op;

/// How many worlds without a word from the environment: enough to find a gross mistake at once.
const CASES: u32 = 4_000;

/// What happens: how many clusters the policy names, whether it includes Retain, and then users and runs in turn.
type Script = (u8, bool, Vec<Op>);

fn scripts() -> impl Strategy<Value = Script> {
    (1_u8..=3, any::<bool>(), vec(any::<Op>(), 1..28))
}

fn play((clusters, include_retain, ops): &Script) -> Result<u32, String> {
    let mut story = Story::new(usize::from(*clusters), *include_retain);
    for op in ops {
        story.step(*op)?;
    }
    story.finish()
}

#[test]
fn no_live_or_unproven_volume_is_deleted_and_every_provable_orphan_goes() {
    let cases = std::env::var("MOORLINE_GC_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(8);
    let share = cases.div_ceil(u32::try_from(threads).unwrap());
    let deleted: u32 = std::thread::scope(|scope| {
        let runners: Vec<_> = (0..threads).map(|_| scope.spawn(|| some(share))).collect();
        runners.into_iter().map(|runner| runner.join().unwrap()).sum()
    });
    println!("{deleted} deletions in {cases} worlds");
    // A test in which nothing is deleted would prove nothing.
    assert!(deleted > cases / 4, "{deleted} deletions in {cases} worlds");
}

fn some(cases: u32) -> u32 {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let deleted = std::cell::Cell::new(0);
    let outcome = TestRunner::new(config).run(&scripts(), |script| {
        let count = play(&script).map_err(TestCaseError::fail)?;
        deleted.set(deleted.get() + count);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    deleted.get()
}
