//! Which storage accounts there are. Lists are the scarcest calls of all, 100 in 5 minutes: one is read and remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use moorline_api::{Error, ErrorKind, Result};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::provider::{AzureProvider, locked};
use crate::resources::{AccountPlace, StorageAccount};

/// A list older than this is read again where an account is missing in it.
const FRESH: Duration = Duration::from_secs(20);

/// The accounts of the subscription, by name.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    known: Mutex<Option<Known>>,
    /// Every account that was ever in a list.
    seen: std::sync::Mutex<BTreeSet<String>>,
}

#[derive(Debug)]
struct Known {
    accounts: BTreeMap<String, Arc<StorageAccount>>,
    read: Instant,
}

impl AzureProvider {
    /// All accounts, as of now.
    pub(crate) async fn accounts_now(&self) -> Result<Vec<Arc<StorageAccount>>> {
        let mut known = self.directory.known.lock().await;
        let known = known.insert(self.read_accounts().await?);
        Ok(known.accounts.values().cloned().collect())
    }

    /// All accounts, as of the first time that someone asked, and those made since.
    pub(crate) async fn accounts_known(&self) -> Result<Vec<Arc<StorageAccount>>> {
        let mut known = self.directory.known.lock().await;
        let known = match &mut *known {
            Some(known) => known,
            empty => empty.insert(self.read_accounts().await?),
        };
        Ok(known.accounts.values().cloned().collect())
    }

    async fn read_accounts(&self) -> Result<Known> {
        let accounts = self.storage()?.accounts().await?;
        locked(&self.directory.seen).extend(accounts.iter().map(|account| account.name.clone()));
        let accounts = accounts
            .into_iter()
            .map(|account| (account.name.clone(), Arc::new(account)));
        Ok(Known {
            accounts: accounts.collect(),
            read: Instant::now(),
        })
    }

    /// Whether an account was in a list before, be it no longer.
    pub(crate) fn has_seen(&self, account: &str) -> bool {
        locked(&self.directory.seen).contains(account)
    }

    /// Adds an account that was made or read by itself: lists lag.
    pub(crate) async fn learn(&self, account: StorageAccount) -> Arc<StorageAccount> {
        let account = Arc::new(account);
        if let Some(known) = &mut *self.directory.known.lock().await {
            known.accounts.insert(account.name.clone(), Arc::clone(&account));
        }
        account
    }

    /// Forgets an account that was deleted.
    pub(crate) async fn forget(&self, account: &str) {
        if let Some(known) = &mut *self.directory.known.lock().await {
            known.accounts.remove(account);
        }
    }

    /// An account by name, wherever in the subscription it is.
    pub(crate) async fn find_account(&self, name: &str) -> Result<Option<Arc<StorageAccount>>> {
        let mut known = self.directory.known.lock().await;
        if let Some(known) = &*known {
            let found = known.accounts.get(name);
            if found.is_some() || known.read.elapsed() < FRESH {
                return Ok(found.cloned());
            }
        }
        let known = known.insert(self.read_accounts().await?);
        Ok(known.accounts.get(name).cloned())
    }

    /// An account by name, or `None` where there is none of that name in all of Azure. One that is somewhere else is an error:
    /// what is in it cannot be told from what is gone.
    pub(crate) async fn locate(&self, name: &str) -> Result<Option<Arc<StorageAccount>>> {
        if let Some(account) = self.find_account(name).await? {
            return Ok(Some(account));
        }
        let storage = self.storage()?;
        if storage.name_taken(name).await?.is_none() {
            return Ok(None);
        }
        let message = format!(
            "the account exists, and not where subscription {} shows it; one that was made a moment ago is listed late: run again; or check \
             AZURE_SUBSCRIPTION_ID, and the permission to read accounts",
            storage.subscription
        );
        Err(Error::new(
            ErrorKind::Invalid,
            "Microsoft.Storage/storageAccounts/read",
            name,
            message,
        ))
    }
}

impl StorageAccount {
    /// Where it is.
    pub(crate) fn place(&self) -> AccountPlace {
        AccountPlace {
            group: self.group().unwrap_or_default().to_owned(),
            account: self.name.clone(),
        }
    }
}
