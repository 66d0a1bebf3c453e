//! The world behind HTTP, which checks every request and remembers it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use moorline_api::{ClientToken, NewVolume, Sensitive, StorageClass, StorageRules as _, Tags, VolumeSpec, tags};
use moorline_azure::{AzureProvider, AzureRules, AzureSettings, Budgets};
use serde_json::Value;

use crate::table;
use crate::world::{Reply, SUBSCRIPTION, World};

pub(crate) const TOKEN: &str = "token-that-nobody-may-see";

type Fault = Box<dyn FnMut(&str) -> Option<Reply> + Send>;

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
}

struct Desk {
    world: Mutex<World>,
    calls: Mutex<Vec<Call>>,
    violations: Mutex<Vec<String>>,
    fault: Mutex<Option<Fault>>,
}

pub(crate) struct Server {
    pub(crate) address: String,
    desk: Arc<Desk>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let desk = Arc::new(Desk {
            world: Mutex::new(World::new(&address)),
            calls: Mutex::default(),
            violations: Mutex::default(),
            fault: Mutex::default(),
        });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, desk }
    }

    pub(crate) fn settings(&self) -> AzureSettings {
        AzureSettings {
            resource_group: Some("data".to_owned()),
            budgets: Budgets::unlimited(),
            patience: Duration::from_secs(20),
            visibility_grace: Duration::from_secs(2),
            ..AzureSettings::local(&self.address, SUBSCRIPTION, Sensitive::new(TOKEN))
        }
    }

    pub(crate) fn provider(&self) -> AzureProvider {
        AzureProvider::connect(self.settings()).unwrap()
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.desk.world.lock().unwrap()
    }

    /// Answers instead of the world where it wants to; it is told the operation.
    pub(crate) fn fault(&self, fault: impl FnMut(&str) -> Option<Reply> + Send + 'static) {
        *self.desk.fault.lock().unwrap() = Some(Box::new(fault));
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.desk.calls.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, operation: &str) -> usize {
        self.calls().iter().filter(|call| call.operation == operation).count()
    }
}

impl Drop for Server {
    /// Every test fails over a request that Azure does not document.
    fn drop(&mut self) {
        let violations = self.desk.violations.lock().unwrap().clone();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

async fn serve(State(desk): State<Arc<Desk>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let reply = desk.answer(&method, &uri, &headers, &body);
    let status = StatusCode::from_u16(reply.status).unwrap();
    let text = if reply.body.is_null() {
        String::new()
    } else {
        reply.body.to_string()
    };
    let mut response = (status, text).into_response();
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

impl Desk {
    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Reply {
        let query = query(uri);
        let body: Option<Value> = (!body.is_empty()).then(|| serde_json::from_slice(body).unwrap());
        let authorized = headers
            .get("authorization")
            .is_some_and(|value| *value == format!("Bearer {TOKEN}"));
        if !authorized {
            self.violations
                .lock()
                .unwrap()
                .push(format!("{method} {uri}: no token"));
        }
        let is_json = headers
            .get("content-type")
            .is_some_and(|value| value == "application/json");
        if body.is_some() && !is_json {
            self.violations
                .lock()
                .unwrap()
                .push(format!("{method} {uri}: a body that is not said to be JSON"));
        }
        let (operation, parts) = match table::find(method.as_str(), uri.path(), &query, body.as_ref()) {
            Ok(found) => found,
            Err(violation) => {
                self.violations.lock().unwrap().push(violation.clone());
                return Reply::refuse(400, "Violation", &violation);
            }
        };
        let body = body.unwrap_or_default();
        self.calls.lock().unwrap().push(Call { operation });
        let fault = self.fault.lock().unwrap().as_mut().and_then(|fault| fault(operation));
        fault.unwrap_or_else(|| self.world.lock().unwrap().answer(operation, &parts, &query, &body))
    }
}

fn query(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty());
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect()
}

pub(crate) fn class(provisioner: &str, parameters: &[(&str, &str)]) -> StorageClass {
    let class = serde_json::json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "shares"},
        "provisioner": provisioner,
        "parameters": parameters.iter().copied().collect::<BTreeMap<_, _>>(),
    });
    StorageClass::from_object(&moorline_api::Object::from_value(class).unwrap())
}

/// The volume that a claim of 50 MiB with this UID gets.
pub(crate) fn new_volume(class: &StorageClass, uid: &str) -> NewVolume {
    let shape = moorline_api::ClaimShape {
        bytes: 50 << 20,
        access_modes: vec!["ReadWriteMany".to_owned()],
        volume_mode: "Filesystem".to_owned(),
    };
    let placement = AzureRules.place(class, &shape, None).unwrap();
    let tags = [
        (tags::CLUSTER_UID, "cluster-1"),
        (tags::PROFILE, "web"),
        (tags::NAMESPACE, "default"),
        (tags::CLAIM, "data-0"),
        (tags::CLAIM_UID, uid),
        (tags::OWNER, "team grün"),
    ];
    NewVolume {
        spec: VolumeSpec {
            size_gib: placement.size_gib,
            zone: None,
            config: placement.config,
        },
        token: ClientToken {
            claim_uid: uid.to_owned(),
            generation: 1,
        },
        tags: tags
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect::<Tags>(),
    }
}

/// A claim's UID.
pub(crate) fn uid(number: u32) -> String {
    format!("0b8bd6a5-2b8e-4a5e-9d2c-{number:012}")
}
