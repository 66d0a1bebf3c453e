//! A run: what it would do, and doing it under the lease.

mod confirmed;
mod glance;
mod look;
mod marks;
mod pointer;
mod resume;
mod steps;
mod sweep;
mod watch;
mod writer;

use std::sync::Arc;

use moorline_gc::caps::Sum;
use moorline_gc::leftovers::settle;
use moorline_gc::{Plan, Records};
use moorline_store::{Lease, Terms};
use tokio_util::sync::CancellationToken;

use writer::Patience;
pub(crate) use writer::Writer;

use crate::Collector;
use crate::clock::CloudClock;
use crate::error::{CollectError, Result};
use crate::event::Event;
use crate::history::Line;
use crate::ledger::{self, Journal, LEASE, Ledger, RUNS};
use crate::leftovers::{self, Found};
use crate::report::{LeftoverAction, Report};
use crate::survey::{Eyes, Survey};
use sweep::Sweep;

impl Collector {
    /// What a run would do. Nothing is written anywhere.
    pub async fn dry_run(&self) -> Result<Report> {
        // Without what earlier runs saw less is proved and so less would go: it is worth saying, and no reason to stop.
        let (records, notice) = match Ledger::load(&self.store, &self.subject).await {
            Ok(ledger) => {
                let notice = self.first_of_its_policy(&ledger).await;
                (ledger.records, notice)
            }
            Err(error) => (Records::default(), Some(unread(&error))),
        };
        let clock = CloudClock::since(records.last_run);
        let eyes = Eyes::new(self, &clock);
        let (survey, found, plan) = self.observe(&eyes, &records).await?;
        let mut report = self.report(&survey, plan);
        report.leftovers = found.report();
        report.notices.extend(notice);
        Ok(report)
    }

    /// Reads everything and plans, volumes and leftovers together: one cap is for both.
    async fn observe(&self, eyes: &Eyes<'_>, records: &Records) -> Result<(Survey, Found, Plan)> {
        let (survey, found) = tokio::join!(eyes.survey(), leftovers::survey(eyes));
        let (mut survey, mut found) = (survey?, found?);
        let mut plan = eyes.plan(&mut survey, records).await?;
        settle(&mut plan, &mut found.plan, &self.policy.caps);
        plan.gaps.extend(found.gaps().iter().cloned());
        Ok((survey, found, plan))
    }

    /// A run: marks, then deletions, under the lease.
    pub async fn apply(&self) -> Result<Report> {
        let terms = Terms {
            holder: self.holder.clone(),
            span: self.settings.lock_span,
            margin: self.settings.lock_margin,
        };
        let key = ledger::key(LEASE)?;
        let lease = Lease::acquire(Arc::clone(&self.store), key, terms, Arc::clone(&self.clock)).await?;
        let (over, lost) = (CancellationToken::new(), CancellationToken::new());
        let keep = async {
            if let Err(error) = lease.keep(&over).await {
                self.notice(&error.to_string());
                lost.cancel();
            }
        };
        let work = async {
            let outcome = self.work(&lease, &lost).await;
            over.cancel();
            outcome
        };
        let ((), outcome) = tokio::join!(keep, work);
        if let Err(error) = lease.release().await {
            // It runs out by itself.
            tracing::warn!(%error, "the lease could not be given back");
        }
        outcome
    }

    async fn work(&self, lease: &Lease, lost: &CancellationToken) -> Result<Report> {
        let mut ledger = Ledger::load(&self.store, &self.subject).await?;
        let notice = self.first_of_its_policy(&ledger).await;
        resume::come_to_rest(self, &ledger).await;
        let clock = CloudClock::since(ledger.records.last_run);
        let eyes = Eyes::new(self, &clock);
        let (survey, found, plan) = self.observe(&eyes, &ledger.records).await?;
        let mut report = self.report(&survey, plan);
        report.applied = true;
        report.leftovers = found.report();
        report.notices.extend(notice);
        if clock.now(&self.scopes).is_none() || report.plan.clock.is_some() {
            // Nothing that was seen is of a time that can be trusted, and nothing may be written down as of it.
            return Ok(report);
        }
        let journal = Journal {
            started: survey.now,
            run: self.run.clone(),
        };
        let runs = moorline_store::Records::new(Arc::clone(&self.store), ledger::key(RUNS)?);
        let log = runs.begin(journal.started, &journal.run).map_err(CollectError::Store)?;
        let patience = Patience {
            pause: self.settings.pause / 4,
            confirming: self.settings.lock_margin,
        };
        let writer = Writer::new(lease, log, patience);
        ledger.records.observe(&survey.world, survey.now);
        ledger.records.unused = confirmed::before(&ledger.records.unused, &survey, &report.plan);
        writer.confirm().await.map_err(|why| no_more(&why))?;
        ledger.save(Some(journal)).await?;
        let lines = self.first_lines(lease, &survey, &report.plan);
        writer.write(lines).await.map_err(|why| no_more(&why))?;
        self.act(&eyes, (&writer, lost), (survey, &mut ledger), &mut report)
            .await;
        if report.ended_early.is_none() {
            self.act_on_leftovers(&eyes, &writer, (found, &mut ledger), &mut report)
                .await;
        }
        let finished = self.finish(&eyes, &writer, &mut ledger, &report).await;
        if let Err(error) = finished {
            report.ended_early.get_or_insert(error.whole());
        }
        Ok(report)
    }

    /// Marks, then what an earlier run began, then deletions.
    async fn act(
        &self,
        eyes: &Eyes<'_>,
        (writer, lost): (&Writer<'_>, &CancellationToken),
        (survey, ledger): (Survey, &mut Ledger),
        report: &mut Report,
    ) {
        let plan = report.plan.clone();
        marks::write(self, writer, &plan, report).await;
        ledger.records.unused.extend(confirmed::written(&survey, report));
        report.done = resume::resume(self, writer, ledger, (&survey, &plan)).await;
        let Survey { counts, .. } = survey;
        if !plan.deletions.is_empty() {
            let sweep = Sweep {
                eyes,
                writer,
                counts: &counts,
                lost,
            };
            let (done, over) = sweep.run(plan.deletions, ledger).await;
            report.done.extend(done);
            report.ended_early = over;
        }
        if report.ended_early.is_none() && self.stop.is_cancelled() {
            report.ended_early = Some("it was told to stop".to_owned());
        }
        for done in report.done.iter().filter(|done| done.confirmed) {
            report.saved.add(done.gib, done.monthly);
        }
    }

    /// What is no volume comes last: a storage account is empty when its volumes are gone.
    async fn act_on_leftovers(
        &self,
        eyes: &Eyes<'_>,
        writer: &Writer<'_>,
        (found, ledger): (Found, &mut Ledger),
        report: &mut Report,
    ) {
        let open = ledger.open_leftovers.values().cloned().collect();
        report.leftovers = leftovers::apply(eyes, found, open, writer).await;
        for leftover in &report.leftovers {
            ledger.ended_leftover(leftover);
            if leftover.action == LeftoverAction::Gone {
                report.saved.add(leftover.gib, leftover.monthly);
            }
        }
        if self.stop.is_cancelled() {
            report.ended_early = Some("it was told to stop".to_owned());
        }
    }

    /// Keeps what the next run has to know, and the run's last line.
    async fn finish(&self, eyes: &Eyes<'_>, writer: &Writer<'_>, ledger: &mut Ledger, report: &Report) -> Result<()> {
        writer.confirm().await.map_err(|why| no_more(&why))?;
        let last = Line::Finish {
            at: eyes.now(),
            saved: report.saved,
            ended_early: report.ended_early.clone(),
        };
        writer.write(vec![last]).await.map_err(|why| no_more(&why))?;
        ledger.save(None).await
    }

    fn report(&self, survey: &Survey, plan: Plan) -> Report {
        Report {
            run: self.run.clone(),
            applied: false,
            seen: survey.seen.clone(),
            plan,
            marks_written: 0,
            marks_failed: Vec::new(),
            done: Vec::new(),
            leftovers: Vec::new(),
            saved: Sum::default(),
            ended_early: None,
            notices: survey.notices.clone(),
        }
    }

    fn first_lines(&self, lease: &Lease, survey: &Survey, plan: &Plan) -> Vec<Line> {
        let start = Line::Start {
            run: self.run.clone(),
            at: survey.now,
            holder: self.holder.clone(),
            fence: lease.fence(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let seen = Line::Seen {
            seen: survey.seen.clone(),
            totals: plan.totals.clone(),
            gaps: plan.gaps.clone(),
            exceeded: plan.exceeded.clone(),
        };
        // What is foreign is only counted: there may be a hundred thousand of it.
        let kept = plan
            .kept
            .iter()
            .filter(|keep| keep.verdict != moorline_gc::Verdict::Foreign);
        let kept = kept.cloned().map(Line::Kept);
        let marks = plan.marks.iter().cloned().map(Line::Mark);
        let unmarks = plan.unmarks.iter().cloned().map(Line::Unmark);
        [start, seen]
            .into_iter()
            .chain(kept)
            .chain(marks)
            .chain(unmarks)
            .collect()
    }

    /// Worth saying where the store has runs and none of them is of this policy: it was changed, or shares the store.
    async fn first_of_its_policy(&self, ledger: &Ledger) -> Option<String> {
        let is_first = ledger.is_new() && self.history(1).await.is_ok_and(|runs| !runs.is_empty());
        is_first.then(|| {
            "the run store has no record of a policy with these scopes and clusters, only of others: what their runs saw, or \
             began and did not end, does not count here"
                .to_owned()
        })
    }

    fn notice(&self, text: &str) {
        self.emit(Event::Notice { text: text.to_owned() });
    }
}

fn no_more(why: &str) -> CollectError {
    CollectError::Lost { why: why.to_owned() }
}

fn unread(error: &CollectError) -> String {
    let cause = error.whole();
    format!("{cause}; what earlier runs saw is not known, and so less can be proved")
}
