//! The last glance: directly before a claim goes, whether a StatefulSet or pod came back that wants it.
//!
//! A second look is good for half a minute, and a user may be quicker. Sets and pods of the claim's namespace are cheap to list, and
//! claims of one namespace that go together share a listing for a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use moorline_api::{Cluster, ListQuery, ManagedFields, Object, ResourceKind, Result};
use moorline_gc::verdict::Target;
use tokio::time::Instant;

/// How long claims of one namespace share a listing.
const SHARED: Duration = Duration::from_secs(1);

/// What there is in one namespace that may want claims.
#[derive(Debug, Default)]
struct Wanting {
    sets: BTreeSet<String>,
    /// Claims that pods name.
    claims: BTreeSet<String>,
}

type Place = (String, String);
type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Wanting)>>>;

/// The listings of a moment ago, by cluster and namespace.
#[derive(Debug, Default)]
pub(super) struct Glances {
    slots: Mutex<BTreeMap<Place, Slot>>,
}

impl Glances {
    /// What wants the claim, if something does.
    pub(super) async fn what_wants(&self, cluster: &dyn Cluster, claim: &Target) -> Result<Option<String>> {
        let place = (claim.cluster.clone(), claim.namespace.clone());
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(place).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some((at, wanting)) = slot.as_ref()
            && is_of_this_moment(*at)
        {
            return Ok(wanting.wants(&claim.name));
        }
        let at = Instant::now();
        let wanting = list(cluster, &claim.namespace).await?;
        let wants = wanting.wants(&claim.name);
        *slot = Some((at, wanting));
        Ok(wants)
    }
}

/// Whether a listing that began then may still be shared.
fn is_of_this_moment(at: Instant) -> bool {
    at.elapsed() < SHARED
}

async fn list(cluster: &dyn Cluster, namespace: &str) -> Result<Wanting> {
    let mut wanting = Wanting::default();
    for kind in [ResourceKind::stateful_set(), ResourceKind::pod()] {
        let mut pages = cluster.list(ListQuery::within(kind, namespace).managed_fields(ManagedFields::None));
        while let Some(page) = pages.next().await {
            page?.objects.iter().for_each(|object| wanting.add(object));
        }
    }
    Ok(wanting)
}

impl Wanting {
    fn add(&mut self, object: &Object) {
        if object.gvk().kind == "StatefulSet" {
            self.sets.insert(object.name().to_owned());
        }
        let volumes = object.list_at(&["spec", "volumes"]).iter();
        let claims = volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str());
        self.claims.extend(claims.map(str::to_owned));
    }

    /// A set wants the claims that end with its name and an ordinal, whatever its templates are now.
    fn wants(&self, claim: &str) -> Option<String> {
        if self.claims.contains(claim) {
            return Some(format!("a pod came back that uses claim {claim}"));
        }
        let (stem, ordinal) = claim.rsplit_once('-')?;
        let is_number = !ordinal.is_empty() && ordinal.bytes().all(|byte| byte.is_ascii_digit());
        let wants = |set: &&String| stem.strip_suffix(set.as_str()).is_some_and(|rest| rest.ends_with('-'));
        let set = self.sets.iter().find(wants).filter(|_| is_number)?;
        Some(format!(
            "StatefulSet {set} came back, and claim {claim} is one of its own"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_shared_for_a_moment_only() {
        let now = Instant::now();
        assert!(is_of_this_moment(now));
        assert!(!is_of_this_moment(now.checked_sub(SHARED).unwrap_or(now)));
    }

    #[test]
    fn a_set_wants_the_claims_that_have_its_name_and_a_number() {
        let wanting = Wanting {
            sets: ["db".to_owned()].into(),
            claims: ["own".to_owned()].into(),
        };
        for wanted in ["data-db-0", "data-x-db-12", "own"] {
            assert!(wanting.wants(wanted).is_some(), "{wanted}");
        }
        for other in ["data-db", "data-db-x", "data-mydb-0", "db-0", "data-web-0", ""] {
            assert_eq!(wanting.wants(other), None, "{other}");
        }
    }
}
