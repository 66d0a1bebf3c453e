//! What a volume's tags and name say of who made it.
//!
//! Sources: the tags of the EBS CSI driver with and without `--extra-create-metadata` and `--k8s-tag-cluster-id`, of the
//! in-tree provisioner, of the Azure drivers, and our own. None of them is proof by itself: a name of a claim says nothing of
//! its cluster, and a cluster's tag says nothing of a claim.

use moorline_api::{Tags, Volume, tags};

use crate::intern::{Names, Sym};
use crate::names;

/// Who made a volume, as far as it says so itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Maker {
    /// UID of the cluster's `kube-system`.
    pub(crate) cluster_uid: Sym,
    /// A cluster's id in drivers' tags.
    pub(crate) cluster_id: Sym,
    pub(crate) namespace: Sym,
    pub(crate) claim_uid: Sym,
    /// Whether tags or name say that it was made for a claim, whichever.
    pub(crate) for_a_claim: bool,
    /// Why what it says counts for nothing.
    pub(crate) doubt: Sym,
}

impl Maker {
    pub(crate) fn of(volume: &Volume, all: &mut Names) -> Self {
        let tags = &volume.tags;
        let tag = |key: &str| tags.get(key).map(String::as_str).filter(|value| !value.is_empty());
        let (namespace, claim, claims_agree) = claim_names(tags);
        let uids = claim_uids(volume);
        let ids = cluster_ids(tags);
        let trap = tags
            .keys()
            .find(|key| names::TRAPS.iter().any(|trap| key.starts_with(trap)));
        let doubt = if let Some(trap) = trap {
            Some(format!("its tag {trap} says that it is a cluster's own disk"))
        } else if !all_same(&uids) {
            Some(format!(
                "tags and name give it several makers: claims {}",
                uids.join(", ")
            ))
        } else if !all_same(&ids) {
            Some(format!("its tags give it several clusters: {}", ids.join(", ")))
        } else if !claims_agree {
            Some("its tags name several claims".to_owned())
        } else {
            None
        };
        Self {
            cluster_uid: all.add(tag(tags::CLUSTER_UID).unwrap_or_default()),
            cluster_id: all.add(ids.first().copied().unwrap_or_default()),
            namespace: all.add(namespace.unwrap_or_default()),
            claim_uid: all.add(uids.first().copied().unwrap_or_default()),
            for_a_claim: claim.is_some() || !uids.is_empty(),
            doubt: all.add(&doubt.unwrap_or_default()),
        }
    }
}

fn all_same(values: &[&str]) -> bool {
    values.windows(2).all(|pair| pair[0].eq_ignore_ascii_case(pair[1]))
}

/// Namespace and name of the claim that a volume was made for, and whether all tags agree.
pub(crate) fn claim_names(tags: &Tags) -> (Option<&str>, Option<&str>, bool) {
    let tag = |key: &str| tags.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let said = [
        (tag(tags::NAMESPACE), tag(tags::CLAIM)),
        (tag(names::CREATED_FOR[0][0]), tag(names::CREATED_FOR[0][1])),
        (tag(names::CREATED_FOR[1][0]), tag(names::CREATED_FOR[1][1])),
    ];
    let mut namespaces = said.iter().filter_map(|(namespace, _)| *namespace);
    let mut claims = said.iter().filter_map(|(_, claim)| *claim);
    let (namespace, claim) = (namespaces.next(), claims.next());
    let agree = namespaces.all(|other| Some(other) == namespace) && claims.all(|other| Some(other) == claim);
    (namespace, claim, agree)
}

/// Every claim's UID that tags and name give.
fn claim_uids(volume: &Volume) -> Vec<&str> {
    let tag = |key: &str| volume.tags.get(key).map(String::as_str);
    let own = tag(tags::CLAIM_UID).filter(|uid| !uid.is_empty());
    let named = [
        tag(names::CSI_VOLUME_NAME),
        tag(names::CREATED_FOR[0][2]),
        tag(names::CREATED_FOR[1][2]),
        tag("Name").filter(|name| name.contains("dynamic-pvc-")),
        Some(volume.id.name()),
    ];
    // A share that was brought back keeps its name, whoever has it now.
    let past = tag(tags::FORMER_CLAIM_UID).filter(|_| own.is_some());
    let named = named.into_iter().flatten().filter_map(uid_in_name);
    let named = named.filter(|uid| past.is_none_or(|past| !uid.eq_ignore_ascii_case(past)));
    own.into_iter().chain(named).collect()
}

/// The UID in a name that a provisioner gave: `pvc-<uid>`, `<prefix>-pvc-<uid>`, `pvcn-<uid>`, `<cluster>-dynamic-pvc-<uid>`,
/// with a number behind where a first try had failed.
pub(crate) fn uid_in_name(name: &str) -> Option<&str> {
    const UID: usize = 36;
    let is_start = |at: usize| at == 0 || name.as_bytes().get(at - 1) == Some(&b'-');
    let start = ["pvc-", "pvcn-", "pvcd-"].iter().find_map(|mark| {
        let (at, _) = name.match_indices(mark).filter(|(at, _)| is_start(*at)).last()?;
        Some(at + mark.len())
    })?;
    let uid = name.get(start..start + UID)?;
    let groups: Vec<usize> = uid.split('-').map(str::len).collect();
    let hexadecimal = uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let rest = &name[start + UID..];
    let number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let ends = rest.is_empty() || rest.strip_prefix('-').is_some_and(number);
    (groups == [8, 4, 4, 4, 12] && hexadecimal && ends).then_some(uid)
}

/// Every cluster's id that drivers' tags give. `shared` is no owner.
fn cluster_ids(tags: &Tags) -> Vec<&str> {
    let owned = tags.iter().filter(|(_, value)| *value == "owned");
    let owned = owned.filter_map(|(key, _)| key.strip_prefix(names::CLUSTER_PREFIX));
    let named = names::CLUSTER_IDS.iter().filter_map(|key| tags.get(*key));
    owned
        .chain(named.map(String::as_str))
        .filter(|id| !id.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11";

    #[test]
    fn provisioners_names_have_the_claims_uid_in_them() {
        for name in [
            format!("pvc-{UID}"),
            format!("pvc-{UID}-2"),
            format!("web-pvc-{UID}"),
            format!("my-pvc-web-pvc-{UID}"),
            format!("pvcn-{UID}"),
            format!("pvcd-{UID}"),
            format!("kubernetes-dynamic-pvc-{UID}"),
            format!("prod.example.com-dynamic-pvc-{UID}"),
        ] {
            assert_eq!(uid_in_name(&name), Some(UID), "{name}");
        }
        for name in [
            "pvc-",
            "data",
            "vol-0123",
            &format!("pvc-{UID}x"),
            &format!("pvc-{UID}-"),
            &format!("xpvc-{UID}"),
            // Of the right length: no digit of sixteen; other groups.
            &format!("pvc-{}", UID.replace('b', "g")),
            &format!("pvc-{}", UID.replace("5-2b8e", "-52b8e")),
        ] {
            assert_eq!(uid_in_name(name), None, "{name}");
        }
    }
}
