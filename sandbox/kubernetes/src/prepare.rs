//! Steps of a write that look at nothing but the objects: is it of the kind, does it fit what is stored, what of the
//! stored object stays.

use serde_json::{Value, json};

use crate::error::{ApiError, Cause};
use crate::object::{self, copy_key, entries};
use crate::registry::{self, Kind};
use crate::write::Part;

pub(crate) fn strict_error(unknown: &[String]) -> ApiError {
    let fields: Vec<String> = unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
    ApiError::bad_request(format!("strict decoding error: {}", fields.join(", ")))
}

/// The object is not the one whose UID a PUT states, as etcd's side of the real server says it. Of an object that does not exist,
/// `found` is empty.
pub(crate) fn other_life(kind: &Kind, object: &Value, stated: &str, found: &str) -> ApiError {
    let group = if kind.custom().is_some() {
        format!("{}/", kind.group)
    } else {
        String::new()
    };
    let plural = match &*kind.id {
        "services" => "services/specs",
        _ => &kind.plural,
    };
    let namespace = match object::namespace(object) {
        "" => String::new(),
        namespace => format!("{namespace}/"),
    };
    let name = object::name(object);
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{group}{plural}/{namespace}{name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {stated}, UID in object meta: {found}"
    );
    ApiError::conflict(kind.named(), name, &why)
}

/// As much of a body as a message quotes.
fn start_of(body: &str) -> String {
    if body.len() <= 30 {
        return body.to_owned();
    }
    body.chars().take(30).chain(" ...".chars()).collect()
}

/// Bodies of custom resources must say what they are; of built-in kinds the path says it.
pub(crate) fn check_kind_of_custom(kind: &Kind, object: &Value, ignoring: bool) -> Result<(), ApiError> {
    if kind.custom().is_none() || !object.is_object() || object.get("kind").is_some_and(|given| given != "") {
        return Ok(());
    }
    let body = object.to_string();
    let missing = format!("Object 'Kind' is missing in '{body}'");
    Err(ApiError::bad_request(if ignoring || body == "{}" {
        format!(
            "{0} in version \"{1}\" cannot be handled as a {0}: {missing}",
            kind.kind, kind.version
        )
    } else {
        let start = start_of(&body);
        format!(
            "the object provided is unrecognized (must be of type {}): {missing} ({start})",
            kind.kind
        )
    }))
}

/// Sets apiVersion and kind where they are missing and refuses others.
pub(crate) fn check_type(kind: &Kind, object: &mut Value) -> Result<(), ApiError> {
    if !object.is_object() {
        return Err(ApiError::bad_request(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct",
            if object.is_array() { "array" } else { "string" }
        )));
    }
    for key in ["apiVersion", "kind"] {
        let given = match object.get(key) {
            None | Some(Value::Null | Value::String(_)) => continue,
            Some(Value::Bool(_)) => "bool",
            Some(Value::Number(_)) => "number",
            Some(Value::Array(_)) => "array",
            Some(Value::Object(_)) => "object",
        };
        let body = start_of(&object.to_string());
        return Err(ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: json: cannot unmarshal {given} into Go struct field .{key} of type string ({body})",
            kind.kind
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
        let unregistered = format!(
            "{given_kind} in version \"{given_version}\" cannot be handled as a {}: no kind \"{given_kind}\" is registered for version \"{given_version}\"",
            kind.kind
        );
        return Err(ApiError::bad_request(if version_fits {
            what
        } else if registry::is_built_in_version(given_version) {
            mismatch
        } else {
            unregistered
        }));
    }
    let map = entries(object);
    map.insert("apiVersion".to_owned(), Value::from(api_version));
    map.insert("kind".to_owned(), Value::from(&*kind.kind));
    Ok(())
}

/// A patch may name the object's UID, and no other; the real server looks at it twice, and says so twice.
pub(crate) fn check_uid_of_patch(kind: &Kind, live: &Value, new: &Value) -> Result<(), ApiError> {
    let uid = object::uid(new);
    if uid.is_empty() || uid == object::uid(live) {
        return Ok(());
    }
    let cause = || Cause {
        reason: "FieldValueInvalid",
        message: format!("Invalid value: \"{uid}\": field is immutable"),
        field: "metadata.uid".to_owned(),
    };
    Err(ApiError::invalid(
        &kind.group,
        &kind.kind,
        object::name(live),
        vec![cause(), cause()],
    ))
}

pub(crate) fn check_precondition(kind: &Kind, live: &Value, new: &Value) -> Result<(), ApiError> {
    let version = object::text(new, "/metadata/resourceVersion");
    if !version.is_empty() && version != object::text(live, "/metadata/resourceVersion") {
        return Err(ApiError::modified(kind.named(), object::name(live)));
    }
    let uid = object::uid(new);
    if !uid.is_empty() && uid != object::uid(live) {
        return Err(other_life(kind, live, uid, object::uid(live)));
    }
    Ok(())
}

/// Restores what this kind of write must not change.
pub(crate) fn keep_identity(kind: &Kind, live: &Value, new: &mut Value, part: Part) {
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
pub(crate) fn tidy(object: &mut Value) {
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

/// Whether a change counts as a new generation: of what is wanted, and of a Deployment's annotations, but not that a pod is given
/// its node.
pub(crate) fn is_new_generation(kind: &Kind, live: &Value, new: &Value) -> bool {
    match &*kind.id {
        "deployments.apps" if live["metadata"].get("annotations") != new["metadata"].get("annotations") => true,
        "pods" if object::text(live, "/spec/nodeName").is_empty() => {
            let mut unplaced = new.clone();
            copy_key(object::child(&mut unplaced, "spec"), &live["spec"], "nodeName");
            differs_outside_metadata_and_status(live, &unplaced)
        }
        _ => differs_outside_metadata_and_status(live, new),
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

/// Five characters that spell no words, as the real server appends them to `generateName`.
pub(crate) fn random_suffix() -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let bytes = uuid::Uuid::new_v4().into_bytes();
    bytes
        .iter()
        .take(5)
        .map(|&byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
        .collect()
}
