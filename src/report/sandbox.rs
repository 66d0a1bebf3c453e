//! What the sandbox says about itself.

use serde_json::Value;

use super::View;
use super::table::Table;

/// The audit as a table: a row for each operation.
pub(crate) fn audit(rows: &Value, view: &View) -> String {
    let mut table = Table::new([
        "SERVICE",
        "OPERATION",
        "CALLS",
        "MUTATING",
        "CHANGED",
        "THROTTLED",
        "FAILED",
    ]);
    for row in rows.as_array().into_iter().flatten() {
        table.row(
            [
                "service",
                "operation",
                "calls",
                "mutating",
                "changed",
                "throttled",
                "failed",
            ]
            .map(|field| plain(&row[field])),
        );
    }
    if table.is_empty() {
        "no calls\n".to_owned()
    } else {
        table.render(view)
    }
}

/// What there is, counted.
pub(crate) fn state(state: &Value, view: &View) -> String {
    let mut table = Table::new(["WHAT", "COUNT"]);
    count(&mut table, "", state);
    if table.is_empty() {
        "nothing\n".to_owned()
    } else {
        table.render(view)
    }
}

fn count(table: &mut Table, path: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                count(
                    table,
                    &if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}/{name}")
                    },
                    value,
                );
            }
        }
        Value::Array(items) => table.row([path.to_owned(), items.len().to_string()]),
        scalar => table.row([path.to_owned(), plain(scalar)]),
    }
}

/// JSON, in every format.
pub(crate) fn json(value: &Value, _view: &View) -> String {
    super::document::json(value).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
