//! Who we are, by STS, and which zones the region has.

use async_trait::async_trait;
use aws_sdk_ec2::types::{AvailabilityZone, AvailabilityZoneState};
use moorline_api::{Account, AccountId, Accounts, Result};

use crate::call::{Manner, READ};
use crate::governor::Family;
use crate::provider::AwsProvider;

#[async_trait]
impl Accounts for AwsProvider {
    async fn account(&self) -> Result<Account> {
        self.account.get_or_try_init(|| self.ask()).await.cloned()
    }
}

impl AwsProvider {
    async fn ask(&self) -> Result<Account> {
        let clients = self.clients().await?;
        let manner = Manner {
            family: Family::Unpaced,
            repeatable: true,
        };
        let identity = self
            .caller
            .call(clients.subject("sts:GetCallerIdentity", ""), manner, || {
                clients.sts.get_caller_identity().send()
            });
        let zones = self.caller.call(
            clients.subject("ec2:DescribeAvailabilityZones", &clients.region),
            READ,
            || clients.ec2.describe_availability_zones().send(),
        );
        let (identity, zones) = futures::try_join!(identity, zones)?;
        let mut zones: Vec<_> = zones
            .availability_zones
            .unwrap_or_default()
            .into_iter()
            .filter(is_usable)
            .filter_map(|zone| zone.zone_name)
            .collect();
        zones.sort();
        Ok(Account {
            id: AccountId(identity.account.unwrap_or_default()),
            caller: identity.arn.unwrap_or_default(),
            region: clients.region.clone(),
            zones,
        })
    }
}

/// Local and wavelength zones are zones too, and offer no ordinary EBS.
fn is_usable(zone: &AvailabilityZone) -> bool {
    zone.state
        .as_ref()
        .is_none_or(|state| *state == AvailabilityZoneState::Available)
        && zone.zone_type.as_deref().is_none_or(|kind| kind == "availability-zone")
}
