//! What a cluster needs beside a PersistentVolume to mount a volume, and what a mounted volume holds.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Result, VolumeId};

/// Text that must not be shown: `Debug` hides it, `Display` and `Serialize` do not exist.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive(String);

impl Sensitive {
    /// Takes the text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it on.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sensitive(redacted)")
    }
}

/// A Secret of the cluster by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretRef {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Says what a Secret must contain so that nodes can mount a volume.
///
/// Which Secret that is, and that one is needed at all, a PersistentVolume's source tells: [`PvSource::secret`](crate::PvSource).
#[async_trait]
pub trait MountSecrets: Send + Sync {
    /// The keys and values of the Secret (`Opaque`) with which this volume is mounted; empty where the cloud needs none.
    /// Volumes may share one Secret: the answer is remembered, so that asking for each of them costs no call each.
    async fn mount_secret(&self, id: &VolumeId) -> Result<BTreeMap<String, Sensitive>>;
}

/// Says how full a volume is, where the cloud knows.
#[async_trait]
pub trait Usage: Send + Sync {
    /// Bytes used as the cloud counts them, which may lag by minutes; `None` where the cloud does not look inside (EBS).
    async fn used_bytes(&self, id: &VolumeId) -> Result<Option<u64>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Sensitive::new("hush");
        assert_eq!(format!("{secret:?}"), "Sensitive(redacted)");
        assert_eq!(secret.expose(), "hush");
    }
}
