//! An S3 bucket, or one of a server that speaks S3.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use moorline_api::words::clean;
use moorline_api::{Error, ErrorKind, Result};
use object_store::CredentialProvider;
use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredential, Checksum, S3ConditionalPut};
use object_store::client::HttpRequest;
use tokio::sync::Mutex;

use super::transport::{Http, root_cause};
use super::{Call, CloudStore, Dialect, repeats};

/// Credentials are had anew when they are valid for less than this: longer than a request takes with its repeats.
const RENEW_BEFORE: Duration = Duration::from_mins(2);

/// As whom, and where.
#[derive(Clone)]
pub struct S3Access {
    /// As whom: what `aws-config` finds by its own rules.
    pub credentials: SharedCredentialsProvider,
    /// Is called where AWS refused credentials; what `credentials` gives after that is read anew.
    pub refused: Arc<dyn Fn() + Send + Sync>,
    /// The region in use; the address of the store may name another one.
    pub region: Option<String>,
    /// The server's address where it is not AWS: buckets are then in its path. `None` is AWS.
    pub endpoint: Option<String>,
}

impl S3Access {
    /// The address of a server that is not AWS, as the tools of AWS are told: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, neither of
    /// them where `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` is `true`.
    pub fn endpoint_from_environment(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
        let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let ignored =
            given("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if ignored {
            return None;
        }
        given("AWS_ENDPOINT_URL_S3").or_else(|| given("AWS_ENDPOINT_URL"))
    }
}

/// Without the provider, in which there may be keys.
impl fmt::Debug for S3Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Access")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Where in S3.
#[derive(Clone, Copy, Debug)]
pub(crate) struct S3Place<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) region: Option<&'a str>,
    /// The store for people.
    pub(crate) written: &'a str,
}

/// The store in a bucket. Nothing is sent yet.
pub(crate) fn open(place: S3Place<'_>, access: &S3Access, http: Http) -> Result<CloudStore> {
    let refused = |why: String| Error::new(ErrorKind::Invalid, "open", place.written, why);
    let region = place.region.or(access.region.as_deref());
    let region = match (region, &access.endpoint) {
        (Some(region), _) => region,
        (None, Some(_)) => "us-east-1",
        (None, None) => {
            let why = format!(
                "no region: set AWS_REGION, or name it, {}?region=eu-central-1",
                place.written
            );
            return Err(refused(why));
        }
    };
    let address = address(place.bucket, region, access.endpoint.as_deref());
    let credentials = Arc::new(Bridge::new(access));
    let bucket = AmazonS3Builder::new()
        .with_bucket_name(place.bucket)
        .with_region(region)
        .with_endpoint(&address)
        // The address is the bucket's, wherever the bucket stands in it.
        .with_virtual_hosted_style_request(true)
        .with_allow_http(address.starts_with("http://"))
        .with_credentials(Arc::clone(&credentials) as _)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // Buckets with an object lock take nothing without a checksum.
        .with_checksum_algorithm(Checksum::SHA256)
        .with_retry(repeats())
        .with_http_connector(http.clone())
        .build()
        .map_err(|error| refused(clean(&root_cause(&error))))?;
    let dialect = S3 {
        bucket: place.bucket.to_owned(),
        region: region.to_owned(),
        aws: access.endpoint.is_none(),
        address,
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

/// The bucket's address, without a slash at its end.
fn address(bucket: &str, region: &str, endpoint: Option<&str>) -> String {
    if let Some(endpoint) = endpoint {
        return format!("{}/{bucket}", endpoint.trim_end_matches('/'));
    }
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    // A certificate's wildcard stands for one name without dots.
    if bucket.contains('.') {
        format!("https://s3.{region}.{domain}/{bucket}")
    } else {
        format!("https://{bucket}.s3.{region}.{domain}")
    }
}

struct S3 {
    bucket: String,
    region: String,
    aws: bool,
    address: String,
    credentials: Arc<Bridge>,
}

#[async_trait]
impl Dialect for S3 {
    fn operation(&self, call: Call) -> &'static str {
        match call {
            Call::Get => "s3:GetObject",
            Call::Head => "s3:HeadObject",
            Call::Put => "s3:PutObject",
            Call::Delete => "s3:DeleteObject",
            Call::List => "s3:ListObjectsV2",
        }
    }

    fn missing(&self) -> String {
        let Self { bucket, region, .. } = self;
        let place = match region.as_str() {
            // The one region that must not be named here.
            "us-east-1" => String::new(),
            region => format!(" --create-bucket-configuration LocationConstraint={region}"),
        };
        let target = if self.aws {
            format!(" --region {region}")
        } else {
            String::new()
        };
        format!("there is no bucket {bucket}; make it with `aws s3api create-bucket --bucket {bucket}{target}{place}`")
    }

    fn rights(&self) -> &'static str {
        "s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject on what is in it"
    }

    fn address(&self) -> &str {
        &self.address
    }

    async fn renew(&self) -> bool {
        self.credentials.forget().await;
        true
    }

    async fn sign_deletion(&self, request: &mut HttpRequest) -> object_store::Result<()> {
        let credential = self.credentials.get_credential().await?;
        AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(request, None)
    }
}

/// Credentials of `aws-config` for `object_store`, remembered for as long as they are valid: a provider may run a program or ask a
/// service each time that it is asked.
struct Bridge {
    provider: SharedCredentialsProvider,
    refused: Arc<dyn Fn() + Send + Sync>,
    held: Mutex<Option<Held>>,
}

struct Held {
    credential: Arc<AwsCredential>,
    expiry: Option<SystemTime>,
}

impl Bridge {
    fn new(access: &S3Access) -> Self {
        Self {
            provider: access.credentials.clone(),
            refused: Arc::clone(&access.refused),
            held: Mutex::new(None),
        }
    }

    /// Uses what is held no more. Of many calls that were refused with it, the first one counts.
    async fn forget(&self) {
        if self.held.lock().await.take().is_some() {
            (self.refused)();
        }
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bridge(redacted)")
    }
}

#[async_trait]
impl CredentialProvider for Bridge {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut held = self.held.lock().await;
        let valid = |held: &Held| {
            held.expiry
                .is_none_or(|expiry| expiry > SystemTime::now() + RENEW_BEFORE)
        };
        if let Some(held) = held.as_ref().filter(|held| valid(held)) {
            return Ok(Arc::clone(&held.credential));
        }
        let found = self
            .provider
            .provide_credentials()
            .await
            .map_err(|error| object_store::Error::Generic {
                store: "S3",
                source: Box::new(no_credentials(&error)),
            })?;
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        *held = Some(Held {
            credential: Arc::clone(&credential),
            expiry: found.expiry(),
        });
        Ok(credential)
    }
}

fn no_credentials(error: &CredentialsError) -> Error {
    let why = match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            "no credentials of AWS were found; set AWS_PROFILE, or log in with `aws sso login`".to_owned()
        }
        error => format!("no credentials of AWS: {}", clean(&root_cause(error))),
    };
    Error::new(ErrorKind::Unauthenticated, "", "", why)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::future::ProvideCredentials as Provided;

    use super::*;

    #[test]
    fn buckets_are_where_their_server_has_them() {
        for (bucket, region, endpoint, expected) in [
            (
                "runs",
                "eu-central-1",
                None,
                "https://runs.s3.eu-central-1.amazonaws.com",
            ),
            ("a.b", "us-east-1", None, "https://s3.us-east-1.amazonaws.com/a.b"),
            (
                "runs",
                "cn-north-1",
                None,
                "https://runs.s3.cn-north-1.amazonaws.com.cn",
            ),
            (
                "runs",
                "us-east-1",
                Some("http://127.0.0.1:5000/"),
                "http://127.0.0.1:5000/runs",
            ),
        ] {
            assert_eq!(address(bucket, region, endpoint), expected);
        }
    }

    #[test]
    fn the_endpoint_is_read_as_the_tools_of_aws_do() {
        let read = |variables: &[(&str, &str)]| {
            S3Access::endpoint_from_environment(|name| {
                let found = variables.iter().find(|(key, _)| *key == name)?;
                Some(found.1.to_owned())
            })
        };
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("AWS_ENDPOINT_URL", "http://a")]).as_deref(), Some("http://a"));
        let both = [("AWS_ENDPOINT_URL", "http://a"), ("AWS_ENDPOINT_URL_S3", "http://b")];
        assert_eq!(read(&both).as_deref(), Some("http://b"));
        let ignored = [both[0], ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE")];
        assert_eq!(read(&ignored), None);
    }

    #[derive(Debug, Default)]
    struct Counted {
        asked: Arc<AtomicUsize>,
        valid_for: Duration,
    }

    impl aws_credential_types::provider::ProvideCredentials for Counted {
        fn provide_credentials<'a>(&'a self) -> Provided<'a>
        where
            Self: 'a,
        {
            let count = self.asked.fetch_add(1, Ordering::Relaxed);
            let expiry = SystemTime::now() + self.valid_for;
            let key = format!("key{count}");
            Provided::ready(Ok(Credentials::new(key, "hush", None, Some(expiry), "test")))
        }
    }

    #[tokio::test]
    async fn credentials_are_remembered_until_they_run_out() {
        for (valid_for, expected) in [(Duration::from_hours(1), "key0"), (RENEW_BEFORE / 2, "key1")] {
            let provider = Counted {
                valid_for,
                ..Counted::default()
            };
            let bridge = Bridge::new(&S3Access {
                credentials: SharedCredentialsProvider::new(provider),
                refused: Arc::new(|| {}),
                region: None,
                endpoint: None,
            });
            bridge.get_credential().await.unwrap();
            let second = bridge.get_credential().await.unwrap();
            assert_eq!(second.key_id, expected);
            assert!(!format!("{bridge:?}").contains("hush"));
        }
    }
}
