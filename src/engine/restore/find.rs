//! What there is to bring back.

use futures::StreamExt;
use moorline_api::{Error, ErrorKind, Origin, Recoverable, Tags, Volume, VolumeFilter, VolumeId, VolumeSort};

use super::plan::Site;
use super::{RestoreRequest, Source, refused};
use crate::context::Context;
use crate::error::EngineError;
use crate::names;

/// Everything that can be brought back: what was this cluster's, or, with `everything`, whatever the account has; the newest
/// first.
pub async fn restorable(ctx: &Context, everything: bool) -> Result<Vec<Recoverable>, EngineError> {
    let tags = if everything {
        Tags::new()
    } else {
        of_cluster(&ctx.cluster.identity().await?.uid)
    };
    let mut found = Vec::new();
    for there in ctx.each_cloud() {
        found.extend(read(&there, tags.clone(), |_| true).await?);
    }
    found.sort_by(|a, b| b.taken.cmp(&a.taken).then_with(|| a.origin.id().cmp(b.origin.id())));
    Ok(found)
}

fn of_cluster(uid: &str) -> Tags {
    Tags::from([(names::CLUSTER_UID.to_owned(), uid.to_owned())])
}

async fn read(ctx: &Context, tags: Tags, wanted: impl Fn(&Recoverable) -> bool) -> Result<Vec<Recoverable>, Error> {
    let mut found = Vec::new();
    let mut pages = ctx.cloud.recovery.recoverable(tags);
    while let Some(page) = pages.next().await {
        found.extend(page?.into_iter().filter(|one| wanted(one)));
    }
    Ok(found)
}

/// What the request names: by its own id, or by that of the volume that it was.
pub(super) async fn source(ctx: &Context, site: &Site, request: &RestoreRequest) -> Result<Source, EngineError> {
    let what = &request.what;
    let named = |one: &Recoverable| one.origin.id() == what || one.volume.0 == *what;
    let mut found = read(ctx, of_cluster(&site.cluster.uid), named).await?;
    if found.is_empty() {
        found = read(ctx, Tags::new(), named).await?;
    }
    if let Some(newest) = newest(found) {
        if !newest.ready {
            return Err(refused(
                format!("{} is not complete yet", Source::of(newest).title()),
                "wait until the cloud has taken it whole, and run again; nothing was changed",
            ));
        }
        return Ok(Source::of(newest));
    }
    match alive(ctx, what).await? {
        Some(volume) if volume.spec.config.sort() == VolumeSort::Disk => Err(refused(
            format!("volume {what} is there, and has no snapshot that moorline could use"),
            "there is nothing to bring back; `moorline explain` says who has it",
        )),
        Some(volume) => Ok(returned(volume)),
        None => Err(refused(
            format!(
                "{what} is neither a snapshot of this account and region nor a volume that was deleted and can come back"
            ),
            "`moorline restore --list --all` shows what there is",
        )),
    }
}

/// The newest that is complete, else the newest.
fn newest(found: Vec<Recoverable>) -> Option<Recoverable> {
    found.into_iter().max_by(|a, b| {
        let rank = |one: &Recoverable| (one.ready, one.taken);
        rank(a).cmp(&rank(b)).then_with(|| a.origin.id().cmp(b.origin.id()))
    })
}

/// A volume that is there: one that an earlier run brought back.
async fn alive(ctx: &Context, id: &str) -> Result<Option<Volume>, Error> {
    let mut pages = ctx.cloud.volumes.list(VolumeFilter::Ids(vec![VolumeId(id.to_owned())]));
    while let Some(page) = pages.next().await {
        let page = match page {
            // An id that this cloud could never give.
            Err(error) if matches!(error.kind, ErrorKind::Invalid | ErrorKind::NotFound) => return Ok(None),
            page => page?,
        };
        if let Some(volume) = page
            .into_iter()
            .find(|volume| volume.id.0 == id && volume.state.is_alive())
        {
            return Ok(Some(volume));
        }
    }
    Ok(None)
}

/// A volume that came back, as a source.
pub(super) fn returned(volume: Volume) -> Source {
    Source {
        origin: Origin::Deleted {
            volume: volume.id.clone(),
            version: String::new(),
        },
        volume: volume.id,
        taken: None,
        size_gib: volume.spec.size_gib,
        spec: Some(volume.spec),
        tags: volume.tags,
        alive: true,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn snapshot(id: &str, second: i64, ready: bool) -> Recoverable {
        Recoverable {
            origin: Origin::Snapshot(id.to_owned()),
            volume: VolumeId("vol-1".to_owned()),
            ready,
            taken: Some(Timestamp::from_second(second).unwrap()),
            removed: None,
            size_gib: 1,
            spec: None,
            tags: Tags::new(),
        }
    }

    #[test]
    fn the_newest_complete_snapshot_is_meant() {
        let id = |found: Vec<Recoverable>| newest(found).unwrap().origin.id().to_owned();
        assert_eq!(id(vec![snapshot("a", 1, true), snapshot("b", 2, true)]), "b");
        assert_eq!(id(vec![snapshot("a", 1, true), snapshot("b", 2, false)]), "a");
        assert_eq!(id(vec![snapshot("b", 2, false)]), "b");
        assert!(newest(Vec::new()).is_none());
    }
}
