//! Load balancers: for which Services or Ingresses of which cluster their tags say that they were made.
//!
//! Sources: the tags of Kubernetes' cloud providers for AWS and Azure, and of the AWS Load Balancer Controller
//! (`pkg/deploy/tracking`). What other controllers make says nothing that is known here, and is foreign.

use moorline_api::{LoadBalancer, Tags};

use super::names::Name;
use super::world::Side;
use crate::names as tag_names;

/// Tags that name Services as `namespace/name`; Azure's names several, with commas between them.
const SERVICES: [&str; 3] = ["kubernetes.io/service-name", "service.k8s.aws/stack", AZURE_SERVICE];
const AZURE_SERVICE: &str = "k8s-azure-service";
/// Tag that names an Ingress as `namespace/name`, or a group of them.
const INGRESS: &str = "ingress.k8s.aws/stack";
/// Tags whose value is a cluster's id.
const CLUSTERS: [&str; 3] = ["KubernetesCluster", "elbv2.k8s.aws/cluster", "k8s-azure-cluster-name"];
/// What Azure's cloud controller puts before the name that is of a Service's UID.
const AZURE_PREFIX: &str = "kubernetes-";

/// What a load balancer was made for.
#[derive(Debug)]
pub(super) struct Balancer {
    makers: Vec<Name>,
    /// The clusters' ids that its tags name.
    pub(super) clusters: Vec<String>,
    /// Whether it is an address of Azure's one load balancer for all Services.
    pub(super) shared: bool,
}

impl Balancer {
    pub(super) fn of(tags: &Tags) -> Self {
        let services = SERVICES.iter().filter_map(|key| tags.get(*key));
        let services = services.flat_map(|value| value.split(',')).map(str::trim);
        let services = services.filter(|service| !service.is_empty());
        let ingress = tags.get(INGRESS).map(|stack| {
            let of = if stack.contains('/') {
                Name::Ingress
            } else {
                Name::Group
            };
            of(stack.clone())
        });
        Self {
            makers: services
                .map(|service| Name::Service(service.to_owned()))
                .chain(ingress)
                .collect(),
            clusters: clusters(tags),
            shared: tags.contains_key(AZURE_SERVICE),
        }
    }

    /// Everything by which an object may mean it.
    pub(super) fn keys(&self, balancer: &LoadBalancer) -> Vec<Name> {
        let name = balancer.name.strip_prefix(AZURE_PREFIX).unwrap_or(&balancer.name);
        let hosts = [&balancer.hostname, balancer.hostname.trim_end_matches('.')];
        let hosts = hosts.map(|host| Name::Host(host.to_ascii_lowercase()));
        let keys = self.makers().chain(hosts);
        keys.chain([Name::OfUid(name.to_owned())]).collect()
    }

    /// What objects are called that it, or what belongs to it, was made for.
    pub(super) fn makers(&self) -> impl Iterator<Item = Name> {
        let of_group = self.makers.iter().any(|maker| matches!(maker, Name::Group(_)));
        self.makers.iter().cloned().chain(of_group.then_some(Name::AnyGroup))
    }

    /// The namespaces of what it was made for.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.makers.iter().filter_map(|maker| match maker {
            Name::Service(name) | Name::Ingress(name) => name.split_once('/').map(|(namespace, _)| namespace),
            _ => None,
        })
    }

    /// What it was made for, in words; `None` where no tag says so in a way that is known.
    pub(super) fn made_for(&self) -> Option<String> {
        let words = self.makers.iter().map(|maker| match maker {
            Name::Service(name) => name.contains('/').then(|| format!("Service {name}")),
            Name::Ingress(name) => Some(format!("Ingress {name}")),
            Name::Group(name) => Some(format!("the Ingresses of group {name}")),
            _ => None,
        });
        let words: Vec<String> = words.collect::<Option<_>>()?;
        (!words.is_empty()).then(|| words.join(" and "))
    }

    /// Whether its tags name this cluster.
    pub(super) fn is_of(&self, side: &Side) -> bool {
        self.clusters.iter().any(|id| side.is_called(id))
    }
}

/// The clusters that tags name, as owner or otherwise, each once.
fn clusters(tags: &Tags) -> Vec<String> {
    let named = CLUSTERS.iter().filter_map(|key| tags.get(*key)).map(String::as_str);
    let keyed = tags
        .keys()
        .filter_map(|key| key.strip_prefix(tag_names::CLUSTER_PREFIX));
    let mut ids: Vec<String> = named
        .chain(keyed)
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
