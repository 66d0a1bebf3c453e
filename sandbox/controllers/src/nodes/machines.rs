//! The machines that the nodes run on: one in each zone.

use moorline_sandbox_aws::{AwsCloud, Instance};
use moorline_sandbox_azure::AzureCloud;
use serde_json::{Value, json};

use super::{DISK_ZONE, EBS_ZONE, ZONE};
use crate::cluster::Cluster;
use crate::settings::ClusterCloud;
use crate::storage::driver::Driver;

/// Zones of an Azure region that has zones.
const AZURE_ZONES: u8 = 3;
/// The pool of nodes of an Azure cluster.
const POOL: &str = "aks-agentpool-36099114-vmss";

/// A machine, as its node shows it.
pub(super) struct Machine {
    /// The node's name.
    pub(super) node: String,
    pub(super) provider_id: String,
    pub(super) instance_type: &'static str,
    pub(super) region: String,
    pub(super) zone: String,
    /// The label of the zone in the words of the driver whose disks have one.
    pub(super) drivers_zone: &'static str,
    pub(super) address: String,
    pub(super) host_name: String,
}

pub(super) fn all(cluster: &Cluster) -> Vec<Machine> {
    match cluster.settings.cloud {
        ClusterCloud::Both | ClusterCloud::Aws => of_aws(&cluster.aws),
        ClusterCloud::Azure => of_azure(&cluster.azure),
    }
}

fn of_aws(cloud: &AwsCloud) -> Vec<Machine> {
    let region = cloud.settings().region;
    let machine = |instance: Instance| Machine {
        node: format!("node-{}", instance.zone.strip_prefix(&region).unwrap_or(&instance.zone)),
        provider_id: format!("aws:///{}/{}", instance.zone, instance.id),
        instance_type: "m5.large",
        region: region.clone(),
        zone: instance.zone,
        drivers_zone: EBS_ZONE,
        address: instance.private_ip,
        host_name: instance.private_dns_name,
    };
    cloud.instances().into_iter().map(machine).collect()
}

fn of_azure(cloud: &AzureCloud) -> Vec<Machine> {
    let settings = cloud.settings();
    let first = |list: &[String]| list.first().cloned().unwrap_or_default();
    let (subscription, group) = (first(&settings.subscriptions), first(&settings.resource_groups));
    let location = settings.location;
    let machine = |index: u8| {
        let node = format!("{POOL}{index:06}");
        Machine {
            provider_id: format!(
                "azure:///subscriptions/{subscription}/resourceGroups/mc_{group}_moorline_{location}/providers/Microsoft.Compute/virtualMachineScaleSets/{POOL}/virtualMachines/{index}"
            ),
            instance_type: "Standard_D4s_v5",
            region: location.clone(),
            zone: format!("{location}-{}", index + 1),
            drivers_zone: DISK_ZONE,
            address: format!("10.240.0.{}", index + 4),
            host_name: node.clone(),
            node,
        }
    };
    (0..AZURE_ZONES).map(machine).collect()
}

impl Machine {
    /// The node object; `index` counts the machines.
    pub(super) fn node(&self, index: usize) -> Value {
        let network = format!("10.244.{}.0/20", 16 * index);
        json!({
            "metadata": {
                "name": self.node,
                "labels": {
                    "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                    "kubernetes.io/os": "linux", "kubernetes.io/hostname": self.node,
                    "node.kubernetes.io/instance-type": self.instance_type, "topology.kubernetes.io/region": self.region,
                    ZONE: self.zone, self.drivers_zone: self.zone,
                },
            },
            "spec": {"podCIDR": network, "podCIDRs": [network], "providerID": self.provider_id},
        })
    }

    /// What a driver says of the node.
    pub(super) fn registration(&self, driver: Driver) -> Value {
        let (id, zone) = match driver {
            Driver::Ebs => (self.provider_id.rsplit('/').next().unwrap_or_default(), Some(EBS_ZONE)),
            Driver::Disk => (self.node.as_str(), Some(DISK_ZONE)),
            Driver::File | Driver::Blob => (self.node.as_str(), None),
        };
        let mut keys: Vec<&str> = Vec::new();
        if let Some(zone) = zone.filter(|zone| *zone == self.drivers_zone) {
            keys.extend(["kubernetes.io/os", ZONE, zone]);
        }
        json!({"name": driver.name(), "nodeID": id, "topologyKeys": keys})
    }
}
