//! What a run would do: which volumes it marks, which marks it takes off, what it deletes, in which order, and what it keeps
//! and why. A plan is immutable and concrete; what a dry run prints is what is carried out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use moorline_api::VolumeId;
use serde::{Deserialize, Serialize};

use crate::caps::{Exceeded, Sum};
use crate::coverage::Gap;
use crate::mark::{Life, Mark, Standing};
use crate::policy::Policy;
use crate::records::Records;
use crate::verdict::{Judgement, Link, Target, Verdict, judge};
use crate::world::{VolumeIndex, VolumeRecord, World};

/// When a run takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Now: by the cloud's clock rather than this machine's where that can be had.
    pub now: Timestamp,
}

/// A mark to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetMark {
    /// The volume.
    pub volume: VolumeId,
    /// Its scope.
    pub scope: String,
    /// The value of tag [`UNUSED`](crate::names::UNUSED).
    pub text: String,
    /// What the run found.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

/// A mark to take off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unmark {
    /// The volume.
    pub volume: VolumeId,
    /// Its scope.
    pub scope: String,
    /// Why.
    pub why: String,
}

/// One step of a deletion, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Snapshot the volume first; the snapshot may go at this time.
    Snapshot {
        /// When it expires.
        expires: Timestamp,
    },
    /// Delete this claim, in this life only, and wait until it is gone.
    Claim(Target),
    /// Delete the volume, and wait until the cloud confirms that it is gone.
    Volume,
    /// Delete this PersistentVolume, in this life only: it points to the volume until that is gone.
    PersistentVolume(Target),
}

/// A volume to delete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// The volume.
    pub volume: VolumeId,
    /// Its scope.
    pub scope: String,
    /// Why it is unused.
    pub verdict: Verdict,
    /// What decided that.
    pub why: String,
    /// The evidence.
    pub chain: Vec<Link>,
    /// UID of the cluster whose claim made the volume, where that is proved: its snapshot has to say so
    /// ([`tags::CLUSTER_UID`](moorline_api::tags::CLUSTER_UID)) to be found once it has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<String>,
    /// Since when runs have seen it unused.
    pub since: Timestamp,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// Its type or SKU in one word: `gp3`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its size.
    pub gib: u32,
    /// What it costs in US dollars a month, where that is known.
    pub monthly: Option<f64>,
}

/// Why a volume that is not plainly in use stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Its verdict says never.
    Never,
    /// Nobody may delete it, though it is unused.
    Withheld,
    /// Grace has begun with this run.
    Marked,
    /// Grace is not over until this time.
    Waiting(Timestamp),
    /// Its tags were not listed with it: read the volume by itself, put it in again, and plan anew.
    Unread,
    /// A clock is wrong, or was.
    Clock,
    /// The policy caps money, and its price is not known.
    Unpriced,
    /// It was to go, and a cap holds the whole run back.
    Capped,
}

/// A volume that stays. Those in use and claimed are only counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keep {
    /// The volume.
    pub volume: VolumeId,
    /// Its scope.
    pub scope: String,
    /// Its type or SKU in one word: `gp3`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its size.
    pub gib: u32,
    /// What it costs in US dollars a month, where that is known.
    pub monthly: Option<f64>,
    /// Since when runs have seen it unused, where they have.
    pub since: Option<Timestamp>,
    /// Its verdict.
    pub verdict: Verdict,
    /// Which sort of reason.
    pub kept: Kept,
    /// The reason in words.
    pub why: String,
}

/// What a run would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The run's id.
    pub run: String,
    /// When it was made.
    pub at: Timestamp,
    /// Marks to set. They are set whatever the caps say.
    pub marks: Vec<SetMark>,
    /// Marks to take off.
    pub unmarks: Vec<Unmark>,
    /// Volumes to delete; none where a cap would be exceeded.
    pub deletions: Vec<Deletion>,
    /// Volumes that stay, and why.
    pub kept: Vec<Keep>,
    /// All volumes by verdict.
    pub totals: BTreeMap<Verdict, Sum>,
    /// What the deletions come to, or would where a cap holds them back.
    pub doomed: Sum,
    /// The caps that hold the run back.
    pub exceeded: Vec<Exceeded>,
    /// What was not read: while there is any of it the run is incomplete, whatever else it did.
    pub gaps: Vec<Gap>,
    /// Why the clock is not trusted, so that nothing is marked or deleted.
    pub clock: Option<String>,
}

impl Plan {
    /// Whether something that verdicts depend on was not read, or has to be read again: exit code 3.
    pub fn is_incomplete(&self) -> bool {
        let unsure = |keep: &Keep| keep.verdict == Verdict::Unknown || keep.kept == Kept::Unread;
        !self.gaps.is_empty() || self.clock.is_some() || self.kept.iter().any(unsure)
    }

    /// The volumes that have to be read by themselves before the plan can be made whole.
    pub fn unread(&self) -> impl Iterator<Item = &VolumeId> {
        let unread = self.kept.iter().filter(|keep| keep.kept == Kept::Unread);
        unread.map(|keep| &keep.volume)
    }

    /// Deletes nothing where a cap would be exceeded, and says so.
    pub(crate) fn hold_back(&mut self, exceeded: Vec<Exceeded>) {
        if exceeded.is_empty() {
            return;
        }
        let why: Vec<String> = exceeded.iter().map(ToString::to_string).collect();
        let why = why.join("; ");
        let held = std::mem::take(&mut self.deletions).into_iter().map(|deletion| Keep {
            volume: deletion.volume,
            scope: deletion.scope,
            type_name: deletion.type_name,
            gib: deletion.gib,
            monthly: deletion.monthly,
            since: Some(deletion.since),
            verdict: deletion.verdict,
            kept: Kept::Capped,
            why: why.clone(),
        });
        self.kept.extend(held);
        self.exceeded = exceeded;
    }
}

/// Plans a run. `run` is its id: letters, digits and dashes.
pub fn plan(world: &World, policy: &Policy, records: &Records, clock: Clock, run: &str) -> Plan {
    let now = clock.now;
    let mut planner = Planner::new(world, (policy, records), clock, run);
    planner.plan.gaps = world.gaps(policy, now);
    for index in world.volumes() {
        let judgement = judge(world, index, policy, records, now);
        planner.take(index, judgement);
    }
    planner.cap();
    planner.plan
}

/// Plans the deletion of one volume anew, from a world that was read for it alone just before: the second look. The error says
/// what has changed. What comes back is what to carry out now: a claim that is gone meanwhile is no step any more.
pub fn second_look(
    first: &Deletion,
    world: &World,
    (policy, records): (&Policy, &Records),
    clock: Clock,
    run: &str,
) -> Result<Deletion, String> {
    let Some(index) = world.find_volume(&first.volume) else {
        return Err("the cloud does not list it any more".to_owned());
    };
    let mut planner = Planner::new(world, (policy, records), clock, run);
    planner.take(index, judge(world, index, policy, records, clock.now));
    let found = planner.plan;
    let mark = found.marks.first();
    let mark = mark.map(|_| "its mark is gone, or was set before its last use".to_owned());
    let kept = found.kept.into_iter().next().map(|keep| keep.why);
    let Some(again) = found.deletions.into_iter().next() else {
        let verdict = || judge(world, index, policy, records, clock.now).why;
        return Err(mark.or(kept).unwrap_or_else(verdict));
    };
    let foreseen = |step: &Step| matches!(step, Step::Snapshot { .. }) || first.steps.contains(step);
    match again.steps.iter().find(|step| !foreseen(step)) {
        Some(step) => Err(format!("what would have to go has changed: {step:?} was not planned")),
        None => Ok(again),
    }
}

struct Planner<'a> {
    world: &'a World,
    policy: &'a Policy,
    records: &'a Records,
    now: Timestamp,
    run: &'a str,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(world: &'a World, (policy, records): (&'a Policy, &'a Records), clock: Clock, run: &'a str) -> Self {
        let now = clock.now;
        let behind = records.last_run.filter(|last| *last > now);
        let plan = Plan {
            run: run.to_owned(),
            at: now,
            marks: Vec::new(),
            unmarks: Vec::new(),
            deletions: Vec::new(),
            kept: Vec::new(),
            totals: BTreeMap::new(),
            doomed: Sum::default(),
            exceeded: Vec::new(),
            gaps: Vec::new(),
            clock: behind.map(|last| format!("an earlier run took place at {last}, and now it is {now}")),
        };
        Self {
            world,
            policy,
            records,
            now,
            run,
            plan,
        }
    }

    fn take(&mut self, index: VolumeIndex, judgement: Judgement) {
        let volume = self.world.volume(index);
        let verdict = judgement.verdict;
        let total = self.plan.totals.entry(verdict).or_default();
        total.add(volume.gib, price(volume));
        if verdict.is_unused() {
            return self.take_unused(volume, judgement);
        }
        // What is unknown keeps its mark: a listing that breaks off must not begin grace anew. What is foreign keeps it too: the
        // mark may be another policy's.
        let alive = matches!(verdict, Verdict::InUse | Verdict::Claimed | Verdict::Protected);
        if alive && volume.has_mark && self.plan.clock.is_none() {
            self.plan.unmarks.push(Unmark {
                volume: self.id(volume),
                scope: self.scope(volume),
                why: judgement.why.clone(),
            });
        }
        if !matches!(verdict, Verdict::InUse | Verdict::Claimed) {
            self.keep(volume, verdict, Kept::Never, judgement.why);
        }
    }

    fn take_unused(&mut self, volume: &VolumeRecord, judgement: Judgement) {
        let verdict = judgement.verdict;
        if let Some(clock) = self.plan.clock.clone() {
            return self.keep(volume, verdict, Kept::Clock, clock);
        }
        if !volume.full {
            let why = "its tags, which may protect it, were not listed with it".to_owned();
            return self.keep(volume, verdict, Kept::Unread, why);
        }
        let life = Life {
            now: self.now,
            // Where the cloud does not say it, 1970: before any mark.
            created: Timestamp::from_second(volume.created).ok(),
            // A claim that is there has not gone by our hand: what it says of its use counts.
            last_use: judgement
                .last_use
                .filter(|_| verdict == Verdict::LeftBehind || !self.records.begun.contains(self.world.text(volume.id))),
        };
        let since = match life.standing(volume.marked) {
            Standing::None => return self.mark(volume, judgement),
            Standing::NotYet(then) => {
                let why = format!("a clock is wrong: its mark, or a sign of its use, is of {then}");
                return self.keep(volume, verdict, Kept::Clock, why);
            }
            Standing::Since(since) => since,
        };
        if let Some(withheld) = judgement.withheld {
            return self.keep_since(volume, verdict, (Kept::Withheld, withheld.to_string()), since);
        }
        let grace = self.policy.grace.of(verdict).unwrap_or(SignedDuration::MAX);
        // The claim went by the hand of a run that was cut short, after its own grace.
        let goes_on = verdict == Verdict::Released && self.records.begun.contains(self.world.text(volume.id));
        if !goes_on && self.now.duration_since(since) < grace {
            let until = since.saturating_add(grace).unwrap_or(Timestamp::MAX);
            let why = format!("{}; unused since {since}", judgement.why);
            return self.keep_since(volume, verdict, (Kept::Waiting(until), why), since);
        }
        if self.policy.caps.monthly.is_some() && price(volume).is_none() {
            let why = "the policy caps money, and its price is not known".to_owned();
            return self.keep_since(volume, verdict, (Kept::Unpriced, why), since);
        }
        self.delete(volume, judgement, since);
    }

    fn mark(&mut self, volume: &VolumeRecord, judgement: Judgement) {
        let mark = Mark {
            verdict: judgement.verdict,
            since: self.now,
            run: self.run.to_owned(),
        };
        self.plan.marks.push(SetMark {
            volume: self.id(volume),
            scope: self.scope(volume),
            text: mark.to_string(),
            verdict: judgement.verdict,
            why: judgement.why.clone(),
        });
        self.keep_since(volume, judgement.verdict, (Kept::Marked, judgement.why), self.now);
    }

    fn delete(&mut self, volume: &VolumeRecord, judgement: Judgement, since: Timestamp) {
        let keep_for = self.policy.snapshot_first.get(&volume.sort);
        let expires = keep_for.map(|keep_for| self.now.saturating_add(*keep_for).unwrap_or(Timestamp::MAX));
        let snapshot = expires.map(|expires| Step::Snapshot { expires });
        let claims = judgement.claims.into_iter().map(Step::Claim);
        let pvs = judgement.persistent_volumes.into_iter().map(Step::PersistentVolume);
        let steps = snapshot.into_iter().chain(claims).chain([Step::Volume]).chain(pvs);
        let deletion = Deletion {
            volume: self.id(volume),
            scope: self.scope(volume),
            verdict: judgement.verdict,
            why: judgement.why,
            chain: judgement.chain,
            maker: judgement.maker,
            since,
            steps: steps.collect(),
            type_name: self.type_name(volume),
            gib: volume.gib,
            monthly: price(volume),
        };
        self.plan.doomed.add(deletion.gib, deletion.monthly);
        self.plan.deletions.push(deletion);
    }

    /// Over a cap nothing is deleted: that so much is unused at once is more likely a mistake than the truth.
    fn cap(&mut self) {
        let all = self.plan.totals.values().map(|sum| sum.count).sum();
        let exceeded = self.policy.caps.exceeded(&self.plan.doomed, all);
        self.plan.hold_back(exceeded);
    }

    fn keep(&mut self, volume: &VolumeRecord, verdict: Verdict, kept: Kept, why: String) {
        self.plan.kept.push(Keep {
            volume: self.id(volume),
            scope: self.scope(volume),
            type_name: self.type_name(volume),
            gib: volume.gib,
            monthly: price(volume),
            since: None,
            verdict,
            kept,
            why,
        });
    }

    fn keep_since(&mut self, volume: &VolumeRecord, verdict: Verdict, (kept, why): (Kept, String), since: Timestamp) {
        self.keep(volume, verdict, kept, why);
        if let Some(keep) = self.plan.kept.last_mut() {
            keep.since = Some(since);
        }
    }

    fn type_name(&self, volume: &VolumeRecord) -> String {
        self.world.text(volume.type_name).to_owned()
    }

    fn id(&self, volume: &VolumeRecord) -> VolumeId {
        VolumeId(self.world.text(volume.id).to_owned())
    }

    fn scope(&self, volume: &VolumeRecord) -> String {
        self.world.scopes[usize::from(volume.scope)].name.clone()
    }
}

fn price(volume: &VolumeRecord) -> Option<f64> {
    (volume.monthly >= 0.0).then_some(volume.monthly)
}
