//! A folder with a sandbox and a profile of its own, and the program run in it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use wait4::Wait4 as _;

const SET: &str = include_str!("set.yaml");
const PROFILE: &str = "name: bench\nprovider:\n  aws:\n    region: us-east-1\n";

/// Nothing of the machine's environment reaches the program in here.
pub(crate) struct World {
    folder: TempDir,
    program: PathBuf,
}

impl World {
    /// A sandbox as it comes: at the published rates, with creation times and lag.
    pub(crate) fn new(program: &Path) -> Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            program: program.to_owned(),
        })
    }

    /// A sandbox that answers at once.
    pub(crate) fn instant(program: &Path) -> Result<Self> {
        let world = Self::new(program)?;
        world.run("sandbox settings --instant")?;
        Ok(world)
    }

    /// Changes how the sandbox behaves.
    pub(crate) fn settings(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut settings = serde_json::from_str(&self.run("sandbox settings --output json")?.stdout)?;
        change(&mut settings);
        let file = self.folder.path().join("settings.json");
        std::fs::write(&file, settings.to_string())?;
        self.run("sandbox settings --settings settings.json").map(drop)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        std::fs::write(self.folder.path().join(name), text).with_context(|| format!("cannot write {name}"))
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear();
        command
            .env("HOME", self.folder.path())
            .env("MOORLINE_SANDBOX_DIR", self.folder.path().join("sandbox"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end and measures it; it must succeed.
    pub(crate) fn run(&self, line: &str) -> Result<Measured> {
        let start = Instant::now();
        let mut child = self
            .command(line)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let mut stderr = child.stderr.take().context("stderr is piped")?;
        // Both pipes are emptied at once: a full one would stop the program.
        let told = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).map(|_| text)
        });
        let mut stdout = String::new();
        child
            .stdout
            .take()
            .context("stdout is piped")?
            .read_to_string(&mut stdout)?;
        let used = child.wait4()?;
        let wall = start.elapsed();
        if !used.status.success() {
            let told = told.join().ok().and_then(Result::ok).unwrap_or_default();
            bail!("moorline {line} failed ({}): {told}", used.status);
        }
        Ok(Measured {
            wall,
            peak: used.rusage.maxrss,
            stdout,
        })
    }

    /// Brings the set up with so many replicas.
    pub(crate) fn up(&self, replicas: u32) -> Result<Measured> {
        let profile = self.folder.path().join("bench");
        std::fs::create_dir_all(&profile)?;
        std::fs::write(profile.join("profile.yaml"), PROFILE)?;
        std::fs::write(profile.join("set.yaml"), SET.replace("REPLICAS", &replicas.to_string()))?;
        self.run("up bench --sandbox --quiet --output json")
    }

    /// The audit's sum of a count over all calls.
    pub(crate) fn audited(&self, count: &str) -> Result<f64> {
        let rows: Vec<Value> = serde_json::from_str(&self.run("sandbox audit --output json")?.stdout)?;
        Ok(rows.iter().filter_map(|row| row[count].as_f64()).sum())
    }

    /// Serves the sandbox until the answer is dropped.
    pub(crate) fn serve(&self) -> Result<Serving> {
        let mut child = self.command("sandbox serve").stderr(Stdio::null()).spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let serving = Serving(child);
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines
            .find(|line| line.starts_with("# moorline sandbox is ready"))
            .context("the sandbox did not start")?;
        Ok(serving)
    }
}

/// A sandbox being served.
pub(crate) struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A run of the program.
pub(crate) struct Measured {
    wall: Duration,
    /// Peak resident memory, in bytes.
    pub(crate) peak: u64,
    pub(crate) stdout: String,
}

impl Measured {
    /// From start to end.
    pub(crate) fn milliseconds(&self) -> f64 {
        self.wall.as_secs_f64() * 1000.0
    }

    /// How many claims an `up` says are bound.
    pub(crate) fn bound(&self) -> Result<usize> {
        let told: Value = serde_json::from_str(&self.stdout)?;
        let claims = told["status"]["claims"]
            .as_array()
            .context("no claims in the output of up")?;
        Ok(claims.iter().filter(|claim| claim["status"] == "Bound").count())
    }
}
