//! The PersistentVolume of a claim.

use moorline_api::{Object, PvRequest, ReclaimPolicy, SecretRef, StorageRules, VolumeId, VolumeSpec};
use serde_json::{Value, json};

use crate::names;
use crate::plan::ClaimStorage;

/// One life of a claim, and the PersistentVolume that it names.
pub(crate) struct Anchor {
    /// The claim's UID.
    pub(crate) uid: String,
    /// `spec.volumeName`.
    pub(crate) persistent_volume: String,
}

/// What a PersistentVolume is made of beside its volume.
pub(crate) struct Recipe<'a> {
    pub(crate) rules: &'a dyn StorageRules,
    /// The profile that it belongs to, where it belongs to any.
    pub(crate) profile: Option<&'a str>,
    /// Who owns it.
    pub(crate) owner: Option<&'a str>,
    /// Namespace and name of the claim.
    pub(crate) claim: (&'a str, &'a str),
    pub(crate) storage: &'a ClaimStorage,
    /// Whether the volume was there before and made for no claim.
    pub(crate) adopted: bool,
}

/// A PersistentVolume, and what has to be there before it.
pub(crate) struct Made {
    pub(crate) object: Object,
    /// The Secret with which nodes mount it.
    pub(crate) secret: Option<SecretRef>,
}

impl Recipe<'_> {
    /// The PersistentVolume, reserved for this life of the claim and pointing to this volume.
    pub(crate) fn persistent_volume(&self, anchor: &Anchor, id: &VolumeId, volume: &VolumeSpec) -> Made {
        let (class, shape) = (&self.storage.class, &self.storage.shape);
        let (namespace, name) = self.claim;
        let source = self.rules.pv_source(&PvRequest {
            class,
            id,
            spec: volume,
            shape,
            namespace,
            claim: name,
            persistent_volume: &anchor.persistent_volume,
        });
        let reclaim = match class.reclaim_policy {
            // Whatever the class says: nobody may delete what was not made for the claim, a CSI driver neither.
            _ if self.adopted => "Retain",
            ReclaimPolicy::Delete => "Delete",
            ReclaimPolicy::Retain => "Retain",
        };
        let mut annotations = json!({ names::PROVISIONED_BY: source.provisioned_by });
        if let Some(owner) = self.owner {
            annotations[names::OWNER] = json!(owner);
        }
        let mut spec = json!({
            "capacity": {"storage": format!("{}Gi", volume.size_gib)},
            "accessModes": shape.access_modes,
            "volumeMode": shape.volume_mode,
            "persistentVolumeReclaimPolicy": reclaim,
            "storageClassName": class.name,
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": namespace,
                "name": name,
                "uid": anchor.uid,
            },
            source.source.0: source.source.1,
        });
        if !class.mount_options.is_empty() {
            spec["mountOptions"] = json!(class.mount_options);
        }
        if let Some(affinity) = source.node_affinity {
            spec["nodeAffinity"] = affinity;
        }
        let mut metadata = json!({"name": anchor.persistent_volume, "annotations": annotations});
        if let Some(profile) = self.profile {
            metadata["labels"] = json!({ names::PROFILE: profile });
        }
        let fields = [
            ("apiVersion", json!("v1")),
            ("kind", json!("PersistentVolume")),
            ("metadata", metadata),
            ("spec", spec),
        ];
        let mut object = Object::default();
        object
            .fields_mut()
            .extend(fields.map(|(key, value): (&str, Value)| (key.to_owned(), value)));
        Made {
            object,
            secret: source.secret,
        }
    }
}

#[cfg(test)]
mod tests {
    use moorline_api::{ClaimShape, StorageClass, VolumeConfig};
    use moorline_aws_rules::EbsRules;

    use super::*;

    /// The reclaim policy and the mount options of a PersistentVolume under a class that says so.
    fn made(adopted: bool, policy: &str, options: &Value) -> (String, Option<Value>) {
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"},
            "provisioner": "ebs.csi.aws.com", "reclaimPolicy": policy, "mountOptions": options,
        });
        let storage = ClaimStorage {
            class: StorageClass::from_object(&Object::from_value(class).unwrap()),
            shape: ClaimShape {
                bytes: 1 << 30,
                access_modes: vec!["ReadWriteOnce".to_owned()],
                volume_mode: "Filesystem".to_owned(),
            },
        };
        let recipe = Recipe {
            rules: &EbsRules,
            profile: Some("web"),
            owner: None,
            claim: ("default", "data-db-0"),
            storage: &storage,
            adopted,
        };
        let anchor = Anchor {
            uid: "uid".to_owned(),
            persistent_volume: "pv".to_owned(),
        };
        let volume = VolumeSpec {
            size_gib: 1,
            zone: Some("eu-west-1a".to_owned()),
            config: VolumeConfig::ebs("gp3"),
        };
        let pv = recipe
            .persistent_volume(&anchor, &VolumeId("vol-1".to_owned()), &volume)
            .object;
        let policy = pv
            .str_at(&["spec", "persistentVolumeReclaimPolicy"])
            .unwrap()
            .to_owned();
        (policy, pv.at(&["spec", "mountOptions"]).cloned())
    }

    #[test]
    fn what_was_there_before_is_retained_whatever_its_class_says() {
        let none = json!([]);
        let policy = |adopted, policy| made(adopted, policy, &none).0;
        assert_eq!(
            (policy(false, "Delete"), policy(false, "Retain")),
            ("Delete".into(), "Retain".into())
        );
        assert_eq!(
            (policy(true, "Delete"), policy(true, "Retain")),
            ("Retain".into(), "Retain".into())
        );
    }

    #[test]
    fn mount_options_are_those_of_the_class() {
        assert_eq!(made(false, "Delete", &json!([])).1, None);
        assert_eq!(made(false, "Delete", &json!(["noatime"])).1, Some(json!(["noatime"])));
    }
}
