//! What EBS accepts: volume types, StorageClass parameters, topology, and how a volume appears in Kubernetes.
//!
//! Pure rules without any SDK, so that a profile can be judged before the first call. Limits are those of the
//! EC2 API reference (`CreateVolume`, 2026); parameters are those of the in-tree `kubernetes.io/aws-ebs` provisioner and of
//! the EBS CSI driver (`docs/parameters.md`, `docs/tagging.md`).

mod parameters;
mod persistent_volume;
mod placement;
mod topology;
mod volume_types;

use std::collections::BTreeMap;

use moorline_api::{
    ClaimShape, CloudName, FieldProblem, Object, Placement, PvRequest, PvSource, StorageClass, StorageRules, VolumeId,
    VolumeSpec,
};
use moorline_prices::Prices;

/// The in-tree provisioner's name; its classes mean what the CSI driver makes of them.
pub const IN_TREE_PROVISIONER: &str = "kubernetes.io/aws-ebs";
/// The CSI driver's name, as provisioner, in `spec.csi.driver` and in `pv.kubernetes.io/provisioned-by`.
pub const CSI_DRIVER: &str = "ebs.csi.aws.com";

/// The storage rules of EBS.
#[derive(Clone, Copy, Debug, Default)]
pub struct EbsRules;

impl StorageRules for EbsRules {
    fn cloud(&self) -> CloudName {
        CloudName::Aws
    }

    fn serves(&self, provisioner: &str) -> bool {
        self.provisioners().contains(&provisioner)
    }

    fn provisioners(&self) -> &'static [&'static str] {
        &[CSI_DRIVER, IN_TREE_PROVISIONER]
    }

    fn place(
        &self,
        class: &StorageClass,
        claim: &ClaimShape,
        zones: Option<&[String]>,
    ) -> Result<Placement, Vec<FieldProblem>> {
        placement::place(class, claim, zones)
    }

    fn pv_source(&self, request: &PvRequest<'_>) -> PvSource {
        persistent_volume::source(request)
    }

    fn volume_id(&self, persistent_volume: &Object) -> Option<VolumeId> {
        persistent_volume::volume_id(persistent_volume)
    }

    fn standard_tags(&self, namespace: &str, claim: &str, claim_uid: &str, pv_name: &str) -> BTreeMap<String, String> {
        persistent_volume::standard_tags(namespace, claim, claim_uid, pv_name)
    }

    fn monthly_cost(&self, region: &str, spec: &VolumeSpec) -> Option<f64> {
        Prices::builtin().volume(self.cloud(), region, spec)
    }
}
