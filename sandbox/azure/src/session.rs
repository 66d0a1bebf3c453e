//! One call's view of the cloud: the time it is, who calls, and what exists.

use std::sync::{Arc, MutexGuard};

use jiff::Timestamp;

use crate::error::AzureError;
use crate::estate::Estate;
use crate::resources::groups::GroupRecord;
use crate::settings::AzureSettings;
use crate::storage::account::AccountRecord;

/// The cloud under lock, for the length of one call.
pub(crate) struct Session<'a> {
    pub(crate) estate: MutexGuard<'a, Estate>,
    pub(crate) settings: Arc<AzureSettings>,
    pub(crate) now: Timestamp,
    /// Where the caller found Resource Manager: scheme and host, for links.
    pub(crate) base: String,
    /// Whether the call changed something.
    pub(crate) changed: bool,
}

/// Where an account is said to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) subscription: &'a str,
    pub(crate) group: &'a str,
    pub(crate) account: &'a str,
}

impl Session<'_> {
    /// The youngest moment that lists show.
    pub(crate) fn horizon(&self) -> Timestamp {
        self.now - self.settings.lag()
    }

    /// The time, and what lists show, for changes.
    pub(crate) fn times(&self) -> (Timestamp, Timestamp) {
        (self.now, self.horizon())
    }

    /// When something that went now is out of every list.
    pub(crate) fn forgotten_at(&self) -> Timestamp {
        self.now + self.settings.lag()
    }

    /// A resource group that exists.
    pub(crate) fn group(&self, subscription: &str, name: &str) -> Result<&GroupRecord, AzureError> {
        let group = self.estate.groups.get(&GroupRecord::key_of(subscription, name));
        group
            .filter(|group| group.exists(self.now))
            .ok_or_else(|| AzureError::group_not_found(name))
    }

    /// The storage account that exists at `place`, be it ready or not.
    pub(crate) fn account(&self, place: Place) -> Result<&AccountRecord, AzureError> {
        self.group(place.subscription, place.group)?;
        let account = self.estate.accounts.get(&place.account.to_ascii_lowercase());
        account
            .filter(|account| account.exists() && account.is_at(place))
            .ok_or_else(|| {
                AzureError::resource_not_found("Microsoft.Storage/storageAccounts", place.account, place.group)
            })
    }

    /// The account that exists at `place` and can be worked with, for calls about what is in it.
    pub(crate) fn parent(&self, place: Place) -> Result<&AccountRecord, AzureError> {
        let account = self.account(place).map_err(|error| match error.code.as_str() {
            "ResourceNotFound" => AzureError::new(
                404,
                "ParentResourceNotFound",
                format!(
                    "Can not perform requested operation on nested resource. Parent resource '{}' not found.",
                    place.account
                ),
            ),
            _ => error,
        })?;
        account.must_be_ready(self.now)?;
        Ok(account)
    }
}
