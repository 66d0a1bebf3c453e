//! The volume types and their limits, in one table.

use std::ops::RangeInclusive;

/// Provisioned operations a second that a type takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IopsRule {
    /// What `CreateVolume` accepts in all.
    pub(crate) range: RangeInclusive<u32>,
    /// What it accepts for each GiB; the lower end of `range` is always accepted.
    pub(crate) per_gib: u32,
    /// Whether a volume must say how many.
    pub(crate) required: bool,
}

impl IopsRule {
    /// The most that a volume of this size takes.
    pub(crate) fn most(&self, size_gib: u32) -> u32 {
        size_gib
            .saturating_mul(self.per_gib)
            .clamp(*self.range.start(), *self.range.end())
    }
}

/// Throughput that a type takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ThroughputRule {
    /// MiB a second that `CreateVolume` accepts.
    pub(crate) range: RangeInclusive<u32>,
    /// Operations a second that each MiB a second needs.
    pub(crate) iops_per_mib: u32,
}

/// One volume type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct VolumeType {
    /// Its name in the API.
    pub(crate) name: &'static str,
    /// Sizes in GiB.
    pub(crate) sizes: RangeInclusive<u32>,
    /// `None` where the type takes no IOPS.
    pub(crate) iops: Option<IopsRule>,
    /// `None` where the type takes no throughput.
    pub(crate) throughput: Option<ThroughputRule>,
}

const fn plain(name: &'static str, sizes: RangeInclusive<u32>) -> VolumeType {
    VolumeType {
        name,
        sizes,
        iops: None,
        throughput: None,
    }
}

/// EC2 API reference, `CreateVolume`, parameters Size, Iops and Throughput; the ratios are those of the EBS user
/// guide's volume type pages. Read on 2026-11-21.
pub(crate) const VOLUME_TYPES: &[VolumeType] = &[
    VolumeType {
        name: "gp3",
        sizes: 1..=65_536,
        iops: Some(IopsRule {
            range: 3_000..=80_000,
            per_gib: 500,
            required: false,
        }),
        throughput: Some(ThroughputRule {
            range: 125..=2_000,
            iops_per_mib: 4,
        }),
    },
    plain("gp2", 1..=16_384),
    VolumeType {
        name: "io1",
        sizes: 4..=16_384,
        iops: Some(IopsRule {
            range: 100..=64_000,
            per_gib: 50,
            required: true,
        }),
        throughput: None,
    },
    VolumeType {
        name: "io2",
        sizes: 4..=65_536,
        iops: Some(IopsRule {
            range: 100..=256_000,
            per_gib: 1_000,
            required: true,
        }),
        throughput: None,
    },
    plain("st1", 125..=16_384),
    plain("sc1", 125..=16_384),
    plain("standard", 1..=1_024),
];

/// The type of this name.
pub(crate) fn find(name: &str) -> Option<&'static VolumeType> {
    VOLUME_TYPES.iter().find(|known| known.name == name)
}

/// All names, for messages.
pub(crate) fn names() -> String {
    VOLUME_TYPES
        .iter()
        .map(|known| known.name)
        .collect::<Vec<_>>()
        .join(", ")
}
