//! Server-side apply.

use moorline_sandbox_patch::{ApplyError, ApplyRequest, apply, item_problems};
use serde_json::Value;

use crate::error::{ApiError, Cause};
use crate::object::{self, entries};
use crate::prepare::{check_type, check_uid_of_patch, strict_error};
use crate::registry::Kind;
use crate::write::{FieldValidation, Part, Tracking, Writer, Written};

impl Writer<'_> {
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
        object::child(&mut merged, "metadata")["name"] = Value::from(name);
        if !version.is_empty() {
            merged["metadata"]["resourceVersion"] = Value::from(version);
        }
        if let Some(live) = live {
            check_uid_of_patch(kind, &live, &applied)?;
            return self.replace(kind, &live, merged, part, Tracking::Applied);
        }
        let uid = object::uid(&applied);
        if !uid.is_empty() {
            let why =
                format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(ApiError::conflict(kind.named(), name, &why));
        }
        self.decode(kind, &mut merged)?;
        self.place(kind, namespace, &mut merged)?;
        self.insert(kind, merged, Tracking::Applied)
    }

    /// Holds an applied configuration to the schema, in the words of server-side apply.
    fn check_applied(&mut self, kind: &Kind, namespace: &str, name: &str, applied: &mut Value) -> Result<(), ApiError> {
        let (given_version, given_kind) = (object::text(applied, "/apiVersion"), object::text(applied, "/kind"));
        if given_version != kind.api_version() || given_kind != kind.kind {
            let version = match given_version {
                "" => "/".to_owned(),
                core if !core.contains('/') => format!("/{core}"),
                grouped => grouped.to_owned(),
            };
            return Err(ApiError::bad_request(format!(
                "invalid object type: {version}, Kind={given_kind}"
            )));
        }
        check_type(kind, applied)?;
        let managed = applied.pointer("/metadata/managedFields");
        if managed.is_some_and(|fields| !fields.is_null() && fields.as_array().is_none_or(|list| !list.is_empty())) {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        let given = object::name(applied);
        let metadata = applied.get("metadata");
        let unnamed =
            metadata.is_none_or(|metadata| metadata.is_object() && metadata.get("name").is_none_or(|name| name == ""));
        if unnamed {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({name} based on URL) was undeterminable: name must be provided"
            )));
        }
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
        let problems = kind.shape().look(applied);
        let undecodable = problems
            .wrong
            .iter()
            .find(|wrong| wrong.undecodable)
            .map(|wrong| wrong.decoder.clone());
        let mut lines: Vec<String> = problems
            .wrong
            .iter()
            .filter(|wrong| !wrong.undecodable)
            .map(|wrong| format!(".{}: {}", wrong.path, wrong.typed))
            .collect();
        let of_metadata = |path: &&String| path.starts_with("metadata.");
        if kind.custom().is_none() || problems.unknown.iter().any(|path| of_metadata(&path)) {
            lines.extend(
                problems
                    .unknown
                    .iter()
                    .filter(|path| kind.custom().is_none() || of_metadata(path))
                    .map(|path| format!(".{path}: field not declared in schema")),
            );
        } else if self.validation == FieldValidation::Strict && !problems.unknown.is_empty() {
            return Err(strict_error(&problems.unknown));
        } else if self.validation == FieldValidation::Warn {
            self.warn_of(&problems.unknown);
        }
        if !lines.is_empty() {
            // An item that is no map has no key: that is said instead of its type.
            for problem in item_problems(kind.patch_schema(), applied) {
                if let Some((list, rest)) = problem.split_once(": element ")
                    && let Some((index, _)) = rest.split_once(": ")
                {
                    lines.retain(|line| !line.starts_with(&format!("{list}[{index}]: ")));
                }
                lines.push(problem);
            }
            lines.sort();
        }
        let (group, version) = (&*kind.group, &*kind.version);
        let whole = format!(
            "{}/{}; {group}/{version}, Kind={}",
            object::namespace(applied),
            object::name(applied),
            kind.kind
        );
        let what = match lines.as_slice() {
            [] => {
                let Some(why) = undecodable else { return Ok(()) };
                let message = format!(
                    "failed to convert new object ({whole}) to proper version: unable to convert unstructured object to {group}/{version}, Kind={}: {why}",
                    kind.kind
                );
                return Err(ApiError::new(500, "", message));
            }
            [one] => one.clone(),
            many => format!("errors:\n  {}", many.join("\n  ")),
        };
        let message = format!("failed to create typed patch object ({whole}): {what}");
        Err(ApiError::new(500, "", message))
    }
}

fn apply_error(kind: &Kind, name: &str, error: ApplyError) -> ApiError {
    let message = error.to_string();
    match error {
        ApplyError::Invalid(why) if why.starts_with("failed to create typed patch object") => {
            ApiError::new(500, "", why)
        }
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
