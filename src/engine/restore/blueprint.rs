//! What a claim was: by what was asked for, then by the profile, then by the tags of what is brought back. Pure.

use std::collections::BTreeMap;

use moorline_api::{ClaimShape, Object, Tags, VolumeSort, tags};
use moorline_profile::{ClaimTemplate, ClassRef, Profile, SetClaims, StandaloneClaim};
use serde_json::{Value, json};

use super::{RestoreRequest, Source, refused};
use crate::error::EngineError;
use crate::fold::Key;
use crate::names;
use crate::status::set_of;

/// The tags by which drivers say which claim a volume was made for: namespace, then name.
const DRIVERS: [(&str, &str); 2] = [
    (
        "kubernetes.io/created-for/pvc/namespace",
        "kubernetes.io/created-for/pvc/name",
    ),
    (
        "kubernetes.io-created-for-pvc-namespace",
        "kubernetes.io-created-for-pvc-name",
    ),
];

/// What a claim is made from, but for its class's rules.
#[derive(Debug)]
pub(super) struct Blueprint {
    pub(super) key: Key,
    /// The class's name; `None` where the cluster's default decides.
    pub(super) class: Option<String>,
    pub(super) shape: ClaimShape,
    /// `spec` as the profile has it.
    spec: Option<Value>,
    pub(super) labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    pub(super) profile: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) set: Option<String>,
}

/// A claim as the profile writes it.
struct Written<'a> {
    class: &'a ClassRef,
    shape: &'a ClaimShape,
    spec: &'a Value,
    labels: BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
    set: Option<&'a str>,
}

impl<'a> Written<'a> {
    fn find(profile: &'a Profile, key: &Key) -> Option<Self> {
        if let Some((set, ordinal)) = set_of(profile, key) {
            let of_claim = |template: &&ClaimTemplate| set.claim_name(&template.name, ordinal) == key.1;
            return set
                .templates
                .iter()
                .find(of_claim)
                .map(|template| Self::of_set(set, template));
        }
        let same = |claim: &&StandaloneClaim| (&claim.namespace, &claim.name) == (&key.0, &key.1);
        profile.claims.iter().find(same).map(|claim| Self {
            class: &claim.class,
            shape: &claim.shape,
            spec: &claim.spec,
            labels: claim.labels.clone(),
            annotations: &claim.annotations,
            set: None,
        })
    }

    fn of_set(set: &'a SetClaims, template: &'a ClaimTemplate) -> Self {
        let labels = template.labels.clone().into_iter().chain(set.match_labels.clone());
        Self {
            class: &template.class,
            shape: &template.shape,
            spec: &template.spec,
            labels: labels.collect(),
            annotations: &template.annotations,
            set: Some(&set.name),
        }
    }
}

impl Blueprint {
    /// The claim, or what nobody says about it.
    pub(super) fn of(
        profile: Option<&Profile>,
        request: &RestoreRequest,
        source: &Source,
    ) -> Result<Self, EngineError> {
        let key = key_of(request, &source.tags).ok_or_else(|| {
            refused(
                format!("{} does not say which claim it was of", source.title()),
                "pass --namespace and --claim; nothing was changed",
            )
        })?;
        let written = profile.and_then(|profile| Written::find(profile, &key));
        if let (Some(profile), None) = (profile, &written) {
            return Err(refused(
                format!("profile {} has no claim {}/{}", profile.name, key.0, key.1),
                "name the profile that the claim is of, or none; nothing was changed",
            ));
        }
        let tag = |name: &str| source.tags.get(name).filter(|value| !value.is_empty()).cloned();
        // A copy under another name is no set's and no profile's: what deletes theirs must not take it for one of them.
        let is_itself = said(&source.tags).is_none_or(|said| said == key);
        let of_itself = |name: &str| tag(name).filter(|_| is_itself);
        let class = request
            .class
            .clone()
            .or_else(|| match written.as_ref().map(|written| written.class) {
                Some(ClassRef::Named(name)) => Some(name.clone()),
                _ => tag(tags::STORAGE_CLASS),
            });
        let size_gib = request.size_gib.unwrap_or(source.size_gib);
        Ok(Self {
            shape: ClaimShape {
                bytes: bytes(size_gib),
                access_modes: modes(request, written.as_ref(), source),
                volume_mode: written.as_ref().map_or_else(
                    || tag(tags::VOLUME_MODE).unwrap_or_else(|| "Filesystem".to_owned()),
                    |written| written.shape.volume_mode.clone(),
                ),
            },
            class,
            spec: written.as_ref().map(|written| written.spec.clone()),
            labels: written
                .as_ref()
                .map_or_else(BTreeMap::new, |written| written.labels.clone()),
            annotations: written
                .as_ref()
                .map_or_else(BTreeMap::new, |written| written.annotations.clone()),
            profile: profile
                .map(|profile| profile.name.clone())
                .or_else(|| of_itself(tags::PROFILE)),
            owner: profile
                .and_then(|profile| profile.owner.clone())
                .or_else(|| tag(tags::OWNER)),
            set: match written {
                Some(written) => written.set.map(str::to_owned),
                None => of_itself(tags::SET),
            },
            key,
        })
    }

    /// The claim as it is created: with the name of the PersistentVolume to come, and what it is brought back from.
    pub(super) fn object(&self, class: &str, persistent_volume: &str, source: &Source) -> Object {
        let mut spec = self.spec.clone().unwrap_or_else(|| json!({}));
        spec["accessModes"] = json!(self.shape.access_modes);
        spec["volumeMode"] = json!(self.shape.volume_mode);
        spec["storageClassName"] = json!(class);
        spec["volumeName"] = json!(persistent_volume);
        spec["resources"]["requests"]["storage"] = json!(format!("{}Gi", self.shape.bytes >> 30));
        let mut labels = self.labels.clone();
        labels.extend(
            self.profile
                .iter()
                .map(|profile| (names::PROFILE.to_owned(), profile.clone())),
        );
        let mut annotations = self.annotations.clone();
        annotations.extend(self.owner.iter().map(|owner| (names::OWNER.to_owned(), owner.clone())));
        annotations.extend(self.set.iter().map(|set| (names::SET.to_owned(), set.clone())));
        annotations.insert(tags::RESTORED_FROM.to_owned(), source.origin.id().to_owned());
        let mut object = Object::default();
        object.set(&["apiVersion"], json!("v1"));
        object.set(&["kind"], json!("PersistentVolumeClaim"));
        object.set(
            &["metadata"],
            json!({"namespace": self.key.0, "name": self.key.1, "labels": labels, "annotations": annotations}),
        );
        object.set(&["spec"], spec);
        object
    }
}

pub(super) fn bytes(gib: u32) -> u64 {
    u64::from(gib) << 30
}

/// The claim that the tags name.
fn said(tags: &Tags) -> Option<Key> {
    let mut pairs = std::iter::once((names::NAMESPACE, names::CLAIM)).chain(DRIVERS);
    pairs.find_map(|(namespace, name)| Some((tags.get(namespace)?.clone(), tags.get(name)?.clone())))
}

/// The claim that is asked for, or that the tags name.
pub(super) fn key_of(request: &RestoreRequest, tags: &Tags) -> Option<Key> {
    let said = said(tags);
    let namespace = request.namespace.clone();
    let claim = request.claim.clone();
    match (namespace, claim, said) {
        (Some(namespace), Some(claim), _) => Some((namespace, claim)),
        (namespace, claim, Some(said)) => Some((namespace.unwrap_or(said.0), claim.unwrap_or(said.1))),
        _ => None,
    }
}

fn modes(request: &RestoreRequest, written: Option<&Written<'_>>, source: &Source) -> Vec<String> {
    if !request.access_modes.is_empty() {
        return request.access_modes.clone();
    }
    if let Some(written) = written {
        return written.shape.access_modes.clone();
    }
    if let Some(said) = source.tags.get(tags::ACCESS_MODES) {
        let modes: Vec<String> = said
            .split(' ')
            .filter(|mode| !mode.is_empty())
            .map(str::to_owned)
            .collect();
        if !modes.is_empty() {
            return modes;
        }
    }
    let is_disk = source
        .spec
        .as_ref()
        .is_none_or(|spec| spec.config.sort() == VolumeSort::Disk);
    vec![if is_disk { "ReadWriteOnce" } else { "ReadWriteMany" }.to_owned()]
}

/// Tags that the new volume takes over: everything that says nothing of the former life, of the snapshot, or of garbage
/// collection.
pub(super) fn inherited(tags: &Tags) -> Tags {
    const OURS: [&str; 2] = [tags::OWNER, tags::PROTECT];
    let keep = |key: &str| {
        let of_cloud = key.starts_with("aws:") || key == "CSIVolumeSnapshotName";
        !of_cloud && (!key.starts_with("moorline.dev/") || OURS.contains(&key))
    };
    tags.iter()
        .filter(|(key, _)| keep(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use moorline_api::{Origin, VolumeId};

    use super::*;

    fn source(tags: &[(&str, &str)]) -> Source {
        Source {
            origin: Origin::Snapshot("snap-1".to_owned()),
            volume: VolumeId("vol-1".to_owned()),
            taken: None,
            size_gib: 3,
            spec: None,
            tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            alive: false,
        }
    }

    fn request() -> RestoreRequest {
        RestoreRequest {
            what: "snap-1".to_owned(),
            ..RestoreRequest::default()
        }
    }

    #[test]
    fn the_tags_say_what_the_claim_was() {
        let source = source(&[
            (tags::NAMESPACE, "ns"),
            (tags::CLAIM, "data-web-0"),
            (tags::STORAGE_CLASS, "fast"),
            (tags::ACCESS_MODES, "ReadWriteOnce ReadOnlyMany"),
            (tags::PROFILE, "shop"),
            (tags::SET, "web"),
        ]);
        let blueprint = Blueprint::of(None, &request(), &source).unwrap();
        let claim = blueprint.object("fast", "pv-1", &source);
        assert_eq!((claim.namespace(), claim.name()), (Some("ns"), "data-web-0"));
        assert_eq!(claim.str_at(&["spec", "volumeName"]), Some("pv-1"));
        assert_eq!(claim.list_at(&["spec", "accessModes"]).len(), 2);
        assert_eq!(claim.str_at(&["spec", "resources", "requests", "storage"]), Some("3Gi"));
        assert_eq!(claim.label(names::PROFILE), Some("shop"));
        assert_eq!(claim.annotation(names::SET), Some("web"));
        assert_eq!(claim.annotation(tags::RESTORED_FROM), Some("snap-1"));
    }

    #[test]
    fn what_is_asked_for_goes_before_tags_and_drivers_tags_count_too() {
        let source = source(&[
            ("kubernetes.io/created-for/pvc/namespace", "ns"),
            ("kubernetes.io/created-for/pvc/name", "data"),
        ]);
        assert_eq!(
            key_of(&request(), &source.tags),
            Some(("ns".to_owned(), "data".to_owned()))
        );
        let other = RestoreRequest {
            claim: Some("copy".to_owned()),
            ..request()
        };
        assert_eq!(key_of(&other, &source.tags), Some(("ns".to_owned(), "copy".to_owned())));
        assert_eq!(key_of(&other, &Tags::new()), None, "the namespace is nobody's guess");
    }

    #[test]
    fn a_copy_under_another_name_belongs_to_no_set_and_no_profile() {
        let source = source(&[
            (tags::NAMESPACE, "ns"),
            (tags::CLAIM, "data-web-0"),
            (tags::PROFILE, "shop"),
            (tags::SET, "web"),
        ]);
        let renamed = RestoreRequest {
            claim: Some("copy".to_owned()),
            ..request()
        };
        let copy = Blueprint::of(None, &renamed, &source).unwrap();
        assert_eq!((copy.profile, copy.set), (None, None));
        assert!(!inherited(&source.tags).contains_key(tags::PROFILE));
        let itself = Blueprint::of(None, &request(), &source).unwrap();
        assert_eq!(
            (itself.profile.as_deref(), itself.set.as_deref()),
            (Some("shop"), Some("web"))
        );
    }

    #[test]
    fn nobody_guesses_a_claim() {
        let error = Blueprint::of(None, &request(), &source(&[])).unwrap_err();
        assert!(error.to_string().contains("--namespace and --claim"), "{error}");
    }

    #[test]
    fn marks_and_former_lives_are_left_behind() {
        let kept = inherited(
            &source(&[
                ("team", "data"),
                ("aws:backup", "x"),
                ("CSIVolumeSnapshotName", "s"),
                (tags::UNUSED, "since"),
                (tags::EXPIRES, "then"),
                (tags::CLAIM_UID, "old"),
                (tags::PROTECT, "true"),
                (tags::OWNER, "me"),
            ])
            .tags,
        );
        let keys: Vec<&str> = kept.keys().map(String::as_str).collect();
        assert_eq!(keys, [tags::OWNER, tags::PROTECT, "team"]);
    }
}
