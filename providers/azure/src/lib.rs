//! Azure behind moorline's provider traits: file shares, blob containers, the storage accounts around them, and managed disks, by
//! Resource Manager.
//!
//! [`AzureProvider::connect`] does no I/O; credentials are found at the first call, in the order of every Azure SDK. Each call is
//! paced to the published budgets of its family, bounded in number and in time, and repeated only where a repeat is harmless.
//! No task outlives the call that started it.
//!
//! Accounts and volumes are named after what they are for ([`AzureProvider`] derives the names): a run that dies leaves nothing
//! that the next one does not find.

mod account;
mod arm;
mod convert;
mod create;
mod credentials;
mod data;
mod directory;
mod disks;
mod environment;
mod errors;
mod extras;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod governor;
mod holders;
mod home;
mod inventory;
mod listing;
mod load_balancers;
mod metadata;
mod named;
mod naming;
mod obstacles;
mod order;
mod pool;
mod provider;
mod recovery;
mod resources;
mod settings;
mod tagging;
mod transport;
mod upkeep;
mod volumes;

pub use credentials::{Certificate, Chain, Identity, ServicePrincipal};
pub use data::{StorageConnection, blob_service};
pub use environment::EnvironmentProblem;
pub use extras::{DeletedShare, ShareSnapshot};
pub use moorline_azure_rules::{AzureRules, DiskName, Service, VolumeName};
pub use moorline_pacing::{Budget, WindowBudget};
pub use provider::AzureProvider;
pub use resources::{CreationData, DiskProperties, DiskSku, ManagedDisk};
pub use settings::{AzureCloud, AzureSettings, Budgets, ManagerBudgets};
