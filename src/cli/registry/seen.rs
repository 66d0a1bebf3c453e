//! What can be seen of clouds and clusters, for the first policy: nothing is changed.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use moorline_api::{Accounts as _, Cluster as _, Error, ErrorKind, Inventory};
use moorline_kubernetes::{KubeCluster, contexts};
use moorline_policy::{AwsScope, AzureScope, ClusterAccess, ClusterSpec, ScopeSpec, Seen, SeenCluster};
use tokio::time::timeout;

use super::gc::{link_of, policy_of};
use super::{aws, azure};
use crate::cli::app::App;
use crate::cli::failure::Failure;
use crate::cli::sandbox::Embedded;
use crate::cli::settings;

/// How long a cluster or cloud may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the environment's credentials and kubeconfig lead to. What does not answer is told on stderr, and left out or named with the
/// reason.
pub(crate) async fn seen(app: &App) -> Result<Seen, Failure> {
    if app.settings.sandbox {
        let sandbox = Embedded::open(&app.settings).await?;
        let seen = in_sandbox(app, &sandbox).await;
        sandbox.close().await;
        return Ok(seen);
    }
    let mut seen = Seen::default();
    aws_seen(app, &mut seen).await;
    azure_seen(app, &mut seen).await;
    let specs = specs(app)?;
    seen.clusters = join_all(specs.into_iter().map(|spec| ask(app, spec, None))).await;
    Ok(seen)
}

async fn in_sandbox(app: &App, sandbox: &Embedded) -> Seen {
    let policy = policy_of(sandbox);
    let clusters = policy.clusters.into_iter().map(|spec| ask(app, spec, Some(sandbox)));
    Seen {
        clusters: join_all(clusters).await,
        scopes: policy.scopes,
        ..Seen::default()
    }
}

async fn aws_seen(app: &App, seen: &mut Seen) {
    let provider = aws::for_store(&app.settings);
    match patiently(provider.account()).await {
        Ok(account) => {
            seen.scopes.push(ScopeSpec::Aws(AwsScope {
                profile: app.settings.aws_profile.clone(),
                role: None,
                external_id: None,
                account: Some(account.id.0),
                regions: vec![account.region],
            }));
            match tag_ids(&provider).await {
                Ok(ids) => seen.tag_ids = ids,
                Err(error) => app.tell(&format!("note: the tags of AWS's volumes could not be read: {error}")),
            }
        }
        Err(error) => app.tell(&format!("note: AWS is left out: {error}")),
    }
}

async fn azure_seen(app: &App, seen: &mut Seen) {
    let subscription = match azure::for_store(&app.settings) {
        Ok(provider) => patiently(provider.subscription())
            .await
            .map_err(|error| error.to_string()),
        Err(_) => Err("the environment names no identity that can be used".to_owned()),
    };
    match subscription {
        Ok(subscription) => seen.scopes.push(ScopeSpec::Azure(AzureScope {
            subscription: subscription.0.to_ascii_lowercase(),
            tenant: None,
            resource_groups: Vec::new(),
        })),
        Err(why) => app.tell(&format!("note: Azure is left out: {why}")),
    }
}

/// The ids of clusters in the tags of volumes, each with how many have it.
async fn tag_ids(inventory: &impl Inventory) -> Result<Vec<(String, usize)>, Error> {
    let mut ids = BTreeMap::<String, usize>::new();
    let mut pages = inventory.inventory();
    while let Some(page) = pages.next().await {
        for volume in page?.volumes {
            let owned = volume
                .tags
                .keys()
                .filter_map(|key| key.strip_prefix("kubernetes.io/cluster/"));
            for id in owned {
                *ids.entry(id.to_owned()).or_default() += 1;
            }
        }
    }
    Ok(ids.into_iter().collect())
}

/// The clusters of the kubeconfig, or the one of the option; without any, the one that this runs in.
fn specs(app: &App) -> Result<Vec<ClusterSpec>, Failure> {
    // Relative paths of a policy begin at its own folder.
    let file = app.settings.kubeconfig.as_deref().map(std::path::absolute).transpose();
    let file = file.map_err(|error| Failure::usage(format!("--kubeconfig: {error}")))?;
    let mut names = contexts(file.as_deref())?;
    if let Some(wanted) = &app.settings.context {
        names.retain(|name| name == wanted);
    }
    let cluster = |name: String, access| ClusterSpec {
        name,
        access,
        uid: None,
        tag_ids: Vec::new(),
    };
    if names.is_empty() && settings::variable("KUBERNETES_SERVICE_HOST").is_some() {
        return Ok(vec![cluster("in-cluster".to_owned(), ClusterAccess::InCluster)]);
    }
    let of_context = |name: String| {
        let access = ClusterAccess::Kubeconfig {
            file: file.clone(),
            context: Some(name.clone()),
        };
        cluster(name, access)
    };
    Ok(names.into_iter().map(of_context).collect())
}

/// Asks a cluster for its UID.
async fn ask(app: &App, mut spec: ClusterSpec, sandbox: Option<&Embedded>) -> SeenCluster {
    let answer = async |cluster: Result<KubeCluster, Error>| patiently(cluster?.identity()).await;
    let identity = answer(link_of(&app.settings, &spec, sandbox).await).await;
    let silent = match identity {
        Ok(identity) => {
            spec.uid = Some(identity.uid);
            None
        }
        Err(error) => Some(error.to_string()),
    };
    SeenCluster { spec, silent }
}

async fn patiently<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || {
        Error::new(
            ErrorKind::Unreachable,
            "ask",
            "who it is",
            "no answer within ten seconds",
        )
    };
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(late()))
}
