//! State that one process keeps for itself, or that all processes of a user on this machine share through a file.
//!
//! The file is locked for as long as it takes to read and write it, some microseconds, and the kernel lets go of the lock when
//! a process dies. One that is stopped in just these microseconds holds up nobody either: whoever finds the file locked for too
//! long goes on with what it knew last.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::clock::Clock;

/// How long a file may be locked by others.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long to wait before it is tried again.
const PAUSE: Duration = Duration::from_millis(1);
/// The first bytes of a file.
const MAGIC: u64 = u64::from_le_bytes(*b"moorrate");
/// No file of ours is larger.
const LARGEST: u64 = 1 << 20;

/// What can be shared.
pub(crate) trait State: Sized {
    /// What others wrote cannot be read: the worst is assumed.
    fn distrust(&mut self, now: u64);

    fn encode(&self, into: &mut Vec<u8>);

    /// `None` where it makes no sense at that time.
    fn decode(bytes: &mut Reader<'_>, clock: &Clock, now: u64) -> Option<Self>;
}

/// Numbers one after the other.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

#[cfg(test)]
impl<'a> Reader<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl Reader<'_> {
    pub(crate) fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    pub(crate) fn float(&mut self) -> Option<f64> {
        self.number().map(f64::from_bits).filter(|number| number.is_finite())
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

/// State with its lock.
#[derive(Debug)]
pub(crate) struct Cell<S> {
    clock: Clock,
    /// The state, or what was last seen of it where it is shared.
    own: Mutex<S>,
    /// Where it is shared; nothing is made there before it is needed.
    path: Option<PathBuf>,
    file: OnceLock<Option<File>>,
    /// Set when the file proves useless.
    is_alone: AtomicBool,
}

/// Somebody else holds the file's lock.
#[derive(Debug)]
pub(crate) struct Busy;

impl<S: State> Cell<S> {
    pub(crate) fn new(clock: Clock, state: S, path: Option<PathBuf>) -> Self {
        Self {
            clock,
            own: Mutex::new(state),
            path,
            file: OnceLock::new(),
            is_alone: AtomicBool::new(false),
        }
    }

    fn own(&self) -> MutexGuard<'_, S> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that cannot be had leaves this process alone with its state.
    fn file(&self) -> Option<&File> {
        let file = self.file.get_or_init(|| open(self.path.as_ref()?).ok());
        file.as_ref().filter(|_| !self.is_alone.load(Ordering::Relaxed))
    }

    /// Looks at the state as it was last seen.
    pub(crate) fn glance<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(&self.own())
    }

    /// Changes the state, if nobody else is doing so just now.
    pub(crate) fn try_change<R>(&self, change: impl FnOnce(&mut S) -> R) -> Result<R, Busy> {
        let mut own = self.own();
        let Some(file) = self.file() else {
            return Ok(change(&mut own));
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Busy),
            Err(TryLockError::Error(_)) => {
                self.is_alone.store(true, Ordering::Relaxed);
                return Ok(change(&mut own));
            }
        }
        let now = self.clock.nanos(Instant::now());
        match read(file, &self.clock, now) {
            Ok(Found::State(state)) => *own = state,
            Ok(Found::Nothing) => {}
            Ok(Found::Nonsense) => own.distrust(now),
            Err(_) => self.is_alone.store(true, Ordering::Relaxed),
        }
        let outcome = change(&mut own);
        if write(file, &*own).is_err() || file.unlock().is_err() {
            self.is_alone.store(true, Ordering::Relaxed);
        }
        Ok(outcome)
    }

    /// Changes the state. Where others do not let go of the file, only what this process knows of it is changed.
    pub(crate) async fn change<R>(&self, mut change: impl FnMut(&mut S) -> R) -> R {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.try_change(&mut change) {
                Ok(outcome) => return outcome,
                Err(Busy) if Instant::now() < until => sleep(PAUSE).await,
                Err(Busy) => return change(&mut self.own()),
            }
        }
    }
}

enum Found<S> {
    /// A new file.
    Nothing,
    State(S),
    /// Not what we write: cut off, or someone else's.
    Nonsense,
}

fn read<S: State>(file: &File, clock: &Clock, now: u64) -> io::Result<Found<S>> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(Found::Nothing);
    }
    let mut bytes = vec![0; usize::try_from(length.min(LARGEST)).unwrap_or_default()];
    file.read_exact_at(&mut bytes, 0)?;
    let mut numbers = Reader(&bytes);
    let state = (numbers.number() == Some(MAGIC))
        .then(|| numbers.number())
        .flatten()
        .filter(|sum| *sum == fnv(numbers.0))
        .and_then(|_| S::decode(&mut numbers, clock, now))
        .filter(|_| numbers.is_at_end());
    Ok(state.map_or(Found::Nonsense, Found::State))
}

fn write<S: State>(file: &File, state: &S) -> io::Result<()> {
    let mut body = Vec::with_capacity(128);
    state.encode(&mut body);
    let mut bytes = Vec::with_capacity(body.len() + 16);
    bytes.extend(MAGIC.to_le_bytes());
    bytes.extend(fnv(&body).to_le_bytes());
    bytes.extend(body);
    file.write_all_at(&bytes, 0)?;
    let length = bytes.len() as u64;
    if file.metadata()?.len() > length {
        file.set_len(length)?;
    }
    Ok(())
}

/// Opens a file that only its owner may read and write, and makes it where there is none.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

/// Fowler, Noll and Vo's hash (variant 1a): the same in every build, unlike the standard library's.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
