//! Writers that are processes of their own, and are killed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use libtest_mimic::{Failed, Trial};
use moorline_api::{ErrorKind, RunStore as _, StoreKey};
use moorline_store::FolderStore;

/// Names the folder that this process is to write to, and how often; 0 is for ever.
const FOLDER: &str = "MOORLINE_STORE_WRITER";
const TIMES: &str = "MOORLINE_STORE_WRITER_TIMES";

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| {
        Trial::test(format!("folder::writers::{name}"), move || {
            std::panic::catch_unwind(run).map_err(|panic| {
                let words = panic.downcast_ref::<String>().cloned();
                Failed::from(words.unwrap_or_else(|| "a panic without words".to_owned()))
            })
        })
    };
    vec![
        trial("no_increment_of_a_process_is_lost", no_increment_of_a_process_is_lost),
        trial(
            "one_that_is_killed_leaves_a_value_that_is_whole",
            one_that_is_killed_leaves_a_value_that_is_whole,
        ),
    ]
}

/// Where this process was started to be a writer, it is one.
pub(crate) fn run_as_one() -> Option<ExitCode> {
    let folder = PathBuf::from(env::var_os(FOLDER)?);
    let times: usize = env::var(TIMES).unwrap().parse().unwrap();
    block_on(async {
        let mut done = 0;
        while times == 0 || done < times {
            done += usize::from(increment(&folder).await);
        }
    });
    Some(ExitCode::SUCCESS)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

fn counter() -> StoreKey {
    StoreKey::new("some/counter").unwrap()
}

/// The counter's value is its number again and again, so that a part of a value can be told from a whole one.
fn written(count: usize) -> Vec<u8> {
    format!("{count}\n").repeat(20_000).into_bytes()
}

fn count(value: &[u8]) -> usize {
    let text = std::str::from_utf8(value).unwrap();
    let count = text.lines().next().unwrap().parse().unwrap();
    assert!(
        value == written(count),
        "a part of a value: {} bytes from {count} on",
        value.len()
    );
    count
}

/// Whether it was this process whose increment counts. Each is told by a key of its own as well.
async fn increment(folder: &Path) -> bool {
    let store = FolderStore::new(folder);
    let seen = store.read(&counter()).await.unwrap().unwrap();
    let next = count(&seen.value) + 1;
    match store.replace(&counter(), &written(next), &seen.version).await {
        Ok(_) => {
            let told = StoreKey::new(format!("told/{next:06}")).unwrap();
            store.create(&told, b"x").await.unwrap();
            true
        }
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::Stale, "{error}");
            false
        }
    }
}

fn start(folder: &Path, times: usize) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .env(FOLDER, folder)
        .env(TIMES, times.to_string())
        .spawn()
        .unwrap()
}

fn made(folder: &Path) {
    block_on(FolderStore::new(folder).create(&counter(), &written(0))).unwrap();
}

fn total(folder: &Path) -> usize {
    let found = block_on(FolderStore::new(folder).read(&counter())).unwrap();
    count(&found.unwrap().value)
}

fn no_increment_of_a_process_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let writers: Vec<_> = (0..4).map(|_| start(folder.path(), 25)).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(total(folder.path()), 100);
}

fn one_that_is_killed_leaves_a_value_that_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let mut seen = 0;
    for round in 0..15_u64 {
        let mut writers = [start(folder.path(), 0), start(folder.path(), 0)];
        let deadline = Instant::now() + Duration::from_secs(30);
        while total(folder.path()) <= seen {
            assert!(Instant::now() < deadline, "the writers do not get on after {seen}");
        }
        // Somewhere in the middle of another write.
        std::thread::sleep(Duration::from_micros(round * 370));
        for writer in &mut writers {
            writer.kill().unwrap();
            writer.wait().unwrap();
        }
        let now = total(folder.path());
        assert!(now > seen, "{now} after {seen}");
        seen = now;
    }
    // The next one finds its way, and sweeps up.
    assert!(block_on(increment(folder.path())));
    assert_eq!(std::fs::read_dir(folder.path().join(".tmp")).unwrap().count(), 0);
    // Of what was told everything was done; a writer that was killed between the two told nothing.
    let store = FolderStore::new(folder.path());
    let told: Vec<_> = block_on(store.list(None).try_collect()).unwrap();
    assert!(told.len() <= total(folder.path()) + 1, "{} were told", told.len());
}
