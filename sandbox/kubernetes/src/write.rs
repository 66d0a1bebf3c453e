//! Creating and changing objects: decode, default, admit, validate, track ownership, write. The same path serves
//! HTTP and the in-process API; everything happens under the server's lock, so a patch never meets a moved object.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use moorline_sandbox_patch::{same_but_for_times, track_update};
use serde_json::{Value, json};

use crate::error::{ApiError, Cause};
use crate::object::{self, entries};
use crate::prepare::{
    check_kind_of_custom, check_precondition, check_type, check_uid_of_patch, is_new_generation, keep_identity,
    other_life, random_suffix, strict_error, tidy,
};
use crate::registry::{Kind, Registry};
use crate::store::Store;
use crate::{admission, custom, defaults, validation};

/// What every cluster says of the map of certificates in each namespace.
const ROOT_CA: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as \
    the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/// The cluster: objects and the kinds that are served.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) registry: Arc<Registry>,
    /// UIDs of claims that were never changed. Their phase is a default that is not on disk yet: their first update writes it,
    /// and has a new version even where it changes nothing.
    pub(crate) fresh_claims: HashSet<String>,
}

/// What to do about fields that the schema does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// The part of an object that a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Main,
    Status,
    /// Only `spec.replicas` changes; tracked as subresource `scale`.
    Scale,
    /// `spec.finalizers` of a namespace.
    Finalize,
}

impl Part {
    pub(crate) fn subresource(self) -> Option<&'static str> {
        match self {
            Self::Main => None,
            Self::Status => Some("status"),
            Self::Scale => Some("scale"),
            Self::Finalize => Some("finalize"),
        }
    }
}

/// How the new object came to be, for field ownership.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// By an update or patch: changed fields go to the manager.
    Update,
    /// By server-side apply: `managedFields` are already right.
    Applied,
}

/// What a write did.
pub(crate) struct Written {
    pub(crate) object: Arc<Value>,
    /// The resourceVersion moved.
    pub(crate) changed: bool,
    /// The object is new.
    pub(crate) created: bool,
}

/// One write under the lock.
pub(crate) struct Writer<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) now: Timestamp,
    pub(crate) manager: &'a str,
    pub(crate) dry_run: bool,
    pub(crate) validation: FieldValidation,
    /// For `Warning` headers.
    pub(crate) warnings: Vec<String>,
}

impl Writer<'_> {
    /// Creates `object` in `namespace` (`""` for cluster-scoped kinds).
    pub(crate) fn create(&mut self, kind: &Kind, namespace: &str, mut object: Value) -> Result<Written, ApiError> {
        check_kind_of_custom(kind, &object, self.validation == FieldValidation::Ignore)?;
        self.decode(kind, &mut object)?;
        if !object::text(&object, "/metadata/resourceVersion").is_empty() {
            return Err(ApiError::new(
                500,
                "",
                "resourceVersion should not be set on objects to be created",
            ));
        }
        self.place(kind, namespace, &mut object)?;
        self.insert(kind, object, Tracking::Update)
    }

    /// Puts a decoded object in its namespace and gives it a name where it asks for a generated one.
    pub(crate) fn place(&self, kind: &Kind, namespace: &str, object: &mut Value) -> Result<(), ApiError> {
        let given = object::namespace(object);
        if kind.namespaced && !given.is_empty() && given != namespace {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        let metadata = object::child(object, "metadata");
        if kind.namespaced {
            metadata["namespace"] = Value::from(namespace);
        } else {
            entries(metadata).remove("namespace");
        }
        let prefix = object::text(metadata, "/generateName");
        if object::text(metadata, "/name").is_empty() && !prefix.is_empty() {
            let prefix: String = prefix.chars().take(58).collect();
            metadata["name"] = Value::from(format!("{prefix}{}", random_suffix()));
        }
        let name = object::name(object);
        if name.is_empty() {
            let cause = Cause {
                reason: "FieldValueRequired",
                message: "Required value: name or generateName is required".to_owned(),
                field: "metadata.name".to_owned(),
            };
            return Err(ApiError::invalid(&kind.group, &kind.kind, "", vec![cause]));
        }
        if kind.namespaced {
            admission::namespace_accepts(&self.state.store, kind, namespace, name)?;
        }
        Ok(())
    }

    pub(crate) fn insert(&mut self, kind: &Kind, mut object: Value, tracking: Tracking) -> Result<Written, ApiError> {
        let metadata = object::child(&mut object, "metadata");
        for key in [
            "uid",
            "resourceVersion",
            "selfLink",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
        ] {
            entries(metadata).remove(key);
        }
        if tracking == Tracking::Update {
            entries(metadata).remove("managedFields");
        }
        metadata["uid"] = Value::from(uuid::Uuid::new_v4().to_string());
        metadata["creationTimestamp"] = Value::from(object::time(self.now));
        if kind.generation {
            metadata["generation"] = json!(1);
        }
        defaults::reset_status(kind, &mut object);
        defaults::fill(kind, &mut object);
        tidy(&mut object);
        // Before admission and allocation: what these add belongs to nobody.
        if tracking == Tracking::Update {
            track_update(kind.patch_schema(), None, &mut object, self.manager, self.now, None);
        }
        admission::create(self.state, kind, &mut object)?;
        if kind.id.starts_with("customresourcedefinitions.") {
            custom::accept(&mut object, self.now);
        }
        if &*kind.id == "persistentvolumes" {
            object["status"]["lastPhaseTransitionTime"] = Value::from(object::time(self.now));
        }
        tidy(&mut object);
        validation::create(kind, &object)?;
        self.warnings.extend(validation::warnings(kind, &object));
        let (namespace, name) = (object::namespace(&object), object::name(&object));
        if let Some(present) = self.state.store.get(&kind.id, namespace, name) {
            let mut error = ApiError::already_exists(kind.named(), name);
            if object::is_deleting(&present) {
                error.message.insert_str(0, "object is being deleted: ");
            }
            return Err(error);
        }
        if self.dry_run {
            return Ok(Written {
                object: Arc::new(object),
                changed: false,
                created: true,
            });
        }
        let object = self.state.store.put(&kind.id, object).map_err(ApiError::internal)?;
        if &*kind.id == "persistentvolumeclaims" {
            self.state.fresh_claims.insert(object::uid(&object).to_owned());
        }
        self.after_write(kind, Some(&object))?;
        Ok(Written {
            object,
            changed: true,
            created: true,
        })
    }

    /// Replaces the object with `new`, as PUT does.
    pub(crate) fn update(
        &mut self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        part: Part,
        mut new: Value,
    ) -> Result<Written, ApiError> {
        check_kind_of_custom(kind, &new, self.validation == FieldValidation::Ignore)?;
        self.decode(kind, &mut new)?;
        let given = object::name(&new);
        if !given.is_empty() && given != name {
            let why = format!("the name of the object ({given}) does not match the name on the URL ({name})");
            return Err(ApiError::bad_request(why));
        }
        if given.is_empty() {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({name} based on URL) was undeterminable: name must be provided"
            )));
        }
        let live = match self.live(kind, namespace, name) {
            Err(_) if kind.created_by_update() && part == Part::Main => {
                return self.create_by_update(kind, namespace, new);
            }
            live => live?,
        };
        self.replace(kind, &live, new, part, Tracking::Update)
    }

    /// PUT of an object that does not exist, for the few kinds that allow it.
    fn create_by_update(&mut self, kind: &Kind, namespace: &str, mut new: Value) -> Result<Written, ApiError> {
        self.place(kind, namespace, &mut new)?;
        let uid = object::uid(&new);
        if !uid.is_empty() {
            return Err(other_life(kind, &new, uid, ""));
        }
        self.insert(kind, new, Tracking::Update)
    }

    /// Changes the object by a function of its present state, as PATCH does.
    pub(crate) fn patch(
        &mut self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        part: Part,
        change: impl FnOnce(&Value) -> Result<Value, ApiError>,
    ) -> Result<Written, ApiError> {
        let live = self.live(kind, namespace, name)?;
        let mut new = change(&live)?;
        self.decode_patched(kind, &mut new)?;
        if object::name(&new) != name {
            let why = format!(
                "metadata.name: Invalid value: \"{}\": field is immutable",
                object::name(&new)
            );
            let cause = Cause {
                reason: "FieldValueInvalid",
                message: why,
                field: "metadata.name".to_owned(),
            };
            return Err(ApiError::invalid(&kind.group, &kind.kind, name, vec![cause]));
        }
        check_uid_of_patch(kind, &live, &new)?;
        self.replace(kind, &live, new, part, Tracking::Update)
    }

    /// Checks what a patch made of an object; what cannot be decoded is the patch's fault.
    fn decode_patched(&mut self, kind: &Kind, new: &mut Value) -> Result<(), ApiError> {
        let decoded = self.decode(kind, new);
        decoded.map_err(|error| {
            let prefix = format!(
                "{0} in version \"{1}\" cannot be handled as a {0}: ",
                kind.kind, kind.version
            );
            let Some(why) = error.message.strip_prefix(&prefix) else {
                return error;
            };
            let cause = Cause {
                reason: "FieldValueInvalid",
                message: format!("Invalid value: {}: {why}", Value::from(new.to_string())),
                field: "patch".to_owned(),
            };
            let mut refused = ApiError::invalid("", "", "", vec![cause]);
            refused.warnings = error.warnings;
            refused
        })
    }

    fn live(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Arc<Value>, ApiError> {
        let found = self.state.store.get(&kind.id, namespace, name);
        found.ok_or_else(|| ApiError::not_found(kind.named(), name))
    }

    pub(crate) fn replace(
        &mut self,
        kind: &Kind,
        live: &Value,
        mut new: Value,
        part: Part,
        tracking: Tracking,
    ) -> Result<Written, ApiError> {
        self.decode(kind, &mut new)?;
        let name = object::name(live).to_owned();
        check_precondition(kind, live, &new)?;
        keep_identity(kind, live, &mut new, part);
        defaults::fill(kind, &mut new);
        tidy(&mut new);
        // Nobody comes to own the replicas of a custom resource through its Scale.
        let untracked = kind.custom().is_some() && part == Part::Scale;
        if tracking == Tracking::Update && !untracked {
            track_update(
                kind.patch_schema(),
                Some(live),
                &mut new,
                self.manager,
                self.now,
                part.subresource(),
            );
        }
        if part != Part::Status {
            admission::update(self.state, kind, live, &mut new, part)?;
        }
        tidy(&mut new);
        if kind.generation && part != Part::Status && is_new_generation(kind, live, &new) {
            let generation = object::number(live, "/metadata/generation").unwrap_or(0);
            new["metadata"]["generation"] = json!(generation + 1);
        }
        new["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        let fresh = self.state.fresh_claims.contains(object::uid(live));
        if !fresh && same_but_for_times(live, &new) {
            return Ok(Written {
                object: Arc::new(live.clone()),
                changed: false,
                created: false,
            });
        }
        validation::update(kind, live, &new, part)?;
        self.warnings.extend(validation::warnings(kind, &new));
        if self.dry_run {
            return Ok(Written {
                object: Arc::new(new),
                changed: false,
                created: false,
            });
        }
        self.state.fresh_claims.remove(object::uid(live));
        let gone = is_finished(kind, &new);
        let object = if gone {
            // Watches see it as it was stored last, with what held it back.
            let removed = self.state.store.remove(&kind.id, live).map_err(ApiError::internal)?;
            new["metadata"]["resourceVersion"] = removed["metadata"]["resourceVersion"].clone();
            Arc::new(new)
        } else {
            self.state.store.put(&kind.id, new).map_err(ApiError::internal)?
        };
        tracing::trace!(kind = %kind.id, name, "written");
        self.after_write(kind, (!gone).then_some(&object))?;
        Ok(Written {
            object,
            changed: true,
            created: false,
        })
    }

    /// Checks that a body is of the kind, and of its shape.
    pub(crate) fn decode(&mut self, kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
        check_type(kind, object)?;
        let problems = kind.shape().walk(object);
        let cannot = |why: &str| {
            let (kind, version) = (&kind.kind, &kind.version);
            ApiError::bad_request(format!(
                "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
            ))
        };
        if let Some(wrong) = problems.wrong.first() {
            if kind.custom().is_some() {
                // Metadata is decoded first, as that of every kind.
                if let Some(wrong) = problems.wrong.iter().find(|wrong| wrong.path.starts_with("metadata")) {
                    return Err(cannot(
                        &wrong
                            .decoder
                            .replace("ObjectMeta.metadata.", "ObjectMeta.")
                            .replace("struct field .metadata of", "value of"),
                    ));
                }
                return Err(custom::wrong_types(kind, object::name(object), &problems.wrong));
            }
            return Err(cannot(&wrong.decoder));
        }
        if !problems.unknown.is_empty() {
            match self.validation {
                FieldValidation::Ignore => {}
                FieldValidation::Warn => {
                    self.warn_of(&problems.unknown);
                }
                FieldValidation::Strict if kind.custom().is_some() => return Err(strict_error(&problems.unknown)),
                FieldValidation::Strict => return Err(cannot(&strict_error(&problems.unknown).message)),
            }
        }
        if let Some(custom) = kind.custom() {
            custom::fill_defaults(&custom.schema, object);
        }
        Ok(())
    }

    pub(crate) fn warn_of(&mut self, unknown: &[String]) {
        self.warnings
            .extend(unknown.iter().map(|path| format!("unknown field \"{path}\"")));
    }

    /// Gives a namespace what the controller manager puts into each.
    fn furnish(&mut self, namespace: &str) -> Result<(), ApiError> {
        let bundle = json!({
            "metadata": {"name": "kube-root-ca.crt", "annotations": {"kubernetes.io/description": ROOT_CA}},
            "data": {"ca.crt": ""},
        });
        let furniture = [
            ("serviceaccounts", json!({"metadata": {"name": "default"}})),
            ("configmaps", bundle),
        ];
        let registry = self.state.registry.clone();
        for (id, object) in furniture {
            if let Some(kind) = registry.by_id(id)
                && !self.state.store.contains(id, namespace, object::name(&object))
            {
                let mut writer = Writer {
                    state: self.state,
                    now: self.now,
                    manager: "kube-controller-manager",
                    dry_run: false,
                    validation: FieldValidation::Ignore,
                    warnings: Vec::new(),
                };
                writer.create(kind, namespace, object)?;
            }
        }
        Ok(())
    }

    /// What follows from a write: a namespace gets its service account, a definition its kind.
    pub(crate) fn after_write(&mut self, kind: &Kind, object: Option<&Value>) -> Result<(), ApiError> {
        match (&*kind.id, object) {
            ("namespaces", Some(namespace)) if !object::is_deleting(namespace) => {
                let name = object::name(namespace).to_owned();
                self.furnish(&name)?;
            }
            ("customresourcedefinitions.apiextensions.k8s.io", _) => custom::refresh(self.state),
            _ => {}
        }
        Ok(())
    }
}

/// Whether nothing holds a deleted object back any more.
pub(crate) fn is_finished(kind: &Kind, object: &Value) -> bool {
    object::is_deleting(object)
        && !object::has_finalizers(object)
        && object::number(object, "/metadata/deletionGracePeriodSeconds").unwrap_or(0) == 0
        && (&*kind.id != "namespaces" || object::list(object, "/spec/finalizers").is_empty())
}
