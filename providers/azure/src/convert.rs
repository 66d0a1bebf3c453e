//! Azure's shares and containers as volumes.

use moorline_api::{
    AzureAccount, AzureContainer, AzureShare, Tags, Volume, VolumeConfig, VolumeSpec, VolumeState, tags,
};
use moorline_azure_rules::{Service, VolumeName};

use crate::metadata;
use crate::naming::claim_uid;
use crate::resources::{Container, Share, StorageAccount};

/// The account's part of a volume that is in it.
fn account_config(account: &StorageAccount, subscription: &str) -> AzureAccount {
    AzureAccount {
        sku: account.sku.name.clone(),
        kind: account.kind.clone(),
        name: Some(account.name.clone()),
        subscription: Some(subscription.to_owned()),
        resource_group: account.group().map(str::to_owned),
        location: Some(account.location.clone()),
        ..AzureAccount::default()
    }
}

/// A share that was read by itself, which tells what it was made for.
pub(crate) fn share_read(account: &StorageAccount, subscription: &str, read: &Share) -> Option<Volume> {
    share(account, subscription, read).map(marked)
}

/// A container that was read by itself, which tells what it was made for.
pub(crate) fn container_read(account: &StorageAccount, subscription: &str, read: &Container) -> Option<Volume> {
    container(account, subscription, read).map(marked)
}

/// Whether neither name nor metadata of a volume that was read by itself says that it was made for a claim.
pub(crate) fn is_for_no_claim(volume: &Volume) -> bool {
    !volume.tags.contains_key(tags::CLAIM_UID)
}

/// A volume that was read by itself, with a tag that says so where it was made for no claim.
pub(crate) fn marked(mut volume: Volume) -> Volume {
    if is_for_no_claim(&volume) {
        volume.tags.insert(tags::ADOPTED.to_owned(), "true".to_owned());
    }
    volume
}

/// A share as a volume, as lists show it; `None` where its name is none that Azure gives.
pub(crate) fn share(account: &StorageAccount, subscription: &str, share: &Share) -> Option<Volume> {
    let properties = &share.properties;
    let nfs = properties
        .enabled_protocols
        .as_deref()
        .is_some_and(|name| name.eq_ignore_ascii_case("NFS"));
    let leased = is_leased(properties.lease_state.as_deref());
    let config = VolumeConfig::AzureFile(AzureShare {
        account: account_config(account, subscription),
        protocol: if nfs { "nfs" } else { "smb" }.to_owned(),
        name: None,
        name_prefix: None,
        access_tier: properties.access_tier.clone(),
        root_squash: properties.root_squash.clone(),
        iops: None,
        bandwidth: None,
    });
    Some(Volume {
        id: VolumeName::new(&account.name, Service::Files, &share.name)?.id(),
        spec: VolumeSpec {
            size_gib: properties.share_quota.unwrap_or_default(),
            zone: None,
            config,
        },
        state: match (share.is_deleted(), leased) {
            (true, _) => VolumeState::Deleted,
            (_, true) => VolumeState::InUse,
            _ => VolumeState::Available,
        },
        attachments: Vec::new(),
        tags: tags_of(account, &share.name, properties.metadata.as_ref()),
        created: None,
    })
}

/// A container as a volume, as lists show it; `None` where its name is none of a volume, as `$logs` is.
pub(crate) fn container(account: &StorageAccount, subscription: &str, container: &Container) -> Option<Volume> {
    let properties = &container.properties;
    let size = properties.metadata.as_ref().and_then(|metadata| {
        let (_, size) = metadata
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(metadata::SIZE))?;
        size.parse().ok()
    });
    let config = VolumeConfig::AzureBlob(AzureContainer {
        account: account_config(account, subscription),
        // Nothing about a container says how it is mounted.
        protocol: "fuse2".to_owned(),
        name: None,
        name_prefix: None,
    });
    let deleted = properties.deleted == Some(true);
    let leased = is_leased(properties.lease_state.as_deref());
    let mut tags = tags_of(account, &container.name, properties.metadata.as_ref());
    let held = [properties.has_legal_hold, properties.has_immutability_policy];
    if held.contains(&Some(true)) {
        tags.insert(
            tags::PROTECT.to_owned(),
            "a legal hold or an immutability policy".to_owned(),
        );
    }
    Some(Volume {
        id: VolumeName::new(&account.name, Service::Blobs, &container.name)?.id(),
        spec: VolumeSpec {
            size_gib: size.unwrap_or_default(),
            zone: None,
            config,
        },
        state: match (deleted, leased) {
            (true, _) => VolumeState::Deleted,
            (_, true) => VolumeState::InUse,
            _ => VolumeState::Available,
        },
        attachments: Vec::new(),
        tags,
        created: None,
    })
}

/// Whether somebody holds a lease, or had it broken a moment ago. Nothing else that Resource Manager tells shows who uses a share
/// or a container.
fn is_leased(state: Option<&str>) -> bool {
    state.is_some_and(|state| {
        ["leased", "breaking"]
            .iter()
            .any(|held| state.eq_ignore_ascii_case(held))
    })
}

/// What metadata say; and where a list leaves them out, what the account's tags and the name say.
fn tags_of(account: &StorageAccount, name: &str, written: Option<&std::collections::BTreeMap<String, String>>) -> Tags {
    let mut known = inferred(account, name);
    known.extend(written.map(metadata::decode).unwrap_or_default());
    known
}

/// The tags that account and name prove. Accounts of ours hold the volumes of one profile in one cluster.
pub(crate) fn inferred(account: &StorageAccount, name: &str) -> Tags {
    // Accounts that others made hold anything: a mark of use is no proof.
    let is_ours = account.tags.contains_key(metadata::ACCOUNT_POOL);
    let of_account = [
        (metadata::ACCOUNT_CLUSTER, tags::CLUSTER_UID),
        (metadata::ACCOUNT_PROFILE, tags::PROFILE),
    ];
    let mut known: Tags = of_account
        .into_iter()
        .filter(|_| is_ours)
        .filter_map(|(key, tag)| Some((tag.to_owned(), account.tags.get(key)?.clone())))
        .collect();
    if let Some(uid) = claim_uid(name) {
        known.insert(tags::CLAIM_UID.to_owned(), uid.to_owned());
    }
    known
}
