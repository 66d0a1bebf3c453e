//! Fuzzing: the targets of `fuzz/` under libFuzzer, each for a while, from the corpora that are kept.
//!
//! Stable Rust will do: the instruments are passes of LLVM that it can be told to run, and the targets need no sanitizer, for nothing
//! here is unsafe. `cargo fuzz run` of a nightly works on the same folder.

use std::collections::VecDeque;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::{fmt, fs};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;
use crate::report::Report;

/// How long each target is tried, in seconds.
pub(crate) const SECONDS: u32 = 60;

/// Where libFuzzer begins in continuous integration, so that a run of the same commit tries the same inputs.
pub(crate) const SEED: u32 = 1;

/// How much is tried.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// For each target.
    pub(crate) seconds: u32,
    /// 0 is one that libFuzzer chooses.
    pub(crate) seed: u32,
    /// Whether other steps run meanwhile, which go first.
    pub(crate) is_beside: bool,
}

impl Effort {
    /// How many targets are tried at once.
    fn at_once(self) -> usize {
        if self.is_beside { 1 } else { 2 }
    }
}

/// Coverage of every edge and of what comparisons saw, as libFuzzer reads it.
const INSTRUMENTS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
];

/// Tries these targets, or all.
pub(crate) fn run(report: &mut Report, only: &[String], effort: Effort) {
    if std::env::var_os("CXX").is_none() && process::on_path("c++").is_none() {
        return report.skip("fuzz targets, which need a C++ compiler (c++)".to_owned());
    }
    let targets = match targets(only) {
        Ok(targets) => Mutex::new(targets),
        Err(error) => return report.note("fuzz targets", Err(error)),
    };
    let target_folder = match build(report, effort) {
        Ok(Some(folder)) => folder,
        Ok(None) => return,
        Err(error) => return report.note("build of the fuzz targets", Err(error)),
    };
    let (at_once, seconds) = (effort.at_once(), effort.seconds);
    report
        .screen
        .say(&format!("\n==> fuzz targets, {at_once} at once, {seconds} s each"));
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(target) = next(&targets) {
                    let result = attempt(&target_folder, &target, effort);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.push((target, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by(|one, other| one.0.cmp(&other.0));
    for (target, result) in results {
        match result {
            Ok(tried) => report.note(&format!("fuzz target {target}: {tried} in {seconds} s"), Ok(())),
            Err(error) => report.note(&format!("fuzz target {target}"), Err(error)),
        }
    }
}

fn next(targets: &Mutex<VecDeque<String>>) -> Option<String> {
    targets.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// The names of the targets, of which there is one for each corpus.
fn targets(only: &[String]) -> Result<VecDeque<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir("fuzz/corpus")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for wanted in only {
        ensure!(
            names.contains(wanted),
            "there is no target {wanted}; there are {}",
            names.join(", ")
        );
    }
    names.retain(|name| only.is_empty() || only.contains(name));
    ensure!(!names.is_empty(), "there is no corpus, and so no target");
    Ok(names.into())
}

/// Builds all targets; the folder below which everything of theirs is, or nothing where the report has their failure.
fn build(report: &mut Report, effort: Effort) -> Result<Option<Folder>> {
    let host = process::output(process::cargo().args(["-vV"]))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("cargo does not tell what this machine is")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let target = std::path::absolute(target.join("fuzz"))?;
    let mut command = process::cargo();
    command.args([
        "build",
        "--quiet",
        "--locked",
        "--package=moorline-fuzz",
        "--features=fuzzing",
        "--bins",
        "--profile=fuzz",
    ]);
    // Our own crates get the instruments: what is searched is ours, and aws-sdk-ec2 would take 13 GB of memory with them.
    fs::create_dir_all(&target)?;
    command
        .args(["--target", host])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTC_WORKSPACE_WRAPPER", wrapper(&target)?);
    let is_built = report.step("build of the fuzz targets", &mut polite(effort, command));
    Ok(is_built.then(|| Folder {
        programs: target.join(host).join("fuzz"),
        artifacts: target.join("artifacts"),
    }))
}

/// The same command, which leaves the processors to what runs beside it, if anything does.
fn polite(effort: Effort, command: Command) -> Command {
    if !effort.is_beside {
        return command;
    }
    let mut nice = Command::new("nice");
    nice.arg("-n10").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => nice.env(name, value),
            None => nice.env_remove(name),
        };
    }
    nice
}

/// A program that runs the compiler with the instruments. Build scripts and macros get none, which they could not be linked with: for
/// them alone cargo names no target.
fn wrapper(folder: &Path) -> Result<PathBuf> {
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in\n*\" --target \"*) exec \"$@\" {} ;;\n*) exec \"$@\" ;;\nesac\n",
        INSTRUMENTS.join(" ")
    );
    let path = folder.join("instrumented-rustc");
    // Cargo takes a program that changed for another compiler, and would build everything anew.
    if fs::read_to_string(&path).ok().as_deref() != Some(&script) {
        fs::write(&path, script).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    Ok(path)
}

/// Where the targets are.
struct Folder {
    programs: PathBuf,
    /// What breaks one is kept here.
    artifacts: PathBuf,
}

/// What was tried of a target.
struct Tried {
    inputs: u64,
    /// Edges that were covered.
    edges: u64,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} inputs, {} edges", self.inputs, self.edges)
    }
}

/// Tries one target. What breaks it is kept.
fn attempt(folder: &Folder, target: &str, effort: Effort) -> Result<Tried> {
    // What is found goes here, in memory where the machine has that; the corpus that is kept is changed by people only.
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let folder_of_run = tempfile::Builder::new().prefix("moorline-fuzz-").tempdir_in(parent)?;
    let (found, written) = (folder_of_run.path().join("found"), folder_of_run.path().join("written"));
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&written)?;
    let artifacts = folder.artifacts.join(target);
    fs::create_dir_all(&artifacts)?;
    let mut command = Command::new(folder.programs.join(target));
    command.arg(&found).arg(format!("fuzz/corpus/{target}"));
    command.args([
        "-timeout=20",
        "-rss_limit_mb=4096",
        "-max_len=16384",
        "-print_final_stats=1",
    ]);
    command
        .arg(format!("-max_total_time={}", effort.seconds))
        .arg(format!("-seed={}", effort.seed))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .env("TMPDIR", &written);
    let mut command = polite(effort, command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", process::shown(&command)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match tried(&said) {
        Some(tried) if output.status.success() => Ok(tried),
        _ => {
            let last: Vec<&str> = said.lines().rev().take(30).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            bail!("{} ({}):\n{}", process::shown(&command), output.status, last.join("\n"))
        }
    }
}

/// What libFuzzer says that it did: the last `cov:`, and how many inputs were given. Where no edge was covered, the target has no
/// instruments, and was given noise.
fn tried(said: &str) -> Option<Tried> {
    let number = |text: &str| text.split_whitespace().next()?.parse().ok();
    let inputs = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let edges = said.lines().rev().find_map(|line| Some(line.split_once(" cov: ")?.1));
    let tried = Tried {
        inputs: number(inputs?)?,
        edges: number(edges?)?,
    };
    (tried.inputs > 0 && tried.edges > 1).then_some(tried)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_did_is_read() {
        let said = "#2\tINITED cov: 10 ft: 12 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                    #4000\tDONE   cov: 377 ft: 900 corp: 40/3Kb lim: 33 exec/s: 66 rss: 44Mb\n\
                    stat::number_of_executed_units: 4000\nstat::average_exec_per_sec:     66\n";
        assert_eq!(tried(said).unwrap().to_string(), "4000 inputs, 377 edges");
    }

    #[test]
    fn a_target_without_instruments_tried_nothing() {
        let said = "#4000\tDONE   cov: 0 ft: 0 corp: 1/1b\nstat::number_of_executed_units: 4000\n";
        assert!(tried(said).is_none());
        assert!(tried("stat::number_of_executed_units: 4000\n").is_none());
    }
}
