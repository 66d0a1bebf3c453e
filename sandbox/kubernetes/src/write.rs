//! Creating and changing objects: decode, default, admit, validate, track ownership, write. The same path serves
//! HTTP and the in-process API; everything happens under the server's lock, so a patch never meets a moved object.

use std::sync::Arc;

use jiff::Timestamp;
use moorline_sandbox_patch::{ApplyError, ApplyRequest, apply, same_but_for_times, track_update};
use serde_json::{Value, json};

use crate::error::{ApiError, Cause};
use crate::object::{self, copy_key, entries};
use crate::registry::{Kind, Registry};
use crate::store::Store;
use crate::{admission, custom, defaults, validation};

/// The cluster: objects and the kinds that are served.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) registry: Arc<Registry>,
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
    fn subresource(self) -> Option<&'static str> {
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
enum Tracking {
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
    fn place(&self, kind: &Kind, namespace: &str, object: &mut Value) -> Result<(), ApiError> {
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
            let prefix = &prefix[..prefix.len().min(58)];
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

    fn insert(&mut self, kind: &Kind, mut object: Value, tracking: Tracking) -> Result<Written, ApiError> {
        let name = object::name(&object).to_owned();
        let namespace = object::namespace(&object).to_owned();
        if self.state.store.contains(&kind.id, &namespace, &name) {
            return Err(ApiError::already_exists(kind.named(), &name));
        }
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
        admission::create(self.state, kind, &mut object)?;
        if kind.id.starts_with("customresourcedefinitions.") {
            custom::accept(&mut object, self.now);
        }
        tidy(&mut object);
        validation::create(kind, &object)?;
        if tracking == Tracking::Update {
            track_update(kind.patch_schema(), None, &mut object, self.manager, self.now, None);
        }
        if self.dry_run {
            return Ok(Written {
                object: Arc::new(object),
                changed: false,
                created: true,
            });
        }
        let object = self.state.store.put(&kind.id, object).map_err(ApiError::internal)?;
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
        new: Value,
    ) -> Result<Written, ApiError> {
        let given = object::name(&new);
        if !given.is_empty() && given != name {
            let why = format!("the name of the object ({given}) does not match the name on the URL ({name})");
            return Err(ApiError::bad_request(why));
        }
        if given.is_empty() {
            return Err(ApiError::bad_request("name must be provided"));
        }
        let live = self.live(kind, namespace, name)?;
        self.replace(kind, &live, new, part, Tracking::Update)
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
        let new = change(&live)?;
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
        self.replace(kind, &live, new, part, Tracking::Update)
    }

    /// Server-side apply.
    pub(crate) fn apply(
        &mut self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        part: Part,
        mut applied: Value,
        force: bool,
    ) -> Result<Written, ApiError> {
        self.check_applied(kind, namespace, name, &mut applied)?;
        let live = self.state.store.get(&kind.id, namespace, name);
        if live.is_none() && part != Part::Main {
            return Err(ApiError::not_found(kind.named(), name));
        }
        let version = object::text(&applied, "/metadata/resourceVersion").to_owned();
        if live.is_none() && !version.is_empty() {
            return Err(ApiError::conflict(
                kind.named(),
                name,
                "the object does not exist, but a resourceVersion was given",
            ));
        }
        if kind.status && part == Part::Main {
            entries(&mut applied).remove("status");
        }
        let request = ApplyRequest {
            manager: self.manager,
            force,
            now: self.now,
            subresource: part.subresource(),
        };
        let mut merged = apply(kind.patch_schema(), live.as_deref(), &applied, &request)
            .map_err(|error| apply_error(kind, name, error))?;
        if !version.is_empty() {
            merged["metadata"]["resourceVersion"] = Value::from(version);
        }
        if let Some(live) = live {
            return self.replace(kind, &live, merged, part, Tracking::Applied);
        }
        self.decode(kind, &mut merged)?;
        self.place(kind, namespace, &mut merged)?;
        self.insert(kind, merged, Tracking::Applied)
    }

    /// Holds an applied configuration to the schema, in the words of server-side apply.
    fn check_applied(&mut self, kind: &Kind, namespace: &str, name: &str, applied: &mut Value) -> Result<(), ApiError> {
        check_type(kind, applied)?;
        let managed = applied.pointer("/metadata/managedFields");
        if managed.is_some_and(|fields| !fields.is_null() && fields.as_array().is_none_or(|list| !list.is_empty())) {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        let given = object::name(applied);
        if !given.is_empty() && given != name {
            let why = format!("the name of the object ({given}) does not match the name on the URL ({name})");
            return Err(ApiError::bad_request(why));
        }
        let given = object::namespace(applied);
        if kind.namespaced && !given.is_empty() && given != namespace {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        let problems = kind.shape().walk(applied);
        let mut lines: Vec<String> = problems
            .wrong
            .iter()
            .map(|wrong| format!(".{}: {}", wrong.path, wrong.typed))
            .collect();
        if kind.custom().is_none() {
            lines.extend(
                problems
                    .unknown
                    .iter()
                    .map(|path| format!(".{path}: field not declared in schema")),
            );
        } else if self.validation == FieldValidation::Strict && !problems.unknown.is_empty() {
            return Err(strict_error(&problems.unknown));
        }
        let metadata = object::child(applied, "metadata");
        metadata["name"] = Value::from(name);
        if kind.namespaced {
            metadata["namespace"] = Value::from(namespace);
        }
        let what = match lines.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            many => format!("errors:\n  {}", many.join("\n  ")),
        };
        let place = if kind.namespaced {
            format!("{namespace}/{name}")
        } else {
            format!("/{name}")
        };
        let message = format!(
            "failed to create typed patch object ({place}; {}, Kind={}): {what}",
            kind.api_version(),
            kind.kind
        );
        Err(ApiError::new(500, "", message))
    }

    fn live(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Arc<Value>, ApiError> {
        let found = self.state.store.get(&kind.id, namespace, name);
        found.ok_or_else(|| ApiError::not_found(kind.named(), name))
    }

    fn replace(
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
        if part != Part::Status {
            admission::update(self.state, kind, live, &mut new)?;
        }
        tidy(&mut new);
        if kind.generation && part != Part::Status && differs_outside_metadata_and_status(live, &new) {
            let generation = object::number(live, "/metadata/generation").unwrap_or(0);
            new["metadata"]["generation"] = json!(generation + 1);
        }
        if tracking == Tracking::Update {
            track_update(
                kind.patch_schema(),
                Some(live),
                &mut new,
                self.manager,
                self.now,
                part.subresource(),
            );
        }
        new["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        if same_but_for_times(live, &new) {
            return Ok(Written {
                object: Arc::new(live.clone()),
                changed: false,
                created: false,
            });
        }
        validation::update(kind, live, &new, part)?;
        if self.dry_run {
            return Ok(Written {
                object: Arc::new(new),
                changed: false,
                created: false,
            });
        }
        let gone = is_finished(kind, &new);
        let object = if gone {
            self.state.store.remove(&kind.id, &new)
        } else {
            self.state.store.put(&kind.id, new)
        };
        let object = object.map_err(ApiError::internal)?;
        tracing::trace!(kind = %kind.id, name, "written");
        self.after_write(kind, (!gone).then_some(&object))?;
        Ok(Written {
            object,
            changed: true,
            created: false,
        })
    }

    /// Checks that a body is of the kind, and of its shape.
    fn decode(&mut self, kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
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
                return Err(custom::wrong_types(kind, object::name(object), &problems.wrong));
            }
            return Err(cannot(&wrong.decoder));
        }
        if !problems.unknown.is_empty() {
            match self.validation {
                FieldValidation::Ignore => {}
                FieldValidation::Warn => {
                    self.warnings
                        .extend(problems.unknown.iter().map(|path| format!("unknown field \"{path}\"")));
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

    /// What follows from a write: a namespace gets its service account, a definition its kind.
    pub(crate) fn after_write(&mut self, kind: &Kind, object: Option<&Value>) -> Result<(), ApiError> {
        match (&*kind.id, object) {
            ("namespaces", Some(namespace)) if !object::is_deleting(namespace) => {
                let name = object::name(namespace).to_owned();
                if !self.state.store.contains("serviceaccounts", &name, "default") {
                    let registry = self.state.registry.clone();
                    if let Some(accounts) = registry.by_id("serviceaccounts") {
                        self.create(accounts, &name, json!({"metadata": {"name": "default"}}))?;
                    }
                }
            }
            ("customresourcedefinitions.apiextensions.k8s.io", _) => custom::refresh(self.state),
            _ => {}
        }
        Ok(())
    }
}

fn strict_error(unknown: &[String]) -> ApiError {
    let fields: Vec<String> = unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
    ApiError::bad_request(format!("strict decoding error: {}", fields.join(", ")))
}

/// Sets apiVersion and kind where they are missing and refuses others.
fn check_type(kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
    if !object.is_object() {
        return Err(ApiError::bad_request(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct",
            if object.is_array() { "array" } else { "string" }
        )));
    }
    let api_version = kind.api_version();
    let (given_version, given_kind) = (object::text(object, "/apiVersion"), object::text(object, "/kind"));
    let version_fits = given_version.is_empty() || given_version == api_version;
    if !version_fits || (!given_kind.is_empty() && given_kind != kind.kind) {
        let what = format!(
            "{given_kind} in version \"{given_version}\" cannot be handled as a {}: no kind \"{given_kind}\" is registered for version \"{given_version}\"",
            kind.kind
        );
        let mismatch = format!(
            "the API version in the data ({given_version}) does not match the expected API version ({api_version})"
        );
        return Err(ApiError::bad_request(if version_fits { what } else { mismatch }));
    }
    let map = entries(object);
    map.insert("apiVersion".to_owned(), Value::from(api_version));
    map.insert("kind".to_owned(), Value::from(&*kind.kind));
    Ok(())
}

fn check_precondition(kind: &Kind, live: &Value, new: &Value) -> Result<(), ApiError> {
    let version = object::text(new, "/metadata/resourceVersion");
    if !version.is_empty() && version != object::text(live, "/metadata/resourceVersion") {
        return Err(ApiError::modified(kind.named(), object::name(live)));
    }
    let uid = object::uid(new);
    if !uid.is_empty() && uid != object::uid(live) {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            object::uid(live)
        );
        return Err(ApiError::conflict(kind.named(), object::name(live), &why));
    }
    Ok(())
}

/// Restores what this kind of write must not change.
fn keep_identity(kind: &Kind, live: &Value, new: &mut Value, part: Part) {
    let (was, metadata) = (&live["metadata"], object::child(new, "metadata"));
    for key in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
        "generateName",
        "selfLink",
    ] {
        copy_key(metadata, was, key);
    }
    if metadata.get("managedFields").is_none() {
        copy_key(metadata, was, "managedFields");
    }
    match part {
        Part::Main | Part::Scale | Part::Finalize => {
            if kind.status {
                copy_key(new, live, "status");
            }
        }
        Part::Status => {
            if kind.custom().is_some() {
                let managed = new["metadata"].get("managedFields").cloned();
                new["metadata"] = was.clone();
                if let Some(managed) = managed {
                    new["metadata"]["managedFields"] = managed;
                }
            }
            let keys: Vec<String> = entries(new)
                .keys()
                .chain(live.as_object().into_iter().flat_map(serde_json::Map::keys))
                .cloned()
                .collect();
            for key in keys.iter().filter(|key| !matches!(key.as_str(), "status" | "metadata")) {
                copy_key(new, live, key);
            }
        }
    }
}

/// Drops empty metadata, as encoding with omitempty does.
fn tidy(object: &mut Value) {
    let metadata = object::child(object, "metadata");
    for key in [
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
        "managedFields",
    ] {
        let empty = match metadata.get(key) {
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(list)) => list.is_empty() || (key == "managedFields" && *list == [json!({})]),
            _ => false,
        };
        if empty {
            entries(metadata).remove(key);
        }
    }
}

fn differs_outside_metadata_and_status(live: &Value, new: &Value) -> bool {
    let (Some(live), Some(new)) = (live.as_object(), new.as_object()) else {
        return true;
    };
    let counts = |key: &String| key != "metadata" && key != "status";
    live.iter()
        .filter(|(key, _)| counts(key))
        .any(|(key, value)| new.get(key) != Some(value))
        || new.keys().filter(|key| counts(key)).any(|key| !live.contains_key(key))
}

/// Whether nothing holds a deleted object back any more.
pub(crate) fn is_finished(kind: &Kind, object: &Value) -> bool {
    object::is_deleting(object)
        && !object::has_finalizers(object)
        && object::number(object, "/metadata/deletionGracePeriodSeconds").unwrap_or(0) == 0
        && (&*kind.id != "namespaces" || object::list(object, "/spec/finalizers").is_empty())
}

fn apply_error(kind: &Kind, name: &str, error: ApplyError) -> ApiError {
    let message = error.to_string();
    match error {
        ApplyError::Invalid(why) => ApiError::bad_request(why),
        ApplyError::Conflicts(conflicts) => {
            let mut answer = ApiError::new(409, "Conflict", message);
            answer.details.causes = conflicts
                .into_iter()
                .map(|conflict| Cause {
                    reason: "FieldManagerConflict",
                    message: format!("conflict with {}", conflict.owner()),
                    field: conflict.field,
                })
                .collect();
            tracing::debug!(kind = %kind.id, name, "apply conflicts");
            answer
        }
    }
}

/// Five characters that spell no words, as the real server appends them to `generateName`.
fn random_suffix() -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let bytes = uuid::Uuid::new_v4().into_bytes();
    bytes
        .iter()
        .take(5)
        .map(|&byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
        .collect()
}
