//! Volumes in XML.

use std::collections::BTreeMap;

use crate::ec2::places::zone_id;
use crate::model::volume::{Attachment, Standing, VolumeRecord};
use crate::wire::xml::Xml;

/// The members of a volume, without the element around them.
pub(crate) fn volume(xml: &mut Xml, volume: &Standing) {
    let VolumeRecord { id, zone, spec, .. } = volume.record;
    xml.text("volumeId", id);
    xml.text("size", spec.size_gib);
    xml.text("snapshotId", volume.record.snapshot_id.as_deref().unwrap_or_default());
    xml.text("availabilityZone", zone);
    xml.text("availabilityZoneId", zone_id(zone));
    xml.text("status", volume.state.as_str());
    xml.text("createTime", time(volume.record.created));
    xml.list(("attachmentSet", "item"), &volume.record.attachment, |xml, there| {
        attachment(xml, id, there, "attached");
    });
    if !volume.record.tags.is_empty() {
        tags(xml, &volume.record.tags);
    }
    xml.text("volumeType", &spec.volume_type);
    xml.optional("iops", spec.iops);
    xml.text("encrypted", volume.record.encrypted);
    xml.optional("kmsKeyId", volume.record.kms_key_id.as_ref());
    xml.text("multiAttachEnabled", false);
    xml.optional("throughput", spec.throughput);
}

/// The members of an attachment, without the element around them.
pub(crate) fn attachment(xml: &mut Xml, volume_id: &str, attachment: &Attachment, state: &str) {
    xml.text("volumeId", volume_id);
    xml.text("instanceId", &attachment.instance_id);
    xml.text("device", &attachment.device);
    xml.text("status", state);
    xml.text("attachTime", time(attachment.attached));
    xml.text("deleteOnTermination", false);
}

/// The element `tagSet`.
pub(crate) fn tags(xml: &mut Xml, tags: &BTreeMap<String, String>) {
    xml.list(("tagSet", "item"), tags, |xml, (key, value)| {
        xml.text("key", key);
        xml.text("value", value);
    });
}

/// A time as EC2 writes it: `2026-11-21T09:00:00.000Z`.
pub(crate) fn time(moment: jiff::Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
