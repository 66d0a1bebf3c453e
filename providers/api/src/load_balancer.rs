//! Load balancers that a cluster's Services made.

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result, Tags};

/// The sort of load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadBalancerKind {
    /// Classic ELB.
    Classic,
    /// Network (ELBv2).
    Network,
    /// Application (ELBv2).
    Application,
    /// Gateway (ELBv2).
    Gateway,
}

/// One load balancer of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// ARN, or the name for a classic one.
    pub id: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: LoadBalancerKind,
    /// DNS name, as `status.loadBalancer.ingress[].hostname` shows it (compare without case).
    pub hostname: String,
    /// `internet-facing` or `internal`.
    pub scheme: String,
    /// State in the cloud's words; empty for classic ones, which have none.
    pub state: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Its tags.
    pub tags: Tags,
}

impl LoadBalancer {
    /// Namespace and name of the Service that the tags name, whichever controller wrote them
    /// (cloud provider: `kubernetes.io/service-name`; AWS Load Balancer Controller: `service.k8s.aws/stack`; Azure:
    /// `k8s-azure-service`, which may name several, and the first is meant).
    pub fn service(&self) -> Option<(&str, &str)> {
        [
            "kubernetes.io/service-name",
            "service.k8s.aws/stack",
            "k8s-azure-service",
        ]
        .iter()
        .find_map(|key| self.tags.get(*key)?.split(',').next()?.split_once('/'))
    }

    /// The clusters that the tags say it belongs to, by whatever name its controller knows them (cloud provider:
    /// `kubernetes.io/cluster/<name>` and before that `KubernetesCluster`; AWS Load Balancer Controller:
    /// `elbv2.k8s.aws/cluster`; Azure: `k8s-azure-cluster-name`).
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        let owned = self
            .tags
            .iter()
            .filter(|(_, value)| *value == "owned")
            .filter_map(|(key, _)| key.strip_prefix("kubernetes.io/cluster/"));
        let named = ["KubernetesCluster", "elbv2.k8s.aws/cluster", "k8s-azure-cluster-name"];
        owned.chain(
            named
                .into_iter()
                .filter_map(|key| self.tags.get(key).map(String::as_str)),
        )
    }
}

/// Targets to which load balancers forward. Their controller makes them beside a load balancer, and they outlive it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// ARN.
    pub id: String,
    /// Name.
    pub name: String,
    /// The load balancers that forward to it, by [`LoadBalancer::id`].
    pub balancers: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

/// Lists and deletes target groups. A cloud without such things lists none.
#[async_trait]
pub trait TargetGroups: Send + Sync {
    /// Every target group of the region with its tags, page by page; ends early only with an `Err`.
    fn target_groups(&self) -> BoxStream<'_, Result<Vec<TargetGroup>>>;

    /// Deletes a target group; one that is absent is success, one to which anything forwards is `ErrorKind::InUse`. It waits a while for
    /// a load balancer that has just been deleted; the caller bounds it in time.
    async fn delete_target_group(&self, id: &str) -> Result<()>;
}

/// Lists load balancers.
#[async_trait]
pub trait LoadBalancers: Send + Sync {
    /// Every load balancer of the region with its tags, page by page; ends early only with an `Err`.
    /// An API that the backend lacks is one `ErrorKind::Unsupported` after what the others had.
    fn list(&self) -> BoxStream<'_, Result<Vec<LoadBalancer>>>;

    /// Deletes a load balancer; one that is absent is success. Waits until the cloud no longer lists it; the caller bounds it in time.
    async fn delete(&self, balancer: &LoadBalancer) -> Result<()> {
        let why = "moorline cannot delete load balancers of this cloud";
        Err(Error::new(ErrorKind::Unsupported, "delete", &balancer.name, why))
    }
}
