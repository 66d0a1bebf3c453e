//! Results as JSON or YAML, for programs. The shapes are those of the engine's outcome types.
//!
//! Programs get every character of every name; a terminal that shows the documents gets none that it might obey, for those are
//! escaped.

use serde::Serialize;

use super::text::{has_tricks, plain_json};

/// Indented JSON, with a line break at the end.
pub(crate) fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(value).map(|text| plain_json(text) + "\n")
}

/// JSON in one line, for streams of documents.
pub(crate) fn json_line(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(value).map(|text| plain_json(text) + "\n")
}

/// One YAML document with its `---`, so that documents may follow one another.
pub(crate) fn yaml(value: &impl Serialize) -> Result<String, serde_saphyr::SerializeError> {
    let text = serde_saphyr::to_string(value)?;
    let end = if text.ends_with('\n') { "" } else { "\n" };
    if !has_tricks(&text) {
        return Ok(format!("---\n{text}{end}"));
    }
    // Not all of YAML's ways to write a string can escape. JSON's can, and JSON is YAML.
    let json = json(value).map_err(|error| serde_saphyr::SerializeError::from(error.to_string()))?;
    Ok(format!("---\n{json}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn hostile_names_reach_programs_whole_and_terminals_not_at_all() {
        for name in [
            "\u{1b}[2J",
            "a\u{9b}31mb",
            "x\u{202e}y",
            "\u{7f}",
            "line\nbreak\r",
            "\u{feff}z",
            "tab\t",
            "größe 名前",
        ] {
            let value = BTreeMap::from([("name", name), ("other", "plain")]);
            for text in [json(&value).unwrap(), json_line(&value).unwrap(), yaml(&value).unwrap()] {
                assert!(!has_tricks(&text), "{text:?}");
                let read: BTreeMap<String, String> = serde_saphyr::from_str(&text).unwrap();
                assert_eq!(read["name"], name, "{text:?}");
            }
        }
    }
}
