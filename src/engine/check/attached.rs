//! Disks and machines: a pod runs where its volume is attached, and nothing stays attached for nobody. Pure.

use std::collections::HashMap;

use moorline_api::{Volume, VolumeSort, VolumeState};

use super::world::{Attached, Claim, Pod, World};
use super::{Finding, Problem, Severity};

pub(super) fn judge(world: &World) -> Vec<Finding> {
    let Some(_) = &world.pods else { return Vec::new() };
    let users = world.users();
    let mut by_volume: HashMap<&str, Vec<&Attached>> = HashMap::new();
    for attachment in world.attachments.iter().flatten() {
        by_volume
            .entry(&attachment.persistent_volume)
            .or_default()
            .push(attachment);
    }
    let mut findings = Vec::new();
    for (key, claim) in &world.claims {
        let Some(volume) = world.volume_of(claim) else { continue };
        if volume.spec.config.sort() != VolumeSort::Disk {
            continue;
        }
        let pods = users.get(&(&*key.0, &*key.1)).map_or(&[][..], Vec::as_slice);
        let attachments = by_volume.get(&*claim.view.volume_name).map_or(&[][..], Vec::as_slice);
        let disk = Disk {
            world,
            claim,
            volume,
            attachments,
        };
        findings.extend(
            disk.all(pods)
                .into_iter()
                .map(|finding| finding.claim(key).volume(&volume.id)),
        );
    }
    findings
}

struct Disk<'a> {
    world: &'a World,
    claim: &'a Claim,
    volume: &'a Volume,
    attachments: &'a [&'a Attached],
}

impl Disk<'_> {
    fn all(&self, pods: &[&Pod]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = pods.iter().filter_map(|pod| self.of_pod(pod)).collect();
        if findings.is_empty() {
            findings.extend(self.failing());
            findings.extend(self.contradicted());
        }
        if pods.is_empty() {
            findings.extend(self.left_attached());
        }
        findings
    }

    fn finding(&self, severity: Severity, problem: Problem, why: String) -> Finding {
        Finding::new(severity, problem, self.claim.title(), why)
    }

    /// A running pod had the volume mounted when it started.
    fn of_pod(&self, pod: &Pod) -> Option<Finding> {
        if !pod.running || pod.node.is_empty() {
            return None;
        }
        let (id, state) = (&self.volume.id, self.volume.state);
        let runs = format!("pod {}/{} runs with it on node {}", pod.namespace, pod.name, pod.node);
        if self.volume.attachments.is_empty() {
            if matches!(state, VolumeState::Unknown | VolumeState::InUse) {
                return None;
            }
            let why = format!("volume {id} is {state} and attached nowhere, though {runs}");
            let finding = self.finding(Severity::Error, Problem::Detached, why);
            let finding = match self.attachments.first() {
                Some(attachment) => finding.evidence(said(attachment)),
                None if self.world.attachments.is_some() => finding.evidence("no VolumeAttachment is there for it"),
                None => finding,
            };
            return Some(finding.hint(format!(
                "what the pod writes is lost: kubectl delete pod {} --namespace {}, so that it is attached anew",
                pod.name, pod.namespace
            )));
        }
        let machine = self.world.machines.get(&pod.node)?;
        let at: Vec<&str> = self.volume.attachments.iter().map(|a| &*a.instance).collect();
        if at.iter().any(|instance| is_machine(machine, instance)) {
            return None;
        }
        let why = format!(
            "volume {id} is attached to {}, though {runs}, which is {machine}",
            at.join(", ")
        );
        let finding = self.finding(Severity::Error, Problem::AttachedElsewhere, why);
        Some(finding.hint(format!(
            "kubectl describe pod {} --namespace {}",
            pod.name, pod.namespace
        )))
    }

    fn failing(&self) -> Option<Finding> {
        let failing = self
            .attachments
            .iter()
            .find(|attachment| !attachment.error.is_empty())?;
        let why = format!(
            "volume {} cannot be attached to node {}: {}",
            self.volume.id, failing.node, failing.error
        );
        Some(self.finding(Severity::Error, Problem::AttachFailing, why))
    }

    /// Kubernetes says that it is attached, and the cloud that it is not.
    fn contradicted(&self) -> Option<Finding> {
        let attached = self.attachments.iter().find(|attachment| attachment.done)?;
        let free = self.volume.attachments.is_empty() && self.volume.state == VolumeState::Available;
        free.then(|| {
            let why = format!(
                "volume {} is attached nowhere, though {}",
                self.volume.id,
                said(attached)
            );
            self.finding(Severity::Error, Problem::Detached, why)
        })
    }

    fn left_attached(&self) -> Option<Finding> {
        let claimed = self.world.attachments.is_none() || !self.attachments.is_empty();
        let attachment = self.volume.attachments.first().filter(|_| !claimed)?;
        let why = format!(
            "volume {} is attached to {} as {}, and neither a pod nor a VolumeAttachment says why",
            self.volume.id, attachment.instance, attachment.device
        );
        let finding = self.finding(Severity::Warning, Problem::AttachedUnused, why);
        Some(
            finding
                .hint("a pod on another machine could not start with it: detach it in the cloud when nothing uses it"),
        )
    }
}

fn said(attachment: &Attached) -> String {
    let is = if attachment.done { "attached" } else { "to be attached" };
    format!("a VolumeAttachment says that it is {is} to node {}", attachment.node)
}

/// Whether a node's `providerID` means a machine as the cloud names it: by its id, or by its whole path.
fn is_machine(provider_id: &str, instance: &str) -> bool {
    let path = provider_id.split_once("://").map_or(provider_id, |(_, path)| path);
    let same = |a: &str, b: &str| a.trim_matches('/').eq_ignore_ascii_case(b.trim_matches('/'));
    let last = path.rsplit('/').next().unwrap_or(path);
    same(path, instance) || (!instance.trim_matches('/').contains('/') && same(last, instance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_its_id_or_by_its_path() {
        assert!(is_machine("aws:///us-east-1a/i-0abc", "i-0abc"));
        assert!(!is_machine("aws:///us-east-1a/i-0abc", "i-0def"));
        let path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm-0";
        assert!(is_machine(&format!("azure://{path}"), &path.to_uppercase()));
        assert!(is_machine(&format!("azure://{path}"), "vm-0"));
        assert!(!is_machine(&format!("azure://{path}"), &path.replace("/g/", "/h/")));
    }
}
