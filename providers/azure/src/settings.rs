//! How to reach Azure, as whom, and how fast.

use std::path::PathBuf;
use std::time::Duration;

use moorline_api::Sensitive;
use moorline_pacing::{Budget, Registry, WindowBudget};

use crate::credentials::Identity;
use crate::data::StorageConnection;

/// Which of the clouds that call themselves Azure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AzureCloud {
    /// The public one.
    #[default]
    Public,
    /// Azure China, operated by 21Vianet.
    China,
    /// Azure US Government.
    UsGovernment,
    /// Another one: Azure Stack, or the sandbox.
    Custom {
        /// Where tokens come from, `https://login.example.com`. Tokens go over HTTPS only.
        authority: String,
        /// Resource Manager's address. Plain HTTP is accepted on loopback only.
        resource_manager: String,
        /// What tokens are asked for; `None` is Resource Manager's address.
        audience: Option<String>,
    },
}

impl AzureCloud {
    /// Resource Manager's address.
    pub fn resource_manager(&self) -> &str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::China => "https://management.chinacloudapi.cn",
            Self::UsGovernment => "https://management.usgovcloudapi.net",
            Self::Custom { resource_manager, .. } => resource_manager.trim_end_matches('/'),
        }
    }

    /// The scope of tokens for Resource Manager.
    pub(crate) fn scope(&self) -> String {
        let audience = match self {
            Self::Custom {
                audience: Some(audience),
                ..
            } => audience.trim_end_matches('/'),
            // The endpoints of the sovereign clouds are their audiences too.
            _ => self.resource_manager(),
        };
        format!("{audience}/.default")
    }
}

/// Everything that the provider is told; it reads no environment itself.
/// [`AzureSettings::from_environment`](crate::AzureSettings::from_environment) fills it in as the tools of Azure would.
#[derive(Clone, Debug)]
pub struct AzureSettings {
    /// Which cloud.
    pub cloud: AzureCloud,
    /// The tenant that must have signed the token, where a profile pins one. The command-line tools are asked for it where the
    /// environment names no other.
    pub tenant: Option<String>,
    /// The subscription. There is no default one: without it the first call says how to name it.
    pub subscription: Option<String>,
    /// The only resource groups whose accounts, disks and snapshots are listed; empty is the whole subscription. What is in other
    /// groups is as if another subscription had it.
    pub resource_groups: Vec<String>,
    /// The resource group for what is made, where a class names none.
    pub resource_group: Option<String>,
    /// Whether a resource group that is missing may be made; then `location` is needed.
    pub create_resource_group: bool,
    /// Azure's region; `None` is the resource group's.
    pub location: Option<String>,
    /// As whom.
    pub identity: Identity,
    /// The account for containers, where one is given instead of managed: they are made in it by its data plane. Without a
    /// subscription nothing else is there, and Resource Manager is never called.
    pub connection: Option<StorageConnection>,
    /// Accounts that exist already and may hold volumes of ours, because classes name them.
    pub named_accounts: Vec<String>,
    /// The names that classes give shares or containers, with what stands for a claim in them: such names say nothing of claims,
    /// so that volumes of these names are read one by one.
    pub volume_names: Vec<String>,
    /// The most shares or containers in an account that moorline makes; the next one goes into the next account.
    pub volumes_per_account: usize,
    /// For how many days deleted shares can be restored, 1 to 365, in accounts that moorline makes; `None` leaves Azure's
    /// default, and 0 switches it off.
    pub keep_deleted_shares_days: Option<u32>,
    /// Call budgets of the subscription and region.
    pub budgets: Budgets,
    /// Where they are shared with others who use the subscription.
    pub registry: Registry,
    /// Calls under way at once: so many that read, and as many that write.
    pub concurrency: usize,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long one attempt of a call may take.
    pub call_timeout: Duration,
    /// How long a call may take with all its repeats.
    pub patience: Duration,
    /// How long an account may take to be made.
    pub account_timeout: Duration,
    /// How long what was just created may stay invisible before it counts as vanished.
    pub visibility_grace: Duration,
    /// Root certificates to trust beside the machine's, as PEM text.
    pub extra_roots: Option<String>,
    /// A PEM file with more of them, as `REQUESTS_CA_BUNDLE` names it to the tools of Azure. It is read at the first call.
    pub extra_roots_file: Option<PathBuf>,
    /// The proxy for HTTPS, as an address; there may be a password in it.
    pub proxy: Option<Sensitive>,
    /// Hosts that are reached without it, as `NO_PROXY` lists them.
    pub no_proxy: String,
}

impl Default for AzureSettings {
    fn default() -> Self {
        Self {
            cloud: AzureCloud::Public,
            tenant: None,
            subscription: None,
            resource_groups: Vec::new(),
            resource_group: None,
            create_resource_group: false,
            location: None,
            identity: Identity::default(),
            connection: None,
            named_accounts: Vec::new(),
            volume_names: Vec::new(),
            volumes_per_account: 50,
            keep_deleted_shares_days: None,
            budgets: Budgets::default(),
            registry: Registry::alone(),
            concurrency: 32,
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            patience: Duration::from_mins(5),
            account_timeout: Duration::from_mins(5),
            visibility_grace: Duration::from_mins(1),
            extra_roots: None,
            extra_roots_file: None,
            proxy: None,
            no_proxy: String::new(),
        }
    }
}

impl AzureSettings {
    /// Settings for a server on this machine that takes any token: nothing outside is read.
    pub fn local(resource_manager: &str, subscription: &str, token: Sensitive) -> Self {
        Self {
            cloud: AzureCloud::Custom {
                authority: "https://localhost".to_owned(),
                resource_manager: resource_manager.to_owned(),
                audience: None,
            },
            subscription: Some(subscription.to_owned()),
            identity: Identity::Token(token),
            ..Self::default()
        }
    }
}

/// The budgets of a subscription and region.
///
/// Sources of the defaults: Azure Storage documentation, "Scalability and performance targets for standard storage accounts",
/// section on the storage resource provider; Resource Manager documentation, "Understand how Azure Resource Manager throttles
/// requests".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Reads of single things of the storage provider; empty is unlimited.
    pub reads: Vec<WindowBudget>,
    /// Lists of the storage provider; empty is unlimited.
    pub lists: Vec<WindowBudget>,
    /// Creations, changes, deletions and actions of the storage provider; empty is unlimited. The first is the one that
    /// bounds a burst: it is spent evenly.
    pub writes: Vec<WindowBudget>,
    /// Resource Manager's own, for all providers together; `None` is unlimited.
    pub manager: Option<ManagerBudgets>,
}

/// What Resource Manager allows a caller in a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagerBudgets {
    /// Calls that read.
    pub reads: Budget,
    /// Calls that write.
    pub writes: Budget,
    /// Calls that delete.
    pub deletes: Budget,
}

impl Default for ManagerBudgets {
    fn default() -> Self {
        let budget = |burst, per_second| Budget { burst, per_second };
        Self {
            reads: budget(250, 25),
            writes: budget(200, 10),
            deletes: budget(200, 10),
        }
    }
}

impl Default for Budgets {
    fn default() -> Self {
        let budget = |calls, per| WindowBudget { calls, per };
        Self {
            reads: vec![budget(800, Duration::from_mins(5))],
            lists: vec![budget(100, Duration::from_mins(5))],
            writes: vec![
                budget(10, Duration::from_secs(1)),
                budget(1200, Duration::from_hours(1)),
            ],
            manager: Some(ManagerBudgets::default()),
        }
    }
}

impl Budgets {
    /// No budgets, for a backend that does not throttle.
    pub fn unlimited() -> Self {
        Self {
            reads: Vec::new(),
            lists: Vec::new(),
            writes: Vec::new(),
            manager: None,
        }
    }

    /// How long these budgets hold up `creates` creations at least. A share is one write; the account around it is not
    /// counted, because there may be one already.
    pub(crate) fn creation_floor(&self, creates: u32) -> Duration {
        let floors = self.writes.iter().map(|budget| budget.floor(creates));
        floors.max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_what_the_windows_allow() {
        let budgets = Budgets::default();
        for (creates, seconds) in [(0, 0), (10, 0), (11, 1), (100, 9), (1200, 119), (1201, 3600)] {
            assert_eq!(
                budgets.creation_floor(creates),
                Duration::from_secs(seconds),
                "{creates}"
            );
        }
        assert_eq!(Budgets::unlimited().creation_floor(1_000_000), Duration::ZERO);
    }

    #[test]
    fn every_cloud_has_its_endpoint_and_audience() {
        for (cloud, scope) in [
            (AzureCloud::Public, "https://management.azure.com/.default"),
            (AzureCloud::China, "https://management.chinacloudapi.cn/.default"),
            (
                AzureCloud::UsGovernment,
                "https://management.usgovcloudapi.net/.default",
            ),
        ] {
            assert_eq!(cloud.scope(), scope);
        }
        let custom = |audience: Option<&str>| AzureCloud::Custom {
            authority: "https://login.example.com".to_owned(),
            resource_manager: "https://arm.example.com/".to_owned(),
            audience: audience.map(str::to_owned),
        };
        assert_eq!(custom(None).resource_manager(), "https://arm.example.com");
        assert_eq!(custom(None).scope(), "https://arm.example.com/.default");
        assert_eq!(custom(Some("https://arm")).scope(), "https://arm/.default");
    }

    #[test]
    fn debug_shows_no_token() {
        let settings = AzureSettings::local("http://127.0.0.1:1", "s", Sensitive::new("hush"));
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
