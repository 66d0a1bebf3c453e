//! How Amazon bills: EBS volumes by size and by what is provisioned above what the type includes.

use moorline_api::{VolumeConfig, VolumeSpec};

/// What gp3 includes (<https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html>).
const GP3_IOPS: u32 = 3_000;
const GP3_MIBPS: u32 = 125;

/// io2 pays the whole price for so many IOPS, 70 % of it for as many again, and 49 % for those above
/// (<https://aws.amazon.com/ebs/pricing/>).
const IO2_TIER: u32 = 32_000;

const ITEMS: [&str; 16] = [
    "gp2",
    "gp3",
    "gp3.iops",
    "gp3.mibps",
    "io1",
    "io1.iops",
    "io2",
    "io2.iops",
    "st1",
    "sc1",
    "standard",
    "snapshot",
    "classic.hour",
    "network.hour",
    "application.hour",
    "gateway.hour",
];

pub(crate) fn items() -> Vec<String> {
    ITEMS.map(str::to_owned).to_vec()
}

pub(crate) fn volume(rate: &impl Fn(&str) -> Option<f64>, spec: &VolumeSpec) -> Option<f64> {
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
    // What nothing is provisioned of needs no price.
    let units = |item: &str, count: f64| {
        if count > 0.0 {
            Some(rate(item)? * count)
        } else {
            Some(0.0)
        }
    };
    let performance = match volume_type.as_str() {
        "gp3" => {
            units("gp3.iops", above(iops, GP3_IOPS))?
                + units("gp3.mibps", above(throughput.unwrap_or_default(), GP3_MIBPS))?
        }
        "io1" => units("io1.iops", f64::from(iops))?,
        "io2" => units("io2.iops", io2_iops(iops))?,
        "gp2" | "st1" | "sc1" | "standard" => 0.0,
        _ => return None,
    };
    Some(f64::from(spec.size_gib) * rate(volume_type)? + performance)
}

pub(crate) fn snapshot(rate: &impl Fn(&str) -> Option<f64>, spec: &VolumeSpec) -> Option<f64> {
    Some(f64::from(spec.size_gib) * rate("snapshot")?)
}

fn above(value: u32, included: u32) -> f64 {
    f64::from(value.saturating_sub(included))
}

/// IOPS of an io2 volume, weighted by the price of their tier.
fn io2_iops(iops: u32) -> f64 {
    let second = iops.saturating_sub(IO2_TIER).min(IO2_TIER);
    f64::from(iops.min(IO2_TIER)) + 0.7 * f64::from(second) + 0.49 * above(iops, 2 * IO2_TIER)
}
