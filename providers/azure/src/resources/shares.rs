//! File shares and the file service's policy for deleted ones.

use std::collections::BTreeMap;

use azure_core::http::Method;
use moorline_api::{ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{AccountPlace, Storage};
use crate::arm::{Call, IF_MATCH, Listing, Path};
use crate::governor::Family;

/// A share as Azure shows it. Lists leave the metadata out, also where there is some.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Share {
    pub(crate) name: String,
    /// Which state of it this is.
    #[serde(default)]
    pub(crate) etag: Option<String>,
    #[serde(default)]
    pub(crate) properties: ShareState,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ShareState {
    pub(crate) share_quota: Option<u32>,
    pub(crate) enabled_protocols: Option<String>,
    pub(crate) access_tier: Option<String>,
    pub(crate) root_squash: Option<String>,
    pub(crate) metadata: Option<BTreeMap<String, String>>,
    pub(crate) last_modified_time: Option<String>,
    pub(crate) share_usage_bytes: Option<u64>,
    pub(crate) deleted: Option<bool>,
    pub(crate) deleted_time: Option<String>,
    pub(crate) remaining_retention_days: Option<u32>,
    pub(crate) version: Option<String>,
    pub(crate) snapshot_time: Option<String>,
    pub(crate) lease_state: Option<String>,
}

impl Share {
    pub(crate) fn is_deleted(&self) -> bool {
        self.properties.deleted == Some(true)
    }

    /// A share, and no snapshot of one.
    pub(crate) fn is_live(&self) -> bool {
        !self.is_deleted() && self.properties.snapshot_time.is_none()
    }
}

/// A share to be, or a change of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShareBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) share_quota: Option<u32>,
    /// `SMB` or `NFS`; on creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enabled_protocols: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) root_squash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provisioned_iops: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provisioned_bandwidth_mibps: Option<u32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Whether deleted shares are kept, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retention {
    #[serde(default)]
    pub(crate) enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) days: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct FileService {
    #[serde(default)]
    properties: FileServiceProperties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FileServiceProperties {
    share_delete_retention_policy: Option<Retention>,
}

/// What to list of an account's shares.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ShareListing<'a> {
    /// Only names that begin so.
    pub(crate) prefix: Option<&'a str>,
    /// Deleted ones too.
    pub(crate) deleted: bool,
    /// Snapshots too.
    pub(crate) snapshots: bool,
}

impl Storage<'_> {
    fn service_path(&self, place: &AccountPlace) -> Path {
        self.account_path(place).fixed("fileServices/default")
    }

    fn share_path(&self, place: &AccountPlace, share: &str) -> Path {
        self.service_path(place).fixed("shares").named(share)
    }

    fn share_call<'a>(&self, subject: (&'static str, &'a str), (method, path): (Method, &Path)) -> Result<Call<'a>> {
        self.request(subject, (method, path), Family::of_one(method))
    }

    /// How long the account keeps deleted shares.
    pub(crate) async fn retention(&self, place: &AccountPlace) -> Result<Retention> {
        let path = self.service_path(place);
        let subject = ("Microsoft.Storage/storageAccounts/fileServices/read", &*place.account);
        let call = self.share_call(subject, (Method::Get, &path))?;
        let service: FileService = self.arm.call(&call).await?.read(&call)?;
        Ok(service.properties.share_delete_retention_policy.unwrap_or_default())
    }

    /// Sets how long the account keeps deleted shares.
    pub(crate) async fn set_retention(&self, place: &AccountPlace, retention: Retention) -> Result<()> {
        let path = self.service_path(place);
        let subject = ("Microsoft.Storage/storageAccounts/fileServices/write", &*place.account);
        let call = Call {
            body: Some(json!({"properties": {"shareDeleteRetentionPolicy": retention}})),
            ..self.share_call(subject, (Method::Put, &path))?
        };
        self.arm.call(&call).await.map(drop)
    }

    /// Makes a share. `true` where it is new, `false` where one of that name was there already.
    pub(crate) async fn create_share(&self, place: &AccountPlace, share: &str, body: &ShareBody) -> Result<bool> {
        let path = self.share_path(place, share);
        let subject = ("Microsoft.Storage/storageAccounts/fileServices/shares/write", share);
        let call = Call {
            body: Some(json!({"properties": body})),
            ..self.share_call(subject, (Method::Put, &path))?
        };
        Ok(self.arm.call(&call).await?.status == 201)
    }

    /// One share with its metadata, and with the bytes used where asked.
    pub(crate) async fn share(&self, place: &AccountPlace, share: &str, stats: bool) -> Result<Option<Share>> {
        let mut path = self.share_path(place, share);
        if stats {
            path = path.query("$expand", "stats");
        }
        let subject = ("Microsoft.Storage/storageAccounts/fileServices/shares/read", share);
        self.arm.get(&self.share_call(subject, (Method::Get, &path))?).await
    }

    /// Changes quota, tier or metadata.
    pub(crate) async fn change_share(&self, place: &AccountPlace, share: &str, body: &ShareBody) -> Result<()> {
        let path = self.share_path(place, share);
        let subject = ("Microsoft.Storage/storageAccounts/fileServices/shares/write", share);
        let call = Call {
            body: Some(json!({"properties": body})),
            ..self.share_call(subject, (Method::Patch, &path))?
        };
        self.arm.call(&call).await.map(drop)
    }

    /// Deletes a share with its snapshots; one that is absent is success. `true` where Azure answered that it is gone, `false`
    /// where it is on its way out.
    pub(crate) async fn delete_share(&self, place: &AccountPlace, share: &str) -> Result<bool> {
        let path = self.share_path(place, share).query("$include", "snapshots");
        let subject = ("Microsoft.Storage/storageAccounts/fileServices/shares/delete", share);
        let call = self.share_call(subject, (Method::Delete, &path))?;
        match self.arm.call(&call).await {
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) if error.kind == ErrorKind::TokenBurnt => Ok(false),
            other => other.map(|answer| answer.status != 202),
        }
    }

    /// Takes a snapshot of a share, which lives and dies with the share; its time, which is its name. A repeat would take
    /// another one, so none is made.
    pub(crate) async fn snapshot_share(
        &self,
        place: &AccountPlace,
        share: &str,
        metadata: BTreeMap<String, String>,
    ) -> Result<String> {
        let path = self.share_path(place, share).query("$expand", "snapshots");
        let subject = ("Microsoft.Storage/storageAccounts/fileServices/shares/write", share);
        let body = ShareBody {
            metadata,
            ..ShareBody::default()
        };
        let call = Call {
            body: Some(json!({"properties": body})),
            repeatable: false,
            ..self.share_call(subject, (Method::Put, &path))?
        };
        let taken: Share = self.arm.call(&call).await?.read(&call)?;
        let unnamed = || {
            call.subject()
                .error(ErrorKind::Internal, "the answer names no snapshot")
        };
        taken.properties.snapshot_time.ok_or_else(unnamed)
    }

    /// Brings a deleted share back under its own name.
    pub(crate) async fn restore_share(&self, place: &AccountPlace, share: &str, version: &str) -> Result<()> {
        let path = self.share_path(place, share).fixed("restore");
        let subject = (
            "Microsoft.Storage/storageAccounts/fileServices/shares/restore/action",
            share,
        );
        let call = Call {
            body: Some(json!({"deletedShareName": share, "deletedShareVersion": version})),
            ..self.share_call(subject, (Method::Post, &path))?
        };
        self.arm.call(&call).await.map(drop)
    }

    /// Gives a share these metadata and no others, if it is still what was read; `ErrorKind::Stale` where it is not.
    pub(crate) async fn set_share_metadata(
        &self,
        place: &AccountPlace,
        share: &str,
        (metadata, etag): (&BTreeMap<String, String>, Option<String>),
    ) -> Result<()> {
        let path = self.share_path(place, share);
        let subject = ("Microsoft.Storage/storageAccounts/fileServices/shares/write", share);
        let call = Call {
            body: Some(json!({"properties": {"metadata": metadata}})),
            header: etag.map(|etag| (IF_MATCH, etag)),
            ..self.share_call(subject, (Method::Patch, &path))?
        };
        self.arm.call(&call).await.map(drop)
    }

    /// The account's shares, without metadata.
    pub(crate) async fn shares(&self, place: &AccountPlace, what: ShareListing<'_>) -> Result<Vec<Share>> {
        self.arm.all(self.share_listing(place, what)).await
    }

    /// The listing of an account's shares, which tells no metadata.
    pub(crate) fn share_listing(&self, place: &AccountPlace, what: ShareListing<'_>) -> Listing {
        let mut path = self.service_path(place).fixed("shares");
        if let Some(prefix) = what.prefix {
            path = path.query("$filter", prefix);
        }
        let expand: Vec<_> = [(what.deleted, "deleted"), (what.snapshots, "snapshots")]
            .into_iter()
            .filter_map(|(wanted, word)| wanted.then_some(word))
            .collect();
        if !expand.is_empty() {
            path = path.query("$expand", expand.join(","));
        }
        Listing {
            operation: "Microsoft.Storage/storageAccounts/fileServices/shares/read",
            resource: format!("shares of account {}", place.account),
            path,
            family: Family::Lists,
        }
    }
}
