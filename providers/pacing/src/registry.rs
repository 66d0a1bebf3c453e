//! One budget for all who spend it: every task and client of a process, and every process of a user on this machine.

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::bucket::{Bucket, Budget, Place, Spacing};
use crate::clock::{Clock, boot};
use crate::level::Shape;
use crate::state::fnv;
use crate::waits::{Listener, Waits};
use crate::window::{Window, WindowBudget};

/// A file that was not touched for so long says nothing more: every bucket is full again, every window empty.
const OUTDATED: Duration = Duration::from_hours(24);

/// Budgets by whose they are. Clones are the same registry.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    owner: u64,
    boot: String,
    folder: Option<PathBuf>,
    waits: Arc<Waits>,
    budgets: Mutex<HashMap<String, Shared>>,
}

#[derive(Clone, Debug)]
enum Shared {
    Bucket(Arc<Bucket>),
    Window(Arc<Window>),
}

impl Default for Registry {
    fn default() -> Self {
        Self::alone()
    }
}

impl Registry {
    /// Budgets of this process alone.
    pub fn alone() -> Self {
        Self::new(None)
    }

    /// Budgets that are shared with all processes that name the same folder. It is made where there is none, for its owner
    /// alone.
    ///
    /// # Errors
    /// In words, where the folder cannot be used, or others could write to it.
    pub fn shared(folder: &Path) -> Result<Self, String> {
        let failed = |error: io::Error| format!("{}: {error}", folder.display());
        make_private(folder).map_err(failed)?;
        sweep(folder);
        Ok(Self::new(Some(folder.to_owned())))
    }

    /// Other budgets, of this process alone, with the same listener: for a cloud that nobody else can reach.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self::with(None, Arc::clone(&self.0.waits))
    }

    fn new(folder: Option<PathBuf>) -> Self {
        Self::with(folder, Arc::default())
    }

    fn with(folder: Option<PathBuf>, waits: Arc<Waits>) -> Self {
        Self(Arc::new(Inner {
            clock: Clock::new(),
            // Not zero, which is nobody.
            owner: RandomState::new().build_hasher().finish() | 1,
            boot: boot(),
            folder,
            waits,
            budgets: Mutex::default(),
        }))
    }

    /// Tells `listener` of calls that wait for their turn.
    pub fn listen(&self, listener: Listener) {
        self.0.waits.listen(listener);
    }

    fn budgets(&self) -> MutexGuard<'_, HashMap<String, Shared>> {
        self.0.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bucket of these calls of `whose`: a full one where nobody has used it. `calls` names them for people.
    pub fn bucket(&self, whose: &str, calls: &str, budget: Budget) -> Arc<Bucket> {
        self.bucket_of(whose, calls, budget.shape())
    }

    /// What keeps these calls of `whose` at a distance.
    pub fn spaced(&self, whose: &str, calls: &str, spacing: Spacing) -> Arc<Bucket> {
        self.bucket_of(whose, calls, spacing.shape())
    }

    fn bucket_of(&self, whose: &str, calls: &str, shape: Shape) -> Arc<Bucket> {
        let key = format!("bucket of {calls}\n{whose}");
        let mut budgets = self.budgets();
        if let Some(Shared::Bucket(bucket)) = budgets.get(&key) {
            return Arc::clone(bucket);
        }
        let place = Place {
            clock: self.0.clock,
            owner: self.0.owner,
            path: self.path(&key),
            name: calls.to_owned(),
            waits: Arc::clone(&self.0.waits),
        };
        let bucket = Arc::new(Bucket::at(place, shape));
        budgets.insert(key, Shared::Bucket(Arc::clone(&bucket)));
        bucket
    }

    /// The window of these calls of `whose`.
    pub fn window(&self, whose: &str, calls: &str, budget: WindowBudget) -> Arc<Window> {
        let key = format!("{} in {:?} of {calls}\n{whose}", budget.calls, budget.per);
        let mut budgets = self.budgets();
        if let Some(Shared::Window(window)) = budgets.get(&key) {
            return Arc::clone(window);
        }
        let window = Arc::new(Window::at(self.0.clock, self.path(&key), budget));
        budgets.insert(key, Shared::Window(Arc::clone(&window)));
        window
    }

    /// The window of these calls of `whose` in which it matters when they arrive ([`Window::answered`]): for this process alone.
    pub fn answered(&self, whose: &str, calls: &str, budget: WindowBudget, slack: Duration) -> Arc<Window> {
        let key = format!("{} answered in {:?} of {calls}\n{whose}", budget.calls, budget.per);
        let new = || Shared::Window(Arc::new(Window::answered(budget, slack)));
        match self.budgets().entry(key).or_insert_with(new) {
            Shared::Window(window) => Arc::clone(window),
            Shared::Bucket(_) => Arc::new(Window::answered(budget, slack)),
        }
    }

    /// Its file, where it is shared.
    fn path(&self, key: &str) -> Option<PathBuf> {
        let folder = self.0.folder.as_ref()?;
        let name = fnv(format!("{key}\n{}", self.0.boot).as_bytes());
        Some(folder.join(format!("{name:016x}")))
    }
}

/// Makes a folder that nobody else can write to, or makes sure that it is one.
fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Not through a link, which somebody else may have laid where everyone may write.
    let found = fs::symlink_metadata(folder)?;
    let is_ours = found.uid() == rustix::process::getuid().as_raw();
    let rights_of_others = found.mode() & 0o077;
    if found.is_dir() && is_ours && rights_of_others == 0 {
        return Ok(());
    }
    let why = "it is to be a folder of this user's own, with mode 0700";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Takes files away that nobody uses any more. What cannot be taken away stays.
fn sweep(folder: &Path) {
    let before = SystemTime::now().checked_sub(OUTDATED);
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let touched = file.metadata().and_then(|found| found.modified());
        if touched.is_ok_and(|touched| before.is_some_and(|before| touched < before)) {
            let _ = fs::remove_file(file.path());
        }
    }
}

#[cfg(test)]
mod tests;
