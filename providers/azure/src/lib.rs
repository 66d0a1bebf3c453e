//! Azure behind moorline's provider traits: file shares, blob containers and the storage accounts around them, by Resource
//! Manager.
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
mod environment;
mod errors;
mod extras;
mod governor;
mod home;
mod listing;
mod load_balancers;
mod metadata;
mod named;
mod naming;
mod order;
mod pool;
mod provider;
mod resources;
mod settings;
mod transport;
mod upkeep;
mod volumes;

pub use credentials::{Certificate, Chain, Identity, ServicePrincipal};
pub use data::{StorageConnection, blob_service};
pub use environment::EnvironmentProblem;
pub use extras::{DeletedShare, ShareSnapshot};
pub use moorline_azure_rules::{AzureRules, Service, VolumeName};
pub use moorline_pacing::{Budget, WindowBudget};
pub use provider::AzureProvider;
pub use resources::{DiskProperties, ManagedDisk};
pub use settings::{AzureCloud, AzureSettings, Budgets, ManagerBudgets};
