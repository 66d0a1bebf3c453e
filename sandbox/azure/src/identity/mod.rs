//! Who callers are: the token endpoint with its discovery documents, the metadata service, and the tokens themselves.

pub(crate) mod caller;
mod discovery;
mod entra;
mod metadata;
mod token;

use crate::cloud::AzureCloud;
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Incoming;

/// A call about identity; none of them needs a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// A token for a client.
    Token,
    /// A tenant's document by which clients find its endpoints.
    Configuration,
    /// The keys of a tenant.
    Keys,
    /// Which hosts are one cloud's.
    Instance,
    /// The endpoints of the cloud that this Resource Manager belongs to.
    Endpoints,
    /// A token for the identity of a virtual machine.
    Metadata,
}

impl Call {
    /// What a request to the host of Resource Manager and the token endpoint asks for, if it is about identity.
    pub(crate) fn of(incoming: &Incoming) -> Option<Self> {
        let segments: Vec<_> = incoming.segments.iter().map(String::as_str).collect();
        match (incoming.method.as_str(), segments.as_slice()) {
            ("POST", [_, "oauth2", "v2.0", "token"]) => Some(Self::Token),
            ("GET", [_, "v2.0", ".well-known", "openid-configuration"]) => Some(Self::Configuration),
            ("GET", [_, "discovery", "v2.0", "keys"]) => Some(Self::Keys),
            ("GET", ["common", "discovery", "instance"]) => Some(Self::Instance),
            ("GET", ["metadata", "endpoints"]) => Some(Self::Endpoints),
            _ => None,
        }
    }

    pub(crate) fn service(self) -> &'static str {
        if self == Self::Metadata { "imds" } else { "entra" }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Token | Self::Metadata => "GetToken",
            Self::Configuration => "GetConfiguration",
            Self::Keys => "GetKeys",
            Self::Instance => "DiscoverInstance",
            Self::Endpoints => "GetEndpoints",
        }
    }
}

pub(crate) fn answer(cloud: &AzureCloud, incoming: &Incoming, call: Call) -> Result<Answer, AzureError> {
    match call {
        Call::Token => entra::token(cloud, incoming),
        Call::Configuration => discovery::configuration(cloud, incoming),
        Call::Keys => discovery::keys(cloud, incoming),
        Call::Instance => discovery::instance(cloud, incoming),
        Call::Endpoints => Ok(discovery::endpoints(cloud, incoming)),
        Call::Metadata => metadata::token(cloud, incoming),
    }
}
