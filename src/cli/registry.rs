//! Profiles, clouds and clusters by name: the only place that knows concrete providers.

use std::path::Path;
use std::sync::Arc;

use moorline_api::{Cluster, StorageRules};
use moorline_aws::{AwsProvider, AwsSettings, Budget, Budgets, EbsRules, StaticKeys};
use moorline_engine::Cloud;
use moorline_kubernetes::{KubeCluster, KubeSettings};
use moorline_profile::{Profile, Surroundings};

use super::app::App;
use super::failure::Failure;
use super::options::Rate;
use super::sandbox::Embedded;
use super::settings::Settings;

/// Loads a profile and checks it against the rules of every provider; no call is made. Warnings are told on stderr.
pub(crate) fn load(app: &App, folder: &Path) -> Result<Profile, Failure> {
    let rules: [&dyn StorageRules; 1] = [&EbsRules];
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
pub(crate) const SCHEMA: &str = include_str!("../../schemas/profile.schema.json");

/// A cluster and a cloud, and what had to be started for them.
pub(crate) struct Connection {
    /// The cluster.
    pub(crate) cluster: Arc<dyn Cluster>,
    /// The cloud.
    pub(crate) cloud: Cloud,
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
    let limits = settings.limits(false);
    let kube = KubeSettings::default();
    let kube = KubeSettings {
        kubeconfig: settings.kubeconfig.clone(),
        context: settings.context.clone(),
        concurrency: limits.concurrency,
        call_timeout: kube.call_timeout.min(limits.timeout),
    };
    let cluster = match &sandbox {
        Some(sandbox) => KubeCluster::at(&sandbox.kubernetes(), Embedded::CONTEXT, &kube),
        None => KubeCluster::connect(&kube).await,
    };
    let cluster = match cluster {
        Ok(cluster) => Arc::new(cluster),
        Err(error) => {
            if let Some(sandbox) = sandbox {
                sandbox.close().await;
            }
            return Err(error.into());
        }
    };
    let aws = Arc::new(AwsProvider::connect(aws_settings(settings, profile, sandbox.as_ref())));
    let cloud = Cloud::of(aws, Arc::new(EbsRules));
    Ok(Connection {
        cluster,
        cloud,
        sandbox,
    })
}

fn aws_settings(settings: &Settings, profile: Option<&Profile>, sandbox: Option<&Embedded>) -> AwsSettings {
    let pinned = profile.and_then(|profile| profile.provider.region());
    let region = settings.region.clone().or_else(|| pinned.map(str::to_owned));
    let timeout = settings.limits(false).timeout;
    let common = AwsSettings::default();
    // No call outlasts the run; one that ends with its own error says more than a deadline does.
    let common = AwsSettings {
        profile: settings.aws_profile.clone(),
        budgets: budgets(settings, sandbox),
        call_timeout: common.call_timeout.min(timeout),
        patience: common.patience.min(timeout),
        ..common
    };
    match sandbox {
        None => AwsSettings { region, ..common },
        Some(sandbox) => AwsSettings {
            region: region.or_else(|| Some(sandbox.settings().aws.region.clone())),
            endpoint: Some(sandbox.aws()),
            // The sandbox knows no secrets: any key is as good.
            keys: Some(StaticKeys {
                access_key_id: "sandbox".to_owned(),
                secret_access_key: "sandbox".to_owned(),
            }),
            ..common
        },
    }
}

fn budgets(settings: &Settings, sandbox: Option<&Embedded>) -> Budgets {
    if sandbox.is_some_and(|sandbox| !sandbox.settings().aws.throttle) {
        return Budgets::unlimited();
    }
    let volume_writes = match settings.volume_rate {
        None => Budgets::default().volume_writes,
        Some(Rate::Unlimited) => None,
        Some(Rate::Bucket { burst, per_second }) => Some(Budget { burst, per_second }),
    };
    Budgets {
        volume_writes,
        ..Budgets::default()
    }
}
