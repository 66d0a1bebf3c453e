//! Measures the release binary from outside, against the limits that moorline sets itself: `cargo xtask bench`.
//!
//! Every world is new and runs the embedded sandbox, so nothing but the machine's speed decides; only `apply` needs a real
//! control plane, and holds moorline against kubectl there. Figures end in a ratio to their limit; one above 1 fails the run.

mod collection;
mod figures;
mod versus;
mod world;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::figures::Figure;

/// Measure the release binary
#[derive(Parser)]
struct Arguments {
    /// The program to measure
    #[arg(long, default_value = "target/release/moorline")]
    program: PathBuf,

    /// The kubectl to compare with (apply)
    #[arg(long, default_value = "kubectl")]
    kubectl: PathBuf,

    /// The cluster to compare in; without it that of the running real parts (apply)
    #[arg(long)]
    kubeconfig: Option<PathBuf>,

    /// What to measure; without it everything that the sandbox can show
    #[arg(value_enum)]
    only: Vec<Measurement>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measurement {
    /// Size of the binary and time of `moorline --version`
    Start,
    /// `up` of 300 replicas where nothing but moorline takes time
    Overhead,
    /// `up` of 1,000 replicas that are all there: time and peak memory
    Noop,
    /// `up` of 300 replicas at the published rates, against the time that they allow; takes most of a minute
    Floor,
    /// A dry run of `gc` over 100,000 volumes of 3 clusters: time, peak memory, and time where calls take 20 ms
    Collection,
    /// `gc --apply` of 1,000 unused volumes at the published rates; takes three minutes
    Deletions,
    /// `up` of 300 objects against `kubectl apply --server-side` of the same, on a real API server
    Apply,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let program = arguments.program.canonicalize()?;
    let mut only = arguments.only;
    if only.is_empty() {
        only.extend(Measurement::value_variants());
        only.retain(|measurement| *measurement != Measurement::Apply);
    }
    let mut met = true;
    show("FIGURE", "MEASURED", "LIMIT", "RATIO")?;
    for measurement in only {
        let figures = match measurement {
            Measurement::Start => figures::start(&program)?,
            Measurement::Overhead => figures::overhead(&program)?,
            Measurement::Noop => figures::no_op(&program)?,
            Measurement::Floor => figures::floor(&program)?,
            Measurement::Collection => collection::dry_run(&program)?,
            Measurement::Deletions => collection::deletions(&program)?,
            Measurement::Apply => versus::kubectl(&program, &arguments.kubectl, arguments.kubeconfig.as_deref())?,
        };
        for figure in figures {
            met &= figure.is_met();
            let Figure {
                what,
                measured,
                limit,
                unit,
            } = &figure;
            show(
                what,
                &format!("{measured:.1} {unit}"),
                &format!("{limit} {unit}"),
                &figure.ratio(),
            )?;
        }
    }
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(what: &str, measured: &str, limit: &str, ratio: &str) -> Result<()> {
    Ok(writeln!(
        std::io::stdout(),
        "{what:<66}{measured:>14}{limit:>12}{ratio:>8}"
    )?)
}
