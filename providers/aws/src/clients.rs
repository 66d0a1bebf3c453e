//! The SDK's clients, made at the first call.

use std::sync::Arc;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{self, ProvideCredentials as _};
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{Credentials, IdentityCache, SharedAsyncSleep, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider as Tls;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use moorline_api::{Error, ErrorKind, Result};

use crate::bound::Bound;
use crate::clock::Listener;
use crate::credentials::{Kept, Refusals};
use crate::genuine::Genuine;
use crate::settings::{AssumedRole, AwsSettings, StaticKeys};

/// How long the instance's metadata service may take: elsewhere than on EC2 nobody answers there.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);
/// How the account's logs name a session of an assumed role.
const SESSION_NAME: &str = "moorline";

/// One client for each service.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) region: String,
    /// Where calls go, for messages.
    pub(crate) place: String,
    pub(crate) credentials: Option<SharedCredentialsProvider>,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) elb: aws_sdk_elasticloadbalancing::Client,
    pub(crate) elbv2: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) sts: aws_sdk_sts::Client,
}

impl Clients {
    /// Finds region and credentials; fails where there is no region. `listener` hears of every answer. Credentials are read again
    /// after one of `refusals`.
    pub(crate) async fn find(settings: &AwsSettings, listener: &Listener, refusals: &Refusals) -> Result<Self> {
        let config = match (&settings.keys, &settings.region) {
            (Some(keys), Some(region)) => fixed(settings, keys, region),
            _ => found(settings, refusals).await,
        };
        let Some(region) = config.region().map(ToString::to_string) else {
            let message = "no AWS region is set; set AWS_REGION, or region in the profile or in profile.yaml";
            return Err(Error::new(ErrorKind::Invalid, "aws configuration", "", message));
        };
        let config = match &settings.role {
            Some(role) => in_role(&config, role, (settings.call_timeout, refusals)).await,
            None => config,
        };
        let place = config
            .endpoint_url()
            .map_or_else(|| format!("AWS in region {region}"), str::to_owned);
        macro_rules! client {
            ($sdk:ident) => {{
                let config = $sdk::config::Builder::from(&config)
                    .interceptor(listener.clone())
                    .interceptor(Bound)
                    .interceptor(Genuine);
                $sdk::Client::from_conf(config.build())
            }};
        }
        Ok(Self {
            ec2: client!(aws_sdk_ec2),
            elb: client!(aws_sdk_elasticloadbalancing),
            elbv2: client!(aws_sdk_elasticloadbalancingv2),
            sts: client!(aws_sdk_sts),
            credentials: config.credentials_provider(),
            region,
            place,
        })
    }
}

/// The same, with the credentials of a role. One call gets them for an hour: it is worth repeating.
async fn in_role(config: &SdkConfig, role: &AssumedRole, (call_timeout, refusals): (Duration, &Refusals)) -> SdkConfig {
    let own = config.clone().into_builder().retry_config(RetryConfig::standard());
    let mut provider = AssumeRoleProvider::builder(&role.arn)
        .session_name(SESSION_NAME)
        .configure(&own.build());
    if let Some(id) = &role.external_id {
        provider = provider.external_id(id);
    }
    let provider = Arc::new(provider.build().await);
    let kept = Kept::new(refusals.clone(), call_timeout, move || {
        let provider = Arc::clone(&provider);
        Box::pin(async move { provider.provide_credentials().await })
    });
    let config = config.clone().into_builder().identity_cache(IdentityCache::no_cache());
    config
        .credentials_provider(SharedCredentialsProvider::new(kept))
        .build()
}

fn http_client(settings: &AwsSettings) -> SharedHttpClient {
    match &settings.endpoint {
        // Without TLS nobody reads the machine's root certificates, and loopback needs no proxy.
        Some(endpoint) if endpoint.starts_with("http://") => Builder::new().build_http(),
        _ => Builder::new().build_with_connector_fn(|settings, components| {
            let mut connector = Connector::builder();
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(aws_sdk_ec2::config::RuntimeComponents::sleep_impl));
            connector.set_proxy_config(Some(ProxyConfig::from_env()));
            connector.tls_provider(Tls::Rustls(CryptoMode::Ring)).build()
        }),
    }
}

fn timeouts(settings: &AwsSettings) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(settings.connect_timeout)
        .operation_attempt_timeout(settings.call_timeout)
        .build()
}

/// Nothing outside is read: a sandbox needs no more, and must not meet real credentials.
fn fixed(settings: &AwsSettings, keys: &StaticKeys, region: &str) -> SdkConfig {
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(static_credentials(keys))
        .identity_cache(IdentityCache::lazy().build())
        .http_client(http_client(settings))
        .sleep_impl(sleep())
        .time_source(SharedTimeSource::default())
        .timeout_config(timeouts(settings))
        .retry_config(RetryConfig::disabled());
    config.set_endpoint_url(settings.endpoint.clone());
    config.set_app_name(AppName::new("moorline").ok());
    config.build()
}

/// The environment, the configuration files and the instance's metadata, in the order of every AWS tool.
async fn found(settings: &AwsSettings, refusals: &Refusals) -> SdkConfig {
    let sources = Sources::of(settings);
    let mut profile_region = ProfileFileRegionProvider::builder().configure(&sources.config);
    if let Some(profile) = &settings.profile {
        profile_region = profile_region.profile_name(profile);
    }
    let region = RegionProviderChain::first_try(settings.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile_region.build())
        .or_else(
            ImdsRegionProvider::builder()
                .configure(&sources.config)
                .imds_client(sources.metadata.clone())
                .build(),
        )
        .region()
        .await;

    // Who keeps credentials is in `credentials`: a cache behind it would hand out what AWS has refused.
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .http_client(http_client(settings))
        .sleep_impl(sleep())
        .timeout_config(timeouts(settings))
        .retry_config(RetryConfig::disabled())
        .identity_cache(IdentityCache::no_cache());
    if let Ok(name) = AppName::new("moorline") {
        loader = loader.app_name(name);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader = if let Some(keys) = &settings.keys {
        loader.credentials_provider(static_credentials(keys))
    } else {
        let settings = settings.clone();
        // The chain remembers the files that it has read, so it is made anew with each reading.
        loader.credentials_provider(Kept::new(refusals.clone(), settings.call_timeout, move || {
            let (settings, region) = (settings.clone(), region.clone());
            Box::pin(async move { Sources::of(&settings).credentials(&settings, region).await })
        }))
    };
    loader.load().await
}

/// What is asked for region and credentials.
struct Sources {
    config: ProviderConfig,
    metadata: imds::Client,
}

impl Sources {
    fn of(settings: &AwsSettings) -> Self {
        let config = ProviderConfig::empty()
            .with_http_client(http_client(settings))
            .with_sleep_impl(sleep());
        let metadata = imds::Client::builder()
            .configure(&config)
            .max_attempts(1)
            .connect_timeout(METADATA_TIMEOUT)
            .read_timeout(METADATA_TIMEOUT)
            .operation_timeout(METADATA_TIMEOUT)
            .build();
        Self { config, metadata }
    }

    async fn credentials(self, settings: &AwsSettings, region: Option<Region>) -> provider::Result {
        let mut chain = DefaultCredentialsChain::builder()
            .configure(self.config)
            .imds_client(self.metadata);
        chain.set_region(region);
        if let Some(profile) = &settings.profile {
            chain = chain.profile_name(profile);
        }
        chain.build().await.provide_credentials().await
    }
}

fn static_credentials(keys: &StaticKeys) -> SharedCredentialsProvider {
    let StaticKeys {
        access_key_id,
        secret_access_key,
    } = keys;
    SharedCredentialsProvider::new(Credentials::new(
        access_key_id,
        secret_access_key,
        None,
        None,
        "moorline settings",
    ))
}

fn sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new())
}
