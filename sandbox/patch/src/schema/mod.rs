//! What of a kind merges, and by which key.

use std::sync::LazyLock;

use serde_json::Value;

/// How the lists and maps of one kind merge.
#[derive(Debug)]
pub struct Schema {}

impl Schema {
    /// The schema of a built-in kind. An unknown kind has maps that merge and lists that do not.
    pub fn for_kind(_api_version: &str, _kind: &str) -> &'static Schema {
        static UNKNOWN: LazyLock<Schema> = LazyLock::new(|| Schema {});
        &UNKNOWN
    }

    /// The schema of a custom resource, from one version's `schema.openAPIV3Schema`.
    pub fn from_openapi(_schema: &Value) -> Schema {
        Schema {}
    }
}
