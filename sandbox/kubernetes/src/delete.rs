//! Deleting: grace, finalizers, propagation, preconditions.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::error::{ApiError, Named};
use crate::object;
use crate::registry::Kind;
use crate::write::{Writer, is_finished};
use crate::{DeleteOptions, Propagation};

/// What a deletion came to.
pub(crate) struct Deleted {
    /// The object's last state, or its state while something still holds it.
    pub(crate) object: Arc<Value>,
    /// It is gone already.
    pub(crate) gone: bool,
    /// Something changed.
    pub(crate) changed: bool,
}

impl Writer<'_> {
    /// Deletes one object. `version` is a further precondition.
    pub(crate) fn delete(
        &mut self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
        version: Option<&str>,
    ) -> Result<Deleted, ApiError> {
        let live = self.state.store.get(&kind.id, namespace, name);
        let live = live.ok_or_else(|| ApiError::not_found(kind.named(), name))?;
        check_preconditions(kind, &live, options, version)?;
        if &*kind.id == "namespaces" && matches!(name, "default" | "kube-system" | "kube-public") {
            return Err(ApiError::forbidden(
                kind.named(),
                name,
                "this namespace may not be deleted",
            ));
        }
        let next = self.marked(kind, &live, options);
        if is_finished(kind, &next) {
            if self.dry_run {
                return Ok(Deleted {
                    object: live,
                    gone: true,
                    changed: false,
                });
            }
            // Only what ends gracefully is marked first, and seen so.
            let last = if &*kind.id == "pods" && next != *live {
                self.state.store.put(&kind.id, next).map_err(ApiError::internal)?
            } else {
                live.clone()
            };
            let object = self.state.store.remove(&kind.id, &last).map_err(ApiError::internal)?;
            self.after_write(kind, None)?;
            return Ok(Deleted {
                object,
                gone: true,
                changed: true,
            });
        }
        if next == *live {
            return Ok(Deleted {
                object: live,
                gone: false,
                changed: false,
            });
        }
        if self.dry_run {
            return Ok(Deleted {
                object: Arc::new(next),
                gone: false,
                changed: false,
            });
        }
        let object = self.state.store.put(&kind.id, next).map_err(ApiError::internal)?;
        Ok(Deleted {
            object,
            gone: false,
            changed: true,
        })
    }

    /// `live` as this deletion leaves it: marked, with the finalizers that the propagation asks for.
    fn marked(&self, kind: &Kind, live: &Value, options: &DeleteOptions) -> Value {
        let mut next = live.clone();
        let grace = grace_of(kind, live, options);
        let deleting = object::is_deleting(live);
        let metadata = &mut next["metadata"];
        if let Some(propagation) = options.propagation {
            set_propagation(metadata, propagation);
        }
        let earlier = object::number(live, "/metadata/deletionGracePeriodSeconds");
        if !deleting || earlier.is_some_and(|earlier| grace < earlier) {
            let at = if deleting {
                let was = object::time_at(live, "/metadata/deletionTimestamp").unwrap_or(self.now);
                was - SignedDuration::from_secs(earlier.unwrap_or(0) - grace)
            } else {
                self.now + SignedDuration::from_secs(grace)
            };
            metadata["deletionTimestamp"] = Value::from(object::time(at));
            if &*kind.id != "namespaces" {
                metadata["deletionGracePeriodSeconds"] = json!(grace);
            }
            if let (false, Some(generation)) = (deleting, object::number(live, "/metadata/generation")) {
                metadata["generation"] = json!(generation + 1);
            }
        }
        if &*kind.id == "namespaces" {
            object::child(&mut next, "status")["phase"] = Value::from("Terminating");
        }
        next
    }
}

/// Pods end gracefully unless no node runs them; everything else goes at once.
fn grace_of(kind: &Kind, live: &Value, options: &DeleteOptions) -> i64 {
    if &*kind.id != "pods" {
        return 0;
    }
    let ended = matches!(object::text(live, "/status/phase"), "Succeeded" | "Failed");
    if object::text(live, "/spec/nodeName").is_empty() || ended {
        return 0;
    }
    let own = object::number(live, "/spec/terminationGracePeriodSeconds").unwrap_or(30);
    options.grace_seconds.unwrap_or(own).max(0)
}

fn set_propagation(metadata: &mut Value, propagation: Propagation) {
    let wanted = match propagation {
        Propagation::Foreground => Some("foregroundDeletion"),
        Propagation::Orphan => Some("orphan"),
        Propagation::Background => None,
    };
    let mut finalizers: Vec<Value> = object::list(metadata, "/finalizers").to_vec();
    finalizers.retain(|finalizer| !matches!(finalizer.as_str(), Some("foregroundDeletion" | "orphan")));
    finalizers.extend(wanted.map(Value::from));
    if finalizers.is_empty() {
        object::entries(metadata).remove("finalizers");
    } else {
        metadata["finalizers"] = Value::Array(finalizers);
    }
}

fn check_preconditions(
    kind: &Kind,
    live: &Value,
    options: &DeleteOptions,
    version: Option<&str>,
) -> Result<(), ApiError> {
    let conflict = |what: &str, wanted: &str, found: &str, then: &str| {
        // The real server names the kind here, not the resource.
        let named = Named {
            plural: &kind.kind,
            group: &kind.group,
        };
        let why = format!(
            "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might have been {then}"
        );
        Err(ApiError::conflict(named, object::name(live), &why))
    };
    match (&options.uid, version) {
        (Some(uid), _) if uid != object::uid(live) => {
            conflict("UID", uid, object::uid(live), "deleted and then recreated")
        }
        (_, Some(version)) if version != object::text(live, "/metadata/resourceVersion") => conflict(
            "ResourceVersion",
            version,
            object::text(live, "/metadata/resourceVersion"),
            "modified",
        ),
        _ => Ok(()),
    }
}
