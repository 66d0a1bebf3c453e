//! Accounts that exist already and that classes name. They stay as they are but for a mark that says who uses them.

use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_api::{ErrorKind, Owner, Result};
use moorline_azure_rules::Service;

use crate::metadata;
use crate::order::Order;
use crate::provider::AzureProvider;
use crate::resources::StorageAccount;

/// Whether the account is marked as used by this profile, or was made for it.
pub(crate) fn is_known_to(owner: Owner<'_>, account: &StorageAccount) -> bool {
    maker(account) == Some(owner) || user(account) == Some(owner)
}

/// For whom the account was made, of one of ours.
fn maker(account: &StorageAccount) -> Option<Owner<'_>> {
    tagged(account, metadata::ACCOUNT_CLUSTER, metadata::ACCOUNT_PROFILE)
}

/// Who is marked as using the account.
fn user(account: &StorageAccount) -> Option<Owner<'_>> {
    tagged(account, metadata::USER_CLUSTER, metadata::USER_PROFILE)
}

fn tagged<'a>(account: &'a StorageAccount, cluster: &str, profile: &str) -> Option<Owner<'a>> {
    Some(Owner {
        cluster: account.tags.get(cluster)?,
        profile: account.tags.get(profile)?,
    })
}

/// Refuses an account that is another profile's.
fn check_owner(order: &Order<'_>, account: &StorageAccount) -> Result<()> {
    let own = order.owner()?;
    let (other, how) = match (maker(account), user(account)) {
        (Some(other), _) if other != own => (other, "was made for"),
        (_, Some(other)) if other != own => (other, "is used by"),
        _ => return Ok(()),
    };
    let message = format!(
        "storage account {} {how} profile {} of cluster {}; name another account, or none",
        account.name, other.profile, other.cluster
    );
    Err(order.error(ErrorKind::AlreadyExists, message))
}

impl AzureProvider {
    /// The account that the class names, checked: it exists, it is what the class says, and no other profile's.
    pub(crate) async fn checked_account(&self, order: &Order<'_>) -> Result<Arc<StorageAccount>> {
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
        check_owner(order, &account)?;
        if !account.sku.name.eq_ignore_ascii_case(&wanted.sku) {
            let actual = &account.sku.name;
            let message = format!(
                "storage account {name} is {actual}, and the class wants {}; write skuName: {actual}",
                wanted.sku
            );
            return Err(order.error(ErrorKind::Invalid, message));
        }
        let (lacking, what) = match order.service {
            Service::Files => (["BlobStorage", "BlockBlobStorage"].as_slice(), "file shares"),
            Service::Blobs => (["FileStorage"].as_slice(), "blob containers"),
        };
        if lacking.contains(&&*account.kind) {
            let message = format!(
                "storage account {name} is of kind {}, which has no {what}; name another account, or none",
                account.kind
            );
            return Err(order.error(ErrorKind::Invalid, message));
        }
        Ok(account)
    }

    /// The account that the class names, checked and marked as used.
    pub(crate) async fn named_account(&self, order: &Order<'_>) -> Result<Arc<StorageAccount>> {
        let account = self.checked_account(order).await?;
        self.mark(order, account).await
    }

    /// Marks the account as used by this profile, once: another profile is then refused, and a run that no longer knows of
    /// the class finds what is in the account.
    async fn mark(&self, order: &Order<'_>, account: Arc<StorageAccount>) -> Result<Arc<StorageAccount>> {
        let own = order.owner()?;
        let cell = self.mark_of(&account.name);
        let marked = cell.get_or_try_init(async || {
            if is_known_to(own, &account) {
                return Ok(Arc::clone(&account));
            }
            let storage = self.storage()?;
            // Lists lag, and a change of tags replaces all of them.
            let Some(now) = storage.account(&account.place()).await? else {
                return Err(order.error(
                    ErrorKind::Stale,
                    "its account was there a moment ago, and is gone; run again",
                ));
            };
            check_owner(order, &now)?;
            if is_known_to(own, &now) {
                return Ok(self.learn(now).await);
            }
            let mut tags = now.tags.clone();
            let mark = [
                (metadata::USER_CLUSTER, own.cluster),
                (metadata::USER_PROFILE, own.profile),
            ];
            tags.extend(mark.map(|(key, value)| (key.to_owned(), value.to_owned())));
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
