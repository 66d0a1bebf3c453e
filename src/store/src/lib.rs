//! Where run records and leases live: a folder, an S3 bucket or an Azure blob container.
//!
//! [`open`] makes a store of a [`Location`]; a [`Lease`] keeps two runs apart, and [`Records`] tell what each of them did. Both are
//! made of nothing but [`RunStore`](moorline_api::RunStore)'s conditional writes, so they are as good on every store.

pub mod cloud;
pub mod folder;
pub mod lease;
pub mod location;
pub mod records;

mod clock;
mod open;

pub use clock::{Clock, SystemClock};
pub use cloud::{AzureAccess, AzureIdentity, CloudStore, ConnectionStringError, S3Access};
pub use folder::FolderStore;
pub use lease::{Lease, LeaseError, Terms};
pub use location::{Location, LocationError};
pub use open::{Access, open};
pub use records::{Records, RunLog, RunRecord};
