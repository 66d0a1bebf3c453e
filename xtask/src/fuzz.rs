//! Fuzzing: the targets of `fuzz/` under libFuzzer, each for a while, from the corpora that are kept.
//!
//! Stable Rust will do: the instruments are passes of LLVM that it can be told to run, and the targets need no sanitizer, for nothing
//! here is unsafe. `cargo fuzz run` of a nightly works on the same folder.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;
use crate::test::Report;

/// How long each target is tried, in seconds.
pub(crate) const SECONDS: u32 = 60;

/// How many targets are tried at once.
const AT_ONCE: usize = 2;

/// Coverage of every edge and of what comparisons saw, as libFuzzer reads it.
const INSTRUMENTS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
];

/// Tries these targets, or all, for so many seconds each.
pub(crate) fn run(report: &mut Report, only: &[String], seconds: u32) {
    let start = Instant::now();
    let built = build();
    report.note(
        &format!("build of the fuzz targets, {:.0} s", start.elapsed().as_secs_f64()),
        built.as_ref().map(|_| ()).map_err(|error| anyhow::anyhow!("{error:#}")),
    );
    let Ok(folder) = built else { return };
    let targets = match targets(only) {
        Ok(targets) => Mutex::new(targets),
        Err(error) => return report.note("the fuzz targets", Err(error)),
    };
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(target) = next(&targets) {
                    let result = attempt(&folder, &target, seconds);
                    results
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((target, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by(|one, other| one.0.cmp(&other.0));
    for (target, result) in results {
        match result {
            Ok(runs) => report.note(&format!("fuzz target {target}: {runs} inputs in {seconds} s"), Ok(())),
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

/// Builds all targets, and gives the folder of their programs.
fn build() -> Result<PathBuf> {
    let host = process::output(process::cargo().args(["-vV"]))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("cargo does not tell what this machine is")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let target = std::path::absolute(target.join("fuzz"))?;
    let mut command = process::cargo();
    // With the target named, build scripts and macros are built without instruments, which they could not be linked with.
    command.args([
        "build",
        "--quiet",
        "--locked",
        "--bins",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--target",
        host,
    ]);
    command
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", INSTRUMENTS.join("\u{1f}"));
    process::run(&mut command)?;
    Ok(target.join(host).join("debug"))
}

/// Tries one target; how many inputs it was given. What breaks it is kept in `fuzz/artifacts`.
fn attempt(folder: &Path, target: &str, seconds: u32) -> Result<u64> {
    // What is found goes here; the corpus that is kept is changed by people only.
    let found = tempfile::Builder::new().prefix("moorline-fuzz-").tempdir()?;
    let artifacts = format!("fuzz/artifacts/{target}/");
    fs::create_dir_all(&artifacts)?;
    let mut command = Command::new(folder.join(target));
    command.arg(found.path()).arg(format!("fuzz/corpus/{target}"));
    command.args([
        "-timeout=20",
        "-rss_limit_mb=4096",
        "-max_len=16384",
        "-print_final_stats=1",
    ]);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={artifacts}"));
    let dictionary = PathBuf::from(format!("fuzz/dictionaries/{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", process::shown(&command)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let runs = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let runs: Option<u64> = runs.and_then(|runs| runs.trim().parse().ok());
    match runs {
        Some(runs) if output.status.success() && runs > 0 => Ok(runs),
        _ => {
            let last: Vec<&str> = said.lines().rev().take(30).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            bail!("{} ({}):\n{}", process::shown(&command), output.status, last.join("\n"))
        }
    }
}
