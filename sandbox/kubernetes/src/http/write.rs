//! POST and PUT.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use super::path::ResourcePath;
use super::respond::Answer;
use super::{Incoming, body, list};
use crate::error::ApiError;
use crate::object;
use crate::registry::Kind;
use crate::server::ApiServer;
use crate::write::{Part, Writer, Written};
use crate::{DeleteOptions, object::child};

/// The field manager: as asked for, or the client's name in its User-Agent.
pub(super) fn manager(incoming: &Incoming) -> &str {
    let asked = incoming.query.get("fieldManager");
    if !asked.is_empty() {
        return asked;
    }
    let agent = incoming
        .headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match agent.split('/').next() {
        Some("") | None => "unknown",
        Some(name) => name,
    }
}

/// The part of the object that a subresource stands for.
pub(super) fn part(resource: &ResourcePath) -> Result<Part, ApiError> {
    match resource.subresource.as_deref() {
        None => Ok(Part::Main),
        Some("status") => Ok(Part::Status),
        Some("finalize") => Ok(Part::Finalize),
        Some(_) => Err(ApiError::method_not_allowed()),
    }
}

/// Runs one write under the lock and answers with what came of it.
pub(super) fn written(
    server: &ApiServer,
    kind: &Kind,
    incoming: &Incoming,
    act: impl FnOnce(&mut Writer<'_>) -> Result<Written, ApiError>,
) -> Result<Answer, ApiError> {
    let (dry_run, validation) = (incoming.query.dry_run()?, incoming.query.field_validation()?);
    let manager = manager(incoming);
    if manager.len() > 128 {
        return Err(ApiError::bad_request(
            "fieldManager: Too long: may not be more than 128 bytes",
        ));
    }
    let renderer = list::renderer(server, kind, incoming)?;
    let mut state = server.state();
    let now = renderer.now;
    let mut writer = Writer {
        state: &mut state,
        now,
        manager,
        dry_run,
        validation,
        warnings: Vec::new(),
    };
    let written = act(&mut writer);
    let mut warnings = Vec::new();
    for warning in std::mem::take(&mut writer.warnings) {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    let written = written.map_err(|error| ApiError {
        warnings: warnings.clone(),
        ..error
    })?;
    drop(state);
    let mut answer = renderer.object(&written.object);
    if written.created {
        answer.status = StatusCode::CREATED;
    }
    answer.changed = written.changed;
    answer.warnings = warnings;
    Ok(answer)
}

pub(super) fn create(server: &ApiServer, resource: &ResourcePath, incoming: &Incoming) -> Result<Answer, ApiError> {
    if resource.kind.namespaced && resource.namespace.is_none() {
        return Err(ApiError::method_not_allowed());
    }
    let object = body::object(&incoming.headers, &incoming.body)?;
    written(server, &resource.kind, incoming, |writer| {
        writer.create(&resource.kind, resource.namespace(), object)
    })
}

pub(super) fn update(
    server: &ApiServer,
    resource: &ResourcePath,
    name: &str,
    incoming: &Incoming,
) -> Result<Answer, ApiError> {
    let part = part(resource)?;
    let object = body::object(&incoming.headers, &incoming.body)?;
    let given = object::namespace(&object);
    if resource.kind.namespaced && !given.is_empty() && given != resource.namespace() {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    written(server, &resource.kind, incoming, |writer| {
        if part != Part::Finalize {
            return writer.update(&resource.kind, resource.namespace(), name, part, object);
        }
        writer.patch(&resource.kind, resource.namespace(), name, part, |live| {
            let mut new = live.clone();
            object::copy_key(child(&mut new, "spec"), &object["spec"], "finalizers");
            object::copy_key(child(&mut new, "metadata"), &object["metadata"], "resourceVersion");
            Ok(new)
        })
    })
}

/// `pods/binding` and `pods/eviction`.
pub(super) fn pod_action(
    server: &ApiServer,
    resource: &ResourcePath,
    name: &str,
    action: &str,
    incoming: &Incoming,
) -> Result<Answer, ApiError> {
    let asked = body::object(&incoming.headers, &incoming.body)?;
    let mut changed = false;
    let mut answer = written(server, &resource.kind, incoming, |writer| {
        let done = if action == "eviction" {
            let options = DeleteOptions {
                uid: asked
                    .pointer("/deleteOptions/preconditions/uid")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                grace_seconds: object::number(&asked, "/deleteOptions/gracePeriodSeconds"),
                propagation: None,
            };
            let deleted = writer.delete(&resource.kind, resource.namespace(), name, &options, None)?;
            Written {
                object: deleted.object,
                changed: deleted.changed,
                created: true,
            }
        } else {
            bind(writer, resource, name, object::text(&asked, "/target/name"))?
        };
        changed = done.changed;
        let object =
            Arc::new(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}));
        Ok(Written {
            object,
            changed,
            created: true,
        })
    })?;
    answer.changed = changed;
    Ok(answer)
}

fn bind(writer: &mut Writer<'_>, resource: &ResourcePath, name: &str, node: &str) -> Result<Written, ApiError> {
    let kind = &resource.kind;
    writer.patch(kind, resource.namespace(), name, Part::Main, |live| {
        let bound = object::text(live, "/spec/nodeName");
        if !bound.is_empty() {
            return Err(ApiError::conflict(
                kind.named(),
                name,
                &format!("pod {name} is already assigned to node \"{bound}\""),
            ));
        }
        let mut new = live.clone();
        child(&mut new, "spec")["nodeName"] = json!(node);
        Ok(new)
    })
}
