//! File shares as they are kept and shown.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::{AccountRecord, days};
use super::deletion::{self, Deletion};
use super::lease::Lease;
use super::names::Metadata;
use super::sku::Billing;
use crate::error::AzureError;
use crate::session::Session;
use crate::times::{etag, next_change, stamp, whole_second};
use moorline_sandbox_core::Mortal;

/// A file share, living or deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ShareRecord {
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    /// In GiB.
    pub(crate) quota: u64,
    pub(crate) metadata: Metadata,
    pub(crate) tier: Tier,
    tier_changed: Timestamp,
    pub(crate) protocol: Protocol,
    pub(crate) settings: ShareSettings,
    pub(crate) used_bytes: u64,
    pub(crate) snapshots: Vec<SnapshotRecord>,
    #[serde(default)]
    pub(crate) lease: Lease,
    pub(crate) deletion: Option<Deletion>,
}

/// A snapshot of a share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SnapshotRecord {
    pub(crate) time: Timestamp,
    pub(crate) quota: u64,
    pub(crate) metadata: Metadata,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tier {
    TransactionOptimized,
    Hot,
    Cool,
    Premium,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Protocol {
    #[serde(rename = "SMB")]
    Smb,
    #[serde(rename = "NFS")]
    Nfs,
}

/// Settings that are shown as they were given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShareSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) root_squash: Option<RootSquash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provisioned_iops: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provisioned_bandwidth_mibps: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_share_paid_bursting: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signed_identifiers: Option<Vec<Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::enum_variant_names, reason = "as the API has them")]
pub(crate) enum RootSquash {
    NoRootSquash,
    RootSquash,
    AllSquash,
}

/// The properties of a share that a request may carry; they are sent back as they came.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct ShareProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) share_quota: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enabled_protocols: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) root_squash: Option<RootSquash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_tier: Option<Tier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provisioned_iops: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provisioned_bandwidth_mibps: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_share_paid_bursting: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signed_identifiers: Option<Vec<Value>>,
}

impl Mortal for ShareRecord {
    fn end(&self) -> Option<Timestamp> {
        self.deletion.map(|deletion| deletion.forgotten_at)
    }
}

impl ShareRecord {
    /// A share of `account` with what a creation asks for, which was checked.
    pub(crate) fn new(
        account: &AccountRecord,
        name: &str,
        asked: ShareProperties,
        now: Timestamp,
    ) -> Result<Self, AzureError> {
        let limits = account.share_limits()?;
        let standard = limits.billing == Billing::PayAsYouGo;
        let tier = if standard {
            Tier::TransactionOptimized
        } else {
            Tier::Premium
        };
        let mut share = Self {
            account: account.name.clone(),
            name: name.to_owned(),
            created: now,
            changed: now,
            quota: limits.default,
            metadata: Metadata::new(),
            tier,
            tier_changed: now,
            protocol: asked.enabled_protocols.unwrap_or(Protocol::Smb),
            settings: ShareSettings::default(),
            used_bytes: 0,
            snapshots: Vec::new(),
            lease: Lease::default(),
            deletion: None,
        };
        share.apply(asked, now);
        Ok(share)
    }

    /// Takes over what a request asks for, which was checked.
    pub(crate) fn apply(&mut self, asked: ShareProperties, now: Timestamp) {
        if let Some(metadata) = asked.metadata {
            self.metadata = metadata;
        }
        if let Some(quota) = asked.share_quota {
            self.quota = quota;
        }
        if let Some(tier) = asked.access_tier.filter(|tier| *tier != self.tier) {
            self.tier = tier;
            self.tier_changed = now;
        }
        let settings = &mut self.settings;
        settings.root_squash = asked.root_squash.or(settings.root_squash);
        settings.provisioned_iops = asked.provisioned_iops.or(settings.provisioned_iops);
        settings.provisioned_bandwidth_mibps = asked
            .provisioned_bandwidth_mibps
            .or(settings.provisioned_bandwidth_mibps);
        if asked.file_share_paid_bursting.is_some() {
            settings.file_share_paid_bursting = asked.file_share_paid_bursting;
        }
        if asked.signed_identifiers.is_some() {
            settings.signed_identifiers = asked.signed_identifiers;
        }
        self.changed = next_change(self.changed, now);
    }

    pub(crate) fn exists(&self) -> bool {
        self.deletion.is_none()
    }

    pub(crate) fn key(&self) -> String {
        deletion::key(&self.account, &self.name, self.created)
    }

    /// What tells it from other shares of its name.
    pub(crate) fn version(&self) -> String {
        deletion::version(self.created)
    }

    /// Whether it counts against the limits of its account: deleted shares do as long as they are kept.
    pub(crate) fn counts(&self, now: Timestamp) -> bool {
        self.deletion.is_none_or(|deletion| deletion.left(now).is_some())
    }

    /// How the share is called, with `suffix` behind its name.
    pub(crate) fn identity(&self, account: &AccountRecord, suffix: &str) -> Value {
        json!({
            "id": format!("{}/fileServices/default/shares/{}{suffix}", account.id(), self.name),
            "name": self.name,
            "type": "Microsoft.Storage/storageAccounts/fileServices/shares",
        })
    }

    pub(crate) fn etag(&self) -> String {
        etag(self.changed)
    }

    /// The share with what lists and reads show of it.
    fn shown(&self, account: &AccountRecord, suffix: &str, now: Timestamp) -> Value {
        let mut body = self.identity(account, suffix);
        body["etag"] = self.etag().into();
        body["properties"] = self.properties(account);
        self.lease.show(&mut body["properties"], now);
        body
    }

    /// The share as a list shows it: without metadata, which only a read of the share itself tells.
    pub(crate) fn render_listed(&self, account: &AccountRecord, now: Timestamp) -> Value {
        let left = self.deletion.and_then(|deletion| Some((deletion, deletion.left(now)?)));
        let Some((deletion, left)) = left else {
            return self.shown(account, "", now);
        };
        let version = self.version();
        let mut body = self.shown(account, &format!("_{version}"), now);
        body["properties"]["deleted"] = true.into();
        body["properties"]["deletedTime"] = stamp(whole_second(deletion.at)).into();
        body["properties"]["remainingRetentionDays"] = days(left).into();
        body["properties"]["version"] = version.into();
        body
    }

    /// A snapshot as a list shows it.
    pub(crate) fn render_snapshot(&self, account: &AccountRecord, snapshot: &SnapshotRecord, now: Timestamp) -> Value {
        let mut body = self.shown(account, "", now);
        body["properties"]["shareQuota"] = snapshot.quota.into();
        body["properties"]["snapshotTime"] = stamp(snapshot.time).into();
        body
    }

    /// The share, or a snapshot of it, as a read shows it.
    pub(crate) fn render(&self, account: &AccountRecord, snapshot: Option<&SnapshotRecord>, now: Timestamp) -> Value {
        let (mut body, metadata) = match snapshot {
            Some(snapshot) => (self.render_snapshot(account, snapshot, now), &snapshot.metadata),
            None => (self.shown(account, "", now), &self.metadata),
        };
        if !metadata.is_empty() {
            body["properties"]["metadata"] = json!(metadata);
        }
        let identifiers = self.settings.signed_identifiers.clone().unwrap_or_default();
        body["properties"]["signedIdentifiers"] = identifiers.into();
        body["properties"]["accessTierChangeTime"] = stamp(whole_second(self.tier_changed)).into();
        body
    }

    fn properties(&self, account: &AccountRecord) -> Value {
        let mut properties = json!({
            "accessTier": self.tier,
            "lastModifiedTime": stamp(whole_second(self.changed)),
            "shareQuota": self.quota,
            "enabledProtocols": self.protocol,
        });
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        if let (Value::Object(all), Value::Object(settings)) = (&mut properties, settings) {
            all.extend(settings.into_iter().filter(|(name, _)| name != "signedIdentifiers"));
        }
        let provisioned = account
            .share_limits()
            .is_ok_and(|limits| limits.billing != Billing::PayAsYouGo);
        if provisioned {
            let free = self.created + SignedDuration::from_hours(24);
            properties["nextAllowedQuotaDowngradeTime"] = stamp(whole_second(free)).into();
        }
        properties
    }
}

/// The share that lives under a name.
pub(crate) fn living<'a>(session: &'a Session, account: &str, name: &str) -> Result<&'a ShareRecord, AzureError> {
    let lives = session.estate.shares.under(&deletion::prefix(account, name));
    lives
        .map(|(_, share)| share)
        .find(|share| share.exists())
        .ok_or_else(|| AzureError::of_service(404, "ShareNotFound", "The specified share does not exist."))
}
