//! How Azure bills: shares and containers by size, SKU and access tier.

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

pub(crate) fn items() -> Vec<String> {
    let of = |sort: &str, tiers: &[&str]| {
        let plain = STANDARD.iter().chain(&PREMIUM).map(|sku| format!("{sort}.{sku}"));
        let tiered = STANDARD
            .iter()
            .flat_map(|sku| tiers.iter().map(move |tier| format!("{sort}.{sku}.{tier}")));
        plain.chain(tiered).collect::<Vec<_>>()
    };
    [of("share", &SHARE_TIERS), of("container", &CONTAINER_TIERS)].concat()
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
        _ => return None,
    };
    Some(f64::from(spec.size_gib) * rate(&item)?)
}

pub(crate) fn snapshot(rate: &impl Fn(&str) -> Option<f64>, spec: &VolumeSpec) -> Option<f64> {
    // A share's snapshots are billed as the share is.
    volume(rate, spec)
}

fn item(sort: &str, sku: &str, tier: Option<&str>, tiers: &[&str]) -> String {
    let tier = tier.map(str::to_ascii_lowercase);
    match tier.filter(|tier| tiers.contains(&tier.as_str()) && STANDARD.contains(&sku)) {
        Some(tier) => format!("{sort}.{sku}.{tier}"),
        None => format!("{sort}.{sku}"),
    }
}
