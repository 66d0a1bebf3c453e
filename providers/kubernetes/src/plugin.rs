//! Credential plugins of a kubeconfig: programs that print an `ExecCredential`, as client-go runs them
//! (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>).
//!
//! The client library would run them, too, but in a thread that nobody can call back: one that hangs would outlive the run.

use std::io;
use std::process::{ExitStatus, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use moorline_api::{Error, ErrorKind};
use moorline_programs::Leash;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::kubeconfig::Access;
use crate::text::printable;

/// No credentials and no last words are longer, in bytes.
const LARGEST_OUTPUT: u64 = 1 << 20;

/// What a plugin prints.
#[derive(Deserialize)]
struct ExecCredential {
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Where the credentials come from a plugin, runs it and puts what it printed in its place; until when that is good, where the plugin
/// says so. A plugin that is not awaited to its end is ended.
pub(crate) async fn log_in(access: &mut Access) -> Result<Option<Timestamp>, Error> {
    let auth = &access.config.auth_info;
    let Some(exec) = auth.exec.as_ref().filter(|_| !has_others(auth)) else {
        return Ok(None);
    };
    let status = run(exec).await.map_err(|message| {
        let resource = format!("{} (context `{}`)", access.server, access.context);
        Error::new(ErrorKind::Unauthenticated, "connect to", resource, message)
    })?;
    let expires = status.expiration_timestamp.as_deref().and_then(|at| at.parse().ok());
    let encode = |pem: String| BASE64_STANDARD.encode(pem);
    let auth = &mut access.config.auth_info;
    auth.exec = None;
    auth.token = status.token.map(Into::into);
    if let (Some(certificate), Some(key)) = (status.client_certificate_data, status.client_key_data) {
        auth.client_certificate_data = Some(encode(certificate));
        auth.client_key_data = Some(encode(key).into());
    }
    Ok(expires)
}

/// Whether there are credentials that are used before a plugin is.
fn has_others(auth: &AuthInfo) -> bool {
    let password = auth.username.is_some() && auth.password.is_some();
    password || auth.token.is_some() || auth.token_file.is_some() || auth.auth_provider.is_some()
}

async fn run(exec: &ExecConfig) -> Result<Status, String> {
    let plugin = exec.command.as_deref().unwrap_or_default();
    let interactive = exec.interactive_mode != Some(ExecInteractiveMode::Never);
    let mut child = command(exec, interactive)
        .kill_on_drop(true)
        .spawn()
        .map_err(|cause| not_started(exec, &cause))?;
    let leash = Leash::on(child.id());
    let (output, errors, ended) = follow(&mut child).await.map_err(|cause| {
        format!("the credential plugin `{plugin}` cannot be followed ({cause}); run it by hand to see why")
    })?;
    leash.let_go();
    if !ended.success() {
        return Err(failed(plugin, ended, &errors));
    }
    let printed: Option<ExecCredential> = serde_saphyr::from_slice(&output).ok();
    let status = printed.and_then(|printed| printed.status).unwrap_or_default();
    let has_certificate = status.client_certificate_data.is_some() && status.client_key_data.is_some();
    if status.token.is_none() && !has_certificate {
        return Err(no_credentials(plugin));
    }
    Ok(status)
}

/// What it prints on stdout, and on stderr where that is ours to read, and how it ended. It is waited for last: until then its number is
/// its own, and it can be ended by it.
async fn follow(child: &mut Child) -> io::Result<(Vec<u8>, Vec<u8>, ExitStatus)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (output, errors) = tokio::try_join!(read(stdout), read(stderr))?;
    Ok((output, errors, child.wait().await?))
}

async fn read(from: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if let Some(from) = from {
        from.take(LARGEST_OUTPUT).read_to_end(&mut text).await?;
    }
    Ok(text)
}

/// The program as kubectl starts it: with the terminal where it may ask somebody.
fn command(exec: &ExecConfig, interactive: bool) -> Command {
    let mut command = Command::new(exec.command.as_deref().unwrap_or_default());
    command.args(exec.args.iter().flatten());
    let variables = exec.env.iter().flatten();
    command.envs(variables.filter_map(|variable| Some((variable.get("name")?, variable.get("value")?))));
    let mut info = json!({
        "apiVersion": exec.api_version, "kind": "ExecCredential", "spec": {"interactive": interactive},
    });
    if let Some(cluster) = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info) {
        info["spec"]["cluster"] = json!(cluster);
    }
    command
        .env("KUBERNETES_EXEC_INFO", info.to_string())
        .stdout(Stdio::piped());
    if interactive {
        command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    } else {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
    }
    command
}

fn not_started(exec: &ExecConfig, cause: &io::Error) -> String {
    let plugin = exec.command.as_deref().unwrap_or_default();
    let hint = exec.install_hint.as_deref().unwrap_or("install it or correct PATH");
    format!(
        "the credential plugin `{plugin}` cannot be started ({cause}); {}",
        printable(hint)
    )
}

/// What a plugin printed is left out, but for the last line of stderr: stdout is where tokens are printed.
pub(crate) fn failed(plugin: &str, ended: ExitStatus, stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let said = match printable(text.trim().lines().last().unwrap_or_default()) {
        said if said.is_empty() => said,
        said => format!(": {said}"),
    };
    format!("the credential plugin `{plugin}` failed ({ended}){said}; log in again and rerun")
}

pub(crate) fn no_credentials(plugin: &str) -> String {
    format!("the credential plugin `{plugin}` did not print an ExecCredential; run it by hand to see why")
}
