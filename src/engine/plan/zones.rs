//! In which zone a volume goes: spread over ordinals, within what class, nodes and pod allow.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fold::NodeView;

/// The zones that a pod with these constraints can run in, sorted: those of the nodes that its `nodeSelector` and required
/// node affinity accept. `None` where no node says: the cloud's own zones then rule.
pub(crate) fn zones_for_pod(
    nodes: &[NodeView],
    node_selector: Option<&Value>,
    affinity: Option<&Value>,
) -> Option<Vec<String>> {
    if nodes.is_empty() {
        return None;
    }
    let terms = affinity
        .and_then(|a| a.pointer("/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms"));
    let accepts =
        |node: &&NodeView| selector_accepts(node, node_selector) && terms.is_none_or(|terms| terms_accept(node, terms));
    let zones: BTreeSet<_> = nodes.iter().filter(accepts).map(|node| node.zone.clone()).collect();
    Some(zones.into_iter().collect())
}

fn selector_accepts(node: &NodeView, selector: Option<&Value>) -> bool {
    let wanted = selector.and_then(Value::as_object).into_iter().flatten();
    wanted
        .into_iter()
        .all(|(key, value)| node.labels.get(key).map(String::as_str) == value.as_str())
}

/// Terms are alternatives; the expressions of one term must all hold. `matchFields` name single nodes and are not zones' business.
fn terms_accept(node: &NodeView, terms: &Value) -> bool {
    let terms = terms.as_array().map_or(&[][..], Vec::as_slice);
    terms.iter().any(|term| {
        let expressions = term
            .get("matchExpressions")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        expressions
            .iter()
            .all(|expression| expression_accepts(node, expression))
    })
}

fn expression_accepts(node: &NodeView, expression: &Value) -> bool {
    let label = expression
        .get("key")
        .and_then(Value::as_str)
        .and_then(|key| node.labels.get(key));
    let values: Vec<&str> = expression
        .get("values")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let number = |text: &str| text.parse::<i64>().ok();
    let compared = |holds: fn(i64, i64) -> bool| {
        let (left, right) = (label.and_then(|l| number(l)), values.first().and_then(|v| number(v)));
        left.zip(right).is_some_and(|(left, right)| holds(left, right))
    };
    match expression.get("operator").and_then(Value::as_str) {
        Some("In") => label.is_some_and(|label| values.contains(&label.as_str())),
        Some("NotIn") => label.is_none_or(|label| !values.contains(&label.as_str())),
        Some("Exists") => label.is_some(),
        Some("DoesNotExist") => label.is_none(),
        Some("Gt") => compared(|left, right| left > right),
        Some("Lt") => compared(|left, right| left < right),
        _ => false,
    }
}

/// The zones that every given list allows, sorted; a missing list allows all. `None` where no list is given.
pub(crate) fn common(lists: &[Option<&[String]>]) -> Option<Vec<String>> {
    let mut lists = lists.iter().flatten();
    let first: BTreeSet<&String> = lists.next()?.iter().collect();
    let zones = lists.fold(first, |zones, list| {
        zones.into_iter().filter(|zone| list.contains(zone)).collect()
    });
    Some(zones.into_iter().cloned().collect())
}

/// The zone of an ordinal: neighbours go to different zones, and sets begin at different ones so that many sets of one
/// replica do not crowd the first. The same for every template of the set, because a pod needs all its volumes in one zone.
pub(crate) fn spread<'a>(zones: &'a [String], group: &str, ordinal: u32) -> Option<&'a String> {
    let count = u64::try_from(zones.len()).ok().filter(|count| *count > 0)?;
    let index = (fnv1a(group) % count + u64::from(ordinal)) % count;
    zones.get(usize::try_from(index).ok()?)
}

/// FNV-1a: the placement must be the same in every version and on every machine, which std's hasher does not promise.
pub(crate) fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nodes() -> Vec<NodeView> {
        let node = |zone: &str, disk: &str, size: &str| NodeView {
            zone: zone.to_owned(),
            labels: [("disk", disk), ("size", size)]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
        };
        vec![
            node("c", "ssd", "9"),
            node("a", "ssd", "10"),
            node("b", "hdd", "3"),
            node("a", "hdd", "1"),
        ]
    }

    #[test]
    fn pods_without_constraints_may_go_to_every_zone_that_has_nodes() {
        assert_eq!(zones_for_pod(&nodes(), None, None).unwrap(), ["a", "b", "c"]);
        assert_eq!(zones_for_pod(&[], None, None), None);
    }

    #[test]
    fn node_selector_and_affinity_narrow_the_zones() {
        assert_eq!(
            zones_for_pod(&nodes(), Some(&json!({"disk": "ssd"})), None).unwrap(),
            ["a", "c"]
        );
        let affinity = |expression: Value| json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}});
        for (expression, expected) in [
            (
                json!({"key": "disk", "operator": "In", "values": ["hdd"]}),
                vec!["a", "b"],
            ),
            (
                json!({"key": "disk", "operator": "NotIn", "values": ["hdd"]}),
                vec!["a", "c"],
            ),
            (json!({"key": "gpu", "operator": "Exists"}), vec![]),
            (json!({"key": "gpu", "operator": "DoesNotExist"}), vec!["a", "b", "c"]),
            (
                json!({"key": "size", "operator": "Gt", "values": ["8"]}),
                vec!["a", "c"],
            ),
            (json!({"key": "size", "operator": "Lt", "values": ["3"]}), vec!["a"]),
        ] {
            assert_eq!(
                zones_for_pod(&nodes(), None, Some(&affinity(expression.clone()))).unwrap(),
                expected,
                "{expression}"
            );
        }
    }

    #[test]
    fn ordinals_spread_evenly() {
        let zones = ["a", "b", "c"].map(str::to_owned);
        let first: Vec<_> = (0..3)
            .map(|ordinal| spread(&zones, "ns/set", ordinal).unwrap())
            .collect();
        let distinct: BTreeSet<_> = first.iter().collect();
        assert_eq!(distinct.len(), 3);
        assert_eq!(spread(&zones, "ns/set", 3), Some(first[0]));
        assert_eq!(spread(&[], "ns/set", 0), None);
    }

    #[test]
    fn common_zones_are_in_every_list() {
        let (a, b) = (["x", "y"].map(str::to_owned), ["y", "z"].map(str::to_owned));
        assert_eq!(common(&[Some(&a), None, Some(&b)]).unwrap(), ["y"]);
        assert_eq!(common(&[None]), None);
    }
}
