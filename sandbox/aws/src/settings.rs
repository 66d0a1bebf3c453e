//! What can be set about the simulated account, also while it runs.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// How the simulated account behaves. All times pass on the sandbox's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AwsSettings {
    /// The account's number.
    pub account: String,
    /// The home region: where the in-process interface works. Every other region is served too, and empty
    /// until someone creates something there.
    pub region: String,
    /// The letters of a region's zones: `a` in `us-east-1` is the zone `us-east-1a`.
    pub zones: Vec<String>,
    /// Whether calls over HTTP are refused when they come faster than `buckets` allow.
    pub throttle: bool,
    /// The account's rates.
    pub buckets: Buckets,
    /// How long a volume is `creating`, in milliseconds; a modification takes as long twice over.
    pub creation_millis: u64,
    /// How long a deleted thing is still listed as `deleting`, in milliseconds, once the deletion is visible.
    pub deletion_millis: u64,
    /// How long a snapshot is `pending`, in milliseconds.
    pub snapshot_millis: u64,
    /// How long `Describe*` calls over HTTP answer as if a change had not happened yet, in milliseconds.
    pub visibility_lag_millis: u64,
    /// How long a network or application load balancer is `provisioning`, in milliseconds.
    pub load_balancer_millis: u64,
    /// How long every call over HTTP takes before it is looked at, in milliseconds.
    pub latency_millis: u64,
    /// The most items on a page, below what the caller may ask for (EC2 serves 500, ELB 400).
    pub page_size_cap: usize,
    /// How many volumes the account may have before `VolumeLimitExceeded`.
    pub volume_limit: usize,
    /// The KMS keys that exist, as key id or `alias/name`; a volume encrypted with any other vanishes when its
    /// creation ends. The alias `alias/aws/ebs` always exists.
    pub kms_keys: Vec<String>,
    /// The roles that callers can take on.
    pub roles: Vec<Role>,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            zones: ["a", "b", "c"].map(str::to_owned).to_vec(),
            throttle: true,
            buckets: Buckets::default(),
            creation_millis: 1500,
            deletion_millis: 500,
            snapshot_millis: 2000,
            visibility_lag_millis: 500,
            load_balancer_millis: 2000,
            latency_millis: 0,
            page_size_cap: 500,
            volume_limit: 5000,
            kms_keys: ["1234abcd-12ab-34cd-56ef-1234567890ab", "alias/ExampleAlias"]
                .map(str::to_owned)
                .to_vec(),
            roles: vec![
                Role::new("moorline", None),
                Role::new("moorline-external", Some("moorline")),
            ],
        }
    }
}

/// A role of the account, which every caller of the account may take on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name: the last part of its ARN.
    pub name: String,
    /// The external id that its trust policy asks for, if it asks for any.
    #[serde(default)]
    pub external_id: Option<String>,
}

impl Role {
    fn new(name: &str, external_id: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            external_id: external_id.map(str::to_owned),
        }
    }
}

impl AwsSettings {
    /// An account that answers at once and never says no for its rate: no throttle, lag or latency.
    pub fn instant() -> Self {
        Self {
            throttle: false,
            creation_millis: 0,
            deletion_millis: 0,
            snapshot_millis: 0,
            visibility_lag_millis: 0,
            load_balancer_millis: 0,
            latency_millis: 0,
            ..Self::default()
        }
    }

    /// The names of the zones of `region`.
    pub fn zone_names(&self, region: &str) -> Vec<String> {
        self.zones.iter().map(|letter| format!("{region}{letter}")).collect()
    }

    pub(crate) fn creation(&self) -> SignedDuration {
        millis(self.creation_millis)
    }

    pub(crate) fn deletion(&self) -> SignedDuration {
        millis(self.deletion_millis)
    }

    pub(crate) fn snapshot(&self) -> SignedDuration {
        millis(self.snapshot_millis)
    }

    pub(crate) fn lag(&self) -> SignedDuration {
        millis(self.visibility_lag_millis)
    }

    pub(crate) fn provisioning(&self) -> SignedDuration {
        millis(self.load_balancer_millis)
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

/// The token buckets of an account in a region: every operation has its own, at the rate of its family.
///
/// The defaults are the published ones; Elastic Load Balancing publishes none, so its families borrow EC2's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Buckets {
    /// `CreateVolume`, `DeleteVolume`, `CreateSnapshot`.
    pub volumes: Bucket,
    /// `CreateTags`, `DeleteTags`.
    pub tags: Bucket,
    /// Other calls that change something.
    pub mutating: Bucket,
    /// Calls that only read.
    pub describe: Bucket,
    /// `DescribeVolumes` without filter, ids and paging.
    pub describe_everything: Bucket,
}

impl Default for Buckets {
    fn default() -> Self {
        let bucket = |burst, refill_per_second| Bucket {
            burst,
            refill_per_second,
        };
        Self {
            volumes: bucket(100.0, 5.0),
            tags: bucket(100.0, 10.0),
            mutating: bucket(50.0, 5.0),
            describe: bucket(100.0, 20.0),
            describe_everything: bucket(50.0, 10.0),
        }
    }
}

/// One rate: `burst` calls at once, then `refill_per_second`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Calls that a full bucket allows at once.
    pub burst: f64,
    /// Calls a second that flow back.
    pub refill_per_second: f64,
}
