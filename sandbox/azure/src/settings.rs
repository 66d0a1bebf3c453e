//! What can be set about the simulated cloud, also while it runs.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// How the simulated cloud behaves. All times pass on the sandbox's clock, except the lives of tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AzureSettings {
    /// The tenant that the subscriptions trust.
    pub tenant: String,
    /// Tenants that exist and hand out tokens, which Resource Manager then refuses as another issuer's.
    pub other_tenants: Vec<String>,
    /// The subscriptions that exist; the first is the home of the in-process interface.
    pub subscriptions: Vec<String>,
    /// Resource groups of the first subscription that are there from the start.
    pub resource_groups: Vec<String>,
    /// The region of those groups, and of everything that the in-process interface makes.
    pub location: String,
    /// Client ids (application ids) that exist; every id does where the list is empty.
    pub clients: Vec<String>,
    /// Names of storage accounts that somebody else in the world holds.
    pub taken_names: Vec<String>,
    /// Actions that nobody here may perform, `Microsoft.Storage/storageAccounts/listKeys/action`.
    pub denied_actions: Vec<String>,
    /// Paths below which nobody here may do anything, `/subscriptions/…/storageAccounts/name`; letter case does not matter.
    pub denied_scopes: Vec<String>,
    /// Whether calls are refused when they come faster than `rates` allow.
    pub throttle: bool,
    /// The rates of Resource Manager and of the storage provider.
    pub rates: Rates,
    /// How long a storage account takes to make, in milliseconds; its creation answers 202 unless this is zero.
    pub account_millis: u64,
    /// How long the name of a deleted share or container cannot be used, in milliseconds (Azure: at least 30 seconds).
    pub name_release_millis: u64,
    /// How long disks and resource groups take to go, in milliseconds.
    pub deletion_millis: u64,
    /// How long lists answer as if a change had not happened yet, in milliseconds.
    pub visibility_lag_millis: u64,
    /// How long every call takes before it is looked at, in milliseconds.
    pub latency_millis: u64,
    /// The most items on a page, below what the caller may ask for.
    pub page_size_cap: usize,
    /// How long a `nextLink` is good for, in seconds.
    pub link_seconds: u32,
    /// How long a token is good for, in seconds of the machine's clock.
    pub token_seconds: u32,
    /// Storage accounts that a subscription may have in a region.
    pub account_limit: usize,
}

impl Default for AzureSettings {
    fn default() -> Self {
        Self {
            tenant: "11111111-aaaa-4000-8000-000000000001".to_owned(),
            other_tenants: vec!["11111111-aaaa-4000-8000-000000000002".to_owned()],
            subscriptions: vec!["22222222-bbbb-4000-8000-000000000001".to_owned()],
            resource_groups: vec!["moorline".to_owned()],
            location: "eastus".to_owned(),
            clients: Vec::new(),
            taken_names: ["storage", "test", "data", "backup"].map(str::to_owned).to_vec(),
            denied_actions: Vec::new(),
            denied_scopes: Vec::new(),
            throttle: true,
            rates: Rates::default(),
            account_millis: 1500,
            name_release_millis: 2000,
            deletion_millis: 500,
            visibility_lag_millis: 500,
            latency_millis: 0,
            page_size_cap: 50,
            link_seconds: 600,
            token_seconds: 3600,
            account_limit: 250,
        }
    }
}

impl AzureSettings {
    /// A cloud that answers at once and never says no for its rate: no throttle, lag or latency, and nothing asynchronous.
    pub fn instant() -> Self {
        Self {
            throttle: false,
            account_millis: 0,
            name_release_millis: 0,
            deletion_millis: 0,
            visibility_lag_millis: 0,
            latency_millis: 0,
            ..Self::default()
        }
    }

    /// The subscription of the in-process interface.
    pub(crate) fn home(&self) -> &str {
        self.subscriptions.first().map_or("", String::as_str)
    }

    pub(crate) fn account(&self) -> SignedDuration {
        millis(self.account_millis)
    }

    pub(crate) fn name_release(&self) -> SignedDuration {
        millis(self.name_release_millis)
    }

    pub(crate) fn deletion(&self) -> SignedDuration {
        millis(self.deletion_millis)
    }

    pub(crate) fn lag(&self) -> SignedDuration {
        millis(self.visibility_lag_millis)
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_millis)
    }
}

fn millis(count: u64) -> SignedDuration {
    // A year is for ever here, and keeps every sum of times in range.
    let year = 366 * 24 * 3600 * 1000;
    SignedDuration::from_millis(i64::try_from(count).unwrap_or(year).min(year))
}

/// The published rates: token buckets of Resource Manager by caller and subscription, and the windows of the storage
/// provider by subscription and region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Resource Manager: calls that read.
    pub reads: Bucket,
    /// Resource Manager: calls that write.
    pub writes: Bucket,
    /// Resource Manager: calls that delete.
    pub deletes: Bucket,
    /// Storage provider: calls that read one thing.
    pub storage_reads: Vec<Window>,
    /// Storage provider: calls that list.
    pub storage_lists: Vec<Window>,
    /// Storage provider: calls that write or delete.
    pub storage_writes: Vec<Window>,
}

impl Default for Rates {
    fn default() -> Self {
        let bucket = |burst, refill_per_second| Bucket {
            burst,
            refill_per_second,
        };
        let window = |calls, seconds| Window { calls, seconds };
        Self {
            reads: bucket(250.0, 25.0),
            writes: bucket(200.0, 10.0),
            deletes: bucket(200.0, 10.0),
            storage_reads: vec![window(800, 300)],
            storage_lists: vec![window(100, 300)],
            storage_writes: vec![window(10, 1), window(1200, 3600)],
        }
    }
}

/// A rate as a token bucket: `burst` calls at once, then `refill_per_second`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Calls that a full bucket allows at once.
    pub burst: f64,
    /// Calls a second that flow back.
    pub refill_per_second: f64,
}

/// A rate as a window: so many calls in any so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Calls in the window.
    pub calls: usize,
    /// Its length.
    pub seconds: u32,
}
