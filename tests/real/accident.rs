//! What can go wrong with one call on its way to a part, or back.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// What a client sees of it.
#[derive(Clone, Copy, Debug)]
pub enum Accident {
    /// An answer with a status, in the words of EC2 and of the API server.
    Refused(&'static Refusal),
    /// The connection ends without an answer.
    Closed,
    /// Half of the answer comes.
    Cut,
    /// An answer comes whose body says nothing.
    Garbled,
    /// No answer comes for as long as the client waits.
    Hang,
    /// A watch is told that its version is too old.
    Gone,
}

/// A refusal.
#[derive(Debug)]
pub struct Refusal {
    /// Status and code of EC2.
    pub ec2: (u16, &'static str),
    /// Status and reason of Kubernetes.
    pub kubernetes: (u16, &'static str),
    /// When to come again, in seconds.
    pub retry_after: Option<u32>,
}

impl Accident {
    /// Lets it happen to the client that sent `request`, and would have been given `answer`.
    pub fn happens(self, mut client: &TcpStream, request: &str, answer: &[u8]) -> std::io::Result<()> {
        let end_of_head = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .map_or(0, |at| at + 4);
        let (head, body) = answer.split_at(end_of_head);
        match self {
            Self::Closed => Ok(()),
            Self::Hang => client.read(&mut [0]).map(|_| ()),
            Self::Cut => client.write_all(&answer[..head.len() + body.len() / 2]),
            Self::Garbled => {
                client.write_all(head)?;
                client.write_all(&vec![b'#'; body.len()])
            }
            Self::Refused(refusal) => client.write_all(refusal.answer(request).as_bytes()),
            Self::Gone => {
                let event = format!(r#"{{"type":"ERROR","object":{}}}"#, status(410, "Expired"));
                client.write_all(said(200, "application/json", None, &(event + "\n")).as_bytes())
            }
        }
    }
}

impl Refusal {
    fn answer(&self, request: &str) -> String {
        if request.starts_with("POST / ") {
            let (code, name) = self.ec2;
            let body = format!(
                "<Response><Errors><Error><Code>{name}</Code><Message>made to fail</Message></Error></Errors>\
                 <RequestID>00000000-0000-4000-8000-000000000000</RequestID></Response>"
            );
            return said(code, "text/xml", self.retry_after, &body);
        }
        let (code, reason) = self.kubernetes;
        said(code, "application/json", self.retry_after, &status(code, reason))
    }
}

fn status(code: u16, reason: &str) -> String {
    format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"made to fail","reason":"{reason}","code":{code}}}"#
    )
}

fn said(code: u16, content_type: &str, retry_after: Option<u32>, body: &str) -> String {
    let retry_after = retry_after.map_or_else(String::new, |seconds| format!("Retry-After: {seconds}\r\n"));
    let length = body.len();
    format!(
        "HTTP/1.1 {code} Said\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{retry_after}Connection: close\r\n\r\n{body}"
    )
}
