//! The file and blob services of an account: above all, for how long what was deleted is kept.

use serde::Deserialize;
use serde_json::{Value, json};

use super::account::AccountRecord;
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::session::Session;

/// A retention policy as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Retention {
    enabled: Option<bool>,
    days: Option<u32>,
    #[serde(rename = "allowPermanentDelete")]
    _allow_permanent_delete: Option<bool>,
}

impl Retention {
    /// The days for which things are kept; none if they are not.
    fn days(&self) -> Result<Option<u32>, AzureError> {
        match (self.enabled.unwrap_or(false), self.days) {
            (true, Some(days)) if (1..=365).contains(&days) => Ok(Some(days)),
            (false, None | Some(0..=365)) => Ok(None),
            _ => {
                let message =
                    "XML specified is not syntactically valid or its retention days are not between 1 and 365.";
                Err(AzureError::of_service(400, "InvalidXmlDocument", message).about("days"))
            }
        }
    }
}

fn policy(days: Option<u32>) -> Value {
    match days {
        Some(days) => json!({"enabled": true, "days": days}),
        None => json!({"enabled": false, "days": 0}),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBody {
    properties: Option<FileProperties>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FileProperties {
    share_delete_retention_policy: Option<Retention>,
    #[serde(rename = "cors")]
    _cors: Option<Value>,
    #[serde(rename = "protocolSettings")]
    _protocol_settings: Option<Value>,
}

fn render_files(account: &AccountRecord) -> Value {
    json!({
        "sku": account.render_sku(),
        "id": format!("{}/fileServices/default", account.id()),
        "name": "default",
        "type": "Microsoft.Storage/storageAccounts/fileServices",
        "properties": {
            "protocolSettings": {"smb": {}},
            "cors": {"corsRules": []},
            "shareDeleteRetentionPolicy": policy(account.share_retention),
        },
    })
}

pub(super) fn get_files(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?;
    account.share_limits()?;
    Ok(Answer::ok(&render_files(account)))
}

pub(super) fn list_files(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?;
    account.share_limits()?;
    Ok(Answer::ok(&json!({"value": [render_files(account)]})))
}

pub(super) fn put_files(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let FileBody { properties } = request.body()?;
    let account = session.parent(request.place())?;
    account.share_limits()?;
    let asked = properties.and_then(|properties| properties.share_delete_retention_policy);
    let days = match asked {
        Some(asked) => asked.days()?,
        None => account.share_retention,
    };
    let changed = AccountRecord {
        share_retention: days,
        ..account.clone()
    };
    let answer = Answer::ok(&render_files(&changed));
    store(session, changed)?;
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlobBody {
    properties: Option<BlobProperties>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BlobProperties {
    container_delete_retention_policy: Option<Retention>,
    #[serde(rename = "cors")]
    _cors: Option<Value>,
    #[serde(rename = "defaultServiceVersion")]
    _default_service_version: Option<String>,
    #[serde(rename = "deleteRetentionPolicy")]
    _delete_retention_policy: Option<Retention>,
    #[serde(rename = "isVersioningEnabled")]
    _is_versioning_enabled: Option<bool>,
    #[serde(rename = "automaticSnapshotPolicyEnabled")]
    _automatic_snapshot_policy_enabled: Option<bool>,
    #[serde(rename = "changeFeed")]
    _change_feed: Option<Value>,
    #[serde(rename = "restorePolicy")]
    _restore_policy: Option<Value>,
    #[serde(rename = "staticWebsite")]
    _static_website: Option<Value>,
    #[serde(rename = "lastAccessTimeTrackingPolicy")]
    _last_access_time_tracking_policy: Option<Value>,
}

fn render_blobs(account: &AccountRecord) -> Value {
    json!({
        "sku": account.render_sku(),
        "id": format!("{}/blobServices/default", account.id()),
        "name": "default",
        "type": "Microsoft.Storage/storageAccounts/blobServices",
        "properties": {
            "cors": {"corsRules": []},
            "deleteRetentionPolicy": {"enabled": false},
            "containerDeleteRetentionPolicy": policy(account.container_retention),
        },
    })
}

pub(super) fn get_blobs(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let account = session.parent(request.place())?;
    account.must_have_blobs()?;
    Ok(Answer::ok(&render_blobs(account)))
}

pub(super) fn put_blobs(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let BlobBody { properties } = request.body()?;
    let account = session.parent(request.place())?;
    account.must_have_blobs()?;
    let asked = properties.and_then(|properties| properties.container_delete_retention_policy);
    let days = match asked {
        Some(asked) => asked.days()?,
        None => account.container_retention,
    };
    let changed = AccountRecord {
        container_retention: days,
        ..account.clone()
    };
    let answer = Answer::ok(&render_blobs(&changed));
    store(session, changed)?;
    Ok(answer)
}

fn store(session: &mut Session, account: AccountRecord) -> Result<(), AzureError> {
    let times = session.times();
    let retentions = |account: &AccountRecord| (account.share_retention, account.container_retention);
    let before = session.estate.accounts.get(&account.name).map(retentions);
    session.changed = before != Some(retentions(&account));
    Ok(session
        .estate
        .accounts
        .change(&account.name.clone(), times, |old| *old = account)?)
}
