//! A server that answers from a script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use moorline_azure::{AzureProvider, AzureSettings, StorageConnection};

pub(crate) const KEY: &str = "aHVzaC1odXNoLXRoaXMtaXMtYS1rZXk=";

/// An answer; `None` breaks the connection off.
pub(crate) type Answer = Option<Response>;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) query: String,
    pub(crate) authorization: Option<String>,
    pub(crate) date: Option<String>,
}

#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
}

pub(crate) struct Desk {
    pub(crate) address: String,
    script: Arc<Script>,
}

impl Desk {
    /// One that gives these answers, one after the other, and then none.
    pub(crate) async fn with(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Script::default());
        script.answers.lock().unwrap().extend(answers);
        let app = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, script }
    }

    /// The provider in account `data1` there, with its key.
    pub(crate) fn provider(&self) -> AzureProvider {
        self.provider_with(&format!("AccountKey={KEY}"))
    }

    /// The provider in account `data1` there, with something that opens it.
    pub(crate) fn provider_with(&self, opener: &str) -> AzureProvider {
        let text = format!("AccountName=data1;BlobEndpoint={}/data1;{opener}", self.address);
        let settings = AzureSettings {
            connection: Some(StorageConnection::parse(&text).unwrap()),
            call_timeout: Duration::from_secs(2),
            ..AzureSettings::default()
        };
        AzureProvider::connect(settings).unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }

    /// What was asked, without the queries.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    let header = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    script.asked.lock().unwrap().push(Asked {
        line: format!("{} {}", request.method(), request.uri().path()),
        query: request.uri().query().unwrap_or_default().to_owned(),
        authorization: header("authorization"),
        date: header("x-ms-date"),
    });
    let next = script.answers.lock().unwrap().pop_front();
    match next {
        Some(Some(answer)) => answer,
        // A body that fails before its first byte takes the connection with it.
        Some(None) => {
            let broken = futures::stream::once(async { Err::<String, _>(std::io::Error::other("broken off")) });
            Response::builder()
                .header("content-length", "10")
                .body(Body::from_stream(broken))
                .unwrap()
        }
        None => refusal(599, "ScriptEnded", "nothing more was expected"),
    }
}

pub(crate) fn status(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}\nRequestId:r\nTime:t</Message></Error>"
    );
    Response::builder()
        .status(status)
        .header("x-ms-error-code", code)
        .header("content-type", "application/xml")
        .body(Body::from(body))
        .unwrap()
}

/// A container's properties, as of the claim's in the tests.
pub(crate) fn container(metadata: &[(&str, &str)]) -> Response {
    let mut answer = Response::builder().status(200).header("x-ms-lease-state", "available");
    for (name, value) in metadata {
        answer = answer.header(format!("x-ms-meta-{name}"), *value);
    }
    answer.body(Body::empty()).unwrap()
}

pub(crate) fn xml(body: &str) -> Response {
    Response::builder()
        .header("content-type", "application/xml")
        .body(Body::from(body.to_owned()))
        .unwrap()
}
