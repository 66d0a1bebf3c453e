//! Workloads: replicas, selectors, and whether every mount names a volume.

use std::collections::{HashMap, HashSet};

use super::Checker;
use crate::manifests::Item;
use moorline_yaml::Node;
use moorline_yaml::diagnostic::Diagnostic;
use moorline_yaml::words::{dns_label, nearest, quote};

/// More replicas than anyone means; a cluster of the largest supported size has 5,000 nodes.
const MOST_REPLICAS: i64 = 10_000;

/// The path to a workload's pod template.
fn template_path(item: &Item) -> Option<&'static [&'static str]> {
    Some(match (&*item.gvk.group, &*item.gvk.kind) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => &["spec", "template"],
        ("batch", "CronJob") => &["spec", "jobTemplate", "spec", "template"],
        ("", "Pod") => &[],
        _ => return None,
    })
}

/// The pod template of a workload; a pod is its own.
pub(super) fn pod_template(item: &Item) -> Option<&Node> {
    item.node.at(template_path(item)?)
}

/// The names of the claims that a pod's volumes use, with their places.
pub(super) fn claims_of(template: &Node) -> impl Iterator<Item = &Node> {
    template
        .items_at(&["spec", "volumes"])
        .iter()
        .filter_map(|volume| volume.at(&["persistentVolumeClaim", "claimName"]))
}

fn containers(template: &Node) -> impl Iterator<Item = &Node> {
    ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| template.items_at(&["spec", list]))
}

/// Every `volumeMounts` and `volumeDevices` entry.
fn mounts(template: &Node) -> impl Iterator<Item = &Node> {
    let of = |container| {
        ["volumeMounts", "volumeDevices"]
            .into_iter()
            .flat_map(move |list| Node::items_at(container, &[list]))
    };
    containers(template).flat_map(of)
}

impl Checker<'_> {
    pub(super) fn workload(&mut self, item: &Item) {
        let (Some(path), Some(template)) = (template_path(item), pod_template(item)) else {
            return;
        };
        if !path.is_empty() {
            let metadata: Vec<&str> = path.iter().copied().chain(["metadata"]).collect();
            self.labels(item, &metadata);
        }
        self.replicas(item);
        self.selector(item, template);
        self.containers(item, template);
        self.mounts(item, template);
        self.shared_claims(item, template);
        if item.gvk.kind == "StatefulSet" {
            self.governing_service(item);
        }
    }

    fn replicas(&mut self, item: &Item) {
        let Some(node) = item.node.at(&["spec", "replicas"]) else {
            return;
        };
        if let Some(replicas) = node.as_i64().filter(|replicas| *replicas > MOST_REPLICAS) {
            let cause = format!("spec.replicas is {replicas}; moorline takes up to {MOST_REPLICAS}");
            self.error(
                item,
                node.span,
                cause,
                "check the number; split what is really so large",
            );
        }
    }

    /// A selector must find the pods of its own template: the API server refuses the workload otherwise.
    fn selector(&mut self, item: &Item, template: &Node) {
        if item.gvk.group != "apps" {
            return;
        }
        let Some(selector) = item.node.at(&["spec", "selector"]) else {
            return;
        };
        let match_labels = selector.entries_at(&["matchLabels"]);
        if match_labels.is_empty() && selector.items_at(&["matchExpressions"]).is_empty() {
            let cause = "the selector is empty";
            self.error(
                item,
                item.place(&["spec", "selector"]),
                cause,
                "add matchLabels: with the labels of the pod template",
            );
        }
        for wanted in match_labels {
            let Some(value) = wanted.value.as_str() else { continue };
            let label = template.at(&["metadata", "labels", &wanted.key]);
            if label.and_then(Node::as_str) == Some(value) {
                continue;
            }
            let cause = format!(
                "the selector wants {}={value}, which the pod template does not have",
                wanted.key
            );
            let cure = format!(
                "add {}: {value} to spec.template.metadata.labels, or change the selector",
                wanted.key
            );
            let mut diagnostic = Diagnostic::new(item.source.locate(wanted.value.span), cause, cure);
            if let Some(label) = label {
                diagnostic = diagnostic.also(item.source.locate(label.span), "the template's label");
            }
            self.findings.add(diagnostic);
        }
    }

    fn containers(&mut self, item: &Item, template: &Node) {
        if let Some(list) = template
            .at(&["spec", "containers"])
            .filter(|list| list.items().is_empty() && list.as_str().is_none())
        {
            self.error(item, list.span, "the pod has no container", "add one below containers:");
        }
        let mut names = HashSet::new();
        for container in containers(template) {
            if let Some(name) = container.str_at(&["name"]) {
                let at = container.place(&["name"]);
                if let Err(why) = dns_label(name) {
                    let cause = format!("a container cannot be named {}: {why}", quote(name));
                    self.error(item, at, cause, "use a name such as nginx");
                }
                if !names.insert(name) {
                    self.error(
                        item,
                        at,
                        format!("two containers are named {}", quote(name)),
                        "rename one of them",
                    );
                }
            }
            let mut paths = HashSet::new();
            for mount in container.items_at(&["volumeMounts"]) {
                if let Some(path) = mount.str_at(&["mountPath"]).filter(|path| !paths.insert(*path)) {
                    let cause = format!("two volumes are mounted at {}", quote(path));
                    self.error(item, mount.place(&["mountPath"]), cause, "mount one of them elsewhere");
                }
            }
        }
    }

    /// Every mount names a volume or a claim template, and every claim template is mounted.
    fn mounts(&mut self, item: &Item, template: &Node) {
        let mut volumes = HashMap::new();
        for volume in template.items_at(&["spec", "volumes"]) {
            let Some(name) = volume.str_at(&["name"]) else { continue };
            let at = volume.place(&["name"]);
            if let Err(why) = dns_label(name) {
                let cause = format!("a volume cannot be named {}: {why}", quote(name));
                self.error(item, at, cause, "use a name such as data");
            }
            if volumes.insert(name, at).is_some() {
                self.error(
                    item,
                    at,
                    format!("two volumes are named {}", quote(name)),
                    "rename one of them",
                );
            }
        }
        let templates = item.node.items_at(&["spec", "volumeClaimTemplates"]);
        let templates: Vec<_> = templates
            .iter()
            .filter_map(|claim| Some((claim.str_at(&["metadata", "name"])?, claim)))
            .collect();
        let mounted: HashSet<_> = mounts(template).filter_map(|mount| mount.str_at(&["name"])).collect();
        let mut meant = HashSet::new();
        for mount in mounts(template) {
            let Some(name) = mount.str_at(&["name"]) else { continue };
            if volumes.contains_key(name) || templates.iter().any(|(template, _)| *template == name) {
                continue;
            }
            let unmounted = templates
                .iter()
                .map(|(name, _)| *name)
                .filter(|name| !mounted.contains(name));
            let known = volumes.keys().copied().chain(templates.iter().map(|(name, _)| *name));
            let near =
                nearest(name, known.clone()).or_else(|| unmounted.clone().next().filter(|_| unmounted.count() == 1));
            meant.extend(near);
            let cause = format!(
                "the mount names {}, and there is no such volume or claim template",
                quote(name)
            );
            let cure = match near {
                Some(near) => format!("did you mean {near}? a mount and its template have the same name"),
                None => "add a volume or a claim template of that name".to_owned(),
            };
            let mut diagnostic = Diagnostic::new(item.source.locate(mount.place(&["name"])), cause, cure);
            if let Some((_, claim)) = templates.iter().find(|(template, _)| Some(*template) == near) {
                diagnostic = diagnostic.also(item.source.locate(claim.place(&["metadata", "name"])), "the template");
            }
            self.findings.add(diagnostic);
        }
        for (name, claim) in templates
            .iter()
            .filter(|(name, _)| !mounted.contains(name) && !meant.contains(name))
        {
            let cause = format!("no container mounts the template {}", quote(name));
            let cure = "add it to the volumeMounts of a container: its volumes cost money and hold nothing";
            self.warning(item, claim.place(&["metadata", "name"]), cause, cure);
        }
    }

    /// Claims that pods use: they should exist, and most clouds let one node at a time have a volume.
    fn shared_claims(&mut self, item: &Item, template: &Node) {
        let replicas = item.node.at(&["spec", "replicas"]).and_then(Node::as_i64).unwrap_or(1);
        for node in claims_of(template) {
            let Some(name) = node.as_str() else { continue };
            let Some(claim) = self.find("PersistentVolumeClaim", item.namespace.as_deref(), name) else {
                let cause = format!("claim {} is not in this profile", quote(name));
                self.warning(item, node.span, cause, "add it, or make sure that the cluster has it");
                continue;
            };
            let many = replicas > 1 && matches!(&*item.gvk.kind, "Deployment" | "ReplicaSet" | "StatefulSet");
            let modes = claim.node.items_at(&["spec", "accessModes"]);
            let one_node = !modes.is_empty()
                && modes
                    .iter()
                    .filter_map(Node::as_str)
                    .all(|mode| matches!(mode, "ReadWriteOnce" | "ReadWriteOncePod"));
            if many && one_node {
                let cause = format!(
                    "{replicas} replicas share claim {}, which one node at a time can use",
                    quote(name)
                );
                let cure = "use a StatefulSet with volumeClaimTemplates, or one replica: pods on other nodes would wait for ever";
                let also = claim.source.locate(claim.place(&["spec", "accessModes"]));
                let at = item.source.locate(node.span);
                self.findings.add(
                    Diagnostic::new(at, cause, cure)
                        .also(also, "its access modes")
                        .warning(),
                );
            }
        }
    }

    fn governing_service(&mut self, item: &Item) {
        let Some(node) = item.node.at(&["spec", "serviceName"]) else {
            return;
        };
        let Some(name) = node.as_str().filter(|name| !name.is_empty()) else {
            return;
        };
        let namespace = item.namespace.as_deref();
        if self.find("Service", namespace, name).is_some() {
            return;
        }
        let cause = format!(
            "spec.serviceName names Service {}, which is not in this profile",
            quote(name)
        );
        let cure = match nearest(name, self.names("Service", namespace)) {
            Some(near) => format!("did you mean {near}?"),
            None => "add it, or make sure that the cluster has it: pods get no DNS names without it".to_owned(),
        };
        self.warning(item, node.span, cause, cure);
    }
}
