//! How much of a matrix is played, which cases, and by how many hands.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// `writes`: every kill at a call that means to change something; `all`: every case; otherwise a sample, always the same.
const EXTENT: &str = "MOORLINE_MATRIX";
/// Plays only the cases whose names begin with this, of all that there are: `up-ebs/ec2:CreateVolume#2/after`.
const CASE: &str = "MOORLINE_MATRIX_CASE";
/// A number from which everything random follows.
pub const SEED: &str = "MOORLINE_MATRIX_SEED";

/// How much is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every case.
    All,
    /// Those of calls that mean to change something, and a sample of what may come after.
    Writes,
    /// Some.
    Sample,
}

/// What the environment asks for.
pub fn extent() -> Extent {
    let asked = std::env::var(EXTENT).unwrap_or_default();
    match asked.as_str() {
        _ if wanted().is_some() => Extent::All,
        "all" => Extent::All,
        "writes" => Extent::Writes,
        "" => Extent::Sample,
        other => panic!("{EXTENT}={other}: it is to be writes or all"),
    }
}

fn wanted() -> Option<String> {
    std::env::var(CASE).ok().filter(|name| !name.is_empty())
}

/// Whether a case whose name begins so may be the one that is asked for.
pub fn may_name(beginning: &str) -> bool {
    wanted().is_none_or(|wanted| wanted.starts_with(beginning))
}

fn is_wanted(name: &str) -> bool {
    wanted().is_none_or(|wanted| name.starts_with(&wanted))
}

/// The seed in force.
pub fn seed() -> u64 {
    std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or(7)
}

/// Randomness of its own for each name, so that a case is the same whatever else is played.
pub fn random(name: &str) -> fastrand::Rng {
    let mixed = name
        .bytes()
        .fold(seed(), |mixed, byte| mixed.wrapping_mul(31).wrapping_add(byte.into()));
    fastrand::Rng::with_seed(mixed)
}

/// Tests take turns at this: of another number of cases at once, on whatever machine, calls would time out that nobody disturbed.
static HANDS: Mutex<()> = Mutex::new(());

/// Plays the cases that are wanted, three at once for each processor, since they wait as much as they work, and fails at the first that
/// fails, by its name. How many were played.
pub fn at_once<T: Sync>(cases: &[T], name: impl Fn(&T) -> String, play: impl Fn(&T) + Sync) -> usize {
    let cases: Vec<(String, &T)> = cases
        .iter()
        .map(|case| (name(case), case))
        .filter(|(name, _)| is_wanted(name))
        .collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let _turn = HANDS.lock().unwrap_or_else(PoisonError::into_inner);
    let hands = 3 * std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..hands {
            scope.spawn(|| {
                while let Some((name, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if catch_unwind(AssertUnwindSafe(|| play(case))).is_err() {
                        next.store(cases.len(), Ordering::Relaxed);
                        failed.lock().unwrap().get_or_insert(name.clone());
                    }
                }
            });
        }
    });
    if let Some(name) = failed.into_inner().unwrap() {
        panic!(
            "this case failed, for the reason above: {SEED}={} {CASE}='{name}' cargo test --test matrix",
            seed()
        );
    }
    cases.len()
}

/// Says a line that is seen without `--nocapture`, too.
pub fn say(line: &str) {
    // That nobody reads it is no failure.
    let _ = writeln!(std::io::stderr(), "{line}");
}
