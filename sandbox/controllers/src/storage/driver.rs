//! The CSI drivers that the cluster can have.

use crate::kinds::{BLOB_DRIVER, DISK_DRIVER, EBS_DRIVER, FILE_DRIVER};
use crate::settings::ClusterCloud;

/// A CSI driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// EBS volumes.
    Ebs,
    /// Azure's managed disks.
    Disk,
    /// Azure's file shares.
    File,
    /// Azure's blob containers.
    Blob,
}

impl Driver {
    /// The drivers of a cluster in this cloud.
    pub(crate) fn of_cloud(cloud: ClusterCloud) -> &'static [Self] {
        match cloud {
            ClusterCloud::Both => &[Self::Ebs, Self::Disk, Self::File, Self::Blob],
            ClusterCloud::Aws => &[Self::Ebs],
            ClusterCloud::Azure => &[Self::Disk, Self::File, Self::Blob],
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ebs => EBS_DRIVER,
            Self::Disk => DISK_DRIVER,
            Self::File => FILE_DRIVER,
            Self::Blob => BLOB_DRIVER,
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::Ebs, Self::Disk, Self::File, Self::Blob];
        all.into_iter().find(|driver| driver.name() == name)
    }

    /// How events name it as their source.
    pub(crate) fn component(self) -> &'static str {
        match self {
            Self::Ebs => "ebs.csi.aws.com_ebs-csi-controller",
            Self::Disk => "disk.csi.azure.com_csi-azuredisk-controller",
            Self::File => "file.csi.azure.com_csi-azurefile-controller",
            Self::Blob => "blob.csi.azure.com_csi-blob-controller",
        }
    }
}

/// The driver that does the work of a provisioner: those that were part of Kubernetes are their drivers' now.
pub(crate) fn driver_for(provisioner: &str) -> &str {
    match provisioner {
        "kubernetes.io/aws-ebs" => EBS_DRIVER,
        "kubernetes.io/azure-disk" => DISK_DRIVER,
        "kubernetes.io/azure-file" => FILE_DRIVER,
        other => other,
    }
}
