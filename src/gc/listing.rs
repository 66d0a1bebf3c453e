//! Folds listings into a world as their pages come. A listing that breaks off leaves its kind unread, whatever came before.

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use moorline_api::{Page, Result, Volume};

use crate::coverage::Kind;
use crate::world::{ClusterIndex, Detail, ScopeIndex, VolumeNames, World};

/// Folds one kind of one cluster. `began` is the time before the first call.
pub async fn objects(
    world: &mut World,
    cluster: ClusterIndex,
    kind: Kind,
    began: Timestamp,
    pages: impl Stream<Item = Result<Page>> + Unpin,
    names_of: &(impl VolumeNames + ?Sized),
) {
    let mut pages = pages;
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => page
                .objects
                .iter()
                .for_each(|object| world.add(cluster, object, names_of)),
            Err(error) => return world.failed(cluster, kind, error.to_string()),
        }
    }
    world.read_whole(cluster, kind, began);
}

/// Folds the volumes of one scope. `monthly` says what a volume costs, in US dollars a month.
pub async fn volumes(
    world: &mut World,
    scope: ScopeIndex,
    detail: Detail,
    began: Timestamp,
    pages: impl Stream<Item = Result<Vec<Volume>>> + Unpin,
    monthly: impl Fn(&Volume) -> Option<f64>,
) {
    let mut pages = pages;
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => {
                for volume in &page {
                    world.add_volume(scope, volume, detail, monthly(volume));
                }
            }
            Err(error) => return world.scope_failed(scope, error.to_string()),
        }
    }
    world.scope_read(scope, began);
}
