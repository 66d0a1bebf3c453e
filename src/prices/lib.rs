//! What volumes, snapshots and load balancers cost a month, in US dollars: the one place for prices.
//!
//! The tables in `tables/` say where their numbers are from and of which day they are. They are list prices on demand, without
//! discounts, taxes, free tiers, traffic and requests: an estimate, and no invoice. What no source was found for has no price,
//! and is `None` rather than a guess. Whoever knows better overrides them ([`Overrides`]).
//!
//! Items are named the same in tables and overrides. A plain name is a GiB a month: `gp3`, `share.Premium_LRS`. What is counted
//! otherwise says so at its end: `gp3.iops`, `gp3.mibps` (each a month), `network.hour`. `disk.P10_LRS` is a whole disk a month.

mod aws;
mod azure;
mod overrides;
mod table;

use std::borrow::Cow;
use std::sync::LazyLock;

use moorline_api::{CloudName, LoadBalancerKind, VolumeSpec};

pub use overrides::{Overrides, PriceError};

use table::Table;

/// Hours of a month, as both clouds count them in their estimates.
const HOURS: f64 = 730.0;

/// Prices: the built-in tables, and what a policy says instead.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prices {
    overrides: Overrides,
}

impl Prices {
    /// The built-in tables alone.
    pub const fn builtin() -> Self {
        Self {
            overrides: Overrides::none(),
        }
    }

    /// The built-in tables, with these prices in their stead.
    pub const fn with(overrides: Overrides) -> Self {
        Self { overrides }
    }

    /// What a volume costs a month: its size, and what operations and throughput were provisioned above what its type includes.
    /// What is billed by use (standard shares, containers) is estimated as if it were full.
    pub fn volume(&self, cloud: CloudName, region: &str, spec: &VolumeSpec) -> Option<f64> {
        let rate = self.rates(cloud, region);
        match cloud {
            CloudName::Aws => aws::volume(&rate, spec),
            CloudName::Azure => azure::volume(&rate, spec),
        }
    }

    /// What a snapshot of a volume costs a month at most: only what is written is billed, and that is no more than the volume.
    pub fn snapshot(&self, cloud: CloudName, region: &str, spec: &VolumeSpec) -> Option<f64> {
        let rate = self.rates(cloud, region);
        match cloud {
            CloudName::Aws => aws::snapshot(&rate, spec),
            CloudName::Azure => azure::snapshot(&rate, spec),
        }
    }

    /// What a load balancer costs a month by being there, without traffic.
    pub fn load_balancer(&self, cloud: CloudName, region: &str, kind: LoadBalancerKind) -> Option<f64> {
        let item = match kind {
            LoadBalancerKind::Classic => "classic.hour",
            LoadBalancerKind::Network => "network.hour",
            LoadBalancerKind::Application => "application.hour",
            LoadBalancerKind::Gateway => "gateway.hour",
        };
        Some(self.rates(cloud, region)(item)? * HOURS)
    }

    fn rates<'a>(&'a self, cloud: CloudName, region: &'a str) -> impl Fn(&str) -> Option<f64> + 'a {
        let region = region_name(cloud, region);
        let table = Table::of(cloud);
        move |item| {
            self.overrides
                .get(cloud, &region, item)
                .or_else(|| table.get(&region, item))
        }
    }
}

/// Where the prices of a cloud are from, for people.
pub fn source(cloud: CloudName) -> &'static str {
    Table::of(cloud).source
}

/// The day of the prices of a cloud: `2025-07-01`.
pub fn dated(cloud: CloudName) -> &'static str {
    Table::of(cloud).dated
}

/// The regions of a cloud that have prices, sorted.
pub fn regions(cloud: CloudName) -> Vec<&'static str> {
    Table::of(cloud).regions()
}

/// The names of everything that can have a price in a cloud, sorted.
pub fn items(cloud: CloudName) -> &'static [String] {
    static AWS: LazyLock<Vec<String>> = LazyLock::new(|| sorted(aws::items()));
    static AZURE: LazyLock<Vec<String>> = LazyLock::new(|| sorted(azure::items()));
    match cloud {
        CloudName::Aws => &AWS,
        CloudName::Azure => &AZURE,
    }
}

/// Sorted, and none twice: the smallest tier of a disk is that of several sizes.
fn sorted(mut items: Vec<String>) -> Vec<String> {
    items.sort_unstable();
    items.dedup();
    items
}

/// A region as its cloud's API calls it: Azure also shows `East US` where it means `eastus`.
fn region_name(cloud: CloudName, region: &str) -> Cow<'_, str> {
    let plain = |c: char| !c.is_whitespace() && !c.is_ascii_uppercase();
    if cloud == CloudName::Aws || region.chars().all(plain) {
        return Cow::Borrowed(region);
    }
    let name: String = region.chars().filter(|c| !c.is_whitespace()).collect();
    Cow::Owned(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
