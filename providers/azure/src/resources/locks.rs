//! Resource locks: what may not be deleted, whoever asks.

use moorline_api::Result;
use serde::Deserialize;

use super::Storage;
use crate::arm::{Listing, Path, Version};
use crate::governor::Family;

/// What ends the scope in a lock's id.
const BELOW: &str = "/providers/microsoft.authorization/locks/";

#[derive(Debug, Deserialize)]
struct LockEntry {
    id: String,
    name: String,
}

/// The locks of a subscription. Each of them, whatever its level, forbids to delete what is at its scope or below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locks(Vec<Lock>);

#[derive(Clone, Debug)]
struct Lock {
    /// In lower case, with a slash at its end.
    scope: String,
    name: String,
}

impl Locks {
    /// The name of a lock that keeps the resource with this id from being deleted.
    pub(crate) fn on(&self, id: &str) -> Option<&str> {
        let target = as_scope(id);
        self.0
            .iter()
            .find(|lock| target.starts_with(&lock.scope))
            .map(|lock| &*lock.name)
    }

    /// The name of a lock that keeps the resource, or something in it, from being deleted.
    pub(crate) fn on_or_in(&self, id: &str) -> Option<&str> {
        let target = as_scope(id);
        let within = || self.0.iter().find(|lock| lock.scope.starts_with(&target));
        self.on(id).or_else(|| within().map(|lock| &*lock.name))
    }
}

fn as_scope(id: &str) -> String {
    format!("{}/", id.trim_end_matches('/').to_ascii_lowercase())
}

impl Storage<'_> {
    /// Every lock of the subscription: on itself, its groups, and its resources.
    pub(crate) async fn locks(&self) -> Result<Locks> {
        let listing = Listing {
            operation: "Microsoft.Authorization/locks/read",
            resource: format!("locks of subscription {}", self.subscription),
            path: Path::subscription(Version::Locks, self.subscription)
                .fixed("providers/Microsoft.Authorization/locks"),
            family: Family::Unpaced,
        };
        let entries: Vec<LockEntry> = self.arm.all(listing).await?;
        let locks = entries.into_iter().filter_map(|entry| {
            let lower = entry.id.to_ascii_lowercase();
            let (scope, _) = lower.rsplit_once(BELOW)?;
            Some(Lock {
                scope: as_scope(scope),
                name: entry.name,
            })
        });
        Ok(Locks(locks.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_holds_what_is_at_its_scope_and_below() {
        let lock = |scope: &str, name: &str| Lock {
            scope: as_scope(scope),
            name: name.to_owned(),
        };
        let locks = Locks(vec![
            lock("/subscriptions/s/resourceGroups/Data", "group"),
            lock(
                "/subscriptions/s/resourceGroups/web/providers/Microsoft.Storage/storageAccounts/acct/fileServices/default/shares/share",
                "share",
            ),
        ]);
        let account = "/subscriptions/s/resourceGroups/web/providers/Microsoft.Storage/storageAccounts/acct";
        let disk = |group: &str| format!("/subscriptions/S/resourcegroups/{group}/providers/Microsoft.Compute/disks/d");
        assert_eq!(locks.on(&disk("DATA")), Some("group"));
        assert_eq!(locks.on(&disk("data2")), None);
        assert_eq!(locks.on(account), None);
        assert_eq!(locks.on_or_in(account), Some("share"));
        assert_eq!(
            locks.on(&format!("{account}/fileServices/default/shares/share")),
            Some("share")
        );
        assert_eq!(locks.on(&format!("{account}/fileServices/default/shares/share2")), None);
    }
}
