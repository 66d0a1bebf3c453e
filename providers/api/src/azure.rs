//! The Azure part of a [`VolumeConfig`](crate::VolumeConfig): a share or a container and the storage account around it, or a disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the storage account of a volume must be like. Accounts that differ in any of this are different accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureAccount {
    /// `Standard_LRS`, `Premium_ZRS` …, in Azure's own spelling.
    pub sku: String,
    /// `StorageV2`, `FileStorage` or `BlockBlobStorage`.
    pub kind: String,
    /// The account, where the class names one that exists, or where the volume is; otherwise the provider derives a name.
    pub name: Option<String>,
    /// The subscription; `None` is the provider's, and any other is refused.
    pub subscription: Option<String>,
    /// The resource group; `None` is the provider's.
    pub resource_group: Option<String>,
    /// Azure's region; `None` is the provider's.
    pub location: Option<String>,
    /// Whether only HTTPS is served; NFS needs `false`.
    pub https_only: bool,
    /// Large file shares (Standard accounts).
    pub large_file_shares: Option<bool>,
    /// Whether containers may be made public.
    pub public_blobs: bool,
    /// A second layer of encryption.
    pub infrastructure_encryption: Option<bool>,
    /// Whether the account's keys are of use.
    pub shared_keys: Option<bool>,
    /// `Enabled`, `Disabled` or `SecuredByPerimeter`.
    pub public_network_access: Option<String>,
    /// `Hot` or `Cool`, of a blob account.
    pub access_tier: Option<String>,
    /// Hierarchical namespace, of a blob account.
    pub hierarchical: Option<bool>,
    /// Whether deleted shares are kept for a while; `None` is the provider's setting.
    pub keep_deleted_shares: Option<bool>,
    /// Tags that the class asks for.
    pub tags: BTreeMap<String, String>,
}

/// A file share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureShare {
    /// The account around it.
    pub account: AzureAccount,
    /// `smb` or `nfs`.
    pub protocol: String,
    /// The share's name where the class gives it, to be filled in ([`fill_name`]). One that exists already and was made for no
    /// claim is mounted and never deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Put before the share's name, as `<prefix>-pvc-<uid>`.
    pub name_prefix: Option<String>,
    /// `TransactionOptimized`, `Hot`, `Cool` or `Premium`; `None` is the account's default.
    pub access_tier: Option<String>,
    /// `NoRootSquash`, `RootSquash` or `AllSquash` (NFS).
    pub root_squash: Option<String>,
    /// Provisioned operations a second (provisioned v2).
    pub iops: Option<u32>,
    /// Provisioned MiB a second (provisioned v2).
    pub bandwidth: Option<u32>,
}

/// A blob container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureContainer {
    /// The account around it.
    pub account: AzureAccount,
    /// `fuse2`, `fuse` or `nfs`.
    pub protocol: String,
    /// The container's name where the class gives it; see [`AzureShare::name`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Put before the container's name, as `<prefix>-pvc-<uid>`.
    pub name_prefix: Option<String>,
}

/// A managed disk, which stands by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureDisk {
    /// `StandardSSD_LRS`, `Premium_ZRS`, `PremiumV2_LRS` …, in Azure's own spelling.
    pub sku: String,
    /// The subscription.
    pub subscription: Option<String>,
    /// The resource group.
    pub resource_group: Option<String>,
    /// Azure's region.
    pub location: Option<String>,
    /// Provisioned operations a second (ultra disks and Premium SSD v2); the others' follow from their size.
    pub iops: Option<u32>,
    /// Provisioned MB a second, of the same disks.
    pub bandwidth: Option<u32>,
}

/// What the name that a class gives a share or a container may have in it: the claim's name, its namespace, and the name of its
/// PersistentVolume.
pub const NAME_PARTS: [&str; 3] = [
    "${pvc.metadata.name}",
    "${pvc.metadata.namespace}",
    "${pv.metadata.name}",
];

/// The name with these put in where [`NAME_PARTS`] stand for them.
pub fn fill_name(name: &str, claim: &str, namespace: &str, persistent_volume: &str) -> String {
    NAME_PARTS
        .iter()
        .zip([claim, namespace, persistent_volume])
        .fold(name.to_owned(), |name, (part, value)| name.replace(part, value))
}
