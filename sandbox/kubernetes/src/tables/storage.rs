//! Claims, volumes, classes, attachments, CSI.

use serde_json::{Value, json};

use super::{Layout, Row};
use crate::object::{annotation, is_deleting, list, map, text};

pub(super) fn layout(id: &str) -> Option<Layout> {
    Some(match id {
        "persistentvolumeclaims" => Layout {
            columns: "Name|Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age|VolumeMode+",
            row: claim,
        },
        "persistentvolumes" => Layout {
            columns: "Name|Capacity|Access Modes|Reclaim Policy|Status|Claim|StorageClass|VolumeAttributesClass|Reason|Age|VolumeMode+",
            row: volume,
        },
        "storageclasses.storage.k8s.io" => Layout {
            columns: "Name|Provisioner|ReclaimPolicy|VolumeBindingMode|AllowVolumeExpansion|Age",
            row: |row| {
                let default = annotation(row.object, "storageclass.kubernetes.io/is-default-class") == "true";
                let name = format!(
                    "{}{}",
                    row.text("/metadata/name"),
                    if default { " (default)" } else { "" }
                );
                let expands = row.object["allowVolumeExpansion"] == true;
                vec![
                    json!(name),
                    json!(row.text("/provisioner")),
                    json!(row.text("/reclaimPolicy")),
                    json!(row.text("/volumeBindingMode")),
                    json!(expands),
                    row.age(),
                ]
            },
        },
        "volumeattachments.storage.k8s.io" => Layout {
            columns: "Name|Attacher|PV|Node|Attached|Age",
            row: |row| {
                let attached = row.object.pointer("/status/attached").cloned().unwrap_or(json!(false));
                vec![
                    row.name(),
                    json!(row.text("/spec/attacher")),
                    json!(row.text("/spec/source/persistentVolumeName")),
                    json!(row.text("/spec/nodeName")),
                    attached,
                    row.age(),
                ]
            },
        },
        "csidrivers.storage.k8s.io" => Layout {
            columns: "Name|AttachRequired|PodInfoOnMount|StorageCapacity|TokenRequests|RequiresRepublish|Modes|Age",
            row: |row| {
                let flag = |key: &str| row.object["spec"][key].as_bool().unwrap_or(false);
                let modes: Vec<&str> = list(row.object, "/spec/volumeLifecycleModes")
                    .iter()
                    .filter_map(Value::as_str)
                    .collect();
                vec![
                    row.name(),
                    json!(flag("attachRequired")),
                    json!(flag("podInfoOnMount")),
                    json!(flag("storageCapacity")),
                    json!("<unset>"),
                    json!(flag("requiresRepublish")),
                    json!(modes.join(",")),
                    row.age(),
                ]
            },
        },
        "csinodes.storage.k8s.io" => Layout {
            columns: "Name|Drivers#|Age",
            row: |row| vec![row.name(), json!(list(row.object, "/spec/drivers").len()), row.age()],
        },
        _ => return None,
    })
}

fn access_modes(object: &Value, pointer: &str) -> String {
    let modes = list(object, pointer).iter().filter_map(Value::as_str);
    let short = modes.map(|mode| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    });
    short.collect::<Vec<_>>().join(",")
}

fn phase<'a>(row: &Row<'a>) -> &'a str {
    if is_deleting(row.object) {
        "Terminating"
    } else {
        row.text("/status/phase")
    }
}

fn class<'a>(row: &Row<'a>) -> &'a str {
    let old = annotation(row.object, "volume.beta.kubernetes.io/storage-class");
    if old.is_empty() {
        row.text("/spec/storageClassName")
    } else {
        old
    }
}

fn claim(row: &Row<'_>) -> Vec<Value> {
    let volume = row.text("/spec/volumeName");
    let (capacity, modes) = if volume.is_empty() {
        (String::new(), String::new())
    } else {
        (
            row.text("/status/capacity/storage").to_owned(),
            access_modes(row.object, "/status/accessModes"),
        )
    };
    vec![
        row.name(),
        json!(phase(row)),
        json!(volume),
        json!(capacity),
        json!(modes),
        json!(class(row)),
        row.text_or("/spec/volumeAttributesClassName", "<unset>"),
        row.age(),
        row.text_or("/spec/volumeMode", "<unset>"),
    ]
}

fn volume(row: &Row<'_>) -> Vec<Value> {
    let claim = map(row.object, "/spec/claimRef").map(|_| {
        let reference = &row.object["spec"]["claimRef"];
        format!("{}/{}", text(reference, "/namespace"), text(reference, "/name"))
    });
    vec![
        row.name(),
        json!(row.text("/spec/capacity/storage")),
        json!(access_modes(row.object, "/spec/accessModes")),
        json!(row.text("/spec/persistentVolumeReclaimPolicy")),
        json!(phase(row)),
        json!(claim.unwrap_or_default()),
        json!(class(row)),
        row.text_or("/spec/volumeAttributesClassName", "<unset>"),
        json!(row.text("/status/reason")),
        row.age(),
        row.text_or("/spec/volumeMode", "<unset>"),
    ]
}
