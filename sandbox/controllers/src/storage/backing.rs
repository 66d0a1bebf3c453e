//! What in a cloud a volume object stands for.

use serde_json::Value;

use crate::kinds::{BLOB_DRIVER, DISK_DRIVER, EBS_DRIVER, FILE_DRIVER};
use crate::object::text;

/// A volume in a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    /// An EBS volume, by its id.
    Ebs(String),
    /// A file share.
    Share(Inside),
    /// A blob container.
    Container(Inside),
    /// A managed disk.
    Disk(DiskName),
}

/// A share or a container in a storage account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    pub(crate) account: String,
    pub(crate) name: String,
}

/// A managed disk's name, as the id of its resource gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DiskName {
    pub(crate) resource_group: String,
    pub(crate) name: String,
}

impl Backing {
    /// What a pod gets to see of a volume object: of a share or a container the attributes count for more than the handle,
    /// which may be any text where a person wrote it.
    pub(crate) fn mounted(volume: &Value) -> Option<Self> {
        let attribute = |key: &str| attribute(volume, key);
        let handle = text(volume, "/spec/csi/volumeHandle");
        let inside = |key: &str| {
            let named = Inside::of_handle(handle);
            let account = attribute("storageaccount").or(named.as_ref().map(|named| named.account.as_str()))?;
            let name = attribute(key).or(named.as_ref().map(|named| named.name.as_str()))?;
            Some(Inside {
                account: account.to_owned(),
                name: name.to_owned(),
            })
        };
        match text(volume, "/spec/csi/driver") {
            FILE_DRIVER => inside("sharename").map(Self::Share),
            BLOB_DRIVER => inside("containername").map(Self::Container),
            _ => Self::by_handle(volume),
        }
    }

    /// What a driver deletes for a volume object: it looks at the handle alone, and where that is none of its own it has
    /// nothing to do.
    pub(crate) fn by_handle(volume: &Value) -> Option<Self> {
        let handle = text(volume, "/spec/csi/volumeHandle");
        match text(volume, "/spec/csi/driver") {
            FILE_DRIVER => Inside::of_handle(handle).map(Self::Share),
            BLOB_DRIVER => Inside::of_handle(handle).map(Self::Container),
            DISK_DRIVER => DiskName::of_id(handle).map(Self::Disk),
            EBS_DRIVER if !handle.is_empty() => Some(Self::Ebs(handle.to_owned())),
            "" => in_tree(volume),
            _ => None,
        }
    }
}

impl Inside {
    /// From a handle `<group>#<account>#<share or container>…`.
    fn of_handle(handle: &str) -> Option<Self> {
        let mut parts = handle.split('#').skip(1);
        let (account, name) = (parts.next()?, parts.next()?);
        (!account.is_empty() && !name.is_empty()).then(|| Self {
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl DiskName {
    /// From `/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Compute/disks/<name>`, in any letter case.
    pub(crate) fn of_id(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.split('/').collect();
        match parts.as_slice() {
            ["", subscriptions, _, groups, group, "providers", _, disks, name]
                if subscriptions.eq_ignore_ascii_case("subscriptions")
                    && groups.eq_ignore_ascii_case("resourceGroups")
                    && disks.eq_ignore_ascii_case("disks") =>
            {
                Some(Self {
                    resource_group: (*group).to_owned(),
                    name: (*name).to_owned(),
                })
            }
            _ => None,
        }
    }
}

/// An attribute of a CSI volume, whose name may be in any letter case.
pub(crate) fn attribute<'a>(volume: &'a Value, key: &str) -> Option<&'a str> {
    let attributes = volume.pointer("/spec/csi/volumeAttributes")?.as_object()?;
    let (_, value) = attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    value.as_str().filter(|value| !value.is_empty())
}

/// The sources that clusters used before there were drivers, and still understand.
fn in_tree(volume: &Value) -> Option<Backing> {
    // `aws://<zone>/vol-…`, or the bare id.
    let ebs = text(volume, "/spec/awsElasticBlockStore/volumeID");
    if let Some(id) = ebs.rsplit('/').next().filter(|id| !id.is_empty()) {
        return Some(Backing::Ebs(id.to_owned()));
    }
    if let Some(disk) = DiskName::of_id(text(volume, "/spec/azureDisk/diskURI")) {
        return Some(Backing::Disk(disk));
    }
    let share = text(volume, "/spec/azureFile/shareName");
    let secret = text(volume, "/spec/azureFile/secretName");
    let account = secret.strip_prefix("azure-storage-account-")?.strip_suffix("-secret")?;
    (!share.is_empty()).then(|| {
        Backing::Share(Inside {
            account: account.to_owned(),
            name: share.to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn csi(driver: &str, handle: &str) -> Value {
        json!({"spec": {"csi": {"driver": driver, "volumeHandle": handle}}})
    }

    fn inside(account: &str, name: &str) -> Inside {
        Inside {
            account: account.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn ebs_volumes_of_every_form() {
        let ebs = Some(Backing::Ebs("vol-1".to_owned()));
        assert_eq!(Backing::by_handle(&csi("ebs.csi.aws.com", "vol-1")), ebs);
        assert_eq!(Backing::by_handle(&csi("other", "vol-1")), None);
        for id in ["vol-1", "aws://us-east-1a/vol-1", "aws:///vol-1"] {
            let volume = json!({"spec": {"awsElasticBlockStore": {"volumeID": id}}});
            assert_eq!(Backing::mounted(&volume), ebs, "{id}");
        }
        assert_eq!(Backing::mounted(&json!({"spec": {"hostPath": {"path": "/"}}})), None);
    }

    #[test]
    fn shares_by_handle_and_by_attributes() {
        let mut volume = csi("file.csi.azure.com", "rg#acc#pvc-1###default");
        assert_eq!(
            Backing::by_handle(&volume),
            Some(Backing::Share(inside("acc", "pvc-1")))
        );
        volume["spec"]["csi"]["volumeAttributes"] = json!({"shareName": "other", "secretNamespace": "default"});
        assert_eq!(Backing::mounted(&volume), Some(Backing::Share(inside("acc", "other"))));
        volume["spec"]["csi"]["volumeHandle"] = json!("anything");
        assert_eq!((Backing::mounted(&volume), Backing::by_handle(&volume)), (None, None));
        volume["spec"]["csi"]["volumeAttributes"]["storageaccount"] = json!("mine");
        assert_eq!(Backing::mounted(&volume), Some(Backing::Share(inside("mine", "other"))));
        let old = json!({"spec": {"azureFile": {"shareName": "s", "secretName": "azure-storage-account-acc-secret"}}});
        assert_eq!(Backing::mounted(&old), Some(Backing::Share(inside("acc", "s"))));
    }

    #[test]
    fn containers_and_disks() {
        let container = csi("blob.csi.azure.com", "rg#acc#box##default#");
        assert_eq!(
            Backing::by_handle(&container),
            Some(Backing::Container(inside("acc", "box")))
        );
        let id = "/subscriptions/1/resourcegroups/rg/providers/Microsoft.Compute/disks/pvc-1";
        let disk = Backing::Disk(DiskName {
            resource_group: "rg".to_owned(),
            name: "pvc-1".to_owned(),
        });
        assert_eq!(Backing::by_handle(&csi("disk.csi.azure.com", id)), Some(disk.clone()));
        assert_eq!(
            Backing::mounted(&json!({"spec": {"azureDisk": {"diskURI": id}}})),
            Some(disk)
        );
    }
}
