//! Managed disks as they are kept and shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AzureError;
use crate::resources::tags::Tags;
use crate::session::Session;
use crate::times::stamp;
use moorline_sandbox_core::Mortal;

/// A managed disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DiskRecord {
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) location: String,
    pub(crate) sku: DiskSku,
    pub(crate) tags: Tags,
    pub(crate) zones: Option<Vec<String>>,
    pub(crate) size_gib: u64,
    pub(crate) created: Timestamp,
    pub(crate) ready_at: Timestamp,
    /// Ids of the machines that it is attached to; the first holds it, the others share it.
    pub(crate) holders: Vec<String>,
    /// When a machine last took or let go of it.
    pub(crate) owner_changed: Option<Timestamp>,
    pub(crate) max_shares: Option<u64>,
    /// The resource that it is a copy of.
    #[serde(default)]
    pub(crate) source: Option<String>,
    /// The state that it is said to be in, where that does not follow from who holds it: `ActiveSAS`, `Reserved`.
    #[serde(default)]
    pub(crate) state: Option<String>,
    /// Once its deletion was asked for: when it is gone.
    pub(crate) gone_at: Option<Timestamp>,
    pub(crate) forgotten_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DiskSku {
    #[serde(rename = "Standard_LRS")]
    StandardLrs,
    #[serde(rename = "StandardSSD_LRS")]
    StandardSsdLrs,
    #[serde(rename = "StandardSSD_ZRS")]
    StandardSsdZrs,
    #[serde(rename = "Premium_LRS")]
    PremiumLrs,
    #[serde(rename = "Premium_ZRS")]
    PremiumZrs,
    #[serde(rename = "PremiumV2_LRS")]
    PremiumV2Lrs,
    #[serde(rename = "UltraSSD_LRS")]
    UltraSsdLrs,
}

impl DiskSku {
    pub(crate) fn find(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
    }

    fn tier(self) -> &'static str {
        match self {
            Self::StandardLrs | Self::StandardSsdLrs | Self::StandardSsdZrs => "Standard",
            Self::PremiumLrs | Self::PremiumZrs | Self::PremiumV2Lrs => "Premium",
            Self::UltraSsdLrs => "Ultra",
        }
    }
}

impl Mortal for DiskRecord {
    fn end(&self) -> Option<Timestamp> {
        self.forgotten_at
    }
}

impl DiskRecord {
    pub(crate) fn key(&self) -> String {
        super::key_of(&self.subscription, &self.group, &self.name)
    }

    /// Whether it is there at `now`, be it on its way out.
    pub(crate) fn exists(&self, now: Timestamp) -> bool {
        self.gone_at.is_none_or(|gone_at| now < gone_at)
    }

    /// Whether it is there to be worked with.
    pub(crate) fn stays(&self) -> bool {
        self.gone_at.is_none()
    }

    /// The id of its resource.
    pub(crate) fn id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/disks/{}",
            self.subscription, self.group, self.name
        )
    }

    fn provisioning(&self, now: Timestamp) -> &'static str {
        if self.gone_at.is_some() {
            "Deleting"
        } else if now < self.ready_at {
            "Updating"
        } else {
            "Succeeded"
        }
    }

    /// The disk as a read shows it.
    pub(crate) fn render(&self, now: Timestamp) -> Value {
        let state = match &self.state {
            Some(state) => state.as_str(),
            None if self.holders.is_empty() => "Unattached",
            None => "Attached",
        };
        let creation = match &self.source {
            Some(source) => json!({"createOption": "Copy", "sourceResourceId": source}),
            None => json!({"createOption": "Empty"}),
        };
        let mut body = json!({
            "name": self.name,
            "id": self.id(),
            "type": "Microsoft.Compute/disks",
            "location": self.location,
            "tags": self.tags,
            "sku": {"name": self.sku, "tier": self.sku.tier()},
            "properties": {
                "creationData": creation,
                "diskSizeGB": self.size_gib,
                "diskSizeBytes": self.size_gib << 30,
                "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
                "networkAccessPolicy": "AllowAll",
                "publicNetworkAccess": "Enabled",
                "timeCreated": stamp(self.created),
                "provisioningState": self.provisioning(now),
                "diskState": state,
                "uniqueId": self.unique_id(),
            },
        });
        if let Some(zones) = &self.zones {
            body["zones"] = json!(zones);
        }
        match self.holders.as_slice() {
            [] => {}
            [holder] if self.max_shares.is_none() => body["managedBy"] = holder.as_str().into(),
            all => {
                body["managedBy"] = all[0].as_str().into();
                body["managedByExtended"] = json!(all);
                body["properties"]["shareInfo"] = all.iter().map(|holder| json!({"vmUri": holder})).collect();
            }
        }
        if let Some(time) = self.owner_changed {
            body["properties"]["LastOwnershipUpdateTime"] = stamp(time).into();
        }
        if let Some(shares) = self.max_shares {
            body["properties"]["maxShares"] = shares.into();
        }
        body
    }

    /// Refuses to delete a disk that somebody has, or reads.
    pub(crate) fn must_be_free(&self) -> Result<(), AzureError> {
        let name = &self.name;
        let message = match (self.holders.first(), self.state.as_deref()) {
            (Some(holder), _) => format!("Disk {name} is attached to VM {holder}."),
            (None, Some(state)) if state.starts_with("ActiveSAS") => format!(
                "There is an active shared access signature outstanding for disk {name}. Call EndGetAccess before attaching or deleting the disk."
            ),
            _ => return Ok(()),
        };
        Err(AzureError::new(409, "OperationNotAllowed", message))
    }

    fn unique_id(&self) -> String {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(format!("{} {}", self.key(), stamp(self.created)));
        let bytes: [u8; 16] = std::array::from_fn(|n| digest[n]);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

/// Ends all disks of a group.
pub(crate) fn delete_all_of(session: &mut Session, subscription: &str, group: &str) -> Result<(), AzureError> {
    let prefix = super::key_of(subscription, group, "");
    let keys: Vec<_> = session
        .estate
        .disks
        .under(&prefix)
        .map(|(key, _)| key.to_owned())
        .collect();
    let (now, times, forgotten_at) = (session.now, session.times(), session.forgotten_at());
    for key in keys {
        session.estate.disks.change(&key, times, |disk| {
            disk.gone_at.get_or_insert(now);
            disk.forgotten_at.get_or_insert(forgotten_at);
        })?;
    }
    Ok(())
}
