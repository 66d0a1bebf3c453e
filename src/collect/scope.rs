//! Where the collector looks: scopes of clouds, and the clusters that may use them.

use std::sync::Arc;

use moorline_api::{
    Cluster, Error, Holders, Inventory, LoadBalancers, Recovery, StorageRules, Tagging, TargetGroups, Volumes,
};

/// What one set of credentials sees at once: an AWS account in one region, an Azure subscription.
#[derive(Clone)]
pub struct Scope {
    /// What people call it, and marks, plans and journals with them: `aws 123456789012 eu-central-1`. Each scope has another name.
    pub name: String,
    /// The region that its prices are of; empty where its volumes say themselves where they are.
    pub region: String,
    /// Lists and reads volumes.
    pub inventory: Arc<dyn Inventory>,
    /// Deletes and snapshots volumes.
    pub volumes: Arc<dyn Volumes>,
    /// Marks.
    pub tagging: Arc<dyn Tagging>,
    /// Snapshots and deleted volumes.
    pub recovery: Arc<dyn Recovery>,
    /// Storage accounts.
    pub holders: Arc<dyn Holders>,
    /// Load balancers.
    pub load_balancers: Arc<dyn LoadBalancers>,
    /// What load balancers forward to.
    pub target_groups: Arc<dyn TargetGroups>,
    /// The provider's storage rules.
    pub rules: Arc<dyn StorageRules>,
}

impl Scope {
    /// A scope whose capabilities one provider has, with the storage rules that go with it.
    pub fn of<P>(
        provider: Arc<P>,
        rules: Arc<dyn StorageRules>,
        name: impl Into<String>,
        region: impl Into<String>,
    ) -> Self
    where
        P: Inventory + Volumes + Tagging + Recovery + Holders + LoadBalancers + TargetGroups + 'static,
    {
        Self {
            name: name.into(),
            region: region.into(),
            inventory: provider.clone(),
            volumes: provider.clone(),
            tagging: provider.clone(),
            recovery: provider.clone(),
            holders: provider.clone(),
            load_balancers: provider.clone(),
            target_groups: provider,
            rules,
        }
    }
}

/// A cluster that the policy names, in the policy's order.
pub struct ClusterLink {
    /// What the policy calls it.
    pub name: String,
    /// How to reach it. One that cannot even be tried (no such context, no such file) does not keep the run from the others: what
    /// depends on it is unknown.
    pub connection: Result<Arc<dyn Cluster>, Error>,
}
