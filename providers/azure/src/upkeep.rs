//! Accounts that hold nothing any more.

use async_trait::async_trait;
use moorline_api::{Result, Swept, Upkeep};

use crate::metadata;
use crate::provider::AzureProvider;
use crate::resources::{ShareListing, StorageAccount};

#[async_trait]
impl Upkeep for AzureProvider {
    async fn sweep(&self, cluster: &str, profile: &str) -> Result<Vec<Swept>> {
        if !self.is_managed() {
            return Ok(Vec::new());
        }
        let tagged =
            |account: &StorageAccount, key: &str, value: &str| account.tags.get(key).is_some_and(|tag| tag == value);
        let mut swept = Vec::new();
        for account in self.accounts_now().await? {
            let ours = account.tags.contains_key(metadata::ACCOUNT_POOL)
                && tagged(&account, metadata::ACCOUNT_CLUSTER, cluster)
                && tagged(&account, metadata::ACCOUNT_PROFILE, profile);
            if ours {
                swept.push(self.sweep_account(&account).await?);
            }
        }
        Ok(swept)
    }
}

impl AzureProvider {
    async fn sweep_account(&self, account: &StorageAccount) -> Result<Swept> {
        let what = format!("storage account {}", account.name);
        let stays = |why: String| Swept {
            what: what.clone(),
            gone: false,
            why,
        };
        if !account.is_ready() {
            return Ok(stays("it is still being made".to_owned()));
        }
        let storage = self.storage()?;
        let place = account.place();
        // Both services are looked at, whatever the account was made for: somebody else may have put something there.
        let mut deleted = 0;
        let mut held = 0;
        if !matches!(account.kind.as_str(), "BlockBlobStorage" | "BlobStorage") {
            let listing = ShareListing {
                deleted: true,
                ..ShareListing::default()
            };
            let shares = storage.shares(&place, listing).await?;
            deleted = shares.iter().filter(|share| share.is_deleted()).count();
            held = shares.len() - deleted;
        }
        if account.kind != "FileStorage" {
            held += storage.containers(&place).await?.len();
        }
        match (held, deleted) {
            (0, 0) => {
                storage.delete_account(&place).await?;
                self.forget(&account.name).await;
                Ok(Swept {
                    what,
                    gone: true,
                    why: "it held nothing any more".to_owned(),
                })
            }
            (0, deleted) => Ok(stays(format!(
                "it keeps {deleted} deleted shares that can still be restored"
            ))),
            (held, _) => Ok(stays(format!("it holds {held} volumes"))),
        }
    }
}
