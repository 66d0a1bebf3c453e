//! What would happen to one object. Pure.

use moorline_api::{Error, ErrorKind, Object, ObjectRef};
use moorline_profile::Profile;
use serde_json::Value;

use super::{ObjectAction, ObjectPlan, field_changes};
use crate::error::Conflict;
use crate::names;
use crate::outcome::Cause;
use crate::slim::slim;

/// A manifest as it is applied: in its namespace, with the profile's label. What has no namespace is labelled with the
/// profile's own, because another profile of the same name may live in another.
pub(crate) fn prepared(profile: &Profile, manifest: &Object, namespaced: bool) -> Object {
    let mut object = manifest.clone();
    if namespaced && object.namespace().is_none() {
        object.set(&["metadata", "namespace"], Value::from(profile.namespace.clone()));
    }
    object.set(
        &["metadata", "labels", names::PROFILE],
        Value::from(profile.name.clone()),
    );
    if !namespaced {
        object.set(
            &["metadata", "labels", names::NAMESPACE],
            Value::from(profile.namespace.clone()),
        );
    }
    object
}

/// What the server's dry run said.
pub(crate) enum DryRun {
    /// The object as it would be.
    Would {
        /// The object.
        object: Box<Object>,
        /// Whether our own other writes had to be overruled.
        forced: bool,
        /// Whether it is not there yet.
        creates: bool,
    },
    /// It need not be asked: it would change nothing.
    Needless,
    /// It was asked about another new object, which differs from this one in names only, and would take that.
    Alike,
    /// It cannot be asked yet: its namespace or kind comes with this very plan.
    Later,
    /// It refused.
    Refused(Error),
}

/// Why an object cannot be planned.
pub(crate) enum Obstacle {
    Conflicts(Vec<Conflict>),
    Blocked(Cause),
    Failed(Error),
}

/// What would happen to an object, from how it is and what the server's dry run said.
pub(crate) fn plan_object(
    profile: &str,
    target: ObjectRef,
    object: Object,
    live: Option<&Object>,
    dry: DryRun,
) -> Result<ObjectPlan, Obstacle> {
    if let Some(owner) = live
        .and_then(|live| live.label(names::PROFILE))
        .filter(|owner| *owner != profile)
    {
        return Err(Obstacle::Conflicts(vec![belongs_to(target, owner)]));
    }
    if live.is_some_and(Object::is_terminating) {
        return Err(blocked(
            &target,
            "it is being deleted",
            "wait until it is gone, then run again",
        ));
    }
    let (action, force) = match (live, dry) {
        (None, DryRun::Would { forced, .. }) => (ObjectAction::Create, forced),
        (None, DryRun::Alike | DryRun::Later) => (ObjectAction::Create, false),
        (Some(_), DryRun::Needless) => (ObjectAction::Unchanged, false),
        // The kind is not served, yet an object of it was read: cannot happen, and must not pass for "unchanged".
        (Some(_), DryRun::Alike | DryRun::Later) | (None, DryRun::Needless) => {
            return Err(blocked(&target, "the server could not be asked about it", "run again"));
        }
        (Some(live), DryRun::Would { object, forced, .. }) => (difference(live, &object), forced),
        (live, DryRun::Refused(error)) => (refused(&target, live, error)?, false),
    };
    let live = live.filter(|_| action == ObjectAction::Unchanged).cloned().map(slim);
    Ok(ObjectPlan {
        target,
        action,
        object,
        force,
        live,
    })
}

pub(super) fn difference(live: &Object, after: &Object) -> ObjectAction {
    let changes = field_changes(live, after);
    if changes.is_empty() && owned_fields(live) == owned_fields(after) {
        return ObjectAction::Unchanged;
    }
    ObjectAction::Update {
        destroys: scale_down_deletes(live, after),
        changes,
    }
}

/// What each manager owns, without the times, which change nothing.
fn owned_fields(object: &Object) -> Vec<Value> {
    let mut entries = object.list_at(&["metadata", "managedFields"]).to_vec();
    for entry in &mut entries {
        entry.as_object_mut().map(|entry| entry.remove("time"));
    }
    entries.sort_by_key(ToString::to_string);
    entries
}

/// A set that shrinks under `whenScaled: Delete` loses claims, and with them volumes.
fn scale_down_deletes(live: &Object, after: &Object) -> Option<String> {
    let replicas = |object: &Object| object.i64_at(&["spec", "replicas"]);
    let (before, then) = (replicas(live)?, replicas(after)?);
    let policy = after.str_at(&["spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"]);
    (then < before && policy == Some("Delete")).then(|| {
        format!(
            "scaling from {before} to {then} deletes the claims of {} ordinals (whenScaled: Delete)",
            before - then
        )
    })
}

/// A refusal is a replacement where only a field that cannot change stands in the way of a kind that can be made anew.
fn refused(target: &ObjectRef, live: Option<&Object>, error: Error) -> Result<ObjectAction, Obstacle> {
    if let ErrorKind::FieldConflicts(fields) = error.kind {
        let conflict = |field| Conflict {
            target: target.clone(),
            field,
        };
        return Err(Obstacle::Conflicts(fields.into_iter().map(conflict).collect()));
    }
    if error.kind != ErrorKind::Invalid {
        return Err(Obstacle::Failed(error));
    }
    let message = error.message.to_ascii_lowercase();
    if message.contains("does not support dry run") {
        let hint = "nothing is wrong with the manifest: give that webhook sideEffects None or NoneOnDryRun";
        return Err(blocked(target, &error.message, hint));
    }
    // What API servers of 1.30 to 1.36 say of fields that cannot change.
    let immutable = [
        "immutable",
        "forbidden: updates to",
        // Service
        "may not change once set",
        // RoleBinding, ClusterRoleBinding
        "cannot change roleref",
        // PriorityClass
        "may not be changed in an update",
        // Pod
        "updates may not change fields other than",
    ];
    let irreplaceable = [
        "Namespace",
        "CustomResourceDefinition",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Node",
    ];
    let replaceable = live.is_some()
        && immutable.iter().any(|words| message.contains(words))
        && !irreplaceable.contains(&&*target.resource.gvk.kind);
    if let Some(uid) = live.filter(|_| replaceable).and_then(Object::uid) {
        let uid = uid.to_owned();
        return Ok(ObjectAction::Replace {
            reason: error.message,
            keeps_dependents: target.resource.gvk.kind == "StatefulSet",
            uid,
        });
    }
    Err(blocked(target, &error.message, "correct the manifest"))
}

fn blocked(target: &ObjectRef, why: &str, hint: &str) -> Obstacle {
    Obstacle::Blocked(Cause {
        what: target.to_string(),
        why: why.to_owned(),
        hint: Some(hint.to_owned()),
        fatal: true,
    })
}

fn belongs_to(target: ObjectRef, owner: &str) -> Conflict {
    let field = moorline_api::FieldConflict {
        owner: format!("profile {owner}"),
        manager: names::FIELD_MANAGER.to_owned(),
        field: format!(".metadata.labels[{:?}]", names::PROFILE),
    };
    Conflict { target, field }
}

#[cfg(test)]
mod tests {
    use moorline_api::{FieldConflict, ResourceKind};
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    fn target() -> ObjectRef {
        ObjectRef::new(ResourceKind::stateful_set(), "default", "db")
    }

    /// A live set of profile `web` with three replicas, changed by `change`.
    fn live(change: impl FnOnce(&mut Object)) -> Object {
        let mut live = object(json!({
            "metadata": {"name": "db", "uid": "u", "labels": {"moorline.dev/profile": "web"}},
            "spec": {"replicas": 3},
        }));
        change(&mut live);
        live
    }

    fn would(object: Object) -> DryRun {
        DryRun::Would {
            object: Box::new(object),
            forced: false,
            creates: false,
        }
    }

    fn plan(live: Option<&Object>, dry: DryRun) -> Result<ObjectAction, String> {
        match plan_object("web", target(), Object::default(), live, dry) {
            Ok(plan) => Ok(plan.action),
            Err(Obstacle::Blocked(cause)) => Err(cause.why),
            Err(Obstacle::Conflicts(conflicts)) => Err(format!("conflict {}", conflicts[0].field.field)),
            Err(Obstacle::Failed(error)) => Err(format!("failed {error}")),
        }
    }

    fn refusal(kind: ErrorKind, message: &str) -> DryRun {
        DryRun::Refused(Error::new(kind, "patch", "x", message))
    }

    #[test]
    fn what_lives_in_no_namespace_bears_the_name_of_the_profiles() {
        let mut web = crate::fakes::profile("externalClasses: [fast]\n", "");
        web.namespace = "home".to_owned();
        let prepared = |metadata: Value, namespaced| prepared(&web, &object(json!({"metadata": metadata})), namespaced);
        let label = |object: &Object, key: &str| object.label(key).map(str::to_owned);
        let inside = prepared(json!({"name": "x"}), true);
        assert_eq!(inside.namespace(), Some("home"));
        assert_eq!(label(&inside, names::PROFILE).as_deref(), Some("web"));
        assert_eq!(label(&inside, names::NAMESPACE), None);
        let elsewhere = prepared(json!({"name": "x", "namespace": "elsewhere"}), true);
        assert_eq!(elsewhere.namespace(), Some("elsewhere"));
        let above = prepared(json!({"name": "x"}), false);
        assert_eq!(above.namespace(), None);
        assert_eq!(label(&above, names::PROFILE).as_deref(), Some("web"));
        assert_eq!(label(&above, names::NAMESPACE).as_deref(), Some("home"));
    }

    #[test]
    fn what_is_not_there_is_created() {
        assert_eq!(plan(None, would(live(|_| {}))), Ok(ObjectAction::Create));
        assert_eq!(plan(None, DryRun::Later), Ok(ObjectAction::Create));
    }

    #[test]
    fn only_what_does_not_change_is_judged_as_it_is() {
        let kept = |after: Object| {
            let now = live(|_| {});
            let Ok(plan) = plan_object("web", target(), Object::default(), Some(&now), would(after)) else {
                panic!("no plan");
            };
            plan.live.is_some()
        };
        assert!(kept(live(|_| {})));
        assert!(!kept(live(|object| object.set(&["spec", "replicas"], json!(5)))));
    }

    #[test]
    fn what_the_server_would_not_change_is_unchanged() {
        let entry = |time: &str| json!([{"manager": "moorline", "operation": "Apply", "time": time, "fieldsV1": {}}]);
        let managed = |time| live(|object| object.set(&["metadata", "managedFields"], entry(time)));
        assert_eq!(
            plan(Some(&managed("1")), would(managed("2"))),
            Ok(ObjectAction::Unchanged)
        );
    }

    #[test]
    fn taking_a_field_over_is_a_change_though_no_value_differs() {
        let entry = json!([{"manager": "moorline", "operation": "Apply", "fieldsV1": {"f:spec": {}}}]);
        let after = live(|object| object.set(&["metadata", "managedFields"], entry));
        assert!(
            matches!(plan(Some(&live(|_| {})), would(after)), Ok(ObjectAction::Update { changes, .. }) if changes.is_empty())
        );
    }

    #[test]
    fn shrinking_a_set_destroys_only_where_its_policy_deletes() {
        let scaled = |policy: &str, replicas: u32| {
            live(|object| {
                object.set(&["spec", "replicas"], json!(replicas));
                object.set(
                    &["spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"],
                    json!(policy),
                );
            })
        };
        let destroys = |policy, replicas| match plan(Some(&live(|_| {})), would(scaled(policy, replicas))) {
            Ok(ObjectAction::Update { destroys, .. }) => destroys,
            other => panic!("{other:?}"),
        };
        assert_eq!(destroys("Retain", 1), None);
        assert!(destroys("Delete", 1).unwrap().contains("from 3 to 1"));
        assert_eq!((destroys("Delete", 3), destroys("Delete", 4)), (None, None));
    }

    #[test]
    fn only_an_immutable_field_of_what_is_there_is_a_replacement() {
        let immutable = || {
            refusal(
                ErrorKind::Invalid,
                "spec: Forbidden: updates to statefulset spec for fields other than",
            )
        };
        let replaced = plan(Some(&live(|_| {})), immutable()).unwrap();
        assert!(matches!(replaced, ObjectAction::Replace { keeps_dependents: true, uid, .. } if uid == "u"));
        for words in [
            "spec.clusterIPs[0]: Invalid value: [\"None\"]: may not change once set",
            "roleRef: Invalid value: {}: cannot change roleRef",
            "value: Forbidden: may not be changed in an update.",
            "provisioner: Forbidden: updates to provisioner are forbidden.",
            "spec.selector: Invalid value: {}: field is immutable",
        ] {
            let planned = plan(Some(&live(|_| {})), refusal(ErrorKind::Invalid, words));
            assert!(matches!(planned, Ok(ObjectAction::Replace { .. })), "{words}");
        }
        assert!(plan(None, immutable()).is_err());
        assert_eq!(
            plan(
                Some(&live(|_| {})),
                refusal(ErrorKind::Invalid, "spec.replicas: must be positive")
            ),
            Err("spec.replicas: must be positive".to_owned())
        );
    }

    #[test]
    fn what_others_own_is_a_conflict() {
        let field = FieldConflict {
            owner: "\"hpa\"".to_owned(),
            manager: "hpa".to_owned(),
            field: ".spec.replicas".to_owned(),
        };
        let refused = DryRun::Refused(Error::new(
            ErrorKind::FieldConflicts(vec![field]),
            "patch",
            "x",
            "conflict",
        ));
        assert_eq!(
            plan(Some(&live(|_| {})), refused),
            Err("conflict .spec.replicas".to_owned())
        );
        let others = live(|object| object.set(&["metadata", "labels", names::PROFILE], json!("other")));
        assert!(
            plan(Some(&others), would(live(|_| {})))
                .unwrap_err()
                .starts_with("conflict .metadata.labels")
        );
    }

    #[test]
    fn what_is_on_its_way_out_blocks() {
        let going = live(|object| object.set(&["metadata", "deletionTimestamp"], json!("2026-01-01T00:00:00Z")));
        assert_eq!(
            plan(Some(&going), would(live(|_| {}))),
            Err("it is being deleted".to_owned())
        );
    }
}
