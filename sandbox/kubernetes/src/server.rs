//! The server's state and its in-process side, on which the sandbox's controllers work.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use moorline_sandbox_core::{JournalError, World};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::error::{ApiError, OpenError};
use crate::events::EventIndex;
use crate::object;
use crate::registry::{Kind, Registry};
use crate::store::Store;
use crate::write::{FieldValidation, Part, State, Writer};
use crate::{ApiSettings, Change, DeleteOptions, Kubelets, custom};

/// The API server. Cheap to clone; clones share one cluster.
#[derive(Clone)]
pub struct ApiServer {
    inner: Arc<Inner>,
}

struct Inner {
    world: World,
    /// Its name in the audit and in fault rules.
    service: String,
    settings: RwLock<ApiSettings>,
    state: Mutex<State>,
    /// Made when the first event is recorded.
    events: Mutex<Option<EventIndex>>,
    kubelets: RwLock<Option<Arc<dyn Kubelets>>>,
}

impl ApiServer {
    /// Restores the cluster from `world`'s journal, or makes a fresh one.
    pub fn open(world: World, settings: ApiSettings) -> Result<Self, OpenError> {
        Self::open_as("kubernetes", world, settings)
    }

    /// The same for one of several clusters: the audit counts its calls, and fault rules name it, as `service`.
    pub fn open_as(service: &str, world: World, settings: ApiSettings) -> Result<Self, OpenError> {
        let store = Store::open(world.journal.clone(), settings.history)?;
        let fresh = !store.contains("namespaces", "", "kube-system");
        let mut state = State {
            store,
            registry: Arc::new(Registry::new(Vec::new())),
            fresh_claims: HashSet::new(),
        };
        custom::refresh(&mut state);
        let inner = Inner {
            world,
            service: service.to_owned(),
            settings: RwLock::new(settings),
            state: Mutex::new(state),
            events: Mutex::default(),
            kubelets: RwLock::default(),
        };
        let server = Self { inner: Arc::new(inner) };
        if fresh {
            server.bootstrap().map_err(OpenError::Bootstrap)?;
        }
        Ok(server)
    }

    /// The HTTP side. Serve it on loopback: there is no TLS, and every token is let in unless the settings name one.
    pub fn router(&self) -> axum::Router {
        crate::http::router(self.clone())
    }

    /// [`ApiSettings::read_lag_millis`].
    pub(crate) fn read_lag(&self) -> Duration {
        Duration::from_millis(self.settings().read_lag_millis)
    }

    /// The settings in force.
    pub fn settings(&self) -> ApiSettings {
        self.inner
            .settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes the settings; calls under way keep the old ones.
    pub fn set_settings(&self, settings: ApiSettings) {
        self.state().store.set_history_limit(settings.history);
        *self.inner.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// From now on calls through the nodes' proxy go to `kubelets`.
    pub fn set_kubelets(&self, kubelets: Arc<dyn Kubelets>) {
        *self.inner.kubelets.write().unwrap_or_else(PoisonError::into_inner) = Some(kubelets);
    }

    pub(crate) fn kubelets(&self) -> Option<Arc<dyn Kubelets>> {
        self.inner
            .kubelets
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// One object. `resource` is `plural[.group]`.
    pub fn get(&self, resource: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Value>> {
        self.state().store.get(resource, namespace.unwrap_or_default(), name)
    }

    /// Every object of a resource, in one namespace or all, by namespace and name.
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.state().store.values(resource, namespace).collect()
    }

    /// The objects that [`Self::list`] gives, one at a time: of those that were read back from disk, only the one looked at
    /// takes the memory of a value.
    pub fn scan(&self, resource: &str, namespace: Option<&str>) -> impl Iterator<Item = Arc<Value>> + use<> {
        let entries: Vec<_> = self.state().store.list(resource, namespace).cloned().collect();
        entries.into_iter().map(|entry| entry.value())
    }

    /// Creates `object`; its namespace is the one in its metadata, or `default`.
    pub fn create(&self, resource: &str, object: Value, manager: &str) -> Result<Arc<Value>, ApiError> {
        self.write(resource, manager, |writer, kind| {
            let namespace = match object::namespace(&object) {
                _ if !kind.namespaced => String::new(),
                "" => "default".to_owned(),
                given => given.to_owned(),
            };
            Ok(writer.create(kind, &namespace, object)?.object)
        })
    }

    /// Reads, changes and writes one object under the lock; `None` when it does not exist. A change that changes
    /// nothing writes nothing. `subresource` is `status`, `scale`, `finalize`, or none; as over HTTP, a change of the
    /// main resource leaves `status` alone, and the reverse.
    pub fn modify(
        &self,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<&str>,
        manager: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Option<Arc<Value>>, ApiError> {
        let part = match subresource {
            None => Part::Main,
            Some("status") => Part::Status,
            Some("scale") => Part::Scale,
            Some("finalize") => Part::Finalize,
            Some(_) => return Err(ApiError::unknown_path()),
        };
        let namespace = namespace.unwrap_or_default();
        self.write(resource, manager, |writer, kind| {
            if !writer.state.store.contains(&kind.id, namespace, name) {
                return Ok(None);
            }
            let changed = |live: &Value| {
                let mut new = live.clone();
                change(&mut new);
                Ok(new)
            };
            Ok(Some(writer.patch(kind, namespace, name, part, changed)?.object))
        })
    }

    #[expect(clippy::needless_pass_by_value, reason = "options are made for the call")]
    /// Deletes as the API would: grace, finalizers, preconditions.
    pub fn delete(
        &self,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
        options: DeleteOptions,
    ) -> Result<(), ApiError> {
        self.write(resource, "", |writer, kind| {
            writer
                .delete(kind, namespace.unwrap_or_default(), name, &options, None)
                .map(|_| ())
        })
    }

    /// Puts many objects there as if they had long been: unchecked, whole but for their versions, none of them Secrets. Watches are
    /// sent to list anew; subscribers in the process hear nothing, and have to look at everything afterwards.
    pub fn seed(&self, resource: &str, objects: impl IntoIterator<Item = Value>) -> Result<(), JournalError> {
        self.state().store.seed(&resource.into(), objects)
    }

    /// Every change from now on. A receiver that falls 16,384 changes behind is told so and must list again.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.state().store.subscribe()
    }

    /// Records a core/v1 Event about `involved`, `Normal` or `Warning`; a repeat raises the count of the first.
    pub fn record_event(&self, involved: &Value, type_: &str, reason: &str, message: &str, component: &str) {
        let now = self.inner.world.clock.now();
        let mut events = self.inner.events.lock().unwrap_or_else(PoisonError::into_inner);
        let index = events.get_or_insert_with(|| EventIndex::of(&self.state().store));
        let event = index.next(involved, [type_, reason, message, component], now);
        let namespace = object::namespace(&event).to_owned();
        let raised = self.modify(
            "events",
            Some(&namespace),
            object::name(&event),
            None,
            component,
            |live| {
                let count = object::number(live, "/count").unwrap_or(1);
                live["count"] = json!(count + 1);
                live["lastTimestamp"] = json!(object::time(now));
            },
        );
        let outcome = match raised {
            Ok(None) => self.create("events", event, component).map(|_| ()),
            Ok(Some(_)) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            // The namespace may be going away; nothing depends on an event.
            tracing::debug!(%error, reason, "an event was not recorded");
        }
    }

    /// Back to a fresh cluster. Watches see every object go; resourceVersions go on from where they were.
    pub fn clear(&self) {
        *self.inner.events.lock().unwrap_or_else(PoisonError::into_inner) = None;
        {
            let mut state = self.state();
            for resource in state.store.resources() {
                let objects: Vec<Arc<Value>> = state.store.values(&resource, None).collect();
                for object in objects {
                    if let Err(error) = state.store.remove(&resource, &object) {
                        tracing::error!(%error, "an object could not be removed");
                    }
                }
            }
            custom::refresh(&mut state);
        }
        if let Err(error) = self.bootstrap() {
            tracing::error!(%error, "the fresh cluster could not be made");
        }
    }

    /// What a cluster has before anyone uses it.
    fn bootstrap(&self) -> Result<(), ApiError> {
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            self.create("namespaces", json!({"metadata": {"name": name}}), "kube-apiserver")?;
        }
        let service = json!({
            "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
        });
        self.create("services", service, "kube-apiserver")?;
        Ok(())
    }

    fn write<T>(
        &self,
        resource: &str,
        manager: &str,
        act: impl FnOnce(&mut Writer<'_>, &Kind) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut state = self.state();
        let kind = state
            .registry
            .by_id(resource)
            .cloned()
            .ok_or_else(ApiError::unknown_path)?;
        let mut writer = Writer {
            state: &mut state,
            now: self.inner.world.clock.now(),
            manager,
            dry_run: false,
            validation: FieldValidation::Ignore,
            warnings: Vec::new(),
        };
        act(&mut writer, &kind)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn service(&self) -> Cow<'static, str> {
        self.inner.service.clone().into()
    }

    pub(crate) fn world(&self) -> &World {
        &self.inner.world
    }
}
