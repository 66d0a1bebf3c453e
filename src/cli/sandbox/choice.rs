//! How the sandbox behaves, as chosen on the command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use moorline_sandbox::SandboxSettings;

use crate::cli::failure::Failure;

/// Settings of the sandbox, by name or from a file.
#[derive(ClapArgs, Debug)]
pub(super) struct Choice {
    /// No throttling, no latency, no delayed visibility.
    #[arg(long, conflicts_with = "settings")]
    pub(super) instant: bool,

    /// Settings as JSON; what it leaves out is realistic. They are kept for later runs.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) settings: Option<PathBuf>,
}

impl Choice {
    /// The settings; `None` where nothing was chosen.
    pub(super) fn settings(&self) -> Result<Option<SandboxSettings>, Failure> {
        if self.instant {
            return Ok(Some(SandboxSettings::instant()));
        }
        let Some(file) = &self.settings else { return Ok(None) };
        let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
        serde_json::from_str(&text).map(Some).map_err(|error| wrong(&error))
    }
}
