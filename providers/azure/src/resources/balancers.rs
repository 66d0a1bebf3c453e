//! Public addresses: what Azure's cloud controller gives a Service of type `LoadBalancer`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Storage;
use crate::arm::{Listing, Path, Version};
use crate::governor::Family;

/// A public address as Azure shows it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PublicAddress {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) properties: AddressState,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AddressState {
    pub(crate) ip_address: Option<String>,
    pub(crate) provisioning_state: Option<String>,
    pub(crate) dns_settings: Option<DnsSettings>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DnsSettings {
    pub(crate) fqdn: Option<String>,
}

impl Storage<'_> {
    /// Every public address of the subscription.
    pub(crate) fn public_addresses(&self) -> Listing {
        Listing {
            operation: "Microsoft.Network/publicIPAddresses/read",
            resource: format!("public addresses of subscription {}", self.subscription),
            path: Path::subscription(Version::Network, self.subscription)
                .fixed("providers/Microsoft.Network/publicIPAddresses"),
            family: Family::Unpaced,
        }
    }
}
