//! Containers that run in name only: what becomes of them follows from how they are written.

use serde_json::{Value, json};

use crate::object::{annotation, list, name, namespace, sha256_hex, text, uid};
use crate::workload::containers;

/// On a pod: its containers end with an error as soon as they start.
const CRASH: &str = "sandbox.moorline.dev/crash";

/// Whether an image can be had: not one whose name holds `does-not-exist`, nor one with the tag `missing`.
pub(super) fn has_image(container: &Value) -> bool {
    let image = text(container, "/image");
    !image.contains("does-not-exist") && !image.ends_with(":missing")
}

/// Whether a container ends with an error as soon as it starts: its pod says so, or its command is `false` or exits
/// with 1.
pub(super) fn crashes(pod: &Value, container: &Value) -> bool {
    let words = || {
        list(container, "/command")
            .iter()
            .chain(list(container, "/args"))
            .filter_map(Value::as_str)
    };
    annotation(pod, CRASH) == Some("true")
        || words().next() == Some("false")
        || words().any(|word| word.contains("exit 1"))
}

/// The statuses of the pod's containers, each in the state that `state` gives it.
pub(super) fn statuses(pod: &Value, state: impl Fn(&Value) -> Value) -> Vec<Value> {
    let shown = |container: &Value| {
        let state = state(container);
        let running = state["running"].is_object();
        let present = list(pod, "/status/containerStatuses")
            .iter()
            .find(|status| status["name"] == container["name"]);
        let mut status = json!({
            "name": container["name"], "image": container["image"], "imageID": "", "lastState": {}, "ready": running,
            "started": running, "restartCount": present.map_or(0, |status| status["restartCount"].as_i64().unwrap_or(0)),
            "state": state,
        });
        if running {
            let id = sha256_hex(&format!(
                "{} {} {}",
                uid(pod),
                text(container, "/name"),
                status["restartCount"]
            ));
            status["containerID"] = format!("sandbox://{id}").into();
            status["imageID"] = format!("sandbox://sha256:{}", sha256_hex(text(container, "/image"))).into();
        }
        status
    };
    containers(&pod["spec"]).iter().map(shown).collect()
}

pub(super) fn waiting(reason: &str, message: &str) -> Value {
    if message.is_empty() {
        json!({"waiting": {"reason": reason}})
    } else {
        json!({"waiting": {"reason": reason, "message": message}})
    }
}

pub(super) fn running(since: &Value) -> Value {
    json!({"running": {"startedAt": since}})
}

/// How the kubelet names a container of a pod in its messages.
pub(super) fn full_name(pod: &Value, container: &Value) -> String {
    format!(
        "{} in pod {}_{}({})",
        text(container, "/name"),
        name(pod),
        namespace(pod),
        uid(pod)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_a_container_follows_from_how_it_is_written() {
        for (image, expected) in [
            ("nginx:1.27", true),
            ("does-not-exist/app", false),
            ("nginx:missing", false),
        ] {
            assert_eq!(has_image(&json!({"image": image})), expected, "{image}");
        }
        let pod = json!({});
        assert!(crashes(&pod, &json!({"command": ["false"]})));
        assert!(crashes(
            &pod,
            &json!({"command": ["sh", "-c"], "args": ["echo no; exit 1"]})
        ));
        assert!(!crashes(&pod, &json!({"command": ["sleep", "infinity"]})));
        assert!(crashes(
            &json!({"metadata": {"annotations": {CRASH: "true"}}}),
            &json!({})
        ));
    }
}
