//! State that outlives the process: small tables of JSON values, written through on every change.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A stored value is not what this version expects.
    #[error("the sandbox's state holds a value this version cannot read: {table}/{key}")]
    Decode {
        /// Table.
        table: String,
        /// Key.
        key: String,
        /// What serde says.
        source: serde_json::Error,
    },
}

/// Tables of JSON values by key. A write that returned survives a SIGKILL of the process.
#[derive(Debug, Default)]
pub struct Journal {
    tables: Mutex<BTreeMap<String, BTreeMap<String, Vec<u8>>>>,
}

impl Journal {
    /// A journal that is forgotten with the process.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Writes one value.
    pub fn put<T: Serialize>(&self, table: &str, key: &str, value: &T) -> Result<(), JournalError> {
        let bytes = serde_json::to_vec(value).map_err(|source| decode(table, key, source))?;
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.entry(table.to_owned()).or_default().insert(key.to_owned(), bytes);
        Ok(())
    }

    /// Forgets one value.
    pub fn delete(&self, table: &str, key: &str) -> Result<(), JournalError> {
        if let Some(table) = self.tables.lock().unwrap_or_else(PoisonError::into_inner).get_mut(table) {
            table.remove(key);
        }
        Ok(())
    }

    /// One value.
    pub fn get<T: DeserializeOwned>(&self, table: &str, key: &str) -> Result<Option<T>, JournalError> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = tables.get(table).and_then(|t| t.get(key)) else { return Ok(None) };
        serde_json::from_slice(bytes).map(Some).map_err(|source| decode(table, key, source))
    }

    /// Every value of a table, in the order of the keys.
    pub fn load<T: DeserializeOwned>(&self, table: &str) -> Result<Vec<(String, T)>, JournalError> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rows) = tables.get(table) else { return Ok(Vec::new()) };
        rows.iter()
            .map(|(key, bytes)| {
                let value = serde_json::from_slice(bytes).map_err(|source| decode(table, key, source))?;
                Ok((key.clone(), value))
            })
            .collect()
    }

    /// Forgets a whole table.
    pub fn clear_table(&self, table: &str) -> Result<(), JournalError> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).remove(table);
        Ok(())
    }
}

fn decode(table: &str, key: &str, source: serde_json::Error) -> JournalError {
    JournalError::Decode { table: table.to_owned(), key: key.to_owned(), source }
}
