//! Waiting for an object: one listing of it, and then a watch from there.

use futures::StreamExt as _;
use moorline_api::{Cluster, ErrorKind, ListQuery, ManagedFields, Object, ObjectRef, Result, WatchEvent};

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
        let mut changes = cluster.watch(query.clone(), from);
        while let Some(change) = changes.next().await {
            match change {
                Ok(WatchEvent::Deleted(object)) if object.uid() == Some(uid) => return Ok(()),
                Ok(WatchEvent::Applied(object))
                    if object.name() == target.name && (object.uid() != Some(uid) || !is_so(&object)) =>
                {
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::Expired => break,
                Err(error) => return Err(error),
            }
        }
    }
}
