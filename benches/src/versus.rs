//! moorline and kubectl at the same task: 300 objects applied to a real API server, fresh and again unchanged.
//!
//! The Deployments want no replicas, so that `up`, which waits for what it applies, waits for no more than kubectl does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::figures::Figure;

/// Of each kind: `ConfigMap`, Service, Deployment.
const EACH: usize = 100;

/// Of so many rounds the medians are taken; the tools take turns, so that a busy minute hits both.
const ROUNDS: usize = 3;

/// `up` is to be this many times as fast.
const TIMES: f64 = 8.0;

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm-N}\ndata: {key: value-N, other: text}\n";
const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: svc-N}\nspec:\n  selector: {app: web-N}\n  \
                       ports: [{name: http, port: 80, targetPort: 8080}]\n";
const DEPLOYMENT: &str = include_str!("deployment.yaml");

/// The tools, the cluster, and a folder with the objects.
struct Contest<'a> {
    moorline: &'a Path,
    kubectl: &'a Path,
    kubeconfig: &'a Path,
    folder: TempDir,
}

/// How long a fresh and an unchanged apply took.
#[derive(Clone, Copy)]
struct Times {
    fresh: Duration,
    unchanged: Duration,
}

/// Applies the objects with both tools in turns.
pub(crate) fn kubectl(moorline: &Path, kubectl: &Path, kubeconfig: Option<&Path>) -> Result<Vec<Figure>> {
    let kubeconfig = match kubeconfig {
        Some(kubeconfig) => kubeconfig.canonicalize()?,
        None => running_control_plane()?,
    };
    let contest = Contest {
        moorline,
        kubectl,
        kubeconfig: &kubeconfig,
        folder: tempfile::tempdir()?,
    };
    contest.write_objects()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        ours.push(contest.round(&format!("moorline-{round}"), Contest::up)?);
        theirs.push(contest.round(&format!("kubectl-{round}"), Contest::apply)?);
    }
    let version = contest.kubectl_version()?;
    let figure = |what: &str, of: fn(&Times) -> Duration| {
        let (ours, theirs) = (median(&ours, of), median(&theirs, of));
        let share = ours.as_secs_f64() / theirs.as_secs_f64();
        let times = format!(
            "{what}: up {} ms, kubectl {version} {} ms",
            ours.as_millis(),
            theirs.as_millis()
        );
        Figure::new(times, share * 100.0, 100.0 / TIMES, "%")
    };
    Ok(vec![
        figure("300 objects, fresh", |times| times.fresh),
        figure("300 objects, unchanged", |times| times.unchanged),
    ])
}

/// The kubeconfig of `cargo xtask real up`.
fn running_control_plane() -> Result<PathBuf> {
    let help = "no control plane: eval \"$(cargo xtask real up kubernetes)\", or name one with --kubeconfig";
    let parts = std::env::var_os("MOORLINE_TEST_PARTS").context(help)?;
    let parts: Value = serde_json::from_slice(&std::fs::read(parts)?)?;
    Ok(parts["kubernetes"]["kubeconfig"].as_str().context(help)?.into())
}

fn median(rounds: &[Times], of: fn(&Times) -> Duration) -> Duration {
    let mut times: Vec<Duration> = rounds.iter().map(of).collect();
    times.sort();
    times[times.len() / 2]
}

impl Contest<'_> {
    fn manifests(&self) -> PathBuf {
        self.folder.path().join("objects")
    }

    fn write_objects(&self) -> Result<()> {
        std::fs::create_dir(self.manifests())?;
        for number in 0..EACH {
            for (name, template) in [("cm", CONFIG_MAP), ("svc", SERVICE), ("web", DEPLOYMENT)] {
                let text = template.replace("-N", &format!("-{number:03}"));
                std::fs::write(self.manifests().join(format!("{name}-{number:03}.yaml")), text)?;
            }
        }
        Ok(())
    }

    /// One tool in a namespace of its own, which is gone afterwards: Services take addresses that others need.
    fn round(&self, name: &str, tool: fn(&Self, &str) -> Result<Duration>) -> Result<Times> {
        let namespace = format!("bench-{}-{name}", std::process::id());
        self.ask(["create", "namespace", &namespace])?;
        let times = (|| {
            let fresh = tool(self, &namespace)?;
            self.check(&namespace)?;
            let unchanged = tool(self, &namespace)?;
            Ok(Times { fresh, unchanged })
        })();
        self.ask(["delete", "namespace", &namespace])?;
        times
    }

    /// All objects must be there, and their controllers must have looked at them: the next measurement is not to pay for that.
    fn check(&self, namespace: &str) -> Result<()> {
        let found = self.ask([
            "--namespace",
            namespace,
            "get",
            "configmaps,services,deployments",
            "--output",
            "name",
        ])?;
        let ours = ["configmap/cm-", "service/svc-", "deployment.apps/web-"];
        let found = found
            .lines()
            .filter(|line| ours.iter().any(|name| line.starts_with(name)))
            .count();
        ensure!(found == EACH * ours.len(), "{found} objects are there");
        let observed = "--for=jsonpath={.status.observedGeneration}=1";
        self.ask([
            "--namespace",
            namespace,
            "wait",
            "deployments",
            "--all",
            observed,
            "--timeout=120s",
        ])?;
        Ok(())
    }

    fn up(&self, namespace: &str) -> Result<Duration> {
        let profile = format!("name: {namespace}\nnamespace: {namespace}\nprovider: {{aws: {{}}}}\n");
        std::fs::write(self.manifests().join("profile.yaml"), profile)?;
        let mut command = Command::new(self.moorline);
        command
            .args(["up", "--quiet", "--output", "json", "--kubeconfig"])
            .arg(self.kubeconfig);
        let outcome = timed(command.arg(self.manifests()));
        // kubectl is to see the objects only.
        std::fs::remove_file(self.manifests().join("profile.yaml"))?;
        Ok(outcome?.0)
    }

    fn apply(&self, namespace: &str) -> Result<Duration> {
        let arguments = ["--namespace", namespace, "apply", "--server-side", "--filename"];
        Ok(timed(self.kubectl().args(arguments).arg(self.manifests()))?.0)
    }

    fn kubectl_version(&self) -> Result<String> {
        let version: Value = serde_json::from_str(&self.ask(["version", "--client", "--output", "json"])?)?;
        Ok(version["clientVersion"]["gitVersion"]
            .as_str()
            .unwrap_or("?")
            .to_owned())
    }

    fn kubectl(&self) -> Command {
        let mut command = Command::new(self.kubectl);
        command.arg("--kubeconfig").arg(self.kubeconfig);
        command
    }

    fn ask<'b>(&self, arguments: impl IntoIterator<Item = &'b str>) -> Result<String> {
        let (_, output) = timed(self.kubectl().args(arguments.into_iter().map(OsStr::new)))?;
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Runs a command that must succeed.
fn timed(command: &mut Command) -> Result<(Duration, Output)> {
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output();
    let taken = start.elapsed();
    let output = output.with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok((taken, output))
}
