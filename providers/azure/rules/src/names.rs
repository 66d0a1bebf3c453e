//! The names of accounts, shares, containers and disks, and a volume's id made of them.

use std::fmt;

use moorline_api::VolumeId;

/// Which service of a storage account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Azure Files.
    Files,
    /// Azure Blob.
    Blobs,
}

impl Service {
    /// As in the services' host names: `file`, `blob`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Files => "file",
            Self::Blobs => "blob",
        }
    }
}

/// A share or a container by name. Account names are unique in all of Azure, so that no subscription or resource group is
/// needed to tell two apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VolumeName {
    /// The storage account.
    pub account: String,
    /// Which of its services.
    pub service: Service,
    /// The share or container.
    pub name: String,
}

impl VolumeName {
    /// A name of its parts; `None` where Azure would accept one of them under no circumstances.
    pub fn new(account: &str, service: Service, name: &str) -> Option<Self> {
        let right = account_name_problem(account).is_none() && volume_name_problem(name).is_none();
        right.then(|| Self {
            account: account.to_owned(),
            service,
            name: name.to_owned(),
        })
    }

    /// Reads a volume's id: `<account>.file/<share>` or `<account>.blob/<container>`.
    pub fn parse(id: &VolumeId) -> Option<Self> {
        let (host, name) = id.0.split_once('/')?;
        let (account, service) = host.split_once('.')?;
        let service = match service {
            "file" => Service::Files,
            "blob" => Service::Blobs,
            _ => return None,
        };
        Self::new(account, service, name)
    }

    /// The volume's id.
    pub fn id(&self) -> VolumeId {
        VolumeId(self.to_string())
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}/{}", self.account, self.service.word(), self.name)
    }
}

/// A managed disk by its resource id.
///
/// Resource Manager takes ids in any letter case and answers now with one, now with another (`MC_Group`, `mc_group`): here, and
/// nowhere else, they become one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DiskName {
    subscription: String,
    group: String,
    name: String,
}

impl DiskName {
    /// Reads a disk's id, as Resource Manager, the CSI driver and the in-tree source write it:
    /// `/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Compute/disks/<name>`.
    pub fn parse(id: &str) -> Option<Self> {
        let [subscription, group, name] = parts_of_id(id, "Microsoft.Compute", "disks")?;
        Some(Self {
            subscription: subscription.to_ascii_lowercase(),
            group: group.to_ascii_lowercase(),
            name: name.to_ascii_lowercase(),
        })
    }

    /// The subscription, in lower case.
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// The resource group, in lower case.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The disk's own name, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The volume's id.
    pub fn id(&self) -> VolumeId {
        let Self {
            subscription,
            group,
            name,
        } = self;
        VolumeId(format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{name}"
        ))
    }
}

/// The subscription, the resource group and the name in a resource's id, as they are written there:
/// `/subscriptions/<subscription>/resourceGroups/<group>/providers/<provider>/<kind>/<name>`, in any letter case.
///
/// `None` for what is no id of that kind, something below such a resource among it.
pub fn parts_of_id<'a>(id: &'a str, provider: &str, kind: &str) -> Option<[&'a str; 3]> {
    let parts: Vec<&str> = id.strip_prefix('/')?.split('/').collect();
    let [
        subscriptions,
        subscription,
        groups,
        group,
        providers,
        found_provider,
        found_kind,
        name,
    ] = parts[..]
    else {
        return None;
    };
    let fixed = [
        (subscriptions, "subscriptions"),
        (groups, "resourceGroups"),
        (providers, "providers"),
        (found_provider, provider),
        (found_kind, kind),
    ];
    let right = fixed.iter().all(|(word, known)| word.eq_ignore_ascii_case(known));
    let named = [subscription, group, name];
    (right && named.into_iter().all(is_a_name)).then_some(named)
}

/// Whether this can be one of the names in a resource's id: letters, digits and `-_.()` (*Naming rules and restrictions for Azure
/// resources*). What else it were, it would mean something in an address, or on a terminal.
fn is_a_name(part: &str) -> bool {
    let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')');
    part.chars().all(is_allowed) && part.chars().any(|c| c != '.')
}

/// Why a storage account cannot have this name: 3 to 24 lower-case letters and digits.
pub fn account_name_problem(name: &str) -> Option<&'static str> {
    if !(3..=24).contains(&name.len()) {
        return Some("an account's name has 3 to 24 characters");
    }
    let right = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (!right).then_some("an account's name has lower-case letters and digits only")
}

/// Why a share or container cannot have this name: 3 to 63 lower-case letters, digits and single hyphens between them.
pub fn volume_name_problem(name: &str) -> Option<&'static str> {
    if !(3..=63).contains(&name.len()) {
        return Some("the name has 3 to 63 characters");
    }
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.bytes().all(right) {
        return Some("the name has lower-case letters, digits and hyphens only");
    }
    let misplaced = name.starts_with('-') || name.ends_with('-') || name.contains("--");
    misplaced.then_some("hyphens stand one by one between letters and digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        for (account, service, name, id) in [
            ("fml0a1b2c3", Service::Files, "pvc-1", "fml0a1b2c3.file/pvc-1"),
            ("abc", Service::Blobs, "data", "abc.blob/data"),
        ] {
            let volume = VolumeName::new(account, service, name).unwrap();
            assert_eq!(volume.id().0, id);
            assert_eq!(VolumeName::parse(&volume.id()), Some(volume));
        }
        for wrong in [
            "",
            "abc",
            "abc.file",
            "abc.queue/data",
            "abc.file/",
            "ABC.file/data",
            "abc.file/a/b",
            "abc/data",
        ] {
            assert_eq!(VolumeName::parse(&VolumeId(wrong.to_owned())), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_disk_has_one_id_however_it_is_written() {
        let id = "/subscriptions/2222-bbbb/resourceGroups/mc_web_eastus/providers/Microsoft.Compute/disks/pvc-1";
        for written in [
            id,
            "/subscriptions/2222-BBBB/resourceGroups/MC_web_eastus/providers/Microsoft.Compute/disks/PVC-1",
            "/SUBSCRIPTIONS/2222-bbbb/resourcegroups/MC_WEB_EASTUS/providers/microsoft.compute/Disks/pvc-1",
        ] {
            assert_eq!(DiskName::parse(written).unwrap().id().0, id, "{written}");
        }
        for wrong in [
            "",
            "/",
            "pvc-1",
            "subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/",
            "/subscriptions/s/resourceGroups//providers/Microsoft.Compute/disks/d",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/snapshots/d",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d/more",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/..",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d?x=y",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/\u{7f}",
            "/subscriptions/s/resourceGroups/\u{202e}g/providers/Microsoft.Compute/disks/d",
            "abc.file/data",
        ] {
            assert_eq!(DiskName::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn names_are_judged_as_azure_judges_them() {
        for right in ["abc", "a1b2c3d4e5f6a7b8c9d0e1f2"] {
            assert_eq!(account_name_problem(right), None, "{right}");
        }
        for wrong in ["ab", "Abc", "a-b", "a1b2c3d4e5f6a7b8c9d0e1f2a", "äbc", "abc.de"] {
            assert!(account_name_problem(wrong).is_some(), "{wrong}");
        }
        for right in ["abc", "a-b", "pvc-0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11"] {
            assert_eq!(volume_name_problem(right), None, "{right}");
        }
        for wrong in ["ab", "-ab", "ab-", "a--b", "aB1", "a_b", &"a".repeat(64)] {
            assert!(volume_name_problem(wrong).is_some(), "{wrong}");
        }
    }
}
