//! Every cluster of a policy, with the clouds of all of its scopes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use moorline_api::{
    Account, Accounts, Error, ErrorKind, NewVolume, Result as Outcome, Snapshot, Tags, Volume, VolumeFilter, VolumeId,
    Volumes,
};
use moorline_aws::EbsRules;
use moorline_azure::{AzureProvider, AzureRules};
use moorline_engine::Cloud;
use moorline_policy::{ClusterSpec, PolicyFile, ScopeSpec};

use super::gc::link_of;
use super::{Connection, URGENT, URGENT_TIMEOUT, aws, azure};
use crate::cli::failure::Failure;
use crate::cli::sandbox::Embedded;
use crate::cli::settings::Settings;

/// What a policy names, ready to be looked at, and what had to be started for it.
pub(crate) struct Estate {
    /// The clusters, in the policy's order. One that cannot be tried keeps nobody from the others.
    pub(crate) clusters: Vec<(ClusterSpec, Result<Connection, Error>)>,
    sandbox: Option<Embedded>,
}

impl Estate {
    /// Ends what was started; the sandbox's state is kept.
    pub(crate) async fn close(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.close().await;
        }
    }
}

/// Connects to every cluster of a policy; no call is made yet.
pub(crate) async fn estate(settings: &Settings, file: &PolicyFile) -> Result<Estate, Failure> {
    let sandbox = if settings.sandbox {
        Some(Embedded::open(settings).await?)
    } else {
        None
    };
    let clouds = match clouds(settings, file, sandbox.as_ref()) {
        Ok(clouds) => clouds,
        Err(failure) => {
            if let Some(sandbox) = sandbox {
                sandbox.close().await;
            }
            return Err(failure);
        }
    };
    let mut clusters = Vec::new();
    for spec in &file.clusters {
        let cluster = link_of(settings, spec, sandbox.as_ref()).await;
        let connection = cluster.and_then(|cluster| {
            let (cloud, others) = clouds.split_first().ok_or_else(nowhere)?;
            Ok(Connection {
                beside: Arc::new(cluster.beside(URGENT, URGENT_TIMEOUT)),
                cluster: Arc::new(cluster),
                cloud: cloud.clone(),
                others: others.to_vec(),
                sandbox: None,
            })
        });
        clusters.push((spec.clone(), connection));
    }
    Ok(Estate { clusters, sandbox })
}

fn nowhere() -> Error {
    Error::new(ErrorKind::Invalid, "look for volumes", "", "the policy names no scope")
}

/// One cloud of each provider, which has the volumes of all of its scopes.
fn clouds(settings: &Settings, file: &PolicyFile, sandbox: Option<&Embedded>) -> Result<Vec<Cloud>, Failure> {
    let (mut amazon, mut microsoft) = (Vec::new(), Vec::new());
    for spec in &file.scopes {
        match spec {
            ScopeSpec::Aws(spec) => amazon.extend(spec.regions.iter().map(|region| {
                let provider = aws::scope(settings, spec, region, sandbox);
                Cloud::of(Arc::new(provider), Arc::new(EbsRules))
            })),
            ScopeSpec::Azure(spec) => {
                let provider = Arc::new(azure::scope(settings, spec, sandbox)?);
                microsoft.push(Cloud {
                    accounts: Arc::new(Subscription(Arc::clone(&provider))),
                    ..Cloud::of(provider, Arc::new(AzureRules))
                });
            }
        }
    }
    Ok([amazon, microsoft].into_iter().filter_map(together).collect())
}

fn together(parts: Vec<Cloud>) -> Option<Cloud> {
    let first = parts.first()?.clone();
    let volumes = parts.into_iter().map(|part| part.volumes).collect();
    Some(Cloud {
        volumes: Arc::new(Together(volumes)),
        ..first
    })
}

/// A subscription as a whole: of all of its regions and resource groups.
struct Subscription(Arc<AzureProvider>);

#[async_trait]
impl Accounts for Subscription {
    async fn account(&self) -> Outcome<Account> {
        Ok(Account {
            id: self.0.subscription().await?,
            caller: String::new(),
            region: String::new(),
            zones: Vec::new(),
        })
    }
}

/// The volumes of several scopes, to be looked at: a listing of them is whole only where each of theirs is.
struct Together(Vec<Arc<dyn Volumes>>);

fn only_read<T>(operation: &str) -> Outcome<T> {
    let why = "the scopes of a policy are only read together";
    Err(Error::new(ErrorKind::Unsupported, operation, "volume", why))
}

#[async_trait]
impl Volumes for Together {
    async fn create(&self, _new: &NewVolume) -> Outcome<Volume> {
        only_read("create")
    }

    fn list(&self, filter: VolumeFilter) -> BoxStream<'_, Outcome<Vec<Volume>>> {
        let all = self.0.iter().map(move |part| part.list(filter.clone()));
        stream::iter(all).flatten().boxed()
    }

    async fn wait_usable(&self, _id: &VolumeId) -> Outcome<Volume> {
        only_read("wait for")
    }

    async fn delete(&self, _id: &VolumeId) -> Outcome<()> {
        only_read("delete")
    }

    async fn wait_gone(&self, _id: &VolumeId) -> Outcome<()> {
        only_read("wait for")
    }

    async fn snapshot(&self, _id: &VolumeId, _name: &str, _tags: &Tags) -> Outcome<Snapshot> {
        only_read("snapshot")
    }

    fn creation_floor(&self, _creates: u32) -> Duration {
        Duration::ZERO
    }
}
