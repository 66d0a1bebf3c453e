//! `clusters`: every cluster that may use volumes of the scopes.

use moorline_api::places;
use moorline_yaml::diagnostic::Diagnostic;
use moorline_yaml::source::Span;
use moorline_yaml::words::{not_blank, quote};
use moorline_yaml::{Node, Value};

use super::scopes::is_empty_list;
use super::{Places, Reader, is_true};
use crate::model::{ClusterAccess, ClusterSpec};

/// The longest name, as tables can show it.
const LONGEST_NAME: usize = 128;

/// What drivers call a cluster that nobody gave a name (kubeadm's default).
const NAMELESS: &str = "kubernetes";

/// What no two clusters have in common, each with where it was given.
#[derive(Default)]
struct Known {
    names: Places<String>,
    access: Places<String>,
    uids: Places<String>,
    tag_ids: Places<String>,
}

impl Reader<'_> {
    pub(super) fn clusters(&mut self, document: &Node) -> Vec<ClusterSpec> {
        if let Some(entry) = document.entry("clusters").filter(|entry| is_empty_list(&entry.value)) {
            let cure = "add every cluster that may use volumes of the scopes: - context: prod";
            self.error(entry.key_span, "clusters names none", cure);
        }
        let mut known = Known::default();
        let mut clusters = Vec::new();
        for (index, item) in document.items_at(&["clusters"]).iter().enumerate() {
            // Of anything else its shape has been said.
            if !matches!(item.value, Value::Map(_)) {
                continue;
            }
            let path = format!("clusters[{index}]");
            let cluster = self.cluster(item, &path, &mut known);
            self.apart(item, &path, &cluster, &mut known);
            clusters.push(cluster);
        }
        clusters
    }

    fn cluster(&mut self, item: &Node, path: &str, known: &mut Known) -> ClusterSpec {
        let access = self.access(item, path);
        let uid = |text: &str| places::uuid_problem(text).map_or(Ok(()), Err);
        let kube_system = "use the UID of: kubectl get namespace kube-system -o jsonpath={.metadata.uid}";
        let tag = "use what stands behind kubernetes.io/cluster/ in the tags of its nodes";
        let name = self.text(item, (path, "name"), name_problem, "use a short name such as prod");
        let uid = self.text(item, (path, "uid"), uid, kube_system);
        let tag_ids = self.texts(item, (path, "tagIds"), tag_id, tag);
        for (id, span) in &tag_ids {
            if known.tag_ids.take(id.clone(), *span).is_some() {
                let cause = format!("{path}.tagIds has {}, as a cluster before has", quote(id));
                let cure = "where both are right, leave it: whichever made a volume, both are asked";
                self.warning(*span, cause, cure);
            }
        }
        for (id, span) in tag_ids.iter().filter(|(id, _)| id == NAMELESS) {
            let cause = format!(
                "{path}.tagIds has {id}, which every cluster is called that was given no name: what one of those made, and this \
                 policy does not name, would pass for an orphan of this one"
            );
            self.warning(
                *span,
                cause,
                "give your clusters names of their own, or leave the id out",
            );
        }
        let is_open = matches!(access, ClusterAccess::Kubeconfig { context: None, .. });
        if is_open && item.entry("context").is_none() && item.entry("uid").is_none() {
            let cause = format!("{path} is whichever cluster is current in its kubeconfig");
            let cure = "add context: with a name of kubectl config get-contexts, or uid: so that any other is refused";
            self.warning(item.start(), cause, cure);
        }
        ClusterSpec {
            name: name.unwrap_or_else(|| default_name(&access).to_owned()),
            access,
            uid: uid.map(|uid| uid.to_ascii_lowercase()),
            tag_ids: tag_ids.into_iter().map(|(id, _)| id).collect(),
        }
    }

    fn access(&mut self, item: &Node, path: &str) -> ClusterAccess {
        let contexts = "use a name of: kubectl config get-contexts";
        let context = self.text(item, (path, "context"), not_blank, contexts);
        let kubeconfig = self.given(item, "kubeconfig", path);
        let file = kubeconfig.and_then(|node| match self.path(node.as_str()?) {
            Ok(file) => Some(file),
            Err((why, cure)) => {
                let text = quote(node.as_str()?);
                self.error(node.span, format!("{path}.kubeconfig cannot be {text}: {why}"), cure);
                None
            }
        });
        if !self.given(item, "inCluster", path).is_some_and(is_true) {
            return ClusterAccess::Kubeconfig { file, context };
        }
        for key in ["kubeconfig", "context"] {
            if let Some(entry) = item.entry(key) {
                let cause = format!("{path} is both inCluster and reached by {key}");
                self.error(entry.key_span, cause, format!("remove {key}, or inCluster"));
            }
        }
        ClusterAccess::InCluster
    }

    /// Reports what two clusters have in common.
    fn apart(&mut self, item: &Node, path: &str, cluster: &ClusterSpec, known: &mut Known) {
        let whole = item.start();
        if let Some(first) = known.access.take(format!("{:?}", cluster.access), whole) {
            self.twice(
                whole,
                first,
                format!("{path} is reached as a cluster before is: it is the same one"),
            );
        } else if let Some(first) = known.names.take(cluster.name.clone(), place(item, "name")) {
            let cause = format!("{path} has the name {}, as a cluster before has", quote(&cluster.name));
            let cure = "give each cluster a name: of its own";
            let diagnostic = Diagnostic::new(self.source.locate(place(item, "name")), cause, cure);
            self.findings
                .add(diagnostic.also(self.source.locate(first), "the other one"));
        }
        let uid_place = item.place(&["uid"]);
        if let Some(first) = cluster.uid.clone().and_then(|uid| known.uids.take(uid, uid_place)) {
            self.twice(
                uid_place,
                first,
                format!("{path} has the uid of a cluster before: it is the same one"),
            );
        }
    }
}

fn place(item: &Node, key: &str) -> Span {
    item.entry(key).map_or_else(|| item.start(), |entry| entry.value.span)
}

/// What a cluster is called whose item gives no name.
fn default_name(access: &ClusterAccess) -> &str {
    match access {
        ClusterAccess::InCluster => "in-cluster",
        ClusterAccess::Kubeconfig {
            context: Some(context), ..
        } => context,
        ClusterAccess::Kubeconfig { context: None, .. } => "current-context",
    }
}

fn name_problem(text: &str) -> Result<(), String> {
    not_blank(text)?;
    if text.chars().any(char::is_control) {
        return Err("it has control characters".to_owned());
    }
    match text.chars().count() {
        0..=LONGEST_NAME => Ok(()),
        length => Err(format!("it has {length} characters; {LONGEST_NAME} are allowed")),
    }
}

/// What can stand behind `kubernetes.io/cluster/` in a tag's key, which has at most 128 characters.
fn tag_id(text: &str) -> Result<(), String> {
    not_blank(text)?;
    let most = 128 - "kubernetes.io/cluster/".len();
    match text.chars().count() {
        _ if text.contains('*') => Err("* has no meaning here".to_owned()),
        _ if text.starts_with("kubernetes.io/") => Err("only what stands behind the last / is the id".to_owned()),
        length if length > most => Err(format!("it has {length} characters; {most} are allowed")),
        _ => Ok(()),
    }
}
