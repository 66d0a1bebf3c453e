//! EBS volumes over the API: one file for each thing that can be done with them.

pub(crate) mod attach;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod modify;
pub(crate) mod render;
pub(crate) mod status;

use crate::error::AwsError;
use crate::ids;
use crate::wire::params::Params;

/// The parameter `VolumeId`, well formed.
pub(super) fn volume_id(params: &Params) -> Result<&str, AwsError> {
    let id = params.required("VolumeId")?;
    check_id(id)?;
    Ok(id)
}

fn check_id(id: &str) -> Result<(), AwsError> {
    if ids::well_formed(id, "vol") {
        return Ok(());
    }
    Err(AwsError::new(
        "InvalidVolumeID.Malformed",
        format!("Invalid id: \"{id}\" (expecting \"vol-...\")"),
    ))
}

/// A parameter that must be a number of things: negative and huge ones cannot be meant.
fn count(params: &Params, name: &str) -> Result<Option<u32>, AwsError> {
    let Some(number) = params.integer(name)? else {
        return Ok(None);
    };
    let read = u32::try_from(number)
        .map_err(|_| AwsError::bad_parameter(name, &number.to_string(), "It is outside the range of the parameter."))?;
    Ok(Some(read))
}
