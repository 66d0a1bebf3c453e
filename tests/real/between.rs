//! A hand between moorline and its parts: it passes every call on, and kills the process that makes a certain one, before the call reaches
//! its part or when the answer is there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// When a process dies: at the n-th call that changes something, before its effect or after it.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// The call never arrives.
    Before(u32),
    /// It has its effect, and nobody hears the answer.
    After(u32),
}

/// What waits for its call.
struct Trap {
    moment: Moment,
    /// How many such calls there were.
    calls: u32,
    /// Says that the moment has come.
    sprung: Sender<()>,
    /// Ends when the process is dead.
    dead: Receiver<()>,
}

impl Trap {
    /// Has the process killed, and comes back when it is dead.
    fn springs(&self) {
        // Who does not listen any more has seen the process end.
        self.sprung.send(()).ok();
        self.dead.recv().ok();
    }
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

    /// Runs a command and kills it (`SIGKILL`) at that moment. Its exit code where it ended before.
    pub fn kill(&self, mut command: Command, moment: Moment) -> Option<i32> {
        let (sprung, springs) = channel();
        let (alive, dead) = channel();
        *self.trap.lock().unwrap() = Some(Trap {
            moment,
            calls: 0,
            sprung,
            dead,
        });
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
        *self.trap.lock().unwrap() = None;
        code
    }
}

/// A call that means to change something: no rehearsal, no question about rights, and not the lock, which is renewed by the clock.
fn changes(head: &str, body: &str) -> bool {
    let line = head.lines().next().unwrap_or_default();
    if line.starts_with("GET ") || line.contains("dryRun=") {
        return false;
    }
    if line.starts_with("POST / ") {
        return ["Action=Create", "Action=Delete", "Action=Modify"]
            .iter()
            .any(|action| body.contains(action));
    }
    !["/leases", "/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/"]
        .iter()
        .any(|part| line.contains(part))
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
    let struck = strikes(trap, changes(&head, &String::from_utf8_lossy(&body)));
    if let Some(trap) = &struck
        && matches!(trap.moment, Moment::Before(_))
    {
        trap.springs();
        return Ok(());
    }
    let mut upstream = TcpStream::connect(server)?;
    upstream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    upstream.write_all(&body)?;
    if let Some(trap) = struck {
        upstream.read_to_end(&mut Vec::new())?;
        trap.springs();
        return Ok(());
    }
    std::io::copy(&mut upstream, &mut &*client)?;
    client.shutdown(Shutdown::Write)
}

/// The trap, where this is the call that it waits for.
fn strikes(trap: &Mutex<Option<Trap>>, changes: bool) -> Option<Trap> {
    let mut set = trap.lock().unwrap();
    let waiting = set.as_mut().filter(|_| changes)?;
    waiting.calls += 1;
    let (Moment::Before(nth) | Moment::After(nth)) = waiting.moment;
    if waiting.calls < nth { None } else { set.take() }
}
