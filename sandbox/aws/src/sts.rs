//! STS: who am I, and who else may I be?

use jiff::SignedDuration;

use crate::error::AwsError;
use crate::operation::Operation;
use crate::roles::RoleSession;
use crate::session::Session;
use crate::throttle::Family;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

/// Neither changes anything in the account.
pub(crate) const OPERATIONS: [Operation; 2] = [
    Operation::new("AssumeRole", Family::Describe, assume_role),
    Operation::new("GetCallerIdentity", Family::Describe, get_caller_identity),
];

/// How long the credentials of a role may last, in seconds, and how long they do where nobody says.
const DURATIONS: (i64, i64) = (900, 43_200);
const DURATION: i64 = 3600;

fn assume_role(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let (arn, name) = (required(params, "RoleArn")?, required(params, "RoleSessionName")?);
    let fit = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(fit) {
        return Err(invalid("roleSessionName", name));
    }
    let seconds = match params.text("DurationSeconds") {
        None => DURATION,
        Some(text) => text.parse().map_err(|_| invalid("durationSeconds", text))?,
    };
    if !(DURATIONS.0..=DURATIONS.1).contains(&seconds) {
        return Err(invalid("durationSeconds", &seconds.to_string()));
    }
    let role = trusted(session, arn, params.text("ExternalId"))?;
    let assumed = RoleSession {
        role,
        name: name.to_owned(),
        expires: session.now + SignedDuration::from_secs(seconds),
    };
    xml.element("Credentials", |xml| {
        xml.text("AccessKeyId", assumed.access_key());
        xml.text("SecretAccessKey", assumed.secret());
        xml.text("SessionToken", assumed.token());
        xml.text("Expiration", assumed.expires.strftime("%Y-%m-%dT%H:%M:%SZ"));
    });
    xml.element("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", assumed.user_id());
        xml.text("Arn", assumed.arn(&session.settings.account));
    });
    Ok(())
}

/// The name of the role, if the account has it and it trusts whoever knows this external id. STS does not say which of it is not so.
fn trusted(session: &Session, arn: &str, external_id: Option<&str>) -> Result<String, AwsError> {
    let account = &session.settings.account;
    let name = arn.strip_prefix(&format!("arn:aws:iam::{account}:role/"));
    let role = session
        .settings
        .roles
        .iter()
        .find(|role| Some(role.name.as_str()) == name);
    match role {
        Some(role) if role.external_id.is_none() || role.external_id.as_deref() == external_id => Ok(role.name.clone()),
        _ => {
            let message = format!(
                "User: arn:aws:iam::{account}:user/sandbox is not authorized to perform: sts:AssumeRole on resource: {arn}"
            );
            Err(AwsError::new("AccessDenied", message).with_status(403))
        }
    }
}

fn required<'p>(params: &'p Params, name: &str) -> Result<&'p str, AwsError> {
    let value = params.text(name).filter(|text| !text.is_empty());
    value.ok_or_else(|| AwsError::new("ValidationError", format!("{name} must not be empty")))
}

fn invalid(name: &str, value: &str) -> AwsError {
    let message = format!("1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint");
    AwsError::new("ValidationError", message)
}

#[expect(clippy::unnecessary_wraps, reason = "every operation has this signature")]
fn get_caller_identity(session: &mut Session, _: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let account = &session.settings.account;
    let (arn, id) = match &session.assumed {
        Some(assumed) => (assumed.arn(account), assumed.user_id()),
        None => (
            format!("arn:aws:iam::{account}:user/sandbox"),
            "AIDASANDBOXSANDBOX000".to_owned(),
        ),
    };
    xml.text("Arn", arn);
    xml.text("UserId", id);
    xml.text("Account", account);
    Ok(())
}
