//! `moorline completions` and `moorline schema`

use clap::{Args as ClapArgs, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::app::print;
use super::exit::Exit;
use super::failure::Failure;

/// Print a completion script for a shell
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline completions bash > ~/.local/share/bash-completion/completions/moorline"
)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "moorline", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
