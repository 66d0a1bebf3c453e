//! How Azure bills: shares and containers by size, SKU and access tier, managed disks by the tier that their size falls into.

use moorline_api::{VolumeConfig, VolumeSpec};

const STANDARD: [&str; 6] = [
    "Standard_LRS",
    "Standard_ZRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
];
const PREMIUM: [&str; 2] = ["Premium_LRS", "Premium_ZRS"];

/// Access tiers that have a price of their own; the other one of shares is transaction optimised, that of containers hot.
const SHARE_TIERS: [&str; 2] = ["hot", "cool"];
const CONTAINER_TIERS: [&str; 1] = ["cool"];

/// The tiers of managed disks and the GiB of each (<https://learn.microsoft.com/azure/virtual-machines/disks-types>). Standard HDDs
/// begin with the fourth.
const DISK_TIERS: [(u32, u32); 14] = [
    (1, 4),
    (2, 8),
    (3, 16),
    (4, 32),
    (6, 64),
    (10, 128),
    (15, 256),
    (20, 512),
    (30, 1_024),
    (40, 2_048),
    (50, 4_096),
    (60, 8_192),
    (70, 16_384),
    (80, 32_767),
];

/// SKUs of managed disks that are billed by tier, and the letter of their tiers. Ultra disks and Premium SSD v2 are not.
const DISKS: [(&str, char); 5] = [
    ("Standard_LRS", 'S'),
    ("StandardSSD_LRS", 'E'),
    ("StandardSSD_ZRS", 'E'),
    ("Premium_LRS", 'P'),
    ("Premium_ZRS", 'P'),
];

/// A GiB of a managed disk's snapshot on standard storage, whatever the disk's SKU.
const DISK_SNAPSHOT: &str = "disk.snapshot";

pub(crate) fn items() -> Vec<String> {
    let of = |sort: &str, tiers: &[&str]| {
        let plain = STANDARD.iter().chain(&PREMIUM).map(|sku| format!("{sort}.{sku}"));
        let tiered = STANDARD
            .iter()
            .flat_map(|sku| tiers.iter().map(move |tier| format!("{sort}.{sku}.{tier}")));
        plain.chain(tiered).collect::<Vec<_>>()
    };
    let mut items = [of("share", &SHARE_TIERS), of("container", &CONTAINER_TIERS)].concat();
    for (sku, letter) in DISKS {
        let sizes = DISK_TIERS.iter().filter_map(|(_, gib)| disk(sku, letter, *gib));
        items.extend(sizes);
    }
    items.push(DISK_SNAPSHOT.to_owned());
    items
}

pub(crate) fn volume(rate: &impl Fn(&str) -> Option<f64>, spec: &VolumeSpec) -> Option<f64> {
    let item = match &spec.config {
        VolumeConfig::AzureFile(share) => item("share", &share.account.sku, share.access_tier.as_deref(), &SHARE_TIERS),
        VolumeConfig::AzureBlob(container) => {
            let account = &container.account;
            item(
                "container",
                &account.sku,
                account.access_tier.as_deref(),
                &CONTAINER_TIERS,
            )
        }
        VolumeConfig::AzureDisk(config) => {
            let (sku, letter) = DISKS.iter().find(|(sku, _)| *sku == config.sku)?;
            return rate(&disk(sku, *letter, spec.size_gib)?);
        }
        _ => return None,
    };
    Some(f64::from(spec.size_gib) * rate(&item)?)
}

pub(crate) fn snapshot(rate: &impl Fn(&str) -> Option<f64>, spec: &VolumeSpec) -> Option<f64> {
    match spec.config {
        VolumeConfig::AzureDisk(_) => Some(f64::from(spec.size_gib) * rate(DISK_SNAPSHOT)?),
        // A share's snapshots are billed no higher than the share is.
        _ => volume(rate, spec),
    }
}

/// The tier that a disk of this size is billed as: `disk.P10_LRS`.
fn disk(sku: &str, letter: char, gib: u32) -> Option<String> {
    let smallest = if letter == 'S' { 4 } else { 1 };
    let fits = |(tier, size): &&(u32, u32)| *tier >= smallest && gib <= *size;
    let (tier, _) = DISK_TIERS.iter().find(fits)?;
    let redundancy = sku.rsplit('_').next().unwrap_or_default();
    Some(format!("disk.{letter}{tier}_{redundancy}"))
}

fn item(sort: &str, sku: &str, tier: Option<&str>, tiers: &[&str]) -> String {
    let tier = tier.map(str::to_ascii_lowercase);
    match tier.filter(|tier| tiers.contains(&tier.as_str()) && STANDARD.contains(&sku)) {
        Some(tier) => format!("{sort}.{sku}.{tier}"),
        None => format!("{sort}.{sku}"),
    }
}
