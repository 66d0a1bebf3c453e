//! What things cost a month: asked of whoever has a price table.

use moorline_api::{Holder, LoadBalancer, Recoverable, Volume};

use crate::Scope;

/// Prices in US dollars a month; `None` where the table has none. Answers at once, without calls.
pub trait Prices: Send + Sync {
    /// What a volume costs.
    fn volume(&self, scope: &Scope, volume: &Volume) -> Option<f64>;

    /// What a load balancer costs, without its traffic.
    fn load_balancer(&self, scope: &Scope, balancer: &LoadBalancer) -> Option<f64>;

    /// What a snapshot costs at most: the size of its volume.
    fn snapshot(&self, scope: &Scope, snapshot: &Recoverable) -> Option<f64>;

    /// What an empty storage account costs.
    fn holder(&self, scope: &Scope, holder: &Holder) -> Option<f64>;
}

/// No price is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPrices;

impl Prices for NoPrices {
    fn volume(&self, _: &Scope, _: &Volume) -> Option<f64> {
        None
    }

    fn load_balancer(&self, _: &Scope, _: &LoadBalancer) -> Option<f64> {
        None
    }

    fn snapshot(&self, _: &Scope, _: &Recoverable) -> Option<f64> {
        None
    }

    fn holder(&self, _: &Scope, _: &Holder) -> Option<f64> {
        None
    }
}
