//! Estimated prices in US dollars a month, as the public price list (<https://aws.amazon.com/ebs/pricing/>) had them in 2025:
//! on demand, without snapshots, magnetic I/O requests, discounts or taxes. Nobody has compared them with the list since, so
//! they say what an order of magnitude costs and no invoice. Regions that are not here have no estimate.

use moorline_api::{VolumeConfig, VolumeSpec};

/// One region's prices.
struct Prices {
    regions: &'static [&'static str],
    gp2: f64,
    gp3: f64,
    /// Each IOPS above 3,000.
    gp3_iops: f64,
    /// Each MiB/s above 125.
    gp3_throughput: f64,
    /// A GiB of io1 or io2.
    io: f64,
    /// Each IOPS; io2 pays this for the first 32,000, 70 % for the next 32,000 and 49 % above.
    io_iops: f64,
    st1: f64,
    sc1: f64,
    standard: f64,
}

const PRICES: &[Prices] = &[
    Prices {
        regions: &["us-east-1", "us-east-2", "us-west-2"],
        gp2: 0.10,
        gp3: 0.08,
        gp3_iops: 0.005,
        gp3_throughput: 0.04,
        io: 0.125,
        io_iops: 0.065,
        st1: 0.045,
        sc1: 0.015,
        standard: 0.05,
    },
    Prices {
        regions: &["eu-west-1"],
        gp2: 0.11,
        gp3: 0.088,
        gp3_iops: 0.0055,
        gp3_throughput: 0.044,
        io: 0.138,
        io_iops: 0.072,
        st1: 0.05,
        sc1: 0.0168,
        standard: 0.055,
    },
    Prices {
        regions: &["eu-central-1"],
        gp2: 0.119,
        gp3: 0.0952,
        gp3_iops: 0.006,
        gp3_throughput: 0.048,
        io: 0.149,
        io_iops: 0.078,
        st1: 0.054,
        sc1: 0.018,
        standard: 0.059,
    },
    Prices {
        regions: &["ap-northeast-1"],
        gp2: 0.12,
        gp3: 0.096,
        gp3_iops: 0.006,
        gp3_throughput: 0.048,
        io: 0.142,
        io_iops: 0.074,
        st1: 0.054,
        sc1: 0.018,
        standard: 0.08,
    },
];

const IO2_TIER: u32 = 32_000;

pub(crate) fn monthly_cost(region: &str, spec: &VolumeSpec) -> Option<f64> {
    let prices = PRICES.iter().find(|prices| prices.regions.contains(&region))?;
    let VolumeConfig::Ebs {
        volume_type,
        iops,
        throughput,
        ..
    } = &spec.config
    else {
        return None;
    };
    let iops = iops.unwrap_or_default();
    let (per_gib, performance) = match volume_type.as_str() {
        "gp2" => (prices.gp2, 0.0),
        "gp3" => {
            let throughput = throughput.unwrap_or_default().saturating_sub(125);
            (
                prices.gp3,
                above(iops, 3_000) * prices.gp3_iops + f64::from(throughput) * prices.gp3_throughput,
            )
        }
        "io1" => (prices.io, f64::from(iops) * prices.io_iops),
        "io2" => (prices.io, io2_iops(iops) * prices.io_iops),
        "st1" => (prices.st1, 0.0),
        "sc1" => (prices.sc1, 0.0),
        "standard" => (prices.standard, 0.0),
        _ => return None,
    };
    Some(f64::from(spec.size_gib) * per_gib + performance)
}

fn above(value: u32, free: u32) -> f64 {
    f64::from(value.saturating_sub(free))
}

/// IOPS of an io2 volume, weighted by the price of their tier.
fn io2_iops(iops: u32) -> f64 {
    let second = iops.saturating_sub(IO2_TIER).min(IO2_TIER);
    f64::from(iops.min(IO2_TIER)) + 0.7 * f64::from(second) + 0.49 * above(iops, 2 * IO2_TIER)
}
