//! The data plane on bad days: a server of blobs that is told what to answer, and remembers what it was asked.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod desk;
mod faults;
mod managed;
mod secrets;

use moorline_api::{AzureAccount, AzureContainer, ClientToken, NewVolume, Tags, VolumeConfig, VolumeSpec, tags};

pub(crate) const UID: &str = "0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11";
const CLUSTER: &str = "3f0c8a1e-0d5b-4a7e-9a53-0a1b2c3d4e5f";

/// A container for a claim; `account` is the one that its class names.
pub(crate) fn new_volume(account: Option<&str>) -> NewVolume {
    let pairs = [
        (tags::CLUSTER_UID, CLUSTER),
        (tags::PROFILE, "pages"),
        (tags::CLAIM_UID, UID),
    ];
    let account = AzureAccount {
        name: account.map(str::to_owned),
        sku: "Standard_LRS".to_owned(),
        ..AzureAccount::default()
    };
    NewVolume {
        spec: VolumeSpec {
            size_gib: 5,
            zone: None,
            config: VolumeConfig::AzureBlob(AzureContainer {
                account,
                protocol: "fuse2".to_owned(),
                ..AzureContainer::default()
            }),
        },
        token: ClientToken {
            claim_uid: UID.to_owned(),
            generation: 1,
        },
        tags: pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into_iter()
            .collect::<Tags>(),
    }
}
