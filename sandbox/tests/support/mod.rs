//! A sandbox of several clusters, and requests as bare as can be.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use moorline_sandbox::{Sandbox, SandboxSettings, StartOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) async fn start(names: &[&str], state_dir: Option<&Path>) -> Sandbox {
    let mut settings = serde_json::to_value(SandboxSettings::instant()).unwrap();
    settings["clusters"] = json!(names);
    let options = StartOptions {
        state_dir: state_dir.map(Path::to_owned),
        settings: Some(serde_json::from_value(settings).unwrap()),
        ..StartOptions::default()
    };
    Sandbox::start(options).await.unwrap()
}

/// The address of a cluster's API server.
pub(crate) fn endpoint(sandbox: &Sandbox, name: &str) -> String {
    let clusters = sandbox.clusters();
    let cluster = clusters.iter().find(|cluster| cluster.context == name);
    cluster.unwrap().endpoint.clone()
}

/// One request on a connection of its own; an empty body is null.
pub(crate) async fn try_ask(endpoint: &str, request: &str, body: &Value) -> std::io::Result<(u16, Value)> {
    let address = endpoint.strip_prefix("http://").unwrap();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, serde_json::from_str(body).unwrap_or_default()))
}

pub(crate) async fn ask(endpoint: &str, request: &str, body: &Value) -> Value {
    let (status, answer) = try_ask(endpoint, request, body).await.unwrap();
    assert!((200..300).contains(&status), "{request}: {status} {answer}");
    answer
}

pub(crate) async fn get(endpoint: &str, path: &str) -> Value {
    ask(endpoint, &format!("GET {path}"), &Value::Null).await
}

/// Asks until the answer holds; the wait is for another task of this process.
pub(crate) async fn until(endpoint: &str, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            let object = get(endpoint, path).await;
            if holds(&object) {
                return object;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap()
}
