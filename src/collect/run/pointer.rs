//! The end of a PersistentVolume whose volume is gone.

use std::time::Duration;

use moorline_api::{Cluster, DeleteOptions, Deletion as Came, ErrorKind, Object, Propagation};
use moorline_gc::verdict::Target;

use super::Writer;
use super::steps::{Trouble, pv_ref};
use super::watch::wait_gone;

/// How often a deletion is tried that meets a conflict.
const ATTEMPTS: u32 = 4;

/// How long it is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For it to be gone, once it is on its way.
    pub(super) held: Duration,
    /// After a conflict.
    pub(super) pause: Duration,
}

/// Deletes it, in this life only, and waits until it is gone. Another one of its name is not ours to judge, and no obstacle.
pub(super) async fn delete(
    writer: &Writer<'_>,
    cluster: &dyn Cluster,
    target: &Target,
    patience: Patience,
) -> Result<(), Trouble> {
    let pv = pv_ref(target);
    let options = DeleteOptions {
        uid: Some(target.uid.clone()),
        resource_version: None,
        propagation: Propagation::Background,
        dry_run: false,
    };
    let mut attempt = 1;
    loop {
        let came = writer.guarded(cluster.delete(&pv, &options)).await;
        match came.map_err(Trouble::Over)? {
            Ok(Came::Absent | Came::Gone) => return Ok(()),
            Ok(Came::Terminating) => return wait(cluster, target, patience).await,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) if error.kind == ErrorKind::Stale => match ours(cluster, target).await? {
                None => return Ok(()),
                Some(live) if live.is_terminating() => return wait(cluster, target, patience).await,
                // Its UID is as it was: somebody else was writing it.
                Some(_) if attempt < ATTEMPTS => tokio::time::sleep(patience.pause * attempt).await,
                Some(_) => return Err(Trouble::of(&error)),
            },
            Err(error) => return Err(Trouble::of(&error)),
        }
        attempt += 1;
    }
}

/// As it is now, in this life.
async fn ours(cluster: &dyn Cluster, target: &Target) -> Result<Option<Object>, Trouble> {
    let live = cluster.get(&pv_ref(target)).await;
    let live = live.map_err(|error| Trouble::of(&error))?;
    Ok(live.filter(|live| live.uid() == Some(&target.uid)))
}

async fn wait(cluster: &dyn Cluster, target: &Target, patience: Patience) -> Result<(), Trouble> {
    let pv = pv_ref(target);
    let gone = tokio::time::timeout(patience.held, wait_gone(cluster, &pv, &target.uid)).await;
    if let Ok(gone) = gone {
        return gone.map_err(|error| Trouble::of(&error));
    }
    let Some(live) = ours(cluster, target).await? else {
        return Ok(());
    };
    let finalizers = live.list_at(&["metadata", "finalizers"]).iter();
    let finalizers: Vec<&str> = finalizers.filter_map(|name| name.as_str()).collect();
    Err(Trouble::Failed {
        why: format!(
            "the volume is gone, and PersistentVolume {} is held by {}; is its driver running?",
            target.name,
            finalizers.join(", ")
        ),
        transient: false,
    })
}
