//! What the simulated CSI drivers ask of the cloud, in process: accounts chosen or made as the drivers do it, containers,
//! disks, and whether a key opens an account.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::cloud::{AzureCloud, Disk, Share, StorageAccount};
use crate::compute;
use crate::error::AzureError;
use crate::operation::Rate;
use crate::resources::locks;
use crate::session::{Place, Session};
use crate::stock;
use crate::storage::account::AccountRecord;
use crate::storage::accounts::{self, NewAccount};
use crate::storage::properties::AccountProperties;
use crate::storage::share::{Protocol, ShareProperties};
use crate::storage::sku::{Kind, Sku};
use crate::storage::{container, deletion, keys, names, share, shares};

/// Accounts with this tag are left alone by drivers that look for one, whatever its value.
const SKIP_MATCHING: &str = "skip-matching";

/// What a driver wants of an account that it did not get named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountWish {
    /// The resource group to look in.
    pub resource_group: String,
    /// The SKU, `Standard_LRS`.
    pub sku: String,
    /// The region; the cloud's own where it is `None`.
    pub location: Option<String>,
    /// For files; otherwise for blobs.
    pub files: bool,
    /// The tags of an account that has to be made.
    pub tags: BTreeMap<String, String>,
    /// The name of an account that has to be made.
    pub name: String,
}

/// A living blob container, as the sandbox's controllers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Container {
    /// The account that it is in.
    pub account: String,
    /// Its name.
    pub name: String,
    /// What is written on it.
    pub metadata: BTreeMap<String, String>,
}

/// A share for a driver to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewShare {
    /// The account to make it in.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Its quota, in GiB.
    pub quota_gib: u64,
    /// Whether it speaks NFS, and not SMB.
    pub nfs: bool,
    /// What to write on it.
    pub metadata: BTreeMap<String, String>,
}

impl NewShare {
    pub(crate) fn properties(&self) -> ShareProperties {
        ShareProperties {
            share_quota: Some(self.quota_gib),
            enabled_protocols: self.nfs.then_some(Protocol::Nfs),
            metadata: Some(self.metadata.clone()),
            ..ShareProperties::default()
        }
    }
}

/// A disk for a driver to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDisk {
    /// Its resource group.
    pub resource_group: String,
    /// Its name.
    pub name: String,
    /// The SKU, `StandardSSD_LRS`.
    pub sku: String,
    /// Its size, in GiB.
    pub size_gib: u64,
    /// Its zone, `1`; none puts it anywhere in the region.
    pub zone: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl AzureCloud {
    /// The first account, by name, that a driver would take for its own: in the group, of that kind, SKU and region, and
    /// not tagged `skip-matching`. Where there is none, one is made, which is ready at the moment that comes with it.
    pub fn match_account(&self, wish: &AccountWish) -> Result<(StorageAccount, Timestamp), AzureError> {
        self.at_home(|session| {
            let settings = session.settings.clone();
            let sku = Sku::find(&wish.sku).ok_or_else(|| AzureError::values("sku"))?;
            let kind = kind(sku, wish.files);
            let location = wish.location.clone().unwrap_or_else(|| settings.location.clone());
            let location = crate::locations::normal(&location);
            let place = Place {
                subscription: settings.home(),
                group: &wish.resource_group,
                account: &wish.name,
            };
            session.group(settings.home(), &wish.resource_group)?;
            let suits = |account: &&AccountRecord| {
                account.exists()
                    && account.is_at(place)
                    && (account.kind, account.sku.as_str()) == (kind, sku.name())
                    && account.location == location
                    && !account.tags.contains_key(SKIP_MATCHING)
            };
            let all = session.estate.accounts.all().map(|(_, account)| account);
            if let Some(account) = all.into_iter().find(suits) {
                return Ok((StorageAccount::of(account), account.ready_at));
            }
            names::check_account(&wish.name)?;
            names::check_free(session, &wish.name, settings.home())?;
            let new = NewAccount {
                sku,
                kind,
                location,
                tags: wish.tags.clone(),
                properties: AccountProperties::default(),
            };
            let made = accounts::make(session, place, new)?;
            Ok((StorageAccount::of(&made), made.ready_at))
        })
    }

    /// Whether this is one of the keys of an account that exists.
    pub fn opens(&self, account: &str, key: &str) -> bool {
        self.look(|session| {
            living(session, account).is_some_and(|account| {
                (0..account.keys.len()).any(|index| keys::value(account, index, &session.estate.seed) == key)
            })
        })
    }

    /// Makes a share; one of that name that is there already is success and stays as it is, unless it is too small.
    pub fn make_share(&self, new: &NewShare) -> Result<Share, AzureError> {
        self.at_home(|session| {
            let account = living(session, &new.account)
                .cloned()
                .ok_or_else(|| gone(&new.account))?;
            let path = ["fileServices", "default", "shares", &new.name];
            locks::check_drivers(session, Rate::Write, Some(&account), path)?;
            names::check_child(&new.name)?;
            if let Ok(there) = share::living(session, &account.name, &new.name) {
                return match there.quota {
                    quota if quota < new.quota_gib => Err(AzureError::of_service(
                        409,
                        "ShareAlreadyExists",
                        "The specified share already exists.",
                    )),
                    _ => Ok(Share::of(there)),
                };
            }
            let asked = new.properties();
            shares::check(&account, &asked)?;
            Ok(Share::of(&shares::create(session, &account, &new.name, asked)?))
        })
    }

    /// One living share.
    pub fn share(&self, account: &str, name: &str) -> Option<Share> {
        self.look(|session| share::living(session, account, name).ok().map(Share::of))
    }

    /// Makes a container in an account; one that is there already is success and stays as it is.
    pub fn create_container(&self, account: &str, name: &str) -> Result<Container, AzureError> {
        self.at_home(|session| {
            let account = living(session, account).cloned().ok_or_else(|| gone(account))?;
            account.must_have_blobs()?;
            let path = ["blobServices", "default", "containers", name];
            locks::check_drivers(session, Rate::Write, Some(&account), path)?;
            names::check_child(name)?;
            let made = container::create(session, &account, name, BTreeMap::new())?;
            Ok(Container::of(&made))
        })
    }

    /// One living container.
    pub fn container(&self, account: &str, name: &str) -> Option<Container> {
        self.look(|session| container::living(session, account, name).ok().map(Container::of))
    }

    /// Every living container of an account, by name.
    pub fn containers(&self, account: &str) -> Vec<Container> {
        self.look(|session| {
            let all = session.estate.containers.under(&format!("{account}!"));
            let living = all.map(|(_, container)| container).filter(|one| one.exists());
            living.map(Container::of).collect()
        })
    }

    /// Deletes a container, which is kept as the account's policy says; success also where there is none.
    pub fn delete_container(&self, account: &str, name: &str) -> Result<(), AzureError> {
        self.at_home(|session| {
            let around = living(session, account);
            let path = ["blobServices", "default", "containers", name];
            locks::check_drivers(session, Rate::Delete, around, path)?;
            let retention = around.and_then(|account| account.container_retention);
            if container::living(session, account, name).is_ok() {
                let deletion = deletion::Deletion::new(session, retention);
                container::end(session, account, name, deletion)?;
            }
            Ok(())
        })
    }

    /// Makes a disk; one of that name in that group is success and stays as it is. It is ready at the moment that comes
    /// with it.
    pub fn create_disk(&self, new: &NewDisk) -> Result<(Disk, Timestamp), AzureError> {
        self.at_home(|session| {
            let settings = session.settings.clone();
            let key = compute::key_of(settings.home(), &new.resource_group, &new.name);
            if let Some(there) = session.estate.disks.get(&key).filter(|disk| disk.stays()) {
                return Ok((Disk::of(there), there.ready_at));
            }
            let disk = stock::new_disk(session, new, session.now + settings.deletion())?;
            let answer = (Disk::of(&disk), disk.ready_at);
            session.changed = true;
            session.estate.disks.add(&key, disk, session.now)?;
            Ok(answer)
        })
    }

    /// Deletes a disk; success also where there is none. One that is attached stays.
    pub fn delete_disk(&self, resource_group: &str, name: &str) -> Result<(), AzureError> {
        self.at_home(|session| {
            let key = compute::key_of(session.settings.home(), resource_group, name);
            let Some(disk) = session.estate.disks.get(&key).filter(|disk| disk.stays()) else {
                return Ok(());
            };
            disk.must_be_free()?;
            let gone_at = session.now + session.settings.deletion();
            let forgotten_at = gone_at + session.settings.lag();
            let times = session.times();
            session.changed = true;
            session.estate.disks.change(&key, times, |disk| {
                disk.gone_at = Some(gone_at);
                disk.forgotten_at = Some(forgotten_at);
            })?;
            Ok(())
        })
    }
}

impl Container {
    fn of(container: &container::ContainerRecord) -> Self {
        Self {
            account: container.account.clone(),
            name: container.name.clone(),
            metadata: container.metadata.clone(),
        }
    }
}

/// The kind of account that the drivers make for a SKU.
fn kind(sku: Sku, files: bool) -> Kind {
    match (files, sku.suits(Kind::FileStorage), sku.premium()) {
        (true, true, _) => Kind::FileStorage,
        (false, _, true) => Kind::BlockBlobStorage,
        _ => Kind::StorageV2,
    }
}

fn living<'a>(session: &'a Session, account: &str) -> Option<&'a AccountRecord> {
    session.estate.accounts.get(account).filter(|account| account.exists())
}

fn gone(account: &str) -> AzureError {
    AzureError::resource_not_found("Microsoft.Storage/storageAccounts", account, "")
}

#[cfg(test)]
mod tests {
    use moorline_sandbox_core::{Journal, World};

    use super::*;
    use crate::AzureSettings;

    fn cloud() -> AzureCloud {
        AzureCloud::open(World::new(Journal::in_memory()).unwrap(), AzureSettings::instant()).unwrap()
    }

    fn wish(name: &str, sku: &str) -> AccountWish {
        AccountWish {
            resource_group: "moorline".to_owned(),
            sku: sku.to_owned(),
            location: None,
            files: true,
            tags: BTreeMap::new(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn an_account_that_matches_is_taken_unless_its_tags_forbid_it() {
        let cloud = cloud();
        let mut first = wish("first", "Standard_LRS");
        first.tags.insert("skip-matching".to_owned(), String::new());
        let name = |wish: &AccountWish| cloud.match_account(wish).unwrap().0.name;
        assert_eq!(name(&first), "first");
        assert_eq!(name(&wish("second", "Standard_LRS")), "second");
        assert_eq!(name(&wish("third", "Standard_LRS")), "second");
        assert_eq!(name(&wish("premium", "Premium_LRS")), "premium");
        assert_eq!(name(&wish("zonal", "Standard_ZRS")), "zonal");
    }

    #[test]
    fn only_an_accounts_own_keys_open_it() {
        let cloud = cloud();
        cloud.match_account(&wish("first", "Standard_LRS")).unwrap();
        let key = cloud.account_key("first").unwrap();
        assert!(cloud.opens("first", &key));
        assert!(!cloud.opens("first", "wrong") && !cloud.opens("second", &key));
    }

    #[test]
    fn containers_come_and_go() {
        let cloud = cloud();
        let mut wish = wish("blobs", "Standard_LRS");
        wish.files = false;
        cloud.match_account(&wish).unwrap();
        let made = cloud.create_container("blobs", "pvc-1").unwrap();
        assert_eq!(cloud.create_container("blobs", "pvc-1").unwrap(), made);
        assert_eq!(cloud.containers("blobs"), [made]);
        cloud.delete_container("blobs", "pvc-1").unwrap();
        cloud.delete_container("blobs", "pvc-1").unwrap();
        assert_eq!(
            (cloud.containers("blobs"), cloud.container("blobs", "pvc-1")),
            (vec![], None)
        );
    }

    #[test]
    fn an_attached_disk_is_not_deleted() {
        let cloud = cloud();
        let new = NewDisk {
            resource_group: "moorline".to_owned(),
            name: "pvc-1".to_owned(),
            sku: "StandardSSD_LRS".to_owned(),
            size_gib: 4,
            zone: None,
            tags: BTreeMap::new(),
        };
        let (disk, _) = cloud.create_disk(&new).unwrap();
        assert_eq!(cloud.disks(), [disk]);
        cloud.hold_disk("moorline", "pvc-1", &["vm"]).unwrap();
        assert_eq!(
            cloud.delete_disk("moorline", "pvc-1").unwrap_err().code,
            "OperationNotAllowed"
        );
        cloud.hold_disk("moorline", "pvc-1", &[]).unwrap();
        cloud.delete_disk("moorline", "pvc-1").unwrap();
        assert_eq!(cloud.disks(), []);
    }
}
