//! Label selectors (equality and set based) and field selectors.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::object::{map, text};
use crate::registry::Kind;

/// One requirement of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
    Greater(String, i64),
    Less(String, i64),
}

impl Requirement {
    fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        let value = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        let integer = |key: &str| value(key).and_then(|text| text.parse::<i64>().ok());
        match self {
            Self::In(key, values) => value(key).is_some_and(|found| values.iter().any(|v| v == found)),
            Self::NotIn(key, values) => value(key).is_none_or(|found| values.iter().all(|v| v != found)),
            Self::Exists(key) => value(key).is_some(),
            Self::Missing(key) => value(key).is_none(),
            Self::Greater(key, bound) => integer(key).is_some_and(|found| found > *bound),
            Self::Less(key, bound) => integer(key).is_some_and(|found| found < *bound),
        }
    }
}

/// What a list or watch asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, String, bool)>,
}

impl Selector {
    /// Parses `labelSelector` and `fieldSelector`; fields are checked against what `kind` supports.
    pub(crate) fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, ApiError> {
        let labels =
            parse_labels(labels).map_err(|why| ApiError::bad_request(format!("unable to parse requirement: {why}")))?;
        Ok(Self {
            labels,
            fields: parse_fields(kind, fields)?,
        })
    }

    /// Whether it lets everything through.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = map(object, "/metadata/labels");
        self.labels.iter().all(|requirement| requirement.matches(labels))
            && self
                .fields
                .iter()
                .all(|(pointer, wanted, equal)| (field_text(object, pointer) == *wanted) == *equal)
    }

    /// The same selector for one name only.
    pub(crate) fn and_name(mut self, name: &str) -> Self {
        self.fields.push(("/metadata/name".to_owned(), name.to_owned(), true));
        self
    }
}

fn field_text(object: &Value, pointer: &str) -> String {
    match object.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => match pointer {
            "/spec/unschedulable" | "/spec/hostNetwork" => "false".to_owned(),
            _ => String::new(),
        },
        Some(other) => other.to_string(),
    }
}

/// Splits at commas outside parentheses.
fn split_requirements(selector: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (index, character) in selector.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&selector[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&selector[start..]);
    parts
}

fn parse_labels(selector: &str) -> Result<Vec<Requirement>, String> {
    if selector.trim().is_empty() {
        return Ok(Vec::new());
    }
    split_requirements(selector)
        .into_iter()
        .map(|part| parse_requirement(part.trim()))
        .collect()
}

fn parse_requirement(part: &str) -> Result<Requirement, String> {
    let key = |text: &str| -> Result<String, String> {
        let text = text.trim();
        if crate::validation::names::is_qualified_name(text) {
            Ok(text.to_owned())
        } else if text.is_empty() {
            Err("found '', expected: identifier".to_owned())
        } else {
            Err(format!(
                "<nil>: Invalid value: \"{text}\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ))
        }
    };
    let value = |text: &str| -> Result<String, String> {
        let text = text.trim();
        if crate::validation::names::is_label_value(text) {
            Ok(text.to_owned())
        } else {
            Err(format!(
                "values[0]: Invalid value: \"{text}\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            ))
        }
    };
    if let Some((left, right)) = part.split_once("!=") {
        return Ok(Requirement::NotIn(key(left)?, vec![value(right)?]));
    }
    if let Some((left, right)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement::In(key(left)?, vec![value(right)?]));
    }
    if let Some(rest) = part.strip_prefix('!') {
        return Ok(Requirement::Missing(key(rest)?));
    }
    for (operator, above) in [('>', true), ('<', false)] {
        if let Some((left, right)) = part.split_once(operator) {
            let bound = right
                .trim()
                .parse()
                .map_err(|_| format!("for 'Gt', 'Lt' operators, the value must be an integer: {part}"))?;
            let key = key(left)?;
            return Ok(if above {
                Requirement::Greater(key, bound)
            } else {
                Requirement::Less(key, bound)
            });
        }
    }
    let mut words = part.splitn(2, char::is_whitespace);
    let name = words.next().unwrap_or_default();
    let Some(rest) = words.next().map(str::trim) else {
        return Ok(Requirement::Exists(key(name)?));
    };
    let (negated, values) = match (rest.strip_prefix("notin"), rest.strip_prefix("in")) {
        (Some(values), _) => (true, values),
        (None, Some(values)) => (false, values),
        (None, None) => return Err(format!("found '{rest}', expected: in, notin, =, ==, !=, gt, lt")),
    };
    let inner = values.trim().strip_prefix('(').and_then(|v| v.strip_suffix(')'));
    let inner = inner.ok_or_else(|| format!("found '{}', expected: '('", values.trim()))?;
    let values = inner.split(',').map(value).collect::<Result<Vec<_>, _>>()?;
    Ok(if negated {
        Requirement::NotIn(key(name)?, values)
    } else {
        Requirement::In(key(name)?, values)
    })
}

/// The JSON pointer behind a field selector's label, where `kind` supports it.
fn field_pointer(kind: &Kind, field: &str) -> Option<&'static str> {
    let always = match field {
        "metadata.name" => Some("/metadata/name"),
        "metadata.namespace" if kind.namespaced => Some("/metadata/namespace"),
        _ => None,
    };
    always.or_else(|| match (&*kind.id, field) {
        ("pods", "spec.nodeName") => Some("/spec/nodeName"),
        ("pods", "spec.restartPolicy") => Some("/spec/restartPolicy"),
        ("pods", "spec.schedulerName") => Some("/spec/schedulerName"),
        ("pods", "spec.serviceAccountName") => Some("/spec/serviceAccountName"),
        ("pods", "spec.hostNetwork") => Some("/spec/hostNetwork"),
        ("pods" | "namespaces", "status.phase") => Some("/status/phase"),
        ("namespaces", "name") => Some("/metadata/name"),
        ("pods", "status.podIP") => Some("/status/podIP"),
        ("pods", "status.nominatedNodeName") => Some("/status/nominatedNodeName"),
        ("nodes", "spec.unschedulable") => Some("/spec/unschedulable"),
        ("services", "spec.clusterIP") => Some("/spec/clusterIP"),
        ("services", "spec.type") => Some("/spec/type"),
        ("replicasets.apps", "status.replicas") => Some("/status/replicas"),
        ("jobs.batch", "status.successful") => Some("/status/succeeded"),
        ("events", "involvedObject.kind") => Some("/involvedObject/kind"),
        ("events", "involvedObject.namespace") => Some("/involvedObject/namespace"),
        ("events", "involvedObject.name") => Some("/involvedObject/name"),
        ("events", "involvedObject.uid") => Some("/involvedObject/uid"),
        ("events", "involvedObject.apiVersion") => Some("/involvedObject/apiVersion"),
        ("events", "involvedObject.resourceVersion") => Some("/involvedObject/resourceVersion"),
        ("events", "involvedObject.fieldPath") => Some("/involvedObject/fieldPath"),
        ("events", "reason") => Some("/reason"),
        ("events", "reportingComponent") => Some("/reportingComponent"),
        ("events", "source") => Some("/source/component"),
        ("events" | "secrets", "type") => Some("/type"),
        _ => None,
    })
}

fn parse_fields(kind: &Kind, selector: &str) -> Result<Vec<(String, String, bool)>, ApiError> {
    let mut fields = Vec::new();
    for part in selector.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (field, value, equal) = if let Some((field, value)) = part.split_once("!=") {
            (field, value, false)
        } else if let Some((field, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            (field, value, true)
        } else {
            let why = format!("invalid selector: '{selector}'; can't understand '{part}'");
            return Err(ApiError::bad_request(why));
        };
        let Some(pointer) = field_pointer(kind, field) else {
            let why = match &*kind.id {
                "pods" | "nodes" | "namespaces" | "events" | "secrets" | "services" => {
                    format!("field label not supported: {field}")
                }
                _ if kind.custom().is_some() => format!("field label not supported: {field}"),
                _ => {
                    format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
                }
            };
            return Err(ApiError::bad_request(why));
        };
        fields.push((pointer.to_owned(), value.to_owned(), equal));
    }
    Ok(fields)
}

/// Whether a `LabelSelector` value matches these labels; an empty selector matches everything, a missing one nothing.
pub(crate) fn label_selector_matches(selector: &Value, labels: Option<&Map<String, Value>>) -> bool {
    if !selector.is_object() {
        return false;
    }
    let wanted = map(selector, "/matchLabels").into_iter().flatten();
    let equal = wanted
        .into_iter()
        .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value));
    equal
        && crate::object::list(selector, "/matchExpressions")
            .iter()
            .all(|expression| {
                let key = text(expression, "/key").to_owned();
                let values = crate::object::list(expression, "/values")
                    .iter()
                    .filter_map(|v| v.as_str().map(str::to_owned))
                    .collect();
                let requirement = match text(expression, "/operator") {
                    "In" => Requirement::In(key, values),
                    "NotIn" => Requirement::NotIn(key, values),
                    "Exists" => Requirement::Exists(key),
                    "DoesNotExist" => Requirement::Missing(key),
                    _ => return false,
                };
                requirement.matches(labels)
            })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(selector: &str, labels: &Value) -> bool {
        parse_labels(selector)
            .unwrap()
            .iter()
            .all(|requirement| requirement.matches(labels.as_object()))
    }

    #[test]
    fn label_selectors_of_every_form() {
        let labels = json!({"app": "web", "tier": "front", "n": "5"});
        for (selector, expected) in [
            ("app=web", true),
            ("app==web,tier=front", true),
            ("app!=web", false),
            ("missing!=x", true),
            ("app in (api, web)", true),
            ("app notin (api,db)", true),
            ("missing notin (a)", true),
            ("missing in (a)", false),
            ("app", true),
            ("!app", false),
            ("!missing", true),
            ("n>4", true),
            ("n<4", false),
            ("", true),
            ("app in (web),!other,tier", true),
        ] {
            assert_eq!(matches(selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn malformed_label_selectors_are_refused() {
        for selector in ["app in web", "=x", "a b c", "app=we b", ",", "n>x"] {
            assert!(parse_labels(selector).is_err(), "{selector}");
        }
    }
}
