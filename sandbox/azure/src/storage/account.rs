//! Storage accounts as they are kept and shown.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::properties::AccountProperties;
use super::queues_and_tables;
use super::sku::{self, Kind, ShareLimits, Sku};
use crate::error::AzureError;
use crate::locations;
use crate::resources::tags::Tags;
use crate::session::{Place, Session};
use crate::times::stamp;
use moorline_sandbox_core::Mortal;

/// A storage account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) location: String,
    pub(crate) sku: String,
    pub(crate) kind: Kind,
    pub(crate) tags: Tags,
    pub(crate) properties: AccountProperties,
    pub(crate) created: Timestamp,
    /// Until then it is in the making.
    pub(crate) ready_at: Timestamp,
    pub(crate) keys: [KeyRecord; 2],
    /// For how many days deleted shares are kept.
    pub(crate) share_retention: Option<u32>,
    /// For how many days deleted containers are kept.
    pub(crate) container_retention: Option<u32>,
    /// Set once it is deleted.
    pub(crate) forgotten_at: Option<Timestamp>,
}

/// One of an account's keys; the key itself is derived from it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    pub(crate) generation: u32,
    pub(crate) since: Timestamp,
}

impl Mortal for AccountRecord {
    fn end(&self) -> Option<Timestamp> {
        self.forgotten_at
    }
}

impl AccountRecord {
    pub(crate) fn exists(&self) -> bool {
        self.forgotten_at.is_none()
    }

    pub(crate) fn is_at(&self, place: Place) -> bool {
        self.subscription.eq_ignore_ascii_case(place.subscription) && self.group.eq_ignore_ascii_case(place.group)
    }

    /// The id of its resource.
    pub(crate) fn id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/{}",
            self.subscription, self.group, self.name
        )
    }

    pub(crate) fn state(&self, now: Timestamp) -> &'static str {
        // The last third of the making is waiting for the name to be known.
        let resolving = self.ready_at - self.ready_at.duration_since(self.created) / 3;
        if now >= self.ready_at {
            "Succeeded"
        } else if now >= resolving {
            "ResolvingDNS"
        } else {
            "Creating"
        }
    }

    /// Refuses to work with an account that is still in the making.
    pub(crate) fn must_be_ready(&self, now: Timestamp) -> Result<(), AzureError> {
        if now >= self.ready_at {
            return Ok(());
        }
        let message = "The storage account provisioning state must be 'Succeeded' before executing the operation.";
        Err(AzureError::new(409, "StorageAccountIsNotProvisioned", message))
    }

    /// Refuses to change an account that is still in the making.
    pub(crate) fn must_be_idle(&self, now: Timestamp) -> Result<(), AzureError> {
        if now >= self.ready_at {
            return Ok(());
        }
        let message = "An operation is currently performing on this storage account that requires exclusive access.";
        Err(AzureError::new(409, "StorageAccountOperationInProgress", message))
    }

    pub(crate) fn full_sku(&self) -> Option<Sku> {
        Sku::find(&self.sku)
    }

    /// What shares it takes.
    pub(crate) fn share_limits(&self) -> Result<ShareLimits, AzureError> {
        let limits = self
            .full_sku()
            .and_then(|sku| sku::share_limits(self.kind, sku, self.properties.large_shares()));
        limits.ok_or_else(|| unsupported("File"))
    }

    /// Refuses an account without a blob service.
    pub(crate) fn must_have_blobs(&self) -> Result<(), AzureError> {
        if self.kind == Kind::FileStorage {
            return Err(unsupported("Blob"));
        }
        Ok(())
    }

    pub(crate) fn render_sku(&self) -> Value {
        json!({"name": self.sku, "tier": self.full_sku().map(Sku::tier)})
    }

    /// The account as a read shows it.
    pub(crate) fn render(&self, now: Timestamp) -> Value {
        let mut body = json!({
            "sku": self.render_sku(),
            "kind": self.kind,
            "id": self.id(),
            "name": self.name,
            "type": "Microsoft.Storage/storageAccounts",
            "location": self.location,
            "tags": self.tags,
        });
        body["properties"] = self.render_properties(now);
        body
    }

    fn render_properties(&self, now: Timestamp) -> Value {
        let enabled = json!({"keyType": "Account", "enabled": true, "lastEnabledTime": stamp(self.created)});
        let mut properties = json!({
            "keyCreationTime": {"key1": stamp(self.keys[0].since), "key2": stamp(self.keys[1].since)},
            "privateEndpointConnections": [],
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": false,
            "networkAcls": {"bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow"},
            "supportsHttpsTrafficOnly": true,
            "encryption": {"services": {"file": enabled, "blob": enabled}, "keySource": "Microsoft.Storage"},
            "provisioningState": self.state(now),
            "creationTime": stamp(self.created),
            "primaryLocation": self.location,
            "statusOfPrimary": "available",
        });
        let given = serde_json::to_value(&self.properties).unwrap_or_default();
        let (Value::Object(all), Value::Object(given)) = (&mut properties, given) else {
            return properties;
        };
        if self.kind == Kind::StorageV2 || self.kind == Kind::BlobStorage {
            all.insert("accessTier".to_owned(), "Hot".into());
        }
        all.extend(given);
        if now >= self.ready_at {
            all.insert("primaryEndpoints".to_owned(), self.endpoints(""));
        }
        let sku = self.full_sku();
        if let Some(pair) = sku
            .filter(|sku| sku.geo())
            .and_then(|_| locations::paired(&self.location))
        {
            all.insert("secondaryLocation".to_owned(), pair.into());
            all.insert("statusOfSecondary".to_owned(), "available".into());
        }
        if sku.is_some_and(Sku::readable_copy) {
            all.insert("secondaryEndpoints".to_owned(), self.endpoints("-secondary"));
        }
        properties
    }

    fn endpoints(&self, suffix: &str) -> Value {
        let services: &[&str] = match self.kind {
            Kind::FileStorage => &["file"],
            Kind::BlockBlobStorage | Kind::BlobStorage => &["dfs", "web", "blob"],
            Kind::Storage => &["blob", "queue", "table", "file"],
            Kind::StorageV2 => &["dfs", "web", "blob", "queue", "table", "file"],
        };
        // Files have no readable copy.
        let services = services
            .iter()
            .filter(|service| suffix.is_empty() || **service != "file");
        let url = |service: &&str| {
            let url = format!("https://{}{suffix}.{service}.core.windows.net/", self.name);
            ((*service).to_owned(), Value::from(url))
        };
        Value::Object(services.map(url).collect())
    }
}

fn unsupported(service: &str) -> AzureError {
    let message = format!("{service} is not supported for the account.");
    AzureError::new(400, "FeatureNotSupportedForAccount", message)
}

/// Ends an account, and everything in it.
pub(crate) fn end(session: &mut Session, name: &str) -> Result<(), AzureError> {
    let (times, forgotten_at) = (session.times(), session.forgotten_at());
    let estate = &mut *session.estate;
    estate
        .accounts
        .change(name, times, |account| account.forgotten_at = Some(forgotten_at))?;
    let inside = format!("{name}!");
    let shares: Vec<_> = estate.shares.under(&inside).map(|(key, _)| key.to_owned()).collect();
    for key in shares {
        estate.shares.remove(&key)?;
    }
    let containers: Vec<_> = estate
        .containers
        .under(&inside)
        .map(|(key, _)| key.to_owned())
        .collect();
    for key in containers {
        estate.containers.remove(&key)?;
    }
    queues_and_tables::forget(session, name)
}

/// Ends all accounts of a group.
pub(crate) fn delete_all_of(session: &mut Session, subscription: &str, group: &str) -> Result<(), AzureError> {
    let accounts = session.estate.accounts.all().map(|(_, account)| account);
    let place = |account| Place {
        subscription,
        group,
        account,
    };
    let names: Vec<_> = accounts
        .filter(|account| account.exists() && account.is_at(place(&account.name)))
        .map(|account| account.name.clone())
        .collect();
    for name in names {
        end(session, &name)?;
    }
    Ok(())
}

/// For how many days something deleted `left` before its end is still kept, as lists say it.
pub(super) fn days(left: SignedDuration) -> i64 {
    // A started day counts.
    (left.as_secs().max(0) + 86_399) / 86_400
}
