//! The tags by which every volume says whose it is, whatever the cloud calls a tag.
//!
//! The engine writes them in the creating call. A provider may read them, for instance to keep the volumes of two clusters in
//! different accounts; it must hand them back as they were given, even where its own names for them have to look different.

use crate::{Object, Tags};

/// UID of the cluster's namespace `kube-system`.
pub const CLUSTER_UID: &str = "moorline.dev/cluster-uid";
/// The profile's name.
pub const PROFILE: &str = "moorline.dev/profile";
/// The claim's namespace.
pub const NAMESPACE: &str = "moorline.dev/namespace";
/// The claim's name.
pub const CLAIM: &str = "moorline.dev/claim";
/// The claim's UID: unique to one life of the claim.
pub const CLAIM_UID: &str = "moorline.dev/claim-uid";
/// On a volume that its class names and that was made for no claim: it is mounted and never deleted. Nobody writes this tag; a
/// provider tells it of a volume that it has looked at.
pub const ADOPTED: &str = "moorline.dev/adopted";
/// Who the profile says owns it.
pub const OWNER: &str = "moorline.dev/owner";
/// Annotation of a claim that moorline made: the StatefulSet it was made for. Outlives the set.
pub const SET: &str = "moorline.dev/stateful-set";
/// Since when runs of the garbage collector have seen the thing unused.
pub const UNUSED: &str = "moorline.dev/unused";
/// Never delete this; on volumes a tag, on claims and PersistentVolumes an annotation or a label. Any value but `false` counts.
pub const PROTECT: &str = "moorline.dev/protect";
/// Tag of a snapshot that the garbage collector took: when it may go, in RFC 3339.
pub const EXPIRES: &str = "moorline.dev/expires";
/// Tag of a snapshot that the garbage collector took: the volume that it was. A copy that somebody makes is of another one.
pub const SNAPSHOT_OF: &str = "moorline.dev/snapshot-of";
/// On a volume that came back under its old name for another claim: the UID in its name, which says nothing of its claim any more.
pub const FORMER_CLAIM_UID: &str = "moorline.dev/former-claim-uid";
/// Tag of a snapshot: the type of the volume that it was taken of, for the cloud forgets that.
pub const VOLUME_TYPE: &str = "moorline.dev/volume-type";
/// Tag of a snapshot: the volume's operations a second, where its type lets one choose.
pub const VOLUME_IOPS: &str = "moorline.dev/volume-iops";
/// Tag of a snapshot: the volume's MiB a second, where its type lets one choose.
pub const VOLUME_THROUGHPUT: &str = "moorline.dev/volume-throughput";
/// Tag of a snapshot: the zone that the volume was in.
pub const VOLUME_ZONE: &str = "moorline.dev/volume-zone";
/// What [`of_persistent_volume`] remembers: the claim's StorageClass, by name.
pub const STORAGE_CLASS: &str = "moorline.dev/storage-class";
/// The claim's access modes with a space between them: `ReadWriteOnce ReadOnlyMany`.
pub const ACCESS_MODES: &str = "moorline.dev/access-modes";
/// `Filesystem` or `Block`.
pub const VOLUME_MODE: &str = "moorline.dev/volume-mode";
/// The file system that the volume was formatted with, where the PersistentVolume said so.
pub const FS_TYPE: &str = "moorline.dev/fs-type";
/// Annotation of a claim: the snapshot or deleted volume that it is being, or was, brought back from.
pub const RESTORED_FROM: &str = "moorline.dev/restored-from";

/// What a volume's tags have to remember so that `restore` can make the claim again: read off its PersistentVolume, which is
/// still there when a snapshot is taken before a deletion. Whoever takes one adds these to the volume's own tags.
pub fn of_persistent_volume(persistent_volume: &Object) -> Tags {
    let text = |path: &[&str]| persistent_volume.str_at(path).map(str::to_owned);
    let modes: Vec<&str> = persistent_volume
        .list_at(&["spec", "accessModes"])
        .iter()
        .filter_map(|mode| mode.as_str())
        .collect();
    let known = [
        (STORAGE_CLASS, text(&["spec", "storageClassName"])),
        (ACCESS_MODES, Some(modes.join(" "))),
        (VOLUME_MODE, text(&["spec", "volumeMode"])),
        (FS_TYPE, text(&["spec", "csi", "fsType"])),
        (NAMESPACE, text(&["spec", "claimRef", "namespace"])),
        (CLAIM, text(&["spec", "claimRef", "name"])),
        (CLAIM_UID, text(&["spec", "claimRef", "uid"])),
        (PROFILE, persistent_volume.label(PROFILE).map(str::to_owned)),
        (OWNER, persistent_volume.annotation(OWNER).map(str::to_owned)),
    ];
    known
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.filter(|value| !value.is_empty())?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_persistent_volume_says_what_its_claim_was() {
        let pv = json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": "pv", "labels": {PROFILE: "web"}},
            "spec": {
                "storageClassName": "gp3",
                "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
                "claimRef": {"namespace": "ns", "name": "data-0", "uid": "u"},
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1", "fsType": "xfs"},
            },
        });
        let tags = of_persistent_volume(&Object::from_value(pv).unwrap());
        let expected = [
            (STORAGE_CLASS, "gp3"),
            (ACCESS_MODES, "ReadWriteOnce ReadOnlyMany"),
            (FS_TYPE, "xfs"),
            (NAMESPACE, "ns"),
            (CLAIM, "data-0"),
            (CLAIM_UID, "u"),
            (PROFILE, "web"),
        ];
        assert_eq!(
            tags,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
        );
    }
}
