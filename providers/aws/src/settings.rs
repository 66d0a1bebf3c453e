//! How to reach AWS, and how fast.

use std::fmt;
use std::time::Duration;

pub use moorline_pacing::Budget;
use moorline_pacing::Registry;

/// Everything that is not left to the AWS environment and configuration files.
#[derive(Clone, Debug)]
pub struct AwsSettings {
    /// Region; where it is `None`, `AWS_REGION`, the profile and the instance's metadata decide.
    pub region: Option<String>,
    /// Profile of the AWS configuration files; where it is `None`, `AWS_PROFILE` decides.
    pub profile: Option<String>,
    /// One address for every service, as the sandbox and emulators have; where it is `None`, `AWS_ENDPOINT_URL` and its
    /// kin decide.
    pub endpoint: Option<String>,
    /// Keys to use instead of looking for any. With these, a region and an endpoint, nothing outside is read.
    pub keys: Option<StaticKeys>,
    /// Role to take on with the credentials that are found.
    pub role: Option<AssumedRole>,
    /// The account that all calls must go to: where the credentials are of another one, every call fails before it is made.
    pub account: Option<String>,
    /// Call budgets of the account and region.
    pub budgets: Budgets,
    /// Where they are shared with others who use the account.
    pub registry: Registry,
    /// Calls under way at once.
    pub concurrency: usize,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long one attempt of a call may take.
    pub call_timeout: Duration,
    /// How long a call may take with all its repeats.
    pub patience: Duration,
    /// How long a volume that was just created may stay invisible before it counts as vanished.
    pub visibility_grace: Duration,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            endpoint: None,
            keys: None,
            role: None,
            account: None,
            budgets: Budgets::default(),
            registry: Registry::alone(),
            concurrency: 32,
            connect_timeout: Duration::from_secs(3),
            call_timeout: Duration::from_secs(30),
            patience: Duration::from_mins(2),
            visibility_grace: Duration::from_mins(1),
        }
    }
}

/// A role of this or another account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumedRole {
    /// `arn:aws:iam::<account>:role/<name>`.
    pub arn: String,
    /// What the role's trust policy asks for, where it asks for anything.
    pub external_id: Option<String>,
}

/// Fixed keys, for the sandbox and for emulators. `Debug` shows none of them.
#[derive(Clone)]
pub struct StaticKeys {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

impl fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticKeys(redacted)")
    }
}

/// The budgets of one account and region; AWS raises them on request, so they are settings.
///
/// Source of the defaults: EC2 developer guide, "Request throttling for the Amazon EC2 API".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// `CreateVolume`, `DeleteVolume` and `CreateSnapshot`, each; `None` is unlimited.
    pub volume_writes: Option<Budget>,
    /// `CreateTags` and `DeleteTags`, together; `None` is unlimited.
    pub tags: Option<Budget>,
    /// Other calls that change something, together; `None` is unlimited. Elastic Load Balancing publishes no rates: EC2's are kept.
    pub writes: Option<Budget>,
    /// `Describe*`, together; `None` is unlimited.
    pub reads: Option<Budget>,
}

impl Default for Budgets {
    fn default() -> Self {
        let budget = |burst, per_second| Some(Budget { burst, per_second });
        Self {
            volume_writes: budget(100, 5),
            tags: budget(100, 10),
            writes: budget(50, 5),
            reads: budget(100, 20),
        }
    }
}

impl Budgets {
    /// No budgets, for a backend that does not throttle.
    pub fn unlimited() -> Self {
        Self {
            volume_writes: None,
            tags: None,
            writes: None,
            reads: None,
        }
    }

    /// How long these budgets hold up `creates` creations at least, from a full bucket.
    pub(crate) fn creation_floor(&self, creates: u32) -> Duration {
        self.volume_writes
            .map_or(Duration::ZERO, |budget| budget.floor(creates))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_what_the_buckets_allow() {
        let budgets = Budgets::default();
        for (creates, seconds) in [(0, 0), (100, 0), (300, 40), (1000, 180)] {
            assert_eq!(
                budgets.creation_floor(creates),
                Duration::from_secs(seconds),
                "{creates}"
            );
        }
        assert_eq!(Budgets::unlimited().creation_floor(1_000_000), Duration::ZERO);
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = StaticKeys {
            access_key_id: "AKIAEXAMPLE".to_owned(),
            secret_access_key: "hush".to_owned(),
        };
        let shown = format!(
            "{:?}",
            AwsSettings {
                keys: Some(keys),
                ..AwsSettings::default()
            }
        );
        assert!(!shown.contains("AKIA") && !shown.contains("hush"), "{shown}");
    }
}
