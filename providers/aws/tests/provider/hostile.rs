//! Answers that would lead us elsewhere, keep us for ever, or fill our memory.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use moorline_api::{Error, ErrorKind, VolumeFilter, Volumes};
use moorline_aws::{AwsProvider, AwsSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Server, ec2, settings_for, volumes_page};

/// A server that answers every call with this head, and then with this piece again and again for as long as somebody reads it.
async fn pouring(head: String, piece: &'static [u8], pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pour(stream, head.clone(), piece, pause));
        }
    });
    address
}

async fn pour(mut stream: TcpStream, head: String, piece: &'static [u8], pause: Duration) -> std::io::Result<()> {
    let mut request = [0; 4096];
    while !request.windows(8).any(|words| words == b"Describe") {
        if stream.read(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(head.as_bytes()).await?;
    loop {
        stream.write_all(piece).await?;
        tokio::time::sleep(pause).await;
    }
}

async fn list(settings: AwsSettings) -> Error {
    let provider = AwsProvider::connect(settings);
    let listed: Result<Vec<_>, _> = Volumes::list(&provider, VolumeFilter::All).try_concat().await;
    listed.unwrap_err()
}

/// One attempt: what comes is no better the second time.
fn impatient(address: &str) -> AwsSettings {
    AwsSettings {
        patience: Duration::from_millis(1),
        ..settings_for(address)
    }
}

#[tokio::test]
async fn an_answer_larger_than_any_honest_one_is_left() {
    static BLANK: [u8; 1 << 20] = [b' '; 1 << 20];
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\n\r\n<DescribeVolumesResponse>";
    let address = pouring(head.to_owned(), &BLANK, Duration::ZERO).await;
    let error = list(impatient(&address)).await;
    assert_eq!(error.kind, ErrorKind::Internal, "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_left_in_time() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\n\r\n<DescribeVolumesResponse>";
    let address = pouring(head.to_owned(), b" ", Duration::from_millis(10)).await;
    let start = Instant::now();
    let error = list(AwsSettings {
        call_timeout: Duration::from_millis(300),
        ..impatient(&address)
    })
    .await;
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::start(|_, _| volumes_page(&[], None)).await;
    for status in [301, 302, 303, 307, 308] {
        let head = format!(
            "HTTP/1.1 {status} Elsewhere\r\nlocation: {}/\r\ncontent-length: 1\r\n\r\n",
            elsewhere.address
        );
        let address = pouring(head, b"x", Duration::from_mins(1)).await;
        let error = list(impatient(&address)).await;
        assert!(error.message.contains("check the endpoint"), "{status}: {error}");
    }
    assert_eq!(elsewhere.actions(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_nested_without_end_does_no_harm() {
    for inner in [
        "<a>".repeat(200_000),
        format!("<volumeSet><item>{}", "<tagSet>".repeat(200_000)),
        format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000)),
    ] {
        let server = Server::start(move |_, _| ec2("DescribeVolumes", &inner)).await;
        let provider = AwsProvider::connect(impatient(&server.address));
        let start = Instant::now();
        // What is unknown is passed over, at any depth; what is cut off is an error. Neither takes the stack.
        let _listed: Result<Vec<_>, _> = Volumes::list(&provider, VolumeFilter::All).try_concat().await;
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn nobody_waits_for_ever_because_a_server_says_so() {
    let body = "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>later</Message></Error></Errors></Response>";
    for wait in ["18446744073709551615", "9223372036854775807", "86400000"] {
        let length = body.len();
        let head = format!("HTTP/1.1 503 Busy\r\nretry-after: {wait}\r\ncontent-length: {length}\r\n\r\n{body}");
        let address = pouring(head, b"", Duration::from_mins(1)).await;
        let error = list(settings_for(&address)).await;
        let ErrorKind::Throttled { retry_after } = error.kind else {
            panic!("{error}")
        };
        assert_eq!(retry_after, Some(Duration::from_hours(24)));
    }
}
