//! Snapshots of managed disks.

use jiff::Timestamp;
use moorline_sandbox_core::Mortal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::disks::{self, LONGEST_TAG_NAME, missing};
use super::{accepted, deleted, ends, key_of, key_of_id};
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::locations;
use crate::paging;
use crate::polling::Subject;
use crate::resources::tags::{self, Tags};
use crate::session::Session;
use crate::times::stamp;

/// A snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SnapshotRecord {
    subscription: String,
    group: String,
    name: String,
    location: String,
    pub(crate) tags: Tags,
    /// The id of the disk that it was taken of.
    source: String,
    pub(super) size_gib: u64,
    incremental: bool,
    created: Timestamp,
    ready_at: Timestamp,
    /// Once its deletion was asked for: when it is gone.
    gone_at: Option<Timestamp>,
    forgotten_at: Option<Timestamp>,
}

impl Mortal for SnapshotRecord {
    fn end(&self) -> Option<Timestamp> {
        self.forgotten_at
    }
}

impl SnapshotRecord {
    fn key(&self) -> String {
        key_of(&self.subscription, &self.group, &self.name)
    }

    pub(crate) fn exists(&self, now: Timestamp) -> bool {
        self.gone_at.is_none_or(|gone_at| now < gone_at)
    }

    pub(crate) fn render(&self, now: Timestamp) -> Value {
        let state = match self.gone_at {
            Some(_) => "Deleting",
            None if now < self.ready_at => "Updating",
            None => "Succeeded",
        };
        json!({
            "name": self.name,
            "id": format!(
                "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/snapshots/{}",
                self.subscription, self.group, self.name
            ),
            "type": "Microsoft.Compute/snapshots",
            "location": self.location,
            "tags": self.tags,
            "sku": {"name": "Standard_LRS", "tier": "Standard"},
            "properties": {
                "creationData": {"createOption": "Copy", "sourceResourceId": self.source},
                "incremental": self.incremental,
                "diskSizeGB": self.size_gib,
                "diskSizeBytes": self.size_gib << 30,
                "diskState": "Unattached",
                "timeCreated": stamp(self.created),
                "provisioningState": state,
                "completionPercent": if now < self.ready_at { 0.0 } else { 100.0 },
            },
        })
    }
}

/// The snapshot with this id, if a disk can be made of it.
pub(super) fn by_id<'a>(session: &'a Session, id: &str) -> Option<&'a SnapshotRecord> {
    let snapshot = session.estate.snapshots.get(&key_of_id(id, "snapshots")?)?;
    (snapshot.gone_at.is_none() && snapshot.ready_at <= session.now).then_some(snapshot)
}

pub(super) fn source_not_found(id: &str) -> AzureError {
    let message = format!("The source resource '{id}' is not found, or not ready to be copied.");
    AzureError::new(404, "NotFound", message).about("creationData.sourceResourceId")
}

fn find<'a>(session: &'a Session, request: &Request) -> Result<&'a SnapshotRecord, AzureError> {
    let (subscription, group, name) = (
        request.part("subscription"),
        request.part("group"),
        request.part("snapshot"),
    );
    session.group(subscription, group)?;
    let snapshot = session.estate.snapshots.get(&key_of(subscription, group, name));
    snapshot
        .filter(|snapshot| snapshot.exists(session.now))
        .ok_or_else(|| AzureError::resource_not_found("Microsoft.Compute/snapshots", name, group))
}

pub(super) fn get(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    Ok(Answer::ok(&find(session, request)?.render(session.now)))
}

pub(super) fn list(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let prefix = super::prefix(session, request)?;
    let seen = session.estate.snapshots.seen(&prefix, session.horizon());
    let seen = seen.filter(|(_, snapshot)| snapshot.exists(session.now));
    let seen = seen.map(|(key, snapshot)| (key.to_owned(), snapshot));
    paging::page(session, request, seen, |snapshot| snapshot.render(session.now))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    location: Option<String>,
    tags: Option<Tags>,
    #[serde(rename = "sku")]
    _sku: Option<Value>,
    properties: Option<Properties>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Properties {
    creation_data: Option<CreationData>,
    incremental: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CreationData {
    create_option: String,
    source_resource_id: Option<String>,
}

pub(super) fn put(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let body: Body = request.body()?;
    let (subscription, name) = (request.part("subscription"), request.part("snapshot"));
    let group = session.group(subscription, request.part("group"))?.name.clone();
    let location = locations::normal(&body.location.ok_or_else(|| missing("location"))?);
    let tags = body.tags.unwrap_or_default();
    tags::check(&tags, LONGEST_TAG_NAME)?;
    let properties = body.properties.ok_or_else(|| missing("snapshot"))?;
    let creation = properties
        .creation_data
        .filter(|data| data.create_option == "Copy")
        .ok_or_else(|| missing("snapshot.creationData"))?;
    let source = creation
        .source_resource_id
        .ok_or_else(|| missing("snapshot.creationData.sourceResourceId"))?;
    if let Ok(there) = find(session, request) {
        if !there.source.eq_ignore_ascii_case(&source) {
            let message = "Changing property 'creationData.sourceResourceId' is not allowed.";
            return Err(AzureError::new(409, "PropertyChangeNotAllowed", message));
        }
        let changed = SnapshotRecord { tags, ..there.clone() };
        return replace(session, changed);
    }
    let disk = disks::by_id(session, &source).ok_or_else(|| source_not_found(&source))?;
    if disk.location != location {
        let message = format!(
            "A snapshot is where its disk is, in '{}', and not in '{location}'.",
            disk.location
        );
        return Err(AzureError::new(400, "BadRequest", message));
    }
    let snapshot = SnapshotRecord {
        subscription: subscription.to_owned(),
        group,
        name: name.to_owned(),
        location: location.clone(),
        tags,
        source,
        size_gib: disk.size_gib,
        incremental: properties.incremental.unwrap_or_default(),
        created: session.now,
        ready_at: session.now + session.settings.deletion(),
        gone_at: None,
        forgotten_at: None,
    };
    let (key, ready_at, rendered) = (snapshot.key(), snapshot.ready_at, snapshot.render(session.now));
    session.changed = true;
    session.estate.snapshots.add(&key, snapshot, session.now)?;
    if ready_at <= session.now {
        return Ok(Answer::ok(&rendered));
    }
    let answer = Answer::new(202, &rendered);
    accepted(session, request, answer, (&location, Subject::Snapshot(key), ready_at))
}

fn replace(session: &mut Session, snapshot: SnapshotRecord) -> Result<Answer, AzureError> {
    let answer = Answer::ok(&snapshot.render(session.now));
    let times = session.times();
    session.changed = true;
    session
        .estate
        .snapshots
        .change(&snapshot.key(), times, |old| *old = snapshot)?;
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateBody {
    tags: Option<Tags>,
}

pub(super) fn patch(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let body: UpdateBody = request.body()?;
    let mut snapshot = find(session, request)?.clone();
    if let Some(tags) = body.tags {
        tags::check(&tags, LONGEST_TAG_NAME)?;
        snapshot.tags = tags;
    }
    replace(session, snapshot)
}

pub(super) fn delete(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let snapshot = match find(session, request) {
        Ok(snapshot) => snapshot,
        Err(error) if error.code == "ResourceNotFound" => return Ok(Answer::empty(204)),
        Err(error) => return Err(error),
    };
    let (key, location) = (snapshot.key(), snapshot.location.clone());
    let (gone_at, forgotten_at) = ends(session, snapshot.gone_at);
    let times = session.times();
    session.changed = snapshot.gone_at.is_none();
    session.estate.snapshots.change(&key, times, |snapshot| {
        snapshot.gone_at.get_or_insert(gone_at);
        snapshot.forgotten_at.get_or_insert(forgotten_at);
    })?;
    deleted(session, request, &location, gone_at)
}

/// Ends all snapshots of a group.
pub(crate) fn delete_all_of(session: &mut Session, subscription: &str, group: &str) -> Result<(), AzureError> {
    let prefix = key_of(subscription, group, "");
    let under = session.estate.snapshots.under(&prefix);
    let keys: Vec<_> = under.map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        session.estate.snapshots.remove(&key)?;
    }
    Ok(())
}
