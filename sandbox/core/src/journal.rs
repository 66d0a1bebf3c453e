//! State that outlives the process: small tables of JSON values, written through on every change.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::disk::Disk;
use crate::seal::Broken;

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A stored value is not what this version expects.
    #[error(
        "the sandbox's state holds a value this version cannot read: {table}/{key}; `moorline sandbox reset` starts afresh"
    )]
    Decode {
        /// Table.
        table: String,
        /// Key.
        key: String,
        /// What serde says.
        source: serde_json::Error,
    },
    /// A sealed value cannot be opened.
    #[error(
        "the sandbox's state holds a value that cannot be opened: {table}/{key}; `moorline sandbox reset` starts afresh"
    )]
    Sealed {
        /// Table.
        table: String,
        /// Key.
        key: String,
        /// What is known about it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process has the folder open.
    #[error("the sandbox's state in {} is in use by another process; stop that one or use its endpoints", folder.display())]
    Held {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder could not be opened.
    #[error("the sandbox's state in {} cannot be opened", folder.display())]
    Open {
        /// The folder.
        folder: PathBuf,
        /// What the store or the file system says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The folder was opened, but a later read or write failed: a full or broken disk, mostly.
    #[error("the sandbox's state cannot be read or written; is the disk full?")]
    Disk(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Tables of JSON values by key. A write that returned survives a SIGKILL of the process; it is
/// handed to the operating system but not forced to the disk, so a power cut may lose the last ones.
pub struct Journal {
    shelf: Arc<Shelf>,
    /// Stands before the names of its tables.
    room: String,
}

/// Where the values are. Keys on both shelves are `table NUL key`.
enum Shelf {
    Memory(Mutex<BTreeMap<String, Bytes>>),
    Disk(Box<Disk>),
}

impl Journal {
    /// A journal that is forgotten with the process.
    pub fn in_memory() -> Self {
        Self {
            shelf: Arc::new(Shelf::Memory(Mutex::default())),
            room: String::new(),
        }
    }

    /// The journal kept in `folder`, made where it does not exist. One process at a time may have it open:
    /// for any other this is [`JournalError::Held`], after a moment's patience.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, JournalError> {
        Ok(Self {
            shelf: Arc::new(Shelf::Disk(Box::new(Disk::open(folder.as_ref())?))),
            room: String::new(),
        })
    }

    /// A journal of its own in the same place: its tables are no others', whatever they are called. The folder is held until
    /// the last of them is dropped.
    #[must_use]
    pub fn room(&self, name: &str) -> Self {
        Self {
            shelf: self.shelf.clone(),
            room: format!("{}{name}/", self.room),
        }
    }

    fn path(&self, table: &str, key: &str) -> String {
        format!("{}{table}\0{key}", self.room)
    }

    /// The first path behind all paths of `table`.
    fn after(&self, table: &str) -> String {
        format!("{}{table}\u{1}", self.room)
    }

    /// Writes one value.
    pub fn put<T: Serialize>(&self, table: &str, key: &str, value: &T) -> Result<(), JournalError> {
        let bytes = serde_json::to_vec(value).map_err(|source| decode(table, key, source))?;
        self.put_json(table, key, bytes.into())
    }

    /// Writes one value that is JSON already.
    pub fn put_json(&self, table: &str, key: &str, json: Bytes) -> Result<(), JournalError> {
        let path = self.path(table, key);
        match &*self.shelf {
            Shelf::Memory(rows) => {
                rows.lock().unwrap_or_else(PoisonError::into_inner).insert(path, json);
                Ok(())
            }
            Shelf::Disk(disk) => disk.put(path, &json),
        }
    }

    /// Writes one value so that the files do not show it: Secrets of the cluster. In memory it is as it is.
    pub fn put_sealed<T: Serialize>(&self, table: &str, key: &str, value: &T) -> Result<(), JournalError> {
        let Shelf::Disk(disk) = &*self.shelf else {
            return self.put(table, key, value);
        };
        let bytes = serde_json::to_vec(value).map_err(|source| decode(table, key, source))?;
        let path = self.path(table, key);
        let sealed = disk
            .seal()
            .seal(&path, bytes)
            .map_err(|error| broken(table, key, error))?;
        disk.put(path, &sealed)
    }

    /// Every value of a table of sealed ones, in the order of the keys.
    pub fn load_sealed<T: DeserializeOwned>(&self, table: &str) -> Result<Vec<(String, T)>, JournalError> {
        let Shelf::Disk(disk) = &*self.shelf else {
            return self.load(table);
        };
        let prefix = self.path(table, "");
        let mut rows = Vec::new();
        disk.each(&prefix, |path, sealed| {
            let key = &path[prefix.len()..];
            let bytes = disk
                .seal()
                .unseal(path, sealed)
                .map_err(|error| broken(table, key, error))?;
            let value = serde_json::from_slice(&bytes).map_err(|source| decode(table, key, source))?;
            rows.push((key.to_owned(), value));
            Ok(())
        })?;
        Ok(rows)
    }

    /// Forgets one value.
    pub fn delete(&self, table: &str, key: &str) -> Result<(), JournalError> {
        let path = self.path(table, key);
        match &*self.shelf {
            Shelf::Memory(rows) => {
                rows.lock().unwrap_or_else(PoisonError::into_inner).remove(&path);
                Ok(())
            }
            Shelf::Disk(disk) => disk.delete(path),
        }
    }

    /// One value.
    pub fn get<T: DeserializeOwned>(&self, table: &str, key: &str) -> Result<Option<T>, JournalError> {
        let path = self.path(table, key);
        let bytes = match &*self.shelf {
            Shelf::Memory(rows) => rows.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned(),
            Shelf::Disk(disk) => disk.get(&path)?.map(Bytes::from),
        };
        let Some(bytes) = bytes else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| decode(table, key, source))
    }

    /// Every value of a table, in the order of the keys.
    pub fn load<T: DeserializeOwned>(&self, table: &str) -> Result<Vec<(String, T)>, JournalError> {
        let mut rows = Vec::new();
        self.each(table, |key, bytes| {
            let value = serde_json::from_slice(bytes).map_err(|source| decode(table, key, source))?;
            rows.push((key.to_owned(), value));
            Ok(())
        })?;
        Ok(rows)
    }

    /// Gives every key of a table and the JSON of its value to `read`, in order.
    pub fn each(
        &self,
        table: &str,
        mut read: impl FnMut(&str, &[u8]) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let prefix = self.path(table, "");
        match &*self.shelf {
            Shelf::Memory(all) => {
                let all = all.lock().unwrap_or_else(PoisonError::into_inner);
                for (path, bytes) in all.range::<str, _>(bounds(&prefix, &self.after(table))) {
                    read(&path[prefix.len()..], bytes)?;
                }
                Ok(())
            }
            Shelf::Disk(disk) => disk.each(&prefix, |path, bytes| read(&path[prefix.len()..], bytes)),
        }
    }

    /// Forgets a whole table, all of it or nothing.
    pub fn clear_table(&self, table: &str) -> Result<(), JournalError> {
        let prefix = self.path(table, "");
        match &*self.shelf {
            Shelf::Memory(rows) => {
                rows.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .retain(|path, _| !path.starts_with(&prefix));
                Ok(())
            }
            Shelf::Disk(disk) => disk.clear(&prefix),
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &*self.shelf {
            Shelf::Memory(_) => "memory",
            Shelf::Disk(_) => "disk",
        };
        f.debug_tuple("Journal").field(&place).finish()
    }
}

fn bounds<'a>(from: &'a str, to: &'a str) -> (Bound<&'a str>, Bound<&'a str>) {
    (Bound::Included(from), Bound::Excluded(to))
}

fn broken(table: &str, key: &str, source: Broken) -> JournalError {
    JournalError::Sealed {
        table: table.to_owned(),
        key: key.to_owned(),
        source: Box::new(source),
    }
}

fn decode(table: &str, key: &str, source: serde_json::Error) -> JournalError {
    JournalError::Decode {
        table: table.to_owned(),
        key: key.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journals() -> (tempfile::TempDir, [Journal; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Journal::open(folder.path()).unwrap();
        (folder, [Journal::in_memory(), disk])
    }

    #[test]
    fn a_table_is_read_in_order_and_alone() {
        let (_folder, journals) = journals();
        for journal in journals {
            journal.put("volumes", "b", &2).unwrap();
            journal.put("volumes", "a", &1).unwrap();
            journal.put("volumes-more", "c", &3).unwrap();
            assert_eq!(
                journal.load::<i32>("volumes").unwrap(),
                [("a".to_owned(), 1), ("b".to_owned(), 2)]
            );
            journal.clear_table("volumes").unwrap();
            assert_eq!(journal.load::<i32>("volumes").unwrap(), []);
            assert_eq!(journal.get::<i32>("volumes-more", "c").unwrap(), Some(3));
        }
    }

    #[test]
    fn rooms_share_the_place_and_no_table() {
        let (folder, journals) = journals();
        for journal in &journals {
            let (left, right) = (journal.room("left"), journal.room("right"));
            journal.put("t", "k", &0).unwrap();
            left.put("t", "k", &1).unwrap();
            right.put_sealed("t", "k", &2).unwrap();
            assert_eq!(left.load::<i32>("t").unwrap(), [("k".to_owned(), 1)]);
            assert_eq!(right.load_sealed::<i32>("t").unwrap(), [("k".to_owned(), 2)]);
            left.clear_table("t").unwrap();
            assert_eq!(left.get::<i32>("t", "k").unwrap(), None);
            assert_eq!(journal.get::<i32>("t", "k").unwrap(), Some(0));
        }
        let right = journals[1].room("right");
        drop(journals);
        assert!(matches!(Journal::open(folder.path()), Err(JournalError::Held { .. })));
        assert_eq!(right.load_sealed::<i32>("t").unwrap().len(), 1);
    }

    #[test]
    fn the_last_write_counts_and_a_deleted_value_is_gone() {
        let (_folder, journals) = journals();
        for journal in journals {
            journal.put("t", "k", &1).unwrap();
            journal.put("t", "k", &2).unwrap();
            assert_eq!(journal.get::<i32>("t", "k").unwrap(), Some(2));
            journal.delete("t", "k").unwrap();
            journal.delete("t", "k").unwrap();
            assert_eq!(journal.get::<i32>("t", "k").unwrap(), None);
        }
    }

    #[test]
    fn sealed_values_are_read_back_and_not_seen_in_the_files() {
        let (folder, journals) = journals();
        for journal in &journals {
            journal.put_sealed("t", "a", &"swordfish").unwrap();
            journal.put("u", "a", &"plainfish").unwrap();
            let rows: Vec<(String, String)> = journal.load_sealed("t").unwrap();
            assert_eq!(rows, [("a".to_owned(), "swordfish".to_owned())]);
        }
        drop(journals);
        let again = Journal::open(folder.path()).unwrap();
        assert_eq!(again.load_sealed::<String>("t").unwrap().len(), 1);
        drop(again);
        assert!(holds(folder.path(), "plainfish") && !holds(folder.path(), "swordfish"));
    }

    /// Whether any file below `folder` holds a text.
    fn holds(folder: &Path, text: &str) -> bool {
        std::fs::read_dir(folder).unwrap().any(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                return holds(&path, text);
            }
            let bytes = std::fs::read(path).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }

    #[test]
    fn a_value_of_another_shape_names_its_place() {
        let journal = Journal::in_memory();
        journal.put("t", "k", &"text").unwrap();
        let error = journal.get::<u32>("t", "k").unwrap_err();
        assert!(error.to_string().contains("t/k"), "{error}");
    }

    #[test]
    fn a_second_opening_is_held_until_the_first_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let first = Journal::open(folder.path()).unwrap();
        assert!(matches!(Journal::open(folder.path()), Err(JournalError::Held { .. })));
        drop(first);
        Journal::open(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Journal::open(file.path().join("state")).unwrap_err();
        assert!(matches!(error, JournalError::Open { .. }), "{error}");
    }
}
