//! Subscriptions and resource groups, and whose a token is.

use azure_core::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline_api::{Result, Sensitive};
use serde::Deserialize;
use serde_json::json;

use super::Storage;
use crate::arm::{Call, Path, Version};
use crate::governor::Family;

#[derive(Debug, Deserialize)]
pub(crate) struct ResourceGroup {
    pub(crate) location: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    pub(crate) subscription_id: String,
    pub(crate) tenant_id: Option<String>,
}

/// What a token says of its bearer. Nothing is verified: it is only shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Claims {
    tid: Option<String>,
    oid: Option<String>,
    upn: Option<String>,
    unique_name: Option<String>,
    appid: Option<String>,
    azp: Option<String>,
}

impl Claims {
    pub(crate) fn of(token: &Sensitive) -> Self {
        let payload = token.expose().split('.').nth(1).unwrap_or_default();
        let bytes = URL_SAFE_NO_PAD
            .decode(payload.trim_end_matches('='))
            .unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// The tenant that signed it.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.tid.as_deref()
    }

    /// A person's name, an application's id or an object's, whichever says most.
    pub(crate) fn caller(self) -> String {
        let names = [self.upn, self.unique_name, self.appid, self.azp, self.oid];
        names
            .into_iter()
            .flatten()
            .next()
            .unwrap_or_else(|| "unknown".to_owned())
    }
}

impl Storage<'_> {
    /// The subscription itself; one that cannot be seen is an error.
    pub(crate) async fn subscription(&self) -> Result<Subscription> {
        let path = Path::subscription(Version::Subscriptions, self.subscription);
        let subject = ("Microsoft.Resources/subscriptions/read", self.subscription);
        let call = self.request(subject, (Method::Get, &path), Family::Unpaced)?;
        self.arm.call(&call).await?.read(&call)
    }

    /// A resource group; one that is missing is an error that says what to do.
    pub(crate) async fn group(&self, group: &str) -> Result<ResourceGroup> {
        let path = Path::group(Version::Groups, self.subscription, group);
        let subject = ("Microsoft.Resources/subscriptions/resourceGroups/read", group);
        let call = self.request(subject, (Method::Get, &path), Family::Unpaced)?;
        self.arm.call(&call).await?.read(&call)
    }

    /// Makes a resource group, or finds it there.
    pub(crate) async fn create_group(&self, group: &str, location: &str) -> Result<ResourceGroup> {
        let path = Path::group(Version::Groups, self.subscription, group);
        let subject = ("Microsoft.Resources/subscriptions/resourceGroups/write", group);
        let call = Call {
            body: Some(json!({"location": location})),
            ..self.request(subject, (Method::Put, &path), Family::Unpaced)?
        };
        self.arm.call(&call).await?.read(&call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whose_it_is() {
        let token = |claims: &str| Sensitive::new(format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims)));
        for (claims, caller) in [
            (r#"{"upn": "me@example.org", "oid": "o"}"#, "me@example.org"),
            (r#"{"appid": "a", "oid": "o"}"#, "a"),
            (r#"{"oid": "o"}"#, "o"),
            ("nonsense", "unknown"),
        ] {
            assert_eq!(Claims::of(&token(claims)).caller(), caller);
        }
        assert_eq!(Claims::of(&Sensitive::new("opaque")).caller(), "unknown");
    }
}
