//! The HTTP side. Every call goes the same way: authenticate, strike faults before, act, strike faults after, answer;
//! and is counted once, whatever became of it.

mod body;
mod delete;
mod list;
mod nonresource;
mod patch;
mod path;
mod proxy;
mod respond;
mod reviews;
mod scale;
mod watch;
mod write;

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State as Extracted};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use bytes::Bytes;
use moorline_sandbox_core::{Call, Effect, Moment, Outcome, dated};

use crate::error::ApiError;
use crate::server::ApiServer;
use path::{Query, ResourcePath, Target};
use respond::{Accept, Answer};

/// A call with its body read.
struct Incoming {
    method: Method,
    headers: HeaderMap,
    query: Query,
    accept: Accept,
    body: Bytes,
}

pub(crate) fn router(server: ApiServer) -> Router {
    let clock = server.world().clock.clone();
    dated(Router::new().fallback(serve).with_state(server), clock)
}

async fn serve(Extracted(server): Extracted<ApiServer>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = Query::parse(&parts.uri);
    let target = Target::parse(&server, parts.uri.path());
    let call = call(&server, &target, &parts.method, &query, parts.uri.path());
    let mut counted = Counted {
        server: &server,
        call,
        outcome: Outcome::Failed,
    };
    let answer = async {
        authenticate(&server, &parts.headers)?;
        let accept = Accept::parse(&parts.headers)?;
        if let Some(effect) = server
            .world()
            .faults
            .apply(&counted.call, Moment::Before, &server.world().clock)
            .await
        {
            if matches!(effect, Effect::Error { status: 429, .. }) {
                counted.outcome = Outcome::Throttled;
            }
            return Ok(struck(&counted.call, Moment::Before, effect));
        }
        let latency = server.settings().latency_millis;
        if latency > 0 {
            tokio::time::sleep(Duration::from_millis(latency)).await;
        }
        let body = body::read(body).await?;
        let incoming = Incoming {
            method: parts.method,
            headers: parts.headers,
            query,
            accept,
            body,
        };
        let answer = act(&server, target?, &incoming)?;
        counted.outcome = if answer.changed {
            Outcome::Changed
        } else {
            Outcome::Unchanged
        };
        if let Some(effect) = server
            .world()
            .faults
            .apply(&counted.call, Moment::After, &server.world().clock)
            .await
        {
            return Ok(struck(&counted.call, Moment::After, effect));
        }
        Ok(answer.into_response())
    }
    .await;
    let answer = answer.unwrap_or_else(|error: ApiError| respond::error(&error));
    drop(counted);
    answer
}

/// Counts the call when it ends, also when its client gives up on it.
struct Counted<'a> {
    server: &'a ApiServer,
    call: Call,
    outcome: Outcome,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.server.world().audit.count(&self.call, self.outcome);
    }
}

/// The call as the audit and the fault rules know it: `patch statefulsets/scale`.
fn call(server: &ApiServer, target: &Result<Target, ApiError>, method: &Method, query: &Query, path: &str) -> Call {
    let Ok(Target::Resource(resource)) = target else {
        let method = method.as_str().to_lowercase();
        let operation = match target {
            Ok(Target::Proxy(_)) => format!("{method} nodes/proxy"),
            _ => format!("{method} {path}"),
        };
        return Call {
            service: server.service(),
            operation,
            mutating: false,
            dry_run: false,
        };
    };
    let verb = match (method.as_str(), &resource.name) {
        ("GET" | "HEAD", _) if query.flag("watch") => "watch",
        ("GET" | "HEAD", Some(_)) => "get",
        ("GET" | "HEAD", None) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", Some(_)) => "delete",
        ("DELETE", None) => "deletecollection",
        _ => "unknown",
    };
    let sub = resource
        .subresource
        .as_deref()
        .map(|sub| format!("/{sub}"))
        .unwrap_or_default();
    let reads = matches!(verb, "get" | "list" | "watch" | "unknown");
    let dry_run = !reads && !query.get("dryRun").is_empty();
    Call {
        service: server.service(),
        operation: format!("{verb} {}{sub}", resource.kind.plural),
        mutating: !reads && !dry_run,
        dry_run,
    }
}

fn authenticate(server: &ApiServer, headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let token = given.strip_prefix("Bearer ").map(str::trim);
    match server.settings().token {
        _ if token == Some("EXPIRED") => Err(ApiError::unauthorized()),
        Some(wanted) if token != Some(wanted.as_str()) => Err(ApiError::unauthorized()),
        _ => Ok(()),
    }
}

/// What a fault leaves of the answer. A watch that is already open tells of an error by an event.
fn struck(call: &Call, moment: Moment, effect: Effect) -> Response {
    let Effect::Error {
        status,
        code,
        message,
        retry_after,
    } = effect
    else {
        return moorline_sandbox_core::broken_answer(&effect);
    };
    let mut error = ApiError::new(status, &code, message);
    if let Some(seconds) = retry_after {
        error = error.retry_after(seconds);
    }
    if moment == Moment::After && call.operation.starts_with("watch ") {
        let event = serde_json::json!({"type": "ERROR", "object": error.to_status()});
        return Answer::bytes(format!("{event}\n").into()).into_response();
    }
    respond::error(&error)
}

fn act(server: &ApiServer, target: Target, incoming: &Incoming) -> Result<Answer, ApiError> {
    match target {
        Target::Resource(resource) => resource_call(server, &resource, incoming),
        Target::Review(kind) => reviews::review(&kind, incoming),
        Target::Proxy(to) => proxy::forward(server, &to, incoming),
        Target::Other(path) => nonresource::serve(server, &path, incoming),
    }
}

fn resource_call(server: &ApiServer, resource: &ResourcePath, incoming: &Incoming) -> Result<Answer, ApiError> {
    match (
        incoming.method.as_str(),
        &resource.name,
        resource.subresource.as_deref(),
    ) {
        ("GET" | "HEAD", Some(name), Some("scale")) => scale::read(server, resource, name, incoming),
        ("GET" | "HEAD", Some(_), Some("status") | None) if !incoming.query.flag("watch") => {
            list::get(server, resource, incoming)
        }
        ("GET" | "HEAD", _, None) if incoming.query.flag("watch") => watch::watch(server, resource, incoming),
        ("GET" | "HEAD", None, None) => list::list(server, resource, incoming),
        ("POST", None, None) => write::create(server, resource, incoming),
        ("POST", Some(name), Some(sub @ ("binding" | "eviction"))) => {
            write::pod_action(server, resource, name, sub, incoming)
        }
        ("PUT" | "PATCH", Some(name), Some("scale")) => scale::write(server, resource, name, incoming),
        ("PUT", Some(name), _) => write::update(server, resource, name, incoming),
        ("PATCH", Some(name), _) => patch::patch(server, resource, name, incoming),
        ("DELETE", Some(name), None) => delete::one(server, resource, name, incoming),
        ("DELETE", None, None) => delete::collection(server, resource, incoming),
        _ => Err(ApiError::method_not_allowed()),
    }
}
