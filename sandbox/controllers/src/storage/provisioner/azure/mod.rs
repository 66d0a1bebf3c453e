//! Volumes in Azure: shares and containers in storage accounts, and disks.

mod account;
pub(super) mod blob;
pub(super) mod disk;
pub(super) mod file;
mod parameters;

use crate::cluster::Cluster;

/// The resource group of the cluster, where a class names none.
fn home_group(cluster: &Cluster) -> String {
    let groups = cluster.azure.settings().resource_groups;
    groups.into_iter().next().unwrap_or_default()
}
