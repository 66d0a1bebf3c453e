//! How an EBS volume appears in a PersistentVolume, and which tags tell its maker.

use std::collections::BTreeMap;

use moorline_api::{Object, PvRequest, PvSource, VolumeId};
use serde_json::{Map, Value, json};

use crate::{CSI_DRIVER, parameters};

/// What the CSI driver and the external provisioner would have written. Formatting options travel in
/// `volumeAttributes`, where the driver's node plugin looks for them; the provisioner's identity does not, because no
/// provisioner made this volume.
pub(crate) fn source(request: &PvRequest<'_>) -> PvSource {
    let (parameters, _) = parameters::read(request.class);
    let mut csi = Map::new();
    csi.insert("driver".to_owned(), CSI_DRIVER.into());
    csi.insert("volumeHandle".to_owned(), request.id.0.clone().into());
    if request.shape.volume_mode != "Block" {
        csi.insert(
            "fsType".to_owned(),
            parameters.fs_type.unwrap_or_else(|| "ext4".to_owned()).into(),
        );
        let attributes: Map<_, _> = parameters
            .format
            .into_iter()
            .map(|(key, (_, value))| (key.to_owned(), Value::from(value)))
            .collect();
        if !attributes.is_empty() {
            csi.insert("volumeAttributes".to_owned(), attributes.into());
        }
    }
    PvSource {
        source: ("csi".to_owned(), csi.into()),
        node_affinity: request.spec.zone.as_deref().map(node_affinity),
        provisioned_by: CSI_DRIVER.to_owned(),
        secret: None,
    }
}

/// The driver answers CreateVolume with the well-known zone label since its version 1.31.
fn node_affinity(zone: &str) -> Value {
    let expression = json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]});
    json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}})
}

/// The volume behind a PersistentVolume: a CSI handle, or the in-tree source's three forms
/// (csi-translation-lib, `aws_ebs.go`).
pub(crate) fn volume_id(persistent_volume: &Object) -> Option<VolumeId> {
    let handle = match persistent_volume.str_at(&["spec", "csi", "driver"]) {
        Some(CSI_DRIVER) => persistent_volume.str_at(&["spec", "csi", "volumeHandle"])?,
        Some(_) => return None,
        None => persistent_volume.str_at(&["spec", "awsElasticBlockStore", "volumeID"])?,
    };
    let id = match handle.strip_prefix("aws://") {
        Some(rest) => rest.split_once('/')?.1,
        None => handle,
    };
    let digits = id.strip_prefix("vol-")?;
    let well_formed = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    well_formed.then(|| VolumeId(id.to_owned()))
}

/// What the EBS CSI driver sets with `--extra-create-metadata`, and what its managed IAM policy asks of a volume that it
/// may delete.
pub(crate) fn standard_tags(namespace: &str, claim: &str, claim_uid: &str, pv_name: &str) -> BTreeMap<String, String> {
    [
        ("CSIVolumeName", format!("pvc-{claim_uid}")),
        ("ebs.csi.aws.com/cluster", "true".to_owned()),
        ("kubernetes.io/created-for/pvc/name", claim.to_owned()),
        ("kubernetes.io/created-for/pvc/namespace", namespace.to_owned()),
        ("kubernetes.io/created-for/pv/name", pv_name.to_owned()),
        ("Name", pv_name.to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}
