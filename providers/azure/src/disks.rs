//! Managed disks as volumes. They are the disk CSI driver's and those of in-tree classes: found, marked, snapshotted and deleted, and
//! made of snapshots only.

use std::time::Duration;

use jiff::Timestamp;
use moorline_api::{
    Attachment, AzureDisk, Error, ErrorKind, Result, Snapshot, Tags, Volume, VolumeConfig, VolumeId, VolumeSpec,
    VolumeState,
};
use moorline_azure_rules::DiskName;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use crate::errors::lacks_group;
use crate::metadata::{self, hex};
use crate::provider::AzureProvider;
use crate::resources::{ManagedDisk, SnapshotBody};

/// What a snapshot's tags remember of its disk, beside the disk's own tags.
pub(crate) const SKU: &str = "moorline.dev/disk-sku";
/// The zone, `eastus-1`.
pub(crate) const ZONE: &str = "moorline.dev/disk-zone";

/// Between two looks how far the data of a snapshot are.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest name of a snapshot.
const LONGEST_NAME: usize = 80;

/// A disk as a volume; `None` where its id is none.
pub(crate) fn volume(disk: &ManagedDisk) -> Option<Volume> {
    let name = DiskName::parse(&disk.id)?;
    let properties = &disk.properties;
    let attachments = attachments(disk);
    Some(Volume {
        id: name.id(),
        spec: VolumeSpec {
            size_gib: properties.disk_size_gb.unwrap_or_default(),
            // As the driver's topology label has it.
            zone: disk.zones.first().map(|zone| format!("{}-{zone}", disk.location)),
            config: VolumeConfig::AzureDisk(AzureDisk {
                sku: disk.sku.name.clone(),
                subscription: Some(name.subscription().to_owned()),
                resource_group: Some(name.group().to_owned()),
                location: Some(disk.location.clone()),
                iops: properties.disk_iops_read_write,
                bandwidth: properties.disk_mbps_read_write,
            }),
        },
        state: state(disk, !attachments.is_empty()),
        attachments,
        tags: metadata::of_resource(&disk.tags),
        created: properties.time_created.as_deref().and_then(|time| time.parse().ok()),
    })
}

/// `Reserved` and `Frozen` belong to machines that are switched off, `ActiveSAS` to whoever reads the disk through an address.
fn state(disk: &ManagedDisk, attached: bool) -> VolumeState {
    let is = |value: &Option<String>, words: &[&str]| {
        let value = value.as_deref().unwrap_or_default();
        words.iter().any(|word| word.eq_ignore_ascii_case(value))
    };
    let properties = &disk.properties;
    let (making, use_) = (&properties.provisioning_state, &properties.disk_state);
    if is(making, &["Deleting"]) {
        VolumeState::Deleting
    } else if attached
        || is(
            use_,
            &["Attached", "Reserved", "Frozen", "ActiveSAS", "ActiveSASFrozen"],
        )
    {
        VolumeState::InUse
    } else if is(making, &["Creating"]) || is(use_, &["ReadyToUpload", "ActiveUpload"]) {
        VolumeState::Creating
    } else if is(use_, &["Unattached"]) {
        VolumeState::Available
    } else {
        VolumeState::Unknown
    }
}

fn attachments(disk: &ManagedDisk) -> Vec<Attachment> {
    let mut machines: Vec<&str> = disk.managed_by.as_deref().into_iter().collect();
    machines.extend(disk.managed_by_extended.iter().map(String::as_str));
    machines.retain(|machine| !machine.is_empty());
    machines.sort_unstable();
    machines.dedup();
    let attachment = |machine: &str| Attachment {
        instance: machine_name(machine),
        // Which device it is there, only the machine says.
        device: String::new(),
        state: "attached".to_owned(),
    };
    machines.into_iter().map(attachment).collect()
}

/// What a machine's id says behind its provider: `node-1`, or `virtualMachineScaleSets/pool/virtualMachines/3`.
fn machine_name(id: &str) -> String {
    let lower = id.to_ascii_lowercase();
    let provider = "/microsoft.compute/";
    let name = lower.find(provider).map_or(id, |at| &id[at + provider.len()..]);
    name.strip_prefix("virtualMachines/").unwrap_or(name).to_owned()
}

impl AzureProvider {
    /// One disk; `None` where there is none of that name. One of another subscription is an error.
    pub(crate) async fn disk(&self, name: &DiskName) -> Result<Option<Volume>> {
        let found = match self.own_disks(name)?.disk(name.group(), name.name()).await {
            // A group that is gone took its disks along.
            Err(error) if lacks_group(&error) => None,
            other => other?,
        };
        Ok(found.as_ref().and_then(volume))
    }

    fn own_disks(&self, name: &DiskName) -> Result<crate::resources::Storage<'_>> {
        let storage = self.storage()?;
        if name.subscription().eq_ignore_ascii_case(storage.subscription) {
            return Ok(storage);
        }
        let message = format!(
            "it is in another subscription, and this run is in {}",
            storage.subscription
        );
        Err(error(ErrorKind::Invalid, &name.id(), message))
    }

    /// Deletes a disk, and waits until Azure has done it.
    pub(crate) async fn remove_disk(&self, name: &DiskName) -> Result<()> {
        match self.own_disks(name)?.delete_disk(name.group(), name.name()).await {
            Err(error) if !lacks_group(&error) => return Err(error),
            _ => {}
        }
        self.note_gone(&name.id());
        Ok(())
    }

    /// Takes a snapshot of a disk in its resource group, and waits until its data are complete.
    pub(crate) async fn snapshot_disk(&self, disk: &DiskName, name: &str, tags: &Tags) -> Result<Snapshot> {
        let storage = self.own_disks(disk)?;
        let id = disk.id();
        let gone = || error(ErrorKind::NotFound, &id, "it is not there any more");
        let found = storage.disk(disk.group(), disk.name()).await?.ok_or_else(gone)?;
        let volume = volume(&found).ok_or_else(gone)?;
        let name = snapshot_name(name);
        let place = (disk.group(), &*name);
        if storage.snapshot(place).await?.is_none() {
            let mut tags = tags.clone();
            tags.insert(SKU.to_owned(), volume.spec.config.type_name().to_owned());
            tags.extend(volume.spec.zone.map(|zone| (ZONE.to_owned(), zone)));
            let body = SnapshotBody::of(&found.id, &found.location, metadata::resource_tags(&tags));
            storage.create_snapshot(place, &body).await?;
        }
        loop {
            let missing = || error(ErrorKind::NotFound, &id, format!("its snapshot {name} is gone again"));
            let taken = storage.snapshot(place).await?.ok_or_else(missing)?;
            if taken.source().and_then(DiskName::parse).as_ref() != Some(disk) {
                let message = format!("a snapshot {name} of something else is there; delete or rename it");
                return Err(error(ErrorKind::AlreadyExists, &id, message));
            }
            if taken.is_ready() {
                return Ok(Snapshot {
                    id: taken.id,
                    volume: id,
                    completed: true,
                    tags: metadata::of_resource(&taken.tags),
                });
            }
            if taken.properties.provisioning_state.as_deref() == Some("Failed") {
                let message = format!("Azure could not take its snapshot {name}; delete that, and run again");
                return Err(error(ErrorKind::Internal, &id, message));
            }
            sleep(PAUSE).await;
        }
    }
}

/// A name that Azure takes, made of any text; two texts get two names.
fn snapshot_name(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let ends_well = text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if begins_well && ends_well && text.len() <= LONGEST_NAME && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("moorline-{}", hex(&Sha256::digest(text)[..16]))
}

/// A time as Azure writes it.
pub(crate) fn moment(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

pub(crate) fn error(kind: ErrorKind, id: &VolumeId, message: impl Into<String>) -> Error {
    Error::new(kind, "Microsoft.Compute/disks", &id.0, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(more: &serde_json::Value) -> Volume {
        let mut disk = json!({
            "id": "/subscriptions/S/resourceGroups/MC_web/providers/Microsoft.Compute/disks/pvc-1",
            "name": "pvc-1", "location": "eastus", "zones": ["2"], "sku": {"name": "Premium_LRS"},
            "tags": {"kubernetes.io-created-for-pvc-name": "data-0", "moorline-unused": "v1"},
            "properties": {"diskState": "Unattached", "diskSizeGB": 8, "timeCreated": "2026-11-21T00:00:00.1234567+00:00"},
        });
        for (key, value) in more.as_object().unwrap() {
            match value.as_object() {
                Some(inner) => inner.iter().for_each(|(name, value)| disk[key][name] = value.clone()),
                None => disk[key] = value.clone(),
            }
        }
        volume(&serde_json::from_value(disk).unwrap()).unwrap()
    }

    #[test]
    fn a_disk_is_free_only_where_azure_says_so() {
        let machine = "/subscriptions/s/resourceGroups/n/providers/Microsoft.Compute/virtualMachines/node-1";
        for (more, expected) in [
            (json!({}), VolumeState::Available),
            (json!({"properties": {"diskState": "Attached"}}), VolumeState::InUse),
            (json!({"properties": {"diskState": "Reserved"}}), VolumeState::InUse),
            (json!({"properties": {"diskState": "Frozen"}}), VolumeState::InUse),
            (json!({"properties": {"diskState": "ActiveSAS"}}), VolumeState::InUse),
            (
                json!({"properties": {"diskState": "ActiveSASFrozen"}}),
                VolumeState::InUse,
            ),
            (
                json!({"properties": {"diskState": "ActiveUpload"}}),
                VolumeState::Creating,
            ),
            (
                json!({"properties": {"diskState": "Quarantined"}}),
                VolumeState::Unknown,
            ),
            (json!({"properties": {"diskState": null}}), VolumeState::Unknown),
            (
                json!({"properties": {"provisioningState": "Deleting"}}),
                VolumeState::Deleting,
            ),
            (json!({"managedBy": machine}), VolumeState::InUse),
            (json!({"managedByExtended": [machine]}), VolumeState::InUse),
        ] {
            assert_eq!(shown(&more).state, expected, "{more}");
        }
    }

    #[test]
    fn a_disk_says_what_it_is_and_who_has_it() {
        let scale_set = "/subscriptions/s/resourceGroups/n/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines/3";
        let machine = "/subscriptions/s/resourceGroups/n/providers/Microsoft.Compute/virtualMachines/node-1";
        let disk = shown(&json!({"managedBy": machine, "managedByExtended": [machine, scale_set]}));
        let machines: Vec<_> = disk.attachments.iter().map(|one| &*one.instance).collect();
        assert_eq!(machines, ["virtualMachineScaleSets/pool/virtualMachines/3", "node-1"]);
        assert_eq!(disk.id.name(), "pvc-1");
        assert_eq!(disk.spec.zone.as_deref(), Some("eastus-2"));
        assert_eq!((disk.spec.size_gib, disk.spec.config.type_name()), (8, "Premium_LRS"));
        assert_eq!(disk.tags[moorline_api::tags::UNUSED], "v1");
        assert_eq!(disk.created.unwrap().as_second(), 1_795_219_200);
    }

    #[test]
    fn snapshots_have_names_that_azure_takes() {
        assert_eq!(snapshot_name("moorline-data-web-0"), "moorline-data-web-0");
        let odd = snapshot_name("moorline/shop/data-0");
        assert!(odd.len() <= LONGEST_NAME && odd.starts_with("moorline-"), "{odd}");
        assert_ne!(odd, snapshot_name("moorline/shop/data-1"));
        assert_ne!(snapshot_name(&"x".repeat(81)), snapshot_name(&"x".repeat(82)));
    }
}
