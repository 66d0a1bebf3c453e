//! A Python that has boto3: a virtual environment with exactly what `xtask/clients/requirements.txt` locks.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::client::{Client, Missing};
use crate::{cache, process};

const REQUIREMENTS: &str = "xtask/clients/requirements.txt";

const CURE: &str = "Python 3.10 or newer with its venv module (python3 and, on Debian, python3-venv)";

/// The environment, from the cache or made with the `python3` on the PATH.
pub(crate) fn set_up() -> Result<Client, Missing> {
    let missing = |why: String| Missing {
        client: "boto3",
        why,
        cure: CURE,
    };
    let python = process::on_path("python3").ok_or_else(|| missing("there is no python3 on the PATH".to_owned()))?;
    environment(&python).map_err(|error| missing(format!("its virtual environment could not be made: {error:#}")))
}

fn environment(python: &Path) -> Result<Client> {
    let version =
        process::output(Command::new(python).args(["-c", "import platform; print(platform.python_version())"]))?;
    let version = version.trim();
    let name = format!(
        "python-{version}-{}-{}",
        std::env::consts::ARCH,
        cache::digest(&[REQUIREMENTS])?
    );
    // An environment leans on the Python it was made with, which an upgrade of the machine may take away.
    let works = |entry: &Path| {
        let python = entry.join("bin/python");
        python.is_file() && process::output(Command::new(python).args(["-c", "import boto3"])).is_ok()
    };
    let entry = cache::entry(&name, works, |folder| {
        process::say(&format!("installing boto3 for Python {version}, once"));
        process::run(Command::new(python).args(["-m", "venv"]).arg(folder))?;
        let install = [
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "--quiet",
            "--no-input",
        ];
        let locked = ["--require-hashes", "--only-binary=:all:", "--requirement", REQUIREMENTS];
        process::run(Command::new(folder.join("bin/python")).args(install).args(locked))
    })?;
    let program = entry.join("bin/python");
    let what = format!("boto3 with Python {version} at {}", program.display());
    Ok(Client { program, what })
}
