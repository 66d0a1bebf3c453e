//! The two patch types that need no schema.

use serde_json::{Map, Value};

use crate::PatchError;

/// Applies a JSON merge patch (RFC 7386): objects merge, null deletes, everything else replaces.
pub fn json_merge(live: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        live.clone_from(patch);
        return;
    };
    if !live.is_object() {
        *live = Value::Object(Map::new());
    }
    if let Value::Object(live) = live {
        for (key, value) in patch {
            if value.is_null() {
                live.remove(key);
            } else {
                json_merge(live.entry(key).or_insert(Value::Null), value);
            }
        }
    }
}

/// Applies a JSON patch (RFC 6902). On an error `live` is as it was.
pub fn json_patch(live: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let operations: json_patch::Patch =
        serde_json::from_value(patch.clone()).map_err(|error| PatchError::Malformed(format!("json patch: {error}")))?;
    let changes_all = |operation: &Value| operation["path"] == "" && operation["op"] != "test";
    if patch
        .as_array()
        .is_some_and(|operations| operations.iter().any(changes_all))
    {
        // The RFC allows it, the real server's library does not.
        return Err(PatchError::DoesNotApply(
            "the whole document cannot be changed".to_owned(),
        ));
    }
    json_patch::patch(live, &operations).map_err(|error| PatchError::DoesNotApply(error.to_string()))
}
