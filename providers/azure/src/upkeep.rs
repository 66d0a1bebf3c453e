//! Accounts that hold nothing any more, and marks on those that we use no more.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use moorline_api::{Owner, Result, Swept, Tags, Upkeep, tags};
use moorline_azure_rules::{Service, VolumeName};
use tokio::time::sleep;

use crate::metadata;
use crate::named::is_known_to;
use crate::provider::AzureProvider;
use crate::resources::{Container, Retention, Share, ShareListing, StorageAccount};

/// Reads under way at once; the budget bounds their rate.
const AT_ONCE: usize = 8;
/// Lists lag: what one still shows is read. Where it shows more than this, some of it is there.
const MOST_READS: usize = 200;

/// How long a list may take to show deletions, look by look: each costs a call of the scarcest budget.
const SETTLING: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// What is in an account.
#[derive(Clone, Copy, Debug, Default)]
struct Contents {
    held: usize,
    /// Deleted ones that can be brought back.
    kept: usize,
    /// For how many days more, at most.
    days: u32,
}

#[async_trait]
impl Upkeep for AzureProvider {
    async fn sweep(&self, cluster: &str, profile: &str) -> Result<Vec<Swept>> {
        if !self.is_managed() {
            return Ok(Vec::new());
        }
        let owner = Owner { cluster, profile };
        let mut swept = Vec::new();
        for account in self.accounts_now().await? {
            if !is_known_to(owner, &account) {
                continue;
            }
            if account.tags.contains_key(metadata::ACCOUNT_POOL) {
                swept.push(self.sweep_account(&account).await?);
            } else {
                swept.push(self.sweep_mark(&account, owner).await?);
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
        let contents = self.contents(account).await?;
        match contents {
            Contents { held: 0, kept: 0, .. } => {
                self.storage()?.delete_account(&account.place()).await?;
                self.forget(&account.name).await;
                Ok(Swept {
                    what,
                    gone: true,
                    why: "it held nothing any more".to_owned(),
                })
            }
            Contents { held: 0, kept, days } => {
                let volumes = counted(kept, "deleted volume");
                let days = counted(days as usize, "day");
                Ok(stays(format!(
                    "it keeps {volumes} that can still be restored for {days}"
                )))
            }
            Contents { held, .. } => Ok(stays(format!("it holds {}", counted(held, "volume")))),
        }
    }

    /// Takes our mark off an account that somebody else made and that holds no volume of this profile any more.
    async fn sweep_mark(&self, account: &StorageAccount, owner: Owner<'_>) -> Result<Swept> {
        let ours = Tags::from([
            (tags::CLUSTER_UID.to_owned(), owner.cluster.to_owned()),
            (tags::PROFILE.to_owned(), owner.profile.to_owned()),
        ]);
        let volumes: Vec<_> = self.of_account(account, ours).try_concat().await?;
        let what = format!("mark of use on storage account {}", account.name);
        if !volumes.is_empty() {
            let why = format!("it holds {} of this profile", counted(volumes.len(), "volume"));
            return Ok(Swept { what, gone: false, why });
        }
        self.unmark(account).await?;
        let why = "it holds no volume of this profile any more".to_owned();
        Ok(Swept { what, gone: true, why })
    }

    /// Both services are looked at, whatever the account was made for: somebody else may have put something there.
    async fn contents(&self, account: &StorageAccount) -> Result<Contents> {
        let mut contents = Contents::default();
        if !matches!(account.kind.as_str(), "BlockBlobStorage" | "BlobStorage") {
            self.count_shares(account, &mut contents).await?;
        }
        if account.kind != "FileStorage" {
            self.count_containers(account, &mut contents).await?;
        }
        Ok(contents)
    }

    /// Whether Azure told this run that the volume is gone.
    fn was_deleted(&self, account: &StorageAccount, service: Service, name: &str) -> bool {
        VolumeName::new(&account.name, service, name).is_some_and(|name| self.is_gone(&name.id()))
    }

    async fn count_shares(&self, account: &StorageAccount, contents: &mut Contents) -> Result<()> {
        let (storage, place) = (self.storage()?, account.place());
        let listing = ShareListing {
            deleted: true,
            ..ShareListing::default()
        };
        let list = || storage.shares(&place, listing).boxed();
        let lags = |share: &Share| !share.is_deleted() && self.was_deleted(account, Service::Files, &share.name);
        let all = settled(list, lags).await?;
        let (deleted, listed): (Vec<Share>, Vec<Share>) = all.into_iter().partition(Share::is_deleted);
        let shown = listed.len();
        let held = if shown > MOST_READS {
            shown
        } else {
            let place = &place;
            let read = |share: Share| async move { storage.share(place, &share.name, false).await };
            let found: Vec<_> = stream::iter(listed.into_iter().map(read))
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            found.into_iter().flatten().count()
        };
        // Those that the list does not know to be deleted yet are kept as well, where deleted ones are.
        let going = shown - held;
        let retention = match going {
            0 => Retention::default(),
            _ => storage.retention(&place).await?,
        };
        contents.held += held;
        contents.kept += deleted.len() + if retention.enabled { going } else { 0 };
        let days = deleted
            .iter()
            .filter_map(|share| share.properties.remaining_retention_days);
        let days = days.chain(retention.days.filter(|_| retention.enabled));
        contents.days = contents.days.max(days.max().unwrap_or_default());
        Ok(())
    }

    async fn count_containers(&self, account: &StorageAccount, contents: &mut Contents) -> Result<()> {
        let (storage, place) = (self.storage()?, account.place());
        let list = || storage.containers(&place, true).boxed();
        let lags = |one: &Container| !one.is_deleted() && self.was_deleted(account, Service::Blobs, &one.name);
        let all = settled(list, lags).await?;
        let (deleted, listed): (Vec<Container>, Vec<Container>) = all.into_iter().partition(Container::is_deleted);
        contents.held += if listed.len() > MOST_READS {
            listed.len()
        } else {
            let place = &place;
            let read = |container: Container| async move { storage.container(place, &container.name).await };
            let found: Vec<_> = stream::iter(listed.into_iter().map(read))
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            found.into_iter().flatten().count()
        };
        contents.kept += deleted.len();
        let days = deleted.iter().filter_map(|one| one.properties.remaining_retention_days);
        contents.days = contents.days.max(days.max().unwrap_or_default());
        Ok(())
    }
}

/// What a list shows, once it shows no more what lags; after a few looks, what it shows then.
async fn settled<'a, T>(list: impl Fn() -> BoxFuture<'a, Result<Vec<T>>>, lags: impl Fn(&T) -> bool) -> Result<Vec<T>> {
    for pause in SETTLING {
        let all = list().await?;
        if !all.iter().any(&lags) {
            return Ok(all);
        }
        sleep(pause).await;
    }
    list().await
}

/// `1 volume`, `2 volumes`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
