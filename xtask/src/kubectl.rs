//! The real kubectl: the machine's own, or one built with Go.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::client::{Client, Missing};
use crate::{kubernetes, process};

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

/// The kubectl that is built beside the control plane, from the cache or built with Go into it.
pub(crate) fn build() -> Result<Client, Missing> {
    let missing = |why: String| Missing {
        client: "kubectl",
        why,
        cure: CURE,
    };
    let programs = kubernetes::built().map_err(|unbuilt| missing(unbuilt.why))?;
    let program = programs.path("kubectl").map_err(|error| missing(error.to_string()))?;
    let version =
        version(program).map_err(|error| missing(format!("the one that was built does not work: {error:#}")))?;
    Ok(Client {
        program: program.to_owned(),
        what: format!("kubectl {}, built with Go, at {}", version.full, program.display()),
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
}
