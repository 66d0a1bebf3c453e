//! Finds who we are, and keeps a token for as long as it is good.

use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, Secret, TokenCredential};
use azure_core::error::ErrorKind as CoreKind;
use azure_core::http::{ClientOptions, ExponentialRetryOptions, HttpClient, RetryOptions, Transport};
use azure_core::time::OffsetDateTime;
use azure_identity as identity;
use moorline_api::words::clean;
use moorline_api::{Error, ErrorKind, Sensitive};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::certificate::CertificateAssertion;
use super::ear::Ear;
use super::{Chain, Identity, ServicePrincipal, metadata};
use crate::errors::root_words;
use crate::settings::{AzureCloud, AzureSettings};

/// What an error calls it.
const SIGN_IN: &str = "sign in to Azure";
/// How long the metadata address may take: nobody but Azure has one, and it is near.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);
/// How long any source may take, command-line tools included, where no call may take less.
pub(super) const SOURCE_TIMEOUT: Duration = Duration::from_secs(30);
/// No token is shorter, and a shorter text would be found in plain words too.
const SHORTEST_TOKEN: usize = 8;
/// How often a token endpoint is asked again.
const SIGN_IN_REPEATS: u32 = 2;
/// Nobody knows how long a token that was given is good for.
const FIXED_LIFE: Duration = Duration::from_hours(1);
/// A token that is good for less than this is replaced.
const FRESHNESS: Duration = Duration::from_mins(5);

/// Hands out tokens for Resource Manager. Many callers share one; only one of them asks at a time.
#[derive(Debug)]
pub(crate) struct Wallet {
    scope: String,
    source: Source,
    held: Mutex<Held>,
}

#[derive(Debug)]
enum Source {
    Fixed(Sensitive),
    Chain(Box<Sources>),
}

#[derive(Debug, Default)]
struct Held {
    /// The credential that answered first; it is asked from then on.
    credential: Option<Arc<dyn TokenCredential>>,
    token: Option<AccessToken>,
    /// When a token was last asked for in vain, and why it did not come.
    lost: Option<(Instant, ErrorKind, String)>,
}

/// What a chain is built from, when it is needed.
#[derive(Debug)]
struct Sources {
    chain: Chain,
    cloud: AzureCloud,
    http: Arc<Ear>,
    subscription: Option<String>,
    /// How long each of them may take.
    patience: Duration,
}

/// One way to be someone.
struct Candidate {
    name: &'static str,
    credential: Result<Arc<dyn TokenCredential>, String>,
    /// Whether it was asked for by name: then its failure is final.
    configured: bool,
}

impl Wallet {
    pub(crate) fn new(settings: &AzureSettings, http: Arc<dyn HttpClient>) -> Self {
        let source = match &settings.identity {
            Identity::Token(token) => Source::Fixed(token.clone()),
            Identity::Chain(chain) => {
                let patience = SOURCE_TIMEOUT.min(settings.call_timeout);
                Source::Chain(Box::new(Sources {
                    chain: chain.within(settings.tenant.as_deref()),
                    cloud: settings.cloud.clone(),
                    // With all repeats no longer than any other source.
                    http: Arc::new(Ear::new(http, patience / (SIGN_IN_REPEATS + 1))),
                    subscription: settings.subscription.clone(),
                    patience,
                }))
            }
        };
        Self {
            scope: settings.cloud.scope(),
            source,
            held: Mutex::default(),
        }
    }

    /// A token that is good for a while.
    pub(crate) async fn token(&self) -> Result<Sensitive, Error> {
        let sources = match &self.source {
            Source::Fixed(token) => return Ok(token.clone()),
            Source::Chain(sources) => sources,
        };
        let begun = Instant::now();
        let mut held = self.held.lock().await;
        let soon = OffsetDateTime::now_utc() + FRESHNESS;
        if let Some(token) = held.token.as_ref().filter(|token| token.expires_on > soon) {
            return Ok(Sensitive::new(token.token.secret().to_owned()));
        }
        // Whoever waited for the one that asked has its answer, too: a program that hangs is not started once for each call.
        if let Some((at, kind, why)) = &held.lost
            && *at > begun
        {
            return Err(Error::new(kind.clone(), SIGN_IN, "", why.clone()));
        }
        let asked = sources.ask_or_find(&mut held.credential, &self.scope).await;
        let token = asked.inspect_err(|error| {
            held.lost = Some((Instant::now(), error.kind.clone(), error.message.clone()));
        })?;
        let shown = Sensitive::new(token.token.secret().to_owned());
        held.token = Some(token);
        Ok(shown)
    }

    /// The credential that answers, or the token that was given and is the only one.
    pub(super) async fn credential(&self) -> Result<Result<Arc<dyn TokenCredential>, AccessToken>, Error> {
        // Whoever we are, it is found out once, and in one way.
        let token = self.token().await?;
        let fixed = || {
            let soon = OffsetDateTime::now_utc() + FIXED_LIFE;
            AccessToken::new(Secret::new(token.expose().to_owned()), soon)
        };
        Ok(self.held.lock().await.credential.clone().ok_or_else(fixed))
    }

    /// The text without the token, which a service or a proxy may quote.
    pub(crate) async fn redact(&self, text: &str) -> String {
        let held = match &self.source {
            Source::Fixed(token) => Some(token.clone()),
            Source::Chain(_) => {
                let held = self.held.lock().await;
                held.token
                    .as_ref()
                    .map(|token| Sensitive::new(token.token.secret().to_owned()))
            }
        };
        match held.filter(|token| token.expose().len() >= SHORTEST_TOKEN) {
            Some(token) => text.replace(token.expose(), "(redacted)"),
            None => text.to_owned(),
        }
    }

    /// Resource Manager did not take the token that was held: the next call asks for another one. Says whether that can help.
    pub(crate) async fn refused(&self) -> bool {
        let renewable = matches!(self.source, Source::Chain(_));
        self.held.lock().await.token.take().is_some() && renewable
    }
}

impl Chain {
    /// The same with this tenant, where nothing else names one.
    fn within(&self, pinned: Option<&str>) -> Self {
        let tenant = self.tenant.clone().or_else(|| pinned.map(str::to_owned));
        let service = || {
            Some(ServicePrincipal {
                tenant: tenant.clone()?,
                client: self.managed_identity_client.clone()?,
            })
        };
        Self {
            principal: self.principal.clone().or_else(service),
            tenant: tenant.clone(),
            ..self.clone()
        }
    }
}

impl Sources {
    /// A token of the credential that was found before, or of the first that has one.
    async fn ask_or_find(
        &self,
        found: &mut Option<Arc<dyn TokenCredential>>,
        scope: &str,
    ) -> Result<AccessToken, Error> {
        if let Some(credential) = found {
            let lost = |denial: Denial| {
                denial.without_verdict(&self.authority()).unwrap_or_else(|why| {
                    unauthenticated(format!("the Azure token cannot be renewed: {why}; sign in again"))
                })
            };
            return self.ask(&**credential, scope).await.map_err(lost);
        }
        let (credential, token) = self.find(scope).await?;
        *found = Some(credential);
        Ok(token)
    }

    async fn find(&self, scope: &str) -> Result<(Arc<dyn TokenCredential>, AccessToken), Error> {
        let mut tried = Vec::new();
        for candidate in self.candidates().await {
            let why = match candidate.credential {
                Err(why) => why,
                Ok(credential) => match self.ask(&*credential, scope).await {
                    Ok(token) => {
                        tracing::debug!(credential = candidate.name, "found");
                        return Ok((credential, token));
                    }
                    // Whoever is configured is not passed over because the network or the service fails.
                    Err(denial) if candidate.configured => match denial.without_verdict(&self.authority()) {
                        Ok(error) => return Err(error),
                        Err(why) => why,
                    },
                    Err(denial) => denial.words(),
                },
            };
            if candidate.configured {
                return Err(unauthenticated(format!(
                    "{} was refused: {why}; check the AZURE_* variables, or unset them to sign in otherwise",
                    candidate.name
                )));
            }
            tried.push(format!("{} ({why})", candidate.name));
        }
        Err(unauthenticated(format!(
            "no Azure credentials found; tried {}; run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
            tried.join(", ")
        )))
    }

    /// Every way, in order; the ones that nothing speaks for come with the reason.
    async fn candidates(&self) -> Vec<Candidate> {
        let mut all = vec![self.environment(), self.workload()];
        all.push(self.managed().await);
        let command_line = identity::AzureCliCredential::new(Some(identity::AzureCliCredentialOptions {
            subscription: self.subscription.clone(),
            tenant_id: self.chain.tenant.clone(),
            ..Default::default()
        }));
        all.push(offered("Azure CLI", shared(command_line)));
        let developer =
            identity::AzureDeveloperCliCredential::new(Some(identity::AzureDeveloperCliCredentialOptions {
                tenant_id: self.chain.tenant.clone(),
                ..Default::default()
            }));
        all.push(offered("Azure Developer CLI", shared(developer)));
        all
    }

    fn environment(&self) -> Candidate {
        let Some(principal) = &self.chain.principal else {
            let why = "AZURE_TENANT_ID and AZURE_CLIENT_ID are not both set";
            return offered("environment", Err(why.to_owned()));
        };
        let client_options = self.client_options();
        if let Some(secret) = &self.chain.secret {
            let credential = identity::ClientSecretCredential::new(
                &principal.tenant,
                principal.client.clone(),
                Secret::new(secret.expose().to_owned()),
                Some(identity::ClientSecretCredentialOptions { client_options }),
            );
            return configured("the client secret of the environment", shared(credential));
        }
        let Some(certificate) = &self.chain.certificate else {
            let why = "neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set";
            return offered("environment", Err(why.to_owned()));
        };
        let credential =
            CertificateAssertion::read(&certificate.path, principal, &self.authority()).and_then(|proof| {
                shared(identity::ClientAssertionCredential::new(
                    principal.tenant.clone(),
                    principal.client.clone(),
                    proof,
                    Some(identity::ClientAssertionCredentialOptions { client_options }),
                ))
            });
        configured("the client certificate of the environment", credential)
    }

    fn workload(&self) -> Candidate {
        let (Some(principal), Some(file)) = (&self.chain.principal, &self.chain.token_file) else {
            return offered(
                "workload identity",
                Err("AZURE_FEDERATED_TOKEN_FILE is not set".to_owned()),
            );
        };
        let options = identity::WorkloadIdentityCredentialOptions {
            credential_options: identity::ClientAssertionCredentialOptions {
                client_options: self.client_options(),
            },
            client_id: Some(principal.client.clone()),
            tenant_id: Some(principal.tenant.clone()),
            token_file_path: Some(file.clone()),
        };
        configured(
            "workload identity",
            shared(identity::WorkloadIdentityCredential::new(Some(options))),
        )
    }

    async fn managed(&self) -> Candidate {
        let name = "managed identity";
        let near = async || {
            timeout(METADATA_TIMEOUT, TcpStream::connect((metadata::ADDRESS, 80)))
                .await
                .is_ok_and(|answer| answer.is_ok())
        };
        let mut client_options = self.client_options();
        match &self.chain.metadata_host {
            Some(_) if self.chain.hosted_identity => {}
            Some(host) => match metadata::transport(host, self.http.clone()) {
                Ok(detour) => client_options.transport = Some(detour),
                Err(why) => return offered(name, Err(why)),
            },
            None if !self.chain.hosted_identity && !near().await => {
                return offered(name, Err("this machine is not in Azure".to_owned()));
            }
            None => {}
        }
        let user_assigned_id = self.chain.managed_identity_client.clone();
        let options = identity::ManagedIdentityCredentialOptions {
            user_assigned_id: user_assigned_id.map(identity::UserAssignedId::ClientId),
            client_options,
        };
        offered(name, shared(identity::ManagedIdentityCredential::new(Some(options))))
    }

    fn client_options(&self) -> ClientOptions {
        let cloud = match &self.cloud {
            AzureCloud::Public => CloudConfiguration::AzurePublic,
            AzureCloud::China => CloudConfiguration::AzureChina,
            AzureCloud::UsGovernment => CloudConfiguration::AzureGovernment,
            AzureCloud::Custom { authority, .. } => {
                let mut custom = CustomConfiguration::default();
                custom.authority_host.clone_from(authority);
                custom.into()
            }
        };
        ClientOptions {
            transport: Some(Transport::new(self.http.clone())),
            // Resource Manager's calls are repeated around this.
            retry: RetryOptions::exponential(ExponentialRetryOptions {
                max_retries: SIGN_IN_REPEATS,
                ..ExponentialRetryOptions::default()
            }),
            cloud: Some(Arc::new(cloud)),
            ..ClientOptions::default()
        }
    }

    fn authority(&self) -> String {
        match &self.cloud {
            AzureCloud::Public => "https://login.microsoftonline.com".to_owned(),
            AzureCloud::China => "https://login.chinacloudapi.cn".to_owned(),
            AzureCloud::UsGovernment => "https://login.microsoftonline.us".to_owned(),
            AzureCloud::Custom { authority, .. } => authority.clone(),
        }
    }
}

fn offered(name: &'static str, credential: Result<Arc<dyn TokenCredential>, String>) -> Candidate {
    Candidate {
        name,
        credential,
        configured: false,
    }
}

fn configured(name: &'static str, credential: Result<Arc<dyn TokenCredential>, String>) -> Candidate {
    Candidate {
        configured: true,
        ..offered(name, credential)
    }
}

fn shared<C: TokenCredential + 'static>(
    credential: azure_core::Result<Arc<C>>,
) -> Result<Arc<dyn TokenCredential>, String> {
    match credential {
        Ok(credential) => Ok(credential),
        Err(error) => Err(words(&error)),
    }
}

/// Why a source has no token for us.
enum Denial {
    /// It says no.
    Refused(String),
    /// Nothing was heard of it.
    Unheard(String),
    /// It fails, or has no time for us: the HTTP status.
    Failing(u16),
}

impl Denial {
    fn words(self) -> String {
        match self {
            Self::Refused(words) | Self::Unheard(words) => words,
            Self::Failing(status) => format!("HTTP {status}"),
        }
    }

    /// The error of a sign-in that nobody decided; otherwise the words of who said no.
    fn without_verdict(self, authority: &str) -> Result<Error, String> {
        let (kind, message) = match self {
            Self::Refused(words) => return Err(words),
            Self::Unheard(why) => (
                ErrorKind::Unreachable,
                format!(
                    "cannot connect to {authority}: {why}; check the network, any proxy, AZURE_AUTHORITY_HOST and the trusted certificates"
                ),
            ),
            Self::Failing(429) => (
                ErrorKind::Throttled { retry_after: None },
                format!("{authority} has had too many sign-ins (HTTP 429); try again later"),
            ),
            Self::Failing(status) => (
                ErrorKind::Unreachable,
                format!("{authority} fails (HTTP {status}); try again later"),
            ),
        };
        Ok(Error::new(kind, SIGN_IN, "", message))
    }
}

impl Sources {
    async fn ask(&self, credential: &dyn TokenCredential, scope: &str) -> Result<AccessToken, Denial> {
        self.http.clear();
        let asked = timeout(self.patience, credential.get_token(&[scope], None)).await;
        if let Ok(Ok(token)) = asked {
            return Ok(token);
        }
        Err(match (self.http.heard(), asked) {
            (Some(status @ (429 | 500..)), _) => Denial::Failing(status),
            (_, Ok(Err(error))) => denial(&error),
            _ => Denial::Unheard(unheard(self.patience)),
        })
    }
}

/// What is said of a source that hangs.
pub(super) fn unheard(patience: Duration) -> String {
    format!("no answer within {} s", patience.as_secs_f32())
}

/// Tells a refusal from a connection that never was, and names the root of that.
fn denial(error: &azure_core::Error) -> Denial {
    let mut root: &dyn std::error::Error = error;
    let mut unheard = false;
    loop {
        if let Some(core) = root.downcast_ref::<azure_core::Error>() {
            unheard |= matches!(core.kind(), CoreKind::Connection | CoreKind::Io);
        }
        match root.source() {
            Some(cause) => root = cause,
            None => break,
        }
    }
    if unheard {
        Denial::Unheard(root_words(root))
    } else {
        Denial::Refused(words(error))
    }
}

/// What a source says, without its name and the links that `azure_identity` puts around it.
fn words(error: &azure_core::Error) -> String {
    let text = error.to_string();
    let text = text.split("\nTo troubleshoot").next().unwrap_or_default();
    let text = text.split_once("authentication failed.").map_or(text, |(_, rest)| rest);
    // Entra adds trace ids and the time in lines of their own.
    let text = text.split(" Trace ID:").next().unwrap_or_default();
    clean(text).trim_end_matches('.').to_owned()
}

fn unauthenticated(message: String) -> Error {
    Error::new(ErrorKind::Unauthenticated, SIGN_IN, "", message)
}
