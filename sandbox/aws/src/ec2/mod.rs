//! The EC2 query API: volumes and what belongs to them.

mod filters;
mod instances;
pub(crate) mod network;
mod paging;
mod places;
mod snapshots;
mod tags;
pub(crate) mod volumes;

use crate::operation::Operation;
use crate::throttle::Family::{Describe, Mutating, Tags, Volumes};

/// What the listings of volumes take.
const OF_VOLUMES: [&str; 5] = [
    "Filter",
    "IncludeManagedResources",
    "MaxResults",
    "NextToken",
    "VolumeId",
];

/// Every operation that this sandbox has; any other name is `InvalidAction`.
pub(crate) const OPERATIONS: [Operation; 21] = [
    Operation {
        name: "CreateVolume",
        family: Volumes,
        params: &[
            "AvailabilityZone",
            "AvailabilityZoneId",
            "ClientToken",
            "Encrypted",
            "Iops",
            "KmsKeyId",
            "MultiAttachEnabled",
            "Size",
            "SnapshotId",
            "TagSpecification",
            "Throughput",
            "VolumeType",
        ],
        run: volumes::create::run,
    },
    Operation {
        name: "DeleteVolume",
        family: Volumes,
        params: &["VolumeId"],
        run: volumes::delete::run,
    },
    Operation {
        name: "DescribeVolumes",
        family: Describe,
        params: &OF_VOLUMES,
        run: volumes::describe::run,
    },
    Operation {
        name: "DescribeVolumeStatus",
        family: Describe,
        params: &OF_VOLUMES,
        run: volumes::status::run,
    },
    Operation {
        name: "ModifyVolume",
        family: Mutating,
        params: &[
            "Iops",
            "MultiAttachEnabled",
            "Size",
            "Throughput",
            "VolumeId",
            "VolumeType",
        ],
        run: volumes::modify::run,
    },
    Operation {
        name: "DescribeVolumesModifications",
        family: Describe,
        params: &["Filter", "MaxResults", "NextToken", "VolumeId"],
        run: volumes::modify::describe,
    },
    Operation {
        name: "AttachVolume",
        family: Mutating,
        params: &["Device", "InstanceId", "VolumeId"],
        run: volumes::attach::run_attach,
    },
    Operation {
        name: "DetachVolume",
        family: Mutating,
        params: &["Device", "Force", "InstanceId", "VolumeId"],
        run: volumes::attach::run_detach,
    },
    Operation {
        name: "CreateSnapshot",
        family: Volumes,
        params: &["Description", "TagSpecification", "VolumeId"],
        run: snapshots::create,
    },
    Operation {
        name: "DeleteSnapshot",
        family: Mutating,
        params: &["SnapshotId"],
        run: snapshots::delete,
    },
    Operation {
        name: "DescribeSnapshots",
        family: Describe,
        params: &[
            "Filter",
            "MaxResults",
            "NextToken",
            "Owner",
            "RestorableBy",
            "SnapshotId",
        ],
        run: snapshots::describe,
    },
    Operation {
        name: "CreateTags",
        family: Tags,
        params: &["ResourceId", "Tag"],
        run: tags::create,
    },
    Operation {
        name: "DeleteTags",
        family: Tags,
        params: &["ResourceId", "Tag"],
        run: tags::delete,
    },
    Operation {
        name: "DescribeTags",
        family: Describe,
        params: &["Filter", "MaxResults", "NextToken"],
        run: tags::describe,
    },
    Operation {
        name: "DescribeAvailabilityZones",
        family: Describe,
        params: &["AllAvailabilityZones", "Filter", "ZoneId", "ZoneName"],
        run: places::describe_zones,
    },
    Operation {
        name: "DescribeRegions",
        family: Describe,
        params: &["AllRegions", "Filter", "RegionName"],
        run: places::describe_regions,
    },
    Operation {
        name: "DescribeAccountAttributes",
        family: Describe,
        params: &["AttributeName"],
        run: places::describe_attributes,
    },
    Operation {
        name: "DescribeInstances",
        family: Describe,
        params: &[
            "Filter",
            "IncludeManagedResources",
            "InstanceId",
            "MaxResults",
            "NextToken",
        ],
        run: instances::describe,
    },
    Operation {
        name: "DescribeVpcs",
        family: Describe,
        params: &["Filter", "MaxResults", "NextToken", "VpcId"],
        run: network::describe_vpcs,
    },
    Operation {
        name: "DescribeSubnets",
        family: Describe,
        params: &["Filter", "MaxResults", "NextToken", "SubnetId"],
        run: network::describe_subnets,
    },
    Operation {
        name: "DescribeSecurityGroups",
        family: Describe,
        params: &["Filter", "GroupId", "GroupName", "MaxResults", "NextToken"],
        run: network::describe_security_groups,
    },
];
