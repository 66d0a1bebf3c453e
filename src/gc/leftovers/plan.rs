//! What a run would do to what is no volume: which things it marks, which marks it takes off, what it deletes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use moorline_api::Resource;
use serde::{Deserialize, Serialize};

use super::judge::Judgement;
use super::world::{Candidate, Facts, Leftovers, Sort};
use crate::caps::Sum;
use crate::coverage::{Freshness, Gap};
use crate::mark::{Life, Mark, Standing};
use crate::plan::{Clock, Kept};
use crate::policy::{Caps, Policy, USUAL_GRACE};
use crate::verdict::Verdict;

/// How long what is no volume waits, from when a run first saw it unused; the default of each is seven days. Snapshots wait
/// for their own expiry only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Grace {
    /// A load balancer whose Service is gone, or a target group of such a one.
    pub load_balancer: SignedDuration,
    /// A storage account that holds nothing.
    pub storage_account: SignedDuration,
}

impl Default for Grace {
    fn default() -> Self {
        Self::all(USUAL_GRACE)
    }
}

impl Grace {
    /// The same for everything.
    pub const fn all(wait: SignedDuration) -> Self {
        Self {
            load_balancer: wait,
            storage_account: wait,
        }
    }
}

/// What a run does about a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing, for this sort of reason.
    Keep(Kept),
    /// Set tag [`UNUSED`](crate::names::UNUSED) to this value: grace begins.
    Mark(String),
    /// Take that tag off.
    Unmark,
    /// Delete it.
    Delete,
}

/// A thing, its verdict, and what a run does about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The thing.
    pub resource: Resource,
    /// Its name, for people.
    pub name: String,
    /// Its scope.
    pub scope: String,
    /// Whether it can be wanted.
    pub verdict: Verdict,
    /// What decided that, or why it stays all the same.
    pub why: String,
    /// Since when runs have seen it unused; of a snapshot, since when it has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The size of a snapshot's volume; 0 of everything else.
    pub gib: u32,
    /// What it costs in US dollars a month, where that is known.
    pub monthly: Option<f64>,
    /// What a run does about it.
    pub action: Action,
}

/// What a run would do about everything that is no volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Things that are not plainly in use, and those whose mark goes.
    pub rows: Vec<Row>,
    /// How many there are of each facts, by verdict.
    pub totals: BTreeMap<Sort, BTreeMap<Verdict, u64>>,
    /// What the deletions come to, or would where a cap holds them back.
    pub doomed: Sum,
    /// What was not read: while there is any of it the run is incomplete.
    pub gaps: Vec<Gap>,
}

impl Plan {
    /// Whether something that verdicts depend on was not read: exit code 3.
    pub fn is_incomplete(&self) -> bool {
        !self.gaps.is_empty() || self.rows.iter().any(|row| row.verdict == Verdict::Unknown)
    }

    /// The rows of what is to be deleted.
    pub fn deletions(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.action == Action::Delete)
    }

    fn keep(&mut self, kept: &Kept, why: &str, which: impl Fn(&Action) -> bool) {
        for row in self.rows.iter_mut().filter(|row| which(&row.action)) {
            row.action = Action::Keep(kept.clone());
            why.clone_into(&mut row.why);
        }
    }
}

/// Plans what a run does about everything that is no volume. `run` is its id: letters, digits and dashes.
/// [`settle`] has to have the last word.
pub fn plan(world: &Leftovers, policy: &Policy, grace: Grace, clock: Clock, run: &str) -> Plan {
    let planner = Planner::new(world, policy, grace, clock, run);
    let mut plan = Plan {
        gaps: world.gaps(policy, clock.now),
        ..Plan::default()
    };
    for candidate in &world.candidates {
        let row = planner.row(candidate);
        let by_verdict = plan.totals.entry(candidate.facts.sort()).or_default();
        *by_verdict.entry(row.verdict).or_default() += 1;
        if row.action == Action::Delete {
            plan.doomed.add(row.gib, row.monthly);
        }
        let in_use = matches!(row.verdict, Verdict::InUse | Verdict::Claimed);
        if !in_use || row.action == Action::Unmark {
            plan.rows.push(row);
        }
    }
    plan
}

/// Lets the caps hold for volumes and everything else together (all but the per cent, which are of volumes), and what holds
/// back the one hold back the other: caps, and a clock that is wrong.
pub fn settle(volumes: &mut crate::plan::Plan, leftovers: &mut Plan, caps: &Caps) {
    if let Some(clock) = &volumes.clock {
        leftovers.keep(&Kept::Clock, clock, |action| !matches!(action, Action::Keep(_)));
    }
    if volumes.exceeded.is_empty() {
        let (one, other) = (&volumes.doomed, &leftovers.doomed);
        let together = Sum {
            count: one.count + other.count,
            gib: one.gib + other.gib,
            monthly: one.monthly + other.monthly,
        };
        let without_percent = Caps { percent: None, ..*caps };
        volumes.hold_back(without_percent.exceeded(&together, together.count));
    }
    if !volumes.exceeded.is_empty() {
        let why: Vec<String> = volumes.exceeded.iter().map(ToString::to_string).collect();
        leftovers.keep(&Kept::Capped, &why.join("; "), |action| *action == Action::Delete);
    }
}

/// Judges one thing anew, in a world that was read just before its deletion. The error says why it has to stay.
pub fn second_look(
    first: &Row,
    world: &Leftovers,
    (policy, grace): (&Policy, Grace),
    clock: Clock,
    run: &str,
) -> Result<(), String> {
    let Some(candidate) = world.find(&first.resource) else {
        return Err("the cloud does not list it any more".to_owned());
    };
    if let Some(balancer) = world.balancers_of(candidate).next() {
        return Err(format!("load balancer {} is still there", balancer.name));
    }
    let row = Planner::new(world, policy, grace, clock, run).row(candidate);
    match row.action {
        Action::Delete => Ok(()),
        Action::Mark(_) => Err("its mark is gone".to_owned()),
        Action::Keep(_) | Action::Unmark => Err(row.why),
    }
}

struct Planner<'a> {
    world: &'a Leftovers,
    money_is_capped: bool,
    fresh: Freshness,
    grace: Grace,
    run: &'a str,
}

impl<'a> Planner<'a> {
    fn new(world: &'a Leftovers, policy: &Policy, grace: Grace, clock: Clock, run: &'a str) -> Self {
        Self {
            world,
            money_is_capped: policy.caps.monthly.is_some(),
            fresh: Freshness {
                now: clock.now,
                stale_after: policy.stale_after,
            },
            grace,
            run,
        }
    }

    fn row(&self, candidate: &Candidate) -> Row {
        let judgement = self.world.judge(candidate, self.fresh);
        let verdict = judgement.verdict;
        let (action, why, since) = self.decide(candidate, judgement);
        Row {
            resource: candidate.resource.clone(),
            name: candidate.name.clone(),
            scope: self.world.scopes[usize::from(candidate.scope.0)].name.clone(),
            verdict,
            why,
            since,
            gib: candidate.gib,
            monthly: candidate.monthly,
            action,
        }
    }

    fn decide(&self, candidate: &Candidate, judgement: Judgement) -> (Action, String, Option<Timestamp>) {
        let Judgement { verdict, why, withheld } = judgement;
        if !verdict.is_unused() {
            // What is unknown or foreign keeps its mark, as volumes do.
            let alive = matches!(verdict, Verdict::InUse | Verdict::Claimed | Verdict::Protected);
            let action = if alive && candidate.has_mark {
                Action::Unmark
            } else {
                Action::Keep(Kept::Never)
            };
            return (action, why, None);
        }
        if let Some(withheld) = withheld {
            return (Action::Keep(Kept::Withheld), withheld.to_owned(), candidate.marked);
        }
        let life = Life {
            now: self.fresh.now,
            // Now is told to the second, in the `Date` of answers: what was made in this one is not from the future.
            created: candidate
                .created
                .and_then(|then| Timestamp::from_second(then.as_second()).ok()),
            last_use: None,
        };
        let (since, grace) = match (&candidate.facts, life.standing(candidate.marked)) {
            // It says itself until when it is kept.
            (Facts::Snapshot(snapshot), Standing::None | Standing::Since(_)) => {
                (snapshot.expires, SignedDuration::ZERO)
            }
            (_, Standing::NotYet(then)) => {
                let why = format!("a clock is wrong: it or its mark is of {then}");
                return (Action::Keep(Kept::Clock), why, None);
            }
            (_, Standing::None) => return (Action::Mark(self.mark(verdict)), why, Some(self.fresh.now)),
            (Facts::Balancer(_) | Facts::Group(_), Standing::Since(since)) => (Some(since), self.grace.load_balancer),
            (Facts::Account(_), Standing::Since(since)) => (Some(since), self.grace.storage_account),
        };
        let until = since.map(|since| since.saturating_add(grace).unwrap_or(Timestamp::MAX));
        let action = match until {
            Some(until) if until > self.fresh.now => Action::Keep(Kept::Waiting(until)),
            None => Action::Keep(Kept::Never),
            Some(_) => match self.outlived_by(candidate) {
                None => return self.unless_unpriced(candidate, why, since),
                Some(balancer) => {
                    let why = format!("load balancer {} forwards to it, and stays for now", balancer.name);
                    return (Action::Keep(Kept::Withheld), why, since);
                }
            },
        };
        (action, why, since)
    }

    /// A load balancer that forwards to it and that this run does not delete.
    fn outlived_by(&self, candidate: &'a Candidate) -> Option<&'a Candidate> {
        let mut balancers = self.world.balancers_of(candidate);
        balancers.find(|balancer| self.row(balancer).action != Action::Delete)
    }

    fn unless_unpriced(
        &self,
        candidate: &Candidate,
        why: String,
        since: Option<Timestamp>,
    ) -> (Action, String, Option<Timestamp>) {
        if self.money_is_capped && candidate.monthly.is_none() {
            let why = "the policy caps money, and its price is not known".to_owned();
            return (Action::Keep(Kept::Unpriced), why, since);
        }
        (Action::Delete, why, since)
    }

    fn mark(&self, verdict: Verdict) -> String {
        let mark = Mark {
            verdict,
            since: self.fresh.now,
            run: self.run.to_owned(),
        };
        mark.to_string()
    }
}
