//! The kinds that are served: the built-in ones and those that custom resource definitions add.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v1 as autoscaling, batch::v1 as batch, coordination::v1 as coordination,
    core::v1 as core, discovery::v1 as discovery, networking::v1 as networking, policy::v1 as policy, rbac::v1 as rbac,
    storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
use moorline_sandbox_patch::Schema as PatchSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::error::Named;
use crate::shape::Shape;

type Text = Cow<'static, str>;

/// One served kind.
#[expect(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "facts about a kind, as discovery names them"
)]
pub(crate) struct Kind {
    /// `plural` or `plural.group`: the name of its table, and how the in-process API calls it.
    pub(crate) id: Arc<str>,
    pub(crate) group: Text,
    pub(crate) version: Text,
    pub(crate) kind: Text,
    pub(crate) plural: Text,
    pub(crate) singular: Text,
    pub(crate) short_names: Vec<Text>,
    pub(crate) categories: Vec<Text>,
    pub(crate) namespaced: bool,
    /// It has a status subresource: writes to the object leave `status` alone and the reverse.
    pub(crate) status: bool,
    /// It has a scale subresource on `spec.replicas`.
    pub(crate) scale: bool,
    /// `metadata.generation` counts changes outside metadata and status.
    pub(crate) generation: bool,
    /// A deletion answers with the object rather than with a Status.
    pub(crate) returns_deleted: bool,
    /// Further subresources: `eviction`, `finalize`, …
    pub(crate) subresources: Vec<&'static str>,
    source: Source,
    shape: OnceLock<&'static Shape>,
}

enum Source {
    BuiltIn {
        shape: fn() -> &'static Shape,
        schema: fn(&mut SchemaGenerator) -> Schema,
    },
    Custom(Box<Custom>),
}

/// What a custom resource definition says of its version.
pub(crate) struct Custom {
    pub(crate) shape: Shape,
    pub(crate) patch: PatchSchema,
    /// The OpenAPI v3 schema as its author wrote it.
    pub(crate) schema: Value,
    /// `additionalPrinterColumns`.
    pub(crate) columns: Vec<Value>,
    /// Name of the kind of lists.
    pub(crate) list_kind: String,
}

impl Kind {
    /// `v1` or `apps/v1`.
    pub(crate) fn api_version(&self) -> Cow<'_, str> {
        if self.group.is_empty() {
            Cow::Borrowed(&self.version)
        } else {
            Cow::Owned(format!("{}/{}", self.group, self.version))
        }
    }

    pub(crate) fn list_kind(&self) -> Cow<'_, str> {
        match &self.source {
            Source::Custom(custom) => Cow::Borrowed(&custom.list_kind),
            Source::BuiltIn { .. } => Cow::Owned(format!("{}List", self.kind)),
        }
    }

    /// For error messages.
    pub(crate) fn named(&self) -> Named<'_> {
        Named {
            plural: &self.plural,
            group: &self.group,
        }
    }

    pub(crate) fn shape(&self) -> &Shape {
        match &self.source {
            Source::Custom(custom) => &custom.shape,
            Source::BuiltIn { shape, .. } => self.shape.get_or_init(shape),
        }
    }

    /// Whether PUT creates an object that does not exist.
    pub(crate) fn created_by_update(&self) -> bool {
        matches!(
            &*self.id,
            "services" | "endpoints" | "events" | "leases.coordination.k8s.io"
        ) || self.group == "rbac.authorization.k8s.io"
    }

    /// List types and merge keys.
    pub(crate) fn patch_schema(&self) -> &PatchSchema {
        match &self.source {
            Source::Custom(custom) => &custom.patch,
            Source::BuiltIn { .. } => PatchSchema::for_kind(&self.api_version(), &self.kind),
        }
    }

    /// What its definition says, for a custom resource.
    pub(crate) fn custom(&self) -> Option<&Custom> {
        match &self.source {
            Source::Custom(custom) => Some(custom),
            Source::BuiltIn { .. } => None,
        }
    }

    /// Adds the kind's definitions to an OpenAPI document and returns a reference to it; `None` for custom kinds.
    pub(crate) fn openapi(&self, generator: &mut SchemaGenerator) -> Option<Schema> {
        match &self.source {
            Source::BuiltIn { schema, .. } => Some(schema(generator)),
            Source::Custom(_) => None,
        }
    }

    /// The kind that a custom resource definition's version describes.
    pub(crate) fn from_definition(definition: &Value, version: &Value) -> Option<Self> {
        let names = definition.pointer("/spec/names")?;
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let texts = |key: &str| -> Vec<Text> {
            let items = names.get(key).and_then(Value::as_array).into_iter().flatten();
            items
                .filter_map(|item| item.as_str().map(|s| Text::Owned(s.to_owned())))
                .collect()
        };
        let kind = text(names, "kind")?;
        let plural = text(names, "plural")?;
        let group = text(definition.get("spec")?, "group")?;
        let schema = version
            .pointer("/schema/openAPIV3Schema")
            .cloned()
            .unwrap_or(Value::Null);
        let subresource = |name: &str| {
            version
                .pointer(&format!("/subresources/{name}"))
                .is_some_and(|s| !s.is_null())
        };
        let custom = Custom {
            shape: Shape::custom(&schema),
            patch: PatchSchema::from_openapi(&schema),
            columns: version
                .get("additionalPrinterColumns")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            list_kind: text(names, "listKind").unwrap_or_else(|| format!("{kind}List")),
            schema,
        };
        Some(Self {
            id: format!("{plural}.{group}").into(),
            version: text(version, "name")?.into(),
            singular: text(names, "singular").unwrap_or_else(|| kind.to_lowercase()).into(),
            short_names: texts("shortNames"),
            categories: texts("categories"),
            namespaced: definition
                .pointer("/spec/scope")
                .is_some_and(|scope| scope == "Namespaced"),
            status: subresource("status"),
            scale: subresource("scale"),
            generation: true,
            returns_deleted: false,
            subresources: Vec::new(),
            source: Source::Custom(Box::new(custom)),
            shape: OnceLock::new(),
            group: group.into(),
            kind: kind.into(),
            plural: plural.into(),
        })
    }

    fn cluster<T: k8s_openapi::Resource + JsonSchema>() -> Self {
        let plural = T::URL_PATH_SEGMENT;
        Self {
            id: if T::GROUP.is_empty() {
                plural.into()
            } else {
                format!("{plural}.{}", T::GROUP).into()
            },
            group: T::GROUP.into(),
            version: T::VERSION.into(),
            kind: T::KIND.into(),
            plural: plural.into(),
            singular: T::KIND.to_lowercase().into(),
            short_names: Vec::new(),
            categories: Vec::new(),
            namespaced: false,
            status: false,
            scale: false,
            generation: false,
            returns_deleted: false,
            subresources: Vec::new(),
            source: Source::BuiltIn {
                shape: Shape::of::<T>,
                schema: |generator| generator.subschema_for::<T>(),
            },
            shape: OnceLock::new(),
        }
    }

    fn namespaced<T: k8s_openapi::Resource + JsonSchema>() -> Self {
        Self {
            namespaced: true,
            ..Self::cluster::<T>()
        }
    }

    fn short(mut self, names: &[&'static str]) -> Self {
        self.short_names = names.iter().map(|&name| Text::Borrowed(name)).collect();
        self
    }

    fn category_all(mut self) -> Self {
        self.categories = vec!["all".into()];
        self
    }

    fn with_status(mut self) -> Self {
        self.status = true;
        self
    }

    fn with_scale(mut self) -> Self {
        self.scale = true;
        self
    }

    fn counted(mut self) -> Self {
        self.generation = true;
        self
    }

    fn returned(mut self) -> Self {
        self.returns_deleted = true;
        self
    }

    fn with(mut self, subresources: &[&'static str]) -> Self {
        self.subresources = subresources.to_vec();
        self
    }
}

static BUILT_IN: LazyLock<Vec<Arc<Kind>>> = LazyLock::new(|| {
    let kinds = vec![
        Kind::namespaced::<core::ConfigMap>().short(&["cm"]),
        Kind::namespaced::<core::Endpoints>().short(&["ep"]),
        Kind::namespaced::<core::Event>().short(&["ev"]),
        Kind::cluster::<core::Namespace>()
            .short(&["ns"])
            .with_status()
            .with(&["finalize"]),
        Kind::cluster::<core::Node>().short(&["no"]).with_status(),
        Kind::namespaced::<core::PersistentVolumeClaim>()
            .short(&["pvc"])
            .with_status()
            .returned(),
        Kind::cluster::<core::PersistentVolume>()
            .short(&["pv"])
            .with_status()
            .returned(),
        Kind::namespaced::<core::Pod>()
            .short(&["po"])
            .category_all()
            .with_status()
            .counted()
            .returned()
            .with(&["binding", "eviction"]),
        Kind::namespaced::<core::ReplicationController>()
            .short(&["rc"])
            .category_all()
            .with_status()
            .with_scale()
            .counted(),
        Kind::namespaced::<core::Secret>(),
        Kind::namespaced::<core::ServiceAccount>().short(&["sa"]).returned(),
        Kind::namespaced::<core::Service>()
            .short(&["svc"])
            .category_all()
            .with_status()
            .returned(),
        Kind::namespaced::<apps::ControllerRevision>(),
        Kind::namespaced::<apps::DaemonSet>()
            .short(&["ds"])
            .category_all()
            .with_status()
            .counted(),
        Kind::namespaced::<apps::Deployment>()
            .short(&["deploy"])
            .category_all()
            .with_status()
            .with_scale()
            .counted(),
        Kind::namespaced::<apps::ReplicaSet>()
            .short(&["rs"])
            .category_all()
            .with_status()
            .with_scale()
            .counted(),
        Kind::namespaced::<apps::StatefulSet>()
            .short(&["sts"])
            .category_all()
            .with_status()
            .with_scale()
            .counted(),
        Kind::namespaced::<autoscaling::HorizontalPodAutoscaler>()
            .short(&["hpa"])
            .category_all()
            .with_status(),
        Kind::namespaced::<batch::CronJob>()
            .short(&["cj"])
            .category_all()
            .with_status()
            .counted(),
        Kind::namespaced::<batch::Job>().category_all().with_status().counted(),
        Kind::namespaced::<coordination::Lease>(),
        Kind::namespaced::<discovery::EndpointSlice>().counted(),
        Kind::namespaced::<networking::Ingress>()
            .short(&["ing"])
            .with_status()
            .counted(),
        Kind::namespaced::<networking::NetworkPolicy>()
            .short(&["netpol"])
            .counted(),
        Kind::namespaced::<policy::PodDisruptionBudget>()
            .short(&["pdb"])
            .with_status()
            .counted(),
        Kind::cluster::<rbac::ClusterRoleBinding>(),
        Kind::cluster::<rbac::ClusterRole>(),
        Kind::namespaced::<rbac::RoleBinding>(),
        Kind::namespaced::<rbac::Role>(),
        Kind::cluster::<storage::CSIDriver>(),
        Kind::cluster::<storage::CSINode>(),
        Kind::cluster::<storage::StorageClass>().short(&["sc"]).returned(),
        Kind::cluster::<storage::VolumeAttachment>().with_status(),
        Kind::cluster::<apiextensions::CustomResourceDefinition>()
            .short(&["crd", "crds"])
            .with_status()
            .counted(),
    ];
    kinds.into_iter().map(Arc::new).collect()
});

/// Whether some built-in kind has this apiVersion.
pub(crate) fn is_built_in_version(version: &str) -> bool {
    BUILT_IN.iter().any(|kind| kind.api_version() == version)
}

/// Every kind that is served now.
#[derive(Clone)]
pub(crate) struct Registry {
    kinds: Vec<Arc<Kind>>,
    by_id: HashMap<Arc<str>, Arc<Kind>>,
}

impl Registry {
    /// The built-in kinds and those of `custom`; where a custom resource has several versions, all of them are served.
    pub(crate) fn new(custom: Vec<Kind>) -> Self {
        let kinds: Vec<Arc<Kind>> = BUILT_IN
            .iter()
            .cloned()
            .chain(custom.into_iter().map(Arc::new))
            .collect();
        let mut by_id = HashMap::new();
        for kind in &kinds {
            by_id.entry(kind.id.clone()).or_insert_with(|| kind.clone());
        }
        Self { kinds, by_id }
    }

    pub(crate) fn kinds(&self) -> &[Arc<Kind>] {
        &self.kinds
    }

    /// By `plural[.group]`.
    pub(crate) fn by_id(&self, id: &str) -> Option<&Arc<Kind>> {
        self.by_id.get(id)
    }

    /// By the parts of a request's path.
    pub(crate) fn served(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.kinds
            .iter()
            .find(|kind| kind.plural == plural && kind.group == group && kind.version == version)
    }

    /// Groups and their versions, in the order they are served; the core group has no name and comes first.
    pub(crate) fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for kind in &self.kinds {
            match groups.iter_mut().find(|(group, _)| *group == kind.group) {
                Some((_, versions)) if versions.iter().any(|version| *version == kind.version) => {}
                Some((_, versions)) => versions.push(kind.version.to_string()),
                None => groups.push((kind.group.to_string(), vec![kind.version.to_string()])),
            }
        }
        groups
    }
}
