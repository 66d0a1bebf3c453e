//! Whether everything is Bound and Ready, and if not, why, in words. Pure and level-triggered: it looks at objects as
//! they are and remembers nothing.

mod pods;
mod silence;
mod workloads;

use std::collections::{BTreeMap, HashMap};

use moorline_api::{ListQuery, Object, ResourceKind};
use moorline_profile::{Profile, SetClaims};

use crate::balancers;
use crate::fold::{EventView, Key};
use crate::observe;
use crate::outcome::Cause;
use crate::tracker::Snapshot;

pub(crate) use pods::{cause as pod_cause, pod_summary};
pub(crate) use silence::Silence;
pub(crate) use workloads::workload;

/// Whether Services of type `LoadBalancer` can get one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Balancers {
    /// They are waited for.
    Awaited,
    /// The cloud has no API for them: nobody can make one, so nothing waits for it.
    Unavailable,
}

/// How far things are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Readiness {
    pub(crate) ready: usize,
    pub(crate) total: usize,
    pub(crate) causes: Vec<Cause>,
}

impl Readiness {
    pub(crate) fn is_ready(&self) -> bool {
        self.ready == self.total
    }

    /// Causes that waiting cannot mend.
    pub(crate) fn fatal(&self) -> Vec<Cause> {
        self.causes.iter().filter(|cause| cause.fatal).cloned().collect()
    }

    fn count(&mut self, cause: Option<Cause>) {
        self.total += 1;
        match cause {
            None => self.ready += 1,
            Some(cause) => self.causes.push(cause),
        }
    }
}

/// What must be read to judge a profile and to say why something is not ready.
pub(crate) fn queries(profile: &Profile) -> Vec<ListQuery> {
    let mut queries = queries_without_causes(profile);
    queries.extend(within(profile, &[ResourceKind::pod(), ResourceKind::event()]));
    queries
}

/// What must be read to judge a profile.
pub(crate) fn queries_without_causes(profile: &Profile) -> Vec<ListQuery> {
    let mut kinds = vec![ResourceKind::service()];
    kinds.extend(workloads::kinds(profile));
    let mut queries = within(profile, &kinds);
    queries.extend(queries_of_claims(profile));
    queries
}

/// What must be read to judge the claims of a profile, where it has any.
pub(crate) fn queries_of_claims(profile: &Profile) -> Vec<ListQuery> {
    if observe::has_claims(profile) {
        within(profile, &[ResourceKind::claim()])
    } else {
        Vec::new()
    }
}

fn within(profile: &Profile, kinds: &[ResourceKind]) -> Vec<ListQuery> {
    let mut queries = Vec::new();
    for namespace in observe::namespaces(profile) {
        queries.extend(kinds.iter().map(|kind| ListQuery::within(kind.clone(), &namespace)));
    }
    queries
}

/// Judges the whole profile.
pub(crate) fn assess(profile: &Profile, snapshot: &Snapshot, balancers: Balancers) -> Readiness {
    let mut readiness = Readiness::default();
    let events = Events::of(snapshot);
    for (namespace, name) in wanted_claims(profile, snapshot) {
        let live = snapshot.get(&ResourceKind::claim(), &namespace, &name);
        readiness.count(claim_cause(&events, &namespace, &name, live));
    }
    for manifest in &profile.manifests {
        let namespace = manifest.object.namespace().unwrap_or(&profile.namespace);
        let gvk = manifest.object.gvk();
        if gvk.is("", "Service") {
            let wants = manifest.object.str_at(&["spec", "type"]) == Some("LoadBalancer");
            if wants && balancers == Balancers::Awaited {
                readiness.count(service_cause(snapshot, &events, namespace, manifest.object.name()));
            }
        } else if let Some(kind) = workloads::kind(&gvk) {
            let causes = workloads::causes(snapshot, &events, &kind, namespace, manifest.object.name());
            readiness.total += 1;
            readiness.ready += usize::from(causes.is_empty());
            readiness.causes.extend(causes);
        }
    }
    readiness.causes.sort();
    readiness.causes.dedup();
    readiness
}

/// Whether a Service of the profile waits for a load balancer.
pub(crate) fn awaits_balancer(profile: &Profile, snapshot: &Snapshot) -> bool {
    let services = profile
        .manifests
        .iter()
        .filter(|manifest| manifest.object.gvk().is("", "Service"));
    services
        .filter(|service| service.object.str_at(&["spec", "type"]) == Some("LoadBalancer"))
        .any(|service| {
            let namespace = service.object.namespace().unwrap_or(&profile.namespace);
            let live = snapshot.get(&ResourceKind::service(), namespace, service.object.name());
            live.is_none_or(|live| balancers::hostname(live).is_none())
        })
}

/// Replicas of a set: the live ones, else what the manifest says, else Kubernetes' default.
pub(crate) fn replicas(set: &SetClaims, live: Option<&Object>) -> u32 {
    let live = live.and_then(|live| u32::try_from(live.i64_at(&["spec", "replicas"])?).ok());
    live.or(set.replicas).unwrap_or(1)
}

/// The claims that the profile needs now, in the order of set, ordinal and template.
pub(crate) fn wanted_claims(profile: &Profile, snapshot: &Snapshot) -> Vec<Key> {
    let mut wanted = Vec::new();
    for set in &profile.sets {
        let live = snapshot.get(&ResourceKind::stateful_set(), &set.namespace, &set.name);
        for ordinal in set.ordinals(replicas(set, live)) {
            wanted.extend(
                set.templates
                    .iter()
                    .map(|t| (set.namespace.clone(), set.claim_name(&t.name, ordinal))),
            );
        }
    }
    wanted.extend(
        profile
            .claims
            .iter()
            .map(|claim| (claim.namespace.clone(), claim.name.clone())),
    );
    wanted
}

fn claim_cause(events: &Events<'_>, namespace: &str, name: &str, live: Option<&Object>) -> Option<Cause> {
    let cause = |why: String, hint: Option<&str>, fatal| {
        Some(Cause {
            what: format!("claim {namespace}/{name}"),
            why,
            hint: hint.map(str::to_owned),
            fatal,
        })
    };
    let Some(claim) = live else {
        return cause("it does not exist yet".to_owned(), None, false);
    };
    let volume_name = claim.str_at(&["spec", "volumeName"]).unwrap_or_default();
    match claim.str_at(&["status", "phase"]).unwrap_or_default() {
        "Bound" if claim.is_terminating() => cause("it is being deleted".to_owned(), None, false),
        "Bound" => None,
        "Lost" => {
            let why = format!("Lost: PersistentVolume {volume_name} is gone");
            cause(
                why,
                Some("restore the PersistentVolume, or delete the claim and run up again"),
                true,
            )
        }
        _ => {
            let event = events.latest("PersistentVolumeClaim", namespace, name);
            let why = match (volume_name, event) {
                ("", None) => "unbound".to_owned(),
                ("", Some(event)) => format!("unbound: {event}"),
                (volume, None) => format!("unbound: waits for PersistentVolume {volume}"),
                (volume, Some(event)) => format!("unbound: waits for PersistentVolume {volume}; {event}"),
            };
            cause(why, None, false)
        }
    }
}

fn service_cause(snapshot: &Snapshot, events: &Events<'_>, namespace: &str, name: &str) -> Option<Cause> {
    let live = snapshot.get(&ResourceKind::service(), namespace, name);
    let ingress = live.map_or(&[][..], |service| {
        service.list_at(&["status", "loadBalancer", "ingress"])
    });
    if !ingress.is_empty() {
        return None;
    }
    // Whoever makes load balancers puts a finalizer on the Service before anything else.
    let taken_up = live.is_some_and(|service| !service.list_at(&["metadata", "finalizers"]).is_empty());
    let (why, hint) = match events.latest("Service", namespace, name) {
        Some(event) => (format!("load balancer pending: {event}"), None),
        None if taken_up => ("load balancer pending".to_owned(), None),
        None => (
            "load balancer pending: no controller has taken the Service up".to_owned(),
            Some(
                "check that a cloud controller manager or the AWS Load Balancer Controller runs in the cluster, and that \
                 spec.loadBalancerClass, if set, is its",
            ),
        ),
    };
    Some(Cause {
        what: format!("service {namespace}/{name}"),
        why,
        hint: hint.map(str::to_owned),
        fatal: false,
    })
}

/// Whether it is a warning, and when it was seen.
type Rank = (bool, Option<jiff::Timestamp>);

/// The newest event about each object. Warnings go before what is merely newer.
pub(crate) struct Events<'a> {
    newest: HashMap<(&'a str, &'a str, &'a str), (Rank, &'a EventView)>,
}

impl<'a> Events<'a> {
    pub(crate) fn of(snapshot: &'a Snapshot) -> Self {
        let mut newest = HashMap::new();
        for event in snapshot.events() {
            let rank = (event.event_type == "Warning", event.last_seen);
            let about = (&*event.kind, &*event.namespace, &*event.about);
            let known = newest.entry(about).or_insert((rank, event));
            if rank > known.0 {
                *known = (rank, event);
            }
        }
        Self { newest }
    }

    /// `ProvisioningFailed: no such key`.
    pub(crate) fn latest(&self, kind: &str, namespace: &str, name: &str) -> Option<String> {
        let (_, newest) = self.newest.get(&(kind, namespace, name))?;
        Some(format!("{}: {}", newest.reason, newest.message))
    }
}

/// Whether `labels` has everything that `selector` asks.
pub(crate) fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests;
