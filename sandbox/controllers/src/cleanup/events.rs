//! Events are forgotten after an hour, as the real server has it: otherwise a state on disk would only grow.

use jiff::{SignedDuration, Timestamp};

use crate::cluster::{Cluster, Outcome};
use crate::kinds::EVENTS;
use crate::object::text;
use crate::queue::Key;

const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
const PERIOD: SignedDuration = SignedDuration::from_mins(10);

/// Deletes the events that were last seen an hour ago, now and every ten minutes.
pub(crate) fn expire(cluster: &mut Cluster, key: &Key) -> Outcome {
    let now = cluster.now();
    for event in cluster.api.scan(EVENTS, None) {
        let seen = ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"]
            .map(|at| text(&event, at).parse::<Timestamp>());
        let last = seen.into_iter().flatten().next();
        if last.is_some_and(|last| last + LIFETIME <= now) {
            cluster.delete(EVENTS, &event)?;
        }
    }
    cluster.wake_at(key, now + PERIOD);
    Ok(())
}
