//! `moorline sandbox serve`, `stop`, `env` and `reset`.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args as ClapArgs;
use http::Method;
use moorline_sandbox::{Sandbox, StartOptions};

use super::choice::Choice;
use crate::cli::admin;
use crate::cli::app::{App, print};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// Serve the sandbox to kubectl, boto3, Azure's SDKs and every other client, until Ctrl-C
///
/// stdout gets the environment to use it with, ready to eval, and nothing else; a kubeconfig is written into the state's
/// folder. Other moorline commands with --sandbox use the served one.
#[derive(ClapArgs, Debug)]
#[command(after_long_help = "Examples:
  eval \"$(moorline sandbox serve --detach)\"     go on in this shell: kubectl and aws now use the sandbox
  moorline sandbox stop
  moorline sandbox serve --instant              no throttling, no latency, no lag")]
pub(crate) struct Args {
    /// Where the AWS account listens; the cluster, Azure and its metadata service take the next three ports. Port 0 takes any that
    /// are free.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    address: SocketAddr,

    /// Go on in the background: return when it is ready. One that is being served already is used.
    #[arg(long)]
    detach: bool,

    #[command(flatten)]
    choice: Choice,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    let dir = app.settings.sandbox_dir()?;
    if let Some(running) = Sandbox::running(&dir) {
        if args.detach {
            print(&exports(&running.environment))?;
            return Ok(Exit::Done);
        }
        let what = format!(
            "process {} serves the sandbox of {} already",
            running.pid,
            dir.display()
        );
        return Err(
            Failure::usage(what).hint("moorline sandbox env prints its environment; moorline sandbox stop ends it")
        );
    }
    let settings = args.choice.settings()?;
    if args.detach {
        return detach(app, &args, &dir);
    }
    if !args.address.ip().is_loopback() {
        app.tell("note: the sandbox lets anyone in; whoever reaches this address can change it");
    }
    let sandbox = Sandbox::serve(StartOptions {
        state_dir: Some(dir),
        address: args.address,
        settings,
    })
    .await?;
    print(&exports(&sandbox.environment()))?;
    app.tell(&format!(
        "serving EC2, ELB and STS at {}, Azure at {}, Kubernetes at {}; Ctrl-C stops",
        sandbox.aws_endpoint(),
        sandbox.azure_endpoint(),
        sandbox.kubernetes_endpoint()
    ));
    app.stop.cancelled().await;
    sandbox.shutdown().await;
    Ok(Exit::Done)
}

/// Serves in a process of its own, and waits until it has told its environment.
fn detach(app: &App, args: &Args, dir: &Path) -> Result<Exit, Failure> {
    let failed = |what: String| Failure::new(Exit::Failed, format!("the sandbox did not start: {what}"));
    std::fs::create_dir_all(dir).map_err(|error| failed(format!("{}: {error}", dir.display())))?;
    let log = dir.join("serve.log");
    let log_file = File::create(&log).map_err(|error| failed(format!("{}: {error}", log.display())))?;
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command
        .args(["sandbox", "serve", "--address"])
        .arg(args.address.to_string())
        .arg("--sandbox-dir")
        .arg(dir);
    command.args(args.choice.instant.then_some("--instant"));
    command.args(
        args.choice
            .settings
            .iter()
            .flat_map(|file| ["--settings".as_ref(), file.as_os_str()]),
    );
    // A process group of its own: Ctrl-C in this terminal is not meant for it.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log_file)
        .process_group(0);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let mut environment = String::new();
    if let Some(stdout) = child.stdout.take() {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        environment.extend(lines.take_while(|line| line != END).map(|line| line + "\n"));
    }
    if environment.is_empty() {
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        return Err(failed(told.trim().to_owned()));
    }
    print(&format!("{environment}{END}\n"))?;
    app.tell(&format!(
        "serving in process {}; its log is {}; moorline sandbox stop ends it",
        child.id(),
        log.display()
    ));
    Ok(Exit::Done)
}

/// A comment to a shell, and the end of the environment to who waits for it.
const END: &str = "# moorline sandbox is ready";

/// The environment as a shell reads it.
fn exports(environment: &[(String, String)]) -> String {
    let lines = environment
        .iter()
        .map(|(name, value)| format!("export {name}='{}'\n", value.replace('\'', r"'\''")));
    lines.chain([format!("{END}\n")]).collect()
}

/// Prints the environment of the sandbox being served.
pub(crate) fn environment(app: &App) -> Result<Exit, Failure> {
    let running = Sandbox::running(&app.settings.sandbox_dir()?);
    let running = running.ok_or_else(|| {
        Failure::new(Exit::Failed, "no sandbox is being served").hint("moorline sandbox serve --detach starts one")
    })?;
    print(&exports(&running.environment))?;
    Ok(Exit::Done)
}

/// Ends the sandbox being served.
pub(crate) async fn stop(app: &App) -> Result<Exit, Failure> {
    let dir = app.settings.sandbox_dir()?;
    match Sandbox::running(&dir) {
        None => app.tell("no sandbox is being served"),
        Some(running) => {
            let stopped = admin::call(&running.admin_endpoint, Method::POST, "/_sandbox/stop", None);
            app.reading(stopped).await?;
            app.tell(&format!("process {} stopped", running.pid));
        }
    }
    Ok(Exit::Done)
}

/// Forgets everything.
pub(crate) async fn reset(app: &App) -> Result<Exit, Failure> {
    let dir = app.settings.sandbox_dir()?;
    match Sandbox::running(&dir) {
        Some(running) => {
            let reset = admin::call(&running.admin_endpoint, Method::POST, "/_sandbox/reset", None);
            app.reading(reset).await?;
        }
        None => Sandbox::reset(&dir)?,
    }
    // What runs of gc remember is of volumes that are gone, and of a clock that may be put back.
    let runs = app.settings.sandbox_runs()?;
    match std::fs::remove_dir_all(&runs) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::new(Exit::Failed, format!("{}: {error}", runs.display())));
        }
        _ => {}
    }
    app.tell(&format!("the sandbox of {} is empty", dir.display()));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_for_the_shell() {
        let environment = [("KUBECONFIG".to_owned(), "/tmp/it's here/config".to_owned())];
        assert_eq!(
            exports(&environment),
            format!("export KUBECONFIG='/tmp/it'\\''s here/config'\n{END}\n")
        );
    }
}
