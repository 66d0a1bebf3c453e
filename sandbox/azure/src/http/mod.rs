//! The way of a call: read it, know what it asks for and who asks, let faults strike, hold it to the rates, do it, answer.

pub(crate) mod answer;
mod record;
pub(crate) mod request;
mod resource_manager;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use moorline_sandbox_core::{Effect, Moment, Outcome, broken_answer, dated};

use crate::cloud::AzureCloud;
use crate::error::AzureError;
use crate::identity;
use answer::{Answer, Shape};
use record::Record;
use request::Incoming;

/// What Resource Manager takes.
const MAX_BODY_BYTES: usize = 4 << 20;

/// Resource Manager and the token endpoint on one host.
pub(crate) fn router(cloud: AzureCloud) -> Router {
    let clock = cloud.world().clock.clone();
    let router = Router::new()
        .fallback(handle)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(cloud);
    dated(router, clock)
}

/// The metadata service of a virtual machine.
pub(crate) fn metadata_router(cloud: AzureCloud) -> Router {
    let clock = cloud.world().clock.clone();
    dated(Router::new().fallback(handle_metadata).with_state(cloud), clock)
}

async fn handle(
    State(cloud): State<AzureCloud>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let incoming = match Incoming::read(&method, &uri, headers, body) {
        Ok(incoming) => incoming,
        Err(error) => return Answer::failure(error, Shape::ResourceManager).respond(cloud.now()),
    };
    if let Some(call) = identity::Call::of(&incoming) {
        return handle_identity(&cloud, &incoming, call).await;
    }
    resource_manager::handle(&cloud, &incoming).await
}

async fn handle_metadata(
    State(cloud): State<AzureCloud>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match Incoming::read(&method, &uri, headers, body) {
        Ok(incoming) => handle_identity(&cloud, &incoming, identity::Call::Metadata).await,
        Err(error) => Answer::failure(error, Shape::Entra).respond(cloud.now()),
    }
}

async fn handle_identity(cloud: &AzureCloud, incoming: &Incoming, call: identity::Call) -> Response {
    let mut record = Record::new(cloud, call.service(), call.name(), false);
    let done = async {
        pause(cloud).await;
        strike(cloud, &record, Moment::Before).await?;
        let done = identity::answer(cloud, incoming, call);
        record.outcome = match &done {
            Ok(_) => Outcome::Unchanged,
            Err(_) => Outcome::Failed,
        };
        record.settle();
        strike(cloud, &record, Moment::After).await?;
        Ok(done?)
    };
    match done.await {
        Ok(answer) => answer.respond(cloud.now()),
        Err(Broken::Refused(error)) => Answer::failure(error, Shape::Entra).respond(cloud.now()),
        Err(Broken::Struck(effect)) => broken_answer(&effect),
    }
}

/// Why a call has no proper answer.
enum Broken {
    Refused(AzureError),
    /// A fault leaves no answer of this service.
    Struck(Effect),
}

impl From<AzureError> for Broken {
    fn from(error: AzureError) -> Self {
        Self::Refused(error)
    }
}

/// Lets the time pass that every call takes.
async fn pause(cloud: &AzureCloud) {
    let latency = cloud.settings_now().latency();
    if !latency.is_zero() {
        cloud.world().clock.sleep(latency).await;
    }
}

async fn strike(cloud: &AzureCloud, record: &Record<'_>, moment: Moment) -> Result<(), Broken> {
    let world = cloud.world();
    match world.faults.apply(&record.call, moment, &world.clock).await {
        None => Ok(()),
        Some(Effect::Error {
            status,
            code,
            message,
            retry_after,
        }) => {
            let error = AzureError::new(status, &code, message);
            Err(Broken::Refused(AzureError { retry_after, ..error }))
        }
        Some(effect) => Err(Broken::Struck(effect)),
    }
}
