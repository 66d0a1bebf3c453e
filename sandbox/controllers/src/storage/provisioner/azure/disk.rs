//! Managed disks.

use std::collections::BTreeSet;

use moorline_sandbox_azure::NewDisk;

use super::super::{Made, Progress, Refusal, Request, topology};
use super::{home_group, parameters};
use crate::cluster::Cluster;
use crate::kinds::{DISK_DRIVER, NODES};
use crate::nodes::DISK_ZONE;
use crate::object::{label, name, namespace};
use crate::storage::selected_node;

/// Parameters that the driver knows, and those of its forerunner that it overlooks.
const KEYS: &[&str] = &[
    "attachdiskinitialdelay",
    "cachingmode",
    "dataaccessauthmode",
    "device-setting",
    "diskaccessid",
    "diskencryptionsetid",
    "diskencryptiontype",
    "diskiopsreadwrite",
    "diskmbpsreadwrite",
    "diskname",
    "enableasyncattach",
    "enablebursting",
    "enableperformanceplus",
    "fstype",
    "kind",
    "location",
    "logicalsectorsize",
    "maxshares",
    "networkaccesspolicy",
    "perfprofile",
    "publicnetworkaccess",
    "resourcegroup",
    "skuname",
    "storageaccount",
    "storageaccounttype",
    "subscriptionid",
    "tags",
    "tagvaluedelimiter",
    "useragent",
    "writeacceleratorenabled",
    "zoned",
];

pub(in super::super) fn create(cluster: &Cluster, request: &Request) -> Result<Progress, Refusal> {
    let mut parameters = parameters::read(request, KEYS)?;
    if !matches!(parameters.get(&["kind"]).to_lowercase().as_str(), "" | "managed") {
        let why = format!("azure disk kind {} is not supported", parameters.get(&["kind"]));
        return Err(Refusal::Invalid(why));
    }
    if request.is_shared() && !request.is_block() {
        let why = "mountVolume is not supported for access mode: MULTI_NODE_MULTI_WRITER";
        return Err(Refusal::Invalid(why.to_owned()));
    }
    let sku = match parameters.get(&["skuname", "storageaccounttype"]) {
        "" => "StandardSSD_LRS",
        sku => sku,
    };
    let resource_group = match parameters.get(&["resourcegroup"]) {
        "" => home_group(cluster),
        group => group.to_owned(),
    };
    let mut tags = parameters.tags()?;
    for (key, value) in [
        ("k8s-azure-created-by", "kubernetes-azure-dd"),
        ("kubernetes.io-created-for-pv-name", request.volume),
        ("kubernetes.io-created-for-pvc-name", name(request.claim)),
        ("kubernetes.io-created-for-pvc-namespace", namespace(request.claim)),
    ] {
        tags.insert(key.to_owned(), value.to_owned());
    }
    // Disks that are copied to every zone are in none.
    let zone = if sku.to_uppercase().ends_with("ZRS") {
        None
    } else {
        zone(cluster, request)
    };
    let new = NewDisk {
        resource_group,
        name: request.volume.to_owned(),
        sku: sku.to_owned(),
        size_gib: request.size_gib()?,
        // `eastus-1` is the zone `1` of the region.
        zone: zone
            .as_ref()
            .and_then(|zone| zone.rsplit('-').next().map(str::to_owned)),
        tags,
    };
    let (disk, ready_at) = cluster
        .azure
        .create_disk(&new)
        .map_err(|error| Refusal::internal(&format!("failed to create disk {}", request.volume), error))?;
    if ready_at > cluster.now() {
        return Ok(Progress::Until(ready_at));
    }
    let fs_type = parameters.get(&["fstype"]).to_owned();
    parameters.set("requestedsizegib", &disk.size_gib.to_string());
    Ok(Progress::Made(Made {
        handle: disk.id,
        capacity: format!("{}Gi", disk.size_gib),
        fs_type: (!fs_type.is_empty()).then_some(fs_type),
        attributes: parameters.attributes(DISK_DRIVER),
        zone: zone.map(|zone| (DISK_ZONE, zone)),
    }))
}

/// The zone for a disk; none in a cluster whose nodes have none that disks could be in.
fn zone(cluster: &Cluster, request: &Request) -> Option<String> {
    let of_node = |node: &serde_json::Value| Some(label(node, DISK_ZONE).to_owned()).filter(|zone| !zone.is_empty());
    if let Some(node) = selected_node(cluster, request.claim) {
        return of_node(&node);
    }
    let zones: BTreeSet<String> = cluster
        .api
        .list(NODES, None)
        .iter()
        .filter_map(|node| of_node(node))
        .collect();
    let allowed = topology::zones_of(request.class);
    let zones: Vec<String> = zones
        .into_iter()
        .filter(|zone| allowed.as_ref().is_none_or(|allowed| allowed.contains(zone)))
        .collect();
    topology::spread(name(request.claim), &zones).cloned()
}
