//! Strategic merge patch.

use serde_json::Value;

use crate::{PatchError, Schema, json_merge};

/// Applies a strategic merge patch and returns the patched object.
pub fn strategic_merge(_schema: &Schema, live: &Value, patch: &Value) -> Result<Value, PatchError> {
    let mut merged = live.clone();
    json_merge(&mut merged, patch);
    Ok(merged)
}
