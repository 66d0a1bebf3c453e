//! Storage accounts that moorline or a CSI driver made, and what they hold.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use moorline_api::{Content, Error, ErrorKind, Holder, HolderMaker, Holders, Result};
use moorline_azure_rules::{BLOB_DRIVER, FILE_DRIVER, parts_of_id};

use crate::disks::moment;
use crate::errors::{lacks_group, lacks_service};
use crate::metadata;
use crate::provider::AzureProvider;
use crate::resources::{AccountPlace, Locks, ShareListing, StorageAccount};
use crate::upkeep::counted;

/// Accounts looked into at once; the budgets bound the rate of their lists.
const AT_ONCE: usize = 8;

/// The tag on what Azure's drivers make, with its value.
const DRIVERS_TAG: (&str, &str) = ("k8s-azure-created-by", "azure");

/// What is known of the locks that may be on an account: them, or why not.
type KnownLocks = std::result::Result<Locks, String>;

#[async_trait]
impl Holders for AzureProvider {
    fn holders(&self) -> BoxStream<'_, Result<Vec<Holder>>> {
        let all = async move {
            if !self.is_managed() {
                return Ok(stream::empty().boxed());
            }
            let accounts = self.accounts_now().await?;
            let ours = accounts
                .into_iter()
                .filter(|account| maker(account) != HolderMaker::Unknown);
            let locks = Arc::new(self.locks().await);
            let look = move |account: Arc<StorageAccount>| {
                let locks = Arc::clone(&locks);
                async move { Ok(vec![self.holder_of(&account, &locks).await]) }
            };
            Ok(stream::iter(ours).map(look).buffer_unordered(AT_ONCE).boxed())
        };
        stream::once(all)
            .flat_map(|pages| match pages {
                Ok(pages) => pages,
                Err(error) => stream::once(async { Err(error) }).boxed(),
            })
            .boxed()
    }

    async fn holder(&self, id: &str) -> Result<Option<Holder>> {
        match self.account_at(id).await? {
            Some(account) => Ok(Some(self.holder_of(&account, &self.locks().await).await)),
            None => Ok(None),
        }
    }

    async fn delete_holder(&self, id: &str) -> Result<()> {
        let Some(account) = self.account_at(id).await? else {
            return Ok(());
        };
        if maker(&account) == HolderMaker::Unknown {
            let message = "nothing on it says that moorline or a driver made it; moorline does not delete it";
            return Err(error(ErrorKind::Forbidden, id, message));
        }
        match self.content(&account, &self.locks().await).await {
            Content::Nothing => {}
            Content::Something(what) => return Err(error(ErrorKind::InUse, id, format!("it is not empty: {what}"))),
            Content::Unread(why) => {
                let message = format!("whether it is empty could not be found out: {why}");
                return Err(error(ErrorKind::InUse, id, message));
            }
        }
        self.storage()?.delete_account(&account.place()).await?;
        self.forget(&account.name).await;
        Ok(())
    }
}

impl AzureProvider {
    async fn locks(&self) -> KnownLocks {
        let locks = async { self.storage()?.locks().await };
        locks.await.map_err(|error| error.to_string())
    }

    /// The account with this id, as it is now.
    async fn account_at(&self, id: &str) -> Result<Option<StorageAccount>> {
        let place = place(id, self.storage()?.subscription).ok_or_else(|| {
            let message = "this is the id of no storage account in this run's subscription";
            error(ErrorKind::Invalid, id, message)
        })?;
        match self.storage()?.account(&place).await {
            Err(error) if lacks_group(&error) => Ok(None),
            other => other,
        }
    }

    async fn holder_of(&self, account: &StorageAccount, locks: &KnownLocks) -> Holder {
        Holder {
            id: account.id.clone(),
            name: account.name.clone(),
            maker: maker(account),
            content: self.content(account, locks).await,
            tags: metadata::of_resource(&account.tags),
            created: moment(account.properties.creation_time.as_deref()),
        }
    }

    async fn content(&self, account: &StorageAccount, locks: &KnownLocks) -> Content {
        if !account.is_ready() {
            let state = account.properties.provisioning_state.as_deref().unwrap_or_default();
            return Content::Something(format!("it is {state}, and nobody knows what will be in it"));
        }
        let locks = match locks {
            Ok(locks) => locks,
            Err(why) => return Content::Unread(format!("its locks: {why}")),
        };
        if let Some(lock) = locks.on_or_in(&account.id) {
            return Content::Something(format!("resource lock {lock} keeps it"));
        }
        if account.properties.custom_domain.is_some() {
            return Content::Something("it has a domain of its own".to_owned());
        }
        match account.properties.private_endpoint_connections.len() {
            0 => {}
            count => return Content::Something(counted(count, "private endpoint")),
        }
        match self.things_in(account).await {
            Ok(None) => Content::Something(format!("it is of kind {}, which may hold anything", account.kind)),
            Ok(Some(things)) if things.is_empty() => Content::Nothing,
            Ok(Some(things)) => Content::Something(things.join(", ")),
            Err(error) => Content::Unread(error.to_string()),
        }
    }

    /// What is in an account, in words: of the first of its services that has anything, because lists are scarce. `None` where nobody
    /// knows all that can be in one of its kind. Every service is asked, whatever the account was made for.
    async fn things_in(&self, account: &StorageAccount) -> Result<Option<Vec<String>>> {
        let (files, blobs, others) = match account.kind.as_str() {
            "FileStorage" => (true, false, false),
            "BlobStorage" | "BlockBlobStorage" => (false, true, false),
            "StorageV2" | "Storage" => (true, true, true),
            _ => return Ok(None),
        };
        let (storage, place) = (self.storage()?, account.place());
        if files {
            let listing = ShareListing {
                deleted: true,
                ..ShareListing::default()
            };
            let shares = if_served(storage.shares(&place, listing).await)?;
            let deleted = shares.iter().filter(|share| share.is_deleted()).count();
            if !shares.is_empty() {
                return Ok(Some(told([
                    (shares.len() - deleted, "share"),
                    (deleted, "deleted share"),
                ])));
            }
        }
        if blobs {
            let containers = if_served(storage.containers(&place, true).await)?;
            let deleted = containers.iter().filter(|container| container.is_deleted()).count();
            if !containers.is_empty() {
                let counts = [
                    (containers.len() - deleted, "container"),
                    (deleted, "deleted container"),
                ];
                return Ok(Some(told(counts)));
            }
        }
        if !others {
            return Ok(Some(Vec::new()));
        }
        let queues = if_served(storage.count_queues(&place).await)?;
        if queues > 0 {
            return Ok(Some(told([(queues, "queue")])));
        }
        Ok(Some(told([(if_served(storage.count_tables(&place).await)?, "table")])))
    }
}

/// Counts in words, but for those of nothing.
fn told<const N: usize>(counts: [(usize, &str); N]) -> Vec<String> {
    let found = counts.into_iter().filter(|(count, _)| *count > 0);
    found.map(|(count, what)| counted(count, what)).collect()
}

/// Nothing, where the account has no such service.
fn if_served<T: Default>(listed: Result<T>) -> Result<T> {
    match listed {
        Err(error) if lacks_service(&error) => Ok(T::default()),
        other => other,
    }
}

/// Who made an account, as far as that is proved: by our own tags, or by the drivers' tag and a name as they give it.
fn maker(account: &StorageAccount) -> HolderMaker {
    let tag = |key: &str| account.tags.get(key);
    if let (Some(_), Some(cluster)) = (tag(metadata::ACCOUNT_POOL), tag(metadata::ACCOUNT_CLUSTER)) {
        let cluster = cluster.clone();
        return HolderMaker::Moorline { cluster };
    }
    let (key, value) = DRIVERS_TAG;
    let driver = match account.name.as_str() {
        _ if tag(key).map(String::as_str) != Some(value) => None,
        name if name.starts_with("fuse") || name.starts_with("nfs") => Some(BLOB_DRIVER),
        name if name.starts_with('f') => Some(FILE_DRIVER),
        _ => None,
    };
    driver.map_or(HolderMaker::Unknown, |driver| HolderMaker::Driver(driver.to_owned()))
}

/// Where the account with this id is, if it is in the subscription.
fn place(id: &str, own: &str) -> Option<AccountPlace> {
    let [subscription, group, account] = parts_of_id(id, "Microsoft.Storage", "storageAccounts")?;
    subscription.eq_ignore_ascii_case(own).then(|| AccountPlace {
        group: group.to_owned(),
        account: account.to_owned(),
    })
}

fn error(kind: ErrorKind, id: &str, message: impl Into<String>) -> Error {
    Error::new(kind, "Microsoft.Storage/storageAccounts/delete", id, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn makers_are_known_by_tags_and_by_names_that_only_they_give() {
        let driver = |name: &str| HolderMaker::Driver(name.to_owned());
        let ours = json!({"moorline-pool": "p", "moorline-cluster-uid": "c"});
        let theirs = json!({"k8s-azure-created-by": "azure"});
        for (name, tags, expected) in [
            (
                "moorabc",
                &ours,
                HolderMaker::Moorline {
                    cluster: "c".to_owned(),
                },
            ),
            ("f0a1b2c3d4e5f6a7b8c9d0e", &theirs, driver(FILE_DRIVER)),
            ("fuse0a1b2c3d4e5f6a7b8c9", &theirs, driver(BLOB_DRIVER)),
            ("nfs0a1b2c3d4e5f6a7b8c9d", &theirs, driver(BLOB_DRIVER)),
            ("shopdata", &theirs, HolderMaker::Unknown),
            ("f0a1b2", &json!({}), HolderMaker::Unknown),
            ("f0a1b2", &json!({"k8s-azure-created-by": "me"}), HolderMaker::Unknown),
            ("moorabc", &json!({"moorline-cluster-uid": "c"}), HolderMaker::Unknown),
            ("used", &json!({"moorline-used-by-cluster": "c"}), HolderMaker::Unknown),
        ] {
            let account: StorageAccount = serde_json::from_value(json!({"name": name, "tags": tags})).unwrap();
            assert_eq!(maker(&account), expected, "{name}");
        }
    }

    #[test]
    fn ids_of_accounts_are_read_in_any_letter_case_and_of_one_subscription() {
        let id = "/subscriptions/S/resourcegroups/Data/providers/microsoft.storage/storageaccounts/acct";
        let found = place(id, "s").unwrap();
        assert_eq!((&*found.group, &*found.account), ("Data", "acct"));
        for wrong in [
            id.replace("/S/", "/t/"),
            format!("{id}/fileServices"),
            "acct".to_owned(),
            id.replace("storageaccounts", "disks"),
        ] {
            assert_eq!(place(&wrong, "s"), None, "{wrong}");
        }
    }
}
