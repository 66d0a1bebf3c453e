//! Waiting for an object: one listing of it, and then a watch from there.

use std::time::Duration;

use futures::StreamExt as _;
use moorline_api::{Cluster, ErrorKind, ListQuery, ManagedFields, Object, ObjectRef, Result, WatchEvent};
use tokio::time::Instant;

/// Between two watches where the first ended at once.
const PAUSE: Duration = Duration::from_millis(500);

/// Waits until the object with this UID is gone; another of its name counts as gone. The caller bounds it in time.
pub(super) async fn wait_gone(cluster: &dyn Cluster, target: &ObjectRef, uid: &str) -> Result<()> {
    wait_while(cluster, target, uid, |_| true).await
}

/// Waits while the object with this UID is there and is so. The caller bounds it in time.
pub(super) async fn wait_while(
    cluster: &dyn Cluster,
    target: &ObjectRef,
    uid: &str,
    is_so: impl Fn(&Object) -> bool,
) -> Result<()> {
    let mut query = ListQuery::everywhere(target.resource.clone()).managed_fields(ManagedFields::None);
    query.namespace.clone_from(&target.namespace);
    query.fields = Some(format!("metadata.name={}", target.name));
    loop {
        let mut pages = cluster.list(query.clone());
        let (mut there, mut from) = (false, String::new());
        while let Some(page) = pages.next().await {
            let page = page?;
            // A server that ignores the selector shows others, too.
            there |= page
                .objects
                .iter()
                .any(|object| object.uid() == Some(uid) && is_so(object));
            from = page.resource_version;
        }
        if !there {
            return Ok(());
        }
        let began = Instant::now();
        let mut changes = cluster.watch(query.clone(), from);
        while let Some(change) = changes.next().await {
            match change {
                Ok(change) if is_over(&change, &target.name, uid, &is_so) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::Expired => break,
                Err(error) => return Err(error),
            }
        }
        // One that ended at once would be followed by the next, and each costs a list.
        if began.elapsed() < PAUSE {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether the object with this UID is gone with a change, or no longer so. A server that ignores the selector tells of others, too.
fn is_over(change: &WatchEvent, name: &str, uid: &str, is_so: &impl Fn(&Object) -> bool) -> bool {
    match change {
        WatchEvent::Deleted(object) => object.uid() == Some(uid),
        WatchEvent::Applied(object) => object.name() == name && (object.uid() != Some(uid) || !is_so(object)),
        WatchEvent::Bookmark(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_waited_for_ends_the_wait() {
        let object = |name: &str, uid: &str, phase: &str| {
            let object = json!({"metadata": {"name": name, "uid": uid}, "status": {"phase": phase}});
            Object::from_value(object).unwrap()
        };
        let is_bound = |object: &Object| object.str_at(&["status", "phase"]) == Some("Bound");
        let is_over = |change: WatchEvent| is_over(&change, "pv", "u", &is_bound);
        let (deleted, applied) = (WatchEvent::Deleted, WatchEvent::Applied);
        assert!(is_over(deleted(object("pv", "u", "Bound"))));
        assert!(!is_over(deleted(object("pv", "a former life", "Bound"))));
        assert!(!is_over(applied(object("pv", "u", "Bound"))));
        assert!(is_over(applied(object("pv", "u", "Released"))));
        assert!(is_over(applied(object("pv", "a later life", "Bound"))));
        assert!(!is_over(applied(object("another", "x", "Released"))));
        assert!(!is_over(WatchEvent::Bookmark("1".to_owned())));
    }
}
