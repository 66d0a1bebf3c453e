//! The kinds that are compared, and where they are served.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::bodies;

/// A kind.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "as objects call it")]
pub(crate) struct Kind {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) namespaced: bool,
    /// Controllers change its objects, or make others from them: its objects are looked at when everything has settled.
    pub(crate) live: bool,
    /// Objects that sequences write: what each has at least, and fragments that may be merged into it. Empty for the kinds that
    /// only controllers write.
    pub(crate) base: Value,
    pub(crate) fragments: Vec<Value>,
}

impl Kind {
    /// Path of the collection, in `namespace` where the kind has namespaces.
    pub(crate) fn collection(&self, namespace: &str) -> String {
        if self.namespaced {
            format!("{}/namespaces/{namespace}/{}", self.root(), self.plural)
        } else {
            self.everywhere()
        }
    }

    /// Path of all objects in all namespaces.
    pub(crate) fn everywhere(&self) -> String {
        format!("{}/{}", self.root(), self.plural)
    }

    /// A name of an object in a sequence; those of cluster-scoped objects hold the sequence's token.
    pub(crate) fn name(&self, name: &str) -> String {
        if self.namespaced {
            name.to_owned()
        } else {
            format!("{name}-${{u}}")
        }
    }

    fn root(&self) -> String {
        let api = if self.api_version.contains('/') { "apis" } else { "api" };
        format!("/{api}/{}", self.api_version)
    }
}

/// Every kind that is compared.
pub(crate) fn all() -> &'static [Kind] {
    &KINDS
}

pub(crate) fn by_plural(plural: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.plural == plural).unwrap()
}

pub(crate) fn by_kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.kind == name)
}

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let calm = |api_version, kind, plural| kind_of(api_version, kind, plural, false);
    let live = |api_version, kind, plural| kind_of(api_version, kind, plural, true);
    let cluster = |kind: Kind| Kind {
        namespaced: false,
        ..kind
    };
    vec![
        cluster(live("v1", "Namespace", "namespaces")),
        calm("v1", "ConfigMap", "configmaps"),
        calm("v1", "Secret", "secrets"),
        calm("v1", "ServiceAccount", "serviceaccounts"),
        calm("v1", "Service", "services"),
        calm("coordination.k8s.io/v1", "Lease", "leases"),
        calm("differential.moorline.dev/v1", "Widget", "widgets"),
        cluster(calm("storage.k8s.io/v1", "StorageClass", "storageclasses")),
        cluster(live("v1", "PersistentVolume", "persistentvolumes")),
        live("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
        live("apps/v1", "StatefulSet", "statefulsets"),
        live("apps/v1", "ControllerRevision", "controllerrevisions"),
        live("apps/v1", "Deployment", "deployments"),
        live("apps/v1", "ReplicaSet", "replicasets"),
        live("v1", "Pod", "pods"),
        live("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
    ]
});

fn kind_of(api_version: &'static str, kind: &'static str, plural: &'static str, live: bool) -> Kind {
    let (base, fragments) = bodies::of(plural);
    Kind {
        api_version,
        kind,
        plural,
        namespaced: true,
        live,
        base,
        fragments,
    }
}

/// The definition of `Widget`.
pub(crate) fn definition() -> Value {
    let part = json!({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"},
        "size": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
    }});
    let spec = json!({"type": "object", "required": ["colour"], "properties": {
        "colour": {"type": "string", "enum": ["red", "green"]},
        "replicas": {"type": "integer", "format": "int32", "minimum": 0},
        "title": {"type": "string", "maxLength": 8, "pattern": "^[a-z]*$"},
        "ratio": {"type": "number"},
        "on": {"type": "boolean", "default": true},
        "limit": {"x-kubernetes-int-or-string": true},
        "parts": {"type": "array", "items": part, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "steps": {"type": "array", "maxItems": 3, "items": {"type": "string"}},
        "options": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "maybe": {"type": "string", "nullable": true},
    }});
    let status = json!({"type": "object", "properties": {"replicas": {"type": "integer"}, "note": {"type": "string"}}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.differential.moorline.dev"},
        "spec": {
            "group": "differential.moorline.dev", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": spec, "status": status}}},
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
            }],
        },
    })
}
