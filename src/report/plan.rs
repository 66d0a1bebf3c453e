//! What `up` or `scale` would do.

use std::fmt::Write as _;

use moorline_api::{Object, ObjectRef};
use moorline_engine::plan::{ClaimAction, ClaimPlan, ObjectAction, ObjectPlan, UpPlan, field_changes};

use super::{View, age, diff, inline, status};

/// The plan, field by field, with what it costs and how long the rate limits make it take.
pub(crate) fn up(plan: &UpPlan, view: &View) -> String {
    let mut out = String::new();
    for object in &plan.objects {
        out.push_str(&object_lines(object, view));
    }
    for claim in &plan.claims {
        out.push_str(&claim_line(claim, view));
    }
    for mount in &plan.mounts {
        let secret = &mount.secret;
        let line = format!(
            "+ secret/{} -n {} (it is missing, and nodes mount volumes with it)",
            secret.name, secret.namespace
        );
        let _ = writeln!(out, "{}", view.paint.added(inline(&line)));
    }
    for one in &plan.returns {
        let line = format!(
            "~ {}: reclaim policy {:?}, as before an interrupted down (claim {} is still there)",
            object_name(&one.persistent_volume.target),
            one.reclaim_policy,
            one.claim_name
        );
        let _ = writeln!(out, "{}", view.paint.changed(inline(&line)));
    }
    for removal in &plan.pointless {
        let line = format!("- {} (its claim and its volume are gone)", object_name(&removal.target));
        let _ = writeln!(out, "{}", view.paint.removed(inline(&line)));
    }
    for removal in &plan.removals {
        let line = format!("- {} (no longer in the profile)", object_name(&removal.target));
        let _ = writeln!(out, "{}", view.paint.removed(inline(&line)));
    }
    if let Some(scale) = plan.scale.as_ref().filter(|scale| scale.from != scale.to) {
        let line = format!(
            "~ {}: replicas {} -> {}",
            object_name(&scale.target),
            scale.from,
            scale.to
        );
        let _ = writeln!(out, "{}", view.paint.changed(inline(&line)));
    }
    for release in &plan.releases {
        let volume = release
            .volume
            .as_ref()
            .map(|id| format!(" with volume {id}"))
            .unwrap_or_default();
        let line = format!("- claim {}{volume}: {}", release.claim_name, release.why);
        let _ = writeln!(out, "{}", view.paint.removed(inline(&line)));
    }
    out.push_str(&summary(plan));
    out.push_str(&status::notices(&plan.notices, view));
    // What blocks it is the error that the run ends with.
    out
}

fn object_lines(plan: &ObjectPlan, view: &View) -> String {
    let name = inline(&object_name(&plan.target));
    match &plan.action {
        ObjectAction::Create if view.wide => {
            let fields = field_changes(&kind_only(&plan.object), &plan.object);
            format!(
                "{}\n{}",
                view.paint.added(format!("+ {name}")),
                diff::fields(&fields, view)
            )
        }
        ObjectAction::Create => format!("{}\n", view.paint.added(format!("+ {name}"))),
        ObjectAction::Update { changes, destroys } => {
            let destroys = destroys
                .as_ref()
                .map(|what| view.paint.removed(format!(" ({})", inline(what))))
                .unwrap_or_default();
            format!(
                "{}{destroys}\n{}",
                view.paint.changed(format!("~ {name}")),
                diff::fields(changes, view)
            )
        }
        ObjectAction::Replace {
            reason,
            keeps_dependents,
            ..
        } => {
            let dependents = if *keeps_dependents {
                "; its pods live on meanwhile"
            } else {
                ""
            };
            format!(
                "{} {}\n",
                view.paint.removed(format!("-/+ {name}")),
                inline(&format!("(replaced: {reason}{dependents})"))
            )
        }
        ObjectAction::Unchanged if view.wide => format!("  {name}\n"),
        ObjectAction::Unchanged => String::new(),
    }
}

/// An object of the same kind with nothing in it, so that all fields of a new one show as added.
fn kind_only(object: &Object) -> Object {
    let mut empty = Object::default();
    for field in ["apiVersion", "kind"] {
        empty.fields_mut().extend(
            object
                .fields()
                .get(field)
                .map(|value| (field.to_owned(), value.clone())),
        );
    }
    empty
}

fn claim_line(claim: &ClaimPlan, view: &View) -> String {
    let name = inline(&format!("persistentvolumeclaim/{} -n {}", claim.name, claim.namespace));
    let volume = inline(&volume(claim));
    match &claim.action {
        ClaimAction::Create => format!("{}: {volume}\n", view.paint.added(format!("+ {name}"))),
        ClaimAction::Resume { volume: found, .. } => {
            let found = found
                .as_ref()
                .map_or_else(|| volume.clone(), |id| inline(&format!("volume {id} is there already")));
            format!(
                "{} (an earlier run began it): {found}\n",
                view.paint.changed(format!("~ {name}"))
            )
        }
        ClaimAction::Await { reason } => format!("  {name}: {}\n", inline(reason)),
        ClaimAction::Keep if view.wide => format!("  {name}\n"),
        ClaimAction::Keep => String::new(),
    }
}

fn volume(claim: &ClaimPlan) -> String {
    let Some(spec) = &claim.volume else {
        return "no volume".to_owned();
    };
    let zone = spec.zone.as_ref().map(|zone| format!(" in {zone}")).unwrap_or_default();
    let price = claim
        .monthly_usd
        .map(|usd| format!(", ${usd:.2} a month"))
        .unwrap_or_default();
    format!(
        "volume of {} GiB {}{zone}{price}",
        spec.size_gib,
        spec.config.type_name()
    )
}

/// What all of it costs, as far as anybody knows.
fn cost(plan: &UpPlan) -> String {
    let known = format!("about ${:.2} a month", plan.monthly_usd);
    match plan.unpriced {
        0 => known,
        unpriced if unpriced == plan.volume_creates as usize => "at no known price".to_owned(),
        unpriced => format!("{known} and {unpriced} without a known price"),
    }
}

fn summary(plan: &UpPlan) -> String {
    if plan.changes() == 0 {
        return "no changes\n".to_owned();
    }
    let mut out = format!("{} to change", counted(plan.changes(), "thing"));
    if plan.volume_creates > 0 {
        let creates = counted(plan.volume_creates as usize, "volume");
        let _ = write!(
            out,
            "; {creates} to create (as many calls to the cloud), {}",
            cost(plan)
        );
        let floor = if plan.floor_seconds > 0.0 {
            format!(
                "; the account's rate limits allow that in {} at the earliest",
                age::span(plan.floor_seconds)
            )
        } else {
            "; the account's rate limits allow that at once".to_owned()
        };
        out.push_str(&floor);
    }
    out + "\n"
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

/// An object as `kubectl` names it, with its namespace: `statefulset.apps/home-deployment -n default`.
pub(crate) fn object_name(target: &ObjectRef) -> String {
    let gvk = &target.resource.gvk;
    let group = if gvk.group.is_empty() {
        String::new()
    } else {
        format!(".{}", gvk.group)
    };
    let namespace = target
        .namespace
        .as_ref()
        .map(|namespace| format!(" -n {namespace}"))
        .unwrap_or_default();
    format!("{}{group}/{}{namespace}", gvk.kind.to_lowercase(), target.name)
}

/// `statefulsets.apps` and a name as `statefulset.apps/name`, as kubectl writes it.
pub(super) fn singular(qualified: &str, name: &str) -> String {
    let (plural, group) = qualified
        .split_once('.')
        .map_or((qualified, None), |(plural, group)| (plural, Some(group)));
    let kind = plural.strip_suffix('s').unwrap_or(plural);
    group.map_or_else(|| format!("{kind}/{name}"), |group| format!("{kind}.{group}/{name}"))
}
