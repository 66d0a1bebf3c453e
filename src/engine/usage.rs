//! How full volumes are, where the cloud knows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use moorline_api::VolumeId;
use tokio::time::{Instant, timeout_at};

use crate::context::Context;

/// How long the answers may take in all.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the cloud says of volumes' contents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used {
    /// Bytes used; a volume that the cloud does not look into is left out.
    pub(crate) bytes: BTreeMap<VolumeId, u64>,
    /// Why others are not known, a sentence each.
    pub(crate) notices: Vec<String>,
}

/// Asks for each of these volumes, some at once. It is worth a short wait only: a call for each may be more than the account's
/// rates allow.
pub(crate) async fn used(ctx: &Context, volumes: BTreeSet<VolumeId>) -> Used {
    let mut left = volumes.len();
    let ask = |id: VolumeId| async move {
        let bytes = ctx.cloud.usage.used_bytes(&id).await;
        (id, bytes)
    };
    let mut answers = stream::iter(volumes)
        .map(ask)
        .buffer_unordered(ctx.limits.concurrency.max(1));
    let patience = PATIENCE.min(ctx.limits.timeout);
    let deadline = Instant::now() + patience;
    let mut used = Used::default();
    let mut failed: Vec<(VolumeId, moorline_api::Error)> = Vec::new();
    loop {
        match timeout_at(deadline, answers.next()).await {
            Ok(None) => break,
            Ok(Some((id, Ok(bytes)))) => used.bytes.extend(bytes.map(|bytes| (id, bytes))),
            Ok(Some((id, Err(error)))) => failed.push((id, error)),
            Err(_) => {
                let seconds = patience.as_secs();
                let notice = format!("how full {left} of the volumes are the cloud did not tell in {seconds} s");
                used.notices.push(notice);
                break;
            }
        }
        left -= 1;
    }
    failed.sort_by(|(a, _), (b, _)| a.cmp(b));
    used.notices
        .extend(failed.first().map(|(_, error)| first_of(failed.len(), error)));
    used
}

/// A hundred volumes that cannot be asked have one cause.
fn first_of(count: usize, error: &moorline_api::Error) -> String {
    match count {
        1 => format!("how full a volume is the cloud did not tell: {error}"),
        _ => format!("how full {count} volumes are the cloud did not tell; the first of them: {error}"),
    }
}
