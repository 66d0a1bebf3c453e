//! The cloud account in use.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::Result;

/// An AWS account number or an Azure subscription id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub String);

/// Who we are in the cloud, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account or subscription.
    pub id: AccountId,
    /// The caller, for people: an ARN or an object id.
    pub caller: String,
    /// The region that calls go to.
    pub region: String,
    /// The zones of the region that may be used, sorted.
    pub zones: Vec<String>,
}

/// Says who we are.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Account, caller, region and its zones. Asked once, then remembered.
    async fn account(&self) -> Result<Account>;
}
