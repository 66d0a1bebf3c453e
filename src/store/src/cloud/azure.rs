//! An Azure blob container, or one of Azurite.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use moorline_api::words::clean;
use moorline_api::{Error, ErrorKind, Result, Sensitive};
use object_store::CredentialProvider;
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential, MicrosoftAzureBuilder};
use object_store::client::HttpRequest;
use thiserror::Error as ThisError;

use super::transport::{Http, root_cause};
use super::{Call, CloudStore, Dialect, repeats};

/// What tokens are asked for, in each of Azure's clouds.
const SCOPE: &str = "https://storage.azure.com/.default";

const SUFFIX: &str = "core.windows.net";

/// The account and key of every Azurite: published, and no secret.
const AZURITE: (&str, &str) = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
);

/// As whom.
#[derive(Clone)]
pub enum AzureIdentity {
    /// As whoever has such tokens: what `azure_identity` finds.
    Token(Arc<dyn TokenCredential>),
    /// With the storage account's key.
    Key(Sensitive),
    /// With a shared access signature: what follows the `?`.
    SharedAccess(Sensitive),
}

/// Without what it is done with.
impl fmt::Debug for AzureIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(redacted)",
            Self::Key(_) => "Key(redacted)",
            Self::SharedAccess(_) => "SharedAccess(redacted)",
        })
    }
}

/// As whom, and where.
#[derive(Clone, Debug)]
pub struct AzureAccess {
    /// As whom.
    pub identity: AzureIdentity,
    /// The only account that the identity is good for.
    pub account: Option<String>,
    /// The account's address where it is not `https://{account}.blob.core.windows.net`.
    pub endpoint: Option<String>,
}

/// Why a connection string is none. It does not tell the string, in which there is a key.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("the connection string of the storage account: {0}")]
pub struct ConnectionStringError(String);

impl AzureAccess {
    /// Everywhere in Azure's public cloud, as whoever has such tokens.
    pub fn token(credential: Arc<dyn TokenCredential>) -> Self {
        Self {
            identity: AzureIdentity::Token(credential),
            account: None,
            endpoint: None,
        }
    }

    /// What the variables of Azure's tools say: `AZURE_STORAGE_CONNECTION_STRING`, else `AZURE_STORAGE_KEY` or
    /// `AZURE_STORAGE_SAS_TOKEN`, for the account in `AZURE_STORAGE_ACCOUNT` where that is set. `None` where they say nothing: then
    /// it is done with tokens.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
    ) -> std::result::Result<Option<Self>, ConnectionStringError> {
        let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        if let Some(text) = given("AZURE_STORAGE_CONNECTION_STRING") {
            return Self::from_connection_string(&text).map(Some);
        }
        let key = given("AZURE_STORAGE_KEY").map(|key| AzureIdentity::Key(Sensitive::new(key)));
        let shared =
            || given("AZURE_STORAGE_SAS_TOKEN").map(|token| AzureIdentity::SharedAccess(Sensitive::new(token)));
        Ok(key.or_else(shared).map(|identity| Self {
            identity,
            account: given("AZURE_STORAGE_ACCOUNT"),
            endpoint: None,
        }))
    }

    /// What a connection string says, as the portal and `az storage account show-connection-string` give it.
    pub fn from_connection_string(text: &str) -> std::result::Result<Self, ConnectionStringError> {
        let wrong = |why: &str| Err(ConnectionStringError(why.to_owned()));
        let parts: Vec<_> = text.split(';').filter_map(|part| part.trim().split_once('=')).collect();
        let part = |name: &str| {
            let found = parts.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| *value).filter(|value| !value.is_empty())
        };
        if part("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            let (account, key) = AZURITE;
            return Ok(Self {
                identity: AzureIdentity::Key(Sensitive::new(key)),
                account: Some(account.to_owned()),
                endpoint: Some(format!("http://127.0.0.1:10000/{account}")),
            });
        }
        let identity = match (part("AccountKey"), part("SharedAccessSignature")) {
            (Some(key), _) => AzureIdentity::Key(Sensitive::new(key)),
            (None, Some(token)) => AzureIdentity::SharedAccess(Sensitive::new(token)),
            (None, None) => return wrong("it has neither AccountKey nor SharedAccessSignature"),
        };
        let account = part("AccountName").map(str::to_owned);
        let scheme = part("DefaultEndpointsProtocol").unwrap_or("https");
        let suffix = part("EndpointSuffix").unwrap_or(SUFFIX);
        let endpoint = match (part("BlobEndpoint"), &account) {
            (Some(endpoint), _) => endpoint.trim_end_matches('/').to_owned(),
            (None, Some(account)) => format!("{scheme}://{account}.blob.{suffix}"),
            (None, None) => return wrong("it has neither AccountName nor BlobEndpoint"),
        };
        Ok(Self {
            identity,
            account,
            endpoint: Some(endpoint),
        })
    }
}

/// Where in Azure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AzurePlace<'a> {
    pub(crate) account: &'a str,
    pub(crate) container: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) endpoint: Option<&'a str>,
    /// The store for people.
    pub(crate) written: &'a str,
}

/// The store in a container. Nothing is sent yet.
pub(crate) fn open(place: AzurePlace<'_>, access: &AzureAccess, http: Http) -> Result<CloudStore> {
    let refused = |why: String| Error::new(ErrorKind::Invalid, "open", place.written, why);
    if let Some(account) = access.account.as_deref().filter(|account| *account != place.account) {
        let why = format!(
            "the key or connection string is of the storage account {}",
            clean(account)
        );
        return Err(refused(why));
    }
    let default = || format!("https://{}.blob.{SUFFIX}", place.account);
    let endpoint = place
        .endpoint
        .or(access.endpoint.as_deref())
        .map_or_else(default, str::to_owned);
    // A key only signs; the others are sent along.
    if !matches!(access.identity, AzureIdentity::Key(_)) && !is_private(&endpoint) {
        let why = "tokens and shared access signatures go over https:// only".to_owned();
        return Err(refused(why));
    }
    let credentials = Arc::new(Bridge::new(&access.identity).map_err(refused)?);
    let bucket = MicrosoftAzureBuilder::new()
        .with_account(place.account)
        .with_container_name(place.container)
        .with_endpoint(endpoint.clone())
        .with_allow_http(endpoint.starts_with("http://"))
        .with_credentials(Arc::clone(&credentials) as _)
        .with_retry(repeats())
        .with_http_connector(http.clone())
        .build()
        .map_err(|error| refused(clean(&root_cause(&error))))?;
    let dialect = Azure {
        account: place.account.to_owned(),
        container: place.container.to_owned(),
        address: format!("{endpoint}/{}", place.container),
        credentials,
    };
    Ok(CloudStore::new(
        bucket,
        dialect,
        http,
        place.prefix,
        place.written.to_owned(),
    ))
}

/// Whether nobody on the way can read what is sent there.
fn is_private(endpoint: &str) -> bool {
    let Some(rest) = endpoint.strip_prefix("http://") else {
        return endpoint.starts_with("https://");
    };
    let host = rest.split('/').next().unwrap_or_default();
    matches!(
        host.rsplit_once(':').map_or(host, |(name, _)| name),
        "127.0.0.1" | "localhost" | "[::1]"
    )
}

struct Azure {
    account: String,
    container: String,
    address: String,
    credentials: Arc<Bridge>,
}

#[async_trait]
impl Dialect for Azure {
    fn operation(&self, call: Call) -> &'static str {
        match call {
            Call::Get => "blob:GetBlob",
            Call::Head => "blob:GetBlobProperties",
            Call::Put => "blob:PutBlob",
            Call::Delete => "blob:DeleteBlob",
            Call::List => "blob:ListBlobs",
        }
    }

    fn missing(&self) -> String {
        let Self { account, container, .. } = self;
        format!(
            "there is no container {container} in {account}; make it with \
             `az storage container create --name {container} --account-name {account} --auth-mode login`"
        )
    }

    fn rights(&self) -> &'static str {
        "the role Storage Blob Data Contributor on the container, or a shared access signature with rwdl"
    }

    fn address(&self) -> &str {
        &self.address
    }

    /// Whoever lends tokens is asked again; keys and signatures that were given stay as they are.
    async fn renew(&self) -> bool {
        matches!(*self.credentials, Bridge::Token(_))
    }

    async fn sign_deletion(&self, request: &mut HttpRequest) -> object_store::Result<()> {
        // Else a blob of which someone made a snapshot could not be deleted.
        let include = HeaderValue::from_static("include");
        request.headers_mut().insert("x-ms-delete-snapshots", include);
        let credential = self.credentials.get_credential().await?;
        AzureAuthorizer::new(&credential, &self.account).try_authorize(request)
    }
}

/// Credentials of `azure_core` for `object_store`. Token credentials remember their tokens by themselves.
enum Bridge {
    Token(Arc<dyn TokenCredential>),
    Fixed(Arc<AzureCredential>),
}

impl Bridge {
    /// Why a key or signature is none, in words without it.
    fn new(identity: &AzureIdentity) -> std::result::Result<Self, String> {
        let fixed = match identity {
            AzureIdentity::Token(credential) => return Ok(Self::Token(Arc::clone(credential))),
            AzureIdentity::Key(key) => {
                let key = key.expose().trim();
                let good = BASE64_STANDARD.decode(key).is_ok_and(|bytes| !bytes.is_empty());
                let key = good.then(|| AzureAccessKey::try_new(key).ok()).flatten();
                AzureCredential::AccessKey(key.ok_or("the storage account's key is not in base64; copy all of it")?)
            }
            AzureIdentity::SharedAccess(token) => {
                let pairs = object_store::azure::split_sas(token.expose().trim()).unwrap_or_default();
                if !pairs.iter().any(|(name, _)| name == "sig") {
                    return Err("the shared access signature has no sig=; copy all that follows the `?`".to_owned());
                }
                AzureCredential::SASToken(pairs)
            }
        };
        Ok(Self::Fixed(Arc::new(fixed)))
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bridge(redacted)")
    }
}

#[async_trait]
impl CredentialProvider for Bridge {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        match self {
            Self::Fixed(credential) => Ok(Arc::clone(credential)),
            Self::Token(credential) => {
                let token = credential.get_token(&[SCOPE], None).await;
                let token = token.map_err(|error| object_store::Error::Generic {
                    store: "MicrosoftAzure",
                    source: Box::new(no_token(&error)),
                })?;
                Ok(Arc::new(AzureCredential::BearerToken(token.token.secret().to_owned())))
            }
        }
    }
}

fn no_token(error: &azure_core::Error) -> Error {
    let why = format!("no token of Azure: {}", clean(&error.to_string()));
    Error::new(ErrorKind::Unauthenticated, "", "", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> AzurePlace<'static> {
        AzurePlace {
            account: "acct1",
            container: "runs",
            prefix: "",
            endpoint: None,
            written: "azblob://acct1/runs",
        }
    }

    #[test]
    fn connection_strings_are_understood() {
        for (text, account, endpoint) in [
            (
                "DefaultEndpointsProtocol=https;AccountName=acct1;AccountKey=aGk=;EndpointSuffix=core.chinacloudapi.cn",
                Some("acct1"),
                "https://acct1.blob.core.chinacloudapi.cn",
            ),
            (
                "AccountName=acct1;AccountKey=aGk=;BlobEndpoint=http://127.0.0.1:24100/acct1;",
                Some("acct1"),
                "http://127.0.0.1:24100/acct1",
            ),
            (
                "BlobEndpoint=https://acct1.blob.core.windows.net/;SharedAccessSignature=sv=2024&sig=x",
                None,
                "https://acct1.blob.core.windows.net",
            ),
            (
                "UseDevelopmentStorage=true",
                Some("devstoreaccount1"),
                "http://127.0.0.1:10000/devstoreaccount1",
            ),
        ] {
            let access = AzureAccess::from_connection_string(text).unwrap();
            assert_eq!(access.account.as_deref(), account, "{text}");
            assert_eq!(access.endpoint.as_deref(), Some(endpoint), "{text}");
        }
        for text in ["", "hush", "AccountName=acct1", "AccountKey=aHVzaA=="] {
            let problem = AzureAccess::from_connection_string(text).unwrap_err().to_string();
            assert!(!problem.contains("hush") && !problem.contains("aHVz"), "{problem}");
        }
    }

    #[test]
    fn the_variables_of_azure_s_tools_are_enough() {
        let read = |variables: &[(&str, &str)]| {
            let found = |name: &str| Some(variables.iter().find(|(key, _)| *key == name)?.1.to_owned());
            AzureAccess::from_environment(found).unwrap()
        };
        assert!(read(&[]).is_none());
        let access = read(&[("AZURE_STORAGE_ACCOUNT", "acct1"), ("AZURE_STORAGE_KEY", "aGk=")]).unwrap();
        assert_eq!(access.account.as_deref(), Some("acct1"));
        assert!(matches!(access.identity, AzureIdentity::Key(_)));
        let access = read(&[("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=x")]).unwrap();
        assert!(matches!(access.identity, AzureIdentity::SharedAccess(_)));
    }

    #[test]
    fn what_cannot_work_is_refused_without_its_secret() {
        let opened = |identity, account: Option<&str>, endpoint: Option<&str>| {
            let access = AzureAccess {
                identity,
                account: account.map(str::to_owned),
                endpoint: endpoint.map(str::to_owned),
            };
            open(place(), &access, crate::Access::default().http()).map_err(|error| error.to_string())
        };
        let key = |key: &str| AzureIdentity::Key(Sensitive::new(key));
        let shared = |token: &str| AzureIdentity::SharedAccess(Sensitive::new(token));
        assert!(opened(key("aGk="), None, None).is_ok());
        assert!(opened(shared("?sv=1&sig=a%2Bb"), Some("acct1"), None).is_ok());
        for (outcome, why) in [
            (opened(key("hush!"), None, None), "base64"),
            (opened(key(""), None, None), "base64"),
            (opened(shared("hush"), None, None), "sig="),
            (opened(shared("se=hush%ZZ"), None, None), "sig="),
            (opened(key("aGk="), Some("other"), None), "account other"),
            (
                opened(shared("sig=hush"), None, Some("http://blobs.example.com/acct1")),
                "https://",
            ),
        ] {
            let problem = outcome.unwrap_err();
            assert!(problem.contains(why) && !problem.contains("hush"), "{problem}");
        }
    }

    #[test]
    fn only_what_nobody_can_read_gets_a_token() {
        for (endpoint, private) in [
            ("https://acct1.blob.core.windows.net", true),
            ("http://127.0.0.1:1/acct1", true),
            ("http://[::1]:1/acct1", true),
            ("http://acct1.blob.core.windows.net", false),
            ("http://127.0.0.1.example.com/acct1", false),
            ("ftp://x", false),
        ] {
            assert_eq!(is_private(endpoint), private, "{endpoint}");
        }
    }
}
