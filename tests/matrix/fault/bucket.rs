//! A bucket on loopback that speaks as much of S3 as the run store needs, keeps to conditions, and fails where it is told to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Longer than any call may take.
const FOR_EVER: Duration = Duration::from_secs(15);

/// What happens to a call instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accident {
    /// A status and a code.
    Refusal(u16, &'static str),
    /// The connection is cut, before anything or after all.
    Reset,
    /// Half of the answer comes.
    Cut,
    /// No answer comes.
    Hang,
}

/// Which calls it happens to.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `GetObject`, `PutObject`, `ListObjectsV2`.
    pub operation: String,
    /// So many pass first.
    pub skip: usize,
    /// Every one after that, or only one.
    pub lasting: bool,
    /// Whether the call has its effect all the same.
    pub after: bool,
    /// What happens.
    pub accident: Accident,
}

#[derive(Debug, Default)]
struct Inside {
    objects: BTreeMap<String, Stored>,
    rule: Option<Rule>,
    calls: BTreeMap<String, usize>,
    struck: usize,
    versions: u64,
}

#[derive(Clone, Debug)]
struct Stored {
    value: Vec<u8>,
    etag: String,
    /// The headers of its metadata, as they came.
    metadata: String,
}

/// The bucket `runs`.
#[derive(Clone)]
pub struct Bucket {
    /// Where its service answers.
    pub url: String,
    inside: Arc<Mutex<Inside>>,
}

impl Bucket {
    /// An empty one.
    pub fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bucket = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            inside: Arc::default(),
        };
        let serving = bucket.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let bucket = serving.clone();
                // A client that is gone hears nothing.
                std::thread::spawn(move || bucket.answers(client).ok());
            }
        });
        bucket
    }

    /// Is empty again, and behaves.
    pub fn reset(&self) {
        *self.lock() = Inside::default();
    }

    /// Fails so from now on, or behaves. How often it has failed since it was told the last time.
    pub fn fails(&self, rule: Option<Rule>) -> usize {
        let mut inside = self.lock();
        inside.rule = rule;
        std::mem::take(&mut inside.struck)
    }

    /// How often each operation was called since the last time.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.lock().calls)
    }

    /// Nobody holds the lease any more, as when its time is over.
    pub fn lease_is_over(&self) {
        let mut inside = self.lock();
        for (name, stored) in &mut inside.objects {
            if name.ends_with("lease.json") {
                let lease = String::from_utf8(stored.value.clone()).unwrap();
                stored.value = lease.replace("\"released\": false", "\"released\": true").into_bytes();
                stored.etag = format!("\"{:032x}\"", fastrand::u128(..));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    fn answers(&self, mut client: TcpStream) -> std::io::Result<()> {
        let Some(request) = Request::read(&client)? else {
            return Ok(());
        };
        let accident = self.lock().meets(request.operation());
        match accident {
            Some((false, accident)) => mishap(&mut client, accident, ""),
            Some((true, accident)) => {
                let answer = self.lock().answer(&request);
                mishap(&mut client, accident, &answer)
            }
            None => {
                let answer = self.lock().answer(&request);
                client.write_all(answer.as_bytes())
            }
        }
    }
}

fn mishap(client: &mut TcpStream, accident: Accident, answer: &str) -> std::io::Result<()> {
    match accident {
        Accident::Refusal(status, code) => client.write_all(refusal(status, code).as_bytes()),
        Accident::Reset => Ok(()),
        Accident::Cut => client.write_all(&answer.as_bytes()[..answer.len() - answer.len() / 4]),
        Accident::Hang => {
            std::thread::sleep(FOR_EVER);
            Ok(())
        }
    }
}

struct Request {
    method: String,
    name: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    fn read(client: &TcpStream) -> std::io::Result<Option<Self>> {
        let mut reader = BufReader::new(client.try_clone()?);
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(None);
        }
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Ok(Some(Self {
            method: method.to_owned(),
            name: plain(path.strip_prefix("/runs").unwrap_or_default().trim_start_matches('/')),
            query: pairs.map(|(key, value)| (key.to_owned(), plain(value))).collect(),
            headers,
            body,
        }))
    }

    fn operation(&self) -> &'static str {
        match &*self.method {
            "PUT" => "PutObject",
            "DELETE" => "DeleteObject",
            "HEAD" => "HeadObject",
            _ if self.query.contains_key("list-type") => "ListObjectsV2",
            _ => "GetObject",
        }
    }
}

/// Without percent signs.
fn plain(text: &str) -> String {
    text.replace("%2F", "/").replace("%3A", ":").replace("%20", " ")
}

impl Inside {
    /// What happens to this call, and whether that is after its effect.
    fn meets(&mut self, operation: &str) -> Option<(bool, Accident)> {
        let calls = self.calls.entry(operation.to_owned()).or_default();
        *calls += 1;
        let rule = self.rule.as_mut().filter(|rule| rule.operation == operation)?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        self.struck += 1;
        let met = (rule.after, rule.accident);
        if !rule.lasting {
            self.rule = None;
        }
        Some(met)
    }

    fn answer(&mut self, request: &Request) -> String {
        let there = self.objects.get(&request.name).cloned();
        let etag = there.as_ref().map(|stored| &*stored.etag);
        let condition = |name: &str| request.headers.get(name).map(String::as_str);
        let absent = condition("if-none-match").is_none() || etag.is_none();
        let same = condition("if-match").is_none_or(|wanted| etag == Some(wanted));
        match request.operation() {
            "PutObject" | "DeleteObject" if !(absent && same) => refusal(412, "PreconditionFailed"),
            "PutObject" => {
                self.versions += 1;
                let etag = format!("\"{:032x}\"", self.versions);
                let stored = Stored {
                    value: request.body.clone(),
                    etag: etag.clone(),
                    metadata: metadata(&request.headers),
                };
                self.objects.insert(request.name.clone(), stored);
                said("200 OK", &format!("ETag: {etag}\r\n"), "")
            }
            "DeleteObject" => {
                self.objects.remove(&request.name);
                said("204 No Content", "", "")
            }
            "ListObjectsV2" => self.list(&request.query),
            operation => match there {
                None => refusal(404, "NoSuchKey"),
                Some(stored) => {
                    let Stored { value, etag, metadata } = stored;
                    let headers = format!("ETag: {etag}\r\nLast-Modified: {LONG_AGO}\r\n{metadata}");
                    let whole = said("200 OK", &headers, &String::from_utf8(value).unwrap());
                    let head = whole.split_once("\r\n\r\n").unwrap().0;
                    if operation == "HeadObject" {
                        format!("{head}\r\n\r\n")
                    } else {
                        whole
                    }
                }
            },
        }
    }

    fn list(&self, query: &BTreeMap<String, String>) -> String {
        let said_of = |key: &str| query.get(key).map_or("", String::as_str);
        let (prefix, start, delimiter) = (said_of("prefix"), said_of("start-after"), said_of("delimiter"));
        let mut listed = String::new();
        let mut folders = Vec::new();
        for (name, stored) in &self.objects {
            let Some(rest) = name.strip_prefix(prefix).filter(|_| name.as_str() > start) else {
                continue;
            };
            if let Some((folder, _)) = rest.split_once(delimiter).filter(|_| !delimiter.is_empty()) {
                let folder = format!("{prefix}{folder}{delimiter}");
                if folders.last() != Some(&folder) {
                    folders.push(folder);
                }
                continue;
            }
            let (etag, size) = (&stored.etag, stored.value.len());
            let _ = write!(
                listed,
                "<Contents><Key>{name}</Key><LastModified>2026-11-22T00:00:00.000Z</LastModified><ETag>{etag}</ETag><Size>{size}</Size></Contents>"
            );
        }
        for folder in folders {
            let _ = write!(listed, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
        }
        let body = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>");
        said("200 OK", "Content-Type: application/xml\r\n", &body)
    }
}

const LONG_AGO: &str = "Sun, 22 Nov 2026 00:00:00 GMT";

fn metadata(headers: &BTreeMap<String, String>) -> String {
    let of_object = headers.iter().filter(|(name, _)| name.starts_with("x-amz-meta-"));
    of_object.fold(String::new(), |lines, (name, value)| {
        lines + name + ": " + value + "\r\n"
    })
}

fn refusal(status: u16, code: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>made to fail</Message></Error>");
    said(&format!("{status} No"), "Content-Type: application/xml\r\n", &body)
}

fn said(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}
