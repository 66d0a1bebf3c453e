//! Where runs keep what must outlive them: records and leases, as small values under keys.
//!
//! All that is asked of a store is that two writers never both believe that they won: a key is made by one of them, and a value
//! is replaced or deleted only by who has seen the one that is there. Leases and records are made of that in `moorline-store`.

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// The most bytes of a value.
pub const MAX_VALUE: usize = 8 << 20;

/// The most bytes of a key.
const MAX_KEY: usize = 256;

/// The most bytes of one segment of a key.
const MAX_SEGMENT: usize = 128;

/// A key: segments of lower-case letters, digits and `-`, `_`, `.`, joined by `/`. Each begins and ends with a letter or digit.
///
/// The same key is good as a file, an S3 object and a blob, also where file names know no upper case. No key is the folder of
/// another one: `a` and `a/b` do not go together, for a file is no folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct StoreKey(String);

impl StoreKey {
    /// Checks the text.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let problem = if text.len() > MAX_KEY {
            format!("it has {} bytes, and {MAX_KEY} is the most", text.len())
        } else if let Some(segment) = text.split('/').find(|segment| !is_segment(segment)) {
            format!(
                "{segment:?} is not 1 to {MAX_SEGMENT} of a-z, 0-9, -, _ and . with a letter or digit at both ends; use such names"
            )
        } else {
            return Ok(Self(text));
        };
        Err(Error::new(
            ErrorKind::Invalid,
            "name a key",
            crate::words::clean(&text),
            problem,
        ))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of `name` in the folder that this key names.
    pub fn join(&self, name: &str) -> Result<Self> {
        Self::new(format!("{}/{name}", self.0))
    }

    /// What is left of the key below a folder: `b/c` of `a/b/c` in `a`.
    pub fn below(&self, folder: &Self) -> Option<&str> {
        self.0.strip_prefix(folder.as_str())?.strip_prefix('/')
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_segment(segment: &str) -> bool {
    let ends = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (Some(first), Some(last)) = (segment.bytes().next(), segment.bytes().last()) else {
        return false;
    };
    let inner = |byte: u8| ends(byte) || matches!(byte, b'-' | b'_' | b'.');
    segment.len() <= MAX_SEGMENT && ends(first) && ends(last) && segment.bytes().all(inner)
}

/// Which value of a key it is. Every other value has another version; the very same bytes, written again, may have the same one
/// (S3's are hashes of the bytes), so what is compared and swapped has to say something new each time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreVersion(String);

impl StoreVersion {
    /// The store's own word for it.
    pub fn new(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// The store's own word for it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value, and which one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The bytes.
    pub value: Vec<u8>,
    /// Which value it is.
    pub version: StoreVersion,
}

/// Values under keys, written on conditions.
///
/// Whoever starts to read after a write was answered sees it. A value is read whole or not at all, also when its writer was
/// killed. Where an answer was lost, the store finds out by itself whether the write had its effect; where it cannot, the call fails
/// with a transient error, and only reading tells. A value that was overwritten before that could be found out is reported
/// as [`ErrorKind::Stale`], though for a moment it was there.
///
/// Values over [`MAX_VALUE`] are [`ErrorKind::Invalid`], written or read.
#[async_trait]
pub trait RunStore: fmt::Debug + Send + Sync {
    /// The store for people, without secrets: `s3://bucket/prefix`.
    fn place(&self) -> &str;

    /// The value of a key, or `None` where there is none. A folder, bucket or container that is missing or may not be read is an
    /// error and never `None`.
    async fn read(&self, key: &StoreKey) -> Result<Option<Stored>>;

    /// Makes a key that is not there; else [`ErrorKind::AlreadyExists`].
    async fn create(&self, key: &StoreKey, value: &[u8]) -> Result<StoreVersion>;

    /// Puts a value in place of the one that is `expected`; [`ErrorKind::Stale`] where another one is there, or none.
    async fn replace(&self, key: &StoreKey, value: &[u8], expected: &StoreVersion) -> Result<StoreVersion>;

    /// Deletes a key whose value is `expected`; [`ErrorKind::Stale`] where another one is there, or none.
    async fn delete(&self, key: &StoreKey, expected: &StoreVersion) -> Result<()>;

    /// The keys in a folder and its folders, or all of them, in the order of their bytes. Pages are read as the stream is. What
    /// has no name that is a key is somebody else's, and left out. A stream that ends without an error is complete.
    fn list(&self, folder: Option<&StoreKey>) -> BoxStream<'_, Result<StoreKey>>;
}

/// A key as it was written, checked again.
impl<'de> Deserialize<'de> for StoreKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_safe_names() {
        for good in [
            "a",
            "leases/gc.json",
            "runs/2026-11/21t152203.123z-0a/000001.jsonl",
            "a_b/c-d/0",
        ] {
            assert_eq!(StoreKey::new(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(129);
        let deep = "x/".repeat(130) + "x";
        for bad in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", ".lock", "a/.tmp", "A", "ä", "a b", "a\\b", "a\0", "a\n",
            "-a", "a-", "a.", "a%2fb", "~", &long, &deep,
        ] {
            assert_eq!(StoreKey::new(bad).unwrap_err().kind, ErrorKind::Invalid, "{bad:?}");
        }
    }

    #[test]
    fn keys_know_their_folder() {
        let folder = StoreKey::new("runs").unwrap();
        let key = folder.join("2026/a").unwrap();
        assert_eq!(key.below(&folder), Some("2026/a"));
        assert_eq!(StoreKey::new("runs-old/a").unwrap().below(&folder), None);
        assert_eq!(folder.below(&folder), None);
        assert!(folder.join("../a").is_err());
    }

    #[test]
    fn keys_are_checked_when_they_are_read() {
        assert!(serde_json::from_str::<StoreKey>("\"a/b\"").is_ok());
        assert!(serde_json::from_str::<StoreKey>("\"../b\"").is_err());
    }
}
