//! What every controller works with.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moorline_sandbox_aws::{AwsCloud, AwsError};
use moorline_sandbox_azure::{AzureCloud, AzureError};
use moorline_sandbox_core::Clock;
use moorline_sandbox_kubernetes::{ApiError, ApiServer, DeleteOptions};
use serde_json::Value;

use crate::ControllerSettings;
use crate::index::Index;
use crate::object::{name, namespace, uid};
use crate::queue::{Item, Key, Place, Queue, Work};
use crate::storage::provisioner::provision::UnderWay;
use crate::usage::Usage;
use crate::waits::Waits;

/// Why an object could not be brought to where it should be; it is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    #[error("the API server refused")]
    Api(#[from] ApiError),
    #[error("AWS refused")]
    Aws(#[from] AwsError),
    #[error("Azure refused")]
    Azure(#[from] AzureError),
}

pub(crate) type Outcome = Result<(), ControlError>;

/// The cluster as the controllers see and change it.
pub(crate) struct Cluster {
    pub(crate) api: ApiServer,
    pub(crate) aws: AwsCloud,
    pub(crate) azure: AzureCloud,
    pub(crate) clock: Clock,
    pub(crate) settings: ControllerSettings,
    pub(crate) index: Index,
    pub(crate) queue: Queue,
    pub(crate) waits: Waits,
    pub(crate) usage: Arc<Usage>,
    pub(crate) under_way: UnderWay,
    /// When the binder's next resync is due.
    pub(crate) resync_due: Option<Timestamp>,
}

impl Cluster {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// One object; cluster-scoped kinds have an empty namespace.
    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.api.get(resource, scope(namespace), name)
    }

    pub(crate) fn at(&self, place: &Place) -> Option<Arc<Value>> {
        self.api.get(&place.resource, place.scope(), &place.name)
    }

    /// Changes an object's main part where it still exists.
    pub(crate) fn change(
        &self,
        resource: &str,
        object: &Value,
        manager: &str,
        change: impl FnOnce(&mut Value),
    ) -> Outcome {
        self.write(resource, object, None, manager, change)
    }

    /// Changes an object's status where it still exists.
    pub(crate) fn change_status(
        &self,
        resource: &str,
        object: &Value,
        manager: &str,
        change: impl FnOnce(&mut Value),
    ) -> Outcome {
        self.write(resource, object, Some("status"), manager, change)
    }

    fn write(
        &self,
        resource: &str,
        object: &Value,
        part: Option<&str>,
        manager: &str,
        change: impl FnOnce(&mut Value),
    ) -> Outcome {
        let wanted = uid(object);
        self.api.modify(
            resource,
            scope(namespace(object)),
            name(object),
            part,
            manager,
            |live| {
                // One of the same name that came since is somebody else's.
                if uid(live) == wanted {
                    change(live);
                }
            },
        )?;
        Ok(())
    }

    /// Deletes this very object; one that is gone already is as good.
    pub(crate) fn delete(&self, resource: &str, object: &Value) -> Outcome {
        self.delete_with(resource, object, DeleteOptions::default())
    }

    /// The same, with grace and propagation of one's own.
    pub(crate) fn delete_with(&self, resource: &str, object: &Value, mut options: DeleteOptions) -> Outcome {
        options.uid = Some(uid(object).to_owned());
        match self
            .api
            .delete(resource, scope(namespace(object)), name(object), options)
        {
            Err(error) if error.status != 404 && error.status != 409 => Err(error.into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn event(&self, involved: &Value, reason: &str, message: &str, component: &str) {
        self.api.record_event(involved, "Normal", reason, message, component);
    }

    pub(crate) fn warn(&self, involved: &Value, reason: &str, message: &str, component: &str) {
        self.api.record_event(involved, "Warning", reason, message, component);
    }

    pub(crate) fn wake(&mut self, work: Work, namespace: &str, name: &str) {
        self.queue.push(Item::Key(Key::new(work, namespace, name)));
    }

    pub(crate) fn wake_at(&mut self, key: &Key, moment: Timestamp) {
        self.queue.push_at(Item::Key(key.clone()), moment);
    }

    /// Whether `millis` have passed since this was first asked about `what` of the object with this UID; until then
    /// `key` is woken when they have.
    pub(crate) fn passed(&mut self, key: &Key, uid: &str, what: &str, millis: u64) -> bool {
        let now = self.now();
        match self.waits.until(uid, what, Duration::from_millis(millis), now) {
            Some(moment) => {
                self.wake_at(key, moment);
                false
            }
            None => true,
        }
    }
}

pub(crate) fn scope(namespace: &str) -> Option<&str> {
    (!namespace.is_empty()).then_some(namespace)
}
