//! What is no volume: load balancers without a Service, storage accounts that hold nothing, our own snapshots past their expiry.
//!
//! [`survey`] reads and judges, [`apply`] marks and deletes. They are few where volumes are many, so that each is read with
//! everything that may speak for it in listings of its own, which run only where something may have to go.

mod apply;
mod look;

use std::collections::{BTreeMap, BTreeSet};

use moorline_api::{Error, LoadBalancer, Resource};
use moorline_gc::coverage::Gap;
use moorline_gc::leftovers::{Action, Plan, Row, Sort, plan};
use moorline_gc::plan::{Clock, Kept};

use crate::error::Result;
use crate::event::{Event, Stage};
use crate::history::Line;
use crate::report::{Leftover, LeftoverAction};
use crate::survey::Eyes;

pub(crate) use apply::apply;
use look::Look;

/// What a survey found.
pub(crate) struct Found {
    /// What the run would do. [`settle`](moorline_gc::leftovers::settle) has the last word before anything is done.
    pub(crate) plan: Plan,
    look: Look,
}

/// What deletions need of the run that they are part of.
pub(crate) trait Pen: Send + Sync {
    /// Whether the lease is still ours, asked directly before each call that changes something. The error says why not.
    fn confirm(&self) -> impl Future<Output = std::result::Result<(), String>> + Send;

    /// Makes a call that changes something, for as long as the lease is ours by the clocks: a run that was stopped meanwhile, and wakes
    /// up late, does not send it.
    fn guarded<T: Send>(
        &self,
        call: impl Future<Output = T> + Send,
    ) -> impl Future<Output = std::result::Result<T, String>> + Send;

    /// Writes lines to the journal; returns when they are kept.
    fn write(&self, lines: Vec<Line>) -> impl Future<Output = std::result::Result<(), Error>> + Send;
}

/// Reads everything that is no volume, in the clouds and then in the clusters, and judges it. Writes nothing.
pub(crate) async fn survey(eyes: &Eyes<'_>) -> Result<Found> {
    let collector = eyes.collector;
    let scopes: Vec<usize> = (0..collector.scopes.len()).collect();
    collector.emit(Event::Stage {
        stage: Stage::Leftovers,
        total: scopes.len() * Sort::ALL.len(),
    });
    let look = look::look(eyes, &scopes, &BTreeSet::from(Sort::ALL)).await?;
    let clock = Clock { now: look.now };
    let grace = collector.settings.leftovers;
    let plan = plan(&look.world, &collector.policy, grace, clock, &collector.run);
    Ok(Found { plan, look })
}

impl Found {
    /// What was not read.
    pub(crate) fn gaps(&self) -> &[Gap] {
        &self.plan.gaps
    }

    /// What a run reports that does nothing.
    pub(crate) fn report(&self) -> Vec<Leftover> {
        self.plan.rows.iter().map(leftover).collect()
    }
}

/// A row as reports and journals have it.
fn leftover(row: &Row) -> Leftover {
    let action = match &row.action {
        Action::Keep(Kept::Waiting(until)) => LeftoverAction::Wait(*until),
        Action::Keep(_) => LeftoverAction::Keep,
        Action::Mark(_) => LeftoverAction::Mark,
        Action::Unmark => LeftoverAction::Unmark,
        Action::Delete => LeftoverAction::Delete,
    };
    Leftover {
        resource: row.resource.clone(),
        name: row.name.clone(),
        scope: row.scope.clone(),
        verdict: row.verdict,
        why: row.why.clone(),
        since: row.since,
        gib: row.gib,
        monthly: row.monthly,
        action,
    }
}

/// Load balancers as they were listed, by what names them: their deletion asks for more than an id.
type Balancers = BTreeMap<Resource, LoadBalancer>;
