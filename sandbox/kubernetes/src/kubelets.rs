//! What the server hands on to the nodes.

use serde_json::Value;

use crate::ApiServer;

/// The nodes' kubelets, as the server reaches them for `…/nodes/<name>/proxy/…`. The server knows none by itself.
pub trait Kubelets: Send + Sync {
    /// What the kubelet of a node answers to a GET of `path`, which has no slash at its front; `None` where it serves no
    /// such path. The cluster comes with the call, so that nobody keeps the server alive.
    fn get(&self, cluster: &ApiServer, node: &Value, path: &str) -> Option<Value>;
}
