//! Every rule, in tables: what a class and a claim get, what they are told when they are wrong, and what a PersistentVolume
//! looks like.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

mod classes;
mod volumes;

use moorline_api::{BindingMode, ClaimShape, FieldProblem, Placement, ReclaimPolicy, StorageClass, StorageRules as _};
use moorline_azure_rules::AzureRules;

pub(crate) const FILE: &str = "file.csi.azure.com";
pub(crate) const BLOB: &str = "blob.csi.azure.com";
pub(crate) const IN_TREE: &str = "kubernetes.io/azure-file";

pub(crate) fn class(provisioner: &str, parameters: &[(&str, &str)]) -> StorageClass {
    StorageClass {
        name: "shares".to_owned(),
        provisioner: provisioner.to_owned(),
        parameters: parameters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        reclaim_policy: ReclaimPolicy::Delete,
        binding_mode: BindingMode::Immediate,
        mount_options: Vec::new(),
        allowed_topologies: Vec::new(),
    }
}

pub(crate) fn claim(bytes: u64) -> ClaimShape {
    ClaimShape {
        bytes,
        access_modes: vec!["ReadWriteMany".to_owned()],
        volume_mode: "Filesystem".to_owned(),
    }
}

pub(crate) fn place(
    provisioner: &str,
    parameters: &[(&str, &str)],
    bytes: u64,
) -> Result<Placement, Vec<FieldProblem>> {
    AzureRules.place(&class(provisioner, parameters), &claim(bytes), None)
}
