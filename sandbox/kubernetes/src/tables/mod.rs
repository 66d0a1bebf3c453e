//! Tables, as `kubectl get` asks for them: the columns of the real server's printers.

mod core;
mod custom;
mod other;
mod storage;
mod workloads;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object;
use crate::registry::Kind;

/// What comes with each row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    #[default]
    Metadata,
    Object,
    None,
}

impl IncludeObject {
    /// The query parameter `includeObject`.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        match text {
            "" | "Metadata" => Ok(Self::Metadata),
            "Object" => Ok(Self::Object),
            "None" => Ok(Self::None),
            other => Err(ApiError::bad_request(format!(
                "Invalid value: \"{other}\": includeObject must be None, Metadata or Object"
            ))),
        }
    }
}

/// A kind's columns and the cells of one object. Columns are separated by `|`; `+` marks those for `-o wide` only,
/// `#` those that are integers.
struct Layout {
    columns: &'static str,
    row: fn(&Row<'_>) -> Vec<Value>,
}

/// An object about to become a row.
struct Row<'a> {
    object: &'a Value,
    now: Timestamp,
}

impl<'a> Row<'a> {
    fn text(&self, pointer: &str) -> &'a str {
        object::text(self.object, pointer)
    }

    /// The text, or a stand-in where it is empty.
    fn text_or(&self, pointer: &str, empty: &str) -> Value {
        let text = self.text(pointer);
        json!(if text.is_empty() { empty } else { text })
    }

    fn number(&self, pointer: &str) -> i64 {
        object::number(self.object, pointer).unwrap_or(0)
    }

    fn name(&self) -> Value {
        json!(object::name(self.object))
    }

    /// How old the object is.
    fn age(&self) -> Value {
        json!(self.since("/metadata/creationTimestamp"))
    }

    /// How long ago the time at `pointer` was.
    fn since(&self, pointer: &str) -> String {
        object::time_at(self.object, pointer).map_or_else(
            || "<unknown>".to_owned(),
            |then| human(self.now.duration_since(then).as_secs()),
        )
    }

    /// Names and images of a pod spec's containers.
    fn containers(&self, pointer: &str) -> (Value, Value) {
        let containers = object::list(self.object, pointer);
        let joined = |key: &str| {
            json!(
                containers
                    .iter()
                    .map(|c| object::text(c, key))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        };
        (joined("/name"), joined("/image"))
    }

    /// A map of labels, or a label selector, as text.
    fn labels(&self, pointer: &str) -> Value {
        let all = object::map(self.object, pointer).into_iter().flatten();
        let parts: Vec<String> = all
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        json!(if parts.is_empty() {
            "<none>".to_owned()
        } else {
            parts.join(",")
        })
    }
}

/// A duration as kubectl shows it: the two largest units that matter.
fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |large: i64, l: &str, small: i64, s: &str| {
        if small == 0 {
            format!("{large}{l}")
        } else {
            format!("{large}{l}{small}{s}")
        }
    };
    match seconds {
        i64::MIN..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(seconds / YEAR, "y", seconds % YEAR / DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

fn layout(kind: &Kind) -> Layout {
    workloads::layout(&kind.id)
        .or_else(|| storage::layout(&kind.id))
        .or_else(|| core::layout(&kind.id))
        .or_else(|| other::layout(&kind.id))
        .unwrap_or(Layout {
            columns: "Name|Age",
            row: |row| vec![row.name(), row.age()],
        })
}

fn columns(text: &str) -> Vec<Value> {
    let column = |text: &str| {
        let name = text.trim_end_matches(['+', '#']);
        let kind = if text.contains('#') { "integer" } else { "string" };
        let format = if name == "Name" { "name" } else { "" };
        json!({"name": name, "type": kind, "format": format, "description": "", "priority": i32::from(text.contains('+'))})
    };
    text.split('|').map(column).collect()
}

/// The table of these objects.
pub(crate) fn table(kind: &Kind, objects: &[&Value], include: IncludeObject, now: Timestamp) -> Value {
    let (columns, cells): (Vec<Value>, Vec<Vec<Value>>) = if let Some(custom) = kind.custom() {
        (
            custom::columns(custom),
            objects
                .iter()
                .map(|object| custom::cells(custom, &Row { object, now }))
                .collect(),
        )
    } else {
        let layout = layout(kind);
        (
            columns(layout.columns),
            objects
                .iter()
                .map(|object| (layout.row)(&Row { object, now }))
                .collect(),
        )
    };
    let rows: Vec<Value> = objects
        .iter()
        .zip(cells)
        .map(|(object, cells)| match include {
            IncludeObject::None => json!({"cells": cells}),
            IncludeObject::Object => json!({"cells": cells, "object": object}),
            IncludeObject::Metadata => json!({
                "cells": cells,
                "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]},
            }),
        })
        .collect();
    let version = match objects {
        [one] => json!({"resourceVersion": one["metadata"]["resourceVersion"]}),
        _ => json!({}),
    };
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": version, "columnDefinitions": columns, "rows": rows})
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn ages_are_shown_as_kubectl_does() {
        for (seconds, shown) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (700, "11m"),
            (3 * 3600 + 60, "3h1m"),
            (30 * 3600, "30h"),
            (3 * 86_400, "3d"),
            (100 * 86_400, "100d"),
            (800 * 86_400, "2y70d"),
            (-5, "<invalid>"),
        ] {
            assert_eq!(human(seconds), shown);
        }
    }
}
