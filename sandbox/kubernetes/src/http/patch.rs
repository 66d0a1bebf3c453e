//! PATCH in its four forms.

use moorline_sandbox_patch::{PatchError, json_merge, json_patch, strategic_merge};
use serde_json::Value;

use super::path::ResourcePath;
use super::respond::Answer;
use super::write::{part, written};
use super::{Incoming, body};
use crate::error::{ApiError, Cause};
use crate::registry::Kind;
use crate::server::ApiServer;

/// A patch with its body read.
pub(super) enum Patch {
    Apply(Value),
    Strategic(Value),
    Merge(Value),
    Json(Value),
}

impl Patch {
    pub(super) fn read(kind: &Kind, incoming: &Incoming) -> Result<Self, ApiError> {
        let custom = kind.custom().is_some();
        match body::media_type(&incoming.headers) {
            "application/apply-patch+yaml" => Ok(Self::Apply(body::yaml(&incoming.body)?)),
            "application/strategic-merge-patch+json" if !custom => Ok(Self::Strategic(body::json(&incoming.body)?)),
            "application/merge-patch+json" => Ok(Self::Merge(body::json(&incoming.body)?)),
            "application/json-patch+json" => Ok(Self::Json(body::json(&incoming.body)?)),
            _ if custom => Err(body::unsupported(
                "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
            )),
            _ => Err(body::unsupported(
                "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/strategic-merge-patch+json",
            )),
        }
    }

    /// The patched object; not for applies, which need field ownership.
    pub(super) fn on(&self, kind: &Kind, name: &str, live: &Value) -> Result<Value, ApiError> {
        let refuse = |error: PatchError| match error {
            PatchError::Malformed(why) => ApiError::bad_request(why),
            PatchError::DoesNotApply(why) => {
                tracing::debug!(kind = %kind.id, name, why, "a patch does not apply");
                ApiError::new(
                    422,
                    "Invalid",
                    "the server rejected our request due to an error in our request",
                )
                .with_details()
            }
        };
        match self {
            Self::Strategic(patch) => strategic_merge(kind.patch_schema(), live, patch).map_err(refuse),
            Self::Merge(patch) => {
                if !patch.is_object() {
                    return Err(ApiError::bad_request(
                        "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}",
                    ));
                }
                let mut new = live.clone();
                json_merge(&mut new, patch);
                Ok(new)
            }
            Self::Json(patch) => {
                let mut new = live.clone();
                json_patch(&mut new, patch).map_err(refuse)?;
                Ok(new)
            }
            Self::Apply(_) => Err(ApiError::internal(format!("an apply to {name} is no plain patch"))),
        }
    }
}

/// An apply names its manager; `force` is for applies only.
pub(super) fn check_options(patch: &Patch, incoming: &Incoming) -> Result<(), ApiError> {
    let invalid = |reason, field: &str, message: &str| {
        let cause = Cause {
            reason,
            message: message.to_owned(),
            field: field.to_owned(),
        };
        Err(ApiError::invalid("meta.k8s.io", "PatchOptions", "", vec![cause]))
    };
    match patch {
        Patch::Apply(_) if incoming.query.get("fieldManager").is_empty() => invalid(
            "FieldValueRequired",
            "fieldManager",
            "Required value: is required for apply patch",
        ),
        Patch::Apply(_) => Ok(()),
        _ if !incoming.query.get("force").is_empty() => invalid(
            "FieldValueForbidden",
            "force",
            "Forbidden: may not be specified for non-apply patch",
        ),
        _ => Ok(()),
    }
}

pub(super) fn patch(
    server: &ApiServer,
    resource: &ResourcePath,
    name: &str,
    incoming: &Incoming,
) -> Result<Answer, ApiError> {
    let (kind, namespace) = (&resource.kind, resource.namespace());
    let (part, patch) = (part(resource)?, Patch::read(kind, incoming)?);
    check_options(&patch, incoming)?;
    let force = incoming.query.flag("force");
    written(server, kind, incoming, |writer| match patch {
        Patch::Apply(applied) => writer.apply(kind, namespace, name, part, applied, force),
        other => writer.patch(kind, namespace, name, part, |live| other.on(kind, name, live)),
    })
}
