//! Who we are, by STS, and which zones the region has.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::{AvailabilityZone, AvailabilityZoneState};
use moorline_api::{Account, AccountId, Accounts, ErrorKind, Result};
use tokio::time::timeout;

use crate::call::{Manner, READ};
use crate::clients::Clients;
use crate::governor::Family;
use crate::listing::exactly;
use crate::provider::AwsProvider;
use crate::settings::Budgets;
use crate::words::clean;

/// STS is asked once: where it fails, EC2 knows the account too.
const IDENTITY: Manner = Manner {
    family: Family::Unpaced,
    repeatable: false,
};

#[async_trait]
impl Accounts for AwsProvider {
    async fn account(&self) -> Result<Account> {
        self.account.get_or_try_init(|| self.ask_account()).await.cloned()
    }
}

/// How long it may take to learn whose budgets are spent.
const PAYER_PATIENCE: Duration = Duration::from_secs(3);

/// The account, and its caller where that can be told.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    account: String,
    caller: String,
}

impl AwsProvider {
    async fn ask_account(&self) -> Result<Account> {
        let clients = self.clients().await?;
        let (identity, zones) = futures::try_join!(self.identity(clients), self.zones(clients))?;
        Ok(Account {
            id: AccountId(identity.account),
            caller: identity.caller,
            region: clients.region.clone(),
            zones,
        })
    }

    /// Fails where the settings name an account and the credentials are of another one.
    pub(crate) async fn check_account(&self, clients: &Clients) -> Result<()> {
        let Some(expected) = &self.settings.account else {
            return Ok(());
        };
        let found = self.identity(clients).await?.account;
        if found == *expected {
            return Ok(());
        }
        let message = format!(
            "the credentials are of account {}, and the account asked for is {expected}; check profile and role",
            clean(&found)
        );
        Err(clients
            .subject("sts:GetCallerIdentity", "")
            .error(ErrorKind::Invalid, message))
    }

    /// Whose budgets are spent, as far as that can be told soon: the account, or at least its key. Without credentials there is
    /// no call to be paced, and the error says so.
    pub(crate) async fn payer(&self, clients: &Clients) -> Result<String> {
        let paced = self.settings.budgets != Budgets::unlimited();
        match (&self.settings.account, &self.settings.keys) {
            (Some(account), _) => Ok(account.clone()),
            (None, Some(keys)) => Ok(keys.access_key_id.clone()),
            (None, None) if !paced => Ok(String::new()),
            (None, None) => match timeout(PAYER_PATIENCE, self.identity(clients)).await {
                Ok(Ok(identity)) => Ok(identity.account),
                Ok(Err(error)) if error.kind == ErrorKind::Unauthenticated => Err(error),
                Ok(Err(_)) | Err(_) => Ok(String::new()),
            },
        }
    }

    async fn identity(&self, clients: &Clients) -> Result<Identity> {
        let identity = self.identity.get_or_try_init(|| self.ask_identity(clients)).await;
        identity.cloned()
    }

    /// Who we are. An STS that cannot be reached, as in a network with an endpoint for EC2 alone, or is broken or missing, as in
    /// some emulators, leaves the caller unknown, not the account.
    async fn ask_identity(&self, clients: &Clients) -> Result<Identity> {
        let asked = self
            .caller
            .call(clients.subject("sts:GetCallerIdentity", ""), IDENTITY, || {
                clients.sts.get_caller_identity().send()
            });
        let error = match asked.await {
            Ok(identity) => {
                return Ok(Identity {
                    account: identity.account.unwrap_or_default(),
                    caller: identity.arn.unwrap_or_default(),
                });
            }
            Err(error) => error,
        };
        if !matches!(
            error.kind,
            ErrorKind::Unreachable | ErrorKind::Unsupported | ErrorKind::Internal
        ) {
            return Err(error);
        }
        let Ok(Some(account)) = self.owner(clients).await else {
            return Err(error);
        };
        tracing::warn!("the caller is not known: {error}");
        Ok(Identity {
            account,
            caller: String::new(),
        })
    }

    /// The account by what it owns: every network has a security group of this name, which nobody can delete.
    async fn owner(&self, clients: &Clients) -> Result<Option<String>> {
        let request = || {
            let groups = clients.ec2.describe_security_groups().max_results(5);
            groups.filters(exactly("group-name", "default")).send()
        };
        let subject = clients.subject("ec2:DescribeSecurityGroups", "");
        let found = self.caller.call(subject, READ, request).await?;
        let owners = found.security_groups.into_iter().flatten();
        Ok(owners
            .filter_map(|group| group.owner_id)
            .find(|owner| !owner.is_empty()))
    }

    /// The zones that may be used, sorted.
    async fn zones(&self, clients: &Clients) -> Result<Vec<String>> {
        let subject = clients.subject("ec2:DescribeAvailabilityZones", &clients.region);
        let request = || clients.ec2.describe_availability_zones().send();
        let answer = self.caller.call(subject, READ, request).await?;
        let zones = answer.availability_zones.into_iter().flatten().filter(is_usable);
        let mut names: Vec<_> = zones.filter_map(|zone| zone.zone_name).collect();
        names.sort();
        Ok(names)
    }
}

/// Local and wavelength zones are zones too, and offer no ordinary EBS.
fn is_usable(zone: &AvailabilityZone) -> bool {
    zone.state
        .as_ref()
        .is_none_or(|state| *state == AvailabilityZoneState::Available)
        && zone.zone_type.as_deref().is_none_or(|kind| kind == "availability-zone")
}
