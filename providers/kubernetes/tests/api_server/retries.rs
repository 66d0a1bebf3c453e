//! What is sent again, and when we stop.

use std::time::{Duration, Instant};

use moorline_api::{
    ApplyOptions, Cluster, DeleteOptions, Deletion, ErrorKind, Object, ObjectRef, Propagation, ResourceKind,
};
use moorline_kubernetes::{KubeCluster, KubeSettings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::server::{Server, answer, claim, failure, object, raw};

fn data() -> ObjectRef {
    ObjectRef::new(ResourceKind::claim(), "demo", "data")
}

/// Fails the first `failures` requests with `code`.
async fn recovering(code: u16, failures: usize) -> Server {
    Server::start(move |number, _| match number {
        number if number < failures => answer(code, &failure(code, "x", "not now", Value::Null)),
        _ => answer(200, &claim()),
    })
    .await
}

/// What an apply gives, which has to succeed.
async fn applied(server: &Server) -> Object {
    let options = ApplyOptions::default();
    let applied = server.cluster().apply(&data(), &object(claim()), options).await;
    applied.unwrap().object
}

#[tokio::test]
async fn what_is_safe_to_repeat_is_repeated() {
    let applies = [429, 500, 502, 503, 504].map(async |code| {
        let server = recovering(code, 2).await;
        applied(&server).await;
        assert_eq!(server.lines().len(), 3, "{code}");
    });
    futures::future::join_all(applies).await;
    let server = recovering(503, 1).await;
    let options = DeleteOptions {
        uid: None,
        resource_version: None,
        propagation: Propagation::Background,
        dry_run: false,
    };
    assert_eq!(
        server.cluster().delete(&data(), &options).await.unwrap(),
        Deletion::Gone
    );
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_no_whole_object_is_asked_for_again() {
    let bodies = ["{\"metadata\": {", "####", "<html>502</html>", ""].map(async |body| {
        let server = Server::start(move |number, _| match number {
            0 => raw(200, "application/json", body),
            _ => answer(200, &claim()),
        })
        .await;
        assert_eq!(applied(&server).await.name(), "data", "{body}");
        assert_eq!(server.lines().len(), 2, "{body}");
    });
    futures::future::join_all(bodies).await;
}

#[tokio::test]
async fn a_refusal_that_cannot_be_read_is_asked_for_again() {
    let absent = failure(
        404,
        "NotFound",
        "no such claim",
        json!({"name": "data", "kind": "persistentvolumeclaims"}),
    );
    let cases = [
        (404, "####", 2),
        (409, "{\"kind\": \"Sta", 2),
        (404, "404 page not found\n", 1),
        (403, "####", 1),
    ];
    let gets = cases.map(async |(code, body, calls)| {
        let absent = absent.clone();
        let server = Server::start(move |number, _| match number {
            0 => raw(code, "application/json", body),
            _ => answer(404, &absent),
        })
        .await;
        let found = server.cluster().get(&data()).await;
        assert_eq!(
            (server.lines().len(), found.is_ok()),
            (calls, calls == 2),
            "{code} {body}: {found:?}"
        );
    });
    futures::future::join_all(gets).await;
}

#[tokio::test]
async fn a_server_that_keeps_failing_is_given_up() {
    let failures = [(500, ErrorKind::Internal), (503, ErrorKind::Unreachable)].map(async |(code, expected)| {
        let server = recovering(code, usize::MAX).await;
        let error = server.cluster().get(&data()).await.unwrap_err();
        assert_eq!(error.kind, expected);
        assert!(error.is_transient());
        assert_eq!(server.lines().len(), 4);
    });
    futures::future::join_all(failures).await;
}

#[tokio::test]
async fn a_creation_that_may_have_happened_is_looked_up_before_it_is_repeated() {
    for code in [500, 503, 504] {
        let server = recovering(code, 1).await;
        server.cluster().create(&data(), &object(claim())).await.unwrap();
        let lines = server.lines();
        let methods: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(methods, ["POST", "GET"], "{code}");
        // What is there may be another's.
        let mut other = claim();
        other["metadata"]["annotations"] = json!({"mine": "not this"});
        let server = recovering(code, 1).await;
        let error = server.cluster().create(&data(), &object(other)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::AlreadyExists, "{code}");
    }
    // A 429 was turned away at the door.
    let server = recovering(429, 1).await;
    server.cluster().create(&data(), &object(claim())).await.unwrap();
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn refusals_are_final() {
    for code in [400, 401, 403, 409, 410, 422] {
        let server = recovering(code, 1).await;
        server.cluster().get(&data()).await.unwrap_err();
        assert_eq!(server.lines().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_throttling_server_is_obeyed() {
    let server = Server::start(|number, _| {
        let mut response = answer(if number == 0 { 429 } else { 200 }, &claim());
        response.headers_mut().insert("Retry-After", "1".parse().unwrap());
        response
    })
    .await;
    let started = Instant::now();
    server.cluster().get(&data()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));

    let server = Server::start(|_, _| {
        let mut response = answer(
            429,
            &failure(429, "TooManyRequests", "busy", json!({"retryAfterSeconds": 600})),
        );
        response.headers_mut().insert("Retry-After", "600".parse().unwrap());
        response
    })
    .await;
    let started = Instant::now();
    let error = server.cluster().get(&data()).await.unwrap_err();
    assert_eq!(
        error.kind,
        ErrorKind::Throttled {
            retry_after: Some(Duration::from_mins(10))
        }
    );
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "a wait that does not fit is not begun"
    );
}

#[tokio::test]
async fn nobody_there_is_one_clear_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let started = Instant::now();
    let cluster = KubeCluster::at(&address, "away", &KubeSettings::default()).unwrap();
    let error = cluster.create(&data(), &object(claim())).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(
        error.to_string(),
        format!(
            "create persistentvolumeclaims demo/data: cannot reach the API server {address} of context `away` \
             (Connection refused (os error 111)); is it running, and is this the right context?"
        )
    );
}

/// Takes connections, reads a request, and hangs up or says nothing more.
async fn rude(hang_up: bool) -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = count.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if hang_up {
                // The head of an answer, and not all of its body.
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"metadata\"")
                    .await
                    .unwrap();
            } else {
                kept.push(stream);
            }
        }
    });
    (address, count)
}

#[tokio::test]
async fn an_answer_cut_short_is_asked_for_again() {
    let (address, count) = rude(true).await;
    let cluster = KubeCluster::at(&address, "test", &KubeSettings::default()).unwrap();
    let error = cluster.get(&data()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 4);
    let error = cluster.create(&data(), &object(claim())).await.unwrap_err();
    assert!(error.to_string().contains("may have been done"), "{error}");
    // Sent once, and then looked for as often as anything is read.
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 9);
}

#[tokio::test]
async fn silence_ends_at_the_time_limit() {
    let (address, count) = rude(false).await;
    let settings = KubeSettings {
        call_timeout: Duration::from_secs(1),
        ..KubeSettings::default()
    };
    let cluster = KubeCluster::at(&address, "test", &settings).unwrap();
    let started = Instant::now();
    let error = cluster.get(&data()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(
        started.elapsed() < Duration::from_millis(1500),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn calls_in_flight_are_bounded() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now2, most2) = (now.clone(), most.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let handler = move || async move {
        most2.fetch_max(now2.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
        now2.fetch_sub(1, Ordering::SeqCst);
        answer(200, &claim())
    };
    tokio::spawn(axum::serve(listener, axum::Router::new().fallback(handler)).into_future());
    let settings = KubeSettings {
        concurrency: 3,
        ..KubeSettings::default()
    };
    let cluster = KubeCluster::at(&address, "test", &settings).unwrap();
    let target = data();
    let results = futures::future::join_all((0..30).map(|_| cluster.get(&target))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert_eq!(now.load(Ordering::SeqCst), 0);
}
