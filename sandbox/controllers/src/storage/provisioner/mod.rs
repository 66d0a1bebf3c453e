//! The CSI drivers' provisioners: they make volumes for claims that nobody pre-bound, and delete those behind released ones.

mod azure;
mod ebs;
pub(crate) mod provision;
pub(crate) mod reclaim;
mod topology;

pub(crate) use topology::zones_of;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::cluster::{Cluster, ControlError};
use crate::object::text;
use crate::quantity::gib;
use crate::storage::driver::Driver;

/// Holds a volume object until the volume behind it is gone.
pub(crate) const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";

/// What a driver is asked to make.
struct Request<'a> {
    claim: &'a Value,
    class: &'a Value,
    /// The name of the volume object to come, `pvc-<uid of the claim>`.
    volume: &'a str,
}

impl Request<'_> {
    /// The size that the claim asks for.
    fn size_gib(&self) -> Result<u64, Refusal> {
        let size = gib(text(self.claim, "/spec/resources/requests/storage"));
        let size = size.ok_or_else(|| Refusal::Invalid("Invalid capacity range".to_owned()))?;
        Ok(size.max(1))
    }

    /// Whether more than one node at a time is to have the volume.
    fn is_shared(&self) -> bool {
        let modes = self.claim["spec"]["accessModes"].as_array().into_iter().flatten();
        modes
            .into_iter()
            .any(|mode| mode == "ReadWriteMany" || mode == "ReadOnlyMany")
    }

    fn is_block(&self) -> bool {
        text(self.claim, "/spec/volumeMode") == "Block"
    }
}

/// A volume that a driver made, for the object that is to name it.
struct Made {
    handle: String,
    /// `10Gi`.
    capacity: String,
    fs_type: Option<String>,
    attributes: Map<String, Value>,
    /// The label and value of the nodes that can have it, unless all can.
    zone: Option<(&'static str, String)>,
}

enum Progress {
    Made(Made),
    /// Look again at this moment.
    Until(Timestamp),
}

/// Why a driver makes nothing, in its own words.
enum Refusal {
    /// What is asked for is wrong, and stays so.
    Invalid(String),
    /// It could not be done now.
    Failed(String, Box<ControlError>),
}

impl Refusal {
    /// Something went wrong inside: `what` says what was tried.
    fn internal(what: &str, error: impl Into<ControlError>) -> Self {
        let error = error.into();
        let cause = match &error {
            ControlError::Api(error) => error.to_string(),
            ControlError::Aws(error) => error.to_string(),
            ControlError::Azure(error) => error.to_string(),
        };
        Self::Failed(
            format!("rpc error: code = Internal desc = {what}: {cause}"),
            Box::new(error),
        )
    }
}

fn create(cluster: &Cluster, driver: Driver, request: &Request) -> Result<Progress, Refusal> {
    match driver {
        Driver::Ebs => ebs::create(cluster, request),
        Driver::Disk => azure::disk::create(cluster, request),
        Driver::File => azure::file::create(cluster, request),
        Driver::Blob => azure::blob::create(cluster, request),
    }
}
