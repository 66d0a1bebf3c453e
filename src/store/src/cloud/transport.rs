//! HTTP for `object_store`, on the HTTP stack that everything else here uses; and what became of each request, which
//! `object_store` tells in prose only.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use moorline_api::store::MAX_VALUE;
use moorline_api::words::clean;
use moorline_http::{HttpsConnector, Network, Road};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpService,
};
use tokio::time::timeout;

/// The largest answer that is read: a value, or a page of a list with room to spare.
const LARGEST_ANSWER: usize = MAX_VALUE + (1 << 20);

type HyperClient = Client<HttpsConnector<Road>, HttpRequestBody>;

/// What became of a request, where it did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Accident {
    /// The server said no.
    Refused(Refusal),
    /// Nothing was sent: no connection.
    NotSent(String),
    /// Sent, and no answer came, or half of one.
    NoAnswer(String),
    /// The answer is larger than anything that is asked for.
    TooLarge,
}

/// What a server said that said no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// Its own word for it: `NoSuchBucket`. Empty where there is none, as after HEAD.
    pub(super) code: String,
    /// Its words for people, safe to show.
    pub(super) message: String,
    /// How long it asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// Where the bucket is.
    pub(super) region: Option<String>,
}

/// Goes with a request through `object_store`, and comes back with the accident of the last attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness(Arc<Mutex<Option<Accident>>>);

impl Witness {
    /// As `object_store` takes it along.
    pub(super) fn carried(&self) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(self.clone());
        extensions
    }

    /// What was seen last.
    pub(super) fn accident(&self) -> Option<Accident> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, accident: Option<Accident>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = accident;
    }
}

/// The HTTP client. It can be cloned; the first request builds what it takes.
#[derive(Clone, Debug)]
pub(crate) struct Http(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    network: Network,
    attempt: Duration,
    client: OnceLock<Result<HyperClient, String>>,
}

impl Http {
    /// Gives each attempt so long, its answer included.
    pub(crate) fn new(network: Network, attempt: Duration) -> Self {
        Self(Arc::new(Inner {
            network,
            attempt,
            client: OnceLock::new(),
        }))
    }

    fn client(&self) -> Result<&HyperClient, Accident> {
        let client = self.0.client.get_or_init(|| {
            let connector = self.0.network.connector()?;
            Ok(Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build(connector))
        });
        client.as_ref().map_err(|why| Accident::NotSent(why.clone()))
    }

    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, Accident> {
        let agent = concat!("moorline/", env!("CARGO_PKG_VERSION"));
        request
            .headers_mut()
            .insert(header::USER_AGENT, HeaderValue::from_static(agent));
        let response = self.client()?.request(request).await.map_err(|error| {
            let why = root_cause(&error);
            if error.is_connect() {
                Accident::NotSent(why)
            } else {
                Accident::NoAnswer(why)
            }
        })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                Accident::TooLarge
            } else {
                Accident::NoAnswer(root_cause(error.as_ref()))
            }
        })?;
        Ok(HttpResponse::from_parts(parts, body.to_bytes().into()))
    }
}

#[async_trait]
impl HttpService for Http {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let witness = request.extensions().get::<Witness>().cloned().unwrap_or_default();
        let answered = timeout(self.0.attempt, self.send(request)).await;
        let late = |_| Accident::NoAnswer("no answer in time".to_owned());
        let answered = answered.map_err(late).flatten();
        let response = match answered {
            Ok(response) => response,
            Err(accident) => {
                let kind = match &accident {
                    Accident::NotSent(_) => HttpErrorKind::Connect,
                    Accident::NoAnswer(_) => HttpErrorKind::Interrupted,
                    Accident::Refused(_) | Accident::TooLarge => HttpErrorKind::Decode,
                };
                let error = std::io::Error::other(accident.words());
                witness.note(Some(accident));
                return Err(HttpError::new(kind, error));
            }
        };
        if response.status().is_success() {
            witness.note(None);
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = body.bytes().await?;
        let refusal = Refusal::of(parts.status, &parts.headers, &body);
        witness.note(Some(Accident::Refused(refusal)));
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

impl HttpConnector for Http {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl Accident {
    /// In words that are safe to show.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.words(),
            Self::NotSent(why) | Self::NoAnswer(why) => clean(why),
            Self::TooLarge => format!("the answer has more than {MAX_VALUE} bytes; nothing of ours has"),
        }
    }
}

impl Refusal {
    fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let body = String::from_utf8_lossy(body);
        let code = element(&body, "Code").or_else(|| text("x-ms-error-code"));
        let seconds = text("retry-after").and_then(|seconds| seconds.parse().ok());
        Self {
            status: status.as_u16(),
            code: code.filter(|code| is_code(code)).unwrap_or_default().to_owned(),
            message: safe(element(&body, "Message").unwrap_or_default()),
            retry_after: seconds.map(Duration::from_secs),
            region: text("x-amz-bucket-region").map(clean),
        }
    }

    /// In words that are safe to show.
    pub(super) fn words(&self) -> String {
        let parts = [self.code.as_str(), self.message.as_str()];
        let said: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if said.is_empty() {
            format!("the server answered with status {}", self.status)
        } else {
            said.join(": ")
        }
    }
}

/// Whether it is a word like those of services, which can be shown as it is.
fn is_code(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The first line of what a server says; Azure writes a request id and the time after it. The address of a request can be in it, and with it a shared access signature.
fn safe(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut parts = line.split("sig=");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| "&\"'<> ;,".contains(c)).unwrap_or(part.len());
        shown.push_str("sig=(redacted)");
        shown.push_str(&part[end..]);
    }
    clean(&shown).trim_end_matches('.').to_owned()
}

/// What stands between the first tags of this name. S3 and Azure tell errors in the same simple XML.
fn element<'text>(body: &'text str, name: &str) -> Option<&'text str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text)
}

/// The last error of the chain: the others name addresses and steps.
pub(super) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_that_does_not_answer_is_not_waited_for_for_ever() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let witness = Witness::default();
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = format!("http://{}/", silent.local_addr().unwrap()).parse().unwrap();
        request.extensions_mut().extend(witness.carried());
        let network = Network {
            machine_roots: false,
            ..Network::default()
        };
        let http = Http::new(network, Duration::from_millis(50));
        let error = http.call(request).await.unwrap_err();
        assert_eq!(error.kind(), HttpErrorKind::Interrupted);
        assert!(matches!(witness.accident(), Some(Accident::NoAnswer(_))));
    }

    #[test]
    fn refusals_are_read_from_the_body_or_the_headers() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("7"));
        headers.insert("x-amz-bucket-region", HeaderValue::from_static("eu-central-1"));
        let body = b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce your rate.\nTime:now</Message></Error>";
        let refusal = Refusal::of(StatusCode::SERVICE_UNAVAILABLE, &headers, body);
        assert_eq!(refusal.words(), "SlowDown: Reduce your rate");
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(refusal.region.as_deref(), Some("eu-central-1"));
        headers.insert("x-ms-error-code", HeaderValue::from_static("BlobNotFound"));
        assert_eq!(Refusal::of(StatusCode::NOT_FOUND, &headers, b"").code, "BlobNotFound");
        let silent = Refusal::of(StatusCode::NOT_FOUND, &HeaderMap::new(), b"<html>\xff");
        assert_eq!(silent.words(), "the server answered with status 404");
    }

    #[test]
    fn signatures_in_addresses_are_not_repeated() {
        for (text, expected) in [
            ("no sig here", "no sig here"),
            (
                "GET /c/b?sv=1&sig=aB%2Fc%3D&se=2 failed\nmore",
                "GET /c/b?sv=1&sig=(redacted)&se=2 failed",
            ),
            ("'?sig=aB' and sig=cD", "'?sig=(redacted)' and sig=(redacted)"),
        ] {
            assert_eq!(safe(text), expected);
        }
    }

    #[test]
    fn what_a_server_says_is_made_safe() {
        let body = b"<Code>Bad\x1b[31m</Code><Message>\x1b[31mkey AKIAIOSFODNN7EXAMPLE\x07</Message>";
        let words = Refusal::of(StatusCode::FORBIDDEN, &HeaderMap::new(), body).words();
        assert_eq!(words, "key (redacted)");
    }
}
