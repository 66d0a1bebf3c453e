//! Finding a sandbox that another process serves.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a server on loopback may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// A sandbox that a process serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The process.
    pub pid: u32,
    /// URL of the AWS account.
    pub aws_endpoint: String,
    /// URL of the Azure cloud.
    pub azure_endpoint: String,
    /// The certificate, as PEM, by which clients know the Azure cloud.
    pub azure_certificate: String,
    /// URL of the first cluster's API server.
    pub kubernetes_endpoint: String,
    /// Every cluster, the first one first.
    #[serde(default)]
    pub clusters: Vec<ClusterEndpoint>,
    /// URL under which `/_sandbox/…` is found.
    pub admin_endpoint: String,
    /// The environment in which clients use it.
    pub environment: Vec<(String, String)>,
}

/// Where a cluster is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterEndpoint {
    /// The name of its context.
    pub context: String,
    /// URL of its API server.
    pub endpoint: String,
}

/// Reads who serves the folder, and asks them; what a dead process left is removed.
pub(crate) fn find(state_dir: &Path) -> Option<Running> {
    let file = state_dir.join("serve.json");
    let running: Running = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
    match ask(&running) {
        // One that is too busy to answer lives; whoever calls it finds out what has become of it.
        Presence::There | Presence::Silent => return Some(running),
        Presence::Gone => {}
    }
    // Not while another one may just be writing its own.
    let unchanged = fs::read(&file)
        .ok()
        .and_then(|text| serde_json::from_slice::<Running>(&text).ok());
    if unchanged.as_ref() == Some(&running) {
        let _ = fs::remove_file(&file);
    }
    None
}

/// What is at the address of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    There,
    /// Somebody listens, and does not answer in time.
    Silent,
    Gone,
}

/// Whether the very process answers at its address, and not one that came by its port since.
fn ask(running: &Running) -> Presence {
    let address: Option<SocketAddr> = running
        .admin_endpoint
        .strip_prefix("http://")
        .and_then(|address| address.parse().ok());
    let Some(address) = address else {
        return Presence::Gone;
    };
    let exchange = || -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let request = format!("GET /_sandbox/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer)?;
        Ok(answer)
    };
    match exchange() {
        Ok(answer) if answer.ends_with(&format!("\"pid\":{}}}", running.pid)) => Presence::There,
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Presence::Silent,
        _ => Presence::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("serve.json");
        // A port that was free a moment ago.
        let address = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let endpoint = format!("http://{address}");
        let running = running_at(&endpoint);
        fs::write(&file, serde_json::to_vec(&running).unwrap()).unwrap();
        assert_eq!(find(dir.path()), None);
        assert!(!file.exists());
    }

    #[test]
    fn one_that_is_too_busy_to_answer_is_not_taken_for_dead() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("serve.json");
        // It accepts, by the system's hand, and says nothing.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let running = running_at(&endpoint);
        fs::write(&file, serde_json::to_vec(&running).unwrap()).unwrap();
        assert_eq!(find(dir.path()), Some(running));
        assert!(file.exists());
    }

    fn running_at(endpoint: &str) -> Running {
        Running {
            pid: 1,
            aws_endpoint: endpoint.to_owned(),
            azure_endpoint: endpoint.to_owned(),
            azure_certificate: String::new(),
            kubernetes_endpoint: endpoint.to_owned(),
            clusters: Vec::new(),
            admin_endpoint: endpoint.to_owned(),
            environment: Vec::new(),
        }
    }
}
