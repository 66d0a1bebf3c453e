//! The real kubectl: the machine's own, or one built with Go.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::client::{Client, Missing};
use crate::{cache, process};

/// The oldest minor version of Kubernetes 1 that is close enough to what the sandbox serves.
const OLDEST: u32 = 30;

const CURE: &str = "kubectl 1.30 or newer (https://kubernetes.io/docs/tasks/tools), or Go 1.21 or newer to build it (https://go.dev/dl)";

/// The kubectl on the PATH if it is new enough, otherwise one that is built.
pub(crate) fn set_up() -> Result<Client, Missing> {
    let Some(program) = process::on_path("kubectl") else {
        return build().map_err(|missing| Missing {
            why: format!("not on the PATH, and {}", missing.why),
            ..missing
        });
    };
    match version(&program) {
        Ok(version) if version.minor >= OLDEST => {
            let what = format!("kubectl {} at {}", version.full, program.display());
            Ok(Client { program, what })
        }
        Ok(version) => {
            process::say(&format!(
                "kubectl {} at {} is too old for the tests",
                version.full,
                program.display()
            ));
            build()
        }
        Err(error) => {
            process::say(&format!("kubectl at {} does not work: {error:#}", program.display()));
            build()
        }
    }
}

/// The kubectl that `xtask/kubectl/go.mod` names, from the cache or built with Go into it.
pub(crate) fn build() -> Result<Client, Missing> {
    let missing = |why: String| Missing {
        client: "kubectl",
        why,
        cure: CURE,
    };
    let go = process::on_path("go").ok_or_else(|| missing("there is no Go to build it with".to_owned()))?;
    built(&go).map_err(|error| missing(format!("building it failed: {error:#}")))
}

fn built(go: &Path) -> Result<Client> {
    let manifest = std::fs::read_to_string("xtask/kubectl/go.mod").context("cannot read xtask/kubectl/go.mod")?;
    let wanted = required(&manifest).context("xtask/kubectl/go.mod requires no k8s.io/kubernetes")?;
    let digest = cache::digest(&["xtask/kubectl/go.mod", "xtask/kubectl/go.sum"])?;
    let name = format!(
        "kubectl-{wanted}-{}-{}-{digest}",
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    let works = |entry: &Path| version(&entry.join("kubectl")).is_ok_and(|version| version.full == wanted);
    let entry = cache::entry(&name, works, |folder| {
        process::say(&format!(
            "building kubectl {wanted} with Go, once; this takes a few minutes"
        ));
        compile(go, &wanted, &folder.join("kubectl"))
    })?;
    let program = entry.join("kubectl");
    let what = format!("kubectl {wanted}, built with Go, at {}", program.display());
    Ok(Client { program, what })
}

fn compile(go: &Path, version: &str, to: &Path) -> Result<()> {
    // A kubectl that is not told its version says v0.0.0-master, and looks older than every server.
    let told = "-X k8s.io/component-base/version";
    let minor = version.split('.').nth(1).unwrap_or_default();
    let ldflags = format!("-s -w {told}.gitVersion={version} {told}.gitMajor=1 {told}.gitMinor={minor}");
    let mut command = Command::new(go);
    command
        .current_dir("xtask/kubectl")
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly");
    command
        .args(["build", "-trimpath", "-ldflags", &ldflags, "-o"])
        .arg(to)
        .arg("k8s.io/kubernetes/cmd/kubectl");
    process::run(&mut command)
}

/// The version of Kubernetes that `manifest`, a go.mod, requires.
fn required(manifest: &str) -> Option<String> {
    manifest.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word == "require");
        (words.next() == Some("k8s.io/kubernetes")).then(|| words.next().map(str::to_owned))?
    })
}

struct Version {
    full: String,
    minor: u32,
}

fn version(kubectl: &Path) -> Result<Version> {
    ensure!(kubectl.is_file(), "{} is not there", kubectl.display());
    parse(&process::output(Command::new(kubectl).args([
        "version",
        "--client",
        "--output=json",
    ]))?)
}

/// Reads what `kubectl version --client --output=json` prints. Vendors add to the minor version: `32+`.
fn parse(told: &str) -> Result<Version> {
    let told: Value = serde_json::from_str(told).context("it does not tell its version")?;
    let text = |key: &str| {
        told["clientVersion"][key]
            .as_str()
            .with_context(|| format!("it does not tell its {key}"))
    };
    ensure!(text("major")? == "1", "it is of Kubernetes {}", text("major")?);
    let minor = text("minor")?
        .trim_end_matches('+')
        .parse()
        .context("its minor version is no number")?;
    Ok(Version {
        full: text("gitVersion")?.to_owned(),
        minor,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_vendors_are_understood() {
        let told = r#"{"clientVersion": {"major": "1", "minor": "29+", "gitVersion": "v1.29.4-dispatcher"}}"#;
        let version = parse(told).unwrap();
        assert_eq!((version.minor, version.full.as_str()), (29, "v1.29.4-dispatcher"));
        assert!(parse("{}").is_err() && parse("Client Version: v1.30.0").is_err());
    }

    #[test]
    fn the_version_to_build_is_the_one_that_is_locked() {
        let manifest = include_str!("../kubectl/go.mod");
        assert_eq!(required(manifest).as_deref(), Some("v1.36.3"));
        assert_eq!(
            required("require (\n\tk8s.io/kubernetes v1.2.3\n)").as_deref(),
            Some("v1.2.3")
        );
        assert_eq!(required("module nothing"), None);
    }
}
