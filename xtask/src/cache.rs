//! A folder of things that are made once a machine: `$XDG_CACHE_HOME/moorline`, or `~/.cache/moorline`.
//!
//! An entry is made in a folder beside its place and renamed into it when it is whole, so an interrupted run leaves
//! nothing that looks done. Its name says everything that it was made from: another version is another entry.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// Marks folders in which something is being made.
const UNFINISHED: &str = ".unfinished-";

/// Marks the files that are locked meanwhile.
const LOCK: &str = ".lock-";

/// How old an unfinished folder must be before it is certain that nobody works in it any more.
const ABANDONED: Duration = Duration::from_hours(24);

/// The folder of the cache.
pub(crate) fn folder() -> Result<PathBuf> {
    // XDG Base Directory Specification: relative paths are ignored.
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let xdg = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).and_then(absolute);
    let cache = xdg.or_else(|| std::env::home_dir().and_then(absolute).map(|home| home.join(".cache")));
    Ok(cache
        .context("no home folder to keep built programs in: set XDG_CACHE_HOME")?
        .join("moorline"))
}

/// The entry called `name`: the one that is there if `works` says so of its folder, otherwise made anew by `make`, which
/// fills the empty folder it is given.
pub(crate) fn entry(
    name: &str,
    works: impl Fn(&Path) -> bool,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    entry_in(&folder()?, name, works, make)
}

fn entry_in(
    cache: &Path,
    name: &str,
    works: impl Fn(&Path) -> bool,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let entry = cache.join(name);
    if works(&entry) {
        return Ok(entry);
    }
    fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let _lock = lock(&cache.join(format!("{LOCK}{name}")))?;
    if works(&entry) {
        return Ok(entry); // somebody else was at it
    }
    sweep(cache);
    let unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(cache)?;
    make(unfinished.path())?;
    if entry.exists() {
        fs::remove_dir_all(&entry)
            .with_context(|| format!("cannot remove {}, which does not work", entry.display()))?;
    }
    fs::rename(unfinished.keep(), &entry)?;
    anyhow::ensure!(works(&entry), "{} was made and does not work", entry.display());
    Ok(entry)
}

/// Waits until nobody else, in this process or another, makes the same entry. What takes minutes is not made twice.
fn lock(path: &Path) -> Result<File> {
    let lock = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(lock)
}

/// Removes what killed runs left half made. What cannot be removed does no harm.
fn sweep(cache: &Path) {
    for found in fs::read_dir(cache).into_iter().flatten().flatten() {
        let age = found
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|time| time.elapsed().ok());
        let unfinished = found.file_name().to_string_lossy().starts_with(UNFINISHED);
        if unfinished && age.is_some_and(|age| age > ABANDONED) {
            drop(fs::remove_dir_all(found.path()));
        }
    }
}

/// Twelve hex digits that change with any of `files`.
pub(crate) fn digest<F: AsRef<Path>>(files: &[F]) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files.iter().map(AsRef::as_ref) {
        hash.update(fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(format!("{:x}", hash.finalize())[..12].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(entry: &Path) -> bool {
        entry.join("done").exists()
    }

    fn make(folder: &Path) -> Result<()> {
        Ok(fs::write(folder.join("done"), "")?)
    }

    #[test]
    fn an_entry_is_made_once() {
        let cache = tempfile::tempdir().unwrap();
        let made = entry_in(cache.path(), "tool-1", whole, make).unwrap();
        let again = entry_in(cache.path(), "tool-1", whole, |_| anyhow::bail!("it is there")).unwrap();
        assert_eq!(made, again);
    }

    #[test]
    fn one_that_does_not_work_is_made_anew() {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir(cache.path().join("tool-1")).unwrap();
        fs::write(cache.path().join("tool-1").join("half"), "").unwrap();
        let made = entry_in(cache.path(), "tool-1", whole, make).unwrap();
        assert!(whole(&made) && !made.join("half").exists());
    }

    #[test]
    fn a_failed_making_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let failed = entry_in(cache.path(), "tool-1", whole, |folder| {
            fs::write(folder.join("half"), "")?;
            anyhow::bail!("no compiler")
        });
        assert_eq!(failed.unwrap_err().to_string(), "no compiler");
        let left: Vec<_> = fs::read_dir(cache.path())
            .unwrap()
            .map(|found| found.unwrap().file_name())
            .collect();
        assert_eq!(left, [".lock-tool-1"]);
    }

    #[test]
    fn two_at_once_make_it_once() {
        let cache = tempfile::tempdir().unwrap();
        let made = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let slowly = |folder: &Path| {
                        made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(50));
                        make(folder)
                    };
                    assert!(whole(&entry_in(cache.path(), "tool-1", whole, slowly).unwrap()));
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
