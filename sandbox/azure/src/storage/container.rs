//! Blob containers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::{AccountRecord, days};
use super::deletion::{self, Deletion};
use super::lease::Lease;
use super::names::{self, Metadata};
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::paging;
use crate::session::Session;
use crate::times::{etag, next_change, stamp, whole_second};
use moorline_sandbox_core::Mortal;

/// A blob container, living or deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContainerRecord {
    pub(crate) account: String,
    pub(crate) name: String,
    created: Timestamp,
    changed: Timestamp,
    pub(crate) metadata: Metadata,
    public_access: PublicAccess,
    #[serde(default)]
    lease: Lease,
    deletion: Option<Deletion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum PublicAccess {
    None,
    Blob,
    Container,
}

impl Mortal for ContainerRecord {
    fn end(&self) -> Option<Timestamp> {
        self.deletion.map(|deletion| deletion.forgotten_at)
    }
}

impl ContainerRecord {
    pub(crate) fn exists(&self) -> bool {
        self.deletion.is_none()
    }

    fn key(&self) -> String {
        deletion::key(&self.account, &self.name, self.created)
    }

    fn identity(&self, account: &AccountRecord) -> Value {
        json!({
            "id": format!("{}/blobServices/default/containers/{}", account.id(), self.name),
            "name": self.name,
            "type": "Microsoft.Storage/storageAccounts/blobServices/containers",
        })
    }

    /// The container as a list shows it: without metadata.
    fn render_listed(&self, account: &AccountRecord, now: Timestamp) -> Value {
        let mut body = self.identity(account);
        body["etag"] = etag(self.changed).into();
        body["properties"] = json!({
            "deleted": false,
            "remainingRetentionDays": 0,
            "defaultEncryptionScope": "$account-encryption-key",
            "denyEncryptionScopeOverride": false,
            "publicAccess": self.public_access,
            "lastModifiedTime": stamp(whole_second(self.changed)),
            "hasImmutabilityPolicy": false,
            "hasLegalHold": false,
        });
        self.lease.show(&mut body["properties"], now);
        // The blob service writes them with capitals, the file service does not.
        for name in ["leaseState", "leaseStatus", "leaseDuration"] {
            if let Some(Value::String(word)) = body["properties"].get_mut(name) {
                word[..1].make_ascii_uppercase();
            }
        }
        if let Some((deletion, left)) = self.deletion.and_then(|deletion| Some((deletion, deletion.left(now)?))) {
            body["properties"]["deleted"] = true.into();
            body["properties"]["deletedTime"] = stamp(whole_second(deletion.at)).into();
            body["properties"]["remainingRetentionDays"] = days(left).into();
            body["properties"]["version"] = deletion::version(self.created).into();
            body["properties"]["leaseState"] = "Expired".into();
        }
        body
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    properties: Option<Properties>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Properties {
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_access: Option<PublicAccess>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_encryption_scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deny_encryption_scope_override: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    immutable_storage_with_versioning: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_nfs_v3_root_squash: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_nfs_v3_all_squash: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_access_point_configuration: Option<Value>,
}

/// The container that lives under a name.
pub(crate) fn living<'a>(session: &'a Session, account: &str, name: &str) -> Result<&'a ContainerRecord, AzureError> {
    let lives = session.estate.containers.under(&deletion::prefix(account, name));
    lives
        .map(|(_, container)| container)
        .find(|container| container.exists())
        .ok_or_else(|| AzureError::of_service(404, "ContainerNotFound", "The specified container does not exist."))
}

/// Refuses to touch a name whose last container is still on its way out.
fn must_be_free(session: &Session, account: &str, name: &str) -> Result<(), AzureError> {
    let lives = session.estate.containers.under(&deletion::prefix(account, name));
    let mut deletions = lives.filter_map(|(_, container)| container.deletion);
    if deletions.any(|deletion| deletion.holds_name(session.now)) {
        let message = "The specified container is being deleted. Try operation later.";
        return Err(AzureError::of_service(409, "ContainerBeingDeleted", message));
    }
    Ok(())
}

fn answer(container: &ContainerRecord, account: &AccountRecord, status: u16, asked: Option<&Properties>) -> Answer {
    let mut body = container.identity(account);
    if let Some(asked) = asked {
        body["properties"] = json!(asked);
    }
    Answer::new(status, &body).with("etag", etag(container.changed))
}

/// Makes a container; one that is there already stays as it is.
pub(super) fn put(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?.clone();
    account.must_have_blobs()?;
    let Body { properties } = request.body()?;
    let name = request.part("container");
    names::check_child(name)?;
    let asked = properties.clone().unwrap_or_default();
    let metadata = asked.metadata.unwrap_or_default();
    names::check_metadata(&metadata)?;
    if let Ok(there) = living(session, &account.name, name) {
        return Ok(answer(there, &account, 200, properties.as_ref()));
    }
    let access = asked.public_access.unwrap_or(PublicAccess::None);
    let made = add(session, &account, name, (metadata, access))?;
    Ok(answer(&made, &account, 201, properties.as_ref()))
}

fn add(
    session: &mut Session,
    account: &AccountRecord,
    name: &str,
    (metadata, public_access): (Metadata, PublicAccess),
) -> Result<ContainerRecord, AzureError> {
    must_be_free(session, &account.name, name)?;
    let container = ContainerRecord {
        account: account.name.clone(),
        name: name.to_owned(),
        created: session.now,
        changed: session.now,
        metadata,
        public_access,
        lease: Lease::default(),
        deletion: None,
    };
    session.changed = true;
    session
        .estate
        .containers
        .add(&container.key(), container.clone(), session.now)?;
    Ok(container)
}

/// Makes a container that nobody can read without a key; one that is there already stays as it is.
pub(crate) fn create(
    session: &mut Session,
    account: &AccountRecord,
    name: &str,
    metadata: Metadata,
) -> Result<ContainerRecord, AzureError> {
    if let Ok(there) = living(session, &account.name, name) {
        return Ok(there.clone());
    }
    add(session, account, name, (metadata, PublicAccess::None))
}

fn store(session: &mut Session, container: ContainerRecord) -> Result<(), AzureError> {
    let times = session.times();
    session.changed = true;
    session
        .estate
        .containers
        .change(&container.key(), times, |old| *old = container)?;
    Ok(())
}

/// Deletes the container that lives under a name.
pub(crate) fn end(session: &mut Session, account: &str, name: &str, deletion: Deletion) -> Result<(), AzureError> {
    let mut container = living(session, account, name)?.clone();
    container.deletion = Some(deletion);
    store(session, container)
}

/// Gives the container that lives under a name another lease.
pub(crate) fn set_lease(session: &mut Session, (account, name): (&str, &str), lease: Lease) -> Result<(), AzureError> {
    let mut container = living(session, account, name)?.clone();
    container.lease = lease;
    store(session, container)
}

pub(super) fn get(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?;
    account.must_have_blobs()?;
    let container = living(session, &account.name, request.part("container"))?;
    let mut body = container.render_listed(account, session.now);
    if !container.metadata.is_empty() {
        body["properties"]["metadata"] = json!(container.metadata);
    }
    Ok(Answer::ok(&body).with("etag", etag(container.changed)))
}

pub(super) fn patch(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?.clone();
    account.must_have_blobs()?;
    let Body { properties } = request.body()?;
    let asked = properties.clone().unwrap_or_default();
    let mut container = living(session, &account.name, request.part("container"))?.clone();
    request.check_condition(&etag(container.changed))?;
    if let Some(metadata) = asked.metadata {
        names::check_metadata(&metadata)?;
        container.metadata = metadata;
    }
    container.public_access = asked.public_access.unwrap_or(container.public_access);
    container.changed = next_change(container.changed, session.now);
    let answer = answer(&container, &account, 200, properties.as_ref());
    store(session, container)?;
    Ok(answer)
}

pub(super) fn delete(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?;
    account.must_have_blobs()?;
    let retention = account.container_retention;
    let name = request.part("container");
    let account = account.name.clone();
    let Ok(container) = living(session, &account, name) else {
        must_be_free(session, &account, name)?;
        return Ok(Answer::empty(204));
    };
    container.lease.must_be_free(session.now)?;
    let deletion = Deletion::new(session, retention);
    end(session, &account, name, deletion)?;
    Ok(Answer::empty(200))
}

/// Takes, renews, ends or breaks the container's lease.
pub(super) fn lease(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?;
    account.must_have_blobs()?;
    let mut container = living(session, &account.name, request.part("container"))?.clone();
    let answer = container.lease.act(request.body()?, session.now)?;
    store(session, container)?;
    Ok(answer)
}

pub(super) fn list(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let deleted = match request.query("$include") {
        None => false,
        Some("deleted") => true,
        Some(other) => return Err(AzureError::query("$include", other)),
    };
    let account = session.parent(request.place())?;
    account.must_have_blobs()?;
    let inside = format!("{}!{}", account.name, request.query("$filter").unwrap_or_default());
    let seen = session.estate.containers.seen(&inside, session.horizon());
    let shown = seen.filter(|(_, container)| match container.deletion {
        None => true,
        Some(deletion) => deleted && deletion.left(session.now).is_some(),
    });
    let shown = shown.map(|(key, container)| (key.to_owned(), container));
    paging::page(session, request, shown, |container| {
        container.render_listed(account, session.now)
    })
}
