//! Serving a router over connections that can be cut without an answer, as a broken network would.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::StreamExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::Effect;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// What a body begins with that never becomes one: neither JSON nor XML.
const BEGINNING: &str = "{\"items\":[{\"metadata\":{\"name\":\"";

/// Marks a response that must never be sent.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the sandbox cut this connection on request")]
struct Cut {
    /// Whether the whole server goes away with the connection, and for how long.
    refuse: Option<Duration>,
}

/// The answer that is none: under [`serve`] the connection closes without a byte; under any other
/// server the body breaks off before its announced end, which clients report as a broken transfer.
pub fn cut_connection() -> Response {
    cut(None)
}

/// What a client gets of a call that `effect` struck, where that is no answer of the service's own.
pub fn broken_answer(effect: &Effect) -> Response {
    match effect {
        Effect::Cut => half_an_answer(),
        Effect::Garbled => Response::new(Body::from(BEGINNING)),
        Effect::Refuse(milliseconds) => cut(Some(Duration::from_millis(*milliseconds))),
        _ => cut(None),
    }
}

fn cut(refuse: Option<Duration>) -> Response {
    let cut = Cut { refuse };
    let broken = futures::stream::iter([Err::<&[u8], io::Error>(io::Error::other(cut))]);
    let mut response = Response::new(Body::from_stream(broken));
    response.extensions_mut().insert(cut);
    response
}

/// A body of which less comes than its length says.
fn half_an_answer() -> Response {
    let begun = futures::stream::iter([Ok(BEGINNING.as_bytes())]);
    // The beginning leaves before the connection breaks.
    let broken = futures::stream::once(async {
        tokio::task::yield_now().await;
        Err(io::Error::other(Cut { refuse: None }))
    });
    let mut response = Response::new(Body::from_stream(begun.chain(broken)));
    let length = HeaderValue::from(2 * BEGINNING.len());
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    response
}

/// Serves `router` on every connection that `listener` accepts until `stop` is done; connections
/// that are then still open are closed.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
    serve_by(listener, stop, |stream| serve_connection(stream, router.clone())).await
}

/// The same, with connections that `connection` serves, as [`serve_connection`] does.
pub async fn serve_by<F>(
    mut listener: TcpListener,
    stop: impl Future<Output = ()>,
    connection: impl Fn(TcpStream) -> F,
) -> io::Result<()>
where
    F: Future<Output = Option<Duration>> + Send + 'static,
{
    let address = listener.local_addr()?;
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Small answers on loopback: waiting for more to send only costs time.
                    stream.set_nodelay(true)?;
                    connections.spawn(connection(stream));
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
            Some(ended) = connections.join_next() => {
                let Ok(Some(refuse)) = ended else { continue };
                connections.shutdown().await;
                drop(listener);
                let socket = keep_port(address)?;
                tokio::select! {
                    () = &mut stop => return Ok(()),
                    () = tokio::time::sleep(refuse) => listener = socket.listen(BACKLOG)?,
                }
            }
        }
    }
}

/// A port that is ours while nobody listens there: connections are refused.
pub fn keep_port(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Connections that were just cut must not keep the port from us.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves one connection (TCP, or TLS over it) until either side closes it, or a fault does; for how long connections are to be
/// refused then, where it strikes the whole server.
pub async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
) -> Option<Duration> {
    let refused = Arc::new((OnceLock::new(), Notify::new()));
    let told = Arc::clone(&refused);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (router, told) = (router.clone(), Arc::clone(&told));
        async move {
            let response = router
                .oneshot(request.map(Body::new))
                .await
                .unwrap_or_else(|never: Infallible| match never {});
            let Some(cut) = response.extensions().get::<Cut>().copied() else {
                return Ok(response);
            };
            if let Some(refuse) = cut.refuse {
                // The first one counts.
                let _ = told.0.set(refuse);
                told.1.notify_one();
            }
            Err(cut)
        }
    });
    let builder = Builder::new(TokioExecutor::new());
    tokio::select! {
        served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service) => {
            if let Err(error) = served {
                tracing::debug!(%error, "a connection ended early");
            }
        }
        // A connection of HTTP/2 outlives the call that was cut.
        () = refused.1.notified() => {}
    }
    refused.0.get().copied()
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

    /// A server that runs as long as the test.
    async fn served() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(async || "whole"))
            .route("/half", get(async || broken_answer(&Effect::Cut)))
            .route("/refuse", get(async || broken_answer(&Effect::Refuse(200))))
            .route("/cut", get(async || cut_connection()));
        tokio::spawn(serve(listener, router, std::future::pending()));
        address
    }

    async fn ask(path: &str) -> String {
        ask_at(served().await, path).await
    }

    async fn ask_at(address: SocketAddr, path: &str) -> String {
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
    async fn half_an_answer_promises_more_than_it_brings() {
        let answer = ask("/half").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, BEGINNING);
        let length = format!("content-length: {}", 2 * BEGINNING.len());
        assert!(head.to_lowercase().contains(&length), "{head}");
    }

    #[tokio::test]
    async fn a_server_that_refuses_comes_back() {
        let address = served().await;
        let mut other = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask_at(address, "/refuse").await, "");
        // Connections that were open are cut with it.
        let mut nothing = String::new();
        let cut = other.read_to_string(&mut nothing).await;
        assert!(matches!(cut, Ok(0) | Err(_)), "{nothing}");
        let refused = TcpStream::connect(address).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(ask_at(address, "/").await.ends_with("whole"));
    }

    #[tokio::test]
    async fn stopping_ends_the_service() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        serve(listener, Router::new(), std::future::ready(())).await.unwrap();
    }
}
