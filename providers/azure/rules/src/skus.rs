//! What accounts there are to buy.
//!
//! Sizes: Azure Files scale targets, and the least that the CSI driver asks for (`minimumPremiumShareSize`,
//! `minimumV2ShareSize`), both as of 2026.

use crate::names::Service;

/// One SKU.
#[derive(Debug)]
pub(crate) struct Sku {
    /// In Azure's spelling.
    pub(crate) name: &'static str,
    /// How its shares are sized and billed.
    pub(crate) tier: Tier,
    /// Whether blob accounts have it.
    pub(crate) blobs: bool,
}

/// How an account is sized and billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// By what is used; a share's quota is only a bound.
    PayAsYouGo,
    /// By what is provisioned, on SSD.
    Premium,
    /// By what is provisioned, with operations and throughput beside the size.
    ProvisionedV2,
}

/// GiB of the largest share of a Standard account without large file shares.
pub(crate) const WITHOUT_LARGE_SHARES: u32 = 5120;

const fn sku(name: &'static str, tier: Tier, blobs: bool) -> Sku {
    Sku { name, tier, blobs }
}

pub(crate) const SKUS: &[Sku] = &[
    sku("Standard_LRS", Tier::PayAsYouGo, true),
    sku("Standard_ZRS", Tier::PayAsYouGo, true),
    sku("Standard_GRS", Tier::PayAsYouGo, true),
    sku("Standard_RAGRS", Tier::PayAsYouGo, true),
    sku("Standard_GZRS", Tier::PayAsYouGo, true),
    sku("Standard_RAGZRS", Tier::PayAsYouGo, true),
    sku("Premium_LRS", Tier::Premium, true),
    sku("Premium_ZRS", Tier::Premium, true),
    sku("StandardV2_LRS", Tier::ProvisionedV2, false),
    sku("StandardV2_ZRS", Tier::ProvisionedV2, false),
    sku("StandardV2_GRS", Tier::ProvisionedV2, false),
    sku("StandardV2_GZRS", Tier::ProvisionedV2, false),
    sku("PremiumV2_LRS", Tier::ProvisionedV2, false),
    sku("PremiumV2_ZRS", Tier::ProvisionedV2, false),
];

/// The SKU of that name, however its letters are cased, where the service has it.
pub(crate) fn find(name: &str, service: Service) -> Option<&'static Sku> {
    of(service).find(|sku| sku.name.eq_ignore_ascii_case(name))
}

/// The SKUs of a service.
pub(crate) fn of(service: Service) -> impl Iterator<Item = &'static Sku> {
    SKUS.iter().filter(move |sku| service == Service::Files || sku.blobs)
}

/// Their names, for messages.
pub(crate) fn names(service: Service) -> String {
    of(service).map(|sku| sku.name).collect::<Vec<_>>().join(", ")
}

impl Sku {
    /// The account's kind.
    pub(crate) fn kind(&self, service: Service) -> &'static str {
        match (self.tier, service) {
            (Tier::PayAsYouGo, _) => "StorageV2",
            (_, Service::Files) => "FileStorage",
            (_, Service::Blobs) => "BlockBlobStorage",
        }
    }

    /// The least GiB of a share. Smaller requests get this much, as from the CSI driver, and the claim shows what it got.
    pub(crate) fn least(&self) -> u32 {
        match self.tier {
            Tier::PayAsYouGo => 1,
            Tier::Premium => 100,
            Tier::ProvisionedV2 => 32,
        }
    }

    /// The most GiB of a share, with large file shares where they are a choice.
    pub(crate) fn most(&self) -> u32 {
        match self.tier {
            Tier::PayAsYouGo | Tier::Premium => 102_400,
            Tier::ProvisionedV2 => 262_144,
        }
    }

    /// Whether it is on SSD.
    pub(crate) fn is_premium(&self) -> bool {
        self.name.starts_with("Premium")
    }
}
