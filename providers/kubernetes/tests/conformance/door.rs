//! The way to a server past the provider: kube-rs's HTTP client, with nothing of ours.

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use moorline_api::conformance::kubernetes::{Answer, Door, Request};
use serde_json::Value;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;

/// Makes a server forget its history.
pub(crate) type Forget = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A client, and how its server forgets.
pub(crate) struct KubeDoor {
    client: Client,
    forget: Forget,
}

impl KubeDoor {
    /// To the server that `config` describes.
    pub(crate) fn open(config: kube::Config, forget: Forget) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::try_from(config).unwrap();
        Self { client, forget }
    }

    async fn request(&self, request: Request) -> http::Response<Body> {
        let body = request
            .body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default();
        let request = http::Request::builder()
            .method(request.method)
            .uri(request.path)
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::CONTENT_TYPE, request.content_type)
            .body(Body::from(body));
        self.client.send(request.unwrap()).await.unwrap()
    }
}

#[async_trait]
impl Door for KubeDoor {
    async fn send(&self, request: Request) -> Answer {
        let answer = self.request(request).await;
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Answer { code, body }
    }

    async fn watch(&self, path: String) -> BoxStream<'static, Value> {
        let request = Request {
            method: "GET",
            path,
            content_type: "application/json",
            body: None,
        };
        let bytes = self.request(request).await.into_body().into_data_stream();
        let lines = FramedRead::new(
            StreamReader::new(bytes.map_err(std::io::Error::other)),
            LinesCodec::new(),
        );
        lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).boxed()
    }

    async fn forget(&self) {
        (self.forget)().await;
    }
}
