//! AWS behind moorline's provider traits: EBS volumes, their tags and snapshots, classic ELB and ELBv2, the account.
//!
//! [`AwsProvider::connect`] does no I/O; configuration and credentials are found at the first call, by the rules of every
//! AWS tool. Each call is paced by one client-side budget per call family, bounded in number and in time, and repeated only
//! where a repeat is harmless. No task outlives the call that started it.

mod account;
mod ahead;
mod balancer_removal;
mod bound;
mod call;
mod clients;
mod clock;
mod convert;
mod credentials;
mod errors;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod genuine;
mod governor;
mod inventory;
mod listing;
mod load_balancers;
mod merging;
mod mount;
mod provider;
mod recovery;
mod settings;
mod snapshots;
mod tagging;
mod target_groups;
mod volumes;
mod waiting;
mod zones;

use moorline_api::words;

pub use moorline_aws_rules::EbsRules;
pub use provider::AwsProvider;
pub use settings::{AssumedRole, AwsSettings, Budget, Budgets, StaticKeys};
