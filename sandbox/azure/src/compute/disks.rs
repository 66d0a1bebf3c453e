//! Operations on managed disks.

use serde::Deserialize;
use serde_json::Value;

use super::disk::{DiskRecord, DiskSku};
use super::{accepted, deleted, ends, key_of, snapshot};
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::locations;
use crate::paging;
use crate::polling::Subject;
use crate::resources::tags::{self, Tags};
use crate::session::Session;

pub(super) const LONGEST_TAG_NAME: usize = 512;
const LARGEST_GIB: u64 = 65_536;

fn key(request: &Request) -> String {
    key_of(
        request.part("subscription"),
        request.part("group"),
        request.part("disk"),
    )
}

fn find<'a>(session: &'a Session, request: &Request) -> Result<&'a DiskRecord, AzureError> {
    let (group, name) = (request.part("group"), request.part("disk"));
    session.group(request.part("subscription"), group)?;
    let disk = session.estate.disks.get(&key(request));
    disk.filter(|disk| disk.exists(session.now))
        .ok_or_else(|| AzureError::resource_not_found("Microsoft.Compute/disks", name, group))
}

pub(super) fn get(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    Ok(Answer::ok(&find(session, request)?.render(session.now)))
}

pub(super) fn list(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let prefix = super::prefix(session, request)?;
    let seen = session.estate.disks.seen(&prefix, session.horizon());
    let seen = seen.filter(|(_, disk)| disk.exists(session.now));
    let seen = seen.map(|(key, disk)| (key.to_owned(), disk));
    paging::page(session, request, seen, |disk| disk.render(session.now))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    location: Option<String>,
    sku: Option<SkuBody>,
    tags: Option<Tags>,
    zones: Option<Vec<String>>,
    properties: Option<Properties>,
    #[serde(rename = "extendedLocation")]
    _extended_location: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SkuBody {
    name: DiskSku,
    #[serde(rename = "tier")]
    _tier: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Properties {
    creation_data: Option<CreationData>,
    #[serde(rename = "diskSizeGB")]
    disk_size_gb: Option<u64>,
    max_shares: Option<u64>,
    #[serde(rename = "osType")]
    _os_type: Option<String>,
    #[serde(rename = "networkAccessPolicy")]
    _network_access_policy: Option<String>,
    #[serde(rename = "publicNetworkAccess")]
    _public_network_access: Option<String>,
    #[serde(rename = "encryption")]
    _encryption: Option<Value>,
    #[serde(rename = "tier")]
    _tier: Option<String>,
    #[serde(rename = "burstingEnabled")]
    _bursting_enabled: Option<bool>,
    #[serde(rename = "diskIOPSReadWrite")]
    _disk_iops_read_write: Option<u64>,
    #[serde(rename = "diskMBpsReadWrite")]
    _disk_mbps_read_write: Option<u64>,
}

/// The sandbox makes empty disks, and copies of snapshots and disks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CreationData {
    create_option: CreateOption,
    source_resource_id: Option<String>,
    #[serde(rename = "logicalSectorSize")]
    _logical_sector_size: Option<u64>,
    #[serde(rename = "performancePlus")]
    _performance_plus: Option<bool>,
}

#[derive(Deserialize)]
enum CreateOption {
    Empty,
    Copy,
}

/// What a new disk is a copy of, as it is called there, and how large that is.
fn source(session: &Session, data: CreationData) -> Result<Option<(String, u64)>, AzureError> {
    let id = match (data.create_option, data.source_resource_id) {
        (CreateOption::Empty, None) => return Ok(None),
        (CreateOption::Copy, Some(id)) => id,
        _ => {
            let message =
                "Parameter 'sourceResourceId' is required for the create option 'Copy', and for no other here.";
            return Err(AzureError::new(400, "InvalidParameter", message).about("disk.creationData"));
        }
    };
    let size = snapshot::by_id(session, &id)
        .map(|snapshot| snapshot.size_gib)
        .or_else(|| by_id(session, &id).map(|disk| disk.size_gib));
    let size = size.ok_or_else(|| snapshot::source_not_found(&id))?;
    Ok(Some((id, size)))
}

/// The disk with this id, if it is there to be worked with.
pub(super) fn by_id<'a>(session: &'a Session, id: &str) -> Option<&'a DiskRecord> {
    let key = super::key_of_id(id, "disks")?;
    session.estate.disks.get(&key).filter(|disk| disk.stays())
}

pub(super) fn missing(parameter: &str) -> AzureError {
    let message = format!("Required parameter '{parameter}' is missing (null).");
    AzureError::new(400, "InvalidParameter", message).about(parameter)
}

fn check_size(gib: u64) -> Result<u64, AzureError> {
    if (1..=LARGEST_GIB).contains(&gib) {
        return Ok(gib);
    }
    let message = format!(
        "Value '{gib}' provided for diskSizeGB is out of range. The value should be between 1 and {LARGEST_GIB} inclusive."
    );
    Err(AzureError::new(400, "InvalidParameter", message).about("disk.diskSizeGb"))
}

pub(super) fn put(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let body: Body = request.body()?;
    let (subscription, name) = (request.part("subscription"), request.part("disk"));
    let group = session.group(subscription, request.part("group"))?.name.clone();
    let location = body.location.ok_or_else(|| missing("location"))?;
    let location = locations::normal(&location);
    if !locations::exists(&location) {
        let message = format!(
            "The provided location '{location}' is not available for resource type 'Microsoft.Compute/disks'. List of available regions for the resource type is '{}'.",
            locations::listed()
        );
        return Err(AzureError::new(400, "LocationNotAvailableForResourceType", message));
    }
    let properties = body.properties.ok_or_else(|| missing("disk"))?;
    let creation = properties.creation_data.ok_or_else(|| missing("disk.creationData"))?;
    let source = source(session, creation)?;
    let least = source.as_ref().map(|(_, size)| *size);
    let asked = properties
        .disk_size_gb
        .or(least)
        .ok_or_else(|| missing("disk.diskSizeGb"))?;
    let size_gib = check_size(asked)?;
    if least.is_some_and(|least| size_gib < least) {
        let message = format!("The requested disk size {size_gib} GB is smaller than the size of its source.");
        return Err(AzureError::new(400, "InvalidParameter", message).about("disk.diskSizeGb"));
    }
    let tags = body.tags.unwrap_or_default();
    tags::check(&tags, LONGEST_TAG_NAME)?;
    let there = session
        .estate
        .disks
        .get(&key(request))
        .filter(|disk| disk.exists(session.now));
    if let Some(there) = there {
        if !there.stays() {
            let message = format!("Disk {name} is being deleted.");
            return Err(AzureError::new(409, "Conflict", message));
        }
        let mut disk = there.clone();
        if disk.location != location {
            let message = format!(
                "The resource '{name}' already exists in location '{}' in resource group '{group}'. A resource with the same name cannot be created in location '{location}'. Please select a new resource name.",
                disk.location
            );
            return Err(AzureError::new(409, "InvalidResourceLocation", message));
        }
        grow(&mut disk, size_gib)?;
        disk.tags = tags;
        return replace(session, disk);
    }
    let disk = DiskRecord {
        subscription: subscription.to_owned(),
        group,
        name: name.to_owned(),
        location,
        sku: body.sku.map_or(DiskSku::StandardLrs, |sku| sku.name),
        tags,
        zones: body.zones,
        size_gib,
        created: session.now,
        ready_at: session.now + session.settings.deletion(),
        holders: Vec::new(),
        owner_changed: None,
        max_shares: properties.max_shares,
        source: source.map(|(id, _)| id),
        state: None,
        gone_at: None,
        forgotten_at: None,
    };
    begin_making(session, request, disk)
}

fn begin_making(session: &mut Session, request: &Request, disk: DiskRecord) -> Result<Answer, AzureError> {
    let rendered = disk.render(session.now);
    let (key, ready_at, location) = (disk.key(), disk.ready_at, disk.location.clone());
    session.changed = true;
    session.estate.disks.add(&key, disk, session.now)?;
    if ready_at <= session.now {
        return Ok(Answer::ok(&rendered));
    }
    let answer = Answer::new(202, &rendered);
    accepted(session, request, answer, (&location, Subject::Disk(key), ready_at))
}

fn grow(disk: &mut DiskRecord, size_gib: u64) -> Result<(), AzureError> {
    if size_gib < disk.size_gib {
        let message = format!(
            "Disk {} cannot be shrunk from {} GB to {size_gib} GB.",
            disk.name, disk.size_gib
        );
        return Err(AzureError::new(409, "OperationNotAllowed", message).about("disk.diskSizeGb"));
    }
    disk.size_gib = size_gib;
    Ok(())
}

fn replace(session: &mut Session, disk: DiskRecord) -> Result<Answer, AzureError> {
    let answer = Answer::ok(&disk.render(session.now));
    let before = session.estate.disks.get(&disk.key()).map(|old| old.render(session.now));
    session.changed = before.as_ref() != Some(&disk.render(session.now));
    let times = session.times();
    session.estate.disks.change(&disk.key(), times, |old| *old = disk)?;
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateBody {
    tags: Option<Tags>,
    sku: Option<SkuBody>,
    properties: Option<UpdateProperties>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct UpdateProperties {
    #[serde(rename = "diskSizeGB")]
    disk_size_gb: Option<u64>,
    max_shares: Option<u64>,
}

pub(super) fn patch(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let body: UpdateBody = request.body()?;
    let mut disk = find(session, request)?.clone();
    if let Some(tags) = body.tags {
        tags::check(&tags, LONGEST_TAG_NAME)?;
        disk.tags = tags;
    }
    disk.sku = body.sku.map_or(disk.sku, |sku| sku.name);
    if let Some(properties) = body.properties {
        if let Some(gib) = properties.disk_size_gb {
            grow(&mut disk, check_size(gib)?)?;
        }
        disk.max_shares = properties.max_shares.or(disk.max_shares);
    }
    replace(session, disk)
}

pub(super) fn delete(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let disk = match find(session, request) {
        Ok(disk) => disk,
        Err(error) if error.code == "ResourceNotFound" => return Ok(Answer::empty(204)),
        Err(error) => return Err(error),
    };
    disk.must_be_free()?;
    let (key, location) = (disk.key(), disk.location.clone());
    let (gone_at, forgotten_at) = ends(session, disk.gone_at);
    let times = session.times();
    session.changed = disk.stays();
    session.estate.disks.change(&key, times, |disk| {
        disk.gone_at.get_or_insert(gone_at);
        disk.forgotten_at.get_or_insert(forgotten_at);
    })?;
    deleted(session, request, &location, gone_at)
}
