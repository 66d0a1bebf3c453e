//! Server-side apply.

use jiff::Timestamp;
use serde_json::Value;

use crate::{ApplyError, Schema, json_merge};

/// Who applies, and how.
#[derive(Debug, Clone, Copy)]
pub struct ApplyRequest<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Take fields that others own with other values.
    pub force: bool,
    /// The time for the manager's entry, should it change. Cut to seconds.
    pub now: Timestamp,
    /// The subresource applied to, such as `status`.
    pub subresource: Option<&'a str>,
}

/// Merges `applied` into `live` and returns the object with its new `metadata.managedFields`.
pub fn apply(_schema: &Schema, live: Option<&Value>, applied: &Value, _request: &ApplyRequest<'_>) -> Result<Value, ApplyError> {
    let mut merged = live.cloned().unwrap_or_default();
    json_merge(&mut merged, applied);
    Ok(merged)
}
