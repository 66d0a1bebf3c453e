//! The evidence for one volume, link by link.

use jiff::Timestamp;
use moorline_api::VolumeId;
use moorline_gc::coverage::Gap;
use moorline_gc::plan::Kept;
use moorline_gc::{Judgement, Plan, Records, Verdict, judge};
use serde::{Deserialize, Serialize};

use crate::Collector;
use crate::clock::CloudClock;
use crate::error::{CollectError, Result};
use crate::ledger::Ledger;
use crate::survey::Eyes;

/// Why a volume is what it is, and what a run would do with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The volume.
    pub volume: VolumeId,
    /// Its scope.
    pub scope: String,
    /// When this was found out, by the cloud's clock.
    pub at: Timestamp,
    /// Verdict, reason, chain of evidence with the source and time of each link.
    pub judgement: Judgement,
    /// Since when runs have seen it unused, where they have and nothing ended that.
    pub since: Option<Timestamp>,
    /// What the next `gc --apply` would do with it, in words: `it waits until 2026-11-28T15:00:00Z`.
    pub action: String,
    /// Its size in GiB.
    pub gib: u32,
    /// Its type or SKU: `gp3`.
    pub volume_type: String,
    /// What it costs in US dollars a month, where that is known.
    pub monthly: Option<f64>,
    /// What was not read of clouds and clusters.
    pub gaps: Vec<Gap>,
}

impl Explanation {
    /// Whether the answer depends on something that was not read: exit code 3.
    pub fn is_incomplete(&self) -> bool {
        self.judgement.verdict == Verdict::Unknown
    }
}

impl Collector {
    /// The evidence for one volume: by its id or name, by `namespace/claim`, or by its PersistentVolume's name. More than one where
    /// several clusters have such a claim. Everything is read, as for a run: what is not there proves as much as what is.
    pub async fn explain(&self, subject: &str) -> Result<Vec<Explanation>> {
        let records = Ledger::load(&self.store, &self.subject)
            .await
            .map(|ledger| ledger.records);
        let records = records.unwrap_or_else(|_| Records::default());
        let clock = CloudClock::since(records.last_run);
        let eyes = Eyes::new(self, &clock);
        let mut survey = eyes.survey().await?;
        let plan = eyes.plan(&mut survey, &records).await?;
        let world = &survey.world;
        let found = world.look_up(subject).into_iter().map(|volume| {
            let judgement = judge(world, volume, &self.policy, &records, survey.now);
            let described = world.describe(volume);
            let id = world.volume_id(volume);
            let (since, action) = fate(&plan, &id);
            Explanation {
                volume: id,
                scope: described.scope,
                at: survey.now,
                judgement,
                since,
                action,
                gib: described.gib,
                volume_type: described.type_name,
                monthly: described.monthly,
                gaps: plan.gaps.clone(),
            }
        });
        let found: Vec<Explanation> = found.collect();
        match (found.is_empty(), plan.gaps.first()) {
            (false, _) => Ok(found),
            (true, Some(gap)) => Err(CollectError::NotSeen {
                what: subject.to_owned(),
                why: gap.to_string(),
            }),
            (true, None) => Err(CollectError::Unknown {
                what: subject.to_owned(),
            }),
        }
    }
}

/// Since when a volume is unused, and what the next run would do with it.
fn fate(plan: &Plan, volume: &VolumeId) -> (Option<Timestamp>, String) {
    if let Some(deletion) = plan.deletions.iter().find(|deletion| deletion.volume == *volume) {
        return (Some(deletion.since), "the next run with --apply deletes it".to_owned());
    }
    let unmarks = plan.unmarks.iter().any(|unmark| unmark.volume == *volume);
    let mark = if unmarks { ", and its mark is taken off" } else { "" };
    let Some(keep) = plan.kept.iter().find(|keep| keep.volume == *volume) else {
        return (None, format!("it stays{mark}"));
    };
    let action = match &keep.kept {
        Kept::Never => format!("it stays{mark}"),
        Kept::Withheld | Kept::Unpriced | Kept::Clock | Kept::Unread | Kept::Capped => {
            format!("it stays: {}", keep.why)
        }
        Kept::Marked => "the next run with --apply marks it, and grace begins".to_owned(),
        Kept::Waiting(until) => format!("it waits until {until}"),
    };
    (keep.since, action)
}
