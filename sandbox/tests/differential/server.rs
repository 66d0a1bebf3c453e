//! A server under comparison: its raw answers, and everything that its watches said since the start.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use http::{Request, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::kinds::{self, Kind};

/// A server, with a watch on every kind that is compared.
pub(crate) struct Server {
    client: Client,
    log: Arc<Log>,
    /// Dropped with the server, which ends them.
    watches: JoinSet<()>,
}

/// What the watches said, by the token of the sequence that it is about.
#[derive(Default)]
struct Log {
    sequences: Mutex<HashMap<String, Seen>>,
    news: Notify,
}

struct Seen {
    last: Instant,
    events: Vec<Event>,
}

/// One event of a watch.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) plural: &'static str,
    pub(crate) kind: String,
    pub(crate) object: Value,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) warnings: Vec<String>,
    pub(crate) body: Value,
}

impl Server {
    /// The server of a kubeconfig's current context.
    pub(crate) async fn of_kubeconfig(path: &str) -> Self {
        let kubeconfig = Kubeconfig::read_from(path).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Self::connect(config.unwrap()).await
    }

    /// The server at a URL that wants no credentials.
    pub(crate) async fn at(url: &str) -> Self {
        Self::connect(Config::new(url.parse().unwrap())).await
    }

    async fn connect(mut config: Config) -> Self {
        // Watches last as long as the server lets them.
        config.read_timeout = None;
        let client = Client::try_from(config).unwrap();
        let log = Arc::new(Log::default());
        let mut server = Self {
            client,
            log,
            watches: JoinSet::new(),
        };
        server.install_definition().await;
        for kind in kinds::all() {
            let (started, mut ready) = watch::channel(false);
            let follow = follow(server.client.clone(), kind, server.log.clone(), started);
            server.watches.spawn(follow);
            ready.wait_for(|started| *started).await.unwrap();
        }
        server
    }

    /// The definition of the custom kind, which all sequences share.
    async fn install_definition(&self) {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let definition = kinds::definition();
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        let made = self.call("POST", path, "json", Some(&definition)).await;
        assert!(matches!(made.status, 201 | 409), "{made:?}");
        let collection = kinds::by_plural("widgets").collection("default");
        loop {
            let shown = self.call("GET", &format!("{path}/{name}"), "", None).await;
            let conditions = shown.body["status"]["conditions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let established = conditions
                .iter()
                .any(|c| c["type"] == "Established" && c["status"] == "True");
            if established && self.call("GET", &collection, "", None).await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// One request; `content` is the content type without its `application/`.
    pub(crate) async fn call(&self, method: &str, path: &str, content: &str, body: Option<&Value>) -> Raw {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::ACCEPT, "application/json");
        if !content.is_empty() {
            request = request.header(header::CONTENT_TYPE, format!("application/{content}"));
        }
        let bytes = body.map(|body| serde_json::to_vec(body).unwrap()).unwrap_or_default();
        let request = request.body(Body::from(bytes)).unwrap();
        let response = self.client.send(request).await.unwrap();
        let status = response.status().as_u16();
        let warnings = response.headers().get_all(header::WARNING).iter();
        let warnings = warnings.map(|text| text.to_str().unwrap().to_owned()).collect();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Raw {
            status,
            warnings,
            body: parse(&bytes),
        }
    }

    /// Waits until no watch has said anything about the sequence for as long as `quiet`, and returns all that was said.
    pub(crate) async fn settled(&self, token: &str, quiet: Duration) -> Vec<Event> {
        let asked = Instant::now();
        loop {
            let news = self.log.news.notified();
            let last = self.log.read(token, |seen| seen.last).unwrap_or(asked);
            let left = quiet.saturating_sub(last.max(asked).elapsed());
            if left.is_zero() || asked.elapsed() > Duration::from_secs(30) {
                return self.log.read(token, |seen| seen.events.clone()).unwrap_or_default();
            }
            let _ = tokio::time::timeout(left, news).await;
        }
    }
}

impl Log {
    fn read<T>(&self, token: &str, look: impl FnOnce(&Seen) -> T) -> Option<T> {
        let sequences = self.sequences.lock().unwrap_or_else(PoisonError::into_inner);
        sequences.get(token).map(look)
    }

    fn add(&self, event: Event) {
        let Some(token) = token(&event.object) else { return };
        let mut sequences = self.sequences.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = sequences.entry(token).or_insert_with(|| Seen {
            last: Instant::now(),
            events: Vec::new(),
        });
        seen.last = Instant::now();
        seen.events.push(event);
        drop(sequences);
        self.news.notify_waiters();
    }
}

/// The sequence that made an object: names of cluster-scoped objects and of namespaces end in its token.
fn token(object: &Value) -> Option<String> {
    let metadata = &object["metadata"];
    let name = metadata["namespace"].as_str().or(metadata["name"].as_str())?;
    name.rsplit_once('-').map(|(_, token)| token.to_owned())
}

/// JSON, or the events of a watch as a list, or else the text.
fn parse(bytes: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return value;
    }
    let text = String::from_utf8_lossy(bytes);
    let lines: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    lines.map_or_else(|_| Value::from(text.into_owned()), Value::from)
}

/// Watches one kind for good.
async fn follow(client: Client, kind: &'static Kind, log: Arc<Log>, started: watch::Sender<bool>) {
    let list = Request::get(kind.everywhere()).body(Vec::new()).unwrap();
    let list: Value = client.request(list).await.unwrap();
    let mut version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    loop {
        let path = format!(
            "{}?watch=1&resourceVersion={version}&allowWatchBookmarks=true",
            kind.everywhere()
        );
        let stream = client
            .request_stream(Request::get(path).body(Vec::new()).unwrap())
            .await
            .unwrap();
        let _ = started.send(true);
        let mut lines = stream.lines();
        while let Ok(Some(line)) = lines.try_next().await {
            let mut event: Value = serde_json::from_str(&line).unwrap();
            let object = event["object"].take();
            let type_ = event["type"].as_str().unwrap().to_owned();
            assert_ne!(type_, "ERROR", "a watch on {} ended: {object}", kind.plural);
            object["metadata"]["resourceVersion"]
                .as_str()
                .unwrap()
                .clone_into(&mut version);
            if type_ != "BOOKMARK" {
                log.add(Event {
                    plural: kind.plural,
                    kind: type_,
                    object,
                });
            }
        }
    }
}
