//! The objects, their versions, and the recent changes from which watches and consistent lists are answered.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moorline_sandbox_core::{Journal, JournalError};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::sync::{broadcast, watch};

use crate::object;
use crate::{Change, ChangeKind, OpenError};

const TABLE: &str = "objects";
/// Where the objects of [`SECRETS`] are, whom the files of the state do not show.
const SEALED: &str = "sealed-objects";
const SECRETS: &str = "secrets";

/// A stored object: its JSON, made once for all readers, and its value.
///
/// An object read back from the journal is kept as JSON and parsed when somebody looks at it: a thousand of them are
/// a few megabytes that way, and tens of megabytes as values.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) namespace: String,
    pub(crate) name: String,
    json: OnceLock<Bytes>,
    /// Held for objects that this process wrote.
    written: Option<Arc<Value>>,
    /// What readers hold at the moment of one that was read back.
    parsed: Mutex<Weak<Value>>,
}

impl Entry {
    fn written(value: Arc<Value>) -> Arc<Self> {
        Arc::new(Self {
            namespace: object::namespace(&value).to_owned(),
            name: object::name(&value).to_owned(),
            json: OnceLock::new(),
            written: Some(value),
            parsed: Mutex::default(),
        })
    }

    fn read_back(namespace: &str, name: &str, json: Bytes) -> Arc<Self> {
        Arc::new(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            json: json.into(),
            written: None,
            parsed: Mutex::default(),
        })
    }

    /// The object as JSON.
    pub(crate) fn json(&self) -> Bytes {
        self.json.get_or_init(|| object::json(&self.value()).into()).clone()
    }

    /// The object.
    pub(crate) fn value(&self) -> Arc<Value> {
        if let Some(value) = &self.written {
            return value.clone();
        }
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = parsed.upgrade() {
            return value;
        }
        let json = self.json.get().map(Bytes::as_ref).unwrap_or_default();
        let value = Arc::new(serde_json::from_slice(json).unwrap_or_default());
        *parsed = Arc::downgrade(&value);
        value
    }
}

/// A row of the journal.
struct Row {
    json: Bytes,
    version: u64,
}

impl Row {
    /// Takes the JSON as it is where it begins as answers do, and writes it anew where an earlier version wrote it.
    fn read(json: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            metadata: Metadata<'a>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata<'a> {
            #[serde(borrow)]
            resource_version: Cow<'a, str>,
        }
        let json: Box<[u8]> = if json.starts_with(b"{\"kind\":") {
            json.into()
        } else {
            object::json(&serde_json::from_slice(json)?).into_boxed_slice()
        };
        let head: Head<'_> = serde_json::from_slice(&json)?;
        Ok(Self {
            version: head.metadata.resource_version.parse().unwrap_or(0),
            json: json.into(),
        })
    }
}

/// A row of the sealed table, which is opened to a value.
impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::read(&object::json(&value)).map_err(serde::de::Error::custom)
    }
}

/// A change in the history.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) version: u64,
    pub(crate) at: Instant,
    pub(crate) resource: Arc<str>,
    pub(crate) kind: ChangeKind,
    /// The object after the change (for deletions its last state, with the deletion's version).
    pub(crate) entry: Arc<Entry>,
    pub(crate) old: Option<Arc<Entry>>,
}

type Names = BTreeMap<String, Arc<Entry>>;
type Table = BTreeMap<String, Names>;

/// All objects by resource, namespace (`""` for cluster-scoped ones) and name.
pub(crate) struct Store {
    version: u64,
    tables: HashMap<Arc<str>, Table>,
    history: VecDeque<Arc<Recorded>>,
    /// The highest version whose change is no longer remembered.
    forgotten: u64,
    limit: usize,
    changes: broadcast::Sender<Change>,
    versions: watch::Sender<u64>,
    journal: Arc<Journal>,
}

impl Store {
    /// Reads everything back from the journal.
    pub(crate) fn open(journal: Arc<Journal>, limit: usize) -> Result<Self, OpenError> {
        let mut version = journal.get::<u64>("kubernetes", "version")?.unwrap_or(0);
        let mut tables: HashMap<Arc<str>, Table> = HashMap::new();
        let mut rows = Vec::new();
        journal.each(TABLE, |key, json| {
            let row = Row::read(json).map_err(|source| JournalError::Decode {
                table: TABLE.to_owned(),
                key: key.to_owned(),
                source,
            })?;
            rows.push((key.to_owned(), row));
            Ok(())
        })?;
        for (key, row) in rows.into_iter().chain(journal.load_sealed::<Row>(SEALED)?) {
            let mut parts = key.splitn(3, '/');
            let (Some(resource), Some(namespace), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(OpenError::Object { key });
            };
            version = version.max(row.version);
            let table = tables.entry(resource.into()).or_default();
            table
                .entry(namespace.to_owned())
                .or_default()
                .insert(name.to_owned(), Entry::read_back(namespace, name, row.json));
        }
        Ok(Self {
            version,
            tables,
            history: VecDeque::new(),
            forgotten: version,
            limit,
            changes: broadcast::Sender::new(16_384),
            versions: watch::Sender::new(version),
            journal,
        })
    }

    /// The version of the latest change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The version of the latest change that is at least `lag` ago.
    pub(crate) fn version_before(&self, lag: Duration) -> u64 {
        if lag.is_zero() {
            return self.version;
        }
        let known = self.history.iter().rev().find(|recorded| recorded.at.elapsed() >= lag);
        known.map_or(self.forgotten, |recorded| recorded.version)
    }

    pub(crate) fn set_history_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.trim();
    }

    /// Every change from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Tells when the version moves.
    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.versions.subscribe()
    }

    pub(crate) fn entry(&self, resource: &str, namespace: &str, name: &str) -> Option<&Arc<Entry>> {
        self.tables.get(resource)?.get(namespace)?.get(name)
    }

    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.entry(resource, namespace, name).map(|entry| entry.value())
    }

    pub(crate) fn contains(&self, resource: &str, namespace: &str, name: &str) -> bool {
        self.entry(resource, namespace, name).is_some()
    }

    /// The values of [`Self::list`].
    pub(crate) fn values<'a>(
        &'a self,
        resource: &str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = Arc<Value>> + use<'a> {
        self.list(resource, namespace).map(|entry| entry.value())
    }

    /// The objects of a resource in the order of namespace and name.
    pub(crate) fn list<'a>(
        &'a self,
        resource: &str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Entry>> + use<'a> {
        let table = self.tables.get(resource);
        let one = table.zip(namespace).and_then(|(table, namespace)| table.get(namespace));
        let all = if namespace.is_none() { table } else { None };
        one.into_iter()
            .chain(all.into_iter().flat_map(BTreeMap::values))
            .flat_map(BTreeMap::values)
    }

    /// How many objects of a resource there are.
    pub(crate) fn count(&self, resource: &str, namespace: Option<&str>) -> usize {
        let Some(table) = self.tables.get(resource) else {
            return 0;
        };
        match namespace {
            Some(namespace) => table.get(namespace).map_or(0, BTreeMap::len),
            None => table.values().map(BTreeMap::len).sum(),
        }
    }

    /// What [`Self::list`] gives behind the object of that namespace and name, whether it is there or not.
    pub(crate) fn list_after<'a>(
        &'a self,
        resource: &str,
        namespace: Option<&str>,
        after: (&str, &str),
    ) -> impl Iterator<Item = &'a Arc<Entry>> + use<'a> {
        let table = self.tables.get(resource);
        let first = table.filter(|_| namespace.is_none_or(|namespace| namespace == after.0));
        let rest = first.and_then(|table| {
            let behind = (Bound::Excluded(after.1), Bound::Unbounded);
            Some(table.get(after.0)?.range::<str, _>(behind).map(|(_, entry)| entry))
        });
        let others = table.filter(|_| namespace.is_none()).map(|table| {
            let behind = (Bound::Excluded(after.0), Bound::Unbounded);
            table.range::<str, _>(behind).flat_map(|(_, names)| names.values())
        });
        rest.into_iter().flatten().chain(others.into_iter().flatten())
    }

    /// Writes an object under a new version, which it gets as its resourceVersion.
    pub(crate) fn put(&mut self, resource: &Arc<str>, mut object: Value) -> Result<Arc<Value>, JournalError> {
        let version = self.version + 1;
        object["metadata"]["resourceVersion"] = Value::from(version.to_string());
        let (namespace, name) = (object::namespace(&object).to_owned(), object::name(&object).to_owned());
        let key = format!("{resource}/{namespace}/{name}");
        match &**resource {
            SECRETS => self.journal.put_sealed(SEALED, &key, &object)?,
            _ => self.journal.put_json(TABLE, &key, object::json(&object).into())?,
        }
        let value = Arc::new(object);
        let entry = Entry::written(value.clone());
        let names = self
            .tables
            .entry(resource.clone())
            .or_default()
            .entry(namespace)
            .or_default();
        let old = names.insert(name, entry.clone());
        let kind = if old.is_some() {
            ChangeKind::Modified
        } else {
            ChangeKind::Added
        };
        self.record(version, resource, kind, entry, old)?;
        Ok(value)
    }

    /// Puts objects there as if they had always been; each gets a version. Whoever watches is sent to list anew, and in-process
    /// subscribers are told nothing.
    pub(crate) fn seed(
        &mut self,
        resource: &Arc<str>,
        objects: impl IntoIterator<Item = Value>,
    ) -> Result<(), JournalError> {
        let table = self.tables.entry(resource.clone()).or_default();
        for mut object in objects {
            self.version += 1;
            object["metadata"]["resourceVersion"] = Value::from(self.version.to_string());
            let (namespace, name) = (object::namespace(&object), object::name(&object));
            let json = Bytes::from(object::json(&object).into_boxed_slice());
            self.journal
                .put_json(TABLE, &format!("{resource}/{namespace}/{name}"), json.clone())?;
            let entry = Entry::read_back(namespace, name, json);
            table
                .entry(namespace.to_owned())
                .or_default()
                .insert(name.to_owned(), entry);
        }
        self.journal.put("kubernetes", "version", &self.version)?;
        self.history.clear();
        self.forgotten = self.version;
        self.versions.send_replace(self.version);
        Ok(())
    }

    /// Removes an object; its last state gets the deletion's version.
    pub(crate) fn remove(&mut self, resource: &Arc<str>, last: &Value) -> Result<Arc<Value>, JournalError> {
        let (namespace, name) = (object::namespace(last).to_owned(), object::name(last).to_owned());
        let table = if &**resource == SECRETS { SEALED } else { TABLE };
        self.journal.delete(table, &format!("{resource}/{namespace}/{name}"))?;
        let old = self.tables.get_mut(resource).and_then(|table| {
            let names = table.get_mut(&namespace)?;
            let old = names.remove(&name);
            if names.is_empty() {
                table.remove(&namespace);
            }
            old
        });
        let version = self.version + 1;
        let mut object = last.clone();
        object["metadata"]["resourceVersion"] = Value::from(version.to_string());
        let value = Arc::new(object);
        self.record(
            version,
            resource,
            ChangeKind::Deleted,
            Entry::written(value.clone()),
            old,
        )?;
        Ok(value)
    }

    fn record(
        &mut self,
        version: u64,
        resource: &Arc<str>,
        kind: ChangeKind,
        entry: Arc<Entry>,
        old: Option<Arc<Entry>>,
    ) -> Result<(), JournalError> {
        self.version = version;
        self.journal.put("kubernetes", "version", &version)?;
        // Nobody listening is no error.
        let _ = self.changes.send(Change {
            resource: resource.clone(),
            namespace: (!entry.namespace.is_empty()).then(|| entry.namespace.clone()),
            name: entry.name.clone(),
            kind,
            object: entry.value(),
            old: old.as_ref().map(|old| old.value()),
        });
        self.history.push_back(Arc::new(Recorded {
            version,
            at: Instant::now(),
            resource: resource.clone(),
            kind,
            entry,
            old,
        }));
        self.trim();
        self.versions.send_replace(version);
        Ok(())
    }

    fn trim(&mut self) {
        while self.history.len() > self.limit {
            if let Some(dropped) = self.history.pop_front() {
                self.forgotten = dropped.version;
            }
        }
    }

    /// The changes of a resource after `version`, oldest first; `None` when some of them are no longer remembered.
    pub(crate) fn changes_since<'a>(
        &'a self,
        resource: &'a str,
        version: u64,
    ) -> Option<impl DoubleEndedIterator<Item = &'a Arc<Recorded>>> {
        if version < self.forgotten {
            return None;
        }
        let start = self.history.partition_point(|recorded| recorded.version <= version);
        Some(
            self.history
                .range(start..)
                .filter(move |recorded| &*recorded.resource == resource),
        )
    }

    /// The objects as they were at `version`; `None` when that is no longer known.
    pub(crate) fn list_at(&self, resource: &str, namespace: Option<&str>, version: u64) -> Option<Vec<Arc<Entry>>> {
        let mut changes = self.changes_since(resource, version)?.rev().peekable();
        if changes.peek().is_none() {
            return Some(self.list(resource, namespace).cloned().collect());
        }
        let key = |entry: &Entry| (entry.namespace.clone(), entry.name.clone());
        let mut objects: BTreeMap<_, _> = self
            .list(resource, namespace)
            .map(|entry| (key(entry), entry.clone()))
            .collect();
        for change in changes {
            let place = key(&change.entry);
            if namespace.is_some_and(|namespace| namespace != place.0) {
                continue;
            }
            match &change.old {
                Some(old) => objects.insert(place, old.clone()),
                None => objects.remove(&place),
            };
        }
        Some(objects.into_values().collect())
    }

    /// An object as it was at `version`; as it is where that is no longer known.
    pub(crate) fn entry_at<'a>(
        &'a self,
        resource: &'a str,
        (namespace, name): (&str, &str),
        version: u64,
    ) -> Option<&'a Arc<Entry>> {
        let mut changes = self.changes_since(resource, version).into_iter().flatten();
        match changes.find(|change| change.entry.namespace == namespace && change.entry.name == name) {
            Some(later) => later.old.as_ref(),
            None => self.entry(resource, namespace, name),
        }
    }

    /// The resources that have or had objects.
    pub(crate) fn resources(&self) -> Vec<Arc<str>> {
        self.tables.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_known_as_it_was() {
        let mut store = Store::open(Arc::new(Journal::in_memory()), 3).unwrap();
        let maps: Arc<str> = "configmaps".into();
        let map = |data: &str| json!({"metadata": {"namespace": "default", "name": "a"}, "data": data});
        for data in ["1", "2"] {
            store.put(&maps, map(data)).unwrap();
        }
        store.remove(&maps, &map("2")).unwrap();
        let data = |version| {
            let entry = store.entry_at("configmaps", ("default", "a"), version)?;
            Some(entry.value()["data"].as_str()?.to_owned())
        };
        assert_eq!([data(0), data(3)], [None, None]);
        assert_eq!([data(1).unwrap(), data(2).unwrap()], ["1", "2"]);
        assert_eq!(store.version_before(Duration::ZERO), 3);
        assert_eq!(store.version_before(Duration::from_hours(1)), 0);
    }
}
