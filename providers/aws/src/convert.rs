//! Between the SDK's types and ours.

use aws_sdk_ec2::operation::create_volume::CreateVolumeOutput;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types as ec2;
use jiff::Timestamp;
use moorline_api::{
    Attachment, Origin, Recoverable, Snapshot, Tags, Volume, VolumeConfig, VolumeId, VolumeSpec, VolumeState,
    tags as keys,
};

pub(crate) fn timestamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

fn tags(tags: Option<Vec<ec2::Tag>>) -> Tags {
    tags.into_iter()
        .flatten()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}

/// One `TagSpecification` for a creating call; `None` where there are no tags, which EC2 would refuse.
pub(crate) fn tag_specification(kind: ec2::ResourceType, tags: &Tags) -> Option<Vec<ec2::TagSpecification>> {
    let tags: Vec<_> = tags
        .iter()
        .map(|(key, value)| ec2::Tag::builder().key(key).value(value).build())
        .collect();
    if tags.is_empty() {
        return None;
    }
    Some(vec![
        ec2::TagSpecification::builder()
            .resource_type(kind)
            .set_tags(Some(tags))
            .build(),
    ])
}

fn number(value: Option<i32>) -> Option<u32> {
    u32::try_from(value?).ok()
}

fn state(state: Option<&ec2::VolumeState>) -> VolumeState {
    match state {
        Some(ec2::VolumeState::Creating) => VolumeState::Creating,
        Some(ec2::VolumeState::Available) => VolumeState::Available,
        Some(ec2::VolumeState::InUse) => VolumeState::InUse,
        Some(ec2::VolumeState::Deleting) => VolumeState::Deleting,
        Some(ec2::VolumeState::Deleted) => VolumeState::Deleted,
        Some(ec2::VolumeState::Error) => VolumeState::Error,
        _ => VolumeState::Unknown,
    }
}

/// A volume as EC2 shows it; `None` where it has no id. EC2 reports the baseline IOPS of gp2 volumes, which nobody
/// provisioned: only types that take IOPS keep theirs.
pub(crate) fn volume(volume: ec2::Volume) -> Option<Volume> {
    let state = state(volume.state.as_ref());
    let volume_type = volume
        .volume_type
        .as_ref()
        .map_or("standard", ec2::VolumeType::as_str)
        .to_owned();
    let provisioned = matches!(volume_type.as_str(), "gp3" | "io1" | "io2");
    let config = VolumeConfig::Ebs {
        iops: number(volume.iops).filter(|_| provisioned),
        throughput: number(volume.throughput).filter(|_| volume_type == "gp3"),
        encrypted: volume.encrypted,
        kms_key_id: volume.kms_key_id,
        volume_type,
    };
    Some(Volume {
        id: VolumeId(volume.volume_id?),
        spec: VolumeSpec {
            size_gib: number(volume.size).unwrap_or_default(),
            zone: volume.availability_zone,
            config,
        },
        state,
        attachments: volume.attachments.into_iter().flatten().map(attachment).collect(),
        tags: tags(volume.tags),
        created: volume.create_time.as_ref().and_then(timestamp),
    })
}

fn attachment(attachment: ec2::VolumeAttachment) -> Attachment {
    Attachment {
        instance: attachment
            .instance_id
            .or(attachment.associated_resource)
            .unwrap_or_default(),
        device: attachment.device.unwrap_or_default(),
        state: attachment
            .state
            .map(|state| state.as_str().to_owned())
            .unwrap_or_default(),
    }
}

/// The same of a volume that was just created.
pub(crate) fn created_volume(output: CreateVolumeOutput) -> Option<Volume> {
    volume(
        ec2::Volume::builder()
            .set_volume_id(output.volume_id)
            .set_size(output.size)
            .set_availability_zone(output.availability_zone)
            .set_volume_type(output.volume_type)
            .set_iops(output.iops)
            .set_throughput(output.throughput)
            .set_encrypted(output.encrypted)
            .set_kms_key_id(output.kms_key_id)
            .set_state(output.state)
            .set_attachments(output.attachments)
            .set_tags(output.tags)
            .set_create_time(output.create_time)
            .build(),
    )
}

pub(crate) fn snapshot(snapshot: ec2::Snapshot) -> Option<Snapshot> {
    Some(Snapshot {
        id: snapshot.snapshot_id?,
        volume: VolumeId(snapshot.volume_id.unwrap_or_default()),
        completed: snapshot.state == Some(ec2::SnapshotState::Completed),
        tags: tags(snapshot.tags),
    })
}

/// A snapshot as something to make a volume of; `None` where it has no id.
pub(crate) fn recoverable(snapshot: ec2::Snapshot) -> Option<Recoverable> {
    // One in the archive has to be brought back from there first, which takes days.
    let at_hand = !matches!(snapshot.storage_tier, Some(ec2::StorageTier::Archive));
    let size_gib = number(snapshot.volume_size).unwrap_or_default();
    let tags = tags(snapshot.tags);
    let written = |key| tags.get(key).and_then(|value| value.parse().ok());
    let spec = tags.get(keys::VOLUME_TYPE).map(|volume_type| VolumeSpec {
        size_gib,
        zone: tags.get(keys::VOLUME_ZONE).cloned(),
        config: VolumeConfig::Ebs {
            volume_type: volume_type.clone(),
            iops: written(keys::VOLUME_IOPS),
            throughput: written(keys::VOLUME_THROUGHPUT),
            encrypted: snapshot.encrypted,
            kms_key_id: snapshot.kms_key_id,
        },
    });
    Some(Recoverable {
        origin: Origin::Snapshot(snapshot.snapshot_id?),
        volume: VolumeId(snapshot.volume_id.unwrap_or_default()),
        ready: snapshot.state == Some(ec2::SnapshotState::Completed) && at_hand,
        taken: snapshot.start_time.as_ref().and_then(timestamp),
        removed: None,
        size_gib,
        spec,
        tags,
    })
}
