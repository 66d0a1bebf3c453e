//! Prices that a policy gives in place of the built-in ones.

use std::collections::BTreeMap;

use moorline_api::CloudName;
use thiserror::Error;

/// Prices of one's own, by cloud, region and item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides(BTreeMap<(CloudName, String), BTreeMap<String, f64>>);

/// Why something is no price.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PriceError {
    /// Nothing of this name has a price.
    #[error("nothing of {cloud} is priced as {item:?}")]
    Unknown {
        /// The cloud.
        cloud: CloudName,
        /// The item.
        item: String,
    },
    /// Negative, infinite, or not a number.
    #[error("a price is 0 or more")]
    NoPrice,
}

impl Overrides {
    /// No overrides.
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a price in US dollars, or replaces the one that is there.
    pub fn insert(&mut self, cloud: CloudName, region: &str, item: &str, price: f64) -> Result<(), PriceError> {
        if crate::items(cloud)
            .binary_search_by(|known| known.as_str().cmp(item))
            .is_err()
        {
            let item = item.to_owned();
            return Err(PriceError::Unknown { cloud, item });
        }
        if !price.is_finite() || price < 0.0 {
            return Err(PriceError::NoPrice);
        }
        let region = crate::region_name(cloud, region).into_owned();
        self.0
            .entry((cloud, region))
            .or_default()
            .insert(item.to_owned(), price);
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, cloud: CloudName, region: &str, item: &str) -> Option<f64> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(cloud, region.to_owned()))?.get(item).copied()
    }
}
