//! Listings that are complete or an error.

use std::collections::HashSet;

use azure_core::http::Method;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use moorline_api::{ErrorKind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Call, Path, ResourceManager};
use crate::governor::Family;

/// A page as all of Resource Manager's lists have it.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned", rename_all = "camelCase")]
struct Page<T> {
    #[serde(default)]
    value: Vec<T>,
    next_link: Option<String>,
}

/// A listing before it is begun.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) operation: &'static str,
    /// What is listed, for people.
    pub(crate) resource: String,
    pub(crate) path: Path,
    pub(crate) family: Family,
}

struct Place {
    next: Option<azure_core::http::Url>,
    seen: HashSet<String>,
}

impl ResourceManager {
    /// All pages. A service that names a page twice would be followed for ever: that is an error.
    pub(crate) fn pages<T: DeserializeOwned + Send + 'static>(
        &self,
        listing: Listing,
    ) -> BoxStream<'_, Result<Vec<T>>> {
        let begin = async move {
            let first = self.url(&listing.path)?;
            let place = Place {
                next: Some(first),
                seen: HashSet::new(),
            };
            Ok(stream::try_unfold((place, listing), move |(place, listing)| {
                self.page(place, listing)
            }))
        };
        stream::once(begin).try_flatten().boxed()
    }

    async fn page<T: DeserializeOwned>(
        &self,
        mut place: Place,
        listing: Listing,
    ) -> Result<Option<(Vec<T>, (Place, Listing))>> {
        let Some(url) = place.next.take() else {
            return Ok(None);
        };
        let call = Call {
            operation: listing.operation,
            resource: &listing.resource,
            method: Method::Get,
            url,
            body: None,
            header: None,
            family: listing.family,
            repeatable: true,
        };
        let page: Page<T> = self.call(&call).await?.read(&call)?;
        if let Some(link) = page.next_link.filter(|link| !link.is_empty()) {
            if !place.seen.insert(link.clone()) {
                let message = "Azure named the same next page twice, so the listing cannot be completed";
                return Err(call.subject().error(ErrorKind::Internal, message));
            }
            place.next = Some(self.address(&call, &link)?);
        }
        Ok(Some((page.value, (place, listing))))
    }

    /// All pages at once.
    pub(crate) async fn all<T: DeserializeOwned + Send + 'static>(&self, listing: Listing) -> Result<Vec<T>> {
        self.pages(listing).try_concat().await
    }

    /// All pages of several listings, one after the other.
    pub(crate) fn pages_of<T: DeserializeOwned + Send + 'static>(
        &self,
        listings: Vec<Listing>,
    ) -> BoxStream<'_, Result<Vec<T>>> {
        let pages = listings.into_iter().map(|listing| self.pages(listing));
        stream::iter(pages.collect::<Vec<_>>()).flatten().boxed()
    }

    /// All pages of several listings at once.
    pub(crate) async fn all_of<T: DeserializeOwned + Send + 'static>(&self, listings: Vec<Listing>) -> Result<Vec<T>> {
        self.pages_of(listings).try_concat().await
    }
}
