//! Deletions, many at a time: looked at in batches, and begun as fast as their cloud takes them.
//!
//! A cloud's budget for deletions is what takes the time. While some wait for it the next are looked at, so that it never waits for
//! us; and never more wait than it takes within the time for which a look is good.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use moorline_gc::{Deletion, Kind, Records};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Writer;
use super::glance::Glances;
use super::look::{self, Found, Looked};
use super::steps::{IN_QUEUE, Tools, Trouble, Work};
use crate::event::{Event, Stage};
use crate::history::Line;
use crate::ledger::Ledger;
use crate::report::{Done, Outcome};
use crate::survey::Eyes;

/// Volumes in one look.
const BATCH: usize = 64;

/// While fewer than these are on their way to the cloud's queue the next are looked at.
const LOW: usize = 16;

/// How often one deletion is tried in a run.
const ATTEMPTS: u32 = 3;

/// A deletion that waits for its look.
struct Candidate {
    deletion: Deletion,
    attempts: u32,
    /// Whether its claim had changed since it was looked at, once already.
    changed: bool,
    /// Whether this run's journal has its line.
    begun: bool,
    /// The last reason why it is not done.
    why: Option<String>,
    /// The earlier run that began it, and whether that one has counted it as gone.
    earlier: Option<(String, bool)>,
}

/// How one deletion under way ended.
enum Ended {
    /// It is tried again.
    Again(Candidate),
    /// That is that; its line is written, where it was begun.
    Done(Candidate, Box<Done>),
}

type Working<'f> = Pin<Box<dyn Future<Output = Ended> + Send + 'f>>;
type Looking<'f> = Pin<Box<dyn Future<Output = Option<Vec<(Deletion, Found)>>> + Send + 'f>>;

pub(super) struct Sweep<'a> {
    pub(super) eyes: &'a Eyes<'a>,
    pub(super) writer: &'a Writer<'a>,
    pub(super) counts: &'a [Vec<(Kind, usize)>],
    /// Cancelled when the lease is lost.
    pub(super) lost: &'a CancellationToken,
}

/// What a sweep has in hand.
struct Hands {
    queue: VecDeque<Candidate>,
    looked_for: BTreeMap<String, Candidate>,
    /// What is under way, and whether its line is in the journal.
    under_way: BTreeMap<String, (Deletion, Arc<AtomicBool>)>,
    done: Vec<Done>,
    total: usize,
    began: Instant,
    /// Why nothing more is begun.
    over: Option<String>,
}

impl Sweep<'_> {
    /// Deletes what may go, and says of each volume what became of it. Why it ended early, where it did.
    pub(super) async fn run(&self, deletions: Vec<Deletion>, ledger: &mut Ledger) -> (Vec<Done>, Option<String>) {
        let collector = self.eyes.collector;
        collector.emit(Event::Stage {
            stage: Stage::Deletions,
            total: deletions.len(),
        });
        let tools = Tools {
            collector,
            writer: self.writer,
            queues: collector.scopes.iter().map(|_| Semaphore::new(IN_QUEUE)).collect(),
            ahead: AtomicUsize::new(0),
            glances: Glances::default(),
        };
        let mut hands = Hands {
            total: deletions.len(),
            queue: in_order(deletions, ledger, &collector.run),
            looked_for: BTreeMap::new(),
            under_way: BTreeMap::new(),
            done: Vec::new(),
            began: Instant::now(),
            over: None,
        };
        let mut under_way: FuturesUnordered<Working<'_>> = FuturesUnordered::new();
        let mut looking: Option<Looking<'_>> = None;
        let mut records = Arc::new(ledger.records.clone());
        let mut drained = std::pin::pin!(self.drained());
        loop {
            if hands.over.is_none() {
                hands.over = self.why_over();
            }
            if hands.over.is_some() {
                looking = None;
                hands.give_up();
            }
            let wants = hands.over.is_none() && looking.is_none() && tools.ahead.load(Ordering::Relaxed) < LOW;
            if wants && !hands.queue.is_empty() {
                refresh(&mut records, ledger);
                looking = Some(self.look(&mut hands, Arc::clone(&records)));
            }
            if looking.is_none() && under_way.is_empty() && (hands.queue.is_empty() || hands.over.is_some()) {
                break;
            }
            tokio::select! {
                biased;
                () = &mut drained => break,
                // Nothing is waited for in here: what is under way would stand still meanwhile.
                Some(ended) = under_way.next(), if !under_way.is_empty() => self.ended(ended, &mut hands, ledger),
                found = either(&mut looking), if looking.is_some() => {
                    looking = None;
                    for (deletion, found) in found.unwrap_or_default() {
                        if let Some(candidate) = hands.looked_for.remove(&deletion.volume.0) {
                            under_way.push(self.next(&tools, candidate, found, &mut hands));
                        }
                    }
                }
                () = self.stopped(), if hands.over.is_none() => {}
            }
        }
        drop(looking);
        drop(under_way);
        self.leave(&mut hands, ledger).await;
        (hands.done, hands.over)
    }

    fn why_over(&self) -> Option<String> {
        if self.lost.is_cancelled() {
            return Some("its lease is lost".to_owned());
        }
        if let Some(why) = self.writer.broken() {
            return Some(why);
        }
        self.eyes
            .collector
            .stop
            .is_cancelled()
            .then(|| "it was told to stop".to_owned())
    }

    async fn stopped(&self) {
        tokio::select! {
            () = self.lost.cancelled() => {}
            () = self.eyes.collector.stop.cancelled() => {}
        }
    }

    /// When what is under way has had its time to end.
    async fn drained(&self) {
        tokio::select! {
            () = self.lost.cancelled() => {}
            () = self.eyes.collector.stop.cancelled() => {
                tokio::select! {
                    () = tokio::time::sleep(self.eyes.collector.settings.drain) => {}
                    () = self.lost.cancelled() => {}
                }
            }
        }
    }

    fn look<'s>(&'s self, hands: &mut Hands, records: Arc<Records>) -> Looking<'s> {
        let batch: Vec<Candidate> = hands.queue.drain(..hands.queue.len().min(BATCH)).collect();
        let deletions: Vec<Deletion> = batch.iter().map(|candidate| candidate.deletion.clone()).collect();
        for candidate in batch {
            hands.looked_for.insert(candidate.deletion.volume.0.clone(), candidate);
        }
        self.eyes.collector.emit(Event::Looking { count: deletions.len() });
        let wait = self.eyes.collector.settings.pause * hands.tried(&deletions);
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            look::look(self.eyes, deletions, self.counts, &records).await
        })
    }

    /// What comes next for one volume, by what a look says of it.
    fn next<'f>(&'f self, tools: &'f Tools<'f>, candidate: Candidate, found: Found, hands: &mut Hands) -> Working<'f> {
        let known = candidate.begun || candidate.earlier.is_some();
        let outcome = match found {
            Found::Go(looked) => {
                let begun = Arc::new(AtomicBool::new(candidate.begun));
                hands.under_way.insert(
                    candidate.deletion.volume.0.clone(),
                    (candidate.deletion.clone(), Arc::clone(&begun)),
                );
                return Box::pin(self.attempt(tools, candidate, *looked, begun));
            }
            // What was begun had its effect, though nobody heard of it.
            Found::Absent if known => return Box::pin(self.finish(candidate)),
            Found::Absent => Outcome::Kept("it is gone already, by another hand".to_owned()),
            Found::Keep(why) => Outcome::Kept(why),
            Found::Unsure(why) if known => Outcome::Failed(why),
            Found::Unsure(why) => Outcome::NotBegun(why),
        };
        Box::pin(self.end(candidate, outcome, (false, None)))
    }

    async fn attempt<'f>(
        &'f self,
        tools: &'f Tools<'f>,
        mut candidate: Candidate,
        looked: Looked,
        begun: Arc<AtomicBool>,
    ) -> Ended {
        let work = Work::new(tools, looked, begun);
        let result = work.carry_out().await;
        candidate.begun = work.begun.load(Ordering::Relaxed);
        let confirmed = work.confirmed.load(Ordering::Relaxed);
        let snapshot = work.snapshot.lock().ok().and_then(|snapshot| snapshot.clone());
        drop(work);
        let again = match &result {
            Err(Trouble::Stale) => true,
            Err(Trouble::Changed(_)) => !std::mem::replace(&mut candidate.changed, true),
            Err(Trouble::Failed { transient: true, why }) => {
                candidate.attempts += 1;
                candidate.why = Some(why.clone());
                candidate.attempts < ATTEMPTS
            }
            _ => false,
        };
        if again && !confirmed {
            return Ended::Again(candidate);
        }
        let outcome = match result {
            Ok(()) => Outcome::Gone,
            Err(Trouble::Alive(why)) => Outcome::Kept(why),
            Err(Trouble::Changed(why)) => Outcome::Unsettled(format!("{why}, twice")),
            Err(Trouble::Stale) => Outcome::NotBegun("there was no time left for it".to_owned()),
            Err(Trouble::Failed { why, .. } | Trouble::Over(why)) if candidate.begun => Outcome::Failed(why),
            Err(Trouble::Failed { why, .. } | Trouble::Over(why)) => Outcome::NotBegun(why),
        };
        self.end(candidate, outcome, (confirmed, snapshot)).await
    }

    async fn finish(&self, candidate: Candidate) -> Ended {
        let pointers = super::resume::delete_pointers(self.eyes.collector, self.writer, &candidate.deletion).await;
        let outcome = pointers.map_or_else(Outcome::Failed, |()| Outcome::Gone);
        self.end(candidate, outcome, (true, None)).await
    }

    /// Writes how a deletion ended, where its beginning is written, in this run or before.
    async fn end(
        &self,
        candidate: Candidate,
        outcome: Outcome,
        (confirmed, snapshot): (bool, Option<String>),
    ) -> Ended {
        let deletion = &candidate.deletion;
        let counted = candidate.earlier.as_ref().is_some_and(|(_, counted)| *counted);
        let done = Done {
            volume: deletion.volume.clone(),
            scope: deletion.scope.clone(),
            verdict: deletion.verdict,
            outcome,
            confirmed: confirmed && !counted,
            snapshot,
            gib: deletion.gib,
            monthly: deletion.monthly,
            resumed: candidate.earlier.as_ref().map(|(run, _)| run.clone()),
        };
        if candidate.begun || candidate.earlier.is_some() {
            // Where that fails, the next run finds it begun, and the volume gone.
            let _ = self.writer.write(vec![Line::End(done.clone())]).await;
        }
        Ended::Done(candidate, Box::new(done))
    }

    fn ended(&self, ended: Ended, hands: &mut Hands, ledger: &mut Ledger) {
        let (Ended::Again(candidate) | Ended::Done(candidate, _)) = &ended;
        let id = candidate.deletion.volume.0.clone();
        hands.under_way.remove(&id);
        if candidate.begun {
            ledger.begin(id.clone(), self.eyes.collector.run.clone(), &candidate.deletion);
        }
        match ended {
            Ended::Again(candidate) => hands.queue.push_back(candidate),
            Ended::Done(_, done) => {
                ledger.ended(&id, &done.outcome, done.confirmed);
                self.eyes.collector.emit(Event::Done {
                    volume: done.volume.clone(),
                    outcome: done.outcome.clone(),
                    saved: done.monthly.filter(|_| done.confirmed).unwrap_or_default(),
                });
                hands.done.push(*done);
                self.eyes.collector.emit(hands.pace());
            }
        }
    }

    /// What is not done when the run ends early.
    async fn leave(&self, hands: &mut Hands, ledger: &mut Ledger) {
        let run = &self.eyes.collector.run;
        let over = hands.over.clone().unwrap_or_else(|| "the run ended".to_owned());
        for (id, (deletion, begun)) in std::mem::take(&mut hands.under_way) {
            let why = format!("{over} while it was under way");
            let candidate = Candidate {
                begun: begun.load(Ordering::Relaxed),
                why: Some(why),
                ..candidate_of(deletion, ledger, run)
            };
            if candidate.begun {
                ledger.begin(id, run.clone(), &candidate.deletion);
            }
            hands.queue.push_back(candidate);
        }
        let left = std::mem::take(&mut hands.queue).into_iter().map(|candidate| {
            let why = candidate.why.clone().unwrap_or_else(|| over.clone());
            let outcome = if candidate.begun {
                Outcome::Failed(why)
            } else {
                Outcome::NotBegun(why)
            };
            self.end(candidate, outcome, (false, None))
        });
        for ended in futures::future::join_all(left).await {
            self.ended(ended, hands, ledger);
        }
    }
}

/// Those of one namespace together, so that one look reads it for all of them.
fn in_order(mut deletions: Vec<Deletion>, ledger: &Ledger, run: &str) -> VecDeque<Candidate> {
    deletions.sort_by_cached_key(|deletion| {
        let steps = deletion.steps.iter();
        let places: BTreeSet<(String, String)> = steps
            .filter_map(|step| match step {
                moorline_gc::Step::Claim(target) => Some((target.cluster.clone(), target.namespace.clone())),
                _ => None,
            })
            .collect();
        (deletion.scope.clone(), places)
    });
    let candidates = deletions
        .into_iter()
        .map(|deletion| candidate_of(deletion, ledger, run));
    candidates.collect()
}

fn candidate_of(deletion: Deletion, ledger: &Ledger, run: &str) -> Candidate {
    let open = ledger.open.get(&deletion.volume.0).filter(|open| open.run != run);
    Candidate {
        earlier: open.map(|open| (open.run.clone(), open.counted)),
        deletion,
        attempts: 0,
        changed: false,
        begun: false,
        why: None,
    }
}

fn refresh(records: &mut Arc<Records>, ledger: &Ledger) {
    let begun: BTreeSet<String> = ledger.open.keys().cloned().collect();
    if records.begun != begun {
        Arc::make_mut(records).begun = begun;
    }
}

/// The look that is under way.
async fn either(looking: &mut Option<Looking<'_>>) -> Option<Vec<(Deletion, Found)>> {
    match looking {
        Some(looking) => looking.await,
        None => std::future::pending().await,
    }
}

impl Hands {
    fn give_up(&mut self) {
        let looked_for = std::mem::take(&mut self.looked_for);
        self.queue.extend(looked_for.into_values());
    }

    /// How often these were tried, at least: those that failed a moment ago are not tried again at once.
    fn tried(&self, deletions: &[Deletion]) -> u32 {
        let tried = |deletion: &Deletion| {
            self.looked_for
                .get(&deletion.volume.0)
                .map_or(0, |known| known.attempts)
        };
        deletions.iter().map(tried).min().unwrap_or_default()
    }

    fn pace(&self) -> Event {
        let left = self.total.saturating_sub(self.done.len());
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts of volumes are small, and this is an estimate"
        )]
        let seconds =
            (self.done.len() > 4).then(|| self.began.elapsed().as_secs_f64() / self.done.len() as f64 * left as f64);
        Event::Pace {
            left,
            waiting: "the cloud's budget for deletions".to_owned(),
            seconds,
        }
    }
}
