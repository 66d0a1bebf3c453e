//! `ModifyVolume` and `DescribeVolumesModifications`.

use jiff::SignedDuration;

use super::describe::{self, named_or_all};
use super::{count, render, volume_id};
use crate::ec2::filters::Filters;
use crate::ec2::paging;
use crate::error::AwsError;
use crate::model::rules;
use crate::model::volume::{Modification, Spec, Standing, VolumeRecord, VolumeState};
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

/// How long a volume must rest between modifications.
const COOLDOWN: SignedDuration = SignedDuration::from_hours(6);

pub(crate) fn run(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let id = volume_id(params)?;
    let volume = session.volume(id)?;
    if volume.state == VolumeState::Creating {
        return Err(AwsError::new(
            "IncorrectState",
            format!("The volume '{id}' is 'creating'"),
        ));
    }
    check_rest(session, volume.record)?;
    let from = volume.record.spec.clone();
    let to = target(&from, params)?;
    session.about_to_change()?;
    let step = session.settings.creation();
    let (started, optimizing_at) = (session.now, session.now + step);
    let modification = Modification {
        from,
        to: to.clone(),
        started,
        optimizing_at,
        completed_at: optimizing_at + step,
    };
    let answer = modification.clone();
    session.change_volume(id, |volume| {
        volume.spec = to;
        volume.modification = Some(modification);
    })?;
    xml.element("volumeModification", |xml| write(xml, id, &answer, ("modifying", 0)));
    Ok(())
}

fn check_rest(session: &Session, record: &VolumeRecord) -> Result<(), AwsError> {
    let Some(last) = &record.modification else {
        return Ok(());
    };
    let id = &record.id;
    let (state, _) = last.state(session.now);
    if state != "completed" {
        let message = format!("Volume {id} is in the '{state}' state; wait until its modification is completed.");
        return Err(AwsError::new("IncorrectModificationState", message));
    }
    if session.now < last.started + COOLDOWN {
        return Err(AwsError::new(
            "VolumeModificationRateExceeded",
            format!(
                "You've reached the maximum modification rate per volume limit. Wait at least 6 hours between \
                 modifications per EBS volume. Volume: {id}"
            ),
        ));
    }
    Ok(())
}

fn target(from: &Spec, params: &Params) -> Result<Spec, AwsError> {
    if params.boolean("MultiAttachEnabled")? == Some(true) {
        return Err(AwsError::new(
            "UnsupportedOperation",
            "The sandbox has no volumes with Multi-Attach.",
        ));
    }
    let size_gib = count(params, "Size")?.unwrap_or(from.size_gib);
    if size_gib < from.size_gib {
        return Err(AwsError::invalid_value("New size cannot be smaller than existing size"));
    }
    let volume_type = params.text("VolumeType").unwrap_or(&from.volume_type).to_owned();
    let same_type = volume_type == from.volume_type;
    let chooses = matches!(volume_type.as_str(), "gp3" | "io1" | "io2");
    let kept = |value: Option<u32>| value.filter(|_| same_type && chooses);
    let default = (!same_type && chooses).then_some(3_000);
    let iops = count(params, "Iops")?.or(kept(from.iops)).or(default);
    let throughput = count(params, "Throughput")?.or(kept(from.throughput));
    rules::provision(Spec {
        size_gib,
        volume_type,
        iops,
        throughput,
    })
}

pub(crate) fn describe(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let filters = Filters::read(params, &["modification-state", "volume-id"])?;
    let page = paging::read(
        session,
        params,
        ("DescribeVolumesModifications", describe::MOST),
        &filters,
    )?;
    let now = session.now;
    let modified = named_or_all(session, params)?
        .into_iter()
        .filter_map(|Standing { record, .. }| {
            let modification = record.modification.as_ref()?;
            let state = modification.state(now);
            let passes = filters.pass(&record.tags, |name| {
                Some(if name == "volume-id" {
                    record.id.clone()
                } else {
                    state.0.to_owned()
                })
            });
            passes.then(|| (record.id.clone(), (record, modification, state)))
        });
    let (page, next) = page.cut(modified);
    xml.list(
        ("volumeModificationSet", "item"),
        page,
        |xml, (record, modification, state)| {
            write(xml, &record.id, modification, state);
        },
    );
    xml.optional("nextToken", next);
    Ok(())
}

fn write(xml: &mut Xml, id: &str, modification: &Modification, (state, progress): (&str, u8)) {
    let (from, to) = (&modification.from, &modification.to);
    xml.text("volumeId", id);
    xml.text("modificationState", state);
    xml.text("targetSize", to.size_gib);
    xml.optional("targetIops", to.iops);
    xml.text("targetVolumeType", &to.volume_type);
    xml.optional("targetThroughput", to.throughput);
    xml.text("targetMultiAttachEnabled", false);
    xml.text("originalSize", from.size_gib);
    xml.optional("originalIops", from.iops);
    xml.text("originalVolumeType", &from.volume_type);
    xml.optional("originalThroughput", from.throughput);
    xml.text("originalMultiAttachEnabled", false);
    xml.text("progress", progress);
    xml.text("startTime", render::time(modification.started));
    if state == "completed" {
        xml.text("endTime", render::time(modification.completed_at));
    }
}
