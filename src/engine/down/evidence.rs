//! Whose a volume is: what must hold before it may be deleted, beside that nothing uses it.

use std::collections::{BTreeSet, HashMap};

use moorline_api::{Error, ListQuery, Object, ResourceKind, Volume, VolumeId};

use crate::context::Context;
use crate::names;
use crate::observe;

/// Which PersistentVolumes of the cluster name each volume.
#[derive(Debug, Default)]
pub(super) struct Pointers(HashMap<VolumeId, BTreeSet<String>>);

impl Pointers {
    /// Reads every PersistentVolume of the cluster.
    pub(super) async fn read(ctx: &Context) -> Result<Self, Error> {
        let rules = &*ctx.cloud.rules;
        let keep = |pv: Object| Some((rules.volume_id(&pv)?, pv.name().to_owned()));
        let query = ListQuery::everywhere(ResourceKind::persistent_volume());
        let mut pointers = Self::default();
        for (id, name) in observe::list(ctx, query, keep).await?.0 {
            pointers.0.entry(id).or_default().insert(name);
        }
        Ok(pointers)
    }

    /// Why a volume must stay although the claim goes that has it by the PersistentVolume `own`.
    pub(super) fn shared(&self, id: &VolumeId, own: Option<&str>) -> Option<String> {
        let other = self.0.get(id)?.iter().find(|name| Some(&***name) != own)?;
        Some(format!("PersistentVolume {other} names the same volume"))
    }
}

/// Why a volume is not this claim's, by the tags that moorline wrote in the call which made it. A volume without them, or
/// one that a claim of the same name took over from its former life, is.
pub(super) fn foreign(volume: &Volume, cluster: &str, claim: &str, claim_uid: Option<&str>) -> Option<String> {
    let tag = |key: &str| volume.tags.get(key).map(String::as_str);
    if let Some(other) = tag(names::CLUSTER_UID).filter(|uid| *uid != cluster) {
        return Some(format!("its tags say that it belongs to cluster {other}"));
    }
    if tag(names::ADOPTED).is_some() {
        return Some("it was there before, and was made for no claim".to_owned());
    }
    if claim_uid.is_some() && tag(names::CLAIM_UID) == claim_uid {
        return None;
    }
    let made_for = format!("{}/{}", tag(names::NAMESPACE)?, tag(names::CLAIM)?);
    (made_for != claim).then(|| format!("its tags say that it belongs to claim {made_for}"))
}

#[cfg(test)]
mod tests {
    use moorline_api::{Tags, VolumeConfig, VolumeSpec, VolumeState};

    use super::*;

    fn volume(tags: &[(&str, &str)]) -> Volume {
        let config = VolumeConfig::ebs("gp3");
        Volume {
            id: VolumeId("vol-1".to_owned()),
            spec: VolumeSpec {
                size_gib: 1,
                zone: None,
                config,
            },
            state: VolumeState::Available,
            attachments: Vec::new(),
            tags: tags
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect::<Tags>(),
            created: None,
        }
    }

    #[test]
    fn a_volume_belongs_to_the_claim_that_its_tags_name() {
        let ours = [
            (names::CLUSTER_UID, "c"),
            (names::NAMESPACE, "ns"),
            (names::CLAIM, "data-0"),
            (names::CLAIM_UID, "u"),
        ];
        let says = |tags: &[(&str, &str)], claim, uid| foreign(&volume(tags), "c", claim, uid);
        assert_eq!(says(&ours, "ns/data-0", Some("u")), None);
        assert_eq!(says(&ours, "ns/data-0", Some("a-later-life")), None);
        assert_eq!(says(&ours, "ns/data-0", None), None);
        assert_eq!(says(&[], "ns/data-0", Some("u")), None);
        assert!(says(&ours, "ns/data-1", Some("v")).unwrap().contains("ns/data-0"));
        assert!(says(&ours, "ns/data-1", None).is_some());
        assert!(
            says(&[(names::ADOPTED, "true")], "ns/data-0", Some("u"))
                .unwrap()
                .contains("was there before")
        );
        let elsewhere = [(names::CLUSTER_UID, "other"), (names::CLAIM_UID, "u")];
        assert!(
            says(&elsewhere, "ns/data-0", Some("u"))
                .unwrap()
                .contains("cluster other")
        );
    }

    #[test]
    fn a_volume_that_two_persistent_volumes_name_is_shared() {
        let id = VolumeId("vol-1".to_owned());
        let pointers = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Pointers(HashMap::from([(id.clone(), names)]))
        };
        assert_eq!(pointers(&["pv"]).shared(&id, Some("pv")), None);
        assert_eq!(Pointers::default().shared(&id, None), None);
        assert!(
            pointers(&["pv", "twin"])
                .shared(&id, Some("pv"))
                .unwrap()
                .contains("twin")
        );
        assert!(pointers(&["made-by-hand"]).shared(&id, None).is_some());
    }
}
