//! Every server of the sandbox says in its answers what time it is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use moorline_sandbox::{Sandbox, SandboxSettings, StartOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The head of an answer.
async fn head(endpoint: &str, request: &str) -> String {
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().0.to_lowercase()
}

#[tokio::test]
async fn the_date_of_every_answer_is_the_sandboxs_own() {
    let sandbox = Sandbox::start(StartOptions {
        settings: Some(SandboxSettings::instant()),
        ..StartOptions::default()
    })
    .await
    .unwrap();
    let world = sandbox.world();
    // The year says enough, and no second that passes meanwhile changes it.
    world.clock.advance(4 * 366 * 24 * 3600, &world.journal).unwrap();
    let year = world.clock.now().strftime(" %Y ").to_string();
    let environment = sandbox.environment();
    let find = |name: &str| environment.iter().find(|(key, _)| key == name).unwrap().1.clone();
    for (endpoint, request) in [
        (
            sandbox.aws_endpoint(),
            "GET /?Action=DescribeVolumes&Version=2016-11-15",
        ),
        (sandbox.aws_endpoint(), "GET /nowhere"),
        (sandbox.admin_endpoint(), "GET /_sandbox/health"),
        (sandbox.kubernetes_endpoint(), "GET /api/v1/namespaces"),
        (sandbox.kubernetes_endpoint(), "GET /apis/nobody"),
        (find("AZURE_POD_IDENTITY_AUTHORITY_HOST"), "GET /metadata/identity"),
    ] {
        let head = head(&endpoint, request).await;
        let dates: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix("date: ")).collect();
        let [date] = dates.as_slice() else {
            panic!("{request}: {head}");
        };
        assert!(date.contains(&year) && date.ends_with(" gmt"), "{request}: {date}");
    }
    sandbox.shutdown().await;
}
