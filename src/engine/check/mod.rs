//! `check`: desired against actual, for every claim and volume. It reads, and writes nothing.
//!
//! The flow is **read → judge**: `read` asks cluster and cloud, in listings and batches, and keeps small records; the judging
//! modules are pure. What could not be read makes what depends on it *unknown*, never *fine*.

mod attached;
mod behind;
mod claims;
mod drift;
mod pointers;
mod read;
mod unbound;
mod world;

#[cfg(test)]
mod tests;

use futures::future;
use moorline_api::{Account, ClusterIdentity};
use moorline_profile::Profile;
use serde::Serialize;

use crate::context::Context;
use crate::error::EngineError;
use crate::observe;
use crate::status::natural;
use world::World;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something does not work, or will not when it is next used.
    Error,
    /// Something is not as it was asked for, or needs somebody's eye.
    Warning,
    /// Worth knowing.
    Info,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// A claim that a workload or the profile wants is not there.
    ClaimMissing,
    /// The claim lost its PersistentVolume.
    Lost,
    /// The claim is not bound.
    Unbound,
    /// The claim's PersistentVolume is not there, or is another's.
    PersistentVolumeMissing,
    /// A PersistentVolume failed.
    PersistentVolumeFailed,
    /// A PersistentVolume whose claim is gone.
    Released,
    /// The cloud does not have the volume.
    VolumeMissing,
    /// The volume failed, or is on its way out.
    VolumeFailed,
    /// Not the size that was asked for.
    WrongSize,
    /// Not the type that was asked for.
    WrongType,
    /// Not the zone that the PersistentVolume or the class says.
    WrongZone,
    /// A pod runs with it, and it is attached nowhere.
    Detached,
    /// A pod runs with it, and it is attached to another machine.
    AttachedElsewhere,
    /// It cannot be attached.
    AttachFailing,
    /// It is attached, and no pod uses it.
    AttachedUnused,
    /// Two PersistentVolumes name it.
    Shared,
    /// It was made for a claim that does not use it.
    Spare,
    /// Garbage collection marked it unused, and it is used.
    Marked,
    /// Its tags name another claim or cluster, or none.
    WrongTags,
    /// A pod that uses it waits.
    PodWaits,
    /// An object is not as the profile has it.
    Drift,
    /// The profile asks for what cannot be.
    Blocked,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, for programs.
    pub problem: Problem,
    /// The thing: `claim default/data-0`.
    pub what: String,
    /// What is wrong, in words.
    pub why: String,
    /// What that was read from, a sentence each.
    pub evidence: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// `namespace/name` of the claim that it is about.
    pub claim: Option<String>,
    /// Id of the volume that it is about.
    pub volume: Option<String>,
}

impl Finding {
    fn new(severity: Severity, problem: Problem, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            severity,
            problem,
            what: what.into(),
            why: why.into(),
            evidence: Vec::new(),
            hint: None,
            claim: None,
            volume: None,
        }
    }

    fn evidence(mut self, sentence: impl Into<String>) -> Self {
        self.evidence.push(sentence.into());
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn claim(mut self, (namespace, name): &(String, String)) -> Self {
        self.claim = Some(format!("{namespace}/{name}"));
        self
    }

    fn volume(mut self, id: &moorline_api::VolumeId) -> Self {
        self.volume = Some(id.0.clone());
        self
    }
}

/// Something that cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unknown {
    /// The thing: `claim default/data-0`.
    pub what: String,
    /// What is not known of it, and why.
    pub why: String,
}

/// What `check` shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The profile; `None` where the whole cluster was checked.
    pub profile: Option<String>,
    /// Cluster.
    pub cluster: ClusterIdentity,
    /// The accounts that were asked, one of each cloud that the cluster's volumes are in.
    pub accounts: Vec<Account>,
    /// Claims that were looked at.
    pub claims: usize,
    /// Volumes that were looked at.
    pub volumes: usize,
    /// What is not as it should be, the worst first.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    pub unknown: Vec<Unknown>,
    /// Things worth knowing, a sentence each; what could not be read is among them.
    pub notices: Vec<String>,
    /// Whether something could not be read (exit code 3).
    pub incomplete: bool,
}

impl CheckReport {
    /// How many findings are more than worth knowing.
    pub fn problems(&self) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity < Severity::Info)
            .count()
    }
}

/// Checks the claims and volumes of a profile, or, without one, of the whole cluster. Only a cluster that cannot be reached, or a profile
/// that does not belong here, is an error: what else could not be read is in the report.
pub async fn check(ctx: &Context, profile: Option<&Profile>) -> Result<CheckReport, EngineError> {
    let cluster = ctx.cluster.identity().await?;
    if let Some(profile) = profile {
        // Its pins are checked before anything is judged by it; that the cloud does not answer is told below.
        match observe::site(ctx, profile).await {
            Err(error @ EngineError::Refused { .. }) => return Err(error),
            _ => observe::site_in_cluster(ctx, profile).await?,
        };
    }
    let (mut world, drift) = future::join(read::world(ctx, &cluster, profile), drift::of(ctx, profile)).await;
    let mut findings = judge(&world);
    let drift = drift?;
    let known: Vec<_> = findings
        .iter()
        .map(|finding| (finding.problem, finding.claim.clone()))
        .collect();
    let fresh = |finding: &Finding| {
        finding.problem == Problem::Drift || !known.contains(&(finding.problem, finding.claim.clone()))
    };
    findings.extend(drift.findings.into_iter().filter(fresh));
    findings.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut unknown = behind::unknown(&world);
    unknown.extend(drift.unknown);
    unknown.sort();
    let mut notices = std::mem::take(&mut world.gaps);
    let incomplete = !notices.is_empty() || !unknown.is_empty();
    notices.extend(world.notices());
    Ok(CheckReport {
        profile: profile.map(|profile| profile.name.clone()),
        cluster,
        accounts: std::mem::take(&mut world.accounts),
        claims: world.claims.len(),
        volumes: world.volumes.known(),
        findings,
        unknown,
        notices,
        incomplete,
    })
}

/// Everything that the records show. Pure.
fn judge(world: &World) -> Vec<Finding> {
    let mut findings = claims::judge(world);
    findings.extend(behind::judge(world));
    findings.extend(attached::judge(world));
    findings.extend(pointers::judge(world));
    findings
}

fn order(finding: &Finding) -> (Severity, (String, u64), Problem, &str) {
    (finding.severity, natural(&finding.what), finding.problem, &finding.why)
}
