//! `down`: what will die, and at the end the proof of what is gone and what remains.

use std::fmt::Write as _;

use moorline_engine::outcome::{DownOutcome, Fate};
use moorline_engine::plan::{ClaimRemoval, DownPlan, VolumeFate};

use super::plan::object_name;
use super::table::Table;
use super::{View, inline, status};

/// What `down` would do.
pub(crate) fn plan(plan: &DownPlan, view: &View) -> String {
    let mut out = String::new();
    for claim in &plan.claims {
        out.push_str(&claim_line(claim, view));
    }
    for balancer in &plan.load_balancers {
        let _ = writeln!(
            out,
            "{}",
            view.paint
                .removed(inline(&format!("- load balancer {}", balancer.name)))
        );
    }
    for object in plan.secrets.iter().chain(&plan.objects) {
        let _ = writeln!(
            out,
            "{}",
            view.paint
                .removed(inline(&format!("- {}", object_name(&object.target))))
        );
    }
    for kept in &plan.keeps {
        let _ = writeln!(out, "  {} is kept: {}", inline(&kept.what), inline(&kept.why));
    }
    out + &status::notices(&plan.notices, view)
}

fn claim_line(claim: &ClaimRemoval, view: &View) -> String {
    let volume = claim
        .volume
        .as_ref()
        .map_or_else(|| "no volume".to_owned(), |id| format!("volume {id}"));
    let fate = match claim.fate {
        VolumeFate::Delete => "is deleted",
        VolumeFate::SnapshotThenDelete => "is snapshotted, then deleted",
        VolumeFate::Keep => "is kept",
    };
    let claim_name = inline(&format!("- claim {}", claim.claim_name));
    format!(
        "{}: {}\n",
        view.paint.removed(claim_name),
        inline(&format!("{volume} {fate} ({})", claim.why))
    )
}

/// What `down` came to.
pub(crate) fn outcome(outcome: &DownOutcome, view: &View) -> String {
    let sections = [
        section("GONE", "PROOF", &outcome.gone, view),
        section("KEPT", "WHY", &outcome.kept, view),
        section("REMAINING", "WHY", &outcome.remaining, view),
        status::notices(&outcome.notices, view),
        verdict(outcome),
    ];
    sections
        .into_iter()
        .filter(|section| !section.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn section(what: &'static str, why: &'static str, fates: &[Fate], view: &View) -> String {
    let mut table = Table::new([what, why]);
    for fate in fates {
        table.row([fate.what.clone(), fate.why.clone()]);
    }
    table.render(view)
}

fn verdict(outcome: &DownOutcome) -> String {
    format!(
        "{} gone, {} kept, {} remaining\n",
        outcome.gone.len(),
        outcome.kept.len(),
        outcome.remaining.len()
    )
}
