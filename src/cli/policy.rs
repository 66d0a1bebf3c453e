//! The policy of garbage collection, as commands are told of it.

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueHint};
use moorline_policy::{DEFAULT_NAME, PolicyFile};
use moorline_store::Location;

use super::app::App;
use super::failure::Failure;
use super::{registry, settings};

/// Which policy, and where its runs are kept.
#[derive(ClapArgs, Debug)]
pub(crate) struct PolicyChoice {
    /// The policy file; without it, `moorline-gc.yaml` in this folder.
    ///
    /// With --sandbox and without such a file: all clusters and clouds of the sandbox, with every default.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    policy: Option<PathBuf>,

    /// Where lease, records and history of runs are kept, instead of the policy's `store`: a folder, `s3://bucket/prefix`,
    /// `azblob://account/container/prefix`.
    #[arg(long, value_name = "PLACE")]
    run_store: Option<String>,
}

/// A policy that was chosen, and where its runs are kept.
pub(crate) struct Policy {
    /// The policy.
    pub(crate) file: PolicyFile,
    /// The run store.
    pub(crate) store: Location,
}

impl PolicyChoice {
    /// Whether anything was chosen.
    pub(crate) fn says_anything(&self) -> bool {
        self.policy.is_some() || self.run_store.is_some()
    }

    /// Reads and checks the policy. A bad one is refused with all of its problems, before any call. Warnings are told on stderr.
    pub(crate) async fn load(&self, app: &App) -> Result<Policy, Failure> {
        let usual = Path::new(DEFAULT_NAME);
        let path = self.policy.as_deref().or_else(|| usual.exists().then_some(usual));
        let file = match path {
            Some(path) => read(app, path)?,
            None if app.settings.sandbox => registry::sandbox_policy(&app.settings).await?,
            None => {
                let what = format!("no policy: there is no {DEFAULT_NAME} in this folder");
                return Err(Failure::usage(what)
                    .hint("`moorline gc init` writes one from what it sees; --policy names one elsewhere"));
            }
        };
        let store = self.store(app, &file)?;
        Ok(Policy { file, store })
    }

    fn store(&self, app: &App, file: &PolicyFile) -> Result<Location, Failure> {
        if let Some(place) = &self.run_store {
            return place
                .parse()
                .map_err(|problem| Failure::usage(format!("--run-store: {problem}")));
        }
        match &file.store {
            Some(location) => Ok(location.clone()),
            None if app.settings.sandbox => Ok(Location::Folder(app.settings.sandbox_runs()?)),
            None => {
                let what = format!("{}: no store, and runs have to be kept somewhere", file.path.display());
                Err(Failure::usage(what).hint(
                    "add `store: s3://bucket/prefix`, an azblob:// address or a folder to the policy, or say --run-store",
                ))
            }
        }
    }
}

/// Reads and checks a policy file. A bad one is refused with all of its problems, before any call. Warnings are told on stderr.
pub(crate) fn read(app: &App, path: &Path) -> Result<PolicyFile, Failure> {
    let coloured = app.settings.stderr_paint.is_on();
    for (given, option) in [
        (app.settings.region.is_some(), "--region"),
        (app.settings.context.is_some(), "--context"),
        (app.settings.kubeconfig.is_some(), "--kubeconfig"),
    ] {
        if given {
            let what = format!("{option} does not go with a policy, which names every scope and cluster itself");
            return Err(Failure::usage(what).hint(format!("change {} instead", path.display())));
        }
    }
    let home = settings::home();
    let file = moorline_policy::load(path, home.as_deref());
    let file = file.map_err(|problems| Failure::diagnostics(problems.render(coloured)))?;
    if !file.warnings.is_empty() {
        app.tell(&file.warnings.render(coloured));
    }
    Ok(file)
}
