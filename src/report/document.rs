//! Results as JSON or YAML, for programs. The shapes are those of the engine's outcome types.

use serde::Serialize;

/// Indented JSON, with a line break at the end.
pub(crate) fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(value).map(|text| text + "\n")
}

/// JSON in one line, for streams of documents.
pub(crate) fn json_line(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(value).map(|text| text + "\n")
}

/// One YAML document with its `---`, so that documents may follow one another.
pub(crate) fn yaml(value: &impl Serialize) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(value).map(|text| format!("---\n{text}{}", if text.ends_with('\n') { "" } else { "\n" }))
}
