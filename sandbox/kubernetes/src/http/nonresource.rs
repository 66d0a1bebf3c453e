//! Health, version, discovery and OpenAPI.

use super::Incoming;
use super::respond::{Answer, Form};
use super::reviews::REVIEWS;
use crate::error::ApiError;
use crate::registry::{Kind, Registry};
use crate::server::ApiServer;
use crate::{discovery, openapi};

pub(super) fn serve(server: &ApiServer, path: &str, incoming: &Incoming) -> Result<Answer, ApiError> {
    if !matches!(incoming.method.as_str(), "GET" | "HEAD") {
        return Err(ApiError::method_not_allowed());
    }
    let registry = server.state().registry.clone();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match segments.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => Ok(Answer {
            content_type: "text/plain; charset=utf-8",
            ..Answer::bytes("ok".into())
        }),
        ["version"] => Ok(Answer::json(&discovery::version())),
        ["api"] if incoming.accept.form == Form::Discovery => Ok(aggregated(&registry, true)),
        ["apis"] if incoming.accept.form == Form::Discovery => Ok(aggregated(&registry, false)),
        ["api"] => Ok(Answer::json(&discovery::api_versions())),
        ["apis"] => Ok(Answer::json(&discovery::group_list(&registry, &REVIEWS))),
        ["apis", group] => discovery::group(&registry, &REVIEWS, group).map(|group| Answer::json(&group)),
        ["api", version] => discovery::resources(&registry, &REVIEWS, "", version).map(|list| Answer::json(&list)),
        ["apis", group, version] => {
            discovery::resources(&registry, &REVIEWS, group, version).map(|list| Answer::json(&list))
        }
        ["openapi", "v2"] => openapi_v2(&registry, incoming),
        ["openapi", "v3"] => Ok(Answer::json(&openapi::index(&registry))),
        ["openapi", "v3", "api", version] => openapi_v3(&registry, "", version),
        ["openapi", "v3", "apis", group, version] => openapi_v3(&registry, group, version),
        [] => Ok(Answer::json(&discovery::paths(&registry))),
        _ => Err(ApiError::unknown_path()),
    }
}

fn aggregated(registry: &Registry, core: bool) -> Answer {
    let document = discovery::aggregated(registry, &REVIEWS, core);
    let content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    Answer {
        content_type,
        ..Answer::json(&document)
    }
}

fn openapi_v3(registry: &Registry, group: &str, version: &str) -> Result<Answer, ApiError> {
    let kinds: Vec<&Kind> = registry
        .kinds()
        .iter()
        .map(|kind| &**kind)
        .filter(|kind| kind.group == group && kind.version == version)
        .collect();
    if kinds.is_empty() {
        return Err(ApiError::unknown_path());
    }
    Ok(Answer::json(&openapi::v3(&kinds)))
}

/// v2 is served as JSON only; a client that wants protobuf is told so with 406 and goes on without it.
fn openapi_v2(registry: &Registry, incoming: &Incoming) -> Result<Answer, ApiError> {
    let accept = incoming
        .headers
        .get("accept")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("*/*");
    if accept.contains("proto-openapi") && !accept.contains("json") {
        return Err(ApiError::new(
            406,
            "NotAcceptable",
            "only the following media types are accepted: application/json",
        ));
    }
    Ok(Answer::json(&openapi::v2(registry)))
}
