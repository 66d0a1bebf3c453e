//! What a run may do: which clusters use the scopes it looks at, how long it waits, and how much it may delete at once.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use moorline_api::VolumeSort;
use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// The rules of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Every cluster that may use volumes of the scopes. What any other cluster made is foreign.
    pub clusters: Vec<NamedCluster>,
    /// How long each verdict waits, from when a run first saw the volume unused.
    #[serde(default)]
    pub grace: Grace,
    /// How much one run may delete.
    #[serde(default)]
    pub caps: Caps,
    /// Volumes of these sorts are snapshotted before they are deleted, and the snapshot is kept so long.
    #[serde(default)]
    pub snapshot_first: BTreeMap<VolumeSort, SignedDuration>,
    /// Whether a volume whose PersistentVolume says Retain may go, be it released or left behind.
    #[serde(default)]
    pub include_retain: bool,
    /// What is never deleted.
    #[serde(default)]
    pub protect: Protect,
    /// A listing that began longer ago counts as not read.
    #[serde(default = "an_hour")]
    pub stale_after: SignedDuration,
}

const fn an_hour() -> SignedDuration {
    SignedDuration::from_hours(1)
}

impl Policy {
    /// A policy for these clusters with all defaults.
    pub fn of(clusters: impl IntoIterator<Item = NamedCluster>) -> Self {
        Self {
            clusters: clusters.into_iter().collect(),
            grace: Grace::default(),
            caps: Caps::default(),
            snapshot_first: BTreeMap::new(),
            include_retain: false,
            protect: Protect::default(),
            stale_after: an_hour(),
        }
    }
}

/// A cluster that the policy names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedCluster {
    /// What the policy calls it.
    pub name: String,
    /// UID of its namespace `kube-system`; also known once the cluster was read.
    #[serde(default)]
    pub uid: Option<String>,
    /// What drivers call it in tags such as `kubernetes.io/cluster/<id>`. Empty: no such tag proves anything.
    #[serde(default)]
    pub tag_ids: Vec<String>,
}

/// How long anything waits unless the policy says otherwise: seven days, over a weekend and back.
pub(crate) const USUAL_GRACE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Waiting times; the default of each is seven days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Grace {
    /// Of claims whose StatefulSet is gone.
    pub left_behind: SignedDuration,
    /// Of volumes whose claim is gone and whose PersistentVolume is there.
    pub released: SignedDuration,
    /// Of volumes that nothing points to.
    pub orphan: SignedDuration,
}

impl Default for Grace {
    fn default() -> Self {
        Self::all(USUAL_GRACE)
    }
}

impl Grace {
    /// The same for every verdict.
    pub const fn all(wait: SignedDuration) -> Self {
        Self {
            left_behind: wait,
            released: wait,
            orphan: wait,
        }
    }

    /// How long this verdict waits; `None` where nothing is ever deleted.
    pub fn of(&self, verdict: Verdict) -> Option<SignedDuration> {
        match verdict {
            Verdict::LeftBehind => Some(self.left_behind),
            Verdict::Released => Some(self.released),
            Verdict::Orphan => Some(self.orphan),
            _ => None,
        }
    }
}

/// The most that one run may delete. Over any of them it deletes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Caps {
    /// Volumes.
    pub count: Option<u64>,
    /// Per cent of all volumes that were seen.
    pub percent: Option<u32>,
    /// GiB together.
    pub gib: Option<u64>,
    /// US dollars a month together. A volume without a known price is then not deleted at all.
    pub monthly: Option<f64>,
}

/// What is never deleted, beside what says so itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Protect {
    /// Names of volumes (their ids, or the part behind the slash), claims and PersistentVolumes; `*` stands for anything.
    pub names: Vec<String>,
    /// Tags of volumes: the key, and the value or `None` for any.
    pub tags: BTreeMap<String, Option<String>>,
    /// Namespaces of claims; `*` stands for anything.
    pub namespaces: Vec<String>,
    /// Labels of claims and PersistentVolumes: the key, and the value or `None` for any.
    pub labels: BTreeMap<String, Option<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_as_it_is_written_and_has_careful_defaults() {
        let text =
            r#"{"clusters": [{"name": "prod"}], "grace": {"orphan": "PT48H"}, "snapshotFirst": {"disk": "P30D"}}"#;
        // Days have no fixed length: a policy says hours.
        assert!(serde_json::from_str::<Policy>(text).is_err());
        let policy: Policy = serde_json::from_str(&text.replace("P30D", "PT720H")).unwrap();
        assert_eq!(policy.grace.orphan, SignedDuration::from_hours(48));
        assert_eq!(policy.grace.left_behind, SignedDuration::from_hours(7 * 24));
        assert_eq!(
            policy.snapshot_first[&VolumeSort::Disk],
            SignedDuration::from_hours(720)
        );
        assert!(!policy.include_retain);
        let again: Policy = serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
        assert_eq!(again, policy);
        assert!(serde_json::from_str::<Policy>(r#"{"clusters": [], "includeRetained": true}"#).is_err());
    }
}
