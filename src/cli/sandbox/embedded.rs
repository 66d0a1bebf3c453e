//! The sandbox that a command uses: the one being served, or one in this process over the same state.

use http::Method;
use moorline_pacing::Registry;
use moorline_sandbox::{Running, Sandbox, SandboxSettings, StartOptions};

use crate::cli::admin;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::settings::Settings;

/// A sandbox to talk to.
pub(crate) struct Embedded {
    host: Host,
    settings: SandboxSettings,
}

/// Who runs it.
enum Host {
    /// `moorline sandbox serve`.
    Served(Box<Running>),
    /// This process.
    Here(Box<Sandbox>),
}

impl Embedded {
    /// The name of the first cluster's context, in messages and kubeconfigs.
    pub(crate) const CONTEXT: &str = moorline_sandbox::FIRST_CLUSTER;

    /// The sandbox being served over the state's folder; where there is none, one is started here until
    /// [`close`](Self::close).
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let dir = settings.sandbox_dir()?;
        if let Some(running) = Sandbox::running(&dir) {
            let answer = admin::call(&running.admin_endpoint, Method::GET, "/_sandbox/settings", None).await?;
            let wrong = |error| {
                Failure::new(
                    Exit::Failed,
                    format!("the sandbox being served is another version: {error}"),
                )
            };
            let settings = serde_json::from_value(answer).map_err(wrong)?;
            return Ok(Self {
                host: Host::Served(Box::new(running)),
                settings,
            });
        }
        let sandbox = Sandbox::start(StartOptions {
            state_dir: Some(dir),
            ..StartOptions::default()
        })
        .await?;
        Ok(Self {
            settings: sandbox.settings(),
            host: Host::Here(Box::new(sandbox)),
        })
    }

    /// How it behaves.
    pub(crate) fn settings(&self) -> &SandboxSettings {
        &self.settings
    }

    /// The budgets of its clouds' calls: nobody else reaches a sandbox in this process.
    pub(crate) fn rates(&self, settings: &Settings) -> Registry {
        match &self.host {
            Host::Served(_) => settings.rates.clone(),
            Host::Here(_) => settings.rates.apart(),
        }
    }

    /// Address of the AWS account.
    pub(crate) fn aws(&self) -> String {
        match &self.host {
            Host::Served(running) => running.aws_endpoint.clone(),
            Host::Here(sandbox) => sandbox.aws_endpoint(),
        }
    }

    /// Address of the Azure cloud.
    pub(crate) fn azure(&self) -> String {
        match &self.host {
            Host::Served(running) => running.azure_endpoint.clone(),
            Host::Here(sandbox) => sandbox.azure_endpoint(),
        }
    }

    /// The certificate by which the Azure cloud is known, as PEM text.
    pub(crate) fn azure_certificate(&self) -> String {
        match &self.host {
            Host::Served(running) => running.azure_certificate.clone(),
            Host::Here(sandbox) => sandbox.azure_certificate().to_owned(),
        }
    }

    /// Name of context and address of every cluster, the first one first.
    pub(crate) fn clusters(&self) -> Vec<(String, String)> {
        let clusters = match &self.host {
            Host::Served(running) => running.clusters.clone(),
            Host::Here(sandbox) => sandbox.clusters(),
        };
        clusters
            .into_iter()
            .map(|cluster| (cluster.context, cluster.endpoint))
            .collect()
    }

    /// Address of the first cluster's API server.
    pub(crate) fn kubernetes(&self) -> String {
        match &self.host {
            Host::Served(running) => running.kubernetes_endpoint.clone(),
            Host::Here(sandbox) => sandbox.kubernetes_endpoint(),
        }
    }

    /// Address of the sandbox's own interface.
    pub(crate) fn admin(&self) -> String {
        match &self.host {
            Host::Served(running) => running.admin_endpoint.clone(),
            Host::Here(sandbox) => sandbox.admin_endpoint(),
        }
    }

    /// Ends it where this process runs it; the state is kept.
    pub(crate) async fn close(self) {
        if let Host::Here(sandbox) = self.host {
            sandbox.shutdown().await;
        }
    }
}
