//! What lies behind bound claims: the cloud's volume, held against PersistentVolume, class and tags. Pure.

use moorline_api::{Volume, VolumeSort, VolumeState, tags};

use super::world::{Claim, Pv, World};
use super::{Finding, Problem, Severity, Unknown};
use crate::fold::Key;
use crate::names;

pub(super) fn judge(world: &World) -> Vec<Finding> {
    let users = world.users();
    let mut findings = Vec::new();
    for (key, claim) in &world.claims {
        let Some(pv) = world.bound_pv(claim) else { continue };
        let Some(id) = &pv.view.volume else { continue };
        let Some(volume) = world.volumes.seen.get(id) else {
            if world.volumes.lack(id) {
                findings.push(missing(key, claim, pv, id));
            }
            continue;
        };
        let is_used = users.contains_key(&(&*key.0, &*key.1));
        let look = Look {
            world,
            claim,
            pv,
            volume,
        };
        let of_volume = look.all(is_used);
        findings.extend(of_volume.into_iter().map(|finding| finding.claim(key).volume(id)));
    }
    findings
}

/// Claims whose volume could not be read.
pub(super) fn unknown(world: &World) -> Vec<Unknown> {
    let unread = |claim: &&Claim| match (&world.persistent_volumes, world.bound_pv(claim)) {
        (None, _) => claim.view.is_bound(),
        (Some(_), Some(pv)) => {
            let unseen = |id| !world.volumes.named_complete && !world.volumes.seen.contains_key(id);
            pv.view.volume.as_ref().is_some_and(unseen)
        }
        (Some(_), None) => false,
    };
    let unknown = |claim: &Claim| Unknown {
        what: claim.title(),
        why: match &world.persistent_volumes {
            None => "its PersistentVolume could not be read".to_owned(),
            Some(_) => "its volume could not be read".to_owned(),
        },
    };
    world.claims.values().filter(unread).map(unknown).collect()
}

fn missing(key: &Key, claim: &Claim, pv: &Pv, id: &moorline_api::VolumeId) -> Finding {
    let why = format!("volume {id} behind it is not in this account and region");
    Finding::new(Severity::Error, Problem::VolumeMissing, claim.title(), why)
        .claim(key)
        .volume(id)
        .evidence(format!("PersistentVolume {} names it", pv.view.name))
        .evidence("the cloud was asked for it by id, and does not have it")
        .hint(format!(
            "check account and region; if it was deleted: moorline restore {id}"
        ))
}

/// A claim, its PersistentVolume and its volume, side by side.
struct Look<'a> {
    world: &'a World,
    claim: &'a Claim,
    pv: &'a Pv,
    volume: &'a Volume,
}

impl Look<'_> {
    fn all(&self, is_used: bool) -> Vec<Finding> {
        let mut findings: Vec<Finding> = [
            self.state(),
            self.size(),
            self.growth(),
            self.zone(),
            self.marked(is_used),
        ]
        .into_iter()
        .flatten()
        .collect();
        findings.extend(self.class());
        findings.extend(self.tags());
        findings
    }

    fn finding(&self, severity: Severity, problem: Problem, why: impl Into<String>) -> Finding {
        Finding::new(severity, problem, self.claim.title(), why)
    }

    fn state(&self) -> Option<Finding> {
        let (id, state) = (&self.volume.id, self.volume.state);
        let why = match state {
            VolumeState::Error => format!("volume {id} failed in the cloud"),
            VolumeState::Deleting | VolumeState::Deleted => format!("volume {id} is {state} in the cloud"),
            _ => return None,
        };
        let finding = self.finding(Severity::Error, Problem::VolumeFailed, why);
        Some(finding.hint(format!("moorline explain {id}")))
    }

    /// A container has no size: what it was asked for is only written down.
    fn size(&self) -> Option<Finding> {
        if self.volume.spec.config.sort() == VolumeSort::Container || self.pv.bytes == 0 {
            return None;
        }
        let (id, gib) = (&self.volume.id, self.volume.spec.size_gib);
        let has = u64::from(gib) << 30;
        let says = self.pv.bytes.div_ceil(1 << 30);
        let name = &self.pv.view.name;
        if has < self.pv.bytes {
            let why = format!("volume {id} has {gib} GiB, and PersistentVolume {name} says {says} GiB");
            let finding = self.finding(Severity::Error, Problem::WrongSize, why);
            return Some(finding.hint("grow the volume in the cloud to what Kubernetes believes"));
        }
        (has >> 30 > says).then(|| {
            let why = format!(
                "volume {id} has {gib} GiB, and PersistentVolume {name} says {says} GiB: it was grown past Kubernetes"
            );
            self.finding(Severity::Warning, Problem::WrongSize, why).hint(format!(
                "raise the claim's request to {gib}Gi, so that its file system may grow, too"
            ))
        })
    }

    fn growth(&self) -> Option<Finding> {
        let (asks, has) = (self.claim.shape.bytes, self.pv.bytes);
        (asks > has && has > 0).then(|| {
            let gib = |bytes: u64| bytes.div_ceil(1 << 30);
            let why = format!(
                "it asks for {} GiB, and PersistentVolume {} has {} GiB: growing it did not finish",
                gib(asks),
                self.pv.view.name,
                gib(has)
            );
            self.finding(Severity::Warning, Problem::WrongSize, why).hint(format!(
                "kubectl describe persistentvolumeclaim {} --namespace {}",
                self.claim.view.name, self.claim.view.namespace
            ))
        })
    }

    fn zone(&self) -> Option<Finding> {
        let zone = self.volume.spec.zone.as_ref()?;
        // Azure's disks are in zone `1`, and its nodes in `westeurope-1`.
        let same = |named: &String| named == zone || named.ends_with(&format!("-{zone}"));
        if self.pv.zones.is_empty() || self.pv.zones.iter().any(same) {
            return None;
        }
        let why = format!(
            "volume {} is in {zone}, and PersistentVolume {} binds its pods to {}",
            self.volume.id,
            self.pv.view.name,
            self.pv.zones.join(", ")
        );
        let finding = self.finding(Severity::Error, Problem::WrongZone, why);
        Some(
            finding.hint(
                "no node that may run the pod can attach it: make the PersistentVolume anew with the volume's zone",
            ),
        )
    }

    /// The type, and the zone, that its class would give it.
    fn class(&self) -> Vec<Finding> {
        let classes = self.world.classes.as_ref();
        let class = classes.and_then(|classes| classes.get(self.claim.class.as_deref()?));
        let Some(class) = class else { return Vec::new() };
        let rules = self.world.rules_for(&class.provisioner);
        let placement = rules.and_then(|rules| rules.place(class, &self.claim.shape, None).ok());
        let Some(placement) = placement else {
            return Vec::new();
        };
        let mut findings = Vec::new();
        let id = &self.volume.id;
        let deviations = self.volume.spec.config.deviations(&placement.config);
        if !deviations.is_empty() && !self.claim.modified {
            let why = format!(
                "volume {id} is not as class {} asks: {}",
                class.name,
                deviations.join("; ")
            );
            let finding = self.finding(Severity::Warning, Problem::WrongType, why);
            findings.push(finding.hint("change the volume in the cloud, or, where it is meant, the class"));
        }
        if let (Some(zone), Some(allowed)) = (&self.volume.spec.zone, &placement.zones)
            && !allowed.contains(zone)
        {
            let why = format!(
                "volume {id} is in {zone}, and class {} allows {}",
                class.name,
                allowed.join(", ")
            );
            findings.push(self.finding(Severity::Warning, Problem::WrongZone, why));
        }
        findings
    }

    fn marked(&self, is_used: bool) -> Option<Finding> {
        let since = self.volume.tags.get(tags::UNUSED)?;
        is_used.then(|| {
            let id = &self.volume.id;
            let why = format!("volume {id} bears garbage collection's mark, and a pod uses it");
            // Shares and containers are listed without their marks, and those of used ones are not read.
            let next = match self.volume.spec.config.sort() {
                VolumeSort::Disk => {
                    format!("the next `moorline gc --apply` takes it off; at once: moorline gc unmark {id}")
                }
                VolumeSort::Share | VolumeSort::Container => {
                    format!("no run that sees it used goes by it any more; to take it off: moorline gc unmark {id}")
                }
            };
            self.finding(Severity::Warning, Problem::Marked, why)
                .evidence(format!("tag {} is {since:?}", tags::UNUSED))
                .hint(next)
        })
    }

    /// What its tags say of whose it is. Those of a driver say less, and are not held against it.
    fn tags(&self) -> Vec<Finding> {
        let volume = self.volume;
        if volume.tags.contains_key(names::ADOPTED) {
            return Vec::new();
        }
        let tag = |key: &str| volume.tags.get(key).map(String::as_str);
        let Some(cluster) = tag(names::CLUSTER_UID) else {
            return self.untagged().into_iter().collect();
        };
        let view = &self.claim.view;
        let mut wrong = Vec::new();
        if cluster != self.world.cluster_uid {
            wrong.push(format!("cluster {cluster}"));
        }
        if let (Some(namespace), Some(claim)) = (tag(names::NAMESPACE), tag(names::CLAIM))
            && (namespace, claim) != (&*view.namespace, &*view.name)
        {
            wrong.push(format!("claim {namespace}/{claim}"));
        } else if self.was_read() && tag(names::CLAIM_UID).is_some_and(|uid| uid != view.uid) {
            wrong.push("a former life of this claim".to_owned());
        }
        if wrong.is_empty() {
            return Vec::new();
        }
        let why = format!(
            "volume {} says by its tags that it belongs to {}",
            volume.id,
            wrong.join(" and ")
        );
        let finding = self.finding(Severity::Warning, Problem::WrongTags, why);
        vec![finding.hint(format!("moorline explain {}", volume.id))]
    }

    /// Whether all that the volume bears was read: shares are listed with what their names and accounts prove.
    fn was_read(&self) -> bool {
        self.volume.spec.config.sort() == VolumeSort::Disk || self.volume.tags.contains_key(names::CLAIM)
    }

    /// A volume of ours that does not say so.
    fn untagged(&self) -> Option<Finding> {
        let is_ours = self.pv.view.profile.is_some();
        (is_ours && self.was_read()).then(|| {
            let why = format!("volume {} does not say by its tags whose it is", self.volume.id);
            self.finding(Severity::Warning, Problem::WrongTags, why).hint(format!(
                "somebody took tags off; without them nothing could find it once its claim is gone: put {} and {} back",
                names::CLUSTER_UID,
                names::CLAIM_UID
            ))
        })
    }
}
