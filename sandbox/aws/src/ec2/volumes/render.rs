//! Volumes in XML.

use std::collections::BTreeMap;

use crate::model::volume::{Attachment, Volume};
use crate::wire::xml::Xml;

/// The members of a volume, without the element around them.
pub(crate) fn volume(xml: &mut Xml, volume: &Volume) {
    xml.text("volumeId", &volume.id);
    xml.text("size", volume.size_gib);
    xml.text("snapshotId", volume.snapshot_id.as_deref().unwrap_or_default());
    xml.text("availabilityZone", &volume.zone);
    xml.text("availabilityZoneId", crate::ec2::places::zone_id(&volume.zone));
    xml.text("status", volume.state.as_str());
    xml.text("createTime", time(volume.created));
    xml.list(("attachmentSet", "item"), &volume.attachment, |xml, there| {
        attachment(xml, &volume.id, there, "attached");
    });
    if !volume.tags.is_empty() {
        tags(xml, &volume.tags);
    }
    xml.text("volumeType", &volume.volume_type);
    xml.optional("iops", volume.iops);
    xml.text("encrypted", volume.encrypted);
    xml.optional("kmsKeyId", volume.kms_key_id.as_ref());
    xml.text("multiAttachEnabled", false);
    xml.optional("throughput", volume.throughput);
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
