//! Who else edits what is applied: webhooks and policies that change objects on their way into the cluster.

use futures::future::try_join_all;
use moorline_api::{Error, Gvk, ListQuery, Object, ResourceKind};
use serde_json::Value;

use crate::context::Context;
use crate::observe::{self, Catalog};

/// The kinds that configure them.
const KINDS: [&str; 2] = ["MutatingWebhookConfiguration", "MutatingAdmissionPolicy"];
const GROUP: &str = "admissionregistration.k8s.io";

/// The kinds of objects that may be edited on their way into the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Editors {
    /// It could not be read: anything may be.
    Unknown,
    /// Those with these plurals, `*` for all.
    Of(Vec<String>),
}

impl Editors {
    pub(super) async fn read(ctx: &Context, catalog: &Catalog) -> Self {
        let kinds: Vec<&ResourceKind> = catalog
            .listable()
            .filter(|kind| kind.gvk.group == GROUP && KINDS.contains(&&*kind.gvk.kind))
            .collect();
        if catalog.may_hide(&Gvk::new(&format!("{GROUP}/v1"), "")) {
            return Self::Unknown;
        }
        let lists = kinds.into_iter().map(|kind| async move {
            let query = ListQuery::everywhere(kind.clone());
            Ok::<_, Error>(observe::list(ctx, query, |object| Some(plurals(&object))).await?.0)
        });
        match try_join_all(lists).await {
            Ok(found) => Self::Of(found.into_iter().flatten().flatten().collect()),
            Err(error) => {
                tracing::debug!(%error, "whether webhooks edit objects is unknown; the server is asked about each");
                Self::Unknown
            }
        }
    }

    /// Whether an object of this kind may come out of a write otherwise than it was sent.
    pub(super) fn may_edit(&self, kind: &ResourceKind) -> bool {
        match self {
            Self::Unknown => true,
            Self::Of(plurals) => plurals.iter().any(|plural| plural == "*" || *plural == kind.plural),
        }
    }
}

/// The plurals that the rules of one configuration name. Groups, selectors and conditions are left out of account, for a
/// rule may match another version or group of the same kind.
fn plurals(configuration: &Object) -> Vec<String> {
    let webhooks = configuration
        .list_at(&["webhooks"])
        .iter()
        .filter_map(|hook| hook.get("rules"));
    let policy = configuration.at(&["spec", "matchConstraints", "resourceRules"]);
    let is_policy = configuration.at(&["spec"]).is_some();
    if is_policy && policy.is_none() {
        return vec!["*".to_owned()];
    }
    let rules = webhooks.chain(policy).filter_map(Value::as_array).flatten();
    rules
        .filter(|rule| meets_updates(rule))
        .flat_map(|rule| strings(rule, "resources"))
        .map(plural)
        .collect()
}

fn meets_updates(rule: &Value) -> bool {
    strings(rule, "operations").any(|operation| operation == "*" || operation == "UPDATE")
}

fn strings<'a>(rule: &'a Value, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let values = rule.get(field).and_then(Value::as_array);
    values.into_iter().flatten().filter_map(Value::as_str)
}

/// `pods` of `pods`, `pods/status` and `pods/*`; `*` of `*` and `*/*`.
fn plural(resource: &str) -> String {
    resource.split('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn editors(configuration: Value) -> Editors {
        Editors::Of(plurals(&Object::from_value(configuration).unwrap()))
    }

    fn webhook(operations: &[&str], resources: &[&str]) -> Editors {
        editors(
            json!({"webhooks": [{"rules": [{"apiGroups": ["x"], "operations": operations, "resources": resources}]}]}),
        )
    }

    fn edits(editors: &Editors) -> (bool, bool) {
        let config_map = ResourceKind {
            gvk: Gvk::new("v1", "ConfigMap"),
            plural: "configmaps".to_owned(),
            ..ResourceKind::service()
        };
        (
            editors.may_edit(&ResourceKind::deployment()),
            editors.may_edit(&config_map),
        )
    }

    #[test]
    fn a_webhook_edits_the_kinds_that_its_rules_name() {
        assert_eq!(edits(&webhook(&["UPDATE"], &["deployments"])), (true, false));
        assert_eq!(edits(&webhook(&["CREATE", "*"], &["deployments/scale"])), (true, false));
        assert_eq!(edits(&webhook(&["UPDATE"], &["*"])), (true, true));
        assert_eq!(edits(&webhook(&["UPDATE"], &["*/*"])), (true, true));
        assert_eq!(edits(&webhook(&["CREATE", "DELETE"], &["*"])), (false, false));
    }

    #[test]
    fn a_policy_edits_what_its_constraints_match() {
        let rules = json!([{"apiGroups": ["apps"], "operations": ["UPDATE"], "resources": ["deployments"]}]);
        let policy = json!({"spec": {"matchConstraints": {"resourceRules": rules}}});
        assert_eq!(edits(&editors(policy)), (true, false));
        assert_eq!(edits(&editors(json!({"spec": {"paramKind": {}}}))), (true, true));
    }

    #[test]
    fn what_cannot_be_read_may_edit_everything() {
        assert_eq!(edits(&Editors::Unknown), (true, true));
        assert_eq!(edits(&Editors::Of(Vec::new())), (false, false));
    }
}
