//! How full volumes are, where the cloud knows.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use moorline_api::VolumeId;

use crate::context::Context;

/// What the cloud says of volumes' contents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used {
    /// Bytes used; a volume that the cloud does not look into is left out.
    pub(crate) bytes: BTreeMap<VolumeId, u64>,
    /// Why others are not known, a sentence each.
    pub(crate) notices: Vec<String>,
}

/// Asks for each of these volumes, some at once.
pub(crate) async fn used(ctx: &Context, volumes: BTreeSet<VolumeId>) -> Used {
    let ask = |id: VolumeId| async move {
        let bytes = ctx.cloud.usage.used_bytes(&id).await;
        (id, bytes)
    };
    let mut answers = stream::iter(volumes)
        .map(ask)
        .buffer_unordered(ctx.limits.concurrency.max(1));
    let mut used = Used::default();
    let mut failed: Vec<(VolumeId, moorline_api::Error)> = Vec::new();
    while let Some((id, bytes)) = answers.next().await {
        match bytes {
            Ok(Some(bytes)) => {
                used.bytes.insert(id, bytes);
            }
            Ok(None) => {}
            Err(error) => failed.push((id, error)),
        }
    }
    failed.sort_by(|(a, _), (b, _)| a.cmp(b));
    used.notices = failed
        .first()
        .map(|(_, error)| first_of(failed.len(), error))
        .into_iter()
        .collect();
    used
}

/// A hundred volumes that cannot be asked have one cause.
fn first_of(count: usize, error: &moorline_api::Error) -> String {
    match count {
        1 => format!("how full a volume is the cloud did not tell: {error}"),
        _ => format!("how full {count} volumes are the cloud did not tell; the first of them: {error}"),
    }
}
