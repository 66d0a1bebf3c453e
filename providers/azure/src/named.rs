//! Accounts that exist already and that classes name. They stay as they are but for a mark that says who uses them.

use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_api::{ErrorKind, Result};

use crate::metadata;
use crate::order::Order;
use crate::provider::AzureProvider;
use crate::resources::StorageAccount;

/// Which profile in which cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) profile: &'a str,
}

impl<'a> User<'a> {
    fn of(order: &'a Order<'_>) -> Result<Self> {
        let (cluster, profile) = order.owner()?;
        Ok(Self { cluster, profile })
    }

    /// Who is marked as using the account.
    fn marked_on(account: &'a StorageAccount) -> Option<Self> {
        Self::tagged(account, metadata::USER_CLUSTER, metadata::USER_PROFILE)
    }

    fn tagged(account: &'a StorageAccount, cluster: &str, profile: &str) -> Option<Self> {
        Some(Self {
            cluster: account.tags.get(cluster)?,
            profile: account.tags.get(profile)?,
        })
    }

    /// Whether the account is marked as ours, or was made for us.
    pub(crate) fn is_known_to(self, account: &StorageAccount) -> bool {
        let made_for = User::tagged(account, metadata::ACCOUNT_CLUSTER, metadata::ACCOUNT_PROFILE);
        made_for == Some(self) || User::marked_on(account) == Some(self)
    }

    /// Refuses an account that is another profile's.
    fn check(self, order: &Order<'_>, account: &StorageAccount) -> Result<()> {
        let made_for = User::tagged(account, metadata::ACCOUNT_CLUSTER, metadata::ACCOUNT_PROFILE);
        let (other, how) = match (made_for, User::marked_on(account)) {
            (Some(other), _) if other != self => (other, "was made for"),
            (_, Some(other)) if other != self => (other, "is used by"),
            _ => return Ok(()),
        };
        let message = format!(
            "storage account {} {how} profile {} of cluster {}; name another account, or none",
            account.name, other.profile, other.cluster
        );
        Err(order.error(ErrorKind::AlreadyExists, message))
    }

    fn mark(self) -> [(String, String); 2] {
        [
            (metadata::USER_CLUSTER.to_owned(), self.cluster.to_owned()),
            (metadata::USER_PROFILE.to_owned(), self.profile.to_owned()),
        ]
    }
}

impl AzureProvider {
    /// The account that the class names, checked: it exists, it is what the class says, and no other profile's.
    pub(crate) async fn named_account(&self, order: &Order<'_>) -> Result<Arc<StorageAccount>> {
        let wanted = order.account;
        let name = wanted.name.as_deref().unwrap_or_default();
        let Some(account) = self.locate(name).await? else {
            let message =
                format!("storage account {name} does not exist; make it, or remove storageAccount from the class");
            return Err(order.error(ErrorKind::Invalid, message));
        };
        let group = account.group().unwrap_or_default();
        if let Some(asked) = wanted
            .resource_group
            .as_deref()
            .filter(|asked| !asked.eq_ignore_ascii_case(group))
        {
            let message = format!(
                "storage account {name} is in resource group {group}, and the class says {asked}; correct resourceGroup"
            );
            return Err(order.error(ErrorKind::Invalid, message));
        }
        User::of(order)?.check(order, &account)?;
        if !account.sku.name.eq_ignore_ascii_case(&wanted.sku) {
            let actual = &account.sku.name;
            let message = format!(
                "storage account {name} is {actual}, and the class wants {}; write skuName: {actual}",
                wanted.sku
            );
            return Err(order.error(ErrorKind::Invalid, message));
        }
        self.mark(order, account).await
    }

    /// Marks the account as used by this profile, once: another profile is then refused, and a run that no longer knows of
    /// the class finds what is in the account.
    async fn mark(&self, order: &Order<'_>, account: Arc<StorageAccount>) -> Result<Arc<StorageAccount>> {
        let user = User::of(order)?;
        let cell = self.mark_of(&account.name);
        let marked = cell.get_or_try_init(async || {
            if user.is_known_to(&account) {
                return Ok(Arc::clone(&account));
            }
            let storage = self.storage()?;
            // Lists lag, and a change of tags replaces all of them.
            let Some(now) = storage.account(&account.place()).await? else {
                return Err(order.error(ErrorKind::Stale, "its account is gone a moment ago; run again"));
            };
            user.check(order, &now)?;
            if user.is_known_to(&now) {
                return Ok(self.learn(now).await);
            }
            let mut tags = now.tags.clone();
            tags.extend(user.mark());
            match storage.set_account_tags(&now.place(), &tags).await {
                Ok(changed) => Ok(self.learn(changed).await),
                // Whoever may make shares and not change accounts goes on without.
                Err(error) if error.kind == ErrorKind::Forbidden => {
                    tracing::info!(
                        account = now.name,
                        why = error.message,
                        "the account is not marked as used"
                    );
                    Ok(Arc::new(now))
                }
                Err(error) => Err(error),
            }
        });
        marked.await.cloned()
    }

    /// Takes the mark off an account that this profile no longer uses.
    pub(crate) async fn unmark(&self, account: &StorageAccount) -> Result<()> {
        let storage = self.storage()?;
        let Some(now) = storage.account(&account.place()).await? else {
            return Ok(());
        };
        let ours = [metadata::USER_CLUSTER, metadata::USER_PROFILE];
        let left: BTreeMap<_, _> = now
            .tags
            .iter()
            .filter(|(key, _)| !ours.contains(&key.as_str()))
            .collect();
        let left = left
            .into_iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let changed = storage.set_account_tags(&now.place(), &left).await?;
        self.learn(changed).await;
        Ok(())
    }
}
