//! What Azure's cloud controller gives Services of type `LoadBalancer`: one load balancer for all of them, and a public
//! address for each.

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use moorline_api::{
    Error, ErrorKind, LoadBalancer, LoadBalancerKind, LoadBalancers, Result, TargetGroup, TargetGroups,
};

use crate::provider::AzureProvider;
use crate::resources::PublicAddress;

#[async_trait]
impl LoadBalancers for AzureProvider {
    /// Public addresses that a Service of some cluster has. Internal load balancers have none and are not seen.
    fn list(&self) -> BoxStream<'_, Result<Vec<LoadBalancer>>> {
        let pages = async move {
            let pages = self.arm.pages(self.storage()?.public_addresses());
            Ok(pages.map_ok(|page: Vec<PublicAddress>| page.into_iter().filter_map(balancer).collect()))
        };
        stream::once(pages).try_flatten().boxed()
    }
}

/// What Azure's load balancers forward to is part of them.
#[async_trait]
impl TargetGroups for AzureProvider {
    fn target_groups(&self) -> BoxStream<'_, Result<Vec<TargetGroup>>> {
        stream::empty().boxed()
    }

    async fn delete_target_group(&self, id: &str) -> Result<()> {
        let why = "Azure has no target groups";
        Err(Error::new(ErrorKind::Unsupported, "delete", id, why))
    }
}

fn balancer(address: PublicAddress) -> Option<LoadBalancer> {
    let of_service = address.tags.contains_key("k8s-azure-service");
    let state = address.properties;
    let name = state.dns_settings.and_then(|dns| dns.fqdn).or(state.ip_address);
    of_service.then(|| LoadBalancer {
        id: address.id,
        name: address.name,
        kind: LoadBalancerKind::Network,
        // Kubernetes shows the address itself where it has no name.
        hostname: name.unwrap_or_default(),
        scheme: "internet-facing".to_owned(),
        state: state.provisioning_state.unwrap_or_default(),
        created: None,
        tags: address.tags,
    })
}
