//! One object on a server, and a clock that goes on by a minute with each request.

use jiff::Timestamp;
use moorline_sandbox_patch::{ApplyError, ApplyRequest, Conflict, Schema, apply, track_update};
use serde_json::{Map, Value, json};

/// An object as an API server would keep it.
pub(crate) struct World {
    pub(crate) live: Option<Value>,
    schema: &'static Schema,
    minutes: i64,
}

impl World {
    pub(crate) fn new(api_version: &str, kind: &str) -> World {
        World {
            live: None,
            schema: Schema::for_kind(api_version, kind),
            minutes: 0,
        }
    }

    /// A world of Deployments.
    pub(crate) fn deployment() -> World {
        World::new("apps/v1", "Deployment")
    }

    /// A world whose kind is a custom resource.
    pub(crate) fn with(schema: &'static Schema) -> World {
        World {
            live: None,
            schema,
            minutes: 0,
        }
    }

    pub(crate) fn try_apply(
        &mut self,
        manager: &str,
        force: bool,
        subresource: Option<&str>,
        object: &Value,
    ) -> Result<(), ApplyError> {
        let request = ApplyRequest {
            manager,
            force,
            now: self.tick(),
            subresource,
        };
        self.live = Some(apply(self.schema, self.live.as_ref(), object, &request)?);
        Ok(())
    }

    pub(crate) fn apply(&mut self, manager: &str, object: &Value) {
        self.try_apply(manager, false, None, object).unwrap();
    }

    pub(crate) fn force(&mut self, manager: &str, object: &Value) {
        self.try_apply(manager, true, None, object).unwrap();
    }

    pub(crate) fn conflicts(&mut self, manager: &str, object: &Value) -> Vec<Conflict> {
        match self.try_apply(manager, false, None, object) {
            Err(ApplyError::Conflicts(conflicts)) => conflicts,
            other => panic!("expected conflicts, got {other:?}"),
        }
    }

    pub(crate) fn refusal(&mut self, manager: &str, object: &Value) -> String {
        self.try_apply(manager, false, None, object).unwrap_err().to_string()
    }

    pub(crate) fn update(&mut self, manager: &str, change: impl FnOnce(&mut Value)) {
        self.update_through(manager, None, change);
    }

    pub(crate) fn update_through(&mut self, manager: &str, subresource: Option<&str>, change: impl FnOnce(&mut Value)) {
        let now = self.tick();
        let mut new = self.live.clone().unwrap_or(Value::Null);
        change(&mut new);
        track_update(self.schema, self.live.as_ref(), &mut new, manager, now, subresource);
        self.live = Some(new);
    }

    /// The part of the object that a JSON pointer names; null where there is none.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.live
            .as_ref()
            .and_then(|live| live.pointer(pointer))
            .unwrap_or(&Value::Null)
    }

    /// What a manager owns, with everything that its entries say summed up by manager and operation.
    pub(crate) fn fields_of(&self, manager: &str, operation: &str) -> Value {
        self.entry(manager, operation)
            .map_or(Value::Null, |entry| entry["fieldsV1"].clone())
    }

    pub(crate) fn time_of(&self, manager: &str, operation: &str) -> String {
        self.entry(manager, operation).unwrap()["time"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn entry(&self, manager: &str, operation: &str) -> Option<&Value> {
        let entries = self.at("/metadata/managedFields").as_array()?;
        entries
            .iter()
            .find(|entry| entry["manager"] == manager && entry["operation"] == operation)
    }

    fn tick(&mut self) -> Timestamp {
        self.minutes += 1;
        Timestamp::from_second(1_795_255_200 + self.minutes * 60).unwrap()
    }
}

/// A Deployment with nothing but its name and these parts of the spec.
pub(crate) fn deployment(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}, "spec": spec})
}

/// A Deployment with these parts of the pod's spec.
pub(crate) fn pods(spec: Value) -> Value {
    deployment(json!({"template": {"spec": spec}}))
}

/// The same object without its managed fields.
pub(crate) fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// An empty JSON object, which is what leaves are in `fieldsV1`.
pub(crate) fn leaf() -> Value {
    Value::Object(Map::new())
}
