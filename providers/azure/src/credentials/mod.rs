//! As whom moorline calls Azure, looked for in the order that users of Azure's tools expect.

mod certificate;
mod chain;
mod ear;
mod lender;
mod metadata;

use std::fmt;
use std::path::PathBuf;

use moorline_api::Sensitive;

pub(crate) use chain::Wallet;
pub(crate) use lender::Lender;

/// As whom.
#[derive(Clone, Debug)]
pub enum Identity {
    /// With this token and no other, for the sandbox and for emulators.
    Token(Sensitive),
    /// As whoever the environment names; otherwise as the machine; otherwise as who is signed in to the Azure CLI.
    Chain(Chain),
}

impl Default for Identity {
    fn default() -> Self {
        Self::Chain(Chain::default())
    }
}

/// What the chain of credentials starts from: environment (secret, then certificate), workload identity, managed identity,
/// Azure CLI, Azure Developer CLI.
///
/// What is configured and refused ends the chain: going on as someone else would hide a mistake.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// The service principal for secret, certificate and workload identity.
    pub principal: Option<ServicePrincipal>,
    /// Its secret.
    pub secret: Option<Sensitive>,
    /// Its certificate.
    pub certificate: Option<Certificate>,
    /// A file with a Kubernetes service account's token, as the workload identity webhook mounts it.
    pub token_file: Option<PathBuf>,
    /// The user-assigned identity of this machine; `None` is the machine's own.
    pub managed_identity_client: Option<String>,
    /// The tenant for the command-line tools.
    pub tenant: Option<String>,
    /// Whether this is App Service or its kin, which have identities and no metadata address.
    pub hosted_identity: bool,
    /// Who answers in place of the metadata address, `http://127.0.0.1:40342`; `None` is the address that machines in Azure
    /// have.
    pub metadata_host: Option<String>,
}

/// A service principal.
#[derive(Clone, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// Tenant id or domain.
    pub tenant: String,
    /// Application id.
    pub client: String,
}

impl fmt::Debug for ServicePrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of tenant {}", self.client, self.tenant)
    }
}

/// A certificate with its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// A PEM file with both; the key is RSA, in PKCS #8 or PKCS #1, without a password.
    pub path: PathBuf,
}
