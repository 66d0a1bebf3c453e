//! What holds volumes, and is of no use without any.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::Result;

/// Something that held volumes, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// What it is, for people: `storage account moorabc`.
    pub what: String,
    /// Whether it is gone now.
    pub gone: bool,
    /// Why it is gone, or why it stays: `it holds 2 deleted shares that can still be restored`.
    pub why: String,
}

/// Clears away what a provider made around volumes, such as storage accounts.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Removes what was made around the volumes of a profile in a cluster and holds nothing any more; what still holds
    /// something stays, and is named with the reason. A cloud without such things has nothing to say.
    async fn sweep(&self, cluster: &str, profile: &str) -> Result<Vec<Swept>>;
}
