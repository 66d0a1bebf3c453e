//! Serving a router over connections that can be cut without an answer, as a broken network would.

use std::convert::Infallible;
use std::io;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Marks a response that must never be sent.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the sandbox cut this connection on request")]
struct Cut;

/// The answer that is none: under [`serve`] the connection closes without a byte; under any other
/// server the body breaks off before its announced end, which clients report as a broken transfer.
pub fn cut_connection() -> Response {
    let broken = futures::stream::iter([Err::<&[u8], io::Error>(io::Error::other(Cut))]);
    let mut response = Response::new(Body::from_stream(broken));
    response.extensions_mut().insert(Cut);
    response
}

/// Serves `router` on every connection that `listener` accepts until `stop` is done; connections
/// that are then still open are closed.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Small answers on loopback: waiting for more to send only costs time.
                    stream.set_nodelay(true)?;
                    connections.spawn(serve_connection(stream, router.clone()));
                }
                Err(error) if is_of_one_connection(&error) => tracing::debug!(%error, "a client gave up connecting"),
                Err(error) => {
                    // Out of file descriptors, mostly: one connection less may be enough to go on.
                    tracing::warn!(%error, "the sandbox cannot accept a connection");
                    if connections.join_next().await.is_none() {
                        return Err(error);
                    }
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection (TCP, or TLS over it) until either side closes it.
pub async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, router: Router) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let response = router
                .oneshot(request.map(Body::new))
                .await
                .unwrap_or_else(|never: Infallible| match never {});
            if response.extensions().get::<Cut>().is_some() {
                Err(Cut)
            } else {
                Ok(response)
            }
        }
    });
    let served = Builder::new(TokioExecutor::new())
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn ask(path: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(async || "whole"))
            .route("/cut", get(async || cut_connection()));
        let (_keep, stop) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(serve(listener, router, async {
            let _ = stop.await;
        }));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn an_answer_arrives_and_a_cut_one_does_not() {
        assert!(ask("/").await.ends_with("whole"));
        assert_eq!(ask("/cut").await, "");
    }

    #[tokio::test]
    async fn stopping_ends_the_service() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        serve(listener, Router::new(), std::future::ready(())).await.unwrap();
    }
}
