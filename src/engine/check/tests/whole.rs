//! The whole command, on a cluster and a cloud in memory.

use moorline_api::ErrorKind;

use super::*;
use crate::check::{CheckReport, check};
use crate::error::EngineError;
use crate::fakes::{self, Stage};
use crate::{execute_up, plan_up};

fn web() -> moorline_profile::Profile {
    fakes::profile("externalClasses: [fast]\n", "")
}

fn old(mut value: Value) -> Value {
    value["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    value
}

/// Set `db` of one replica as `up` leaves it, with its claim and volume.
async fn stage() -> Stage {
    let stage = Stage::new();
    stage.cluster.add(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast", "uid": "uid-fast"},
        "provisioner": "ebs.csi.aws.com", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
    }));
    stage.cluster.add(fakes::set(1));
    stage.cluster.add(fakes::claim("data-db-0"));
    stage.cluster.add(old(fakes::pv("data-db-0")));
    stage.cloud.add(fakes::volume("data-db-0"));
    let mut ctx = stage.context();
    ctx.limits.wait = false;
    let plan = plan_up(&ctx, &web()).await.unwrap();
    execute_up(&ctx, &web(), plan).await.unwrap();
    stage
}

async fn checked(stage: &Stage) -> CheckReport {
    check(&stage.context(), Some(&web())).await.unwrap()
}

fn problems(report: &CheckReport) -> Vec<(Severity, Problem, &str)> {
    let findings = report.findings.iter();
    findings
        .map(|finding| (finding.severity, finding.problem, &*finding.what))
        .collect()
}

#[tokio::test]
async fn what_is_as_it_should_be_was_looked_at_and_is_not_told() {
    let stage = stage().await;
    let writes = stage.script.changes().len();
    let report = checked(&stage).await;
    assert_eq!(problems(&report), []);
    assert_eq!((report.claims, report.volumes, report.problems()), (1, 1, 0));
    assert!(!report.incomplete && report.notices.is_empty(), "{report:?}");
    assert_eq!(stage.script.changes().len(), writes);
}

#[tokio::test]
async fn a_volume_or_a_claim_that_is_gone_is_told() {
    let without_volume = stage().await;
    without_volume.cloud.with(|cloud| cloud.volumes.clear());
    let report = checked(&without_volume).await;
    let of_claim = |problem| (Severity::Error, problem, "claim default/data-db-0");
    // And `up` has nothing to put in its place.
    let expected = [of_claim(Problem::VolumeMissing), of_claim(Problem::Blocked)];
    assert_eq!((problems(&report), report.problems()), (expected.into(), 2));

    let without_claim = stage().await;
    without_claim.cluster.remove("PersistentVolumeClaim", "data-db-0");
    let report = checked(&without_claim).await;
    let missing: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.problem == Problem::ClaimMissing)
        .collect();
    assert_eq!(missing.len(), 1, "set and profile both want it: {report:?}");
}

#[tokio::test]
async fn what_cannot_be_read_makes_a_check_incomplete() {
    for call in [
        "list persistentvolumeclaims",
        "list persistentvolumes",
        "list storageclasses",
        "list pods",
        "list nodes",
        "list volumeattachments",
        "list statefulsets",
        "list volumes",
        "account",
    ] {
        let stage = stage().await;
        stage.script.refuse(call, ErrorKind::Forbidden);
        let report = checked(&stage).await;
        assert!(report.incomplete && !report.notices.is_empty(), "{call}: {report:?}");
    }
}

#[tokio::test]
async fn a_cluster_that_the_profile_does_not_mean_is_not_checked_by_it() {
    let stage = stage().await;
    let mut elsewhere = web();
    elsewhere.cluster.uid = Some("another".to_owned());
    let refused = check(&stage.context(), Some(&elsewhere)).await;
    assert!(matches!(refused, Err(EngineError::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn by_a_profile_only_its_own_claims_are_checked() {
    let stage = stage().await;
    for (name, label) in [("data-db-7", "shop"), ("beside", "web"), ("another", "shop")] {
        let mut waiting = fakes::claim(name);
        waiting["metadata"]["labels"][crate::names::PROFILE] = json!(label);
        waiting["spec"] = json!({"storageClassName": "fast"});
        waiting["status"]["phase"] = json!("Pending");
        stage.cluster.add(waiting);
    }
    let unbound = |report: &CheckReport| {
        let unbound = report
            .findings
            .iter()
            .filter(|finding| finding.problem == Problem::Unbound);
        unbound.map(|finding| finding.what.clone()).collect::<Vec<_>>()
    };
    let (beside, seventh) = ("claim default/beside", "claim default/data-db-7");
    assert_eq!(unbound(&checked(&stage).await), [beside, seventh]);
    let all = check(&stage.context(), None).await.unwrap();
    assert_eq!(unbound(&all), ["claim default/another", beside, seventh]);
    assert_eq!((all.claims, all.profile), (4, None));
}

#[tokio::test]
async fn what_up_would_change_is_told_field_by_field() {
    let stage = stage().await;
    let mut edited = stage.cluster.find("StatefulSet", "db").unwrap().into_value();
    edited["spec"]["serviceName"] = json!("other");
    stage.cluster.add(edited);
    let report = checked(&stage).await;
    assert_eq!(
        problems(&report),
        [(Severity::Warning, Problem::Drift, "statefulsets.apps default/db")]
    );
    let [finding] = &*report.findings else { unreachable!() };
    assert_eq!(finding.why, "1 field is not as the profile has it");
    assert_eq!(
        finding.evidence,
        [r#".spec.serviceName is "other", and the profile says "db""#]
    );
    stage.cluster.remove("StatefulSet", "db");
    let report = checked(&stage).await;
    let missing = (Severity::Error, Problem::Drift, "statefulsets.apps default/db");
    assert!(problems(&report).contains(&missing), "{report:?}");
}
