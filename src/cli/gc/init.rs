//! `moorline gc init`

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueHint};
use moorline_policy::{DEFAULT_NAME, render_initial};

use crate::cli::app::{App, print};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::registry;

/// Write a policy from what can be seen: the contexts of the kubeconfig, the account and subscription of the environment
///
/// Every line is explained by a comment. Read it before it is used: only you know whether every cluster that shares these
/// accounts is among them. A file that is there is not overwritten.
#[derive(ClapArgs, Debug)]
#[command(
    after_long_help = "Examples:\n  moorline gc init\n  moorline gc init prod/moorline-gc.yaml --aws-profile prod\n  moorline gc init - --sandbox"
)]
pub(crate) struct Args {
    /// The file to write; `-` is stdout.
    #[arg(default_value = DEFAULT_NAME, value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Where runs are to be kept: a folder, `s3://bucket/prefix`, `azblob://account/container/prefix`.
    #[arg(long, value_name = "PLACE")]
    run_store: Option<String>,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Failure> {
    if let Some(place) = &args.run_store {
        let checked = place.parse::<moorline_store::Location>();
        checked.map_err(|problem| Failure::usage(format!("--run-store: {problem}")))?;
    }
    let to_stdout = args.file == Path::new("-");
    if !to_stdout && args.file.exists() {
        return Err(there_already(&args.file));
    }
    let mut seen = registry::seen(app).await?;
    seen.store = args.run_store;
    let text = render_initial(&seen);
    if to_stdout {
        print(&text)?;
    } else {
        write(&args.file, &text)?;
        let file = args.file.display();
        app.tell(&format!(
            "{file} is written: read it, correct it, then look with moorline gc --policy {file}"
        ));
    }
    // What is missing has to be filled in by hand.
    Ok(Exit::incomplete(seen.scopes.is_empty() || seen.clusters.is_empty()))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let created = OpenOptions::new().write(true).create_new(true).open(file);
    match created.and_then(|mut created| created.write_all(text.as_bytes())) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(there_already(file)),
        Err(error) => Err(Failure::new(Exit::Failed, format!("{}: {error}", file.display()))),
    }
}

fn there_already(file: &Path) -> Failure {
    Failure::usage(format!("{} is there already, and is not overwritten", file.display()))
        .hint("name another file, or `-` for stdout")
}
