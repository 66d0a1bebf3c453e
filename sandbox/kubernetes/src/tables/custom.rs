//! Custom resources: the columns that their definition asks for.

use serde_json::{Value, json};

use super::Row;
use crate::object::text;
use crate::registry::Custom;

pub(super) fn columns(custom: &Custom) -> Vec<Value> {
    let mut columns = super::columns("Name");
    if custom.columns.is_empty() {
        columns.push(json!({"name": "Age", "type": "date", "format": "", "description": "", "priority": 0}));
    }
    columns.extend(custom.columns.iter().map(|column| {
        json!({
            "name": column["name"], "type": column["type"], "format": text(column, "/format"),
            "description": text(column, "/description"), "priority": column["priority"].as_i64().unwrap_or(0),
        })
    }));
    columns
}

pub(super) fn cells(custom: &Custom, row: &Row<'_>) -> Vec<Value> {
    let mut cells = vec![row.name()];
    if custom.columns.is_empty() {
        cells.push(row.age());
    }
    cells.extend(custom.columns.iter().map(|column| {
        let found = find(row.object, text(column, "/jsonPath"));
        match (text(column, "/type"), found) {
            (_, None) => Value::Null,
            ("date", Some(Value::String(at))) => match at.parse() {
                Ok(then) => json!(super::human(row.now.duration_since(then).as_secs())),
                Err(_) => json!("<unknown>"),
            },
            ("string", Some(value @ (Value::Number(_) | Value::Bool(_)))) => json!(value.to_string()),
            (_, Some(value)) => value.clone(),
        }
    }));
    cells
}

/// The value at a JSON path of the plain kinds: `.a.b`, `[0]`, `[?(@.type=="Ready")]`, `['a.b']`.
fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.trim_start_matches('$');
    if path.is_empty() {
        return Some(value);
    }
    if let Some(rest) = path.strip_prefix('[') {
        let end = rest.find(']')?;
        let (inner, rest) = (&rest[..end], &rest[end + 1..]);
        let next = if let Some(condition) = inner.strip_prefix("?(@.").and_then(|inner| inner.strip_suffix(')')) {
            let (key, wanted) = condition.split_once("==")?;
            let wanted = wanted.trim().trim_matches(['"', '\'']);
            value
                .as_array()?
                .iter()
                .find(|item| item.get(key.trim()).and_then(Value::as_str) == Some(wanted))?
        } else if let Ok(index) = inner.parse::<usize>() {
            value.get(index)?
        } else {
            value.get(inner.trim_matches(['"', '\'']))?
        };
        return find(next, rest);
    }
    let path = path.strip_prefix('.').unwrap_or(path);
    let end = path.find(['.', '[']).unwrap_or(path.len());
    find(value.get(path[..end].replace('\\', "").as_str())?, &path[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_by_path() {
        let object = json!({"spec": {"size": 3}, "status": {"conditions": [{"type": "A", "status": "x"}, {"type": "Ready", "status": "True"}]}});
        assert_eq!(find(&object, ".spec.size"), Some(&json!(3)));
        assert_eq!(find(&object, ".status.conditions[0].status"), Some(&json!("x")));
        assert_eq!(
            find(&object, ".status.conditions[?(@.type==\"Ready\")].status"),
            Some(&json!("True"))
        );
        assert_eq!(find(&object, ".none.at.all"), None);
    }
}
