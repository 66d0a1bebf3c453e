//! Tokens: they look like those of Microsoft Entra, and are sealed with the sandbox's seed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What a token says. Times are seconds of the machine's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) aud: String,
    pub(crate) iss: String,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) appid: String,
    pub(crate) oid: String,
    pub(crate) tid: String,
    ver: String,
}

impl Claims {
    /// Claims of `client` in `tenant` for `audience`, good for `seconds` from now.
    pub(crate) fn new((tenant, client): (&str, &str), audience: &str, seconds: u32) -> Self {
        let now = Timestamp::now().as_second();
        Self {
            aud: audience.to_owned(),
            iss: issuer(tenant),
            iat: now,
            nbf: now,
            exp: now + i64::from(seconds),
            appid: client.to_owned(),
            oid: object_of(client),
            tid: tenant.to_owned(),
            ver: "1.0".to_owned(),
        }
    }

    /// The token that says so.
    pub(crate) fn seal(&self, seed: &str) -> String {
        let head = encode(&json!({"typ": "JWT", "alg": "HS256", "kid": "sandbox"}));
        let body = encode(&serde_json::to_value(self).unwrap_or_default());
        let signature = sign(seed, &head, &body);
        format!("{head}.{body}.{signature}")
    }

    /// What a token says, if it is one of ours.
    pub(crate) fn open(token: &str, seed: &str) -> Option<Self> {
        let [head, body, signature] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
        if signature != sign(seed, head, body) {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
    }
}

/// The issuer of a tenant's tokens for Resource Manager.
pub(crate) fn issuer(tenant: &str) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// The payload of somebody else's token, unverified.
pub(crate) fn payload(token: &str) -> Option<Value> {
    let [_, body, _] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

/// The object behind a client: another id, always the same.
fn object_of(client: &str) -> String {
    let digest = Sha256::digest(format!("object of {client}"));
    let bytes: [u8; 16] = std::array::from_fn(|n| digest[n]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn sign(seed: &str, head: &str, body: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["token", seed, head, body] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_only_with_its_seed_and_unchanged() {
        let claims = Claims::new(("tenant", "client"), "https://management.azure.com", 60);
        let token = claims.seal("seed");
        assert_eq!(Claims::open(&token, "seed"), Some(claims));
        assert_eq!(Claims::open(&token, "other"), None);
        assert_eq!(Claims::open(&token.replace('.', ".A"), "seed"), None);
        assert_eq!(Claims::open("a.b", "seed"), None);
    }
}
