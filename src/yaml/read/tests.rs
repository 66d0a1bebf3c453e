//! Reading alone: values, places, and what is wrong.

use serde_json::json;

use super::*;
use crate::diagnostic::Diagnostics;

fn parse(text: &str) -> (Vec<Node>, Diagnostics) {
    let source = Source::new("f.yaml".into(), text.to_owned());
    let mut findings = Findings::default();
    let documents = read(&source, &mut findings);
    (documents, findings.finish())
}

fn briefs(text: &str) -> Vec<String> {
    let (_, diagnostics) = parse(text);
    diagnostics
        .iter()
        .map(|one| format!("{}:{} {}", one.location.line, one.location.column, one.cause))
        .collect()
}

#[test]
fn values_know_their_places() {
    let text = "a:\n  b: [x, {c: \"d\"}]\nlong: |\n  t\n";
    let (documents, wrong) = parse(text);
    assert!(wrong.is_empty(), "{wrong}");
    let document = &documents[0];
    assert_eq!(
        document.to_json(),
        json!({"a": {"b": ["x", {"c": "d"}]}, "long": "t\n"})
    );
    let source = Source::new("f.yaml".into(), text.to_owned());
    let at = |path: &[&str]| {
        let place = source.locate(document.place(path));
        (place.line, place.column)
    };
    assert_eq!(at(&["a", "b", "1", "c"]), (2, 14));
    assert_eq!(at(&["a", "b", "0"]), (2, 7));
    assert_eq!(at(&["a", "b"]), (2, 3), "a collection is shown at its key");
    assert_eq!(
        at(&["a", "missing", "deeper"]),
        (1, 1),
        "what is missing, at the last key that there is"
    );
    assert_eq!(at(&[]), (1, 1));
}

#[test]
fn documents_behind_a_broken_one_are_read() {
    let (documents, wrong) = parse("a: [\n---\nb: 1\n---\nc: d: e\n---\nf: 2\n");
    let read: Vec<_> = documents.iter().map(Node::to_json).collect();
    assert_eq!(read, [json!({"b": 1}), json!({"f": 2})]);
    assert_eq!(wrong.len(), 2, "{wrong}");
}

#[test]
fn anchors_end_with_their_document() {
    assert_eq!(
        briefs("a: &x 1\n---\nb: *x\n"),
        ["3:4 an alias of an anchor that does not exist"]
    );
}

#[test]
fn merged_keys_yield_to_own_ones_and_must_be_mappings() {
    let (documents, _) = parse("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 0}\n");
    assert_eq!(
        documents[0].get("c").map(Node::to_json),
        Some(json!({"x": 0, "y": 2, "z": 4}))
    );
    assert_eq!(briefs("a: {<<: text}\n"), ["1:9 << merges mappings only"]);
}

#[test]
fn tags_of_the_core_schema_are_taken() {
    let (documents, wrong) = parse("a: !!str 1\nb: !!int 7\nc: ! true\nd: !!map {}\n");
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(documents[0].to_json(), json!({"a": "1", "b": 7, "c": "true", "d": {}}));
}

#[test]
fn tabs_are_found_wherever_they_indent() {
    for (text, place) in [
        ("a:\n\tb: 1\n", "2:1"),
        ("\ta: 1\n", "1:1"),
        ("a:\n  b: 1\n\tc: 2\n", "3:1"),
        ("a:\n  - b\n \t- c\n", "3:2"),
    ] {
        assert_eq!(briefs(text), [format!("{place} a tab in the indentation")], "{text:?}");
    }
    let none: [&str; 0] = [];
    assert_eq!(
        briefs("{\n\t\"a\": [\n\t\t1\n\t]\n}\n"),
        none,
        "in JSON they are white space"
    );
    assert_eq!(briefs("a:\tb\ne: \"\tf\"\n# \tg\n"), none, "and between words");
}

#[test]
fn a_key_given_three_times_is_reported_twice() {
    assert_eq!(
        briefs("a: 1\na: 2\nb: 0\na: 3\n"),
        ["2:1 key \"a\" is given twice", "4:1 key \"a\" is given twice"]
    );
}
