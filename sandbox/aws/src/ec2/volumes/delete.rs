//! `DeleteVolume`.

use super::volume_id;
use crate::error::AwsError;
use crate::model::volume::VolumeState;
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

pub(crate) fn run(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    delete(session, volume_id(params)?)?;
    xml.text("return", true);
    Ok(())
}

/// Deletes a volume that is attached to nothing.
pub(crate) fn delete(session: &mut Session, id: &str) -> Result<(), AwsError> {
    let volume = session.volume(id)?;
    if let Some(attachment) = &volume.record.attachment {
        let message = format!("Volume {id} is currently attached to {}", attachment.instance_id);
        return Err(AwsError::new("VolumeInUse", message));
    }
    if volume.state == VolumeState::Creating {
        return Err(AwsError::new(
            "IncorrectState",
            format!("The volume '{id}' is 'creating'"),
        ));
    }
    session.about_to_change()?;
    let gone_at = session.gone_at();
    session.change_volume(id, |volume| volume.gone_at = Some(gone_at))
}
