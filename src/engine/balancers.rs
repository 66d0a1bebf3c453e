//! Load balancers joined with the Services that made them.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use moorline_api::{ErrorKind, ListQuery, LoadBalancer, Object, ResourceKind};
use moorline_profile::Profile;

use crate::apply::Run;
use crate::context::Context;
use crate::error::EngineError;
use crate::fold::Key;
use crate::observe;
use crate::outcome::{BalancerReport, BalancerRow};
use crate::readiness::{self, Balancers};

/// Every load balancer of the region, joined with this cluster's Services by hostname and by tag; with a profile, only
/// those of its Services. A Service counts as gone only when all Services could be listed and the load balancer's tags
/// say that this cluster made it.
pub async fn load_balancers(ctx: &Context, profile: Option<&Profile>) -> Result<BalancerReport, EngineError> {
    let cluster = match profile {
        Some(profile) => observe::site(ctx, profile).await?.cluster,
        None => ctx.cluster.identity().await?,
    };
    let services = Services::read(ctx).await?;
    let listing = list(ctx).await;
    if let Some(error) = listing.failed {
        return Err(error.into());
    }
    let names = services.cluster_names(&listing.balancers, &cluster.uid);
    let mut rows: Vec<_> = listing
        .balancers
        .iter()
        .map(|balancer| services.row(balancer, &names))
        .collect();
    let mut pending = services.pending();
    if let Some(profile) = profile {
        let mine = mine(profile);
        rows.retain(|row| row.service.as_ref().is_some_and(|service| mine.contains(service)));
        pending.retain(|service| mine.contains(service));
    }
    rows.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
    Ok(BalancerReport {
        balancers: rows,
        pending,
        notices: listing.lacking.into_iter().collect(),
        incomplete: false,
    })
}

fn mine(profile: &Profile) -> Vec<String> {
    let services = profile
        .manifests
        .iter()
        .filter(|manifest| manifest.object.gvk().is("", "Service"));
    services
        .map(|m| {
            format!(
                "{}/{}",
                m.object.namespace().unwrap_or(&profile.namespace),
                m.object.name()
            )
        })
        .collect()
}

/// What listing load balancers came to.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) balancers: Vec<LoadBalancer>,
    /// That the cloud has no such API, in a sentence: nothing of it can exist there, so it is said and is no failure.
    pub(crate) lacking: Option<String>,
    /// Any other failure: the listing is not complete.
    pub(crate) failed: Option<moorline_api::Error>,
}

/// Lists every load balancer.
pub(crate) async fn list(ctx: &Context) -> Listing {
    let mut listing = Listing::default();
    let mut pages = ctx.cloud.load_balancers.list();
    while let Some(page) = pages.next().await {
        match page {
            Ok(balancers) => listing.balancers.extend(balancers),
            Err(error) if error.kind == ErrorKind::Unsupported => {
                listing.lacking = Some(format!("going on without load balancers: {error}"));
            }
            Err(error) => {
                listing.failed = Some(error);
                break;
            }
        }
    }
    listing
}

impl Listing {
    /// Whether Services can get a load balancer. Where the listing failed nothing is known, and they are waited for.
    pub(crate) fn obtainable(&self) -> Balancers {
        if self.lacking.is_some() && self.balancers.is_empty() && self.failed.is_none() {
            Balancers::Unavailable
        } else {
            Balancers::Awaited
        }
    }

    /// Names by hostname in lower case.
    pub(crate) fn names(&self) -> BTreeMap<String, String> {
        let name = |balancer: &LoadBalancer| (balancer.hostname.to_ascii_lowercase(), balancer.name.clone());
        self.balancers.iter().map(name).collect()
    }
}

/// Whether the Services of a run can get a load balancer; the cloud is asked only where one waits for it.
pub(crate) async fn obtainable(run: &Run<'_>) -> Balancers {
    if run.site.account.is_none() || !readiness::awaits_balancer(run.profile, &run.tracker.snapshot()) {
        return Balancers::Awaited;
    }
    list(run.ctx).await.obtainable()
}

/// The hostname, or else address, that a Service's load balancer has.
pub(crate) fn hostname(service: &Object) -> Option<String> {
    let ingress = service.list_at(&["status", "loadBalancer", "ingress"]).first()?;
    let text = |field: &str| ingress.get(field).and_then(serde_json::Value::as_str);
    text("hostname").or_else(|| text("ip")).map(str::to_owned)
}

/// Source ranges of a Service: the field goes before the annotation.
pub(crate) fn source_ranges(service: &Object) -> Vec<String> {
    let field: Vec<_> = service
        .list_at(&["spec", "loadBalancerSourceRanges"])
        .iter()
        .filter_map(|v| Some(v.as_str()?.to_owned()))
        .collect();
    if !field.is_empty() {
        return field;
    }
    let annotation = service
        .annotation("service.beta.kubernetes.io/load-balancer-source-ranges")
        .unwrap_or_default();
    annotation
        .split(',')
        .map(str::trim)
        .filter(|range| !range.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A Service as far as load balancers go.
struct ServiceView {
    hostname: Option<String>,
    source_ranges: Vec<String>,
}

/// All Services of the cluster that want load balancers.
struct Services {
    by_key: BTreeMap<Key, ServiceView>,
}

impl Services {
    async fn read(ctx: &Context) -> Result<Self, moorline_api::Error> {
        let keep = |service: Object| {
            let wants = service.str_at(&["spec", "type"]) == Some("LoadBalancer");
            let key = (service.namespace()?.to_owned(), service.name().to_owned());
            wants.then(|| {
                (
                    key,
                    ServiceView {
                        hostname: hostname(&service),
                        source_ranges: source_ranges(&service),
                    },
                )
            })
        };
        let (services, _) = observe::list(ctx, ListQuery::everywhere(ResourceKind::service()), keep).await?;
        Ok(Self {
            by_key: services.into_iter().collect(),
        })
    }

    fn pending(&self) -> Vec<String> {
        self.by_key
            .iter()
            .filter(|(_, service)| service.hostname.is_none())
            .map(|((ns, name), _)| format!("{ns}/{name}"))
            .collect()
    }

    /// The names by which tags call this cluster: its UID, and those on load balancers that its Services use right now.
    fn cluster_names(&self, balancers: &[LoadBalancer], uid: &str) -> BTreeSet<String> {
        let used: BTreeSet<String> = self
            .by_key
            .values()
            .filter_map(|s| s.hostname.as_ref())
            .map(|h| h.to_ascii_lowercase())
            .collect();
        let ours = balancers
            .iter()
            .filter(|balancer| used.contains(&balancer.hostname.to_ascii_lowercase()));
        ours.flat_map(LoadBalancer::clusters)
            .map(str::to_owned)
            .chain([uid.to_owned()])
            .collect()
    }

    fn row(&self, balancer: &LoadBalancer, cluster_names: &BTreeSet<String>) -> BalancerRow {
        let by_hostname = self.by_key.iter().find(|(_, s)| {
            s.hostname
                .as_ref()
                .is_some_and(|h| h.eq_ignore_ascii_case(&balancer.hostname))
        });
        let tagged = balancer
            .service()
            .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        let by_tag = tagged.as_ref().and_then(|key| self.by_key.get_key_value(key));
        let joined = by_hostname
            .map(|found| (found, "hostname"))
            .or_else(|| by_tag.map(|found| (found, "tag")));
        let verdict = match (&joined, &tagged) {
            (Some((_, "hostname")), _) => "in use",
            // The Service is there and waits for a hostname, or has another load balancer: not proof that this one is unused.
            (Some(_), _) => "claimed",
            (None, Some(_)) if balancer.clusters().any(|name| cluster_names.contains(name)) => "service gone",
            (None, Some(_)) => "unknown",
            (None, None) => "foreign",
        };
        let name_of = |(namespace, name): &Key| format!("{namespace}/{name}");
        BalancerRow {
            name: balancer.name.clone(),
            kind: balancer.kind,
            hostname: balancer.hostname.clone(),
            scheme: balancer.scheme.clone(),
            state: balancer.state.clone(),
            service: joined
                .map(|((key, _), _)| name_of(key))
                .or_else(|| tagged.as_ref().map(name_of)),
            joined_by: joined.map_or("", |(_, how)| how).to_owned(),
            source_ranges: joined
                .map(|((_, service), _)| service.source_ranges.clone())
                .unwrap_or_default(),
            verdict: verdict.to_owned(),
            created: balancer.created,
        }
    }
}

#[cfg(test)]
mod tests;
