//! Estimated prices in US dollars a month, as the public price lists
//! (<https://azure.microsoft.com/pricing/details/storage/files/>, <https://azure.microsoft.com/pricing/details/storage/blobs/>)
//! had them in 2025: pay as you go, without operations, snapshots, discounts or taxes. Nobody has compared them with the lists
//! since, so they say what an order of magnitude costs and no invoice. Regions and SKUs that are not here have no estimate.
//!
//! Standard shares and containers are billed by what is in them: their estimate is what a full one costs.

use moorline_api::{VolumeConfig, VolumeSpec};

/// Regions that share a column of the price list.
const REGIONS: &[&str] = &["eastus", "eastus2", "westus2", "centralus", "northeurope"];

/// A GiB of a share, by SKU: transaction optimised for Standard.
const SHARES: &[(&str, f64)] = &[
    ("Standard_LRS", 0.06),
    ("Standard_ZRS", 0.075),
    ("Standard_GRS", 0.1),
    ("Standard_RAGRS", 0.1),
    ("Standard_GZRS", 0.135),
    ("Standard_RAGZRS", 0.135),
    ("Premium_LRS", 0.16),
    ("Premium_ZRS", 0.2),
];

/// A GiB of a container, by SKU: hot for Standard.
const CONTAINERS: &[(&str, f64)] = &[
    ("Standard_LRS", 0.018),
    ("Standard_ZRS", 0.023),
    ("Standard_GRS", 0.037),
    ("Standard_RAGRS", 0.046),
    ("Standard_GZRS", 0.041),
    ("Standard_RAGZRS", 0.052),
    ("Premium_LRS", 0.15),
    ("Premium_ZRS", 0.187),
];

/// What hot and cool shares cost of a transaction optimised one.
const HOT_SHARE: f64 = 0.425;
const COOL_SHARE: f64 = 0.25;
/// What a cool container costs of a hot one.
const COOL_CONTAINER: f64 = 0.55;

pub(crate) fn monthly_cost(region: &str, spec: &VolumeSpec) -> Option<f64> {
    let region: String = region.chars().filter(|c| !c.is_whitespace()).collect();
    if !REGIONS.contains(&region.to_ascii_lowercase().as_str()) {
        return None;
    }
    let (table, sku, factor) = match &spec.config {
        VolumeConfig::AzureFile(share) => {
            let factor = match share.access_tier.as_deref() {
                Some("Hot") => HOT_SHARE,
                Some("Cool") => COOL_SHARE,
                _ => 1.0,
            };
            (SHARES, &share.account.sku, factor)
        }
        VolumeConfig::AzureBlob(container) => {
            let cool = container.account.access_tier.as_deref() == Some("Cool");
            (
                CONTAINERS,
                &container.account.sku,
                if cool { COOL_CONTAINER } else { 1.0 },
            )
        }
        _ => return None,
    };
    let (_, per_gib) = table.iter().find(|(name, _)| name == sku)?;
    Some(f64::from(spec.size_gib) * per_gib * factor)
}
