//! DELETE of one object and of a collection.

use std::sync::Arc;

use serde_json::{Value, json};

use super::path::ResourcePath;
use super::respond::{Answer, success};
use super::{Incoming, body, list};
use crate::error::ApiError;
use crate::object;
use crate::registry::Kind;
use crate::server::ApiServer;
use crate::write::Writer;
use crate::{DeleteOptions, Propagation};

/// Options from the query and the body, of which the body wins.
struct Asked {
    options: DeleteOptions,
    version: Option<String>,
    dry_run: bool,
}

fn asked(incoming: &Incoming) -> Result<Asked, ApiError> {
    let sent = if incoming.body.is_empty() {
        json!({})
    } else {
        body::object(&incoming.headers, &incoming.body)?
    };
    let text = |pointer: &str, key: &str| {
        let given = object::text(&sent, pointer);
        if given.is_empty() {
            incoming.query.get(key).to_owned()
        } else {
            given.to_owned()
        }
    };
    let orphans = sent.get("orphanDependents").and_then(Value::as_bool);
    let propagation = match (text("/propagationPolicy", "propagationPolicy").as_str(), orphans) {
        ("", Some(true)) | ("Orphan", None) => Some(Propagation::Orphan),
        ("", Some(false)) | ("Background", None) => Some(Propagation::Background),
        ("", None) => None,
        ("Foreground", None) => Some(Propagation::Foreground),
        (_, Some(_)) => {
            return Err(ApiError::bad_request(
                "orphanDependents and deletionPropagation cannot be both set",
            ));
        }
        (other, None) => {
            let message = format!(
                "Unsupported value: \"{other}\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            );
            let cause = crate::Cause {
                reason: "FieldValueNotSupported",
                message,
                field: "propagationPolicy".to_owned(),
            };
            return Err(ApiError::invalid("meta.k8s.io", "DeleteOptions", "", vec![cause]));
        }
    };
    let grace = match incoming.query.get("gracePeriodSeconds") {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|_| ApiError::bad_request(format!("gracePeriodSeconds is no number: {text}")))?,
        ),
    };
    let precondition = |key: &str| {
        sent.pointer(&format!("/preconditions/{key}"))
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    Ok(Asked {
        options: DeleteOptions {
            uid: precondition("uid"),
            grace_seconds: object::number(&sent, "/gracePeriodSeconds").or(grace),
            propagation,
        },
        version: precondition("resourceVersion"),
        dry_run: incoming.query.dry_run()? || object::list(&sent, "/dryRun").iter().any(|value| value == "All"),
    })
}

fn writing<T>(
    server: &ApiServer,
    dry_run: bool,
    act: impl FnOnce(&mut Writer<'_>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let now = server.world().clock.now();
    let mut state = server.state();
    act(&mut Writer {
        state: &mut state,
        now,
        manager: "",
        dry_run,
        validation: crate::write::FieldValidation::Ignore,
        warnings: Vec::new(),
    })
}

pub(super) fn one(
    server: &ApiServer,
    resource: &ResourcePath,
    name: &str,
    incoming: &Incoming,
) -> Result<Answer, ApiError> {
    let asked = asked(incoming)?;
    let kind = &resource.kind;
    let deleted = writing(server, asked.dry_run, |writer| {
        writer.delete(
            kind,
            resource.namespace(),
            name,
            &asked.options,
            asked.version.as_deref(),
        )
    })?;
    let renderer = list::renderer(server, kind, incoming)?;
    let mut answer = if deleted.gone && !kind.returns_deleted {
        Answer::json(&success(kind, &deleted.object))
    } else {
        renderer.object(&deleted.object)
    };
    answer.changed = deleted.changed;
    Ok(answer)
}

/// An item of a list: only custom resources say what they are.
fn untyped(kind: &Kind, item: &Value) -> Value {
    let mut item = item.clone();
    if kind.custom().is_none() {
        for key in ["kind", "apiVersion"] {
            object::entries(&mut item).remove(key);
        }
    }
    item
}

pub(super) fn collection(server: &ApiServer, resource: &ResourcePath, incoming: &Incoming) -> Result<Answer, ApiError> {
    let asked = asked(incoming)?;
    let kind = &resource.kind;
    if matches!(&*kind.id, "namespaces" | "services") {
        return Err(ApiError::method_not_allowed());
    }
    let selector = list::selector(resource, incoming)?;
    let (items, changed) = writing(server, asked.dry_run, |writer| {
        let all = writer.state.store.values(&kind.id, resource.namespace.as_deref());
        let chosen: Vec<Arc<Value>> = all.filter(|object| selector.matches(object)).collect();
        let mut changed = false;
        for object in &chosen {
            let done = writer.delete(
                kind,
                object::namespace(object),
                object::name(object),
                &asked.options,
                None,
            )?;
            changed |= done.changed;
        }
        Ok((chosen, changed))
    })?;
    let version = server.state().store.version().to_string();
    let mut answer = Answer::json(&json!({
        "kind": kind.list_kind(), "apiVersion": kind.api_version(), "metadata": {"resourceVersion": version}, "items": items.iter().map(|item| untyped(kind, item)).collect::<Vec<_>>(),
    }));
    answer.changed = changed;
    Ok(answer)
}
