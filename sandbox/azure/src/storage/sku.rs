//! Kinds and SKUs of storage accounts, and what each allows.

use serde::{Deserialize, Serialize};

/// The kind of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Storage,
    StorageV2,
    BlobStorage,
    FileStorage,
    BlockBlobStorage,
}

/// How shares are paid for, which decides their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Billing {
    PayAsYouGo,
    ProvisionedV1,
    ProvisionedV2,
}

/// A SKU, by its name: tier and version, then where copies are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sku(&'static str);

const SKUS: &[&str] = &[
    "Standard_LRS",
    "Standard_ZRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
    "Premium_LRS",
    "Premium_ZRS",
    "StandardV2_LRS",
    "StandardV2_ZRS",
    "StandardV2_GRS",
    "StandardV2_GZRS",
    "PremiumV2_LRS",
    "PremiumV2_ZRS",
];

impl Sku {
    pub(crate) fn find(name: &str) -> Option<Self> {
        let known = SKUS.iter().find(|sku| sku.eq_ignore_ascii_case(name));
        known.map(|sku| Self(sku))
    }

    pub(crate) fn name(self) -> &'static str {
        self.0
    }

    pub(crate) fn premium(self) -> bool {
        self.0.starts_with("Premium")
    }

    pub(crate) fn tier(self) -> &'static str {
        if self.premium() { "Premium" } else { "Standard" }
    }

    /// Whether it is of the second version, which provisions capacity.
    fn second(self) -> bool {
        self.0.contains("V2_")
    }

    /// Whether it copies to a second region.
    pub(crate) fn geo(self) -> bool {
        self.0.ends_with("GRS") || self.0.ends_with("GZRS")
    }

    /// Whether the copy in the second region can be read.
    pub(crate) fn readable_copy(self) -> bool {
        self.0.contains("_RA")
    }

    /// Whether there are accounts of this kind with it.
    pub(crate) fn suits(self, kind: Kind) -> bool {
        let zonal = self.0.contains("ZRS");
        match kind {
            Kind::FileStorage => self.premium() || self.second(),
            Kind::BlockBlobStorage => self.premium() && !self.second(),
            Kind::StorageV2 => !self.second() && self.0 != "Premium_ZRS",
            Kind::Storage => !self.second() && !zonal,
            Kind::BlobStorage => !self.premium() && !self.second() && !zonal,
        }
    }

    /// Whether an account can go over to `other` by being asked to.
    pub(crate) fn converts_to(self, other: Self) -> bool {
        // Zones, tiers and versions are changed by a migration, if at all.
        let same = |mark: &str| self.0.contains(mark) == other.0.contains(mark);
        self.premium() == other.premium() && self.second() == other.second() && same("ZRS")
    }
}

/// What shares an account takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShareLimits {
    pub(crate) billing: Billing,
    /// Quotas, in GiB.
    pub(crate) smallest: u64,
    pub(crate) largest: u64,
    /// The quota of a share made without one.
    pub(crate) default: u64,
    /// How many shares.
    pub(crate) count: usize,
    /// All quotas together, in GiB.
    pub(crate) capacity: u64,
}

/// What shares an account of this kind and SKU takes; none if it has no file service.
pub(crate) fn share_limits(kind: Kind, sku: Sku, large: bool) -> Option<ShareLimits> {
    match kind {
        Kind::Storage | Kind::StorageV2 if !sku.premium() => {
            let largest = if large { 102_400 } else { 5120 };
            Some(ShareLimits {
                billing: Billing::PayAsYouGo,
                smallest: 1,
                largest,
                default: 5120,
                count: usize::MAX,
                capacity: 5 * 1024 * 1024,
            })
        }
        Kind::FileStorage if sku.second() => Some(ShareLimits {
            billing: Billing::ProvisionedV2,
            smallest: 32,
            largest: 262_144,
            default: 1024,
            count: 50,
            capacity: 262_144,
        }),
        Kind::FileStorage => Some(ShareLimits {
            billing: Billing::ProvisionedV1,
            smallest: 100,
            largest: 102_400,
            default: 1024,
            count: 1024,
            capacity: 102_400,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_skus_go_together_as_documented() {
        let suits = |name, kind| Sku::find(name).unwrap().suits(kind);
        assert!(suits("Standard_LRS", Kind::StorageV2) && !suits("Standard_LRS", Kind::FileStorage));
        assert!(suits("Premium_ZRS", Kind::FileStorage) && !suits("Premium_ZRS", Kind::StorageV2));
        assert!(suits("standardv2_zrs", Kind::FileStorage) && !suits("StandardV2_ZRS", Kind::StorageV2));
        assert_eq!(Sku::find("Gold_LRS"), None);
    }

    #[test]
    fn copies_can_be_added_but_zones_cannot() {
        let converts = |from, to| Sku::find(from).unwrap().converts_to(Sku::find(to).unwrap());
        assert!(converts("Standard_LRS", "Standard_RAGRS"));
        assert!(!converts("Standard_LRS", "Standard_ZRS"));
        assert!(!converts("Standard_LRS", "Premium_LRS"));
    }

    #[test]
    fn premium_page_blob_accounts_have_no_file_service() {
        let sku = Sku::find("Premium_LRS").unwrap();
        assert_eq!(share_limits(Kind::StorageV2, sku, true), None);
        assert_eq!(share_limits(Kind::FileStorage, sku, false).unwrap().smallest, 100);
    }
}
