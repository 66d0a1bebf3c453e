//! Takes out of answers what no two servers have in common, and nothing else. Each rule is a function with its reason.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use crate::kinds;
use crate::run::Outcome;
use crate::sequence::Answer;
use crate::server::{Event, Raw};

/// The answers of one run, free of what no other run would have in common with it.
pub(crate) fn normalise(outcomes: Vec<Outcome>, token: &str) -> Vec<Answer> {
    let mut names = Names {
        token: token.to_owned(),
        ..Names::default()
    };
    outcomes.into_iter().map(|outcome| names.answer(outcome)).collect()
}

/// Names that stand for what a server chose itself. The same thing always has the same name, so that what is equal, repeated
/// or unchanged stays so.
#[derive(Default)]
struct Names {
    token: String,
    /// Texts that are replaced wherever they occur, longest first.
    texts: Vec<(String, String)>,
    versions: HashMap<String, usize>,
    counts: HashMap<String, usize>,
}

impl Names {
    fn answer(&mut self, outcome: Outcome) -> Answer {
        match outcome {
            Outcome::Call(Raw { status, warnings, body }) => {
                self.learn(&body);
                let warnings = warnings.iter().map(|warning| self.text(warning)).collect();
                Answer::Call {
                    status,
                    warnings,
                    body: self.value(&body),
                }
            }
            Outcome::Settle { objects, events } => {
                self.learn_in_order_of_creation(&events);
                for (_, object) in &objects {
                    self.learn(object);
                }
                let objects = self.objects(objects);
                Answer::Settle {
                    objects,
                    events: self.events(&events),
                }
            }
        }
    }

    fn objects(&mut self, objects: Vec<(&'static str, Value)>) -> Value {
        let mut keyed: Vec<(String, Value)> = objects
            .into_iter()
            .map(|(plural, object)| {
                (
                    format!("{plural}/{}", self.text(object["metadata"]["name"].as_str().unwrap())),
                    object,
                )
            })
            .collect();
        // Generated names sort differently from the names that stand for them.
        keyed.sort_by(|a, b| a.0.cmp(&b.0));
        let objects = keyed.into_iter().map(|(key, mut object)| {
            // Items of lists do not say what they are.
            let kind = kinds::by_plural(key.split('/').next().unwrap());
            object["kind"] = json!(kind.kind);
            (key, self.value(&object))
        });
        Value::Object(objects.collect())
    }

    /// What the watches said, by object. How many steps controllers take to get somewhere is a matter of time: of the objects
    /// that they change, a row of changes counts as one.
    fn events(&mut self, events: &[Event]) -> Value {
        let mut by_object: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
        for event in events {
            let name = self.text(event.object["metadata"]["name"].as_str().unwrap());
            let namespace = self.text(event.object["metadata"]["namespace"].as_str().unwrap_or_default());
            let key = match namespace.as_str() {
                "" | "d-${u}" => format!("{}/{name}", event.plural),
                other => format!("{}/{other}/{name}", event.plural),
            };
            by_object.entry(key).or_default().push(event);
        }
        let shown = by_object.into_iter().map(|(key, events)| {
            let mut shown = Vec::new();
            for event in events {
                if !kinds::by_plural(event.plural).live {
                    shown.push(json!({"type": event.kind, "object": self.value(&event.object)}));
                } else if event.kind != "MODIFIED" || shown.last() != Some(&json!(event.kind)) {
                    shown.push(json!(event.kind));
                }
            }
            (key, Value::from(shown))
        });
        Value::Object(shown.collect())
    }

    /// Objects made by controllers get their names here in the order in which they were made, kind by kind: between kinds the
    /// order is a matter of time.
    fn learn_in_order_of_creation(&mut self, events: &[Event]) {
        for kind in kinds::all() {
            for event in events
                .iter()
                .filter(|event| event.plural == kind.plural && event.kind == "ADDED")
            {
                self.learn(&event.object);
            }
        }
    }

    fn learn(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(map) => {
                if let Some(metadata) = map.get("metadata") {
                    self.learn_hashes(map);
                    self.learn_generated_name(metadata);
                    self.learn_uid(metadata);
                }
                self.learn_refused_name(map);
                self.learn_addresses(map);
                map.values().for_each(|item| self.learn(item));
            }
            _ => {}
        }
    }

    /// UIDs are random.
    fn learn_uid(&mut self, metadata: &Value) {
        if let (Some(uid), Some(name)) = (metadata["uid"].as_str(), metadata["name"].as_str()) {
            let name = self.text(name);
            self.call_it(uid, &format!("uid of {name}"));
        }
    }

    /// What follows `generateName` is random.
    fn learn_generated_name(&mut self, metadata: &Value) {
        let (Some(prefix), Some(name)) = (metadata["generateName"].as_str(), metadata["name"].as_str()) else {
            return;
        };
        if let Some(suffix) = name.strip_prefix(prefix)
            && suffix.len() == 5
            && !self.knows(name)
        {
            let prefix = self.text(prefix);
            *self.counts.entry(prefix.clone()).or_default() += 1;
            let count = self.counts[&prefix];
            self.replace(name, format!("{prefix}<{count}>"));
        }
    }

    /// An answer that refuses an object with a generated name shows the name in its details; sequences generate from `some-`.
    fn learn_refused_name(&mut self, map: &Map<String, Value>) {
        if let Some(name) = map.get("name").and_then(Value::as_str)
            && map.contains_key("causes")
            && name.strip_prefix("some-").is_some_and(|suffix| suffix.len() == 5)
            && !self.knows(name)
        {
            self.replace(name, "some-<refused>".to_owned());
        }
    }

    /// Hashes of templates are of the server's own making; that equal templates have equal hashes is kept.
    fn learn_hashes(&mut self, object: &Map<String, Value>) {
        let labels = &object["metadata"]["labels"];
        let status = object.get("status").unwrap_or(&Value::Null);
        let revisions = ["currentRevision", "updateRevision"].map(|key| &status[key]);
        let hashes = [
            &labels["pod-template-hash"],
            &labels["controller-revision-hash"],
            &labels["controller.kubernetes.io/hash"],
        ];
        for hash in hashes.into_iter().chain(revisions).filter_map(Value::as_str) {
            let hash = hash.rsplit('-').next().unwrap_or(hash);
            self.call_it(hash, "hash");
        }
    }

    /// Addresses are given out in no order that means anything.
    fn learn_addresses(&mut self, map: &Map<String, Value>) {
        for key in ["clusterIP", "podIP", "hostIP"] {
            if let Some(address) = map.get(key).and_then(Value::as_str)
                && address.parse::<std::net::IpAddr>().is_ok()
            {
                self.call_it(address, key);
            }
        }
    }

    fn call_it(&mut self, text: &str, what: &str) {
        if !text.is_empty() && !self.knows(text) {
            let count = self.counts.entry(what.to_owned()).or_default();
            *count += 1;
            let name = format!("<{what} {count}>");
            self.replace(text, name);
        }
    }

    fn knows(&self, text: &str) -> bool {
        self.texts.iter().any(|(known, _)| known == text)
    }

    fn replace(&mut self, text: &str, name: String) {
        self.texts.push((text.to_owned(), name));
        self.texts.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.texts {
            if text.contains(from.as_str()) {
                text = text.replace(from.as_str(), to);
            }
        }
        text.replace(&self.token, "${u}")
    }

    /// A resourceVersion counts the changes of all objects; which of them are equal is kept.
    fn version(&mut self, version: &str) -> String {
        let next = self.versions.len() + 1;
        format!("<version {}>", self.versions.entry(version.to_owned()).or_insert(next))
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => self.object(map),
            other => other.clone(),
        }
    }

    fn object(&mut self, map: &Map<String, Value>) -> Value {
        let mut map = map.clone();
        let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if kind == "Pod" {
            pod(&mut map);
        }
        if map.contains_key("items") && map.contains_key("metadata") {
            list(&mut map);
        }
        if kind == "PodList" {
            let items = map.get_mut("items").and_then(Value::as_array_mut);
            items
                .into_iter()
                .flatten()
                .filter_map(Value::as_object_mut)
                .for_each(pod);
        }
        refused_custom_resource(&mut map);
        let mut shown = Map::new();
        for (key, item) in &map {
            let new = match (key.as_str(), item) {
                ("resourceVersion", Value::String(version)) if !version.is_empty() && !version.starts_with('<') => {
                    Value::from(self.version(version))
                }
                ("managedFields", Value::Array(entries)) => self.managed_fields(entries),
                ("causes", Value::Array(causes)) => self.causes(causes),
                ("message", Value::String(text)) => Value::from(claimed(&self.text(text))),
                (key, Value::String(_)) if is_time(key) => json!("<time>"),
                // The certificate of the cluster's own authority, in `kube-root-ca.crt`; the sandbox has none.
                ("ca.crt", Value::String(_)) => json!(""),
                ("nodePort" | "healthCheckNodePort", Value::Number(port)) if port.as_u64() > Some(0) => {
                    json!("<node port>")
                }
                _ => self.value(item),
            };
            shown.insert(self.text(key), new);
        }
        Value::Object(shown)
    }

    /// How often the same cause is listed says how many parts of the real server looked at the same thing.
    fn causes(&mut self, causes: &[Value]) -> Value {
        let mut shown: Vec<Value> = Vec::new();
        for cause in causes {
            let cause = self.value(cause);
            if !shown.contains(&cause) {
                shown.push(cause);
            }
        }
        Value::from(shown)
    }

    /// Entries are sorted by time first; what happens within a second is in another order than what does not. By what they
    /// are about, they are also easier to compare.
    fn managed_fields(&mut self, entries: &[Value]) -> Value {
        let entries = entries.iter().map(|entry| {
            let about = ["manager", "operation", "apiVersion", "subresource"]
                .map(|key| entry[key].as_str().unwrap_or_default());
            (about.join(" "), self.value(entry))
        });
        Value::Object(entries.collect())
    }
}

/// The part of a message that the sandbox claims.
fn claimed(message: &str) -> String {
    without_places(without_go_types(without_versions(without_difference(without_patched(
        without_scheme(message),
    )))))
}

/// Go's decoder names the types and embedded structs of its own source.
fn without_go_types(message: String) -> String {
    match message.split_once("into Go ") {
        Some((before, _)) if before.contains("json: cannot unmarshal") => format!("{before}into Go …"),
        _ => message,
    }
}

/// Server-side apply names items of lists by their keys where it can; the sandbox by their places.
fn without_places(message: String) -> String {
    if !message.starts_with("failed to create typed patch object") {
        return message;
    }
    let mut parts = message.split('[');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("[…]");
        shown.push_str(part.split_once(']').map_or("", |(_, rest)| rest));
    }
    // Several mistakes are listed in the order of a map of Go: another one each time.
    let mut lines: Vec<&str> = shown.split('\n').collect();
    if let Some((_, mistakes)) = lines.split_first_mut() {
        mistakes.sort_unstable();
    }
    lines.join("\n")
}

/// A precondition that fails is answered with two versions.
fn without_versions(message: String) -> String {
    if !message.contains("the ResourceVersion in the precondition (") {
        return message;
    }
    message
        .split('(')
        .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()))
        .collect::<Vec<_>>()
        .join("(")
}

/// To the refusal of a change of something immutable, the real server adds the difference between two structs of Go.
fn without_difference(message: String) -> String {
    let rules = ["immutable after creation", "pod updates may not change fields"];
    match message.split_once('\n') {
        Some((before, _)) if rules.iter().any(|rule| before.contains(rule)) => before.to_owned(),
        // Where it is one of several causes, the list ends there.
        None if rules.iter().any(|rule| message.contains(rule)) => message.trim_end_matches(']').to_owned(),
        _ => message,
    }
}

/// Some messages of the real server name a line of its source.
fn without_scheme(message: &str) -> String {
    match message.split_once(" in scheme \"") {
        Some((before, after)) => format!("{before}{}", after.split_once('"').map_or("", |(_, after)| after)),
        None => message.to_owned(),
    }
}

/// A refused patch is quoted with all that it would have made of the object, in the words and the order of Go's encoder.
fn without_patched(message: String) -> String {
    match message.split_once("patch: Invalid value: \"") {
        Some((before, _)) => format!("{before}patch: Invalid value: …"),
        None if message.starts_with("Invalid value: \"{\\\"") || message.starts_with("Invalid value: \"map[") => {
            "Invalid value: …".to_owned()
        }
        None => message,
    }
}

/// Times at which a server did something.
fn is_time(key: &str) -> bool {
    matches!(
        key,
        "creationTimestamp"
            | "deletionTimestamp"
            | "time"
            | "lastTransitionTime"
            | "lastUpdateTime"
            | "lastProbeTime"
            | "lastHeartbeatTime"
            | "startTime"
            | "startedAt"
            | "finishedAt"
            | "lastPhaseTransitionTime"
    )
}

/// The fields of a schema are looked at in the order of a map of Go: another one each time. The message lists the same causes.
fn refused_custom_resource(map: &mut Map<String, Value>) {
    let Some(details) = map
        .get_mut("details")
        .filter(|details| details["group"] == "differential.moorline.dev")
    else {
        return;
    };
    let Some(causes) = details.get_mut("causes").and_then(Value::as_array_mut) else {
        return;
    };
    causes.sort_by_key(Value::to_string);
    if let Some((before, _)) = map
        .get("message")
        .and_then(Value::as_str)
        .and_then(|text| text.split_once(" is invalid: "))
    {
        let message = format!("{before} is invalid: …");
        map.insert("message".to_owned(), Value::from(message));
    }
}

/// A list's own version moves with every object of the server, and what a token to continue says is the server's affair.
fn list(map: &mut Map<String, Value>) {
    let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    for key in ["resourceVersion", "continue"] {
        if metadata
            .get(key)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
        {
            metadata.insert(key.to_owned(), json!(format!("<{key}>")));
        }
    }
}

/// On the real control plane kwok plays the kubelets: what it says of containers is its own. What a cluster's users wait for
/// is kept: phase and conditions. Which of equal nodes a scheduler takes is its own affair too.
fn pod(map: &mut Map<String, Value>) {
    if let Some(spec) = map.get_mut("spec").and_then(Value::as_object_mut) {
        if spec.contains_key("nodeName") {
            spec.insert("nodeName".to_owned(), json!("<node>"));
        }
        // The real control plane of the test parts runs without the plugin that gives pods an account.
        for key in ["serviceAccount", "serviceAccountName"] {
            if spec.get(key) == Some(&json!("default")) {
                spec.remove(key);
            }
        }
    }
    let Some(status) = map.get_mut("status").and_then(Value::as_object_mut) else {
        return;
    };
    if status.contains_key("hostIP") {
        status.retain(|key, _| matches!(key.as_str(), "phase" | "conditions" | "observedGeneration" | "qosClass"));
        let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
        for condition in conditions.into_iter().flatten() {
            *condition = json!({"type": condition["type"], "status": condition["status"]});
        }
        if let Some(entries) = map
            .get_mut("metadata")
            .and_then(|m| m.get_mut("managedFields"))
            .and_then(Value::as_array_mut)
        {
            entries.retain(|entry| entry["subresource"] != "status");
        }
    }
}
