//! `AttachVolume` and `DetachVolume`.

use super::{render, volume_id};
use crate::error::AwsError;
use crate::ids;
use crate::model::instance::instances;
use crate::model::volume::{Attachment, VolumeState};
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

pub(crate) fn run_attach(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let (id, device) = (volume_id(params)?, params.required("Device")?);
    let instance = instance_id(params.required("InstanceId")?)?;
    let machines = instances(&session.settings, &session.region);
    let Some(machine) = machines.iter().find(|machine| machine.id == instance) else {
        let message = format!("The instance ID '{instance}' does not exist");
        return Err(AwsError::new("InvalidInstanceID.NotFound", message));
    };
    if session.volume(id)?.record.zone != machine.zone {
        let message = format!("The volume '{id}' is not in the same availability zone as instance '{instance}'");
        return Err(AwsError::new("InvalidVolume.ZoneMismatch", message));
    }
    let attachment = attach(session, id, instance, device)?;
    render::attachment(xml, id, &attachment, "attaching");
    Ok(())
}

pub(crate) fn run_detach(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let id = volume_id(params)?;
    let expected = params.text("InstanceId").map(instance_id).transpose()?;
    if let (Some(expected), Some(attachment)) = (expected, &session.volume(id)?.record.attachment)
        && attachment.instance_id != expected
    {
        let message = format!("The volume '{id}' is not attached to instance '{expected}'");
        return Err(AwsError::new("InvalidAttachment.NotFound", message));
    }
    let attachment = detach(session, id)?;
    render::attachment(xml, id, &attachment, "detaching");
    Ok(())
}

/// Attaches an available volume.
pub(crate) fn attach(session: &mut Session, id: &str, instance: &str, device: &str) -> Result<Attachment, AwsError> {
    let volume = session.volume(id)?;
    if volume.record.attachment.is_some() {
        let message = format!("{id} is already attached to an instance");
        return Err(AwsError::new("VolumeInUse", message));
    }
    if volume.state != VolumeState::Available {
        let message = format!("Volume '{id}' is not 'available', but '{}'.", volume.state.as_str());
        return Err(AwsError::new("IncorrectState", message));
    }
    session.about_to_change()?;
    let attachment = Attachment {
        instance_id: instance.to_owned(),
        device: device.to_owned(),
        attached: session.now,
    };
    session.change_volume(id, |volume| volume.attachment = Some(attachment.clone()))?;
    Ok(attachment)
}

/// Detaches a volume that is attached.
pub(crate) fn detach(session: &mut Session, id: &str) -> Result<Attachment, AwsError> {
    let Some(attachment) = session.volume(id)?.record.attachment.clone() else {
        return Err(AwsError::new(
            "IncorrectState",
            format!("Volume '{id}' is in the 'available' state."),
        ));
    };
    session.about_to_change()?;
    session.change_volume(id, |volume| volume.attachment = None)?;
    Ok(attachment)
}

fn instance_id(id: &str) -> Result<&str, AwsError> {
    if ids::well_formed(id, "i") {
        return Ok(id);
    }
    Err(AwsError::new(
        "InvalidInstanceID.Malformed",
        format!("Invalid id: \"{id}\" (expecting \"i-...\")"),
    ))
}
