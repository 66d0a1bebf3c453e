//! `restore`: what there is to bring back, what would be done, and what was.

use std::fmt::Write as _;

use moorline_api::{Recoverable, VolumeSpec, tags};
use moorline_engine::restore::{ClaimToMake, RestoreAction, RestoreOutcome, RestorePlan};

use super::table::{Table, or_none};
use super::{View, inline, status};

/// What there is, the newest first.
pub(crate) fn list(found: &[Recoverable], view: &View) -> String {
    let mut headings = vec![
        "FROM", "VOLUME", "CLAIM", "SIZE", "TYPE", "ZONE", "AGE", "READY", "UNTIL",
    ];
    if view.wide {
        headings.extend(["CLASS", "PROFILE", "CLUSTER"]);
    }
    let mut table = Table::new(headings);
    for one in found {
        let tag = |key: &str| one.tags.get(key).map_or("", String::as_str);
        let claim = match (tag(tags::NAMESPACE), tag(tags::CLAIM)) {
            ("", _) | (_, "") => String::new(),
            (namespace, claim) => format!("{namespace}/{claim}"),
        };
        let spec = one.spec.as_ref();
        let mut cells = vec![
            match &one.origin {
                moorline_api::Origin::Snapshot(id) => id.clone(),
                moorline_api::Origin::Deleted { .. } => "deleted".to_owned(),
            },
            one.volume.to_string(),
            or_none(&claim),
            format!("{}Gi", one.size_gib),
            or_none(spec.map_or("", |spec| spec.config.type_name())),
            or_none(spec.and_then(|spec| spec.zone.as_deref()).unwrap_or_default()),
            view.age(one.taken),
            one.ready.to_string(),
            or_none(&until(one)),
        ];
        if view.wide {
            cells.extend([tags::STORAGE_CLASS, tags::PROFILE, tags::CLUSTER_UID].map(|key| or_none(tag(key))));
        }
        table.row(cells);
    }
    if table.is_empty() {
        return "nothing can be brought back; --all looks at what was not this cluster's, too\n".to_owned();
    }
    table.render(view)
}

/// When it goes by itself: the cloud's time, or that of garbage collection.
fn until(one: &Recoverable) -> String {
    let by_cloud = one.removed.map(|removed| removed.to_string());
    by_cloud
        .or_else(|| one.tags.get(tags::EXPIRES).cloned())
        .unwrap_or_default()
}

/// What would be done.
pub(crate) fn plan(plan: &RestorePlan, view: &View) -> String {
    let mut out = String::new();
    match &plan.action {
        RestoreAction::Return { claim: Some(claim) } => {
            line(
                &mut out,
                view,
                &format!(
                    "+ {} comes back; claim {claim} is still bound to it",
                    plan.source.title()
                ),
            );
        }
        RestoreAction::Return { claim: None } => {
            let text = "comes back, and then gets the claim that its own metadata name";
            line(&mut out, view, &format!("+ {} {text}", plan.source.title()));
        }
        RestoreAction::Make(claim) => steps(&mut out, plan, claim, view),
        RestoreAction::Nothing { claim, .. } => {
            let _ = writeln!(
                out,
                "{}",
                inline(&format!("no changes: claim {claim} is bound to what was brought back"))
            );
        }
    }
    if let Some(monthly) = plan.monthly_usd {
        let _ = writeln!(out, "about {monthly:.2} USD a month");
    }
    out + &status::notices(&plan.notices, view)
}

fn steps(out: &mut String, plan: &RestorePlan, claim: &ClaimToMake, view: &View) {
    let verb = if claim.uid.is_some() { "is finished" } else { "is made" };
    let of = claim
        .set
        .as_ref()
        .map_or_else(String::new, |set| format!(", for StatefulSet {set}"));
    line(
        out,
        view,
        &format!(
            "+ claim {}/{} {verb}: class {}, {}{of}",
            claim.namespace,
            claim.name,
            claim.class,
            claim.access_modes.join(", ")
        ),
    );
    line(
        out,
        view,
        &format!("+ volume: {} from {}", described(&claim.volume), plan.source.title()),
    );
    line(out, view, &format!("+ PersistentVolume {}", claim.persistent_volume));
}

fn line(out: &mut String, view: &View, text: &str) {
    let _ = writeln!(out, "{}", view.paint.added(inline(text)));
}

fn described(spec: &VolumeSpec) -> String {
    let zone = spec
        .zone
        .as_ref()
        .map_or_else(String::new, |zone| format!(" in {zone}"));
    format!("{} GiB {}{zone}", spec.size_gib, spec.config.type_name())
}

/// What was done.
pub(crate) fn outcome(outcome: &RestoreOutcome, view: &View) -> String {
    let mut table = Table::new([
        "CLAIM",
        "STATUS",
        "PERSISTENTVOLUME",
        "VOLUME",
        "SIZE",
        "TYPE",
        "ZONE",
        "FROM",
    ]);
    let spec = outcome.spec.as_ref();
    table.row([
        or_none(outcome.claim.as_deref().unwrap_or_default()),
        "Bound".to_owned(),
        or_none(outcome.persistent_volume.as_deref().unwrap_or_default()),
        or_none(outcome.volume.as_ref().map_or("", |id| &id.0)),
        spec.map_or_else(|| or_none(""), |spec| format!("{}Gi", spec.size_gib)),
        or_none(spec.map_or("", |spec| spec.config.type_name())),
        or_none(spec.and_then(|spec| spec.zone.as_deref()).unwrap_or_default()),
        outcome.source.title(),
    ]);
    let notices = status::notices(&outcome.notices, view);
    let gap = if notices.is_empty() { "" } else { "\n" };
    format!("{}{gap}{notices}", table.render(view))
}
