//! Every rule, in tables: what a class and a claim get, and what they are told when they are wrong.

mod claims;
mod classes;
mod volumes;
mod zones;

use std::collections::BTreeMap;

use moorline_api::{
    BindingMode, ClaimShape, FieldPath, FieldProblem, Object, Placement, PvRequest, ReclaimPolicy, StorageClass,
    StorageRules, VolumeConfig, VolumeId, VolumeSpec,
};
use moorline_aws_rules::{CSI_DRIVER, EbsRules, IN_TREE_PROVISIONER};
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;

fn class(provisioner: &str, parameters: &[(&str, &str)]) -> StorageClass {
    StorageClass {
        name: "fast".to_owned(),
        provisioner: provisioner.to_owned(),
        parameters: parameters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        reclaim_policy: ReclaimPolicy::Delete,
        binding_mode: BindingMode::Immediate,
        mount_options: Vec::new(),
        allowed_topologies: Vec::new(),
    }
}

fn claim(gib: u64) -> ClaimShape {
    ClaimShape {
        bytes: gib * GIB,
        access_modes: vec!["ReadWriteOnce".to_owned()],
        volume_mode: "Filesystem".to_owned(),
    }
}

fn zones() -> Vec<String> {
    ["us-east-1a", "us-east-1b", "us-east-1c"].map(str::to_owned).to_vec()
}

fn place(class: &StorageClass, gib: u64) -> Result<Placement, Vec<FieldProblem>> {
    EbsRules.place(class, &claim(gib), Some(&zones()))
}

/// Type, IOPS, throughput, or the problems in words.
fn sizing(
    provisioner: &str,
    parameters: &[(&str, &str)],
    gib: u64,
) -> Result<(String, Option<u32>, Option<u32>), String> {
    match place(&class(provisioner, parameters), gib) {
        Ok(Placement {
            config:
                VolumeConfig::Ebs {
                    volume_type,
                    iops,
                    throughput,
                    ..
                },
            ..
        }) => Ok((volume_type, iops, throughput)),
        Ok(other) => Err(format!("not EBS: {other:?}")),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")),
    }
}
