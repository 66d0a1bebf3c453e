//! Names that are derived from what they are for, so that whoever comes next, after a crash too, finds the same ones.

use moorline_api::{AzureAccount, ClientToken};
use moorline_azure_rules::{Service, volume_name_problem};
use sha2::{Digest, Sha256};

use crate::metadata::hex;

/// Every derived account's name begins so.
const PREFIX: &str = "moor";
/// Digits after it: 20 of 32 kinds are 100 bits, and 24 characters are all that Azure allows.
const DIGITS: usize = 20;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Which accounts belong together: those of one profile in one cluster that are alike in everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    pub(crate) cluster: String,
    pub(crate) profile: String,
    pub(crate) service: Service,
    /// What tells the pool from others of the profile, in hexadecimal digits; a tag of its accounts.
    pub(crate) fingerprint: String,
}

/// Where a pool's accounts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ground<'a> {
    pub(crate) subscription: &'a str,
    pub(crate) group: &'a str,
    pub(crate) location: &'a str,
}

impl PoolKey {
    pub(crate) fn new(
        (cluster, profile): (&str, &str),
        service: Service,
        ground: &Ground<'_>,
        account: &AzureAccount,
    ) -> Self {
        let mut hash = Sha256::new();
        // Lengths go with the parts, so that no two lists of parts read the same.
        let mut add = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        };
        add(cluster);
        add(profile);
        add(service.word());
        add(&ground.subscription.to_ascii_lowercase());
        add(&ground.group.to_ascii_lowercase());
        add(&ground.location.to_ascii_lowercase());
        let alike = AzureAccount {
            name: None,
            subscription: None,
            resource_group: None,
            location: None,
            ..account.clone()
        };
        add(&serde_json::to_string(&alike).unwrap_or_default());
        let digest = hash.finalize();
        Self {
            cluster: cluster.to_owned(),
            profile: profile.to_owned(),
            service,
            fingerprint: hex(&digest[..16]),
        }
    }

    /// The name of an account. `attempt` is 0, and more where somebody else in the world has the names before.
    pub(crate) fn account_name(&self, number: u32, attempt: u32) -> String {
        let digest = Sha256::digest(format!("{}|{number}|{attempt}", self.fingerprint));
        let digits = digest[..DIGITS]
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        PREFIX.chars().chain(digits).collect()
    }
}

/// The name of a claim's share or container: `pvc-<uid>`, with a prefix where the class has one, and with the generation
/// from the second on.
pub(crate) fn volume_name(prefix: Option<&str>, token: &ClientToken) -> String {
    let plain = match prefix {
        Some(prefix) => format!("{prefix}-pvc-{token}"),
        None => format!("pvc-{token}"),
    };
    let plain = plain.to_ascii_lowercase();
    if volume_name_problem(&plain).is_none() {
        return plain;
    }
    // No UID of Kubernetes leads here.
    let digest = Sha256::digest(&plain);
    format!("pvc-{}", hex(&digest[..20]))
}

/// How CSI drivers begin the names of what they make, before the claim's UID: containers by how they are mounted, any share, an
/// NFS share, a disk inside of a share.
const BEGINNINGS: [&str; 5] = ["pvc-fuse-", "pvc-nfs-", "pvc-", "pvcn-", "pvcd-"];

/// The claim's UID in a name that moorline, a CSI driver or the in-tree provisioner gave: `pvc-<uid>`, `<prefix>-pvc-<uid>`,
/// `pvc-<uid>-2`.
pub(crate) fn claim_uid(name: &str) -> Option<&str> {
    let begun = BEGINNINGS.iter().find(|beginning| name.starts_with(**beginning));
    let start = match begun {
        Some(beginning) => beginning.len(),
        None => name.find("-pvc-")? + 5,
    };
    let uid = name.get(start..start + 36)?;
    let rest = &name[start + 36..];
    let groups: Vec<usize> = uid.split('-').map(str::len).collect();
    let well_formed = groups == [8, 4, 4, 4, 12]
        && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        && (rest.is_empty()
            || rest
                .strip_prefix('-')
                .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())));
    well_formed.then_some(uid)
}

#[cfg(test)]
mod tests {
    use moorline_azure_rules::account_name_problem;

    use super::*;

    const UID: &str = "0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11";

    fn key(profile: &str, sku: &str) -> PoolKey {
        let ground = Ground {
            subscription: "s",
            group: "Data",
            location: "eastus",
        };
        let account = AzureAccount {
            sku: sku.to_owned(),
            ..AzureAccount::default()
        };
        PoolKey::new(("cluster", profile), Service::Files, &ground, &account)
    }

    #[test]
    fn accounts_are_named_after_what_they_are_for() {
        let name = key("web", "Standard_LRS").account_name(0, 0);
        assert_eq!(name, key("web", "Standard_LRS").account_name(0, 0));
        assert_eq!(account_name_problem(&name), None);
        assert_eq!(name.len(), 24);
        let others = [
            key("web", "Standard_LRS").account_name(1, 0),
            key("web", "Standard_LRS").account_name(0, 1),
            key("web", "Standard_ZRS").account_name(0, 0),
            key("db", "Standard_LRS").account_name(0, 0),
        ];
        for other in &others {
            assert_ne!(*other, name);
        }
    }

    #[test]
    fn the_case_of_a_group_and_the_accounts_place_make_no_difference() {
        let ground = Ground {
            subscription: "S",
            group: "data",
            location: "EastUS",
        };
        let placed = AzureAccount {
            sku: "Standard_LRS".to_owned(),
            resource_group: Some("data".to_owned()),
            ..AzureAccount::default()
        };
        let key_ = PoolKey::new(("cluster", "web"), Service::Files, &ground, &placed);
        assert_eq!(key_, key("web", "Standard_LRS"));
    }

    #[test]
    fn volumes_are_named_after_their_claim() {
        let token = |uid: &str, generation| ClientToken {
            claim_uid: uid.to_owned(),
            generation,
        };
        for (prefix, generation, name) in [
            (None, 1, format!("pvc-{UID}")),
            (None, 2, format!("pvc-{UID}-2")),
            (Some("web"), 16, format!("web-pvc-{UID}-16")),
            (
                Some("nineteen-characters"),
                16,
                format!("nineteen-characters-pvc-{UID}-16"),
            ),
        ] {
            let named = volume_name(prefix, &token(UID, generation));
            assert_eq!(named, name);
            assert_eq!(volume_name_problem(&named), None);
            assert_eq!(claim_uid(&named), Some(UID));
        }
        for theirs in ["pvcn", "pvcd", "pvc-fuse", "pvc-nfs", "kubernetes-dynamic-pvc"] {
            assert_eq!(claim_uid(&format!("{theirs}-{UID}")), Some(UID), "{theirs}");
        }
        let odd = volume_name(None, &token("u--1", 1));
        assert_eq!(volume_name_problem(&odd), None);
        assert_eq!(claim_uid(&odd), None);
        for wrong in [
            "data",
            "pvc-",
            &format!("pvc-{UID}x"),
            &format!("pvc-{UID}-"),
            &format!("pvc-{UID}-a"),
        ] {
            assert_eq!(claim_uid(wrong), None, "{wrong}");
        }
    }
}
