//! Azurite, which plays Azure's blob storage: what `xtask/azurite` locks, installed with npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use moorline_parts::Programs;
use serde_json::Value;

use crate::client::Missing;
use crate::{cache, process};

const FOLDER: &str = "xtask/azurite";
const LOCKED: [&str; 2] = ["package.json", "package-lock.json"];

/// Its blob service, in what npm installs.
const BLOBS: &str = "node_modules/azurite/dist/src/blob/main.js";

/// The oldest Node.js that it was seen to work with. It asks for 22 and does not need it.
const OLDEST: u32 = 20;

const CURE: &str = "Node.js 20 or newer with npm (https://nodejs.org/en/download; on Debian, nodejs and npm)";

/// `node`, and `azurite`: the program that it runs.
pub(crate) fn azurite() -> Result<Programs, Missing> {
    let missing = |why: String| Missing {
        client: "azurite",
        why,
        cure: CURE,
    };
    let node = node().map_err(|error| missing(format!("{error:#}")))?;
    let script = installed(&node).map_err(|error| missing(format!("it could not be installed: {error:#}")))?;
    let mut programs = Programs::default();
    programs.insert("node", node);
    programs.insert("azurite", script);
    Ok(programs)
}

fn node() -> Result<PathBuf> {
    let node = process::on_path("node").context("there is no node on the PATH")?;
    let told = process::output(Command::new(&node).arg("--version"))?;
    let major = major(&told).with_context(|| format!("{} is {}", node.display(), told.trim()))?;
    ensure!(major >= OLDEST, "{} is {}", node.display(), told.trim());
    Ok(node)
}

/// The first number of what `node --version` prints: `v20.20.2`.
fn major(told: &str) -> Option<u32> {
    told.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Its program in the cache, installed there where it is missing.
fn installed(node: &Path) -> Result<PathBuf> {
    let locked = LOCKED.map(|name| Path::new(FOLDER).join(name));
    let version = version(&std::fs::read(&locked[0]).context("cannot read what is locked")?)?;
    let name = format!("azurite-{version}-{}", cache::digest(&locked)?);
    let works = |entry: &Path| {
        let told = process::output(Command::new(node).arg(entry.join(BLOBS)).arg("--version"));
        told.is_ok_and(|told| told.trim() == version)
    };
    let entry = cache::entry(&name, works, |folder| {
        process::say(&format!("installing azurite {version}, once"));
        for file in &locked {
            let name = file.file_name().context("no name")?;
            std::fs::copy(file, folder.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        }
        let npm = process::on_path("npm").context("there is no npm on the PATH")?;
        // Exactly what is locked; no package runs anything while it is installed.
        let quietly = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        process::run(Command::new(npm).args(quietly).current_dir(folder))
    })?;
    Ok(entry.join(BLOBS))
}

/// The version of azurite that a `package.json` asks for.
fn version(package: &[u8]) -> Result<String> {
    let package: Value = serde_json::from_slice(package)?;
    let version = package["dependencies"]["azurite"].as_str();
    Ok(version.context("package.json asks for no azurite")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!((major("v20.20.2\n"), major("20")), (Some(20), None));
        assert_eq!(
            version(br#"{"dependencies": {"azurite": "3.37.0"}}"#).unwrap(),
            "3.37.0"
        );
        assert!(version(b"{}").is_err());
    }
}
