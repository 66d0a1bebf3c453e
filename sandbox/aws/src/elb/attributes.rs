//! Attributes of network and application load balancers; the only one that can be set is the protection against deletion.

use super::v2::{arn, key_of, not_found};
use crate::error::AwsError;
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

const PROTECTION: &str = "deletion_protection.enabled";

pub(super) fn modify(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let key = key(session, params)?;
    let mut protected = None;
    for attribute in params.list("Attributes") {
        let (name, value) = (attribute.text("Key"), attribute.text("Value"));
        protected = match (name, value) {
            (Some(PROTECTION), Some("true")) => Some(true),
            (Some(PROTECTION), Some("false")) => Some(false),
            (name, value) => return Err(unfit(name, value)),
        };
    }
    let Some(protected) = protected else {
        return Err(AwsError::new("ValidationError", "At least one attribute must be given"));
    };
    session.about_to_change()?;
    let times = (session.now, session.horizon());
    session
        .account
        .balancers
        .change(&key, times, |lb| lb.protected = protected)?;
    write(xml, protected);
    Ok(())
}

pub(super) fn describe(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let key = key(session, params)?;
    write(xml, session.account.balancers.get(&key).is_some_and(|lb| lb.protected));
    Ok(())
}

fn key(session: &Session, params: &Params) -> Result<String, AwsError> {
    let arn = arn(params.text("LoadBalancerArn").unwrap_or_default())?;
    key_of(session, arn).ok_or_else(not_found)
}

fn unfit(name: Option<&str>, value: Option<&str>) -> AwsError {
    let (name, value) = (name.unwrap_or_default(), value.unwrap_or_default());
    let message =
        format!("Load balancer attribute '{name}' with value '{value}' is not valid here; there is '{PROTECTION}'");
    AwsError::new("ValidationError", message)
}

fn write(xml: &mut Xml, protected: bool) {
    xml.list(("Attributes", "member"), [protected], |xml, protected| {
        xml.text("Key", PROTECTION);
        xml.text("Value", protected);
    });
}
