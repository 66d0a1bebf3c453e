//! A hand between moorline and its parts: it passes every call on but for one, at which it kills the process, or lets something go wrong,
//! before the call reaches its part or when the answer is there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::accident::Accident;

/// Calls of one sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Those that mean to change something: no rehearsal, no question about rights, and not the lock, which is renewed by the clock.
    Changes,
    /// Those that read, but for watches.
    Reads,
    /// Those that wait for changes.
    Watches,
    /// What is none of these.
    Others,
}

/// Where it happens: at the n-th call of a sort, before its effect or after it.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// The call never arrives.
    Before(u32),
    /// It has its effect, and nobody hears the answer as it was.
    After(u32),
}

/// What is done there.
enum Deed {
    /// The process is killed: this says that the moment has come, and ends when the process is dead.
    Death(Sender<()>, Receiver<()>),
    /// The call goes wrong.
    Accident(Accident),
}

/// What waits for its call.
struct Trap {
    calls: Calls,
    moment: Moment,
    /// How many such calls there were.
    seen: u32,
    deed: Deed,
}

/// Stands between a process and the servers at these addresses.
pub struct Between {
    trap: Arc<Mutex<Option<Trap>>>,
}

impl Between {
    /// Nobody's calls yet.
    pub fn new() -> Self {
        Self {
            trap: Arc::new(Mutex::new(None)),
        }
    }

    /// A URL behind which the server at `url` is.
    pub fn before(&self, url: &str) -> String {
        let server = url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let trap = Arc::clone(&self.trap);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, trap) = (server.clone(), Arc::clone(&trap));
                // Who is gone hears nothing, and nobody needs to be told.
                std::thread::spawn(move || pass(&client, &server, &trap).ok());
            }
        });
        format!("http://{address}")
    }

    /// Runs a command and kills it (`SIGKILL`) at a call that changes something. Its exit code where it ended before.
    pub fn kill(&self, mut command: Command, moment: Moment) -> Option<i32> {
        let (sprung, springs) = channel();
        let (alive, dead) = channel();
        self.set(Calls::Changes, moment, Deed::Death(sprung, dead));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let code = loop {
            if springs.recv_timeout(Duration::from_millis(20)).is_ok() {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
        };
        drop(alive);
        self.clear();
        code
    }

    /// Runs a command to its end, in which one call goes wrong, and tells whether it came to that call.
    pub fn disturb(&self, mut command: Command, calls: Calls, moment: Moment, accident: Accident) -> (Output, bool) {
        self.set(calls, moment, Deed::Accident(accident));
        let output = command.output().unwrap();
        (output, self.clear().is_none())
    }

    fn set(&self, calls: Calls, moment: Moment, deed: Deed) {
        let seen = 0;
        *self.trap.lock().unwrap() = Some(Trap {
            calls,
            moment,
            seen,
            deed,
        });
    }

    fn clear(&self) -> Option<Trap> {
        self.trap.lock().unwrap().take()
    }
}

impl Calls {
    fn of(head: &str, body: &str) -> Self {
        let line = head.lines().next().unwrap_or_default();
        let asks = |actions: &[&str]| actions.iter().any(|action| body.contains(&format!("Action={action}")));
        let aside = [
            "dryRun=",
            "/leases",
            "/apis/authorization.k8s.io/",
            "/apis/authentication.k8s.io/",
        ];
        if line.starts_with("POST / ") {
            if asks(&["Create", "Delete", "Modify"]) {
                Self::Changes
            } else {
                Self::Reads
            }
        } else if aside.iter().any(|part| line.contains(part)) {
            Self::Others
        } else if !line.starts_with("GET ") {
            Self::Changes
        } else if line.contains("watch=") {
            Self::Watches
        } else {
            Self::Reads
        }
    }
}

/// Passes one request on, and its answer back. Connections carry one request each, so that nothing has to be told apart in them.
fn pass(client: &TcpStream, server: &str, trap: &Mutex<Option<Trap>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(said) = lower.strip_prefix("content-length:") {
            length = said.trim().parse().unwrap();
        }
        assert!(!lower.starts_with("transfer-encoding:"), "a request in chunks: {head}");
        if line.trim().is_empty() {
            break;
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let struck = strikes(trap, Calls::of(&head, &String::from_utf8_lossy(&body)));
    if let Some(trap) = &struck
        && matches!(trap.moment, Moment::Before(_))
    {
        return trap.springs(client, &head, &[]);
    }
    let mut upstream = TcpStream::connect(server)?;
    upstream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    upstream.write_all(&body)?;
    if let Some(trap) = struck {
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer)?;
        return trap.springs(client, &head, &answer);
    }
    std::io::copy(&mut upstream, &mut &*client)?;
    client.shutdown(Shutdown::Write)
}

/// The trap, where this is the call that it waits for.
fn strikes(trap: &Mutex<Option<Trap>>, calls: Calls) -> Option<Trap> {
    let mut set = trap.lock().unwrap();
    let waiting = set.as_mut().filter(|trap| trap.calls == calls)?;
    waiting.seen += 1;
    let (Moment::Before(nth) | Moment::After(nth)) = waiting.moment;
    if waiting.seen < nth { None } else { set.take() }
}

impl Trap {
    /// Does the deed to a client, who gets no other answer.
    fn springs(&self, client: &TcpStream, request: &str, answer: &[u8]) -> std::io::Result<()> {
        match &self.deed {
            Deed::Death(sprung, dead) => {
                // Who does not listen any more has seen the process end.
                sprung.send(()).ok();
                dead.recv().ok();
                Ok(())
            }
            Deed::Accident(accident) => accident.happens(client, request, answer),
        }
    }
}
