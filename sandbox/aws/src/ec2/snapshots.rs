//! `CreateSnapshot`, `DeleteSnapshot`, `DescribeSnapshots`.

use jiff::Timestamp;

use super::filters::Filters;
use super::tags::specified;
use super::volumes::render::{self, time};
use super::{paging, volumes};
use crate::error::AwsError;
use crate::ids;
use crate::model::snapshot::SnapshotRecord;
use crate::model::volume::{VolumeRecord, VolumeState};
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

const FILTERS: [&str; 10] = [
    "description",
    "encrypted",
    "owner-alias",
    "owner-id",
    "progress",
    "snapshot-id",
    "start-time",
    "status",
    "volume-id",
    "volume-size",
];

pub(super) fn create(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let volume_id = volumes::volume_id(params)?;
    let tags = specified(params, "snapshot")?;
    let volume = session.volume(volume_id)?;
    if volume.state == VolumeState::Creating {
        return Err(AwsError::new(
            "IncorrectState",
            format!("The volume '{volume_id}' is 'creating'"),
        ));
    }
    let VolumeRecord {
        spec,
        encrypted,
        kms_key_id,
        ..
    } = volume.record;
    let snapshot = SnapshotRecord {
        id: ids::fresh("snap"),
        region: session.region.clone(),
        volume_id: volume_id.to_owned(),
        size_gib: spec.size_gib,
        description: params.text("Description").unwrap_or_default().to_owned(),
        encrypted: *encrypted,
        kms_key_id: kms_key_id.clone(),
        tags,
        started: session.now,
        completed_at: session.now + session.settings.snapshot(),
        gone_at: None,
    };
    session.about_to_change()?;
    write(xml, session, &snapshot, "pending");
    let now = session.now;
    Ok(session.account.snapshots.add(&snapshot.id.clone(), snapshot, now)?)
}

pub(super) fn delete(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let id = params.required("SnapshotId")?;
    check_id(id)?;
    session.snapshot(id)?;
    session.about_to_change()?;
    let (gone_at, times) = (session.gone_at(), (session.now, session.horizon()));
    session
        .account
        .snapshots
        .change(id, times, |snapshot| snapshot.gone_at = Some(gone_at))?;
    xml.text("return", true);
    Ok(())
}

pub(super) fn describe(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    paging::not_with_ids(params, ("SnapshotId", "snapshotSet"))?;
    let filters = Filters::read(params, &FILTERS)?;
    let page = paging::read(session, params, ("DescribeSnapshots", 1000), &filters)?;
    let chosen = choose(session, params)?
        .into_iter()
        .filter(|snapshot| passes(session, &filters, snapshot));
    let (snapshots, next) = page.cut(chosen.map(|snapshot| (snapshot.id.clone(), snapshot)));
    xml.list(("snapshotSet", "item"), snapshots, |xml, snapshot| {
        write(xml, session, snapshot, snapshot.state(session.now));
    });
    xml.optional("nextToken", next);
    Ok(())
}

/// The visible snapshots that the ids and owners name, or all.
fn choose<'s>(session: &'s Session, params: &Params) -> Result<Vec<&'s SnapshotRecord>, AwsError> {
    let ids = params.texts("SnapshotId");
    ids.iter().try_for_each(|id| check_id(id))?;
    let owners = [params.texts("Owner"), params.texts("RestorableBy")].concat();
    let account = session.settings.account.as_str();
    let ours = owners.is_empty() || owners.iter().any(|owner| *owner == "self" || *owner == account);
    let wanted = |snapshot: &&SnapshotRecord| ids.is_empty() || ids.contains(&snapshot.id.as_str());
    let found: Vec<_> = session.visible_snapshots().filter(|_| ours).filter(wanted).collect();
    match ids.iter().find(|id| !found.iter().any(|snapshot| snapshot.id == **id)) {
        Some(id) => Err(AwsError::new(
            "InvalidSnapshot.NotFound",
            format!("The snapshot '{id}' does not exist."),
        )),
        None => Ok(found),
    }
}

fn passes(session: &Session, filters: &Filters, snapshot: &SnapshotRecord) -> bool {
    filters.pass(&snapshot.tags, |name| {
        Some(match name {
            "description" => snapshot.description.clone(),
            "encrypted" => snapshot.encrypted.to_string(),
            "owner-id" => session.settings.account.clone(),
            "progress" => progress(snapshot, session.now),
            "snapshot-id" => snapshot.id.clone(),
            "start-time" => time(snapshot.started),
            "status" => snapshot.state(session.now).to_owned(),
            "volume-id" => snapshot.volume_id.clone(),
            "volume-size" => snapshot.size_gib.to_string(),
            _ => return None,
        })
    })
}

fn write(xml: &mut Xml, session: &Session, snapshot: &SnapshotRecord, state: &str) {
    xml.text("snapshotId", &snapshot.id);
    xml.text("volumeId", &snapshot.volume_id);
    xml.text("status", state);
    xml.text("startTime", time(snapshot.started));
    xml.text("progress", progress(snapshot, session.now));
    xml.text("ownerId", &session.settings.account);
    xml.text("volumeSize", snapshot.size_gib);
    xml.text("description", &snapshot.description);
    xml.text("encrypted", snapshot.encrypted);
    xml.optional("kmsKeyId", snapshot.kms_key_id.as_ref());
    xml.text("storageTier", "standard");
    if !snapshot.tags.is_empty() {
        render::tags(xml, &snapshot.tags);
    }
    if state == "completed" {
        xml.text("completionTime", time(snapshot.completed_at));
    }
}

/// How much of it is written, in whole per cent.
fn progress(snapshot: &SnapshotRecord, now: Timestamp) -> String {
    let whole = snapshot.completed_at.duration_since(snapshot.started).as_millis();
    let passed = now.duration_since(snapshot.started).as_millis().clamp(0, whole);
    let percent = if snapshot.state(now) == "completed" {
        100
    } else {
        // Only what is complete says that it is.
        (passed * 100 / whole.max(1)).min(99)
    };
    format!("{percent}%")
}

fn check_id(id: &str) -> Result<(), AwsError> {
    if ids::well_formed(id, "snap") {
        return Ok(());
    }
    Err(AwsError::new(
        "InvalidSnapshotID.Malformed",
        format!("Invalid id: \"{id}\" (expecting \"snap-...\")"),
    ))
}
