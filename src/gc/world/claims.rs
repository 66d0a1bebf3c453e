//! Claims and StatefulSets as listings show them.

use jiff::Timestamp;
use moorline_api::{Object, tags};
use serde_json::Value;

use super::{ClaimRecord, ClusterIndex, One, Phase, SetRecord, StatefulClaim, World, seconds};
use crate::intern::Sym;
use crate::{names, ordinals, protect};

impl World {
    pub(super) fn add_claim(&mut self, cluster: ClusterIndex, claim: &Object) {
        self.add_clone_of(cluster, claim);
        self.add_origin_of(cluster, claim);
        let protected = protect::of_object(&self.protect, claim);
        let labels = lines_of(claim, &["metadata", "labels"]);
        let names = &mut self.names;
        let stateful = match claim.annotation(names::SET) {
            Some(set) => StatefulClaim::ByMoorline(names.add(set)),
            None if made_by_controller(claim) && !labels.is_empty() => StatefulClaim::ByController,
            None => StatefulClaim::No,
        };
        let record = ClaimRecord {
            namespace: names.add(claim.namespace().unwrap_or_default()),
            name: names.add(claim.name()),
            uid: names.add(claim.uid().unwrap_or_default()),
            volume_name: names.add(claim.str_at(&["spec", "volumeName"]).unwrap_or_default()),
            labels: names.add(&labels),
            stateful,
            owners: names.add(&owners(claim)),
            protected: names.add(&protected.unwrap_or_default()),
            created: seconds(claim),
            unused_since: unused_since(claim),
            phase: Phase::of(claim.str_at(&["status", "phase"])),
            ours: claim.label(tags::PROFILE).is_some(),
        };
        let (key, uid, volume_name) = ((record.namespace, record.name), record.uid, record.volume_name);
        let world = &mut self.clusters[usize::from(cluster.0)];
        let index = if let Some(index) = world.claim_by_name.get(&key) {
            world.claims[*index as usize] = record;
            *index
        } else {
            let Ok(index) = u32::try_from(world.claims.len()) else {
                return;
            };
            world.claims.push(record);
            world.claim_by_name.insert(key, index);
            index
        };
        if !volume_name.is_none() {
            let naming = world.claims_by_pv.entry(volume_name).or_insert(One::Just(index));
            naming.push(index);
        }
        self.claim_by_uid.insert(uid, (cluster.0, index));
    }

    /// While a claim is filled from another one, that one is in use.
    fn add_clone_of(&mut self, cluster: ClusterIndex, claim: &Object) {
        if claim.str_at(&["status", "phase"]) == Some("Bound") {
            return;
        }
        let namespace = claim.namespace().unwrap_or_default();
        for source in ["dataSource", "dataSourceRef"] {
            let kind = claim.str_at(&["spec", source, "kind"]);
            let of = claim.str_at(&["spec", source, "namespace"]).unwrap_or(namespace);
            if let (Some("PersistentVolumeClaim"), Some(name)) = (kind, claim.str_at(&["spec", source, "name"])) {
                self.add_use(cluster, of, name, claim, true);
            }
        }
    }

    /// A claim that a `restore` made and did not finish waits for a volume that no PersistentVolume names yet.
    fn add_origin_of(&mut self, cluster: ClusterIndex, claim: &Object) {
        let Some(origin) = claim.annotation(tags::RESTORED_FROM) else {
            return;
        };
        if claim.str_at(&["status", "phase"]) == Some("Bound") {
            return;
        }
        let (namespace, name) = (claim.namespace().unwrap_or_default(), claim.name());
        let cluster = &self.clusters[usize::from(cluster.0)].name;
        let what = format!("claim {namespace}/{name} of cluster {cluster} is being brought back from it");
        self.brought_back.insert(origin.to_owned(), what);
    }

    /// A set with volume claim templates, of `apps` or of another group.
    pub(super) fn add_set(&mut self, cluster: ClusterIndex, set: &Object) {
        let templates = set.list_at(&["spec", "volumeClaimTemplates"]).iter();
        let templates = templates.filter_map(|template| template.pointer("/metadata/name")?.as_str());
        let templates: Vec<&str> = templates.collect();
        let names = &mut self.names;
        let namespace = names.add(set.namespace().unwrap_or_default());
        let stems: Vec<Sym> = templates
            .iter()
            .map(|template| names.add(&ordinals::stem(template, set.name())))
            .collect();
        let record = SetRecord {
            namespace,
            name: names.add(set.name()),
            uid: names.add(set.uid().unwrap_or_default()),
            kind: names.add(set.str_at(&["kind"]).unwrap_or("StatefulSet")),
            templates: templates.into_iter().map(|template| names.add(template)).collect(),
            start: set.i64_at(&["spec", "ordinals", "start"]).unwrap_or(0),
            replicas: set.i64_at(&["spec", "replicas"]).unwrap_or(1),
            selector: names.add(&lines_of(set, &["spec", "selector", "matchLabels"])),
        };
        let world = &mut self.clusters[usize::from(cluster.0)];
        world.set_uids.insert(record.uid);
        let same = |known: &SetRecord| known.name == record.name && known.kind == record.kind;
        let known = stems.first().and_then(|stem| {
            let with = world.stems.get(&(namespace, *stem))?;
            with.iter().copied().find(|index| same(&world.sets[*index as usize]))
        });
        let index = if let Some(index) = known {
            world.sets[index as usize] = record;
            index
        } else {
            let Ok(index) = u32::try_from(world.sets.len()) else {
                return;
            };
            world.sets.push(record);
            index
        };
        let key = (namespace, world.sets[index as usize].name);
        world.set_by_name.insert(key, index);
        for stem in stems {
            let with = world.stems.entry((namespace, stem)).or_default();
            if !with.contains(&index) {
                with.push(index);
            }
        }
    }
}

/// Whether the StatefulSet controller made the claim. Access modes never change, so that they stay with whoever made it, as
/// sizes do not. The binder is of the same manager and writes `volumeName` only; the other controller of Kubernetes that makes
/// claims makes pods their owners. (Seen on Kubernetes 1.36.3.)
fn made_by_controller(claim: &Object) -> bool {
    let entries = claim.list_at(&["metadata", "managedFields"]).iter();
    let mut entries = entries.filter(|entry| {
        entry.get("manager").and_then(Value::as_str) == Some(names::CONTROLLER_MANAGER)
            && entry
                .pointer("/fieldsV1/f:spec")
                .is_some_and(|spec| spec.get(names::ACCESS_MODES).is_some())
    });
    entries.next().is_some()
}

/// `kind name uid` of each owner, a line each.
fn owners(claim: &Object) -> String {
    let owners = claim.list_at(&["metadata", "ownerReferences"]).iter();
    let lines = owners.map(|owner| {
        let text = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
        let (version, kind, name, uid) = (text("apiVersion"), text("kind"), text("name"), text("uid"));
        if kind == "StatefulSet" && version.starts_with("apps/") {
            format!("{kind} {name} {uid}")
        } else {
            format!("{version}/{kind} {name} {uid}")
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `key=value` of a map of strings, sorted, a line each. Neither has line breaks in Kubernetes.
pub(super) fn lines_of(object: &Object, path: &[&str]) -> String {
    let map = object.at(path).and_then(Value::as_object);
    let pairs = map.into_iter().flatten();
    let mut lines: Vec<String> = pairs
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The condition `Unused`: since when no pod uses the claim. -1 where one does, 0 where the cluster does not say.
fn unused_since(claim: &Object) -> i64 {
    let conditions = claim.list_at(&["status", "conditions"]);
    let text = |condition: &Value, key: &str| condition.get(key).and_then(Value::as_str).map(str::to_owned);
    let unused = conditions
        .iter()
        .find(|condition| text(condition, "type").as_deref() == Some("Unused"));
    let Some(unused) = unused else { return 0 };
    match text(unused, "status").as_deref() {
        Some("False") => -1,
        Some("True") => text(unused, "lastTransitionTime")
            .and_then(|time| time.parse::<Timestamp>().ok())
            .map_or(0, Timestamp::as_second),
        _ => 0,
    }
}
