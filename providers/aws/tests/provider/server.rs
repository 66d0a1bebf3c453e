//! A server that speaks just enough HTTP to answer the SDK, and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline_aws::{AwsProvider, AwsSettings, Budgets, StaticKeys};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The parameters of one call.
pub(crate) type Params = BTreeMap<String, String>;

/// Status and body of an answer; status 0 never answers.
pub(crate) type Answer = (u16, String);

type Handler = dyn Fn(&Params, usize) -> Answer + Send + Sync;

pub(crate) struct Server {
    pub(crate) address: String,
    calls: Arc<Mutex<Vec<Params>>>,
}

impl Server {
    /// Answers with `handler`, which gets a call's parameters and how many calls there were before.
    pub(crate) async fn start(handler: impl Fn(&Params, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (handler, seen): (Arc<Handler>, _) = (Arc::new(handler), Arc::clone(&calls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&handler), Arc::clone(&seen)));
            }
        });
        Self { address, calls }
    }

    pub(crate) fn settings(&self) -> AwsSettings {
        settings_for(&self.address)
    }

    pub(crate) fn provider(&self) -> AwsProvider {
        AwsProvider::connect(self.settings())
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Params> {
        self.calls.lock().expect("no panic in the server").clone()
    }

    /// The actions of the calls so far.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.calls().iter().map(|call| call["Action"].clone()).collect()
    }
}

pub(crate) fn settings_for(address: &str) -> AwsSettings {
    let keys = StaticKeys {
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
    };
    AwsSettings {
        region: Some("us-east-1".to_owned()),
        endpoint: Some(address.to_owned()),
        keys: Some(keys),
        budgets: Budgets::unlimited(),
        patience: Duration::from_secs(20),
        ..AwsSettings::default()
    }
}

async fn serve(mut stream: TcpStream, handler: Arc<Handler>, calls: Arc<Mutex<Vec<Params>>>) {
    let mut buffer = Vec::new();
    while let Some(body) = next_body(&mut stream, &mut buffer).await {
        let params = params(&body);
        let before = {
            let mut calls = calls.lock().expect("no panic in the server");
            calls.push(params.clone());
            calls.len() - 1
        };
        let (status, body) = handler(&params, before);
        if status == 0 {
            return std::future::pending().await;
        }
        let head = format!(
            "HTTP/1.1 {status} Answer\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of the next request on a connection; `None` at its end.
async fn next_body(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return String::from_utf8(body).ok();
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn params(body: &str) -> Params {
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// EC2's answer to an action.
pub(crate) fn ec2(action: &str, inner: &str) -> Answer {
    (
        200,
        format!(
            r#"<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>{inner}</{action}Response>"#
        ),
    )
}

/// EC2's refusal.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    (
        status,
        format!("<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>"),
    )
}

/// The answer of the services that speak AWS Query: ELB, ELBv2, STS.
pub(crate) fn query(action: &str, inner: &str) -> Answer {
    (
        200,
        format!("<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>"),
    )
}

/// Their refusal.
pub(crate) fn query_refusal(status: u16, code: &str, message: &str) -> Answer {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    (
        status,
        format!("<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>"),
    )
}

/// The fields of a volume in an answer.
pub(crate) fn volume_fields(id: &str, state: &str) -> String {
    format!(
        "<volumeId>{id}</volumeId><size>10</size><availabilityZone>us-east-1a</availabilityZone><status>{state}</status>\
         <volumeType>gp2</volumeType><iops>100</iops><encrypted>false</encrypted><createTime>2026-11-21T09:00:00.000Z</createTime>\
         <tagSet><item><key>a</key><value>b</value></item></tagSet>"
    )
}

/// A page of volumes.
pub(crate) fn volumes_page(volumes: &[(&str, &str)], token: Option<&str>) -> Answer {
    let items = volumes
        .iter()
        .map(|(id, state)| format!("<item>{}</item>", volume_fields(id, state)))
        .collect::<Vec<_>>()
        .concat();
    let token = token.map_or_else(String::new, |token| format!("<nextToken>{token}</nextToken>"));
    ec2("DescribeVolumes", &format!("<volumeSet>{items}</volumeSet>{token}"))
}
