//! Queues and tables: only whether there are any.

use moorline_api::Result;
use serde::Deserialize;

use super::{AccountPlace, Storage};
use crate::arm::Listing;
use crate::governor::Family;

#[derive(Debug, Deserialize)]
struct Named {}

impl Storage<'_> {
    /// How many queues an account has.
    pub(crate) async fn count_queues(&self, place: &AccountPlace) -> Result<usize> {
        let operation = "Microsoft.Storage/storageAccounts/queueServices/queues/read";
        self.count(place, operation, ("queueServices/default/queues", "queues"))
            .await
    }

    /// How many tables an account has.
    pub(crate) async fn count_tables(&self, place: &AccountPlace) -> Result<usize> {
        let operation = "Microsoft.Storage/storageAccounts/tableServices/tables/read";
        self.count(place, operation, ("tableServices/default/tables", "tables"))
            .await
    }

    async fn count(&self, place: &AccountPlace, operation: &'static str, (path, what): (&str, &str)) -> Result<usize> {
        let listing = Listing {
            operation,
            resource: format!("{what} of account {}", place.account),
            path: self.account_path(place).fixed(path),
            family: Family::Lists,
        };
        let all: Vec<Named> = self.arm.all(listing).await?;
        Ok(all.len())
    }
}
