//! Stores to run the cases in: a folder, and a bucket or container of each emulator.

use std::sync::Arc;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use moorline_api::RunStore;
use moorline_api::conformance::cloud::Accident;
use moorline_api::conformance::store::{self, StoreBackend};
use moorline_parts::{AZURITE_ACCOUNT, AZURITE_KEY, azurite_connection, from_environment};
use moorline_store::{Access, AzureAccess, S3Access, open};

use crate::raw::Raw;
use crate::wire::Wire;

/// Where cases run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    Folder,
    Moto,
    Azurite,
}

impl Site {
    pub(crate) const ALL: [Self; 3] = [Self::Folder, Self::Moto, Self::Azurite];

    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Moto => "real::moto",
            Self::Azurite => "real::azurite",
        }
    }
}

/// One store, empty at first.
pub(crate) enum Backend {
    Folder(tempfile::TempDir),
    Cloud(Box<Cloud>),
}

pub(crate) struct Cloud {
    wire: Wire,
    raw: Raw,
    /// The address of the store, and that of one in a bucket that is missing.
    place: String,
    missing: String,
    access: Access,
}

impl Backend {
    pub(crate) async fn at(site: Site) -> store::Backend {
        let label = format!("m{:08x}", fastrand::u32(..));
        Arc::new(match site {
            Site::Folder => Self::Folder(tempfile::tempdir().unwrap()),
            Site::Moto => Self::s3(from_environment().unwrap().moto().unwrap(), &label).await,
            Site::Azurite => Self::azure(from_environment().unwrap().azurite().unwrap(), &label).await,
        })
    }

    async fn s3(address: &str, label: &str) -> Self {
        let wire = Wire::one_write_at_a_time(address).await;
        let raw = Raw::s3(address, label);
        raw.make().await;
        let credentials = Credentials::new("000000000000", "not-a-secret", None, None, "test");
        let s3 = S3Access {
            credentials: SharedCredentialsProvider::new(credentials),
            refused: Arc::new(|| {}),
            region: Some("us-east-1".to_owned()),
            endpoint: Some(wire.address.clone()),
        };
        Self::Cloud(Box::new(Cloud {
            raw,
            place: format!("s3://{label}/some/Prefix"),
            missing: format!("s3://{label}-missing"),
            access: Access {
                s3: Some(s3),
                ..local()
            },
            wire,
        }))
    }

    async fn azure(address: &str, label: &str) -> Self {
        let wire = Wire::to(address).await;
        let raw = Raw::azure(address, AZURITE_ACCOUNT, AZURITE_KEY, label);
        raw.make().await;
        let azure = AzureAccess::from_connection_string(&azurite_connection(&wire.address)).unwrap();
        Self::Cloud(Box::new(Cloud {
            raw,
            place: format!("azblob://{AZURITE_ACCOUNT}/{label}/some/Prefix"),
            missing: format!("azblob://{AZURITE_ACCOUNT}/{label}-missing"),
            access: Access {
                azure: Some(azure),
                ..local()
            },
            wire,
        }))
    }

    fn cloud(&self) -> &Cloud {
        match self {
            Self::Folder(_) => panic!("a folder has no service behind it"),
            Self::Cloud(cloud) => cloud,
        }
    }
}

/// All is on this machine.
fn local() -> Access {
    let mut access = Access::default();
    access.network.machine_roots = false;
    access
}

#[async_trait(?Send)]
impl StoreBackend for Backend {
    fn open(&self) -> Arc<dyn RunStore> {
        match self {
            Self::Folder(folder) => {
                let place = folder.path().join("store");
                open(&place.to_str().unwrap().parse().unwrap(), &Access::default()).unwrap()
            }
            Self::Cloud(cloud) => open(&cloud.place.parse().unwrap(), &cloud.access).unwrap(),
        }
    }

    fn missing(&self) -> Arc<dyn RunStore> {
        let cloud = self.cloud();
        open(&cloud.missing.parse().unwrap(), &cloud.access).unwrap()
    }

    async fn put_foreign(&self, name: &str, value: &[u8]) {
        match self {
            Self::Folder(folder) => std::fs::write(folder.path().join("store").join(name), value).unwrap(),
            Self::Cloud(cloud) => cloud.raw.put(&format!("some/Prefix/{name}"), value).await,
        }
    }

    fn strike(&self, method: &'static str, accident: Accident, times: usize) {
        self.cloud().wire.strike(method, accident, times);
    }
}
