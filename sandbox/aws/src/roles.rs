//! Credentials of assumed roles: the session token says all there is to know, so that nothing needs to be kept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids;

/// How the access key ids of temporary credentials begin.
const PREFIX: &str = "ASIA";

/// Who took on which role, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleSession {
    pub(crate) role: String,
    pub(crate) name: String,
    pub(crate) expires: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Token {
    session: RoleSession,
    seal: String,
}

impl RoleSession {
    pub(crate) fn token(&self) -> String {
        let token = Token {
            session: self.clone(),
            seal: self.seal(),
        };
        STANDARD.encode(serde_json::to_vec(&token).unwrap_or_default())
    }

    /// The session that a token is of; none where nobody was given such a token with this access key.
    pub(crate) fn of(access_key: &str, token: &str) -> Option<Self> {
        let bytes = STANDARD.decode(token).ok()?;
        let Token { session, seal } = serde_json::from_slice(&bytes).ok()?;
        (seal == session.seal() && access_key == session.access_key()).then_some(session)
    }

    pub(crate) fn access_key(&self) -> String {
        format!("{PREFIX}{}", self.digest("key").to_ascii_uppercase())
    }

    pub(crate) fn secret(&self) -> String {
        self.digest("secret")
    }

    /// `arn:aws:sts::<account>:assumed-role/<role>/<session>`
    pub(crate) fn arn(&self, account: &str) -> String {
        format!("arn:aws:sts::{account}:assumed-role/{}/{}", self.role, self.name)
    }

    /// `AROA…:<session>`
    pub(crate) fn user_id(&self) -> String {
        let role = ids::hex(&self.role)[..16].to_ascii_uppercase();
        format!("AROA{role}:{}", self.name)
    }

    fn seal(&self) -> String {
        self.digest("seal")
    }

    fn digest(&self, purpose: &str) -> String {
        ids::hex(&format!("{purpose} {} {} {}", self.role, self.name, self.expires))[..16].to_owned()
    }
}

/// Whether an access key id is one of temporary credentials, which nobody may use without their token.
pub(crate) fn is_temporary(access_key: &str) -> bool {
    access_key.starts_with(PREFIX)
}
