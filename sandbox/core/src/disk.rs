//! The journal's shelf on disk: one keyspace of a `fjall` database, tuned to stay small.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use crate::JournalError;
use crate::seal::Seal;

const CACHE_BYTES: u64 = 2 << 20;
const MEMTABLE_BYTES: u64 = 4 << 20;
const JOURNALS_BYTES: u64 = 64 << 20;

pub(crate) struct Disk {
    // Dropped before the database, whose drop releases the folder.
    rows: Keyspace,
    database: Database,
    seal: Seal,
}

impl Disk {
    pub(crate) fn open(folder: &Path) -> Result<Self, JournalError> {
        std::fs::create_dir_all(folder).map_err(|error| open_error(folder, error))?;
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNALS_BYTES)
            .worker_threads(1)
            .open()
            .map_err(|error| match error {
                fjall::Error::Locked => JournalError::Held {
                    folder: folder.to_owned(),
                },
                other => open_error(folder, other),
            })?;
        let rows = database
            .keyspace("state", || {
                KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES)
            })
            .map_err(|error| open_error(folder, error))?;
        let seal = Seal::open(folder).map_err(|error| open_error(folder, error))?;
        Ok(Self { rows, database, seal })
    }

    pub(crate) fn seal(&self) -> &Seal {
        &self.seal
    }

    pub(crate) fn put(&self, path: String, bytes: &[u8]) -> Result<(), JournalError> {
        self.rows.insert(path, bytes).map_err(disk_error)
    }

    pub(crate) fn delete(&self, path: String) -> Result<(), JournalError> {
        self.rows.remove(path).map_err(disk_error)
    }

    pub(crate) fn get(&self, path: &str) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.rows.get(path).map_err(disk_error)?.map(|bytes| bytes.to_vec()))
    }

    /// Gives every path that starts with `prefix` and its value to `read`, in order.
    pub(crate) fn each(
        &self,
        prefix: &str,
        mut read: impl FnMut(&str, &[u8]) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        for row in self.rows.prefix(prefix) {
            let (path, bytes) = row.into_inner().map_err(disk_error)?;
            let path = std::str::from_utf8(&path).map_err(|error| JournalError::Disk(Box::new(error)))?;
            read(path, &bytes)?;
        }
        Ok(())
    }

    /// Removes every path that starts with `prefix`, in one atomic step.
    pub(crate) fn clear(&self, prefix: &str) -> Result<(), JournalError> {
        let mut batch = self.database.batch();
        for row in self.rows.prefix(prefix) {
            batch.remove(&self.rows, row.key().map_err(disk_error)?);
        }
        batch.commit().map_err(disk_error)
    }
}

fn open_error(folder: &Path, error: impl std::error::Error + Send + Sync + 'static) -> JournalError {
    JournalError::Open {
        folder: folder.to_owned(),
        source: Box::new(error),
    }
}

fn disk_error(error: fjall::Error) -> JournalError {
    JournalError::Disk(Box::new(error))
}
