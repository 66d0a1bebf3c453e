//! Runs a sequence against one server.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::kinds;
use crate::sequence::{Call, Sequence, Step};
use crate::server::{Event, Raw, Server};

/// What a step came to, as it came.
pub(crate) enum Outcome {
    Call(Raw),
    Settle {
        objects: Vec<(&'static str, Value)>,
        events: Vec<Event>,
    },
}

/// Runs `sequence` in a new namespace `d-TOKEN`; what it made is deleted afterwards. `quiet` is how long nothing may happen
/// before the controllers count as done.
pub(crate) async fn run(server: &Server, sequence: &Sequence, token: &str, quiet: Duration) -> Vec<Outcome> {
    let mut known = Known::new(token);
    let namespace = json!({"metadata": {"name": format!("d-{token}")}});
    let made = server
        .call("POST", "/api/v1/namespaces", "json", Some(&namespace))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    // Each namespace gets an account and a map of certificates.
    for path in ["serviceaccounts/default", "configmaps/kube-root-ca.crt"] {
        wait_for(server, &format!("/api/v1/namespaces/d-{token}/{path}")).await;
    }
    let mut outcomes = Vec::new();
    for step in &sequence.steps {
        outcomes.push(match step {
            Step::Call(call) => {
                let raw = known.call(server, call).await;
                known.learn(&raw.body);
                Outcome::Call(raw)
            }
            Step::Settle => {
                let (objects, events) = settle(server, token, quiet).await;
                Outcome::Settle { objects, events }
            }
        });
    }
    clean(server, token).await;
    outcomes
}

async fn wait_for(server: &Server, path: &str) {
    for _ in 0..1000 {
        if server.call("GET", path, "", None).await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{path} never appeared");
}

/// What there is when the controllers have nothing more to do: nothing happens for as long as `quiet`, and nothing is being
/// deleted that nobody holds. Only what is held for other reasons ends the wait by its length.
async fn settle(server: &Server, token: &str, quiet: Duration) -> (Vec<(&'static str, Value)>, Vec<Event>) {
    // The real controllers look again at a namespace only after 8 to 16 s, where something had come into it meanwhile.
    const LONGEST: Duration = Duration::from_mins(1);
    let begun = Instant::now();
    while begun.elapsed() < LONGEST {
        let events = server.settled(token, quiet).await;
        let objects = objects(server, token).await;
        let going = |object: &Value| {
            let metadata = &object["metadata"];
            let held = metadata["finalizers"].to_string().contains("example.com/hold");
            // A namespace that is held is emptied all the same.
            let emptying = object["spec"]["finalizers"].to_string().contains("kubernetes");
            metadata.get("deletionTimestamp").is_some() && (!held || emptying)
        };
        if !objects.iter().any(|(_, object)| going(object)) {
            return (objects, events);
        }
    }
    (
        objects(server, token).await,
        server.settled(token, Duration::ZERO).await,
    )
}

/// Everything that belongs to a sequence, by kind and name.
async fn objects(server: &Server, token: &str) -> Vec<(&'static str, Value)> {
    let mut found = Vec::new();
    for kind in kinds::all() {
        let list = server
            .call("GET", &kind.collection(&format!("d-{token}")), "", None)
            .await;
        let items = list.body["items"].as_array().cloned().unwrap_or_default();
        let ours =
            |item: &Value| kind.namespaced || item["metadata"]["name"].as_str().unwrap_or_default().ends_with(token);
        found.extend(items.into_iter().filter(ours).map(|item| (kind.plural, item)));
    }
    found
}

/// Deletes what a sequence made, finalizers or not; nobody waits for it.
async fn clean(server: &Server, token: &str) {
    for (plural, object) in objects(server, token).await {
        let kind = kinds::by_plural(plural);
        let metadata = &object["metadata"];
        let path = format!(
            "{}/{}",
            kind.collection(&format!("d-{token}")),
            metadata["name"].as_str().unwrap()
        );
        if metadata.get("finalizers").is_some() {
            server
                .call(
                    "PATCH",
                    &path,
                    "merge-patch+json",
                    Some(&json!({"metadata": {"finalizers": null}})),
                )
                .await;
        }
        if !kind.namespaced {
            server.call("DELETE", &path, "json", Some(&json!({}))).await;
        }
    }
}

/// What earlier answers of a sequence said.
struct Known {
    texts: HashMap<String, String>,
    objects: HashMap<String, Value>,
}

impl Known {
    fn new(token: &str) -> Self {
        let texts = [("ns", format!("d-{token}")), ("u", token.to_owned())];
        Self {
            texts: texts.into_iter().map(|(key, text)| (key.to_owned(), text)).collect(),
            objects: HashMap::new(),
        }
    }

    async fn call(&self, server: &Server, call: &Call) -> Raw {
        // A watch from the version of an object that was never seen begins anywhere.
        let never = if call.line.starts_with("GET") { "0" } else { "1" };
        let line = self.text_or(&call.line, never);
        let (method, path) = line.split_once(' ').unwrap();
        let body = (!call.body.is_null()).then(|| self.value(&call.body));
        server.call(method, path, &call.content, body.as_ref()).await
    }

    fn learn(&mut self, body: &Value) {
        let metadata = &body["metadata"];
        let version = metadata["resourceVersion"].as_str().unwrap_or_default().to_owned();
        if body.get("items").is_some() {
            let token = metadata["continue"].as_str().unwrap_or_default().to_owned();
            self.texts.insert("continue".to_owned(), token);
            self.texts.insert("list-rv".to_owned(), version);
            return;
        }
        let (Some(kind), Some(name)) = (
            body["kind"].as_str().and_then(kinds::by_kind),
            metadata["name"].as_str(),
        ) else {
            return;
        };
        let base = name.strip_suffix(&format!("-{}", self.texts["u"])).unwrap_or(name);
        let key = format!("{}/{base}", kind.plural);
        self.texts
            .entry(format!("old-rv {key}"))
            .or_insert_with(|| version.clone());
        self.texts.insert(format!("rv {key}"), version);
        self.texts.insert(
            format!("uid {key}"),
            metadata["uid"].as_str().unwrap_or_default().to_owned(),
        );
        self.objects.insert(key, body.clone());
    }

    fn text(&self, text: &str) -> String {
        self.text_or(text, "1")
    }

    /// `text` with what is known put in; `never` stands for the version or UID of what no answer showed.
    fn text_or(&self, text: &str, never: &str) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (key, after) = after.split_once('}').unwrap();
            result.push_str(before);
            result.push_str(self.texts.get(key).map_or(never, String::as_str));
            rest = after;
        }
        result + rest
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(map) if map.contains_key("$edit") => {
                let seen = map["$edit"].as_str().and_then(|key| self.objects.get(key));
                let mut object = seen.cloned().unwrap_or_else(|| json!({}));
                merge(&mut object, &self.value(&map["with"]));
                object
            }
            Value::Object(map) => {
                let entries = map.iter().map(|(key, item)| (self.text(key), self.value(item)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }
}

/// A JSON merge patch.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}
