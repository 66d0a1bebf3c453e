//! EBS volumes: what is stored of one, and how it looks at a moment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a new volume shall be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewVolume {
    /// The availability zone, `us-east-1a`.
    pub zone: String,
    /// Size in GiB; 0 takes the size of the snapshot.
    pub size_gib: u32,
    /// `gp2`, `gp3`, `io1`, `io2`, `st1`, `sc1` or `standard`; empty means `gp2`.
    pub volume_type: String,
    /// I/O operations a second, where the type lets one choose.
    pub iops: Option<u32>,
    /// Throughput in MiB/s, where the type lets one choose.
    pub throughput: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The KMS key: id, alias or ARN of either. Without it, the account's key for EBS.
    pub kms_key_id: Option<String>,
    /// The snapshot whose contents it starts with.
    pub snapshot_id: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The token that makes a repeated call return the same volume, once for each zone.
    pub client_token: Option<String>,
}

/// A volume as it is at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// `vol-` and 17 hexadecimal digits.
    pub id: String,
    /// Its region.
    pub region: String,
    /// Its availability zone.
    pub zone: String,
    /// Size in GiB.
    pub size_gib: u32,
    /// `gp2`, `gp3`, …
    pub volume_type: String,
    /// I/O operations a second, chosen or by the type; none for the magnetic types.
    pub iops: Option<u32>,
    /// Throughput in MiB/s; only gp3 has one.
    pub throughput: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// ARN of its KMS key, where it is encrypted.
    pub kms_key_id: Option<String>,
    /// The snapshot it was made from.
    pub snapshot_id: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When its creation was accepted.
    pub created: Timestamp,
    /// Its state.
    pub state: VolumeState,
    /// Where it is attached.
    pub attachment: Option<Attachment>,
    /// When the state will change by itself: `creating` ends, or `deleting` does and the volume is gone.
    pub settles_at: Option<Timestamp>,
}

/// The states of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeState {
    /// Not yet usable.
    Creating,
    /// Usable, and attached to nothing.
    Available,
    /// Attached.
    InUse,
    /// Going.
    Deleting,
}

impl VolumeState {
    /// As the API writes it: `in-use`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::InUse => "in-use",
            Self::Deleting => "deleting",
        }
    }
}

/// Where a volume is attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The instance.
    pub instance_id: String,
    /// The device name there, `/dev/xvdba`.
    pub device: String,
    /// Since when.
    pub attached: Timestamp,
}

/// What is kept of a volume; states follow from it and the time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VolumeRecord {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) zone: String,
    pub(crate) spec: Spec,
    pub(crate) encrypted: bool,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) snapshot_id: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) ready_at: Timestamp,
    /// Its creation fails in the end: its KMS key does not exist.
    pub(crate) doomed: bool,
    pub(crate) attachment: Option<Attachment>,
    pub(crate) modification: Option<Modification>,
    /// When it is gone, once its deletion was accepted.
    pub(crate) gone_at: Option<Timestamp>,
    pub(crate) token: Option<TokenUse>,
}

/// What `ModifyVolume` can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) size_gib: u32,
    pub(crate) volume_type: String,
    pub(crate) iops: Option<u32>,
    pub(crate) throughput: Option<u32>,
}

/// The last change of a volume.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Modification {
    pub(crate) from: Spec,
    pub(crate) to: Spec,
    pub(crate) started: Timestamp,
    pub(crate) optimizing_at: Timestamp,
    pub(crate) completed_at: Timestamp,
}

/// A client token, and what it was used for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TokenUse {
    pub(crate) token: String,
    pub(crate) volume_id: String,
    pub(crate) zone: String,
    /// A digest of the parameters, zone aside.
    pub(crate) fingerprint: String,
}

impl VolumeRecord {
    /// The volume as it stands at `now`; nothing once it is gone.
    pub(crate) fn at(&self, now: Timestamp) -> Option<Standing<'_>> {
        let end = if self.doomed { Some(self.ready_at) } else { self.gone_at };
        if end.is_some_and(|end| end <= now) {
            return None;
        }
        let state = if self.gone_at.is_some() {
            VolumeState::Deleting
        } else if now < self.ready_at {
            VolumeState::Creating
        } else if self.attachment.is_some() {
            VolumeState::InUse
        } else {
            VolumeState::Available
        };
        Some(Standing { record: self, state })
    }
}

/// A volume and the state it is in.
#[derive(Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) record: &'a VolumeRecord,
    pub(crate) state: VolumeState,
}

impl Standing<'_> {
    /// The same for the world outside.
    pub(crate) fn volume(self) -> Volume {
        let VolumeRecord { spec, .. } = self.record;
        let settles_at = match self.state {
            VolumeState::Creating => Some(self.record.ready_at),
            VolumeState::Deleting => self.record.gone_at,
            VolumeState::Available | VolumeState::InUse => None,
        };
        Volume {
            id: self.record.id.clone(),
            region: self.record.region.clone(),
            zone: self.record.zone.clone(),
            size_gib: spec.size_gib,
            volume_type: spec.volume_type.clone(),
            iops: spec.iops,
            throughput: spec.throughput,
            encrypted: self.record.encrypted,
            kms_key_id: self.record.kms_key_id.clone(),
            snapshot_id: self.record.snapshot_id.clone(),
            tags: self.record.tags.clone(),
            created: self.record.created,
            state: self.state,
            attachment: self.record.attachment.clone(),
            settles_at,
        }
    }
}

impl Modification {
    /// `modifying`, `optimizing` or `completed`, and how much is done in per cent.
    pub(crate) fn state(&self, now: Timestamp) -> (&'static str, u8) {
        if now < self.optimizing_at {
            ("modifying", 0)
        } else if now < self.completed_at {
            ("optimizing", 50)
        } else {
            ("completed", 100)
        }
    }
}
