//! A StorageClass's parameters, read as the EBS driver reads them.

use moorline_sandbox_aws::NewVolume;
use serde_json::Value;

use crate::kinds::EBS_IN_TREE;
use crate::object::text;

/// What a class asks of its volumes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    volume_type: String,
    iops: Option<u32>,
    iops_per_gib: Option<u32>,
    may_raise_iops: bool,
    throughput: Option<u32>,
    encrypted: bool,
    kms_key: Option<String>,
    /// `ext4` unless the class says otherwise.
    pub(super) fs_type: String,
}

/// Reads a class's parameters; the error is worded as the driver words it. Keys are not case-sensitive.
pub(super) fn read(class: &Value) -> Result<Parameters, String> {
    let in_tree = text(class, "/provisioner") == EBS_IN_TREE;
    let mut read = Parameters {
        fs_type: "ext4".to_owned(),
        may_raise_iops: in_tree,
        ..Parameters::default()
    };
    for (key, value) in class["parameters"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        let number = || {
            value
                .parse::<u32>()
                .map(Some)
                .map_err(|_| format!("Could not parse invalid {key}: {value}"))
        };
        match key.to_lowercase().as_str() {
            "type" => value.clone_into(&mut read.volume_type),
            "iops" => read.iops = number()?,
            "iopspergb" => read.iops_per_gib = number()?,
            "allowautoiopspergbincrease" => read.may_raise_iops = value == "true",
            "throughput" => read.throughput = number()?,
            "encrypted" => read.encrypted = value == "true",
            "kmskeyid" => read.kms_key = Some(value.to_owned()),
            "fstype" | "csi.storage.k8s.io/fstype" => value.clone_into(&mut read.fs_type),
            "zone" | "zones" if in_tree => {}
            known if is_harmless(known) => {}
            _ => return Err(format!("Invalid parameter key {key} for CreateVolume")),
        }
    }
    Ok(read)
}

/// Parameters of the driver that change nothing that the sandbox shows.
fn is_harmless(key: &str) -> bool {
    key.starts_with("tagspecification_")
        || key.starts_with("csi.storage.k8s.io/")
        || matches!(
            key,
            "blockexpress" | "blocksize" | "inodesize" | "bytesperinode" | "numberofinodes" | "ext4bigalloc"
        )
}

impl Parameters {
    /// The volume for a claim of `size_gib`; zone, tags and token are the caller's.
    pub(super) fn volume(&self, size_gib: u32) -> Result<NewVolume, String> {
        let volume_type = if self.volume_type.is_empty() {
            "gp3"
        } else {
            &self.volume_type
        };
        let iops = match (self.iops, self.iops_per_gib) {
            (Some(iops), _) => Some(iops),
            (None, Some(per_gib)) if matches!(volume_type, "io1" | "io2" | "gp3") => {
                let (least, most) = match volume_type {
                    "gp3" => (3_000, 80_000),
                    "io2" => (100, 256_000),
                    _ => (100, 64_000),
                };
                let wanted = per_gib.saturating_mul(size_gib);
                if wanted < least && !self.may_raise_iops {
                    return Err(format!(
                        "invalid IOPS: {wanted} is too low, it must be at least {least}"
                    ));
                }
                Some(wanted.clamp(least, most))
            }
            _ => None,
        };
        Ok(NewVolume {
            size_gib,
            volume_type: volume_type.to_owned(),
            iops,
            throughput: self.throughput,
            encrypted: self.encrypted,
            kms_key_id: self.kms_key.clone(),
            ..NewVolume::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(provisioner: &str, parameters: &Value) -> Value {
        json!({"provisioner": provisioner, "parameters": parameters})
    }

    #[test]
    fn parameters_of_both_provisioners() {
        let gp2 = read(&class(
            "kubernetes.io/aws-ebs",
            &json!({"type": "gp2", "fsType": "xfs", "zone": "us-east-1a"}),
        ))
        .unwrap();
        assert_eq!(gp2.fs_type, "xfs");
        assert_eq!(gp2.volume(10).unwrap().volume_type, "gp2");
        let io1 = read(&class(
            "ebs.csi.aws.com",
            &json!({"type": "io1", "iopsPerGB": "50", "encrypted": "true"}),
        ))
        .unwrap();
        let volume = io1.volume(10).unwrap();
        assert_eq!((volume.iops, volume.encrypted), (Some(500), true));
        assert_eq!(
            read(&class("ebs.csi.aws.com", &json!(null)))
                .unwrap()
                .volume(1)
                .unwrap()
                .volume_type,
            "gp3"
        );
    }

    #[test]
    fn wrong_parameters_are_named() {
        let error = read(&class("ebs.csi.aws.com", &json!({"speed": "fast"}))).unwrap_err();
        assert_eq!(error, "Invalid parameter key speed for CreateVolume");
        assert!(read(&class("ebs.csi.aws.com", &json!({"zone": "us-east-1a"}))).is_err());
        assert!(read(&class("ebs.csi.aws.com", &json!({"iops": "many"}))).is_err());
        let io1 = read(&class("ebs.csi.aws.com", &json!({"type": "io1", "iopsPerGB": "10"}))).unwrap();
        assert!(io1.volume(4).is_err());
    }
}
