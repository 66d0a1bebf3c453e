//! Finding a sandbox that another process serves.

use std::fs;
use std::io::{Read, Write};
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
    if answers(&running) {
        return Some(running);
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

/// Whether the very process answers at its address, and not one that came by its port since.
fn answers(running: &Running) -> bool {
    let ask = || -> Option<String> {
        let address: SocketAddr = running.admin_endpoint.strip_prefix("http://")?.parse().ok()?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        let request = format!("GET /_sandbox/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    ask().is_some_and(|answer| answer.ends_with(&format!("\"pid\":{}}}", running.pid)))
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
        let running = Running {
            pid: 1,
            aws_endpoint: endpoint.clone(),
            azure_endpoint: endpoint.clone(),
            azure_certificate: String::new(),
            kubernetes_endpoint: endpoint.clone(),
            clusters: Vec::new(),
            admin_endpoint: endpoint,
            environment: Vec::new(),
        };
        fs::write(&file, serde_json::to_vec(&running).unwrap()).unwrap();
        assert_eq!(find(dir.path()), None);
        assert!(!file.exists());
    }
}
