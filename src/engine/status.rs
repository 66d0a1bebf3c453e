//! What is there: the tutorials' `kubectl get` and `describe` in one place, joined with the cloud.

mod behind;

use std::collections::{BTreeMap, BTreeSet};

use moorline_api::{Object, ResourceKind};
use moorline_profile::Profile;
use tokio::time::Instant;

use crate::balancers;
use crate::context::Context;
use crate::error::EngineError;
use crate::fold::{ClaimView, EventView, Key, string_map};
use crate::observe::{self, Site};
use crate::outcome::{ClaimStatus, EventStatus, PodStatus, ServiceStatus, Status, WorkloadStatus};
use crate::readiness::{self, Balancers, pod_summary};
use crate::tracker::{Snapshot, Tracker, Waited};
use behind::Behind;

/// Recent events that a status carries.
const EVENTS: usize = 20;

/// Reads where a profile stands. What cannot be read is named in `notices` and makes it `incomplete`; only a cluster that
/// cannot be reached, or a profile that does not belong here, is an error.
pub async fn status(ctx: &Context, profile: &Profile) -> Result<Status, EngineError> {
    let site = observe::site(ctx, profile).await?;
    let snapshot = Snapshot::read(ctx, &readiness::queries(profile)).await?;
    Ok(compose_on(ctx, profile, &site, &snapshot, &mut Behind::with_usage()).await)
}

/// Calls `on_change` with the status now and after every change, until the run is stopped.
pub async fn watch_status(
    ctx: &Context,
    profile: &Profile,
    on_change: &mut (dyn FnMut(&Status) + Send),
) -> Result<(), EngineError> {
    let site = observe::site(ctx, profile).await?;
    let tracker = Tracker::start(ctx, readiness::queries(profile));
    let far = Instant::now() + std::time::Duration::from_hours(24 * 365);
    let mut behind = Behind::with_usage();
    let mut last: Option<Status> = None;
    loop {
        match tracker.until(far, |_| Some(())).await {
            Waited::Done(()) => {}
            Waited::TimedOut | Waited::Stopped => return Ok(()),
            Waited::Lost(error) => return Err(error.into()),
        }
        let snapshot = tracker.snapshot();
        let mut now = compose_on(ctx, profile, &site, &snapshot, &mut behind).await;
        now.notices.extend(tracker.failing());
        if last.as_ref() != Some(&now) {
            on_change(&now);
            last = Some(now);
        }
        // Only to notice change: what a status says of load balancers depends on the cloud.
        let judged = readiness::assess(profile, &snapshot, Balancers::Awaited);
        // The cloud has no watch: look again when the cluster changes, or after a while for what only the cloud knows.
        let again = Instant::now() + std::time::Duration::from_secs(5);
        let changed = |current: &Snapshot| {
            let now = readiness::assess(profile, current, Balancers::Awaited);
            (now != judged).then_some(())
        };
        match tracker.until(again, changed).await {
            Waited::Done(()) | Waited::TimedOut => {}
            Waited::Stopped => return Ok(()),
            Waited::Lost(error) => return Err(error.into()),
        }
    }
}

/// Joins what was read of the cluster with the cloud; how full volumes are is not asked.
pub(crate) async fn compose(ctx: &Context, profile: &Profile, site: &Site, snapshot: &Snapshot) -> Status {
    compose_on(ctx, profile, site, snapshot, &mut Behind::default()).await
}

async fn compose_on(ctx: &Context, profile: &Profile, site: &Site, snapshot: &Snapshot, behind: &mut Behind) -> Status {
    let mut notices = site.notices.clone();
    let mut incomplete = !snapshot.unreadable.is_empty();
    notices.extend(snapshot.unreadable.iter().cloned());
    let claims = claims_of(profile, snapshot);
    behind.look(ctx, profile, site, &claims).await;
    notices.extend(behind.notices().iter().cloned());
    if let Some(failure) = behind.failure() {
        notices.push(failure.to_owned());
        incomplete = true;
    }
    let services = services(profile, snapshot);
    let wants_balancers = services.iter().any(|(_, status)| status.service_type == "LoadBalancer");
    let listing = if wants_balancers && site.account.is_some() {
        balancers::list(ctx).await
    } else {
        balancers::Listing::default()
    };
    let judged = readiness::assess(profile, snapshot, listing.obtainable());
    let names = listing.names();
    notices.extend(listing.lacking);
    if let Some(error) = listing.failed {
        notices.push(format!("load balancers could not be read: {error}"));
        incomplete = true;
    }
    let services = services.into_iter().map(|(_, mut status)| {
        status.load_balancer = names.get(&status.hostname.to_ascii_lowercase()).cloned();
        status
    });
    Status {
        profile: profile.name.clone(),
        cluster: site.cluster.clone(),
        account: site.account.clone(),
        ready: judged.is_ready(),
        claims: claims.iter().map(|claim| claim_status(claim, behind)).collect(),
        workloads: workloads(profile, snapshot),
        pods: pods(profile, snapshot),
        services: services.collect(),
        events: events(profile, snapshot, &claims),
        waiting: judged.causes,
        notices,
        incomplete,
    }
}

/// A claim of the profile, there or missing, and whether its set still wants it.
struct Listed {
    key: Key,
    live: Option<ClaimView>,
    wanted: bool,
}

/// The wanted claims, then those of ordinals that a set no longer has.
fn claims_of(profile: &Profile, snapshot: &Snapshot) -> Vec<Listed> {
    let live: BTreeMap<Key, ClaimView> = snapshot
        .all(&ResourceKind::claim())
        .map(ClaimView::of)
        .map(|claim| (claim.key(), claim))
        .collect();
    let wanted = readiness::wanted_claims(profile, snapshot);
    let known: BTreeSet<&Key> = wanted.iter().collect();
    let surplus: Vec<Key> = live
        .keys()
        .filter(|key| !known.contains(key) && set_of(profile, key).is_some())
        .cloned()
        .collect();
    let list = |key: Key, wanted| Listed {
        live: live.get(&key).cloned(),
        key,
        wanted,
    };
    let surplus: Vec<Listed> = surplus.into_iter().map(|key| list(key, false)).collect();
    wanted.into_iter().map(|key| list(key, true)).chain(surplus).collect()
}

/// The set and ordinal that a claim's name says, matched forwards from the profile's sets: `a-0` is also a set's name.
pub(crate) fn set_of<'a>(
    profile: &'a Profile,
    (namespace, name): &Key,
) -> Option<(&'a moorline_profile::SetClaims, u32)> {
    profile
        .sets
        .iter()
        .filter(|set| set.namespace == *namespace)
        .find_map(|set| {
            set.templates.iter().find_map(|template| {
                let ordinal = set.ordinal_of(&template.name, name)?;
                Some((set, ordinal))
            })
        })
}

fn claim_status(claim: &Listed, behind: &Behind) -> ClaimStatus {
    let (namespace, name) = claim.key.clone();
    let Some(live) = &claim.live else {
        return ClaimStatus {
            namespace,
            name,
            status: "Missing".to_owned(),
            volume: String::new(),
            capacity: String::new(),
            access_modes: String::new(),
            storage_class: String::new(),
            created: None,
            cloud: None,
            note: "not created yet".to_owned(),
        };
    };
    let cloud = behind.cloud_volume_of(live);
    let note = match behind.id_of(live).filter(|id| behind.lacks(id)) {
        Some(id) => format!("volume {id} is not in this account and region"),
        None if !claim.wanted => "kept: its set was scaled down".to_owned(),
        None => String::new(),
    };
    ClaimStatus {
        namespace,
        name,
        status: if live.terminating {
            "Terminating".to_owned()
        } else {
            live.phase.clone()
        },
        // As kubectl shows it: a claim has a volume when it is bound.
        volume: if live.is_bound() {
            live.volume_name.clone()
        } else {
            String::new()
        },
        capacity: live.capacity.clone(),
        access_modes: short_modes(&live.access_modes),
        storage_class: live.class.clone(),
        created: live.created,
        cloud,
        note,
    }
}

/// `ReadWriteOnce` as `RWO`, as kubectl does.
fn short_modes(modes: &[String]) -> String {
    let short = |mode: &String| match &**mode {
        "ReadWriteOnce" => "RWO".to_owned(),
        "ReadOnlyMany" => "ROX".to_owned(),
        "ReadWriteMany" => "RWX".to_owned(),
        "ReadWriteOncePod" => "RWOP".to_owned(),
        other => other.to_owned(),
    };
    modes.iter().map(short).collect::<Vec<_>>().join(",")
}

fn workloads(profile: &Profile, snapshot: &Snapshot) -> Vec<WorkloadStatus> {
    let status = |manifest: &moorline_profile::Manifest| {
        let object = &manifest.object;
        let namespace = object.namespace().unwrap_or(&profile.namespace);
        let (kind, live) = readiness::workload(snapshot, &object.gvk(), namespace, object.name())?;
        let counts = live.as_ref().map(|(counts, _)| *counts);
        Some(WorkloadStatus {
            kind: kind.qualified(),
            namespace: namespace.to_owned(),
            name: object.name().to_owned(),
            desired: counts.map_or_else(|| object.i64_at(&["spec", "replicas"]).unwrap_or(1), |c| c.desired),
            ready: counts.map_or(0, |c| c.ready),
            updated: counts.map_or(0, |c| c.updated),
            created: live.and_then(|(_, live)| live.created()),
        })
    };
    profile.manifests.iter().filter_map(status).collect()
}

/// The pods that the profile's workloads select, ordinals in their order.
fn pods(profile: &Profile, snapshot: &Snapshot) -> Vec<PodStatus> {
    let selectors = Selectors::of(profile);
    let mine = |pod: &&Object| selectors.select(pod);
    let mut pods: Vec<_> = snapshot.all(&ResourceKind::pod()).filter(mine).collect();
    pods.sort_by_key(|pod| natural(pod.name()));
    pods.into_iter().map(pod_status).collect()
}

/// Which pods the workloads of a profile select, by namespace.
pub(crate) struct Selectors(Vec<(String, BTreeMap<String, String>)>);

impl Selectors {
    pub(crate) fn of(profile: &Profile) -> Self {
        let selector = |manifest: &moorline_profile::Manifest| {
            let namespace = manifest.object.namespace().unwrap_or(&profile.namespace);
            let labels = string_map(&manifest.object, &["spec", "selector", "matchLabels"]);
            (namespace.to_owned(), labels)
        };
        Self(profile.manifests.iter().map(selector).collect())
    }

    pub(crate) fn select(&self, pod: &Object) -> bool {
        let labels = string_map(pod, &["metadata", "labels"]);
        self.0
            .iter()
            .any(|(namespace, selector)| pod.namespace() == Some(namespace) && readiness::selects(selector, &labels))
    }
}

/// Sorts `web-2` before `web-10`.
pub(crate) fn natural(name: &str) -> (String, u64) {
    let split = name
        .rsplit_once('-')
        .and_then(|(stem, ordinal)| Some((stem.to_owned(), ordinal.parse().ok()?)));
    split.unwrap_or_else(|| (name.to_owned(), 0))
}

fn pod_status(pod: &Object) -> PodStatus {
    let summary = pod_summary(pod);
    let text = |path: &[&str]| pod.str_at(path).unwrap_or_default().to_owned();
    PodStatus {
        namespace: text(&["metadata", "namespace"]),
        name: pod.name().to_owned(),
        ready: format!("{}/{}", summary.ready, summary.containers),
        status: summary.status,
        restarts: summary.restarts,
        node: text(&["spec", "nodeName"]),
        ip: text(&["status", "podIP"]),
        created: pod.created(),
    }
}

fn services(profile: &Profile, snapshot: &Snapshot) -> Vec<(Key, ServiceStatus)> {
    let wanted = profile
        .manifests
        .iter()
        .filter(|manifest| manifest.object.gvk().is("", "Service"));
    let keys = wanted.map(|m| {
        (
            m.object.namespace().unwrap_or(&profile.namespace).to_owned(),
            m.object.name().to_owned(),
        )
    });
    keys.filter_map(|key| {
        let live = snapshot.get(&ResourceKind::service(), &key.0, &key.1)?;
        let status = service_status(live);
        Some((key, status))
    })
    .collect()
}

fn service_status(service: &Object) -> ServiceStatus {
    let text = |path: &[&str]| service.str_at(path).unwrap_or_default().to_owned();
    let service_type = service.str_at(&["spec", "type"]).unwrap_or("ClusterIP").to_owned();
    let hostname = balancers::hostname(service).unwrap_or_default();
    let hostname = if hostname.is_empty() && service_type == "LoadBalancer" {
        "<pending>".to_owned()
    } else {
        hostname
    };
    let port = |port: &serde_json::Value| {
        let number = |field: &str| port.get(field).and_then(serde_json::Value::as_i64);
        let protocol = port
            .get("protocol")
            .and_then(serde_json::Value::as_str)
            .unwrap_or("TCP");
        let node = number("nodePort").map(|node| format!(":{node}")).unwrap_or_default();
        format!("{}{node}/{protocol}", number("port").unwrap_or_default())
    };
    ServiceStatus {
        namespace: text(&["metadata", "namespace"]),
        name: service.name().to_owned(),
        service_type,
        cluster_ip: text(&["spec", "clusterIP"]),
        hostname,
        ports: service
            .list_at(&["spec", "ports"])
            .iter()
            .map(port)
            .collect::<Vec<_>>()
            .join(","),
        source_ranges: balancers::source_ranges(service),
        load_balancer: None,
        created: service.created(),
    }
}

/// The newest events about the profile's objects, their pods and claims.
fn events(profile: &Profile, snapshot: &Snapshot, claims: &[Listed]) -> Vec<EventStatus> {
    let mut names: BTreeSet<(String, String)> = profile
        .manifests
        .iter()
        .map(|m| {
            (
                m.object.namespace().unwrap_or(&profile.namespace).to_owned(),
                m.object.name().to_owned(),
            )
        })
        .collect();
    names.extend(pods(profile, snapshot).into_iter().map(|pod| (pod.namespace, pod.name)));
    names.extend(claims.iter().map(|claim| claim.key.clone()));
    let about = |event: &&EventView| names.contains(&(event.namespace.clone(), event.about.clone()));
    let mut events: Vec<_> = snapshot.events().filter(about).map(event_status).collect();
    events.sort_by(|a, b| (a.last_seen, &a.object, &a.message).cmp(&(b.last_seen, &b.object, &b.message)));
    events.split_off(events.len().saturating_sub(EVENTS))
}

fn event_status(event: &EventView) -> EventStatus {
    EventStatus {
        last_seen: event.last_seen,
        event_type: event.event_type.clone(),
        reason: event.reason.clone(),
        object: format!("{}/{}", event.kind.to_lowercase(), event.about),
        message: event.message.clone(),
        count: event.count,
    }
}

#[cfg(test)]
mod tests;
