//! Merge patch and JSON patch.

use moorline_sandbox_patch::{PatchError, json_merge, json_patch};
use serde_json::json;

#[test]
fn merge_patch_follows_the_examples_of_its_rfc() {
    let cases = [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (
            json!({"a": {"b": "c"}}),
            json!({"a": {"b": "d", "c": null}}),
            json!({"a": {"b": "d"}}),
        ),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a": "b"}), json!(["c"]), json!(["c"])),
        (json!({"a": "foo"}), json!(null), json!(null)),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ];
    for (mut live, patch, merged) in cases {
        let text = format!("{live} with {patch}");
        json_merge(&mut live, &patch);
        assert_eq!(live, merged, "{text}");
    }
}

#[test]
fn json_patch_does_all_its_operations() {
    let mut live = json!({"a": {"b": [1, 2]}, "c": 3});
    let patch = json!([
        {"op": "test", "path": "/c", "value": 3},
        {"op": "add", "path": "/a/b/-", "value": 4},
        {"op": "replace", "path": "/a/b/0", "value": 0},
        {"op": "move", "from": "/c", "path": "/a~1b"},
        {"op": "copy", "from": "/a/b", "path": "/d"},
        {"op": "remove", "path": "/a"},
    ]);
    json_patch(&mut live, &patch).unwrap();
    assert_eq!(live, json!({"a/b": 3, "d": [0, 2, 4]}));
}

#[test]
fn a_json_patch_that_fails_changes_nothing() {
    let mut live = json!({"a": 1});
    let before = live.clone();
    let patch = json!([{"op": "replace", "path": "/a", "value": 2}, {"op": "test", "path": "/a", "value": 1}]);
    assert!(matches!(
        json_patch(&mut live, &patch),
        Err(PatchError::DoesNotApply(_))
    ));
    assert_eq!(live, before);
    let gone = json!([{"op": "remove", "path": "/nothing"}]);
    assert!(matches!(json_patch(&mut live, &gone), Err(PatchError::DoesNotApply(_))));
    for malformed in [
        json!({"a": 1}),
        json!([{"op": "unknown", "path": "/a"}]),
        json!([{"path": "/a"}]),
    ] {
        assert!(
            matches!(json_patch(&mut live, &malformed), Err(PatchError::Malformed(_))),
            "{malformed}"
        );
    }
}
