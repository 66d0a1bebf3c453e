//! What runs end with: serialisable results that reports render and `-o json` prints.

use jiff::Timestamp;
use moorline_api::{Account, Attachment, ClusterIdentity, LoadBalancerKind, VolumeSort};
use serde::Serialize;

/// One thing that is not ready, and why, in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The thing: `pod default/home-deployment-2`.
    pub what: String,
    /// Why: `unschedulable: 0/3 nodes are available: …`.
    pub why: String,
    /// What to do about it, where there is something.
    pub hint: Option<String>,
    /// Whether waiting cannot help.
    pub fatal: bool,
}

/// A claim and the volume behind it: the columns of `kubectl get pvc`, then the cloud's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimStatus {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `Pending`, `Bound`, `Lost`, `Terminating`, or `Missing` where the profile wants one that is not there.
    pub status: String,
    /// Name of the PersistentVolume; empty while there is none.
    pub volume: String,
    /// `10Gi`; empty while unbound.
    pub capacity: String,
    /// `RWO`, `RWX`, `ROX`, `RWOP`, joined by commas.
    pub access_modes: String,
    /// Class.
    pub storage_class: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// The volume behind it.
    pub cloud: Option<CloudVolume>,
    /// What is wrong with it; empty when nothing is.
    pub note: String,
}

/// A cloud volume behind a claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudVolume {
    /// Id: `vol-0123456789abcdef0`, `account.file/share`.
    pub id: String,
    /// What it is: `disk`, `share`, `container`.
    pub sort: VolumeSort,
    /// Its name within what holds it.
    pub name: String,
    /// What holds it: a share's storage account; `None` where it stands by itself.
    pub holder: Option<String>,
    /// Zone.
    pub zone: Option<String>,
    /// Type or SKU: `gp2`, `Standard_LRS`.
    pub volume_type: String,
    /// Size or quota in GiB.
    pub size_gib: u32,
    /// Bytes used as the cloud counts them; `None` where it does not, or was not asked.
    pub used_bytes: Option<u64>,
    /// State: `in-use`.
    pub state: String,
    /// Attachments with their devices.
    pub attachments: Vec<Attachment>,
}

/// A workload and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadStatus {
    /// `statefulset.apps`.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Replicas wanted.
    pub desired: i64,
    /// Replicas ready.
    pub ready: i64,
    /// Replicas of the newest revision.
    pub updated: i64,
    /// When it was created; `None` where it does not exist.
    pub created: Option<Timestamp>,
}

/// A pod: the columns of `kubectl get pods -o wide`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `1/1`.
    pub ready: String,
    /// `Running`, `Pending`, `ImagePullBackOff` …
    pub status: String,
    /// Restarts of all containers.
    pub restarts: i64,
    /// Node.
    pub node: String,
    /// Pod IP.
    pub ip: String,
    /// When it was created.
    pub created: Option<Timestamp>,
}

/// A Service and its load balancer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `LoadBalancer`, `ClusterIP` …
    pub service_type: String,
    /// Cluster IP, or `None`.
    pub cluster_ip: String,
    /// Hostname or address from the load balancer; `<pending>` while there is none; empty where none is wanted.
    pub hostname: String,
    /// `80:30080/TCP`.
    pub ports: String,
    /// `spec.loadBalancerSourceRanges`, or the annotation's.
    pub source_ranges: Vec<String>,
    /// The load balancer behind it, as the cloud lists it.
    pub load_balancer: Option<String>,
    /// When it was created.
    pub created: Option<Timestamp>,
}

/// A recent event about an object of the profile.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventStatus {
    /// When it was last seen.
    pub last_seen: Option<Timestamp>,
    /// `Normal` or `Warning`.
    pub event_type: String,
    /// Reason.
    pub reason: String,
    /// `pod/home-deployment-0`.
    pub object: String,
    /// Message.
    pub message: String,
    /// How often.
    pub count: i64,
}

/// Everything `status` and the end of `up` show.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Profile.
    pub profile: String,
    /// Cluster.
    pub cluster: ClusterIdentity,
    /// Cloud account; `None` where the profile needs none and none could be reached.
    pub account: Option<Account>,
    /// Whether everything is Bound and Ready.
    pub ready: bool,
    /// Claims, in the order of set, template and ordinal.
    pub claims: Vec<ClaimStatus>,
    /// Workloads.
    pub workloads: Vec<WorkloadStatus>,
    /// Pods.
    pub pods: Vec<PodStatus>,
    /// Services.
    pub services: Vec<ServiceStatus>,
    /// Recent events, the newest last.
    pub events: Vec<EventStatus>,
    /// What is not ready, and why.
    pub waiting: Vec<Cause>,
    /// Things worth knowing, a sentence each; what could not be read is among them.
    pub notices: Vec<String>,
    /// Whether something could not be read (exit code 3).
    pub incomplete: bool,
}

impl Status {
    /// Without pods and events, which the end of a run that came out well does not show.
    #[must_use]
    pub(crate) fn without_causes(mut self) -> Self {
        self.pods = Vec::new();
        self.events = Vec::new();
        self
    }
}

/// Who measured how full a volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MeasuredBy {
    /// The kubelet of the pod's node, in the mounted file system: what `df` in the pod shows.
    Kubelet,
    /// The cloud, which counts what the volume holds and knows no file system.
    Cloud,
}

/// A claim that a pod has mounted, and how full it is: a line of `df`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MountUsage {
    /// Namespace of pod and claim.
    pub namespace: String,
    /// Pod.
    pub pod: String,
    /// Its node; empty while it has none.
    pub node: String,
    /// Claim.
    pub claim: String,
    /// Where its containers have it: mount paths, or device paths of block devices.
    pub paths: Vec<String>,
    /// The cloud's id of the volume, where it is known.
    pub volume: Option<String>,
    /// Who measured; `None` where nobody could.
    pub measured_by: Option<MeasuredBy>,
    /// When, where that is known.
    pub measured_at: Option<Timestamp>,
    /// Size in bytes: of the file system, or, measured by the cloud, what Kubernetes says that the claim got.
    pub size_bytes: Option<u64>,
    /// Bytes used.
    pub used_bytes: Option<u64>,
    /// Bytes that can still be written.
    pub available_bytes: Option<u64>,
    /// Used of what can be used, in per cent rounded up, as `df` counts it.
    pub used_percent: Option<u64>,
    /// Inodes of the file system.
    pub inodes: Option<u64>,
    /// Inodes used.
    pub inodes_used: Option<u64>,
    /// Inodes left.
    pub inodes_free: Option<u64>,
    /// Inodes used, in per cent rounded up.
    pub inodes_used_percent: Option<u64>,
    /// Why the kubelet's figures are missing; empty where they are not.
    pub unknown: String,
}

/// What `df` shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskUsage {
    /// Profile.
    pub profile: String,
    /// Cluster.
    pub cluster: ClusterIdentity,
    /// Mounts by namespace, pod and claim, ordinals in their order.
    pub mounts: Vec<MountUsage>,
    /// Things worth knowing, a sentence each; why figures are missing is among them.
    pub notices: Vec<String>,
    /// Whether figures are missing that there should be (exit code 3).
    pub incomplete: bool,
}

/// What `up` and `scale` end with.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpOutcome {
    /// How many mutating calls changed something.
    pub changed: usize,
    /// Volumes created in this run.
    pub volumes_created: usize,
    /// Volumes that an earlier run had made and this one adopted.
    pub volumes_adopted: usize,
    /// Where things stand; without pods and events, which `status` reads.
    pub status: Status,
}

/// One thing at the end of `down`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fate {
    /// The thing: `volume vol-0abc`, `persistentvolumeclaims default/data-0`.
    pub what: String,
    /// Why it is so: `no longer listed by the cloud`, `reclaim policy Retain`, `still attached to i-0abc`.
    pub why: String,
}

/// What `down` ends with: proof of what is gone, and what remains.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DownOutcome {
    /// Proved gone: read again after the deletion.
    pub gone: Vec<Fate>,
    /// Kept on purpose.
    pub kept: Vec<Fate>,
    /// Meant to go and still there, or not proved gone; the next run tries again (exit code 3).
    pub remaining: Vec<Fate>,
    /// Things worth knowing.
    pub notices: Vec<String>,
}

/// A load balancer joined with its Service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BalancerRow {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: LoadBalancerKind,
    /// DNS name.
    pub hostname: String,
    /// `internet-facing` or `internal`.
    pub scheme: String,
    /// State in the cloud's words.
    pub state: String,
    /// `namespace/name` of the Service that tags or hostname name.
    pub service: Option<String>,
    /// How the two were joined: `hostname`, `tag`, or empty.
    pub joined_by: String,
    /// Source ranges of the Service.
    pub source_ranges: Vec<String>,
    /// `in use`; `claimed` (its Service is there and shows another hostname or none yet); `service gone` (its tags name this
    /// cluster and a Service that is not there); `unknown` (they name another or no cluster); `foreign` (no Service's at all).
    pub verdict: String,
    /// When it was created.
    pub created: Option<Timestamp>,
}

/// What `lb` shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BalancerReport {
    /// Rows by name.
    pub balancers: Vec<BalancerRow>,
    /// Services of type LoadBalancer that have none yet: `namespace/name`.
    pub pending: Vec<String>,
    /// What could not be read, a sentence each.
    pub notices: Vec<String>,
    /// Whether something could not be read (exit code 3).
    pub incomplete: bool,
}
