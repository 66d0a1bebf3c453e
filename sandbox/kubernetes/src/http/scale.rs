//! The scale subresource: `autoscaling/v1` Scale over `spec.replicas`.

use serde_json::{Value, json};

use super::patch::{Patch, check_options};
use super::path::ResourcePath;
use super::respond::Answer;
use super::write::written;
use super::{Incoming, body};
use crate::error::{ApiError, Cause};
use crate::object::{self, child};
use crate::server::ApiServer;
use crate::write::Part;

/// The Scale of a workload.
fn scale_of(workload: &Value) -> Value {
    let metadata = &workload["metadata"];
    let mut scale = json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {}, "spec": {}, "status": {}});
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        object::copy_key(&mut scale["metadata"], metadata, key);
    }
    if let Some(replicas) = object::number(workload, "/spec/replicas") {
        scale["spec"]["replicas"] = json!(replicas);
    }
    scale["status"]["replicas"] = json!(object::number(workload, "/status/replicas").unwrap_or(0));
    let selector = match workload["kind"].as_str() {
        // Its selector is a plain map.
        Some("ReplicationController") => selector_text(&json!({"matchLabels": workload["spec"]["selector"]})),
        _ => selector_text(&workload["spec"]["selector"]),
    };
    if !selector.is_empty() {
        scale["status"]["selector"] = json!(selector);
    }
    scale
}

/// A label selector as clients send it in a query.
fn selector_text(selector: &Value) -> String {
    let equal = object::map(selector, "/matchLabels").into_iter().flatten();
    let mut parts: Vec<String> = equal
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    for expression in object::list(selector, "/matchExpressions") {
        let key = object::text(expression, "/key");
        let values: Vec<&str> = object::list(expression, "/values")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        parts.push(match object::text(expression, "/operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.join(",")
}

pub(super) fn read(
    server: &ApiServer,
    resource: &ResourcePath,
    name: &str,
    _incoming: &Incoming,
) -> Result<Answer, ApiError> {
    let found = server.state().store.get(&resource.kind.id, resource.namespace(), name);
    let found = found.ok_or_else(|| ApiError::not_found(resource.kind.named(), name))?;
    Ok(Answer::json(&scale_of(&found)))
}

pub(super) fn write(
    server: &ApiServer,
    resource: &ResourcePath,
    name: &str,
    incoming: &Incoming,
) -> Result<Answer, ApiError> {
    let (kind, namespace) = (&resource.kind, resource.namespace());
    let change = if incoming.method == "PUT" {
        Patch::Merge(body::object(&incoming.headers, &incoming.body)?)
    } else {
        Patch::read(kind, incoming)?
    };
    check_options(&change, incoming)?;
    let force = incoming.query.flag("force");
    let mut after = Value::Null;
    let answer = written(server, kind, incoming, |writer| {
        let written = if let Patch::Apply(scale) = &change {
            let replicas = replicas(name, scale)?;
            let applied = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": name}, "spec": {"replicas": replicas}});
            writer.apply(kind, namespace, name, Part::Scale, applied, force)?
        } else {
            writer.patch(kind, namespace, name, Part::Scale, |live| {
                let scale = change.on(kind, name, &scale_of(live))?;
                let mut new = live.clone();
                child(&mut new, "spec")["replicas"] = json!(replicas(name, &scale)?);
                // A resourceVersion in the Scale is a precondition on the workload.
                object::copy_key(&mut new["metadata"], &scale["metadata"], "resourceVersion");
                Ok(new)
            })?
        };
        after = scale_of(&written.object);
        Ok(written)
    })?;
    Ok(Answer {
        status: answer.status,
        changed: answer.changed,
        warnings: answer.warnings,
        ..Answer::json(&after)
    })
}

/// `spec.replicas` of a Scale; absent means 0.
fn replicas(name: &str, scale: &Value) -> Result<i64, ApiError> {
    let invalid = |message: String| {
        let cause = Cause {
            reason: "FieldValueInvalid",
            message,
            field: "spec.replicas".to_owned(),
        };
        Err(ApiError::invalid("autoscaling", "Scale", name, vec![cause]))
    };
    match scale.pointer("/spec/replicas") {
        None | Some(Value::Null) => Ok(0),
        Some(value) => match value.as_i64() {
            Some(number) if i32::try_from(number).is_err() || number < 0 => {
                invalid(format!("Invalid value: {number}: must be greater than or equal to 0"))
            }
            Some(number) => Ok(number),
            None => Err(ApiError::bad_request(format!(
                "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal {value} into Go struct field ScaleSpec.spec.replicas of type int32"
            ))),
        },
    }
}
