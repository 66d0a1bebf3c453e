//! Whether a part is of use.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the administrator of a control plane shows.
pub(crate) const TOKEN: &str = "moorline-admin";

/// An address that answers with success when a part is of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The address. With `https` whatever certificate is shown will do: these are parts for tests, on loopback.
    pub url: String,
}

impl Health {
    /// Asks once; what is wrong is told in words. `kubectl` is needed for `https`.
    pub fn check(&self, kubectl: Option<&Path>) -> Result<(), String> {
        match (self.url.split_once("://"), kubectl) {
            (Some(("https", rest)), Some(kubectl)) => ask_by_kubectl(kubectl, rest),
            (Some(("https", _)), None) => Err("there is no kubectl to ask it with".to_owned()),
            _ => self.ask(),
        }
    }

    fn ask(&self) -> Result<(), String> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let asked = ureq::get(&self.url)
            .config()
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build()
            .call();
        asked.map(drop).map_err(|error| error.to_string())
    }
}

fn ask_by_kubectl(kubectl: &Path, rest: &str) -> Result<(), String> {
    let (server, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut command = Command::new(kubectl);
    command.args([
        "--kubeconfig",
        "/dev/null",
        "--insecure-skip-tls-verify",
        "--request-timeout",
        "5s",
    ]);
    command.args([
        "--server",
        &format!("https://{server}"),
        "get",
        "--raw",
        &format!("/{path}"),
    ]);
    // Without credentials kubectl would ask for a password. Those that know no tokens take it for an anonymous request.
    command.args(["--token", TOKEN]);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
