//! What the file is made of: the structs that `shapes.txt` and `schemas/policy.schema.json` are generated from.
//!
//! They are never filled. `read` takes the file apart itself, because each value is needed with its place, and because in
//! `protect` a key without a value means something; that it leaves no field out is tested.

#![expect(dead_code, reason = "they are shapes, and never filled")]

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// A policy of garbage collection: which clouds are looked at, which clusters use them, and what a run may delete.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "policy")]
pub(crate) struct Policy {
    /// Where volumes are looked for: AWS accounts and Azure subscriptions. At least one, none twice.
    #[schemars(length(min = 1))]
    scopes: Vec<Scope>,
    /// Every cluster that may use volumes of the scopes. What a cluster made that is not named here is foreign, and never deleted.
    #[schemars(length(min = 1))]
    clusters: Vec<Cluster>,
    /// How long things wait, from when a run first saw them unused.
    grace: Option<Grace>,
    /// The most that one run may delete. Over any of them it deletes nothing and says so.
    caps: Option<Caps>,
    /// Volumes of these sorts are snapshotted before they are deleted, and the snapshot is kept so long.
    snapshot_first: Option<SnapshotFirst>,
    /// Whether released volumes whose PersistentVolume says `Retain` may go, after their grace. Default: `false`.
    include_retain: Option<bool>,
    /// What is never deleted, beside what says so itself.
    protect: Option<Protect>,
    /// Where records of runs and the lock are kept: a folder (a relative one is below this file's), `s3://bucket/prefix`, or
    /// `azblob://account/container/prefix`. Default: `--run-store`.
    store: Option<String>,
    /// How two runs are kept apart.
    lock: Option<Lock>,
    /// Prices in US dollars in place of the built-in ones, by cloud, region and item.
    prices: Option<Prices>,
    /// A listing that began longer ago than this counts as not read. Default: `1h`.
    stale_after: Option<Duration>,
    /// How many calls run at the same time at most.
    #[schemars(range(min = 1, max = 256))]
    concurrency: Option<u32>,
}

/// Where volumes are looked for: exactly one cloud.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "scope")]
pub(crate) enum Scope {
    /// An AWS account: its EBS volumes, snapshots and load balancers.
    #[serde(rename_all = "camelCase")]
    Aws {
        /// The profile of the AWS configuration whose credentials are used. Default: the usual chain, from `AWS_PROFILE` to the
        /// machine's role.
        profile: Option<String>,
        /// The ARN of a role that is assumed with those credentials.
        role: Option<String>,
        /// The external id that the role's trust policy asks for.
        external_id: Option<String>,
        /// The account, twelve digits in quotes. Credentials of any other account are refused. Default: that of the role.
        account: Option<String>,
        /// The regions, such as `us-east-1`. At least one, none twice.
        #[schemars(length(min = 1))]
        regions: Vec<String>,
    },
    /// An Azure subscription: its file shares, blob containers, managed disks and storage accounts.
    #[serde(rename_all = "camelCase")]
    Azure {
        /// The subscription's id.
        subscription: String,
        /// The tenant's id. Credentials of any other tenant are refused.
        tenant: Option<String>,
        /// The only resource groups that are looked at. Default: all of the subscription.
        resource_groups: Option<Vec<String>>,
    },
}

/// A cluster that may use volumes of the scopes. One that cannot be read makes what it might use unknown, and nothing of that is
/// deleted.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "cluster")]
#[expect(clippy::struct_field_names, reason = "named as in the file")]
pub(crate) struct Cluster {
    /// What reports call it. Default: its context.
    name: Option<String>,
    /// The kubeconfig; a relative path is below this file's folder, `~` is the home folder. Default: `KUBECONFIG`, or
    /// `~/.kube/config`.
    kubeconfig: Option<String>,
    /// The context in it. Default: the current one.
    context: Option<String>,
    /// Whether it is the cluster that the run itself is in, reached with the pod's service account. Default: `false`.
    in_cluster: Option<bool>,
    /// The UID of its namespace `kube-system`: any other cluster is refused.
    uid: Option<String>,
    /// What drivers call it in tags such as `kubernetes.io/cluster/<id>` and `KubernetesCluster`. Without them no such tag proves that
    /// this cluster made a volume. A name that clusters beside these also have proves what is not so.
    tag_ids: Option<Vec<String>>,
}

/// How long things wait, from when a run first saw them unused; `7d` each where nothing is said.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "grace")]
pub(crate) struct Grace {
    /// Claims, with their volumes, whose StatefulSet is gone.
    left_behind: Option<Duration>,
    /// Volumes whose claim is gone and whose PersistentVolume is there.
    released: Option<Duration>,
    /// Volumes that nothing points to.
    orphan: Option<Duration>,
    /// Load balancers whose Service is gone.
    load_balancer: Option<Duration>,
    /// Storage accounts that hold nothing.
    storage_account: Option<Duration>,
}

/// The most that one run may delete; no cap where nothing is said.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "caps")]
pub(crate) struct Caps {
    /// Things.
    #[schemars(range(min = 1))]
    count: Option<u64>,
    /// Per cent of all volumes that were seen.
    #[schemars(range(min = 1, max = 100))]
    percent: Option<u32>,
    /// GiB together.
    #[schemars(range(min = 1))]
    gib: Option<u64>,
    /// US dollars a month together. What has no known price is then not deleted at all.
    #[schemars(extend("exclusiveMinimum" = 0))]
    monthly: Option<f64>,
}

/// Sorts of volumes that are snapshotted before they are deleted, each with how long the snapshot is kept.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "snapshotFirst")]
pub(crate) struct SnapshotFirst {
    /// EBS volumes and managed disks.
    disk: Option<Duration>,
    /// Azure file shares: the storage account has to keep deleted shares (soft delete) for at least so long, or the share stays.
    share: Option<Duration>,
}

/// What is never deleted. In names and namespaces `*` stands for anything; of tags and labels the value can be left out, and then
/// any value will do.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "protect")]
pub(crate) struct Protect {
    /// Names of volumes (their ids, or the part behind the last slash), claims and PersistentVolumes.
    names: Option<Vec<String>>,
    /// Tags or metadata of volumes.
    tags: Option<BTreeMap<String, Option<String>>>,
    /// Namespaces of claims.
    namespaces: Option<Vec<String>>,
    /// Labels of claims and PersistentVolumes.
    labels: Option<BTreeMap<String, Option<String>>>,
}

/// On which terms a run holds its lock.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "lock")]
pub(crate) struct Lock {
    /// For how long without being renewed, which happens all the time: so long after a run has died the next one can begin.
    /// Default: `2m`.
    span: Option<Duration>,
    /// How far the clocks of two machines may differ. Default: `15s`.
    margin: Option<Duration>,
}

/// Prices in US dollars by region and item: `{us-east-1: {gp2: 0.08}}`.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "prices")]
pub(crate) struct Prices {
    /// Of AWS: `gp2`, `gp3.iops`, `snapshot`, `network.hour` …
    aws: Option<BTreeMap<String, Option<BTreeMap<String, f64>>>>,
    /// Of Azure: `share.Premium_LRS`, `container.Standard_LRS`, `disk.P10_LRS` …
    azure: Option<BTreeMap<String, Option<BTreeMap<String, f64>>>>,
}

/// Whole numbers with their units, larger ones first: `7d`, `36h`, `1h30m`, `30s`. A day has 24 hours.
#[derive(JsonSchema)]
#[schemars(rename = "duration")]
pub(crate) struct Duration(
    #[schemars(regex(
        pattern = r"^([0-9]+d([0-9]+h)?([0-9]+m)?([0-9]+s)?|[0-9]+h([0-9]+m)?([0-9]+s)?|[0-9]+m([0-9]+s)?|[0-9]+s)$"
    ))]
    String,
);
