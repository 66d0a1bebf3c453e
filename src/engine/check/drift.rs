//! Drift from the profile: what `up` would change, as `plan` finds it by the API server's dry runs.

use moorline_profile::Profile;

use super::{Finding, Problem, Severity, Unknown};
use crate::context::{Context, Limits};
use crate::error::EngineError;
use crate::outcome::Cause;
use crate::plan::{ClaimAction, FieldChange, ObjectAction, ObjectPlan, UpPlan};
use crate::up;

/// The most fields of one object that are told.
const FIELDS: usize = 10;

/// What differs, and what could not be found out.
#[derive(Debug, Default)]
pub(super) struct Drift {
    pub(super) findings: Vec<Finding>,
    pub(super) unknown: Vec<Unknown>,
}

/// Plans an `up` and reads off what it would do. A profile that does not belong here is an error; what the API server or the
/// cloud refuses to tell is unknown.
pub(super) async fn of(ctx: &Context, profile: Option<&Profile>) -> Result<Drift, EngineError> {
    let Some(profile) = profile else {
        return Ok(Drift::default());
    };
    // Nothing is written: what others own is planned to be taken, so that it is told field by field.
    let limits = Limits {
        force_conflicts: true,
        ..ctx.limits
    };
    let ctx = Context { limits, ..ctx.clone() };
    match up::plan_up(&ctx, profile).await {
        Ok(plan) => Ok(Drift {
            findings: findings(profile, &plan),
            unknown: Vec::new(),
        }),
        Err(EngineError::Blocked(causes)) => Ok(Drift {
            findings: causes.iter().map(blocked).collect(),
            unknown: Vec::new(),
        }),
        Err(error @ (EngineError::Provider(_) | EngineError::Failed(_) | EngineError::Conflicts(_))) => Ok(Drift {
            findings: Vec::new(),
            unknown: vec![Unknown {
                what: format!("profile {}", profile.name),
                why: format!("whether the cluster is as it says could not be found out: {error}"),
            }],
        }),
        Err(error) => Err(error),
    }
}

fn findings(profile: &Profile, plan: &UpPlan) -> Vec<Finding> {
    let up = format!("moorline up {}", profile.folder.display());
    let mut findings: Vec<Finding> = plan
        .objects
        .iter()
        .filter_map(|object| of_object(object, &up))
        .collect();
    findings.extend(plan.removals.iter().map(|removal| {
        let why = "the profile no longer has it";
        Finding::new(Severity::Warning, Problem::Drift, removal.target.to_string(), why).hint(&*up)
    }));
    findings.extend(
        plan.claims
            .iter()
            .filter(|claim| claim.action == ClaimAction::Create)
            .map(|claim| {
                let what = format!("claim {}/{}", claim.namespace, claim.name);
                let why = "the profile wants it, and it is not there";
                Finding::new(Severity::Error, Problem::ClaimMissing, what, why)
                    .claim(&(claim.namespace.clone(), claim.name.clone()))
                    .hint(&*up)
            }),
    );
    findings.extend(plan.mounts.iter().map(|mount| {
        let why = format!("Secret {}, with which nodes mount it, is not there", mount.secret);
        Finding::new(Severity::Error, Problem::Drift, format!("volume {}", mount.volume), why)
            .volume(&mount.volume)
            .hint(&*up)
    }));
    findings.extend(plan.blocked.iter().map(blocked));
    findings
}

fn of_object(object: &ObjectPlan, up: &str) -> Option<Finding> {
    let what = object.target.to_string();
    let finding = |why: String| Finding::new(Severity::Warning, Problem::Drift, what, why).hint(up);
    match &object.action {
        ObjectAction::Unchanged => None,
        ObjectAction::Create => {
            let mut missing = finding("the profile has it, and the cluster does not".to_owned());
            missing.severity = Severity::Error;
            Some(missing)
        }
        ObjectAction::Replace { reason, .. } => Some(finding(format!(
            "it is not as the profile has it, and cannot be changed in place: {reason}"
        ))),
        ObjectAction::Update { changes, .. } => {
            let fields = match changes.len() {
                1 => "1 field is".to_owned(),
                count => format!("{count} fields are"),
            };
            let told = changes.iter().take(FIELDS).map(change);
            Some(told.fold(
                finding(format!("{fields} not as the profile has it")),
                Finding::evidence,
            ))
        }
    }
}

fn change(change: &FieldChange) -> String {
    let value = |value: &Option<serde_json::Value>| value.as_ref().map_or("nothing".to_owned(), ToString::to_string);
    format!(
        "{} is {}, and the profile says {}",
        change.path,
        value(&change.before),
        value(&change.after)
    )
}

fn blocked(cause: &Cause) -> Finding {
    let mut finding = Finding::new(Severity::Error, Problem::Blocked, cause.what.clone(), cause.why.clone());
    finding.hint.clone_from(&cause.hint);
    finding
}
