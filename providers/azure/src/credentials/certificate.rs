//! A service principal that proves itself by a certificate.
//!
//! `azure_identity` does this with OpenSSL only. What it takes is a signed assertion
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>), which `ring` can sign.

use std::fmt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use super::ServicePrincipal;

/// An assertion is good for this many seconds.
const LIFE: u64 = 600;

/// Signs assertions for a service principal.
pub(super) struct CertificateAssertion {
    key: RsaKeyPair,
    thumbprint: String,
    client: String,
    audience: String,
}

impl fmt::Debug for CertificateAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAssertion")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl CertificateAssertion {
    /// Reads certificate and key; the error says what is wrong with the file and never what is in it.
    pub(super) fn read(path: &Path, principal: &ServicePrincipal, authority: &str) -> Result<Self, String> {
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        let certificate = CertificateDer::from_pem_slice(&pem).map_err(|_| {
            format!("{shown} has no PEM certificate; make one of a PFX file with: openssl pkcs12 -nodes")
        })?;
        let key = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| format!("{shown} has no PEM private key without a password beside the certificate"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(format!("the private key in {shown} is no RSA key")),
        };
        let key = key.map_err(|_| format!("the private key in {shown} is no RSA key of 2048 bits or more"))?;
        Ok(Self {
            key,
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate)),
            client: principal.client.clone(),
            audience: format!(
                "{}/{}/oauth2/v2.0/token",
                authority.trim_end_matches('/'),
                principal.tenant
            ),
        })
    }

    fn sign(&self, now: u64) -> Result<String, ring::error::Unspecified> {
        let header = json!({"alg": "RS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = json!({
            "aud": self.audience,
            "iss": self.client,
            "sub": self.client,
            "jti": uuid::Uuid::new_v4().to_string(),
            "nbf": now,
            "iat": now,
            "exp": now + LIFE,
        });
        let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            signed.as_bytes(),
            &mut signature,
        )?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[async_trait::async_trait]
impl ClientAssertion for CertificateAssertion {
    async fn secret(&self, _options: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.sign(now)
            .map_err(|_| azure_core::Error::with_message(ErrorKind::Credential, "the certificate's key cannot sign"))
    }
}
