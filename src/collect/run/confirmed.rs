//! Which marks count of volumes whose lists leave tags out: those of volumes that every run since has seen unused.

use std::collections::BTreeSet;

use moorline_gc::plan::Kept;
use moorline_gc::{Plan, Verdict};

use crate::report::Report;
use crate::survey::Survey;

/// What of the marks that counted before this run counts still, before anything is done. What is used again drops out; what could not be
/// told stays, so that a listing that breaks off begins no grace anew.
pub(super) fn before(known: &BTreeSet<String>, survey: &Survey, plan: &Plan) -> BTreeSet<String> {
    let whole = survey.seen.scopes.iter().all(|scope| scope.complete);
    let kept = plan.kept.iter().filter(|keep| {
        let untold = matches!(keep.verdict, Verdict::Unknown | Verdict::Foreign) || keep.kept == Kept::Unread;
        untold || (keep.verdict.is_unused() && keep.kept != Kept::Marked)
    });
    let kept = kept.map(|keep| &keep.volume);
    let still: BTreeSet<&str> = kept
        .chain(plan.deletions.iter().map(|deletion| &deletion.volume))
        .map(|volume| volume.0.as_str())
        .collect();
    let unseen = |id: &str| {
        !whole
            && survey
                .world
                .find_volume(&moorline_api::VolumeId(id.to_owned()))
                .is_none()
    };
    let stays = known.iter().filter(|id| still.contains(id.as_str()) || unseen(id));
    stays.cloned().collect()
}

/// The marks that this run wrote, once they are written. Where some were not, none of them counts, and the next run marks again.
pub(super) fn written(survey: &Survey, report: &Report) -> BTreeSet<String> {
    let plan = &report.plan;
    let all = report.marks_written == plan.marks.len() + plan.unmarks.len();
    let bare = plan
        .marks
        .iter()
        .filter(|mark| all && survey.bare.contains(&mark.volume));
    bare.map(|mark| mark.volume.0.clone()).collect()
}
