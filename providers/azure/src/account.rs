//! Who we are, and where.

use async_trait::async_trait;
use moorline_api::{Account, AccountId, Accounts, Error, Result};

use crate::provider::AzureProvider;
use crate::resources::Claims;

#[async_trait]
impl Accounts for AzureProvider {
    async fn account(&self) -> Result<Account> {
        self.account.get_or_try_init(|| self.ask()).await.cloned()
    }
}

impl AzureProvider {
    /// The subscription is read to see that there is one and that the tenant is right; what a token says is not proof.
    async fn ask(&self) -> Result<Account> {
        let storage = self.storage()?;
        let token = self.arm.token().await.map_err(|error| Error {
            resource: storage.subscription.to_owned(),
            ..error
        })?;
        let subscription = storage.subscription().await?;
        let home = self.home().await?;
        Ok(Account {
            id: AccountId(subscription.subscription_id),
            caller: Claims::of(&token).caller(),
            region: home.location.clone(),
            // Shares and containers live in a region, not in one of its zones.
            zones: Vec::new(),
        })
    }
}
