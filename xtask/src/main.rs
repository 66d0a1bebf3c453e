//! `cargo xtask`: what moorline's developers run.
//!
//! Some tests drive the sandbox with clients that are not ours, the real kubectl, boto3 and Azure's; others hold moorline and its
//! sandbox to what real parts do: a Kubernetes control plane, moto, LocalStack, Azurite. All of these are set up here, once, in a cache outside
//! the checkout; a machine that cannot have one is told what it misses.

mod cache;
mod client;
mod counted;
mod fuzz;
mod kubectl;
mod kubernetes;
mod node;
mod process;
mod python;
mod real;
mod report;
mod supply;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::client::Client;

/// Set up, check and test moorline
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything that must pass: formatting, tests, tests with real parts and outside clients, lints
    ///
    /// What could not be run is listed at the end with what to install; where the environment says CI=true that is a
    /// failure.
    Test,
    /// Check the formatting and the lints only
    Check,
    /// Check licences, sources, bans and known flaws of what moorline is made of, and write its SBOM
    Supply,
    /// Give the parsers of what comes from outside inputs that nobody thought of (fuzz/)
    Fuzz {
        /// Which targets; all without it
        only: Vec<String>,
        /// How long each is tried
        #[arg(long, default_value_t = fuzz::SECONDS)]
        seconds: u32,
        /// Where libFuzzer begins; 0 is somewhere else each time
        #[arg(long, default_value_t = 0)]
        seed: u32,
    },
    /// Print the path of the kubectl that the tests use, after building it where the machine has none
    Kubectl {
        /// Build it even where the machine has one
        #[arg(long)]
        build: bool,
    },
    /// Print the path of the Python that has the boto3 that the tests use
    Python {
        /// The one that has Azure's clients
        #[arg(long)]
        azure: bool,
    },
    /// Real parts in the background: a Kubernetes control plane, moto, LocalStack, Azurite
    #[command(subcommand)]
    Real(Real),
    /// Build the release binary and measure it against the limits that moorline sets itself
    Bench {
        /// What to measure (start, overhead, noop, floor); without it all of these. `apply` compares with kubectl on the real
        /// control plane (cargo xtask real up kubernetes)
        only: Vec<String>,
    },
}

#[derive(Subcommand)]
enum Real {
    /// Start them, after building or installing them once, and print how to use them: eval "$(cargo xtask real up)"
    ///
    /// What runs already is left as it is. The lines on stdout are for a shell; everything else is on stderr.
    Up {
        /// Which; all without it
        parts: Vec<real::Part>,
    },
    /// Stop them, and remove their data; logs stay
    Down {
        /// Which; all without it
        parts: Vec<real::Part>,
    },
    /// Say of each process whether it runs and is healthy, where it is and where its log is
    Status,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            process::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<ExitCode> {
    std::env::set_current_dir(root()?)?;
    match command {
        Command::Test => Ok(test::everything()),
        Command::Check => Ok(test::check()),
        Command::Supply => Ok(test::alone(supply::check)),
        Command::Fuzz { only, seconds, seed } => Ok(test::alone(|report| {
            let effort = fuzz::Effort {
                seconds: *seconds,
                seed: *seed,
                is_beside: false,
            };
            fuzz::run(report, only, effort);
        })),
        Command::Kubectl { build } => {
            let kubectl = if *build { kubectl::build() } else { kubectl::set_up() };
            print_path(kubectl)
        }
        Command::Python { azure: false } => print_path(python::BOTO3.set_up()),
        Command::Python { azure: true } => print_path(python::AZURE.set_up()),
        Command::Real(Real::Up { parts }) => real::up(parts),
        Command::Real(Real::Down { parts }) => real::down(parts),
        Command::Real(Real::Status) => real::status(),
        Command::Bench { only } => bench(only),
    }
}

fn bench(only: &[String]) -> Result<ExitCode> {
    process::run(process::cargo().args(["build", "--release", "--locked", "--package", "moorline"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let mut measure = process::cargo();
    measure.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "moorline-benches",
        "--",
        "--program",
    ]);
    process::run(measure.arg(target.join("release/moorline")).args(only))?;
    Ok(ExitCode::SUCCESS)
}

/// The folder of the workspace.
fn root() -> Result<PathBuf> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(PathBuf::from).context("xtask lies in no workspace")
}

fn print_path(client: Result<Client, client::Missing>) -> Result<ExitCode> {
    use std::io::Write as _;
    match client {
        Ok(client) => {
            writeln!(std::io::stdout(), "{}", client.program.display())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(missing) => {
            process::say(&missing.to_string());
            Ok(ExitCode::FAILURE)
        }
    }
}
