//! Events: one object for every distinct thing said about an object, with a count.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::object;
use crate::store::Store;

/// Involved UID, type, reason, message, component.
type Key = (String, [String; 4]);

/// Finds the event that a repeat belongs to.
#[derive(Default)]
pub(crate) struct EventIndex {
    names: HashMap<Key, String>,
    made: u64,
}

impl EventIndex {
    /// The index of the events that are stored.
    pub(crate) fn of(store: &Store) -> Self {
        let key = |event: &Value| -> Key {
            let text = |pointer: &str| object::text(event, pointer).to_owned();
            (
                text("/involvedObject/uid"),
                [
                    text("/type"),
                    text("/reason"),
                    text("/message"),
                    text("/source/component"),
                ],
            )
        };
        let names = store
            .values("events", None)
            .map(|event| (key(&event), object::name(&event).to_owned()))
            .collect();
        Self { names, made: 0 }
    }

    /// The event that says this (`said`: type, reason, message, component) about `involved`, as its first time; its name
    /// is that of an earlier one where there was one.
    pub(crate) fn next(&mut self, involved: &Value, said: [&str; 4], now: Timestamp) -> Value {
        let [type_, reason, message, component] = said;
        self.made += 1;
        let made = self.made;
        let key = (object::uid(involved).to_owned(), said.map(str::to_owned));
        let fresh = || {
            format!(
                "{}.{:x}",
                object::name(involved),
                now.as_nanosecond() + i128::from(made)
            )
        };
        let name = self.names.entry(key).or_insert_with(fresh).clone();
        let namespace = match object::namespace(involved) {
            "" => "default",
            namespace => namespace,
        };
        let mut about = json!({
            "apiVersion": involved["apiVersion"], "kind": involved["kind"], "name": object::name(involved),
            "uid": object::uid(involved), "resourceVersion": object::text(involved, "/metadata/resourceVersion"),
        });
        if !object::namespace(involved).is_empty() {
            about["namespace"] = json!(namespace);
        }
        json!({
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": about,
            "type": type_, "reason": reason, "message": message,
            "source": {"component": component}, "reportingComponent": component, "reportingInstance": "",
            "count": 1, "firstTimestamp": object::time(now), "lastTimestamp": object::time(now),
        })
    }
}
