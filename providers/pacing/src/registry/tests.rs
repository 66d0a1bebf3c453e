use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant as RealInstant;

use tokio::time::Instant;

use super::*;
use crate::state::open;
use crate::waits::{Cause, Wait};

const BUDGET: Budget = Budget {
    burst: 30,
    per_second: 20,
};

/// Two that have the folder in common, as two processes do.
fn two() -> (tempfile::TempDir, Registry, Registry) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("rates");
    let registry = || Registry::shared(&folder).unwrap();
    let (one, other) = (registry(), registry());
    (home, one, other)
}

fn only_file(home: &tempfile::TempDir) -> PathBuf {
    let mut files = fs::read_dir(home.path().join("rates")).unwrap();
    files.next().unwrap().unwrap().path()
}

#[tokio::test]
async fn clients_and_processes_of_an_account_have_one_budget_and_take_turns() {
    let (home, one, other) = two();
    let of = |registry: &Registry| registry.bucket("account 1", "CreateVolume", BUDGET);
    assert!(Arc::ptr_eq(&of(&one), &of(&one)));
    assert!(!Arc::ptr_eq(
        &of(&one),
        &one.bucket("account 2", "CreateVolume", BUDGET)
    ));
    let (one, other) = (of(&one), of(&other));
    let start = Instant::now();
    // Ten are in the bucket, and twenty come in a second.
    let calls = |bucket: Arc<Bucket>| async move {
        for _ in 0..15 {
            bucket.acquire().await;
        }
        start.elapsed()
    };
    let (first, second) = tokio::join!(calls(one), calls(other));
    let took = first.max(second);
    assert!(
        took > Duration::from_millis(900) && took < Duration::from_secs(2),
        "{took:?}"
    );
    let apart = first.abs_diff(second);
    assert!(apart < Duration::from_millis(250), "{first:?} and {second:?}");
    assert_eq!(
        fs::metadata(only_file(&home)).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn what_the_cloud_throttles_in_one_process_holds_back_the_others() {
    let (_home, one, other) = two();
    let of = |registry: &Registry| registry.bucket("account 1", "CreateVolume", BUDGET);
    let (one, other) = (of(&one), of(&other));
    let call = one.acquire().await;
    one.throttled(call, Duration::from_millis(300)).await;
    let start = Instant::now();
    other.acquire().await;
    assert!(start.elapsed() > Duration::from_millis(300), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_process_that_holds_the_lock_or_left_nonsense_holds_nobody_up() {
    let (home, one, _) = two();
    let bucket = one.bucket("account 1", "CreateVolume", BUDGET);
    bucket.acquire().await;
    let file = only_file(&home);
    let stopped = open(&file).unwrap();
    stopped.lock().unwrap();
    let start = Instant::now();
    bucket.acquire().await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    drop(stopped);
    for nonsense in [&b"moor"[..], b"moorrate", &[0xff; 200]] {
        fs::write(&file, nonsense).unwrap();
        let start = Instant::now();
        bucket.acquire().await;
        // As if it were empty, and the first comes in a twentieth of a second.
        let took = start.elapsed();
        assert!(
            took > Duration::from_millis(40) && took < Duration::from_secs(1),
            "{took:?}"
        );
        assert!(fs::metadata(&file).unwrap().len() < 200);
    }
}

#[test]
fn a_folder_that_others_could_write_to_is_not_used() {
    let home = tempfile::tempdir().unwrap();
    let open = home.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(Registry::shared(&open).unwrap_err().contains("0700"));
    let link = home.path().join("link");
    let own = home.path().join("own");
    Registry::shared(&own).unwrap();
    std::os::unix::fs::symlink(&own, &link).unwrap();
    assert!(Registry::shared(&link).is_err());
    assert!(Registry::shared(&home.path().join("no/such/place")).is_err());
}

#[test]
fn files_that_nobody_uses_any_more_go() {
    let (home, _, _) = two();
    let file = |name: &str| home.path().join("rates").join(name);
    for (name, age) in [("old", Duration::from_hours(25)), ("new", Duration::from_hours(1))] {
        let made = fs::File::create(file(name)).unwrap();
        made.set_modified(SystemTime::now() - age).unwrap();
    }
    Registry::shared(&home.path().join("rates")).unwrap();
    assert!(!file("old").exists() && file("new").exists());
}

#[tokio::test]
async fn a_turn_costs_no_more_than_some_microseconds() {
    let (_home, one, _other) = two();
    let budget = Budget {
        burst: 100_000_000,
        per_second: 10_000_000,
    };
    let bucket = one.bucket("account 1", "CreateVolume", budget);
    let start = RealInstant::now();
    for _ in 0..2000 {
        bucket.acquire().await;
    }
    let each = start.elapsed() / 2000;
    // It is some microseconds where nothing else runs. The machine may be busy with other tests.
    assert!(each < Duration::from_micros(200), "{each:?}");
}

#[tokio::test]
async fn windows_are_shared_too() {
    let (_home, one, other) = two();
    let budget = WindowBudget {
        calls: 10,
        per: Duration::from_millis(500),
    };
    let (one, other) = (one.window("1", "lists", budget), other.window("1", "lists", budget));
    let start = Instant::now();
    for _ in 0..5 {
        one.acquire().await;
        other.acquire().await;
    }
    let took = start.elapsed();
    assert!(
        took > Duration::from_millis(500) && took < Duration::from_secs(2),
        "{took:?}"
    );
}

#[tokio::test]
async fn who_waits_is_told_of_with_an_estimate() {
    let heard = heard_of(9, 1).await;
    let first = heard.first().unwrap();
    assert_eq!(
        (first.calls.as_str(), first.cause),
        ("CreateVolume in us-east-1", Cause::Rate)
    );
    assert!(first.waiting >= 7, "{first:?}");
    assert!(
        first.eta > Duration::from_secs(1) && first.eta < Duration::from_secs(2),
        "{first:?}"
    );
}

#[tokio::test]
async fn a_burst_that_is_only_spread_is_no_shortage() {
    let heard = heard_of(40, 100).await;
    let first = heard.first().unwrap();
    assert_eq!(first.cause, Cause::Spread);
    assert!((first.per_second - 25.0).abs() < 0.01, "{first:?}");
    assert!(
        first.waiting > 30 && first.eta > Duration::from_secs(1) && first.eta < Duration::from_secs(2),
        "{first:?}"
    );
}

/// What is told of so many calls at once, at five a second after a burst.
async fn heard_of(calls: usize, burst: u32) -> Vec<Wait> {
    let registry = Registry::alone();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    registry.listen(Arc::new(move |wait| ears.lock().unwrap().push(wait.clone())));
    let budget = Budget { burst, per_second: 5 };
    let bucket = registry.bucket("1", "CreateVolume in us-east-1", budget);
    let calls: Vec<_> = (0..calls)
        .map(|_| {
            let bucket = Arc::clone(&bucket);
            tokio::spawn(async move { bucket.acquire().await })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let heard = heard.lock().unwrap();
    heard.clone()
}
