//! What the Lease says: who holds it, since when, and how often it changed hands.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use moorline_api::words::clean;
use moorline_api::{Gvk, Object, ObjectRef, ResourceKind};
use serde_json::{Value, json};

use super::{Holder, SPAN};
use crate::names;

/// Annotation of a lock: the command that its holder runs.
const COMMAND: &str = "moorline.dev/lock-command";
/// Annotation of a lock: marks by which the holder's own machine can tell whether its process is still there.
const PROCESS: &str = "moorline.dev/lock-process";

/// No holder is waited for longer than this without a sign of life, whatever its Lease says.
const LONGEST: Duration = Duration::from_mins(5);

/// A Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its version, for the next write.
    pub(super) version: String,
    /// Its UID, for its removal.
    pub(super) uid: String,
    /// Who holds it; `None` where it was released.
    pub(super) holder: Option<String>,
    /// The mark of the holder's process; empty where there is none.
    pub(super) process: String,
    /// How long it is the holder's without a sign of life.
    pub(super) span: Duration,
    /// How often it changed hands: the fencing number of its holder.
    pub(super) transitions: i64,
    command: String,
    since: String,
}

impl Record {
    pub(super) fn of(lease: &Object) -> Self {
        let text = |path: &[&str]| lease.str_at(path).unwrap_or_default().to_owned();
        let annotation = |key: &str| lease.annotation(key).unwrap_or_default().to_owned();
        let seconds = lease.i64_at(&["spec", "leaseDurationSeconds"]);
        let span = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Self {
            version: lease.resource_version().unwrap_or_default().to_owned(),
            uid: lease.uid().unwrap_or_default().to_owned(),
            holder: Some(text(&["spec", "holderIdentity"])).filter(|holder| !holder.is_empty()),
            process: annotation(PROCESS),
            span: span.map_or(SPAN, Duration::from_secs).min(LONGEST),
            transitions: lease.i64_at(&["spec", "leaseTransitions"]).unwrap_or_default(),
            command: annotation(COMMAND),
            since: text(&["spec", "acquireTime"]),
        }
    }

    /// Who holds it and since when, for people.
    pub(super) fn keeper(&self) -> Keeper {
        Keeper {
            holder: clean(self.holder.as_deref().unwrap_or_default()),
            command: clean(&self.command),
            since: self.since.parse().ok(),
        }
    }
}

/// Who holds a lock, as its Lease says; safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// `user@host/process/number of the run`.
    pub holder: String,
    /// The command that it runs; empty where the Lease names none.
    pub command: String,
    /// Since when, by the holder's clock.
    pub since: Option<Timestamp>,
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.holder)?;
        if !self.command.is_empty() {
            write!(f, " (`{}`)", self.command)?;
        }
        match &self.since {
            Some(since) => write!(f, " since {since:.0}"),
            None => Ok(()),
        }
    }
}

/// The Lease of this name.
pub(super) fn lease(namespace: &str, name: &str) -> ObjectRef {
    let verbs = ["get", "list", "watch", "create", "update", "patch", "delete"];
    let kind = ResourceKind {
        gvk: Gvk::new("coordination.k8s.io/v1", "Lease"),
        plural: "leases".to_owned(),
        namespaced: true,
        verbs: verbs.map(str::to_owned).to_vec(),
    };
    ObjectRef::new(kind, namespace, name)
}

/// What is written to hold the lease: the fields of an object that is made, or of a patch.
pub(super) fn taken(holder: &Holder, transitions: i64, now: Timestamp) -> Value {
    json!({
        "metadata": {
            "labels": { "app.kubernetes.io/managed-by": names::FIELD_MANAGER },
            "annotations": { COMMAND: holder.command, PROCESS: holder.process },
        },
        "spec": {
            "holderIdentity": holder.identity,
            "leaseDurationSeconds": SPAN.as_secs(),
            "acquireTime": micros(now),
            "renewTime": micros(now),
            "leaseTransitions": transitions,
        },
    })
}

/// What is written as a sign of life.
pub(super) fn renewed(now: Timestamp) -> Value {
    json!({ "spec": { "renewTime": micros(now) } })
}

/// What is written to give it back. The number of transitions stays, and goes on growing.
pub(super) fn released(now: Timestamp) -> Value {
    json!({
        "metadata": { "annotations": { COMMAND: null, PROCESS: null } },
        "spec": { "holderIdentity": null, "acquireTime": null, "renewTime": micros(now) },
    })
}

/// The same patch, for this version alone.
pub(super) fn at_version(mut patch: Value, version: &str) -> Value {
    patch["metadata"]["resourceVersion"] = Value::from(version);
    patch
}

/// Kubernetes' `MicroTime`, which wants six digits.
fn micros(time: Timestamp) -> String {
    format!("{time:.6}")
}

#[cfg(test)]
mod tests {

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let holder = Holder {
            identity: "ci@build-7/4711/1f".to_owned(),
            command: "moorline up prod/".to_owned(),
            process: "boot 1".to_owned(),
            fate: |_| super::super::Fate::Unknown,
        };
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let lease = taken(&holder, 3, now);
        assert_eq!(lease["spec"]["renewTime"], "2026-11-21T12:00:00.000000Z");
        let record = Record::of(&object(lease));
        assert_eq!(record.holder.as_deref(), Some("ci@build-7/4711/1f"));
        assert_eq!((record.transitions, record.span), (3, SPAN));
        assert_eq!(
            record.keeper().to_string(),
            "ci@build-7/4711/1f (`moorline up prod/`) since 2026-11-21T12:00:00Z"
        );
    }

    #[test]
    fn one_that_names_nobody_is_free() {
        for spec in [
            json!({}),
            json!({"holderIdentity": ""}),
            json!({"holderIdentity": null}),
        ] {
            assert_eq!(Record::of(&object(json!({"spec": spec}))).holder, None);
        }
    }

    #[test]
    fn nobody_is_waited_for_for_ever() {
        let spec = json!({"holderIdentity": "x", "leaseDurationSeconds": 2_000_000_000});
        assert_eq!(Record::of(&object(json!({"spec": spec}))).span, LONGEST);
    }

    #[test]
    fn a_holder_cannot_write_on_the_terminal() {
        let spec = json!({"holderIdentity": "\u{1b}]0;owned\u{7}"});
        let record = Record::of(&object(json!({"spec": spec})));
        assert!(!record.keeper().to_string().contains('\u{1b}'));
    }
}
