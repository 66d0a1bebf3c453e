//! STS: who am I?

use crate::error::AwsError;
use crate::operation::Operation;
use crate::session::Session;
use crate::throttle::Family;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

pub(crate) const OPERATIONS: [Operation; 1] = [Operation::new(
    "GetCallerIdentity",
    Family::Describe,
    get_caller_identity,
)];

#[expect(clippy::unnecessary_wraps, reason = "every operation has this signature")]
fn get_caller_identity(session: &mut Session, _: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let account = &session.settings.account;
    xml.text("Arn", format_args!("arn:aws:iam::{account}:user/sandbox"));
    xml.text("UserId", "AIDASANDBOXSANDBOX000");
    xml.text("Account", account);
    Ok(())
}
