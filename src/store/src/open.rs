//! From an address to a store.

use std::sync::Arc;
use std::time::Duration;

use moorline_api::{Error, ErrorKind, Result, RunStore};
use moorline_http::Network;

use crate::cloud::{AzureAccess, S3Access, open_azure, open_s3};
use crate::cloud::{AzurePlace, Http, S3Place};
use crate::{FolderStore, Location};

/// What it takes to reach stores: only what the address asks for is used.
#[derive(Clone, Debug)]
pub struct Access {
    /// For `s3://`.
    pub s3: Option<S3Access>,
    /// For `azblob://`.
    pub azure: Option<AzureAccess>,
    /// Proxy and certificates.
    pub network: Network,
    /// How long one try of a call may take, its answer included.
    pub call_timeout: Duration,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            s3: None,
            azure: None,
            network: Network::default(),
            call_timeout: Duration::from_secs(30),
        }
    }
}

impl Access {
    pub(crate) fn http(&self) -> Http {
        Http::new(self.network.clone(), self.call_timeout)
    }
}

/// The store at an address. Nothing is read or sent yet: a folder, bucket or container that is missing shows at the first call, and
/// whether a service keeps to conditions is tried before the first write.
pub fn open(location: &Location, access: &Access) -> Result<Arc<dyn RunStore>> {
    let written = location.to_string();
    let lacking = |what: &str| Error::new(ErrorKind::Unauthenticated, "open", written.as_str(), what);
    match location {
        Location::Folder(path) => Ok(Arc::new(FolderStore::new(path))),
        Location::S3 { bucket, prefix, region } => {
            let place = S3Place {
                bucket,
                prefix,
                region: region.as_deref(),
                written: &written,
            };
            let s3 = access
                .s3
                .as_ref()
                .ok_or_else(|| lacking("it takes credentials of AWS"))?;
            Ok(Arc::new(open_s3(place, s3, access.http())?))
        }
        Location::AzureBlob {
            account,
            container,
            prefix,
            endpoint,
        } => {
            let place = AzurePlace {
                account,
                container,
                prefix,
                endpoint: endpoint.as_deref(),
                written: &written,
            };
            let azure = access
                .azure
                .as_ref()
                .ok_or_else(|| lacking("it takes credentials of Azure"))?;
            Ok(Arc::new(open_azure(place, azure, access.http())?))
        }
    }
}
