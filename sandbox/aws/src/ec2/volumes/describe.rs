//! `DescribeVolumes`.

use std::collections::BTreeMap;

use super::{check_id, render};
use crate::ec2::filters::Filters;
use crate::ec2::paging;
use crate::error::AwsError;
use crate::model::volume::{Volume, VolumeRecord};
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

/// The most ids of one call, and the most volumes of one page.
pub(super) const MOST: usize = 500;

const FILTERS: [&str; 17] = [
    "attachment.attach-time",
    "attachment.delete-on-termination",
    "attachment.device",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "availability-zone-id",
    "create-time",
    "encrypted",
    "fast-restored",
    "multi-attach-enabled",
    "operator.managed",
    "size",
    "snapshot-id",
    "status",
    "volume-id",
    "volume-type",
];

pub(crate) fn run(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let filters = Filters::read(params, &FILTERS)?;
    let chosen = choose(session, params)?;
    let page = paging::read(session, params, ("DescribeVolumes", MOST), &filters)?;
    let passing = chosen.into_iter().filter(|(_, volume)| passes(&filters, volume));
    let (volumes, next) = page.cut(passing.map(|(_, volume)| (volume.id.clone(), volume)));
    xml.list(("volumeSet", "item"), &volumes, |xml, volume| {
        render::volume(xml, volume);
    });
    xml.optional("nextToken", next);
    Ok(())
}

/// The visible volumes that `VolumeId.N` names, or all: one that cannot be found fails the call.
pub(super) fn choose<'s>(session: &'s Session, params: &Params) -> Result<Vec<(&'s VolumeRecord, Volume)>, AwsError> {
    paging::not_with_ids(params, ("VolumeId", "volumeSet"))?;
    let ids = params.texts("VolumeId");
    if ids.is_empty() {
        return Ok(session.visible_volumes().collect());
    }
    if ids.len() > MOST {
        return Err(AwsError::invalid_value(format!("At most {MOST} volume ids may be given")));
    }
    ids.iter().try_for_each(|id| check_id(id))?;
    let mut found: BTreeMap<&str, (&VolumeRecord, Volume)> = session
        .visible_volumes()
        .filter(|(record, _)| ids.contains(&record.id.as_str()))
        .map(|(record, volume)| (record.id.as_str(), (record, volume)))
        .collect();
    let missing: Vec<&str> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
    match missing.as_slice() {
        [] => Ok(std::mem::take(&mut found).into_values().collect()),
        [id] => Err(AwsError::volume_not_found(id)),
        several => {
            let message = format!("The volumes '{}' do not exist.", several.join(", "));
            Err(AwsError::new("InvalidVolume.NotFound", message))
        }
    }
}

fn passes(filters: &Filters, volume: &Volume) -> bool {
    filters.pass(&volume.tags, |name| match name.strip_prefix("attachment.") {
        Some(of_attachment) => attachment_value(volume, of_attachment),
        None => own_value(volume, name),
    })
}

fn own_value(volume: &Volume, name: &str) -> Vec<String> {
    vec![match name {
        "availability-zone" => volume.zone.clone(),
        "availability-zone-id" => crate::ec2::places::zone_id(&volume.zone),
        "create-time" => render::time(volume.created),
        "encrypted" => volume.encrypted.to_string(),
        "fast-restored" | "multi-attach-enabled" | "operator.managed" => false.to_string(),
        "size" => volume.size_gib.to_string(),
        "snapshot-id" => volume.snapshot_id.clone().unwrap_or_default(),
        "status" => volume.state.as_str().to_owned(),
        "volume-id" => volume.id.clone(),
        "volume-type" => volume.volume_type.clone(),
        _ => return Vec::new(),
    }]
}

fn attachment_value(volume: &Volume, name: &str) -> Vec<String> {
    let Some(attachment) = &volume.attachment else { return Vec::new() };
    vec![match name {
        "attach-time" => render::time(attachment.attached),
        "delete-on-termination" => false.to_string(),
        "device" => attachment.device.clone(),
        "instance-id" => attachment.instance_id.clone(),
        "status" => "attached".to_owned(),
        _ => return Vec::new(),
    }]
}
