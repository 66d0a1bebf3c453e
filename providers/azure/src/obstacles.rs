//! What would stand in the way of volumes, as far as reads tell: said before anything is changed.

use std::collections::BTreeSet;

use moorline_api::{ClientToken, Error, NewVolume, Owner, Result, Tags, VolumeSpec, tags};

use crate::order::Order;
use crate::provider::AzureProvider;

impl AzureProvider {
    /// What the creation of such volumes would be refused for: their subscription, their resource group, the account that
    /// their class names. Each of these is asked for once, however many volumes there are. What cannot be read is an error.
    pub(crate) async fn obstacles_for(&self, owner: Owner<'_>, specs: &[VolumeSpec]) -> Result<Vec<Error>> {
        let tags = Tags::from([
            (tags::CLUSTER_UID.to_owned(), owner.cluster.to_owned()),
            (tags::PROFILE.to_owned(), owner.profile.to_owned()),
        ]);
        let mut asked = BTreeSet::new();
        let mut obstacles = Vec::new();
        for spec in specs {
            let new = NewVolume {
                spec: spec.clone(),
                token: ClientToken {
                    claim_uid: String::new(),
                    generation: 1,
                },
                tags: tags.clone(),
            };
            let order = Order::for_class(&new)?;
            let account = order.account;
            let question = (
                order.service,
                account.name.clone(),
                account.sku.clone(),
                account.subscription.clone(),
                account.resource_group.clone(),
            );
            if self.given_for(&order).is_ok_and(|given| given.is_some()) || !asked.insert(question) {
                continue;
            }
            match self.reads_for(&order).await {
                Ok(()) => {}
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => obstacles.push(error),
            }
        }
        Ok(obstacles)
    }

    async fn reads_for(&self, order: &Order<'_>) -> Result<()> {
        self.given_for(order)?;
        self.check_subscription(order)?;
        match (&order.account.name, &order.account.resource_group) {
            (Some(_), _) => self.checked_account(order).await.map(drop),
            (None, Some(group)) => self.storage()?.group(group).await.map(drop),
            (None, None) => self.region().await.map(drop),
        }
    }
}
