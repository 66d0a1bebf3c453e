//! A bucket or container as a store: one object for each key, and the service's own conditions (`If-None-Match`, `If-Match`).
//!
//! `object_store` speaks to both clouds; what it does not have, deletion on a condition, is sent beside it with its signatures.
//! Each write carries a mark of its own in the object's metadata. A write whose answer was lost is simply sent again: where the
//! condition fails then, the mark tells whether it was ours that is there.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use http::header::IF_MATCH;
use http::{HeaderValue, Method};
use moorline_api::store::MAX_VALUE;
use moorline_api::{Error, ErrorKind, Result, RunStore, StoreKey, StoreVersion, Stored};
use object_store::client::{HttpRequest, HttpRequestBody, HttpService as _};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, GetOptions, ObjectStore, PutMode, PutOptions, RetryConfig, UpdateVersion,
};
use tokio::time::sleep;

mod azure;
mod failure;
mod proof;
mod s3;
mod transport;

pub use azure::{AzureAccess, AzureIdentity, ConnectionStringError};
pub(crate) use azure::{AzurePlace, open as open_azure};
pub use s3::S3Access;
pub(crate) use s3::{S3Place, open as open_s3};
pub(crate) use transport::Http;

use self::failure::{Failure, Outcome};
use self::proof::Proof;
use self::transport::Witness;

/// How often a write is sent whose fate is unknown. `object_store` repeats the harmless failures by itself.
const ATTEMPTS: u32 = 4;

/// The pause after the first attempt; each is twice the last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The name of the metadata entry with a write's mark: one that both clouds take as it is.
const MARK: &str = "moorlinewrite";

/// What is asked of `object_store`.
pub(super) trait Bucket: ObjectStore + PaginatedListStore {}

impl<T: ObjectStore + PaginatedListStore> Bucket for T {}

/// In which the clouds differ.
#[async_trait]
pub(super) trait Dialect: Send + Sync {
    /// What the service calls it.
    fn operation(&self, call: Call) -> &'static str;

    /// That bucket or container is missing, and what makes it.
    fn missing(&self) -> String;

    /// The rights that all of it takes.
    fn rights(&self) -> &'static str;

    /// The bucket's or container's address, without a slash at its end.
    fn address(&self) -> &str;

    /// Has credentials read anew, because the service refused those in use. Whether that can give others.
    async fn renew(&self) -> bool;

    /// Signs the request of a deletion.
    async fn sign_deletion(&self, request: &mut HttpRequest) -> object_store::Result<()>;
}

/// What can be asked of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Get,
    Head,
    Put,
    Delete,
    List,
}

/// On which condition something is written.
#[derive(Clone, Copy, Debug)]
enum Condition<'version> {
    Absent,
    Unchanged(&'version StoreVersion),
}

/// Values as objects of a bucket or container.
pub struct CloudStore {
    bucket: Box<dyn Bucket>,
    dialect: Box<dyn Dialect>,
    http: Http,
    /// What names begin with, without slashes at its ends; may be empty.
    prefix: String,
    place: String,
    proof: Proof,
}

/// Without the clients behind it, which hold credentials.
impl fmt::Debug for CloudStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudStore")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl RunStore for CloudStore {
    fn place(&self) -> &str {
        &self.place
    }

    async fn read(&self, key: &StoreKey) -> Result<Option<Stored>> {
        let name = self.name(key.as_str());
        match self.get(&name).await {
            Ok(stored) => Ok(Some(stored)),
            Err(Failure::Absent) => Ok(None),
            Err(failure) => Err(failure.into_error(|| self.stale(Call::Get, &name))),
        }
    }

    async fn create(&self, key: &StoreKey, value: &[u8]) -> Result<StoreVersion> {
        self.put(&self.name(key.as_str()), value, Condition::Absent).await
    }

    async fn replace(&self, key: &StoreKey, value: &[u8], expected: &StoreVersion) -> Result<StoreVersion> {
        self.put(&self.name(key.as_str()), value, Condition::Unchanged(expected))
            .await
    }

    async fn delete(&self, key: &StoreKey, expected: &StoreVersion) -> Result<()> {
        self.prove_deletions().await?;
        let name = self.name(key.as_str());
        let mut unknown = None;
        for attempt in 0..ATTEMPTS {
            pause(attempt, unknown.as_ref()).await;
            match self.delete_once(&name, expected).await {
                Ok(()) => return Ok(()),
                // Gone, by the attempt whose answer was lost. Azure says that as a condition that does not hold.
                Err(Failure::Absent | Failure::Condition)
                    if unknown.is_some() && self.mark_of(&name).await?.is_none() =>
                {
                    return Ok(());
                }
                Err(Failure::Unknown(error)) => unknown = Some(error),
                Err(failure) => return Err(failure.into_error(|| self.stale(Call::Delete, &name))),
            }
        }
        Err(unknown.unwrap_or_else(|| self.stale(Call::Delete, &name)))
    }

    fn list(&self, folder: Option<&StoreKey>) -> BoxStream<'_, Result<StoreKey>> {
        let prefix = folder.map_or_else(|| self.prefix.clone(), |folder| self.name(folder.as_str()));
        let from_start = Some(Cursor::default());
        let pages = stream::try_unfold((prefix, from_start), move |(prefix, cursor)| async move {
            let Some(cursor) = cursor else { return Ok(None) };
            let (keys, next) = self.page(&prefix, cursor).await?;
            Ok(Some((stream::iter(keys).map(Ok), (prefix, next))))
        });
        pages.try_flatten().boxed()
    }
}

/// How far a listing has come.
#[derive(Debug, Default)]
struct Cursor {
    token: Option<String>,
    last: Option<StoreKey>,
}

impl CloudStore {
    fn new(bucket: impl Bucket, dialect: impl Dialect + 'static, http: Http, prefix: &str, place: String) -> Self {
        Self {
            bucket: Box::new(bucket),
            dialect: Box::new(dialect),
            http,
            prefix: prefix.to_owned(),
            place,
            proof: Proof::default(),
        }
    }

    /// What comes of a call. Credentials may have been rotated: once they are refused, which means that the call had no effect, it is made
    /// once more with fresh ones.
    async fn with_fresh_credentials<T, F: Future<Output = Outcome<T>>>(&self, call: impl Fn() -> F) -> Outcome<T> {
        let outcome = call().await;
        match outcome {
            Err(Failure::Denied(_)) if self.dialect.renew().await => call().await,
            outcome => outcome,
        }
    }

    /// The object's name.
    fn name(&self, key: &str) -> String {
        match self.prefix.as_str() {
            "" => key.to_owned(),
            prefix => format!("{prefix}/{key}"),
        }
    }

    async fn get(&self, name: &str) -> Outcome<Stored> {
        self.with_fresh_credentials(|| self.try_get(name)).await
    }

    async fn try_get(&self, name: &str) -> Outcome<Stored> {
        let witness = Witness::default();
        let options = GetOptions {
            extensions: witness.carried(),
            ..GetOptions::default()
        };
        let failed = |error: object_store::Error| self.judge(Call::Get, name, &witness, &error);
        let found = self.bucket.get_opts(&Path::from(name), options).await.map_err(failed)?;
        let version = found.meta.e_tag.clone();
        let value = found.bytes().await.map_err(failed)?;
        if value.len() > MAX_VALUE {
            let why = format!(
                "it has {} bytes; nothing of ours has more than {MAX_VALUE}",
                value.len()
            );
            return Err(Failure::Other(self.error(ErrorKind::Invalid, Call::Get, name, why)));
        }
        Ok(Stored {
            value: value.into(),
            version: self.version(Call::Get, name, version)?,
        })
    }

    async fn put(&self, name: &str, value: &[u8], condition: Condition<'_>) -> Result<StoreVersion> {
        if value.len() > MAX_VALUE {
            let why = format!("the value has {} bytes, and {MAX_VALUE} is the most", value.len());
            return Err(self.error(ErrorKind::Invalid, Call::Put, name, why));
        }
        self.prove_writes().await?;
        let mark = uuid::Uuid::new_v4().to_string();
        let mut unknown = None;
        for attempt in 0..ATTEMPTS {
            pause(attempt, unknown.as_ref()).await;
            match self.put_once(name, value, condition, &mark).await {
                Ok(version) => return Ok(version),
                Err(Failure::Condition) => match (self.mark_of(name).await?, condition) {
                    (Some((found, version)), _) if found == mark => return Ok(version),
                    // Whoever was in the way is gone again.
                    (None, Condition::Absent) => unknown = Some(self.in_the_way(name, condition)),
                    _ => return Err(self.in_the_way(name, condition)),
                },
                Err(Failure::Unknown(error)) => unknown = Some(error),
                Err(failure) => return Err(failure.into_error(|| self.in_the_way(name, condition))),
            }
        }
        Err(unknown.unwrap_or_else(|| self.in_the_way(name, condition)))
    }

    async fn put_once(&self, name: &str, value: &[u8], condition: Condition<'_>, mark: &str) -> Outcome<StoreVersion> {
        self.with_fresh_credentials(|| self.try_put(name, value, condition, mark))
            .await
    }

    async fn try_put(&self, name: &str, value: &[u8], condition: Condition<'_>, mark: &str) -> Outcome<StoreVersion> {
        let witness = Witness::default();
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::Metadata(MARK.into()), mark.to_owned().into());
        let mode = match condition {
            Condition::Absent => PutMode::Create,
            Condition::Unchanged(version) => PutMode::Update(UpdateVersion {
                e_tag: Some(version.as_str().to_owned()),
                version: None,
            }),
        };
        let options = PutOptions {
            mode,
            attributes,
            extensions: witness.carried(),
            ..PutOptions::default()
        };
        let written = self
            .bucket
            .put_opts(&Path::from(name), value.to_vec().into(), options)
            .await;
        let written = written.map_err(|error| self.judge(Call::Put, name, &witness, &error))?;
        self.version(Call::Put, name, written.e_tag)
    }

    /// The mark of the write that made what is there, and its version; `None` where nothing is.
    async fn mark_of(&self, name: &str) -> Result<Option<(String, StoreVersion)>> {
        match self.with_fresh_credentials(|| self.try_head(name)).await {
            Ok(found) => Ok(Some(found)),
            Err(Failure::Absent) => Ok(None),
            Err(failure) => Err(failure.into_error(|| self.stale(Call::Head, name))),
        }
    }

    async fn try_head(&self, name: &str) -> Outcome<(String, StoreVersion)> {
        let witness = Witness::default();
        let options = GetOptions {
            head: true,
            extensions: witness.carried(),
            ..GetOptions::default()
        };
        let found = self.bucket.get_opts(&Path::from(name), options).await;
        let found = found.map_err(|error| self.judge(Call::Head, name, &witness, &error))?;
        let mark = found.attributes.get(&Attribute::Metadata(MARK.into()));
        let mark = mark.map(|mark| mark.as_ref().to_owned()).unwrap_or_default();
        Ok((mark, self.version(Call::Head, name, found.meta.e_tag)?))
    }

    async fn delete_once(&self, name: &str, expected: &StoreVersion) -> Outcome<()> {
        self.with_fresh_credentials(|| self.try_delete(name, expected)).await
    }

    async fn try_delete(&self, name: &str, expected: &StoreVersion) -> Outcome<()> {
        let witness = Witness::default();
        let failed = |error: object_store::Error| self.judge(Call::Delete, name, &witness, &error);
        let mut request = self.deletion(name, expected).map_err(failed)?;
        self.dialect.sign_deletion(&mut request).await.map_err(failed)?;
        request.extensions_mut().extend(witness.carried());
        // What the witness saw says more than the error.
        _ = self.http.call(request).await;
        match witness.accident() {
            None => Ok(()),
            Some(accident) => Err(self.judge_accident(Call::Delete, name, &accident)),
        }
    }

    /// The request that deletes an object of this version, unsigned.
    fn deletion(&self, name: &str, expected: &StoreVersion) -> object_store::Result<HttpRequest> {
        fn made<T>(
            part: std::result::Result<T, impl std::error::Error + Send + Sync + 'static>,
        ) -> object_store::Result<T> {
            part.map_err(|error| object_store::Error::Generic {
                store: "deletion",
                source: Box::new(error),
            })
        }
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = Method::DELETE;
        *request.uri_mut() = made(format!("{}/{name}", self.dialect.address()).parse())?;
        let version = made(HeaderValue::from_str(expected.as_str()))?;
        request.headers_mut().insert(IF_MATCH, version);
        Ok(request)
    }

    /// One page of a listing, and how it goes on.
    async fn page(&self, prefix: &str, cursor: Cursor) -> Result<(Vec<StoreKey>, Option<Cursor>)> {
        let Cursor { token, mut last } = cursor;
        let nonsense = |why: &str| self.error(ErrorKind::Internal, Call::List, prefix, why);
        let page = self.with_fresh_credentials(|| self.try_page(prefix, token.as_deref()));
        let page = page
            .await
            .map_err(|failure| failure.into_error(|| nonsense("the list was refused as if it had a condition")))?;
        let mut keys = Vec::with_capacity(page.result.objects.len());
        for object in &page.result.objects {
            let name = object.location.as_ref();
            let key = match self.prefix.as_str() {
                "" => Some(name),
                prefix => name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')),
            };
            // What others keep here, and our own proof.
            let Some(key) = key.and_then(|key| StoreKey::new(key).ok()) else {
                continue;
            };
            if last.as_ref().is_some_and(|last| *last >= key) {
                return Err(nonsense(
                    "the list is not in the order of its keys; use an account without a hierarchical namespace",
                ));
            }
            last = Some(key.clone());
            keys.push(key);
        }
        if page.page_token.is_some() && page.page_token == token {
            return Err(nonsense("the list does not go on: a page is followed by itself"));
        }
        let next = page.page_token.map(|token| Cursor {
            token: Some(token),
            last,
        });
        Ok((keys, next))
    }

    async fn try_page(&self, prefix: &str, token: Option<&str>) -> Outcome<PaginatedListResult> {
        let witness = Witness::default();
        let options = PaginatedListOptions {
            page_token: token.map(str::to_owned),
            extensions: witness.carried(),
            ..PaginatedListOptions::default()
        };
        let below = (!prefix.is_empty()).then(|| format!("{prefix}/"));
        let page = self.bucket.list_paginated(below.as_deref(), options).await;
        page.map_err(|error| self.judge(Call::List, prefix, &witness, &error))
    }

    fn version(&self, call: Call, name: &str, etag: Option<String>) -> Outcome<StoreVersion> {
        let lacking = || {
            let why = "the answer has no ETag, without which nothing can be compared";
            Failure::Other(self.error(ErrorKind::Unsupported, call, name, why))
        };
        etag.map(StoreVersion::new).ok_or_else(lacking)
    }

    fn stale(&self, call: Call, name: &str) -> Error {
        self.error(ErrorKind::Stale, call, name, "it was changed meanwhile, or is gone")
    }

    fn in_the_way(&self, name: &str, condition: Condition<'_>) -> Error {
        match condition {
            Condition::Absent => self.error(ErrorKind::AlreadyExists, Call::Put, name, "it is there already"),
            Condition::Unchanged(_) => self.stale(Call::Put, name),
        }
    }
}

/// Waits before another attempt, as long as the service asked for.
async fn pause(attempt: u32, after: Option<&Error>) {
    if attempt == 0 {
        return;
    }
    let own = FIRST_PAUSE * 2_u32.saturating_pow(attempt - 1);
    let asked = match after.map(|error| &error.kind) {
        Some(ErrorKind::Throttled { retry_after }) => retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    // Those that were refused together do not come back together.
    let spread = own.mul_f64(fastrand::f64());
    sleep((own + spread).max(asked).min(LONGEST_PAUSE)).await;
}

/// Repeats of what can be repeated without a thought: refused connections, failures of reads, throttling.
fn repeats() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 4,
        retry_timeout: Duration::from_mins(1),
    }
}
