//! What disks and their snapshots have in common.

use azure_core::http::Method;
use moorline_api::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Storage, as_json};
use crate::arm::{Call, Listing, Path, Version};
use crate::governor::Family;

/// A resource type, and its operations as roles name them.
pub(super) struct Kind {
    /// As in ids and paths: `Microsoft.Compute/disks`.
    pub(super) resource_type: &'static str,
    /// In words, for many of them.
    pub(super) plural: &'static str,
    pub(super) read: &'static str,
    pub(super) write: &'static str,
    pub(super) delete: &'static str,
}

impl Storage<'_> {
    /// The listings of all of a kind in the scope.
    pub(super) fn compute_listings(&self, kind: &Kind) -> Vec<Listing> {
        self.everywhere((Version::Disks, kind.resource_type), |path, place| Listing {
            operation: kind.read,
            resource: format!("{} of {place}", kind.plural),
            path,
            family: Family::Unpaced,
        })
    }

    fn compute_call<'a>(
        &self,
        (kind, operation): (&Kind, &'static str),
        method: Method,
        (group, name): (&str, &'a str),
    ) -> Result<Call<'a>> {
        let path = Path::group(Version::Disks, self.subscription, group)
            .fixed("providers")
            .fixed(kind.resource_type)
            .named(name);
        self.request((operation, name), (method, &path), Family::Unpaced)
    }

    pub(super) async fn compute<T: DeserializeOwned>(&self, kind: &Kind, place: (&str, &str)) -> Result<Option<T>> {
        let call = self.compute_call((kind, kind.read), Method::Get, place)?;
        self.arm.get(&call).await
    }

    /// Makes one and waits until Azure has it; a snapshot's data may follow.
    pub(super) async fn create_compute(&self, kind: &Kind, place: (&str, &str), body: &impl Serialize) -> Result<()> {
        let call = self.compute_call((kind, kind.write), Method::Put, place)?;
        let call = Call {
            body: Some(as_json(body, &call)?),
            ..call
        };
        self.arm.complete(&call).await.map(drop)
    }

    /// Deletes one and waits until it is gone; one that is absent is success.
    pub(super) async fn delete_compute(&self, kind: &Kind, place: (&str, &str)) -> Result<()> {
        let call = self.compute_call((kind, kind.delete), Method::Delete, place)?;
        match self.arm.complete(&call).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
