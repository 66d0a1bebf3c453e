//! The simulated machines: one in each zone of the home region.

use jiff::Timestamp;
use serde::Serialize;

use crate::ids;
use crate::settings::AwsSettings;

/// An instance that volumes can be attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// `i-` and 17 hexadecimal digits; always the same for a zone.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// Its private address.
    pub private_ip: String,
    /// Its private host name, `ip-10-0-0-10.ec2.internal`.
    pub private_dns_name: String,
}

/// When the machines were started: long ago, the same for every run.
pub(crate) const LAUNCHED: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The instances of `region`: only the home region has any.
pub(crate) fn instances(settings: &AwsSettings, region: &str) -> Vec<Instance> {
    if region != settings.region {
        return Vec::new();
    }
    let zones = settings.zone_names(region).into_iter().enumerate();
    zones
        .map(|(index, zone)| Instance {
            id: format!("i-{}", ids::derived(&zone)),
            private_ip: format!("172.31.{}.10", index * 16),
            private_dns_name: format!("ip-172-31-{}-10.ec2.internal", index * 16),
            zone,
        })
        .collect()
}
