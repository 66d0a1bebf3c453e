//! EBS volumes.

mod parameters;

use moorline_sandbox_aws::{NewVolume, VolumeState};
use serde_json::{Map, json};

use super::{Made, Progress, Refusal, Request, topology};
use crate::cluster::Cluster;
use crate::nodes::{ZONE, zone_of};
use crate::object::{name, namespace, sha256_hex};
use crate::storage::attachment::rpc_error;
use crate::storage::selected_node;

pub(super) fn create(cluster: &Cluster, request: &Request) -> Result<Progress, Refusal> {
    if request.is_shared() && !request.is_block() {
        let why =
            "Volume capabilities MULTI_NODE_MULTI_WRITER not supported. Only AccessModes[ReadWriteOnce] supported.";
        return Err(Refusal::Invalid(why.to_owned()));
    }
    let parameters = parameters::read(request.class).map_err(Refusal::Invalid)?;
    let made = cluster
        .aws
        .create_volume(describe(cluster, request, &parameters)?)
        .map_err(|error| {
            let what = format!("Could not create volume \"{}\"", request.volume);
            Refusal::Failed(rpc_error(&error, &what), Box::new(error.into()))
        })?;
    if made.state == VolumeState::Creating {
        return Ok(Progress::Until(made.settles_at.unwrap_or_else(|| cluster.now())));
    }
    Ok(Progress::Made(Made {
        handle: made.id,
        capacity: format!("{}Gi", made.size_gib),
        fs_type: Some(parameters.fs_type),
        attributes: Map::from_iter([(
            "storage.kubernetes.io/csiProvisionerIdentity".to_owned(),
            json!("sandbox-ebs.csi.aws.com"),
        )]),
        zone: Some((ZONE, made.zone)),
    }))
}

/// What to ask of the cloud.
fn describe(cluster: &Cluster, request: &Request, parameters: &parameters::Parameters) -> Result<NewVolume, Refusal> {
    let too_large = |_| Refusal::Invalid("Invalid capacity range".to_owned());
    let size = u32::try_from(request.size_gib()?).map_err(too_large)?;
    let mut new = parameters.volume(size).map_err(Refusal::Invalid)?;
    let settings = cluster.aws.settings();
    new.zone = if let Some(node) = selected_node(cluster, request.claim) {
        zone_of(&node).to_owned()
    } else {
        let allowed = topology::zones_of(request.class).unwrap_or_else(|| settings.zone_names(&settings.region));
        topology::spread(name(request.claim), &allowed)
            .cloned()
            .unwrap_or_default()
    };
    let tags = [
        ("CSIVolumeName", request.volume),
        ("ebs.csi.aws.com/cluster", "true"),
        ("kubernetes.io/created-for/pvc/name", name(request.claim)),
        ("kubernetes.io/created-for/pvc/namespace", namespace(request.claim)),
        ("kubernetes.io/created-for/pv/name", request.volume),
    ];
    new.tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    new.client_token = Some(sha256_hex(request.volume));
    Ok(new)
}
