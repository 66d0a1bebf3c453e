//! The sandbox that a command uses: the one being served, or one in this process over the same state.

use std::path::Path;

use moorline_sandbox::{Running, Sandbox, StartOptions};

use crate::cli::failure::Failure;
use crate::cli::settings::Settings;

/// A sandbox to talk to.
pub(crate) enum Embedded {
    /// `moorline sandbox serve` runs it.
    Served(Box<Running>),
    /// This process runs it.
    Here(Box<Sandbox>),
}

impl Embedded {
    /// The name of its context, in messages and kubeconfigs.
    pub(crate) const CONTEXT: &str = "moorline-sandbox";

    /// The sandbox being served over the state's folder; where there is none, one is started here until [`close`](Self::close).
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let dir = settings.sandbox_dir()?;
        match Self::served(&dir) {
            Some(running) => Ok(running),
            None => Ok(Self::Here(Box::new(
                Sandbox::start(StartOptions {
                    state_dir: Some(dir),
                    ..StartOptions::default()
                })
                .await?,
            ))),
        }
    }

    /// The sandbox being served over a state's folder.
    pub(crate) fn served(dir: &Path) -> Option<Self> {
        Sandbox::running(dir).map(|running| Self::Served(Box::new(running)))
    }

    /// Address of the cloud.
    pub(crate) fn aws(&self) -> String {
        match self {
            Self::Served(running) => running.aws_endpoint.clone(),
            Self::Here(sandbox) => sandbox.aws_endpoint(),
        }
    }

    /// Address of the API server.
    pub(crate) fn kubernetes(&self) -> String {
        match self {
            Self::Served(running) => running.kubernetes_endpoint.clone(),
            Self::Here(sandbox) => sandbox.kubernetes_endpoint(),
        }
    }

    /// Address of the sandbox's own interface.
    pub(crate) fn admin(&self) -> String {
        match self {
            Self::Served(running) => running.admin_endpoint.clone(),
            Self::Here(sandbox) => sandbox.admin_endpoint(),
        }
    }

    /// Its region.
    pub(crate) fn region(&self) -> String {
        "us-east-1".to_owned()
    }

    /// Whether it refuses calls for their rate.
    pub(crate) fn is_throttled(&self) -> bool {
        true
    }

    /// Ends it where this process runs it; the state is kept.
    pub(crate) async fn close(self) {
        if let Self::Here(sandbox) = self {
            sandbox.shutdown().await;
        }
    }
}
