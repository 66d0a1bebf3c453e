//! The CSI driver's provisioner: makes EBS volumes for claims that nobody pre-bound, and deletes those it made.

mod parameters;
pub(crate) mod provision;
pub(crate) mod reclaim;
mod topology;

pub(crate) use topology::zones_of;

/// Holds a volume object until the volume behind it is gone.
const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
/// How events name their source.
const COMPONENT: &str = "ebs.csi.aws.com_ebs-csi-controller";
