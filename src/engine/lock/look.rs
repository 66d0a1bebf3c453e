//! Whether a Lease is free, and waiting until it is.

use std::time::Duration;

use futures::StreamExt as _;
use moorline_api::{ListQuery, ManagedFields, Object, Result as Called, WatchEvent};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::record::{Record, lease};
use super::{Fate, LockError, Patience, Terms};
use crate::context::Context;

/// After a watch that ended by itself, before the Lease is read again.
const PAUSE: Duration = Duration::from_millis(500);

/// A Lease that may be taken, as it was seen.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// There is none.
    Absent,
    /// It is free, or its holder is dead.
    Free(Record),
}

/// Reads the Lease, and waits as long as the terms allow while another run has it.
///
/// A holder's clock is not believed: whether its time is over is judged by how long this process has seen the Lease unchanged. On
/// the holder's own machine a process that is gone needs no such wait.
pub(super) async fn look(ctx: &Context, terms: &Terms) -> Result<Seen, LockError> {
    let interrupted = || LockError::Interrupted {
        what: terms.what.clone(),
    };
    let found = tokio::select! {
        found = read(ctx, terms) => found?,
        () = ctx.stop.cancelled() => return Err(interrupted()),
    };
    let Some(mut record) = found else {
        return Ok(Seen::Absent);
    };
    let patience = match terms.patience {
        Patience::UntilAlive => None,
        Patience::For(wait) => Some(Instant::now() + wait),
    };
    let held = |record: &Record| LockError::Held {
        what: terms.what.clone(),
        keeper: Box::new(record.keeper()),
        place: terms.place(),
    };
    let (first, mut told) = (record.clone(), None);
    let mut unchanged_since = Instant::now();
    loop {
        if record.holder.is_none() {
            return Ok(Seen::Free(record));
        }
        match (terms.holder.fate)(&record.process) {
            Fate::Gone => {
                let keeper = record.keeper();
                ctx.notice(format!(
                    "{} was held by {keeper}, whose process is gone: going on",
                    terms.what
                ));
                return Ok(Seen::Free(record));
            }
            Fate::Runs if patience.is_none() => return Err(held(&record)),
            Fate::Runs | Fate::Unknown => {}
        }
        // Another version of it is a sign of life, whosever.
        if patience.is_none() && record.version != first.version {
            return Err(held(&record));
        }
        if told.as_ref() != record.holder.as_ref() {
            told.clone_from(&record.holder);
            ctx.notice(waiting(terms, &record, patience.is_some()));
        }
        let over = unchanged_since + record.span;
        let until = patience.map_or(over, |end| end.min(over));
        let changed = tokio::select! {
            changed = timeout_at(until, change(ctx, terms, &record)) => changed.ok(),
            () = ctx.stop.cancelled() => return Err(interrupted()),
        };
        let next = match changed {
            Some(next) => next,
            // A watch may have been silent for other reasons than that there was nothing to tell.
            None => read(ctx, terms).await?,
        };
        let Some(next) = next else {
            return Ok(Seen::Absent);
        };
        if next.version != record.version {
            unchanged_since = Instant::now();
        } else if Instant::now() >= over {
            let keeper = record.keeper();
            ctx.notice(format!(
                "{} was held by {keeper}, which gives no sign of life: going on",
                terms.what
            ));
            return Ok(Seen::Free(next));
        } else if patience.is_some_and(|end| Instant::now() >= end) {
            return Err(held(&next));
        }
        record = next;
    }
}

fn waiting(terms: &Terms, record: &Record, patient: bool) -> String {
    let keeper = record.keeper();
    let until = if patient {
        "waiting until it ends".to_owned()
    } else {
        format!("waiting up to {} s for a sign of life", record.span.as_secs())
    };
    format!("{} is held by {keeper}: {until}", terms.what)
}

/// The Lease as it is now.
pub(super) async fn read(ctx: &Context, terms: &Terms) -> Result<Option<Record>, LockError> {
    let target = lease(&terms.namespace, &terms.name);
    let found = ctx.cluster.get(&target).await.map_err(LockError::Provider)?;
    Ok(found.as_ref().map(Record::of))
}

/// Waits until the Lease is no longer as it was, for however long; gives it as it is then.
async fn change(ctx: &Context, terms: &Terms, was: &Record) -> Option<Record> {
    loop {
        match watched(ctx, terms, was).await {
            Told::Changed(now) => return Some(*now),
            Told::Gone => return None,
            Told::Nothing => {}
        }
        sleep(PAUSE).await;
        match read(ctx, terms).await {
            Ok(Some(now)) if now.version == was.version => {}
            Ok(now) => return now,
            // Whoever waits reads once more at the end, and tells then what stands in the way.
            Err(_) => sleep_until(Instant::now() + PAUSE).await,
        }
    }
}

/// What a watch tells of the Lease.
enum Told {
    Changed(Box<Record>),
    Gone,
    /// Of another one; or nothing before the watch ended.
    Nothing,
}

/// What a watch tells of the Lease next.
async fn watched(ctx: &Context, terms: &Terms, was: &Record) -> Told {
    let target = lease(&terms.namespace, &terms.name);
    let mut query = ListQuery::within(target.resource, &terms.namespace).managed_fields(ManagedFields::None);
    query.fields = Some(format!("metadata.name={}", terms.name));
    let mut events = ctx.cluster.watch(query, was.version.clone());
    while let Some(event) = events.next().await {
        match tells(terms, event) {
            Told::Nothing => {}
            told => return told,
        }
    }
    Told::Nothing
}

fn tells(terms: &Terms, event: Called<WatchEvent>) -> Told {
    // A server that ignores the selector tells of others, too.
    let is_it = |object: &Object| object.name() == terms.name;
    match event {
        Ok(WatchEvent::Applied(object)) if is_it(&object) => Told::Changed(Box::new(Record::of(&object))),
        Ok(WatchEvent::Deleted(object)) if is_it(&object) => Told::Gone,
        _ => Told::Nothing,
    }
}
