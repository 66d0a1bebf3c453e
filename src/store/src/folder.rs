//! A folder of this machine as a store: a file for each key, readable by its owner only.
//!
//! Writers hold a lock (`flock` on `.lock`), write beside the store and then move the file into its place, so that readers, who
//! need no lock, see one value or the other, whenever a writer is killed. What a killed one leaves in `.tmp` the next one sweeps
//! away. Symbolic links below the folder are followed nowhere.
//!
//! On NFS a lock is as good as the server's: with `nolock` two machines are not kept apart, except that only one of them makes
//! a key, for which link(2) cares. A bucket or a container is the better store for many machines.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use moorline_api::store::MAX_VALUE;
use moorline_api::{Error, ErrorKind, Result, RunStore, StoreKey, StoreVersion, Stored};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

const LOCK: &str = ".lock";
const TEMPORARY: &str = ".tmp";

/// How long a writer waits for the others. Each of them holds the lock for as long as a file takes to be written.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// The pause between two tries of the lock: a wait for it in the kernel could not be given up.
const LOCK_PAUSE: Duration = Duration::from_millis(2);

const FOLDER_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Values as files below a folder.
#[derive(Clone, Debug)]
pub struct FolderStore(Arc<Root>);

#[derive(Debug)]
struct Root {
    path: PathBuf,
    place: String,
    lock_patience: Duration,
}

impl FolderStore {
    /// The store in this folder. It is made by the first write.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::with_lock_patience(path, LOCK_PATIENCE)
    }

    fn with_lock_patience(path: impl Into<PathBuf>, lock_patience: Duration) -> Self {
        let path = path.into();
        let place = moorline_api::words::clean(&path.display().to_string());
        Self(Arc::new(Root {
            path,
            place,
            lock_patience,
        }))
    }

    /// Files block, so what is done with them is done on a thread for that.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Root) -> Result<T> + Send + 'static) -> Result<T> {
        let root = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&root)).await;
        done.map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "use",
                self.0.place.clone(),
                "the thread ended early",
            )
            .with_source(error)
        })?
    }
}

#[async_trait]
impl RunStore for FolderStore {
    fn place(&self) -> &str {
        &self.0.place
    }

    async fn read(&self, key: &StoreKey) -> Result<Option<Stored>> {
        let key = key.clone();
        self.blocking(move |root| root.read(&key)).await
    }

    async fn create(&self, key: &StoreKey, value: &[u8]) -> Result<StoreVersion> {
        let (key, value) = (key.clone(), value.to_vec());
        self.blocking(move |root| root.create(&key, &value)).await
    }

    async fn replace(&self, key: &StoreKey, value: &[u8], expected: &StoreVersion) -> Result<StoreVersion> {
        let (key, value, expected) = (key.clone(), value.to_vec(), expected.clone());
        self.blocking(move |root| root.replace(&key, &value, &expected)).await
    }

    async fn delete(&self, key: &StoreKey, expected: &StoreVersion) -> Result<()> {
        let (key, expected) = (key.clone(), expected.clone());
        self.blocking(move |root| root.delete(&key, &expected)).await
    }

    fn list(&self, folder: Option<&StoreKey>) -> BoxStream<'_, Result<StoreKey>> {
        let folder = folder.cloned();
        let keys = self.blocking(move |root| root.list(folder.as_ref()));
        let keys = stream::once(keys).map_ok(|keys| stream::iter(keys).map(Ok));
        keys.try_flatten().boxed()
    }
}

impl Root {
    fn read(&self, key: &StoreKey) -> Result<Option<Stored>> {
        let Some((folder, name)) = self.existing_folder_of(key).map_err(self.failed("read", key))? else {
            return Ok(None);
        };
        self.read_in(&folder, name, key)
    }

    fn create(&self, key: &StoreKey, value: &[u8]) -> Result<StoreVersion> {
        let writing = self.begin("create", key, value)?;
        let failed = self.failed("create", key);
        let (folder, name) = writing.make_folder_of(key).map_err(&failed)?;
        let temporary = writing.write(value).map_err(&failed)?;
        // A link is made only where there is nothing, whatever became of the lock.
        let linked = rustix::fs::linkat(&writing.temporary, &temporary, &folder, name, AtFlags::empty());
        let unlinked = rustix::fs::unlinkat(&writing.temporary, &temporary, AtFlags::empty());
        match linked {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                return Err(self.error(ErrorKind::AlreadyExists, "create", key, "it is there already"));
            }
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
                let why = "the file system has no hard links, without which two writers cannot be told apart; name a folder on another one";
                return Err(self.error(ErrorKind::Unsupported, "create", key, why));
            }
            Err(error) => return Err(failed(error)),
        }
        unlinked.and_then(|()| rustix::fs::fsync(&folder)).map_err(&failed)?;
        Ok(version_of(value))
    }

    fn replace(&self, key: &StoreKey, value: &[u8], expected: &StoreVersion) -> Result<StoreVersion> {
        let writing = self.begin("replace", key, value)?;
        let failed = self.failed("replace", key);
        let (folder, name) = self.unchanged("replace", key, expected)?;
        let temporary = writing.write(value).map_err(&failed)?;
        rustix::fs::renameat(&writing.temporary, &temporary, &folder, name)
            .and_then(|()| rustix::fs::fsync(&folder))
            .map_err(&failed)?;
        Ok(version_of(value))
    }

    fn delete(&self, key: &StoreKey, expected: &StoreVersion) -> Result<()> {
        let _writing = self.begin("delete", key, &[])?;
        let (folder, name) = self.unchanged("delete", key, expected)?;
        rustix::fs::unlinkat(&folder, name, AtFlags::empty())
            .and_then(|()| rustix::fs::fsync(&folder))
            .map_err(self.failed("delete", key))
    }

    /// Folder and name of a key whose value is still the expected one. To be asked under the lock.
    fn unchanged<'key>(
        &self,
        operation: &str,
        key: &'key StoreKey,
        expected: &StoreVersion,
    ) -> Result<(OwnedFd, &'key str)> {
        let found = self.existing_folder_of(key).map_err(self.failed(operation, key))?;
        let gone = || self.error(ErrorKind::Stale, operation, key, "it is gone meanwhile");
        let (folder, name) = found.ok_or_else(gone)?;
        let there = self.read_in(&folder, name, key)?.ok_or_else(gone)?;
        if there.version == *expected {
            Ok((folder, name))
        } else {
            Err(self.error(ErrorKind::Stale, operation, key, "it was changed meanwhile"))
        }
    }

    fn read_in(&self, folder: &OwnedFd, name: &str, key: &StoreKey) -> Result<Option<Stored>> {
        let failed = self.failed("read", key);
        // Without NONBLOCK a named pipe would be waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let too_large = || {
            let why = format!("it has more than {MAX_VALUE} bytes; nothing of ours has");
            self.error(ErrorKind::Invalid, "read", key, &why)
        };
        let io_failed = |error: io::Error| self.io_failed("read", key, error);
        let shape = file.metadata().map_err(io_failed)?;
        if !shape.is_file() {
            return Err(self.error(ErrorKind::Invalid, "read", key, "it is not a file"));
        }
        let mut value = Vec::new();
        let most = MAX_VALUE as u64 + 1;
        file.take(most).read_to_end(&mut value).map_err(io_failed)?;
        if value.len() > MAX_VALUE {
            return Err(too_large());
        }
        let version = version_of(&value);
        Ok(Some(Stored { value, version }))
    }

    fn list(&self, folder: Option<&StoreKey>) -> Result<Vec<StoreKey>> {
        let top = match self.open_root() {
            Ok(root) => root,
            // No run has written anything yet.
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(error) => return Err(self.failed_at("list", folder)(error)),
        };
        let Some(start) = descend(top, folder.map_or("", StoreKey::as_str)).map_err(self.failed_at("list", folder))?
        else {
            return Ok(Vec::new());
        };
        let mut keys = Vec::new();
        let mut open = vec![(start, folder.cloned())];
        while let Some((at, named)) = open.pop() {
            for (name, sort) in entries(&at).map_err(self.failed_at("list", named.as_ref()))? {
                let key = match &named {
                    Some(folder) => folder.join(&name),
                    None => StoreKey::new(name.as_str()),
                };
                // Our own `.lock` and `.tmp`, and what others put here.
                let Ok(key) = key else { continue };
                match sort {
                    FileType::RegularFile => keys.push(key),
                    FileType::Directory => {
                        let below = rustix::fs::openat(&at, &name, FOLDER_FLAGS, Mode::empty());
                        open.push((below.map_err(self.failed("list", &key))?, Some(key)));
                    }
                    FileType::Symlink => return Err(self.failed("list", &key)(Errno::LOOP)),
                    _ => {}
                }
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// Takes the lock, and makes what a writer needs. The lock is held until the result is dropped.
    fn begin(&self, operation: &str, key: &StoreKey, value: &[u8]) -> Result<Writing> {
        if value.len() > MAX_VALUE {
            let why = format!("the value has {} bytes, and {MAX_VALUE} is the most", value.len());
            return Err(self.error(ErrorKind::Invalid, operation, key, &why));
        }
        let failed = self.failed(operation, key);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(|error| self.io_failed(operation, key, error))?;
        let root = self.open_root().map_err(&failed)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let lock = File::from(rustix::fs::openat(&root, LOCK, flags, private()).map_err(&failed)?);
        self.acquire(&lock, operation, key)?;
        let temporary = make_folder(&root, TEMPORARY).map_err(&failed)?;
        sweep(&temporary).map_err(&failed)?;
        Ok(Writing {
            root,
            temporary,
            _lock: lock,
        })
    }

    fn acquire(&self, lock: &File, operation: &str, key: &StoreKey) -> Result<()> {
        let deadline = Instant::now() + self.lock_patience;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let why = format!(
                        "another process has held {LOCK} for {} s; end it if it hangs, and try again",
                        self.lock_patience.as_secs()
                    );
                    return Err(self.error(ErrorKind::Unreachable, operation, key, &why));
                }
                Err(TryLockError::Error(error)) => return Err(self.io_failed(operation, key, error)),
            }
        }
    }

    /// The folder itself; a link to it is its owner's affair.
    fn open_root(&self) -> rustix::io::Result<OwnedFd> {
        let flags = FOLDER_FLAGS.difference(OFlags::NOFOLLOW);
        rustix::fs::open(&self.path, flags, Mode::empty())
    }

    /// The folder that a key's file would be in, and the file's name; `None` where that folder is not there.
    fn existing_folder_of<'key>(&self, key: &'key StoreKey) -> rustix::io::Result<Option<(OwnedFd, &'key str)>> {
        let (folders, name) = split(key);
        let root = match self.open_root() {
            Ok(root) => root,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error),
        };
        let folder = descend(root, folders)?;
        Ok(folder.map(|folder| (folder, name)))
    }

    fn error(&self, kind: ErrorKind, operation: &str, key: &StoreKey, why: &str) -> Error {
        Error::new(kind, operation, format!("{}/{key}", self.place), why)
    }

    fn failed(&self, operation: &str, key: &StoreKey) -> impl Fn(Errno) -> Error {
        self.failed_at(operation, Some(key))
    }

    fn failed_at(&self, operation: &str, key: Option<&StoreKey>) -> impl Fn(Errno) -> Error {
        let operation = operation.to_owned();
        let resource = key.map_or_else(|| self.place.clone(), |key| format!("{}/{key}", self.place));
        move |errno| explained(io::Error::from(errno), &operation, &resource)
    }

    fn io_failed(&self, operation: &str, key: &StoreKey, error: io::Error) -> Error {
        explained(error, operation, &format!("{}/{key}", self.place))
    }
}

/// A writer that holds the lock.
struct Writing {
    root: OwnedFd,
    temporary: OwnedFd,
    _lock: File,
}

impl Writing {
    /// A file that is written to the disk, under a name in `.tmp`.
    fn write(&self, value: &[u8]) -> rustix::io::Result<String> {
        let name = uuid::Uuid::new_v4().to_string();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.temporary, &name, flags, private())?);
        let written = file.write_all(value).and_then(|()| file.sync_all());
        written.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(name)
    }

    /// The folder of a key's file, made where it is missing, and the file's name.
    fn make_folder_of<'key>(&self, key: &'key StoreKey) -> rustix::io::Result<(OwnedFd, &'key str)> {
        let (folders, name) = split(key);
        let mut at = rustix::io::fcntl_dupfd_cloexec(&self.root, 0)?;
        for segment in folders.split('/').filter(|segment| !segment.is_empty()) {
            at = make_folder(&at, segment)?;
        }
        Ok((at, name))
    }
}

/// The folder below, by its segments; `None` where it is not there.
fn descend(from: OwnedFd, segments: &str) -> rustix::io::Result<Option<OwnedFd>> {
    let mut at = from;
    for segment in segments.split('/').filter(|segment| !segment.is_empty()) {
        at = match rustix::fs::openat(&at, segment, FOLDER_FLAGS, Mode::empty()) {
            Ok(below) => below,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error),
        };
    }
    Ok(Some(at))
}

fn make_folder(at: &OwnedFd, name: &str) -> rustix::io::Result<OwnedFd> {
    match rustix::fs::mkdirat(at, name, Mode::RWXU) {
        // A folder that a crash forgets takes its files along.
        Ok(()) => rustix::fs::fsync(at)?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    rustix::fs::openat(at, name, FOLDER_FLAGS, Mode::empty())
}

/// Deletes what killed writers left; whoever holds the lock is the only living one.
fn sweep(temporary: &OwnedFd) -> rustix::io::Result<()> {
    for (name, _) in entries(temporary)? {
        match rustix::fs::unlinkat(temporary, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Names that are text, and what they are; links are not followed.
fn entries(folder: &OwnedFd) -> rustix::io::Result<Vec<(String, FileType)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name == "." || name == ".." {
            continue;
        }
        let sort = match entry.file_type() {
            // Some file systems do not say it here.
            FileType::Unknown => {
                let shape = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(shape.st_mode)
            }
            sort => sort,
        };
        found.push((name.to_owned(), sort));
    }
    Ok(found)
}

/// The folders of a key and the name of its file.
fn split(key: &StoreKey) -> (&str, &str) {
    key.as_str().rsplit_once('/').unwrap_or(("", key.as_str()))
}

fn private() -> Mode {
    Mode::RUSR | Mode::WUSR
}

fn version_of(value: &[u8]) -> StoreVersion {
    use std::fmt::Write as _;
    let hash = Sha256::digest(value);
    let word = hash.iter().fold(String::with_capacity(64), |mut word, byte| {
        _ = write!(word, "{byte:02x}");
        word
    });
    StoreVersion::new(word)
}

fn explained(error: io::Error, operation: &str, resource: &str) -> Error {
    let (kind, why) = match Errno::from_io_error(&error) {
        // What O_NOFOLLOW makes of a link, depending on what else was asked for.
        Some(Errno::LOOP | Errno::NOTDIR) => (
            ErrorKind::Invalid,
            "there is a symbolic link on its way, or a file where a folder should be; neither is followed".to_owned(),
        ),
        Some(Errno::ISDIR) => (ErrorKind::Invalid, "it is a folder".to_owned()),
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => (
            ErrorKind::Forbidden,
            format!("{error}; the folder has to be this user's own, and writable"),
        ),
        Some(Errno::NOSPC | Errno::DQUOT) => (ErrorKind::LimitExceeded, error.to_string()),
        _ => (ErrorKind::Internal, error.to_string()),
    };
    Error::new(kind, operation, resource, why).with_source(error)
}

#[cfg(test)]
mod tests;
