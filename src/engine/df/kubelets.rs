//! What the kubelets of some nodes say, and why others say nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use moorline_api::{Error, ErrorKind, MountStatistics, Object, ObjectRef, ResourceKind};
use serde_json::Value;
use tokio::time::timeout;

use super::mounts::Mount;
use crate::context::Context;

/// A kubelet that measures answers in a second; one whose machine is gone would hold all the others up.
const PATIENCE: Duration = Duration::from_secs(12);

/// The answers of kubelets by node: figures, or why there are none.
pub(super) struct Kubelets(BTreeMap<String, Result<Vec<MountStatistics>, String>>);

impl Kubelets {
    /// Asks each of these nodes once, some at a time.
    pub(super) async fn ask(ctx: &Context, nodes: BTreeSet<String>) -> Self {
        let answers = stream::iter(nodes).map(|node| async move {
            let answer = ask(ctx, &node).await;
            (node, answer)
        });
        Self(answers.buffer_unordered(ctx.limits.concurrency.max(1)).collect().await)
    }

    /// The figures of a mount, or why they are missing.
    pub(super) fn figures(&self, mount: &Mount) -> Result<&MountStatistics, String> {
        if mount.node.is_empty() {
            return Err("the pod is not scheduled to a node".to_owned());
        }
        let node = &mount.node;
        let silent = || format!("the kubelet of node {node} was not asked");
        let answer = self.0.get(node).ok_or_else(silent)?;
        let figures = answer.as_ref().map_err(Clone::clone)?;
        let of_mount = |figures: &&MountStatistics| {
            (&figures.namespace, &figures.pod, &figures.claim) == (&mount.namespace, &mount.pod, &mount.claim)
                && (figures.pod_uid.is_empty() || figures.pod_uid == mount.pod_uid)
        };
        let found = figures.iter().find(of_mount);
        // A file system without a size has not been looked at.
        let found = found.filter(|figures| figures.capacity_bytes.is_some() && figures.used_bytes.is_some());
        found.ok_or_else(|| format!("the kubelet of node {node} has not measured it; it looks about once a minute"))
    }
}

async fn ask(ctx: &Context, node: &str) -> Result<Vec<MountStatistics>, String> {
    let patience = PATIENCE.min(ctx.limits.timeout);
    match timeout(patience, ctx.cluster.mount_statistics(node)).await {
        Ok(Ok(figures)) => Ok(figures),
        Ok(Err(error)) if error.kind == ErrorKind::Forbidden => Err(error.to_string()),
        Ok(Err(error)) => Err(explained(ctx, node, &error.to_string()).await),
        Err(_) => {
            let late = format!("the kubelet of node {node} gave no answer in {} s", patience.as_secs());
            Err(explained(ctx, node, &late).await)
        }
    }
}

/// The failure, with what the cluster knows of the node.
async fn explained(ctx: &Context, node: &str, failure: &str) -> String {
    let target = ObjectRef::new(ResourceKind::node(), "", node);
    let found: Result<Option<Object>, Error> = ctx.cluster.get(&target).await;
    match found {
        Ok(Some(object)) => match not_ready(&object) {
            Some(why) => format!("node {node} is not ready ({why}): {failure}"),
            None => failure.to_owned(),
        },
        Ok(None) => format!("node {node} is gone: {failure}"),
        Err(_) => failure.to_owned(),
    }
}

/// Why a node is not ready; `None` where it is.
fn not_ready(node: &Object) -> Option<String> {
    let conditions = node.list_at(&["status", "conditions"]).iter();
    let text = |condition: &Value, field: &str| {
        condition
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let ready = conditions
        .into_iter()
        .find(|condition| text(condition, "type") == "Ready");
    let Some(ready) = ready else {
        return Some("it has never reported".to_owned());
    };
    (text(ready, "status") != "True").then(|| format!("{}: {}", text(ready, "reason"), text(ready, "message")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mount(node: &str) -> Mount {
        Mount {
            namespace: "demo".to_owned(),
            pod: "web-0".to_owned(),
            pod_uid: "u-2".to_owned(),
            node: node.to_owned(),
            claim: "data-web-0".to_owned(),
            paths: Vec::new(),
            block: false,
        }
    }

    fn figures(uid: &str, used: Option<u64>) -> MountStatistics {
        MountStatistics {
            namespace: "demo".to_owned(),
            pod: "web-0".to_owned(),
            pod_uid: uid.to_owned(),
            claim: "data-web-0".to_owned(),
            capacity_bytes: Some(100),
            used_bytes: used,
            ..MountStatistics::default()
        }
    }

    fn kubelets(answer: Result<Vec<MountStatistics>, String>) -> Kubelets {
        Kubelets(BTreeMap::from([("n".to_owned(), answer)]))
    }

    #[test]
    fn figures_belong_to_one_life_of_a_pod() {
        let found = kubelets(Ok(vec![figures("u-1", Some(1)), figures("u-2", Some(2))]));
        assert_eq!(found.figures(&mount("n")).unwrap().used_bytes, Some(2));
        let stale = kubelets(Ok(vec![figures("u-1", Some(1))]));
        assert!(stale.figures(&mount("n")).unwrap_err().contains("has not measured it"));
    }

    #[test]
    fn what_is_missing_is_said_and_never_a_number() {
        let why = |kubelets: &Kubelets, node| kubelets.figures(&mount(node)).unwrap_err();
        assert!(why(&kubelets(Ok(vec![figures("u-2", None)])), "n").contains("has not measured it"));
        assert!(why(&kubelets(Ok(Vec::new())), "").contains("not scheduled"));
        assert_eq!(why(&kubelets(Err("may not".to_owned())), "n"), "may not");
    }

    #[test]
    fn a_node_that_is_not_ready_says_why() {
        let node = |conditions: Value| Object::from_value(json!({"status": {"conditions": conditions}})).unwrap();
        let ready = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ok"}]);
        assert_eq!(not_ready(&node(ready)), None);
        let lost = json!([{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "stopped posting"}]);
        assert_eq!(not_ready(&node(lost)).unwrap(), "NodeStatusUnknown: stopped posting");
        assert!(not_ready(&node(json!([]))).is_some());
    }
}
