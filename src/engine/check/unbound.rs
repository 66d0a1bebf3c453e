//! Why a claim is not bound. Pure.

use moorline_api::BindingMode;

use super::claims::told;
use super::world::{Claim, Pod, Pv, World};
use super::{Finding, Problem, Severity};
use crate::fold::Key;
use crate::readiness::{Events, pod_cause};

/// A reason, how bad it is, and what to do.
struct Reason {
    severity: Severity,
    why: String,
    hint: Option<String>,
}

impl Reason {
    fn error(why: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            why: why.into(),
            hint: None,
        }
    }

    fn warning(why: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(why)
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

pub(super) fn finding(world: &World, events: &Events<'_>, key: &Key, claim: &Claim, pods: &[&Pod]) -> Finding {
    let reason = reason(world, events, key, claim, pods);
    let why = format!("not bound: {}", reason.why);
    let mut finding = Finding::new(reason.severity, Problem::Unbound, claim.title(), why).claim(key);
    finding.hint = reason.hint.or_else(|| {
        Some(format!(
            "kubectl describe persistentvolumeclaim {} --namespace {}",
            key.1, key.0
        ))
    });
    if let Some(event) = told(events, key) {
        finding = finding.evidence(format!("event {event}"));
    }
    for volume in world.made_for(claim) {
        let sentence = format!("volume {} was made for it and is {}", volume.id, volume.state);
        finding = finding.evidence(sentence).volume(&volume.id);
    }
    finding
}

fn reason(world: &World, events: &Events<'_>, key: &Key, claim: &Claim, pods: &[&Pod]) -> Reason {
    let view = &claim.view;
    if view.terminating {
        return Reason::warning("it is being deleted");
    }
    if let Some(origin) = &view.restored_from {
        return Reason::error(format!(
            "it is being brought back from {origin}, and that run did not finish"
        ))
        .hint(format!("moorline restore {origin}"));
    }
    if !view.volume_name.is_empty() {
        return named(world, claim);
    }
    let class = match &claim.class {
        None if world.has_default == Some(false) => {
            return Reason::error("it names no StorageClass, and the cluster has no default one")
                .hint("mark a class as the default one, or name one in the claim");
        }
        None => return Reason::warning("it waits to be given the default StorageClass"),
        Some(class) if class.is_empty() => {
            return Reason::error("it asks for a PersistentVolume without a class, and no such one fits it");
        }
        Some(class) => class,
    };
    let Some(classes) = &world.classes else {
        return Reason::warning(format!(
            "it waits for StorageClass {class}, and classes could not be read"
        ));
    };
    let Some(found) = classes.get(class) else {
        return Reason::error(format!("StorageClass {class} is not in the cluster")).hint(format!(
            "make StorageClass {class}, or the claim anew with one that is there"
        ));
    };
    if found.binding_mode == BindingMode::WaitForFirstConsumer && view.provisioner.is_none() {
        return first_consumer(world, events, class, pods);
    }
    let provisioner = view.provisioner.as_deref().unwrap_or(&found.provisioner);
    Reason::error(format!("it waits for provisioner {provisioner} of class {class}")).hint(format!(
        "look whether {provisioner} runs, and what it says of claim {}/{}",
        key.0, key.1
    ))
}

/// Under `WaitForFirstConsumer` a claim without a pod is as it should be.
fn first_consumer(world: &World, events: &Events<'_>, class: &str, pods: &[&Pod]) -> Reason {
    let Some(pod) = pods.first() else {
        let why = format!("class {class} waits for the first pod that uses it, and there is none");
        let severity = match world.pods {
            Some(_) => Severity::Info,
            None => Severity::Warning,
        };
        return Reason {
            severity,
            why,
            hint: None,
        };
    };
    let waits = pod.waits.as_ref().and_then(|object| pod_cause(events, object));
    let pod = format!("pod {}/{}", pod.namespace, pod.name);
    match waits {
        Some(cause) => Reason::error(format!("class {class} waits until {pod} is scheduled: {}", cause.why)),
        None => Reason::warning(format!("class {class} waits until {pod} is scheduled")),
    }
}

/// A claim that names its PersistentVolume and is not bound to it.
fn named(world: &World, claim: &Claim) -> Reason {
    let name = &claim.view.volume_name;
    let Some(all) = &world.persistent_volumes else {
        return Reason::warning(format!("whether PersistentVolume {name} is there is not known"));
    };
    let Some(pv) = all.get(name) else {
        let reason = Reason::error(format!("PersistentVolume {name}, which it names, is not there"));
        return match claim.view.profile() {
            Some(profile) => reason.hint(format!(
                "run moorline up with profile {profile} again: it did not finish"
            )),
            None => reason,
        };
    };
    if let Some(why) = reserved_for_another(claim, pv) {
        return Reason::error(why);
    }
    match &*pv.view.phase {
        "Failed" => return Reason::error(format!("PersistentVolume {name} failed: {}", pv.message)),
        "Released" => {
            return Reason::error(format!(
                "PersistentVolume {name} is Released: it was another claim's, which is gone"
            ));
        }
        _ => {}
    }
    let class = claim.class.clone().unwrap_or_default();
    if pv.class != class {
        return Reason::error(format!(
            "it is of class {class:?}, and PersistentVolume {name} of class {:?}",
            pv.class
        ));
    }
    if pv.bytes < claim.shape.bytes {
        return Reason::error(format!(
            "it asks for {} bytes, and PersistentVolume {name} has {}",
            claim.shape.bytes, pv.bytes
        ));
    }
    if let Some(mode) = claim
        .shape
        .access_modes
        .iter()
        .find(|mode| !pv.access_modes.contains(mode))
    {
        return Reason::error(format!(
            "it asks for {mode}, which PersistentVolume {name} does not have"
        ));
    }
    Reason::warning(format!("Kubernetes has not bound it to PersistentVolume {name} yet"))
        .hint("look whether the controller manager runs")
}

fn reserved_for_another(claim: &Claim, pv: &Pv) -> Option<String> {
    let (namespace, owner) = pv.view.claim.as_ref()?;
    let name = &pv.view.name;
    if (namespace, owner) != (&claim.view.namespace, &claim.view.name) {
        return Some(format!(
            "PersistentVolume {name} is reserved for claim {namespace}/{owner}"
        ));
    }
    let uid = pv.view.claim_uid.as_ref()?;
    (*uid != claim.view.uid).then(|| format!("PersistentVolume {name} is reserved for this claim in a former life"))
}
