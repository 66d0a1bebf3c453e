//! What a policy file says, resolved: the types that a run is made from.

use std::path::PathBuf;
use std::time::Duration;

use moorline_gc::leftovers::Grace as LeftoverGrace;
use moorline_gc::policy::{NamedCluster, Policy};
use moorline_prices::Overrides;
use moorline_store::Location;
use moorline_yaml::diagnostic::Diagnostics;

/// A policy file that was read and checked. Nothing in it has been compared with a cluster or a cloud yet.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    /// The file, as it was given.
    pub path: PathBuf,
    /// Where volumes are looked for: at least one, none twice.
    pub scopes: Vec<ScopeSpec>,
    /// Every cluster that may use them: at least one, none twice. The same as `rules.clusters`, in the same order.
    pub clusters: Vec<ClusterSpec>,
    /// What a run may do to volumes.
    pub rules: Policy,
    /// How long what is no volume waits, from when a run first saw it unused.
    pub leftovers: LeftoverGrace,
    /// Where records, marks of the run and the lease are kept; a relative folder is below the file's own. `None` where the file
    /// leaves it open.
    pub store: Option<Location>,
    /// On which terms a run holds its lease.
    pub lock: LockTerms,
    /// Prices in place of the built-in ones.
    pub prices: Overrides,
    /// How many calls run at once at most, over all clouds and clusters; `None` leaves it to the program.
    pub concurrency: Option<usize>,
    /// What is allowed and probably not meant; warnings only.
    pub warnings: Diagnostics,
}

impl PolicyFile {
    /// A policy of these scopes and clusters with all defaults, that stands in no file.
    pub fn of(scopes: Vec<ScopeSpec>, clusters: Vec<ClusterSpec>) -> Self {
        Self {
            path: PathBuf::new(),
            rules: Policy::of(clusters.iter().map(ClusterSpec::named)),
            scopes,
            clusters,
            leftovers: LeftoverGrace::default(),
            store: None,
            lock: LockTerms::default(),
            prices: Overrides::none(),
            concurrency: None,
            warnings: Diagnostics::default(),
        }
    }
}

/// Where volumes are looked for, in one cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeSpec {
    /// An AWS account, in some regions.
    Aws(AwsScope),
    /// An Azure subscription.
    Azure(AzureScope),
}

/// An AWS account in some regions; each region is a scope of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsScope {
    /// The profile of the AWS configuration whose credentials are used; `None` is the usual chain.
    pub profile: Option<String>,
    /// The ARN of the role that is assumed with them.
    pub role: Option<String>,
    /// What that role's trust policy asks for.
    pub external_id: Option<String>,
    /// The account, twelve digits: credentials of any other are refused. Where the file gives none, that of the role.
    pub account: Option<String>,
    /// The regions; at least one, none twice.
    pub regions: Vec<String>,
}

/// An Azure subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureScope {
    /// Its id, in lower case.
    pub subscription: String,
    /// The tenant's id, in lower case: credentials of any other are refused.
    pub tenant: Option<String>,
    /// The only resource groups that are looked at; empty is all of them.
    pub resource_groups: Vec<String>,
}

/// A cluster that may use the volumes of the scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSpec {
    /// What the policy calls it; unique. Where the file gives no name: the context, `in-cluster`, or `current-context`.
    pub name: String,
    /// How it is reached.
    pub access: ClusterAccess,
    /// UID of its namespace `kube-system`: a cluster with any other one is refused.
    pub uid: Option<String>,
    /// What drivers call it in tags such as `kubernetes.io/cluster/<id>`.
    pub tag_ids: Vec<String>,
}

impl ClusterSpec {
    /// What garbage collection judges by.
    pub(crate) fn named(&self) -> NamedCluster {
        NamedCluster {
            name: self.name.clone(),
            uid: self.uid.clone(),
            tag_ids: self.tag_ids.clone(),
        }
    }
}

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterAccess {
    /// With the service account of the pod that runs.
    InCluster,
    /// With a kubeconfig.
    Kubeconfig {
        /// The file, with the policy's folder before a relative path; `None` is `KUBECONFIG` or `~/.kube/config`.
        file: Option<PathBuf>,
        /// The context; `None` is the file's current one.
        context: Option<String>,
    },
}

/// On which terms a run holds its lease; see `moorline_store::Terms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockTerms {
    /// For how long, without renewal.
    pub span: Duration,
    /// How far clocks may be wrong, and answers late.
    pub margin: Duration,
}

impl Default for LockTerms {
    fn default() -> Self {
        Self {
            span: Duration::from_mins(2),
            margin: Duration::from_secs(15),
        }
    }
}
