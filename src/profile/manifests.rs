//! From YAML documents to objects: `List`s flattened, each of a kind, with a name, once.

use std::collections::HashMap;
use std::rc::Rc;

use moorline_api::Gvk;

use moorline_yaml::diagnostic::{Diagnostic, Findings};
use moorline_yaml::shape::Shapes;
use moorline_yaml::source::{Source, Span};
use moorline_yaml::words::{nearest, quote};
use moorline_yaml::{Node, Value};

/// An object of a manifest, with its places.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) source: Rc<Source>,
    pub(crate) node: Node,
    pub(crate) gvk: Gvk,
    pub(crate) name: String,
    /// Where it goes; `None` for kinds that are known to have no namespace.
    pub(crate) namespace: Option<String>,
}

impl Item {
    /// Whether it is of a built-in kind in its current version.
    pub(crate) fn is(&self, api_version: &str, kind: &str) -> bool {
        self.gvk.kind == kind && self.gvk.api_version() == api_version
    }

    /// The place of a value, or of as much of the path to it as there is.
    pub(crate) fn place<S: AsRef<str>>(&self, path: &[S]) -> Span {
        self.node.place(path)
    }

    /// `StatefulSet home-deployment`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.gvk.kind, self.name)
    }
}

/// Kinds of the built-in groups that have no namespace.
const CLUSTER_WIDE: &[&str] = &[
    "APIService",
    "CSIDriver",
    "CSINode",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// API versions that Kubernetes no longer serves, and what came after them.
const REMOVED: &[(&str, &[&str], &str)] = &[
    (
        "apps/v1beta1",
        &["Deployment", "StatefulSet", "ControllerRevision"],
        "apps/v1",
    ),
    (
        "apps/v1beta2",
        &[
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "ControllerRevision",
        ],
        "apps/v1",
    ),
    (
        "extensions/v1beta1",
        &["Deployment", "DaemonSet", "ReplicaSet"],
        "apps/v1",
    ),
    (
        "extensions/v1beta1",
        &["Ingress", "NetworkPolicy"],
        "networking.k8s.io/v1",
    ),
    (
        "networking.k8s.io/v1beta1",
        &["Ingress", "IngressClass"],
        "networking.k8s.io/v1",
    ),
    ("policy/v1beta1", &["PodDisruptionBudget"], "policy/v1"),
    ("batch/v1beta1", &["CronJob"], "batch/v1"),
    ("batch/v2alpha1", &["CronJob"], "batch/v1"),
    ("autoscaling/v2beta1", &["HorizontalPodAutoscaler"], "autoscaling/v2"),
    ("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], "autoscaling/v2"),
    (
        "storage.k8s.io/v1beta1",
        &["StorageClass", "CSIDriver", "CSINode", "VolumeAttachment"],
        "storage.k8s.io/v1",
    ),
    (
        "rbac.authorization.k8s.io/v1beta1",
        &["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"],
        "rbac.authorization.k8s.io/v1",
    ),
    (
        "rbac.authorization.k8s.io/v1alpha1",
        &["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"],
        "rbac.authorization.k8s.io/v1",
    ),
    ("scheduling.k8s.io/v1beta1", &["PriorityClass"], "scheduling.k8s.io/v1"),
    (
        "apiextensions.k8s.io/v1beta1",
        &["CustomResourceDefinition"],
        "apiextensions.k8s.io/v1",
    ),
];

/// Collects the objects of all manifests.
pub(crate) struct Collector<'a> {
    pub(crate) shapes: &'a Shapes,
    /// The namespace of objects that name none.
    pub(crate) namespace: &'a str,
    pub(crate) findings: &'a mut Findings,
    pub(crate) items: Vec<Item>,
    /// The first of each group, kind, namespace and name, by its place in `items`.
    seen: HashMap<(String, String, Option<String>, String), usize>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(shapes: &'a Shapes, namespace: &'a str, findings: &'a mut Findings) -> Self {
        Self {
            shapes,
            namespace,
            findings,
            items: Vec::new(),
            seen: HashMap::new(),
        }
    }

    /// Takes the documents of one file; one that holds nothing at all is reported.
    pub(crate) fn file(&mut self, source: &Rc<Source>, documents: Vec<Node>, is_broken: bool) {
        if documents.iter().all(Node::is_null) && !is_broken {
            let cure = "add objects, or remove the file";
            self.findings
                .error(source, Span::default(), "the file is empty: it has no object", cure);
        }
        for document in documents {
            self.document(source, document);
        }
    }

    fn document(&mut self, source: &Rc<Source>, node: Node) {
        let kind = node.str_at(&["kind"]).unwrap_or_default();
        match &node.value {
            Value::Null => {}
            Value::Map(entries) if kind.ends_with("List") && entries.iter().any(|entry| entry.key == "items") => {
                for item in node.items_at(&["items"]) {
                    self.document(source, item.clone());
                }
            }
            Value::Map(_) => self.object(source, node),
            _ => {
                let cause = format!("a manifest is a mapping, and this is {}", node.sort());
                self.findings
                    .error(source, node.start(), cause, "begin it with apiVersion: and kind:");
            }
        }
    }

    fn object(&mut self, source: &Rc<Source>, node: Node) {
        let api_version = self.required(source, &node, &["apiVersion"], "add apiVersion: such as apps/v1");
        let kind = self.required(source, &node, &["kind"], "add kind: such as StatefulSet");
        let version_stands = match (&api_version, &kind) {
            (Some(api_version), Some(kind)) => self.version(source, &node, api_version, kind),
            _ => true,
        };
        let name = if version_stands {
            self.object_name(source, &node)
        } else {
            None
        };
        let (Some(api_version), Some(kind)) = (api_version, kind) else {
            return;
        };
        if !version_stands {
            return;
        }
        self.shapes
            .check(&format!("{api_version} {kind}"), source, &node, self.findings);
        let Some(name) = name else { return };
        let gvk = Gvk::new(&api_version, &kind);
        let namespace = node
            .str_at(&["metadata", "namespace"])
            .unwrap_or(self.namespace)
            .to_owned();
        let namespace = (!CLUSTER_WIDE.contains(&&*kind)).then_some(namespace);
        let key = (gvk.group.clone(), kind, namespace.clone(), name.clone());
        let item = Item {
            source: Rc::clone(source),
            node,
            gvk,
            name,
            namespace,
        };
        if let Some(first) = self.seen.get(&key).and_then(|first| self.items.get(*first)) {
            let also = first.source.locate(first.place(&["metadata", "name"]));
            let at = item.source.locate(item.place(&["metadata", "name"]));
            let within = item
                .namespace
                .as_deref()
                .map(|namespace| format!(" in namespace {namespace}"))
                .unwrap_or_default();
            let cause = format!("{} is given twice{within}", item.title());
            self.findings
                .add(Diagnostic::new(at, cause, "rename or remove one of the two").also(also, "first given here"));
            return;
        }
        self.seen.insert(key, self.items.len());
        self.items.push(item);
    }

    fn object_name(&mut self, source: &Source, node: &Node) -> Option<String> {
        let generated = node
            .at(&["metadata", "generateName"])
            .filter(|_| node.at(&["metadata", "name"]).is_none());
        let Some(generated) = generated else {
            return self.required(source, node, &["metadata", "name"], "add metadata: with name: below");
        };
        let cause = "generateName makes another object at each run";
        self.findings.error(
            source,
            generated.span,
            cause,
            "give it a name: moorline finds it again by that",
        );
        None
    }

    /// A string that every object must have.
    fn required(&mut self, source: &Source, node: &Node, path: &[&str], cure: &str) -> Option<String> {
        let what = path.join(".");
        match node.at(path) {
            Some(Node {
                value: Value::String(text),
                ..
            }) if !text.is_empty() => return Some(text.clone()),
            Some(found) if found.as_str().is_some() => {
                self.findings
                    .error(source, node.place(path), format!("{what} is empty"), cure);
            }
            Some(found) => {
                let written = source.slice(found.span);
                let cure = if matches!(found.value, Value::Map(_) | Value::List(_)) || written.len() > 64 {
                    "write a string".to_owned()
                } else {
                    format!("quote it: {written:?}")
                };
                let cause = format!("{what} must be a string, not {}", found.sort());
                self.findings.error(source, node.place(path), cause, cure);
            }
            None => self
                .findings
                .error(source, node.place(path), format!("{what} is missing"), cure),
        }
        None
    }

    /// Whether a kind may exist in a version: what is built in and no longer served, or in another group, is reported.
    fn version(&mut self, source: &Source, node: &Node, api_version: &str, kind: &str) -> bool {
        let at = node.place(&["apiVersion"]);
        let removed = REMOVED
            .iter()
            .find(|(version, kinds, _)| *version == api_version && kinds.contains(&kind));
        if let Some((_, _, now)) = removed {
            let cause = format!("{api_version} no longer has {kind}");
            self.findings
                .error(source, at, cause, format!("write apiVersion: {now}"));
            return false;
        }
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        if group == "kustomize.config.k8s.io" {
            let cure = "run kubectl kustomize and keep its output here instead";
            self.findings
                .error(source, at, "a kustomization is no object that a cluster takes", cure);
            return false;
        }
        let built_in = group.is_empty() || !group.contains('.') || group.ends_with(".k8s.io");
        if !built_in || self.shapes.knows(&format!("{api_version} {kind}")) {
            return true;
        }
        let known: Vec<_> = self.shapes.kinds().collect();
        if let Some((right, _)) = known.iter().find(|(_, known)| *known == kind) {
            let other_version = right.split_once('/').map_or("", |(group, _)| group) == group;
            // Newer and older versions of a group may well be served.
            if other_version && right.contains('/') {
                return true;
            }
            let cause = format!("{api_version} has no {kind}");
            self.findings
                .error(source, at, cause, format!("write apiVersion: {right}"));
            return false;
        }
        let of_version = known
            .iter()
            .filter(|(version, _)| *version == api_version)
            .map(|(_, kind)| *kind);
        if let Some(meant) = nearest(kind, of_version) {
            let cause = format!("{api_version} has no kind {}", quote(kind));
            self.findings
                .error(source, node.place(&["kind"]), cause, format!("did you mean {meant}?"));
            return false;
        }
        true
    }
}
