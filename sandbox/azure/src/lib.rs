//! A simulated Azure: Resource Manager for storage accounts and what is in them, managed disks and their
//! snapshots, resource groups, subscriptions, tags and locks, with the token endpoint and the metadata service that hand out its tokens.
//!
//! [`AzureCloud::router`] is what the SDKs and the `az` command talk to; it is throttled, audited, struck by faults, and
//! its lists lag behind its writes. It has to be served over TLS, because the SDKs send tokens over nothing else:
//! [`serve_tls`] does that with the certificate of an [`Authority`] that clients are told to trust. The metadata service
//! is asked over plain HTTP: [`AzureCloud::metadata_router`]. The other methods of [`AzureCloud`] are for the sandbox's
//! own controllers, in-process and without any of that. All times pass on the sandbox's clock, except the lives of
//! tokens: clients keep those by the machine's clock, so the sandbox does too.
//!
//! Secrets are not checked, but a call needs a token: a client secret that starts with `INVALID` or `EXPIRED` gets what
//! such secrets get from Microsoft Entra. No secret of a caller is ever kept. Account keys are derived when they are asked
//! for and are not kept either.
//!
//! Shapes, codes and messages follow the published REST API (`azure-rest-api-specs`, Microsoft.Storage 2026-09-01) and what
//! recordings of the real service in the tests of `azure-cli` and `azure-powershell` show.

mod cloud;
mod compute;
mod drivers;
mod error;
mod estate;
mod http;
mod identity;
mod locations;
mod network;
mod operation;
mod paging;
mod polling;
mod resources;
mod session;
mod settings;
mod stock;
mod storage;
mod throttle;
mod times;
mod tls;
mod versions;

pub use cloud::{AzureCloud, Disk, Share, StorageAccount};
pub use drivers::{AccountWish, Container, NewDisk, NewShare};
pub use error::AzureError;
pub use settings::{AzureSettings, Bucket, Rates, Window};
pub use tls::{Authority, TlsError, serve_tls};
