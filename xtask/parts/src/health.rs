//! Whether a part is of use.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the administrator of a control plane shows.
pub(crate) const TOKEN: &str = "moorline-admin";

/// How a part is asked whether it is of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// By an address that answers with success.
    Answers {
        /// The address. With `https` whatever certificate is shown will do: these are parts for tests, on loopback.
        url: String,
    },
    /// By an address that answers those who show no credentials with a refusal of its own.
    Refuses {
        /// The address.
        url: String,
    },
    /// By a call of EC2. LocalStack loads what it needs for that (which takes seconds) with the first call only.
    Ec2 {
        /// The endpoint.
        url: String,
    },
}

impl Health {
    /// Asks once; what is wrong is told in words. `kubectl` is needed for `https`.
    pub fn check(&self, kubectl: Option<&Path>) -> Result<(), String> {
        match self {
            Self::Ec2 { url } => {
                // Nobody looks at the signature; moto tells by its scope which service is meant.
                let scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ec2/aws4_request";
                let credentials = format!("{scope}, SignedHeaders=host, Signature=0");
                let request = ureq::get(format!("{url}/?Action=DescribeRegions&Version=2016-11-15"));
                answered(request.header("Authorization", credentials))
            }
            Self::Refuses { url } => match status(ureq::get(url).config().http_status_as_error(false).build())? {
                400..500 => Ok(()),
                other => Err(format!("HTTP {other}")),
            },
            Self::Answers { url } => match (url.strip_prefix("https://"), kubectl) {
                (Some(rest), Some(kubectl)) => ask_by_kubectl(kubectl, rest),
                (Some(_), None) => Err("there is no kubectl to ask it with".to_owned()),
                (None, _) => answered(ureq::get(url)),
            },
        }
    }
}

type Request = ureq::RequestBuilder<ureq::typestate::WithoutBody>;

fn answered(request: Request) -> Result<(), String> {
    status(request).map(drop)
}

fn status(request: Request) -> Result<u16, String> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let request = request.config().timeout_global(Some(PATIENCE)).proxy(None).build();
    let answer = request.call().map_err(|error| error.to_string())?;
    Ok(answer.status().as_u16())
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
