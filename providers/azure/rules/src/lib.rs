//! What Azure Files and Azure Blob accept: StorageClass parameters, SKUs and sizes, and how a share or a container appears in
//! Kubernetes.
//!
//! Pure rules without any SDK, so that a profile can be judged before the first call. Parameters are those of the in-tree
//! `kubernetes.io/azure-file` provisioner and of the CSI drivers `file.csi.azure.com` and `blob.csi.azure.com`
//! (`docs/driver-parameters.md` of each, 2026). What concerns creation is read here, what concerns mounting goes into the
//! PersistentVolume as it stands, and the rest is refused by name.

mod catalogue;
mod claim;
mod names;
mod parameters;
mod persistent_volume;
mod placement;
mod reader;
mod skus;

use std::collections::BTreeMap;

use moorline_api::{
    ClaimShape, CloudName, FieldProblem, Object, Placement, PvRequest, PvSource, StorageClass, StorageRules, VolumeId,
    VolumeSpec,
};
use moorline_prices::Prices;

pub use names::{DiskName, Service, VolumeName, account_name_problem, parts_of_id, volume_name_problem};

/// The in-tree provisioner's name; its classes mean what the CSI driver makes of them.
pub const IN_TREE_PROVISIONER: &str = "kubernetes.io/azure-file";
/// The Azure Files CSI driver.
pub const FILE_DRIVER: &str = "file.csi.azure.com";
/// The Azure Blob CSI driver.
pub const BLOB_DRIVER: &str = "blob.csi.azure.com";
/// The Azure Disk CSI driver. No class of it is served; what it leaves behind is known.
pub const DISK_DRIVER: &str = "disk.csi.azure.com";

/// The storage rules of Azure.
#[derive(Clone, Copy, Debug, Default)]
pub struct AzureRules;

impl AzureRules {
    /// The storage account that a class names as existing, where it names one. Volumes of ours may be there although nothing
    /// about the account says so: a provider that looks for them has to be told.
    pub fn named_account(class: &StorageClass) -> Option<&str> {
        if !AzureRules.serves(&class.provisioner) {
            return None;
        }
        let named = class
            .parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("storageAccount"))?;
        Some(named.1.trim()).filter(|name| account_name_problem(name).is_none())
    }

    /// The name that a class gives its shares or containers (`shareName`, `containerName`), with what stands for a claim in it:
    /// a provider that looks for volumes has to be told, because such names say nothing of claims.
    pub fn named_volume(class: &StorageClass) -> Option<&str> {
        let key = match &*class.provisioner {
            BLOB_DRIVER => "containerName",
            FILE_DRIVER | IN_TREE_PROVISIONER => "shareName",
            _ => return None,
        };
        let mut parameters = class.parameters.iter();
        let (_, name) = parameters.find(|(given, _)| given.eq_ignore_ascii_case(key))?;
        Some(name.trim()).filter(|name| !name.is_empty())
    }
}

impl StorageRules for AzureRules {
    fn cloud(&self) -> CloudName {
        CloudName::Azure
    }

    fn serves(&self, provisioner: &str) -> bool {
        self.provisioners().contains(&provisioner)
    }

    fn provisioners(&self) -> &'static [&'static str] {
        &[FILE_DRIVER, BLOB_DRIVER, IN_TREE_PROVISIONER]
    }

    fn place(
        &self,
        class: &StorageClass,
        claim: &ClaimShape,
        _zones: Option<&[String]>,
    ) -> Result<Placement, Vec<FieldProblem>> {
        placement::place(class, claim)
    }

    fn pv_source(&self, request: &PvRequest<'_>) -> PvSource {
        persistent_volume::source(request)
    }

    fn volume_id(&self, persistent_volume: &Object) -> Option<VolumeId> {
        persistent_volume::volume_id(persistent_volume)
    }

    fn standard_tags(&self, namespace: &str, claim: &str, _claim_uid: &str, pv_name: &str) -> BTreeMap<String, String> {
        persistent_volume::standard_tags(namespace, claim, pv_name)
    }

    fn monthly_cost(&self, region: &str, spec: &VolumeSpec) -> Option<f64> {
        Prices::builtin().volume(self.cloud(), region, spec)
    }
}
