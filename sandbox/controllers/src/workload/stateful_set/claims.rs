//! A set's claims: made before the pod, adopted where they exist, let go by the retention policy.

use serde_json::{Value, json};

use super::{COMPONENT, identity};
use crate::cluster::{Cluster, Outcome};
use crate::kinds::{CLAIMS, MANAGER};
use crate::object::{child, controlled_by, entries, is_deleting, list, name, namespace, text, uid};

/// Makes the claims of `ordinal` that do not exist.
pub(super) fn ensure(cluster: &mut Cluster, set: &Value, ordinal: u64) -> Outcome {
    for template in list(set, "/spec/volumeClaimTemplates") {
        let claim_name = identity::claim_name(set, template, ordinal);
        let pod = identity::pod_name(set, ordinal);
        match cluster.get(CLAIMS, namespace(set), &claim_name) {
            Some(claim) if is_deleting(&claim) => {
                let message = format!("pvc {claim_name} is being deleted");
                return Err(moorline_sandbox_kubernetes::ApiError::new(409, "Conflict", message).into());
            }
            Some(_) => {}
            None => {
                cluster.api.create(CLAIMS, claim(set, template, &claim_name), MANAGER)?;
                let what = format!(
                    "create Claim {claim_name} Pod {pod} in StatefulSet {} success",
                    name(set)
                );
                cluster.event(set, "SuccessfulCreate", &what, COMPONENT);
            }
        }
    }
    Ok(())
}

fn claim(set: &Value, template: &Value, claim_name: &str) -> Value {
    let mut claim = template.clone();
    entries(&mut claim).remove("status");
    let mut labels = template
        .pointer("/metadata/labels")
        .cloned()
        .unwrap_or_else(|| json!({}));
    for (key, value) in set
        .pointer("/spec/selector/matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        entries(&mut labels).insert(key.clone(), value.clone());
    }
    let metadata = child(&mut claim, "metadata");
    metadata.retain(|key, _| key == "annotations");
    metadata.insert("name".to_owned(), claim_name.into());
    metadata.insert("namespace".to_owned(), namespace(set).into());
    metadata.insert("labels".to_owned(), labels);
    let owner = wanted_owner(set, None);
    if !owner.is_null() {
        metadata.insert("ownerReferences".to_owned(), json!([owner]));
    }
    claim
}

/// Sets the claims' owners as the retention policy asks: the set where it takes them along when deleted, the condemned
/// pod where scaling down takes them along, nobody where they stay.
pub(super) fn retain_or_release(
    cluster: &mut Cluster,
    set: &Value,
    ordinal: u64,
    condemned: Option<&Value>,
) -> Outcome {
    for template in list(set, "/spec/volumeClaimTemplates") {
        let Some(claim) = cluster.get(CLAIMS, namespace(set), &identity::claim_name(set, template, ordinal)) else {
            continue;
        };
        let pod_name = identity::pod_name(set, ordinal);
        let ours =
            |owner: &Value| owner["uid"] == uid(set) || (owner["kind"] == "Pod" && owner["name"] == pod_name.as_str());
        let wanted = wanted_owner(set, condemned);
        let present = list(&claim, "/metadata/ownerReferences");
        let right = if wanted.is_null() {
            !present.iter().any(ours)
        } else {
            present.contains(&wanted)
        };
        if right {
            continue;
        }
        cluster.change(CLAIMS, &claim, MANAGER, |live| {
            let owners = child(live, "metadata")
                .entry("ownerReferences")
                .or_insert_with(|| json!([]));
            if let Some(owners) = owners.as_array_mut() {
                owners.retain(|owner| !ours(owner));
                if !wanted.is_null() {
                    owners.push(wanted);
                }
            }
        })?;
    }
    Ok(())
}

/// The owner that the policy asks for, or null.
fn wanted_owner(set: &Value, condemned: Option<&Value>) -> Value {
    let deletes = |when: &str| text(set, &format!("/spec/persistentVolumeClaimRetentionPolicy/{when}")) == "Delete";
    match condemned {
        Some(pod) if deletes("whenScaled") => {
            json!({"apiVersion": "v1", "kind": "Pod", "name": name(pod), "uid": uid(pod)})
        }
        _ if deletes("whenDeleted") => controlled_by(set),
        _ => Value::Null,
    }
}
