//! Calls that the server hands on to a node's kubelet.

use axum::http::StatusCode;

use super::Incoming;
use super::respond::Answer;
use crate::error::{ApiError, Named};
use crate::server::ApiServer;

/// A path behind `…/nodes/<name>/proxy/`.
pub(super) struct NodeProxy {
    node: String,
    path: String,
}

impl NodeProxy {
    /// `node` may name scheme and port too, `https:name:10250`; there is one server on each node here.
    pub(super) fn new(node: &str, path: &[&str]) -> Self {
        let bare = node.strip_prefix("https:").or_else(|| node.strip_prefix("http:"));
        let bare = bare.unwrap_or(node);
        Self {
            node: bare.split_once(':').map_or(bare, |(name, _)| name).to_owned(),
            path: path.join("/"),
        }
    }
}

pub(super) fn forward(server: &ApiServer, to: &NodeProxy, incoming: &Incoming) -> Result<Answer, ApiError> {
    let nodes = Named {
        plural: "nodes",
        group: "",
    };
    let node = server
        .get("nodes", None, &to.node)
        .ok_or_else(|| ApiError::not_found(nodes, &to.node))?;
    let Some(kubelets) = server.kubelets() else {
        let message = format!("error trying to reach service: no kubelet runs on {}", to.node);
        return Err(ApiError::new(503, "ServiceUnavailable", message));
    };
    if !matches!(incoming.method.as_str(), "GET" | "HEAD") {
        return Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "405: Method Not Allowed"));
    }
    match kubelets.get(server, &node, &to.path) {
        Some(answer) => Ok(Answer::json(&answer)),
        None => Ok(plain(StatusCode::NOT_FOUND, "404 page not found\n")),
    }
}

/// The kubelet's own errors are no `Status`.
fn plain(status: StatusCode, text: &'static str) -> Answer {
    Answer {
        status,
        content_type: "text/plain; charset=utf-8",
        ..Answer::bytes(text.into())
    }
}
