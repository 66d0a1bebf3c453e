//! Profiles, clouds and clusters by name: the only place that knows concrete providers.

mod aws;
mod azure;
mod estate;
mod gc;
mod seen;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use moorline_api::{CloudName, Cluster, ListQuery, ResourceKind, StorageRules};
use moorline_aws::EbsRules;
use moorline_azure::AzureRules;
use moorline_engine::Cloud;
use moorline_kubernetes::{KubeCluster, KubeSettings};
use moorline_profile::{Profile, Surroundings};

use super::app::App;
use super::failure::Failure;
use super::sandbox::Embedded;
use super::settings::Settings;

pub(crate) use estate::estate;
pub(crate) use gc::{collection, sandbox_policy};
pub(crate) use seen::seen;

/// Urgent calls at once, and how long each may take: there are few, and one that is late is sent again.
const URGENT: usize = 4;
const URGENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Loads a profile and checks it against the rules of every provider; no call is made. Warnings are told on stderr.
pub(crate) fn load(app: &App, folder: &Path) -> Result<Profile, Failure> {
    let rules: [&dyn StorageRules; 2] = [&EbsRules, &AzureRules];
    let surroundings = Surroundings {
        rules: &rules,
        region: app.settings.region.as_deref(),
        zones: None,
    };
    let coloured = app.settings.stderr_paint.is_on();
    let profile = moorline_profile::load(folder, &surroundings);
    let profile = profile.map_err(|problems| Failure::diagnostics(problems.render(coloured)))?;
    if !profile.warnings.is_empty() {
        app.tell(&profile.warnings.render(coloured));
    }
    Ok(profile)
}

/// The JSON Schema of `profile.yaml`.
pub(crate) const SCHEMA: &str = include_str!("../../../schemas/profile.schema.json");

/// A cluster and a cloud, and what had to be started for them.
pub(crate) struct Connection {
    /// The cluster.
    pub(crate) cluster: Arc<dyn Cluster>,
    /// The same cluster, beside the calls under way.
    pub(crate) beside: Arc<dyn Cluster>,
    /// The cloud.
    pub(crate) cloud: Cloud,
    /// Other clouds that have machines of the cluster.
    pub(crate) others: Vec<Cloud>,
    sandbox: Option<Embedded>,
}

impl Connection {
    /// Ends what was started; the sandbox's state is kept.
    pub(crate) async fn close(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.close().await;
        }
    }
}

/// Connects to what options, profile and surroundings name; the first call is made later, by who needs it.
pub(crate) async fn connect(settings: &Settings, profile: Option<&Profile>) -> Result<Connection, Failure> {
    let sandbox = if settings.sandbox {
        Some(Embedded::open(settings).await?)
    } else {
        None
    };
    match connect_within(settings, profile, sandbox.as_ref()).await {
        Ok((cluster, cloud, others)) => Ok(Connection {
            beside: Arc::new(cluster.beside(URGENT, URGENT_TIMEOUT)),
            cluster: Arc::new(cluster),
            cloud,
            others,
            sandbox,
        }),
        Err(failure) => {
            if let Some(sandbox) = sandbox {
                sandbox.close().await;
            }
            Err(failure)
        }
    }
}

async fn connect_within(
    settings: &Settings,
    profile: Option<&Profile>,
    sandbox: Option<&Embedded>,
) -> Result<(KubeCluster, Cloud, Vec<Cloud>), Failure> {
    let kube = KubeSettings {
        kubeconfig: settings.kubeconfig.clone(),
        context: settings.context.clone(),
        ..kube_settings(settings)
    };
    let cluster = match sandbox {
        Some(sandbox) => KubeCluster::at(&sandbox.kubernetes(), Embedded::CONTEXT, &kube)?,
        None => KubeCluster::connect(&kube).await?,
    };
    let (name, others) = match profile {
        Some(profile) => (profile.provider.cloud(), Vec::new()),
        None => clouds_of(&cluster, sandbox.is_some()).await,
    };
    let cloud = |name| match name {
        CloudName::Aws => Ok(aws::cloud(settings, profile, sandbox)),
        CloudName::Azure => azure::cloud(settings, profile, sandbox),
    };
    let others = others.into_iter().map(cloud).collect::<Result<Vec<_>, _>>()?;
    Ok((cluster, cloud(name)?, others))
}

/// How hard a cluster may be used.
fn kube_settings(settings: &Settings) -> KubeSettings {
    let limits = settings.limits(false);
    let kube = KubeSettings::default();
    KubeSettings {
        concurrency: limits.concurrency,
        call_timeout: settings.call_timeout(kube.call_timeout),
        // A person who logs in may take longer than a call, and no longer than the run.
        login_timeout: kube.login_timeout.min(limits.timeout),
        ..kube
    }
}

/// The clouds whose machines the cluster's nodes are, the first node's first; AWS where no node says. The sandbox's are of one
/// cloud, and its volumes of both.
async fn clouds_of(cluster: &dyn Cluster, is_sandbox: bool) -> (CloudName, Vec<CloudName>) {
    let mut found = Vec::new();
    let mut pages = cluster.list(ListQuery::everywhere(ResourceKind::node()));
    while let Some(Ok(page)) = pages.next().await {
        let ids = page
            .objects
            .iter()
            .filter_map(|node| node.str_at(&["spec", "providerID"]));
        found.extend(ids.map(|id| {
            if id.starts_with("azure:") {
                CloudName::Azure
            } else {
                CloudName::Aws
            }
        }));
        let mut seen = BTreeSet::new();
        found.retain(|name| seen.insert(*name));
    }
    if is_sandbox {
        let absent = [CloudName::Aws, CloudName::Azure]
            .into_iter()
            .filter(|name| !found.contains(name));
        found.extend(absent.collect::<Vec<_>>());
    }
    let mut found = found.into_iter();
    (found.next().unwrap_or(CloudName::Aws), found.collect())
}
