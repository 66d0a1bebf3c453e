//! Cloud volumes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::azure::{self, AzureContainer, AzureDisk, AzureShare};
use crate::{Error, Result};

/// Tags or metadata of a cloud resource.
pub type Tags = BTreeMap<String, String>;

/// The provider's name for a volume: `vol-0123456789abcdef0`, `account.file/share`, or a managed disk's resource id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VolumeId(pub String);

impl VolumeId {
    /// The volume's own name: what stands behind the slash of an id that says first what holds it.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes creation idempotent: a claim's UID, and a generation for when a token was burnt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClientToken {
    /// The claim's UID.
    pub claim_uid: String,
    /// 1 at first; one more each time the token before is burnt.
    pub generation: u32,
}

impl fmt::Display for ClientToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.claim_uid)?;
        if self.generation > 1 {
            write!(f, "-{}", self.generation)
        } else {
            Ok(())
        }
    }
}

/// What sort of volume, in its provider's terms; the engine never looks inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub enum VolumeConfig {
    /// An EBS volume.
    #[serde(rename_all = "camelCase")]
    Ebs {
        /// `gp2`, `gp3`, `io1`, `io2`, `st1`, `sc1`, `standard`.
        volume_type: String,
        /// Provisioned operations a second; `None` is the type's default.
        iops: Option<u32>,
        /// MiB a second (gp3); `None` is the type's default.
        throughput: Option<u32>,
        /// Encrypted at rest; `None` is the account's default.
        encrypted: Option<bool>,
        /// KMS key id, alias or ARN.
        kms_key_id: Option<String>,
    },
    /// An Azure file share.
    AzureFile(AzureShare),
    /// An Azure blob container. Azure bounds no container: its size is what the claim asked for, and only written down.
    AzureBlob(AzureContainer),
    /// An Azure managed disk. Only garbage collection and recovery know of them: no class gets one.
    AzureDisk(AzureDisk),
}

impl VolumeConfig {
    /// An EBS volume of this type, all else as its type and account have it.
    pub fn ebs(volume_type: &str) -> Self {
        Self::Ebs {
            volume_type: volume_type.to_owned(),
            iops: None,
            throughput: None,
            encrypted: None,
            kms_key_id: None,
        }
    }

    /// The type or SKU in one word, for tables.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Ebs { volume_type, .. } => volume_type,
            Self::AzureFile(share) => &share.account.sku,
            Self::AzureBlob(container) => &container.account.sku,
            Self::AzureDisk(disk) => &disk.sku,
        }
    }

    /// What it is for those who use it.
    pub fn sort(&self) -> VolumeSort {
        match self {
            Self::Ebs { .. } | Self::AzureDisk(_) => VolumeSort::Disk,
            Self::AzureFile(_) => VolumeSort::Share,
            Self::AzureBlob(_) => VolumeSort::Container,
        }
    }

    /// The volume that its class names for this claim, where the class names any: claims that get the same text get the same
    /// volume. `None` where each claim has one of its own.
    pub fn named_for(&self, namespace: &str, claim: &str) -> Option<String> {
        let name = match self {
            Self::Ebs { .. } | Self::AzureDisk(_) => None,
            Self::AzureFile(share) => share.name.as_deref(),
            Self::AzureBlob(container) => container.name.as_deref(),
        }?;
        let of_its_own = name.contains(azure::NAME_PARTS[2]);
        (!of_its_own).then(|| azure::fill_name(name, claim, namespace, ""))
    }

    /// What holds it, such as the storage account of a share; `None` where it stands by itself.
    pub fn holder(&self) -> Option<&str> {
        match self {
            Self::Ebs { .. } | Self::AzureDisk(_) => None,
            Self::AzureFile(share) => share.account.name.as_deref(),
            Self::AzureBlob(container) => container.account.name.as_deref(),
        }
    }
}

impl VolumeConfig {
    /// How this configuration, as a cloud shows it, is not what was `asked` for, a sentence each: `type gp2, not gp3`. What was left to
    /// the cloud is never otherwise, nor is what the cloud does not show.
    pub fn deviations(&self, asked: &Self) -> Vec<String> {
        let (has, wants) = (self.type_name(), asked.type_name());
        let mut found: Vec<String> = (!has.eq_ignore_ascii_case(wants) && !has.is_empty() && !wants.is_empty())
            .then(|| format!("type {has}, not {wants}"))
            .into_iter()
            .collect();
        let mut compare = |what: &str, has: Option<String>, wants: Option<String>| {
            if let (Some(has), Some(wants)) = (has, wants)
                && !has.eq_ignore_ascii_case(&wants)
            {
                found.push(format!("{what} {has}, not {wants}"));
            }
        };
        let number = |value: &Option<u32>| value.map(|value| value.to_string());
        match (self, asked) {
            (
                Self::Ebs {
                    iops,
                    throughput,
                    encrypted,
                    ..
                },
                Self::Ebs {
                    iops: asked_iops,
                    throughput: asked_throughput,
                    encrypted: asked_encrypted,
                    ..
                },
            ) => {
                compare("IOPS", number(iops), number(asked_iops));
                compare("throughput", number(throughput), number(asked_throughput));
                // An account may encrypt what nobody asked it to.
                if (*encrypted, *asked_encrypted) == (Some(false), Some(true)) {
                    found.push("not encrypted".to_owned());
                }
            }
            (Self::AzureFile(has), Self::AzureFile(asked)) => {
                compare("protocol", some(&has.protocol), some(&asked.protocol));
                compare("access tier", has.access_tier.clone(), asked.access_tier.clone());
                compare("root squash", has.root_squash.clone(), asked.root_squash.clone());
                compare("IOPS", number(&has.iops), number(&asked.iops));
                compare("bandwidth", number(&has.bandwidth), number(&asked.bandwidth));
                compare("account", has.account.name.clone(), asked.account.name.clone());
            }
            (Self::AzureBlob(has), Self::AzureBlob(asked)) => {
                compare("account", has.account.name.clone(), asked.account.name.clone());
            }
            _ => {}
        }
        found
    }
}

/// Text, where there is any.
fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The sorts of volumes that look different to those who use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeSort {
    /// A block device of a fixed size, attached to a machine.
    Disk,
    /// A file share with a quota.
    Share,
    /// A container of objects without a bound.
    Container,
}

/// Whom volumes are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// UID of the cluster's namespace `kube-system`.
    pub cluster: &'a str,
    /// The profile's name.
    pub profile: &'a str,
}

/// A volume to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeSpec {
    /// Size in whole GiB.
    pub size_gib: u32,
    /// The zone, where the provider has zonal volumes.
    pub zone: Option<String>,
    /// The provider's part.
    pub config: VolumeConfig,
}

/// Everything the creating call carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVolume {
    /// What to create.
    pub spec: VolumeSpec,
    /// Makes a repeat harmless.
    pub token: ClientToken,
    /// All tags; they are set in the creating call. Together they name this one volume: when the answer to that call is lost, a
    /// living volume that has them all is the one that it made.
    pub tags: Tags,
}

/// Where a volume is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeState {
    /// Not usable yet.
    Creating,
    /// Usable, attached nowhere.
    Available,
    /// Attached, or being attached or detached.
    InUse,
    /// On its way out.
    Deleting,
    /// Gone, and still listed.
    Deleted,
    /// Failed for good.
    Error,
    /// A state this version does not know: treat as alive.
    Unknown,
}

impl VolumeState {
    /// Whether a claim can still be served by a volume in this state. An unknown state counts as alive: in doubt, keep.
    pub fn is_alive(self) -> bool {
        !matches!(self, Self::Deleting | Self::Deleted | Self::Error)
    }
}

impl fmt::Display for VolumeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::InUse => "in-use",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Error => "error",
            Self::Unknown => "unknown",
        })
    }
}

/// One attachment of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The machine.
    pub instance: String,
    /// The device name there: `/dev/xvdba`.
    pub device: String,
    /// `attaching`, `attached`, `detaching`, `busy`.
    pub state: String,
}

/// A volume as the cloud shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Id.
    pub id: VolumeId,
    /// Size, zone and configuration as they are.
    pub spec: VolumeSpec,
    /// State.
    pub state: VolumeState,
    /// Where it is attached.
    pub attachments: Vec<Attachment>,
    /// Tags.
    pub tags: Tags,
    /// When it was created.
    pub created: Option<Timestamp>,
}

/// A snapshot of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Id.
    pub id: String,
    /// The volume it was taken of.
    pub volume: VolumeId,
    /// Whether it is complete and can be restored from.
    pub completed: bool,
    /// Tags.
    pub tags: Tags,
}

/// Which volumes to list; the filters run in the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeFilter {
    /// Those with all of these tags.
    Tagged(Tags),
    /// Those of these ids that exist; unknown ids are left out. Any number; batched inside.
    Ids(Vec<VolumeId>),
    /// All of the region.
    All,
}

/// Creates, reads and deletes volumes of one account and region.
///
/// Calls are paced to the account's published budgets and retried inside where that is safe.
#[async_trait]
pub trait Volumes: Send + Sync {
    /// Creates a volume, or returns the one that the same token made before.
    /// `ErrorKind::TokenBurnt` asks for the next generation.
    async fn create(&self, new: &NewVolume) -> Result<Volume>;

    /// Matching volumes, page by page; ends early only with an `Err`. Reads lag writes.
    fn list(&self, filter: VolumeFilter) -> BoxStream<'_, Result<Vec<Volume>>>;

    /// Waits until the volume can be attached; fails at once with what the cloud says when it never will, and with
    /// `ErrorKind::NotFound` when it vanished. Many waits share batched reads. The caller bounds it in time.
    async fn wait_usable(&self, id: &VolumeId) -> Result<Volume>;

    /// Begins to delete a volume; one that is absent is success, one in use is `ErrorKind::InUse`.
    async fn delete(&self, id: &VolumeId) -> Result<()>;

    /// Waits until the cloud no longer has the volume. Many waits share batched reads. The caller bounds it in time.
    async fn wait_gone(&self, id: &VolumeId) -> Result<()>;

    /// Takes a snapshot and waits until it is complete. `name` finds one begun before, so that a repeat makes no second.
    async fn snapshot(&self, id: &VolumeId, name: &str, tags: &Tags) -> Result<Snapshot>;

    /// What would stand in the way of making these volumes, as far as it can be read beforehand: a class may name what is not
    /// there, or is another's. Changes nothing; that nothing is found is no promise.
    async fn obstacles(&self, _owner: Owner<'_>, _specs: &[VolumeSpec]) -> Result<Vec<Error>> {
        Ok(Vec::new())
    }

    /// How long the published budgets allow `creates` creations to take at least, from full buckets.
    fn creation_floor(&self, creates: u32) -> Duration;
}
