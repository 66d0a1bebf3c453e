//! Who we are, and where.

use async_trait::async_trait;
use moorline_api::{Account, AccountId, Accounts, Error, ErrorKind, Result};

use crate::provider::AzureProvider;
use crate::resources::Claims;

/// The region of a storage account that nothing but its connection string is known of.
const NO_REGION: &str = "local";

#[async_trait]
impl Accounts for AzureProvider {
    async fn account(&self) -> Result<Account> {
        self.account.get_or_try_init(|| self.ask()).await.cloned()
    }
}

impl AzureProvider {
    /// The subscription is read to see that there is one and that the tenant is right; what a token says is not proof.
    async fn ask(&self) -> Result<Account> {
        if let Some(given) = self.given.as_ref().filter(|_| !self.is_managed()) {
            return Ok(Account {
                id: AccountId(given.name().to_owned()),
                caller: format!("whoever has the connection string of storage account {}", given.name()),
                region: self.settings.location.clone().unwrap_or_else(|| NO_REGION.to_owned()),
                zones: Vec::new(),
            });
        }
        let (id, caller) = self.sign_in().await?;
        let region = self.region().await?;
        Ok(Account {
            id,
            caller,
            region,
            // Shares and containers live in a region, not in one of its zones.
            zones: Vec::new(),
        })
    }

    /// The subscription, once it was read by somebody of the right tenant. No resource group or region has to be named for that.
    pub async fn subscription(&self) -> Result<AccountId> {
        self.sign_in().await.map(|(id, _)| id)
    }

    /// The subscription, and who we are to it.
    async fn sign_in(&self) -> Result<(AccountId, String)> {
        let storage = self.storage()?;
        let token = self.arm.token().await.map_err(|error| Error {
            resource: storage.subscription.to_owned(),
            ..error
        })?;
        let claims = Claims::of(&token);
        // Before the first call: Azure says no to a token of another tenant, and less clearly.
        self.check_tenant(claims.tenant(), "the token is of")?;
        let subscription = storage.subscription().await?;
        self.check_tenant(subscription.tenant_id.as_deref(), "the subscription is of")?;
        if claims.tenant().is_none() && subscription.tenant_id.is_none() {
            self.check_tenant(Some("nobody knows which"), "the token is of")?;
        }
        Ok((
            AccountId(subscription.subscription_id.to_ascii_lowercase()),
            claims.caller(),
        ))
    }

    /// A profile that pins a tenant is served in no other.
    fn check_tenant(&self, actual: Option<&str>, whose: &str) -> Result<()> {
        let (Some(pinned), Some(actual)) = (self.settings.tenant.as_deref(), actual) else {
            return Ok(());
        };
        if pinned.eq_ignore_ascii_case(actual) {
            return Ok(());
        }
        let message = format!(
            "{whose} tenant {actual}, and the profile pins {pinned}; sign in to that one (az login --tenant {pinned}, or AZURE_TENANT_ID), or correct the profile"
        );
        let subscription = self.settings.subscription.clone().unwrap_or_default();
        Err(Error::new(
            ErrorKind::Unauthenticated,
            "sign in to Azure",
            subscription,
            message,
        ))
    }
}
