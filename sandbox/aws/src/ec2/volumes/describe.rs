//! `DescribeVolumes`.

use super::{check_id, render};
use crate::ec2::filters::Filters;
use crate::ec2::paging;
use crate::ec2::places::zone_id;
use crate::error::AwsError;
use crate::model::volume::{Attachment, Standing, VolumeRecord};
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
    let named = named(session, params)?;
    let page = paging::read(session, params, ("DescribeVolumes", MOST), &filters)?;
    let passing = choose(session, named, &filters, page.after()).filter(|volume| passes(&filters, volume));
    let (volumes, next) = page.cut(passing.map(|volume| (volume.record.id.clone(), volume)));
    xml.list(("volumeSet", "item"), &volumes, render::volume);
    xml.optional("nextToken", next);
    Ok(())
}

/// The volumes to look at, by id: those named, those that a filter of ids lets through, or all behind `after`. However many
/// there are, a page costs no more than it has to look at.
fn choose<'s>(
    session: &'s Session,
    named: Option<Vec<Standing<'s>>>,
    filters: &Filters,
    after: Option<&'s str>,
) -> Box<dyn Iterator<Item = Standing<'s>> + 's> {
    if let Some(named) = named {
        Box::new(named.into_iter())
    } else if let Some(ids) = filters.literals("volume-id") {
        Box::new(ids.into_iter().filter_map(|id| session.visible_volume(&id)))
    } else {
        Box::new(session.visible_volumes_after(after))
    }
}

/// The visible volumes that `VolumeId.N` names, by id: one that cannot be found fails the call.
pub(super) fn named<'s>(session: &'s Session, params: &Params) -> Result<Option<Vec<Standing<'s>>>, AwsError> {
    paging::not_with_ids(params, ("VolumeId", "volumeSet"))?;
    let mut ids = params.texts("VolumeId");
    if ids.is_empty() {
        return Ok(None);
    }
    if ids.len() > MOST {
        return Err(AwsError::invalid_value(format!(
            "At most {MOST} volume ids may be given"
        )));
    }
    ids.iter().try_for_each(|id| check_id(id))?;
    ids.sort_unstable();
    ids.dedup();
    let found: Vec<_> = ids.iter().filter_map(|id| session.visible_volume(id)).collect();
    ids.retain(|id| !found.iter().any(|volume| volume.record.id == *id));
    match ids.as_slice() {
        [] => Ok(Some(found)),
        [id] => Err(AwsError::volume_not_found(id)),
        several => {
            let message = format!("The volumes '{}' do not exist.", several.join(", "));
            Err(AwsError::new("InvalidVolume.NotFound", message))
        }
    }
}

/// The same, or all visible volumes where none is named.
pub(super) fn named_or_all<'s>(session: &'s Session, params: &Params) -> Result<Vec<Standing<'s>>, AwsError> {
    Ok(named(session, params)?.unwrap_or_else(|| session.visible_volumes().collect()))
}

fn passes(filters: &Filters, volume: &Standing) -> bool {
    filters.pass(&volume.record.tags, |name| match name.strip_prefix("attachment.") {
        Some(of_attachment) => attachment_value(volume.record.attachment.as_ref()?, of_attachment),
        None => own_value(volume, name),
    })
}

fn own_value(volume: &Standing, name: &str) -> Option<String> {
    let VolumeRecord {
        id,
        zone,
        spec,
        snapshot_id,
        ..
    } = volume.record;
    Some(match name {
        "availability-zone" => zone.clone(),
        "availability-zone-id" => zone_id(zone),
        "create-time" => render::time(volume.record.created),
        "encrypted" => volume.record.encrypted.to_string(),
        "fast-restored" | "multi-attach-enabled" | "operator.managed" => false.to_string(),
        "size" => spec.size_gib.to_string(),
        "snapshot-id" => snapshot_id.clone().unwrap_or_default(),
        "status" => volume.state.as_str().to_owned(),
        "volume-id" => id.clone(),
        "volume-type" => spec.volume_type.clone(),
        _ => return None,
    })
}

fn attachment_value(attachment: &Attachment, name: &str) -> Option<String> {
    Some(match name {
        "attach-time" => render::time(attachment.attached),
        "delete-on-termination" => false.to_string(),
        "device" => attachment.device.clone(),
        "instance-id" => attachment.instance_id.clone(),
        "status" => "attached".to_owned(),
        _ => return None,
    })
}
