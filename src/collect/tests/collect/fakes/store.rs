//! A run store in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use moorline_api::{Error, ErrorKind, Result, RunStore, StoreKey, StoreVersion, Stored};

use super::Script;

#[derive(Debug, Default)]
struct Inner {
    values: BTreeMap<StoreKey, (Vec<u8>, u64)>,
    writes: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct MemoryStore {
    script: Script,
    inner: Arc<Mutex<Inner>>,
}

impl MemoryStore {
    pub(crate) fn new(script: &Script) -> Self {
        Self {
            script: script.clone(),
            inner: Arc::default(),
        }
    }

    /// The value of a key as text.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let inner = self.inner.lock().unwrap();
        let value = inner.values.get(&StoreKey::new(key).unwrap())?;
        Some(String::from_utf8(value.0.clone()).unwrap())
    }

    /// Puts a value in place, as somebody else would.
    pub(crate) fn put(&self, key: &str, value: &str) {
        let mut inner = self.inner.lock().unwrap();
        inner.writes += 1;
        let version = inner.writes;
        let key = StoreKey::new(key).unwrap();
        inner.values.insert(key, (value.as_bytes().to_vec(), version));
    }

    pub(crate) fn remove(&self, key: &str) {
        let mut inner = self.inner.lock().unwrap();
        inner.values.remove(&StoreKey::new(key).unwrap());
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap();
        inner.values.keys().map(ToString::to_string).collect()
    }
}

fn version(number: u64) -> StoreVersion {
    StoreVersion::new(number.to_string())
}

fn stale(key: &StoreKey) -> Error {
    Error::new(ErrorKind::Stale, "replace", key.as_str(), "another one is there")
}

#[async_trait]
impl RunStore for MemoryStore {
    fn place(&self) -> &'static str {
        "memory"
    }

    async fn read(&self, key: &StoreKey) -> Result<Option<Stored>> {
        let call = format!("read {key}");
        let fate = self.script.begins(&call).await?;
        let found = self.inner.lock().unwrap().values.get(key).cloned();
        fate.ends(&call).await?;
        Ok(found.map(|(value, number)| Stored {
            value,
            version: version(number),
        }))
    }

    async fn create(&self, key: &StoreKey, value: &[u8]) -> Result<StoreVersion> {
        let call = format!("!create {key}");
        let fate = self.script.begins(&call).await?;
        let number = {
            let mut inner = self.inner.lock().unwrap();
            if inner.values.contains_key(key) {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    "create",
                    key.as_str(),
                    "it is there",
                ));
            }
            inner.writes += 1;
            let number = inner.writes;
            inner.values.insert(key.clone(), (value.to_vec(), number));
            number
        };
        fate.ends(&call).await?;
        Ok(version(number))
    }

    async fn replace(&self, key: &StoreKey, value: &[u8], expected: &StoreVersion) -> Result<StoreVersion> {
        let call = format!("!replace {key}");
        let fate = self.script.begins(&call).await?;
        let number = {
            let mut inner = self.inner.lock().unwrap();
            let there = inner.values.get(key).map(|(_, number)| version(*number));
            if there.as_ref() != Some(expected) {
                return Err(stale(key));
            }
            inner.writes += 1;
            let number = inner.writes;
            inner.values.insert(key.clone(), (value.to_vec(), number));
            number
        };
        fate.ends(&call).await?;
        Ok(version(number))
    }

    async fn delete(&self, key: &StoreKey, expected: &StoreVersion) -> Result<()> {
        let call = format!("!remove {key}");
        let fate = self.script.begins(&call).await?;
        {
            let mut inner = self.inner.lock().unwrap();
            let there = inner.values.get(key).map(|(_, number)| version(*number));
            if there.as_ref() != Some(expected) {
                return Err(stale(key));
            }
            inner.values.remove(key);
        }
        fate.ends(&call).await
    }

    fn list(&self, folder: Option<&StoreKey>) -> BoxStream<'_, Result<StoreKey>> {
        let inner = self.inner.lock().unwrap();
        let within = |key: &&StoreKey| folder.is_none_or(|folder| key.below(folder).is_some());
        let keys: Vec<_> = inner.values.keys().filter(within).cloned().map(Ok).collect();
        stream::iter(keys).boxed()
    }
}
