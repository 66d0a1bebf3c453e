//! `metadata.managedFields`: who owns which fields of an object.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::compare::Changes;
use crate::fields::{FieldSet, Node, field_step};

/// At most so many managers with operation `Update` are kept apart.
const MOST_UPDATERS: usize = 10;
/// The manager that the oldest are folded into.
const ANCIENT: &str = "ancient-changes";

/// How a manager came to own its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// One manager's entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) manager: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    pub(crate) subresource: Option<String>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) fields: FieldSet,
}

impl Entry {
    /// Whether two entries are of one manager: who updates in two versions is two, who applies is one.
    fn is_of(&self, other: &Entry) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    fn seconds(&self) -> i64 {
        self.time.map_or(0, Timestamp::as_second)
    }
}

/// All entries of an object. No two are of one manager.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Managers {
    entries: Vec<Entry>,
}

impl Managers {
    /// Reads what an object carries, if it is well-formed.
    pub(crate) fn of(object: &Value) -> Result<Managers, String> {
        let mut managers = Managers::default();
        let Some(entries) = object["metadata"]["managedFields"].as_array() else {
            return Ok(managers);
        };
        for (index, entry) in entries.iter().enumerate() {
            let entry = decode(entry, index)?;
            managers.entries.retain(|other| !other.is_of(&entry));
            managers.entries.push(entry);
        }
        Ok(managers)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Takes out the entry of the manager that `like` names.
    pub(crate) fn take(&mut self, like: &Entry) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.is_of(like))?;
        Some(self.entries.remove(at))
    }

    /// Adds an entry, unless it owns nothing. Its manager must have none.
    pub(crate) fn put(&mut self, entry: Entry) {
        if !entry.fields.is_empty() {
            self.entries.push(entry);
        }
    }

    /// What changed is no longer anybody's. Entries that own nothing any more are gone.
    pub(crate) fn lose(&mut self, changes: &Changes) {
        for entry in &mut self.entries {
            for lost in [&changes.modified, &changes.added, &changes.removed] {
                entry.fields.subtract(lost);
            }
        }
        self.entries.retain(|entry| !entry.fields.is_empty());
    }

    /// Folds the oldest updaters into one for each version, until few enough are left.
    pub(crate) fn cap_updaters(&mut self) {
        let mut updaters: Vec<Entry> = self
            .entries
            .extract_if(.., |entry| entry.operation == Operation::Update)
            .collect();
        // What was folded before stays the oldest.
        updaters.sort_by(|left, right| {
            let key = |entry: &Entry| (entry.manager != ANCIENT, entry.seconds());
            key(left)
                .cmp(&key(right))
                .then_with(|| left.manager.cmp(&right.manager))
        });
        let mut left = updaters.len();
        let mut kept: Vec<Entry> = Vec::with_capacity(left);
        for entry in updaters {
            let bucket = if left > MOST_UPDATERS {
                kept.iter_mut().find(|older| older.api_version == entry.api_version)
            } else {
                None
            };
            match bucket {
                None => kept.push(entry),
                Some(bucket) => {
                    ANCIENT.clone_into(&mut bucket.manager);
                    bucket.subresource = None;
                    bucket.time = entry.time;
                    bucket.fields.add(&entry.fields);
                    left -= 1;
                }
            }
        }
        self.entries.append(&mut kept);
    }

    /// Writes the entries into an object, in the API server's order; without any, there is no such field.
    pub(crate) fn store(mut self, object: &mut Value) {
        self.entries.sort_by(|left, right| {
            let key = |entry: &Entry| (entry.operation, entry.seconds());
            key(left).cmp(&key(right)).then_with(|| {
                (&left.manager, &left.api_version, &left.subresource).cmp(&(
                    &right.manager,
                    &right.api_version,
                    &right.subresource,
                ))
            })
        });
        let entries: Vec<Value> = self.entries.iter().map(encode).collect();
        let Some(object) = object.as_object_mut() else {
            return;
        };
        let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        let Some(metadata) = metadata.as_object_mut() else {
            return;
        };
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".to_owned(), Value::Array(entries));
        }
    }
}

fn decode(entry: &Value, index: usize) -> Result<Entry, String> {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let operation = match text("operation") {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return Err("operation must be `Apply` or `Update`".to_owned()),
    };
    if text("apiVersion").is_empty() {
        return Err("apiVersion must not be empty".to_owned());
    }
    match text("fieldsType") {
        "FieldsV1" => {}
        "" => {
            return Err(format!("missing fieldsType in managed fields entry {index}"));
        }
        other => {
            return Err(format!("invalid fieldsType {other:?} in managed fields entry {index}"));
        }
    }
    let time = entry["time"]
        .as_str()
        .map(str::parse::<Timestamp>)
        .transpose()
        .map_err(|error| error.to_string())?;
    let fields = match &entry["fieldsV1"] {
        Value::Null => FieldSet::default(),
        fields => FieldSet::from_json(fields).map_err(|error| format!("error decoding set: {error}"))?,
    };
    Ok(Entry {
        manager: text("manager").to_owned(),
        operation,
        api_version: text("apiVersion").to_owned(),
        subresource: entry["subresource"]
            .as_str()
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        time,
        fields,
    })
}

fn encode(entry: &Entry) -> Value {
    let mut json = json!({
        "manager": entry.manager,
        "operation": entry.operation.name(),
        "apiVersion": entry.api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields.to_json(),
    });
    if let Some(time) = entry.time {
        json["time"] = Value::from(time.to_string());
    }
    if let Some(subresource) = &entry.subresource {
        json["subresource"] = Value::from(subresource.as_str());
    }
    json
}

/// The time as entries carry it: in whole seconds.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The fields that nobody ever owns.
pub(crate) fn unowned() -> FieldSet {
    let metadata = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let mut fields = FieldSet::default();
    for name in ["apiVersion", "kind"] {
        fields.put(field_step(name), Node::leaf());
    }
    let mut node = Node::leaf();
    for name in metadata {
        node.below.put(field_step(name), Node::leaf());
    }
    fields.put(field_step("metadata"), node);
    fields
}
