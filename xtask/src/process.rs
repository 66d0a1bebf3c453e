//! Programs that are run, and what is said about it.

use std::fmt;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use wait4::Wait4 as _;

/// Says a line on stderr. That it cannot be read is no reason to fail.
pub(crate) fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// `cargo`, as the user would call it.
///
/// `cargo run` tells this process about xtask's own package, and build scripts (ring's among them) look at those
/// variables: passed on, they would make the inner cargo rebuild what the user's own cargo built.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let own = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"].contains(&name)
        });
        if own {
            command.env_remove(name);
        }
    }
    command
}

/// Runs `command` with its output shown; its failure is an error that names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    timed(command, &Screen::Terminal).1
}

/// Runs `command` with its output on `screen`; what it took, and its failure as an error that names it.
pub(crate) fn timed(command: &mut Command, screen: &Screen) -> (Spent, Result<()>) {
    let start = Instant::now();
    let ended = screen.set(command).and_then(|()| {
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.with_context(|| format!("cannot run {}", shown(command)))?;
        wait(child, command)
    });
    match ended {
        Err(error) => (Spent::since(start, Duration::ZERO), Err(error)),
        Ok((cpu, result)) => (Spent::since(start, cpu), result),
    }
}

/// Waits for a child; the time of processors that it and those it waited for took, and whether it went well.
pub(crate) fn wait(child: Child, command: &Command) -> Result<(Duration, Result<()>)> {
    let used = child
        .wait4()
        .with_context(|| format!("cannot wait for {}", shown(command)))?;
    let result = if used.status.success() {
        Ok(())
    } else {
        Err(anyhow!("{} failed ({})", shown(command), used.status))
    };
    Ok((used.rusage.utime + used.rusage.stime, result))
}

/// What something took.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spent {
    wall: Duration,
    /// Of processors, without what was left running.
    cpu: Duration,
}

impl Spent {
    /// From `start` to now, with so much time of processors.
    pub(crate) fn since(start: Instant, cpu: Duration) -> Self {
        Self {
            wall: start.elapsed(),
            cpu,
        }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wall, cpu } = self;
        write!(f, "{:.0} s ({:.0} s of CPU)", wall.as_secs_f64(), cpu.as_secs_f64())
    }
}

/// Where the output of steps is seen.
#[derive(Default)]
pub(crate) enum Screen {
    /// At once.
    #[default]
    Terminal,
    /// When they are done: others run beside them, and lines of both would mix.
    Later(File),
}

impl Screen {
    pub(crate) fn later() -> Result<Self> {
        Ok(Self::Later(tempfile::tempfile().context("no file for what steps say")?))
    }

    /// Has what `command` says go here.
    pub(crate) fn set(&self, command: &mut Command) -> Result<()> {
        if let Self::Later(file) = self {
            command.stdout(file.try_clone()?).stderr(file.try_clone()?);
        }
        Ok(())
    }

    /// Says a line here. That it cannot be read is no reason to fail.
    pub(crate) fn say(&self, line: &str) {
        match self {
            Self::Terminal => say(line),
            Self::Later(file) => drop(writeln!(&mut &*file, "{line}")),
        }
    }

    /// Shows what was kept.
    pub(crate) fn show(self) {
        if let Self::Later(mut file) = self {
            drop(
                file.rewind()
                    .and_then(|()| std::io::copy(&mut file, &mut std::io::stderr())),
            );
        }
    }
}

/// What `command` prints on stdout; its failure is an error with what it said.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {}", shown(command), output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The program that a shell would run for `name`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let candidates = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

/// `command` as it would be typed, without its environment.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
