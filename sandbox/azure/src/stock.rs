//! Fills the cloud with much at once, and puts what is in it into states that nobody on this machine can bring about.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cloud::AzureCloud;
use crate::compute::{
    self,
    disk::{DiskRecord, DiskSku},
};
use crate::drivers::{NewDisk, NewShare};
use crate::error::AzureError;
use crate::resources::locks;
use crate::session::Session;
use crate::storage::account::AccountRecord;
use crate::storage::lease::Lease;
use crate::storage::names;
use crate::storage::share::{self, ShareRecord};
use crate::storage::shares;
use crate::storage::{self, container};

impl AzureCloud {
    /// Makes many shares in accounts that exist, at once and without a count of what an account takes.
    pub fn stock_shares(&self, all: &[NewShare]) -> Result<(), AzureError> {
        self.at_home(|session| {
            for new in all {
                let account = account(session, &new.account)?.clone();
                names::check_child(&new.name)?;
                let asked = new.properties();
                shares::check(&account, &asked)?;
                let share = ShareRecord::new(&account, &new.name, asked, session.now)?;
                session.changed = true;
                let now = session.now;
                session.estate.shares.add(&share.key(), share, now)?;
            }
            Ok(())
        })
    }

    /// Makes many disks at once.
    pub fn stock_disks(&self, all: &[NewDisk]) -> Result<(), AzureError> {
        self.at_home(|session| {
            for new in all {
                let disk = new_disk(session, new, session.now)?;
                let now = session.now;
                session.changed = true;
                session.estate.disks.add(&disk.key(), disk, now)?;
            }
            Ok(())
        })
    }

    /// Gives an account these tags and no others.
    pub fn set_account_tags(&self, name: &str, tags: BTreeMap<String, String>) -> Result<(), AzureError> {
        self.at_home(|session| {
            let name = account(session, name)?.name.clone();
            let times = session.times();
            session.changed = true;
            session
                .estate
                .accounts
                .change(&name, times, |account| account.tags = tags)?;
            Ok(())
        })
    }

    /// Ends an account with everything in it; success also where there is none.
    pub fn delete_account(&self, name: &str) -> Result<(), AzureError> {
        self.at_home(|session| {
            session.changed = true;
            storage::account::end(session, name)
        })
    }

    /// Puts a lock on a scope, such as an id of a resource, that keeps what is there and below from being deleted.
    pub fn lock(&self, scope: &str, name: &str) -> Result<(), AzureError> {
        self.at_home(|session| locks::add(session, scope, name))
    }

    /// Gives a share a lease for ever, or ends what lease it has.
    pub fn lease_share(&self, account: &str, name: &str, held: bool) -> Result<(), AzureError> {
        self.at_home(|session| {
            let key = share::living(session, account, name)?.key();
            let (times, lease) = (session.times(), Lease::held(held, session.now));
            session.changed = true;
            session.estate.shares.change(&key, times, |share| share.lease = lease)?;
            Ok(())
        })
    }

    /// Gives a container a lease for ever, or ends what lease it has.
    pub fn lease_container(&self, account: &str, name: &str, held: bool) -> Result<(), AzureError> {
        self.at_home(|session| {
            let lease = Lease::held(held, session.now);
            container::set_lease(session, (account, name), lease)
        })
    }

    /// Puts a disk into a state such as `ActiveSAS`, `Reserved` or one that nobody knows yet; `None` lets it follow from who has
    /// the disk.
    pub fn set_disk_state(&self, resource_group: &str, name: &str, state: Option<&str>) -> Result<(), AzureError> {
        self.at_home(|session| {
            let key = compute::key_of(session.settings.home(), resource_group, name);
            if session.estate.disks.get(&key).is_none_or(|disk| !disk.stays()) {
                let kind = "Microsoft.Compute/disks";
                return Err(AzureError::resource_not_found(kind, name, resource_group));
            }
            let times = session.times();
            session.changed = true;
            session
                .estate
                .disks
                .change(&key, times, |disk| disk.state = state.map(str::to_owned))?;
            Ok(())
        })
    }
}

fn account<'a>(session: &'a Session, name: &str) -> Result<&'a AccountRecord, AzureError> {
    let found = session.estate.accounts.get(name).filter(|account| account.exists());
    found.ok_or_else(|| AzureError::resource_not_found("Microsoft.Storage/storageAccounts", name, ""))
}

/// A disk as a driver asks for it, which is ready at that moment.
pub(crate) fn new_disk(session: &Session, new: &NewDisk, ready_at: Timestamp) -> Result<DiskRecord, AzureError> {
    let settings = &session.settings;
    let sku = DiskSku::find(&new.sku).ok_or_else(|| AzureError::values("sku"))?;
    let group = session.group(settings.home(), &new.resource_group)?.name.clone();
    Ok(DiskRecord {
        subscription: settings.home().to_owned(),
        group,
        name: new.name.clone(),
        location: settings.location.clone(),
        sku,
        tags: new.tags.clone(),
        zones: new.zone.clone().map(|zone| vec![zone]),
        size_gib: new.size_gib,
        created: session.now,
        ready_at,
        holders: Vec::new(),
        owner_changed: None,
        max_shares: None,
        source: None,
        state: None,
        gone_at: None,
        forgotten_at: None,
    })
}
