//! `check` finds what is not as it was asked for, and writes nothing.

use serde_json::{Value, json};

use crate::arm::Arm;
use crate::ec2::Ec2;
use crate::support::{Run, World, profile, set};

const STATEFUL: &str = "profiles/aws-nginx-stateful";
const COUNTER: &str = "profiles/azure-counter";

/// The findings of a sort.
fn findings(run: &Run, problem: &str) -> Vec<Value> {
    let report = run.json();
    let all = report["findings"].as_array().unwrap().iter();
    all.filter(|finding| finding["problem"] == problem).cloned().collect()
}

/// The cloud's ids of the claims' volumes.
fn volumes(world: &World, folder: &str) -> Vec<String> {
    let status = world
        .run(&format!("status {folder} --sandbox -o json"))
        .succeeds()
        .json();
    let claims = status["claims"].as_array().unwrap().iter();
    claims
        .map(|claim| claim["cloud"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_up_made_is_as_it_should_be_and_looking_writes_nothing() {
    for folder in [STATEFUL, COUNTER] {
        let world = World::instant();
        world.run(&format!("up {folder} --sandbox")).succeeds();
        world.reset_audit();
        for scope in ["", folder] {
            let check = world.run(&format!("check {scope} --sandbox --detailed-exitcode -o json"));
            let report = check.succeeds().json();
            assert_eq!(report["findings"], json!([]), "{folder}: {report:#}");
            assert!(
                report["claims"].as_u64() > Some(0) && report["volumes"] == report["claims"],
                "{report:#}"
            );
        }
        let audit = world.audit();
        assert_eq!(audit.sum("*", "changed"), 0, "{}", audit.with("changed"));
        for service in ["ec2", "arm"] {
            assert_eq!(audit.sum(service, "mutating"), 0, "{}", audit.with("mutating"));
        }
    }
}

/// What is young is looked for again and again, as clouds are late in telling of it.
fn not_young(world: &World) {
    world.run("sandbox clock advance 10m").succeeds();
}

#[test]
fn a_volume_that_somebody_deleted_is_missing() {
    let world = World::instant();
    not_young(&world);
    world.run(&format!("up {STATEFUL} --sandbox")).succeeds();
    let gone = volumes(&world, STATEFUL).remove(1);
    {
        let served = world.serve();
        Ec2::of(&served).destroy(&gone);
    }
    for scope in ["", STATEFUL] {
        let check = world
            .run(&format!("check {scope} --sandbox --detailed-exitcode -o json"))
            .exits(4);
        let missing = findings(&check, "volume-missing");
        assert_eq!(missing.len(), 1, "{}", check.stdout);
        assert_eq!(missing[0]["volume"], json!(gone));
        assert_eq!(missing[0]["claim"], "default/my-volume-nginx-home-deployment-1");
        assert!(
            missing[0]["hint"].as_str().unwrap().contains("moorline restore"),
            "{}",
            check.stdout
        );
    }
    let told = world.run(&format!("check {STATEFUL} --sandbox")).succeeds();
    assert!(
        told.stdout
            .contains(&format!("volume {gone} behind it is not in this account")),
        "{}",
        told.stdout
    );
}

#[test]
fn a_share_that_somebody_deleted_is_missing() {
    let world = World::instant();
    not_young(&world);
    world.run(&format!("up {COUNTER} --sandbox")).succeeds();
    let id = volumes(&world, COUNTER).remove(0);
    let (account, share) = id.split_once(".file/").unwrap();
    {
        let served = world.serve();
        Arm::of(&served).delete_share(account, share);
    }
    let check = world
        .run(&format!("check {COUNTER} --sandbox --detailed-exitcode -o json"))
        .exits(4);
    assert_eq!(
        findings(&check, "volume-missing")[0]["volume"],
        json!(id),
        "{}",
        check.stdout
    );
}

#[test]
fn a_disk_that_was_detached_from_under_its_pod_is_told() {
    let world = World::instant();
    not_young(&world);
    world.run(&format!("up {STATEFUL} --sandbox")).succeeds();
    let id = volumes(&world, STATEFUL).remove(0);
    {
        let served = world.serve();
        // The sandbox's own controllers would attach it again.
        world.configure(|settings| settings["controllers"]["csi"] = false.into());
        Ec2::of(&served).detach(&id);
        let check = world.run("check --sandbox --detailed-exitcode -o json").exits(4);
        let detached = findings(&check, "detached");
        assert_eq!(detached.len(), 1, "{}", check.stdout);
        assert_eq!(detached[0]["volume"], json!(id));
        assert_eq!(detached[0]["severity"], "error");
    }
}

#[test]
fn tags_that_were_taken_off_or_marks_that_were_left_are_told() {
    let world = World::instant();
    world.run(&format!("up {STATEFUL} --sandbox")).succeeds();
    let ids = volumes(&world, STATEFUL);
    {
        let served = world.serve();
        let ec2 = Ec2::of(&served);
        ec2.tag(&ids[0], "moorline.dev%2Funused", "2026-01-01T00%3A00%3A00Z");
        ec2.tag(&ids[1], "moorline.dev%2Fcluster-uid", "another");
    }
    let check = world.run("check --sandbox --detailed-exitcode -o json").exits(4);
    assert_eq!(
        findings(&check, "marked")[0]["volume"],
        json!(ids[0]),
        "{}",
        check.stdout
    );
    assert_eq!(
        findings(&check, "wrong-tags")[0]["volume"],
        json!(ids[1]),
        "{}",
        check.stdout
    );
}

#[test]
fn what_may_not_be_read_is_unknown_and_never_fine() {
    let world = World::instant();
    world.run(&format!("up {STATEFUL} --sandbox")).succeeds();
    let refusal =
        json!({"error": {"status": 403, "code": "UnauthorizedOperation", "message": "no", "retry_after": null}});
    let rule = json!({"service": "ec2", "operation": "DescribeVolumes", "moment": "before", "effect": refusal});
    world.fault(&rule);
    for scope in ["", STATEFUL] {
        let check = world
            .run(&format!("check {scope} --sandbox --detailed-exitcode -o json"))
            .exits(3);
        let report = check.json();
        assert_eq!(report["incomplete"], true);
        let unknown = report["unknown"].as_array().unwrap();
        let claims = unknown
            .iter()
            .filter(|unknown| unknown["what"].as_str().unwrap().starts_with("claim "));
        assert_eq!(claims.count(), 3, "{report:#}");
        assert_eq!(findings(&check, "volume-missing"), Vec::<Value>::new());
    }
    let told = world.run("check --sandbox").exits(3);
    assert!(told.stdout.contains("could not be read"), "{}", told.stdout);
    assert!(!told.stdout.contains("nothing wrong\n"), "{}", told.stdout);
}

#[test]
fn one_kind_that_may_not_be_listed_leaves_the_rest_judged() {
    let world = World::instant();
    world.run(&format!("up {STATEFUL} --sandbox")).succeeds();
    let refusal = json!({"error": {"status": 403, "code": "Forbidden", "message": "no", "retry_after": null}});
    let rule = json!({"service": "kubernetes", "operation": "list pods", "moment": "before", "effect": refusal});
    world.fault(&rule);
    let report = world.run("check --sandbox -o json").exits(3).json();
    assert_eq!(
        (&report["claims"], &report["volumes"]),
        (&json!(3), &json!(3)),
        "{report:#}"
    );
    assert!(
        report["notices"][0]
            .as_str()
            .unwrap()
            .starts_with("pods could not be read"),
        "{report:#}"
    );
}

#[test]
fn drift_from_the_profile_is_told_field_by_field() {
    let world = World::instant();
    world.run(&format!("up {STATEFUL} --sandbox")).succeeds();
    {
        let served = world.serve();
        let change = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "home-deployment", "namespace": "default"},
            "spec": {"replicas": 2},
        });
        let path = "/apis/apps/v1/namespaces/default/statefulsets/home-deployment";
        served.apply("kubectl", path, &change);
    }
    let check = world
        .run(&format!("check {STATEFUL} --sandbox --detailed-exitcode -o json"))
        .exits(4);
    let drift = findings(&check, "drift");
    assert_eq!(drift.len(), 1, "{}", check.stdout);
    assert!(
        drift[0]["evidence"][0].as_str().unwrap().contains(".spec.replicas"),
        "{}",
        check.stdout
    );
    let cluster = world.run("check --sandbox --detailed-exitcode -o json").succeeds();
    assert_eq!(
        findings(&cluster, "drift"),
        Vec::<Value>::new(),
        "without a profile nothing drifts from it"
    );
}

#[test]
fn a_claim_that_nobody_provisions_says_why() {
    let world = World::instant();
    {
        let served = world.serve();
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "lonely", "namespace": "default"},
            "spec": {"storageClassName": "nowhere", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        served.apply(
            "kubectl",
            "/api/v1/namespaces/default/persistentvolumeclaims/lonely",
            &claim,
        );
    }
    let check = world.run("check --sandbox --detailed-exitcode -o json").exits(4);
    let unbound = findings(&check, "unbound");
    assert_eq!(
        unbound[0]["why"], "not bound: StorageClass nowhere is not in the cluster",
        "{}",
        check.stdout
    );
}

#[test]
fn many_claims_cost_listings_and_no_call_each() {
    let world = World::instant();
    world.write("many/set.yaml", &set("many", 60));
    let folder = world.write("many/profile.yaml", &profile("many")).display().to_string();
    world.run(&format!("up {folder} --sandbox")).succeeds();
    world.reset_audit();
    world.run("check --sandbox").succeeds();
    let audit = world.audit();
    assert!(audit.count("DescribeVolumes", "calls") <= 2, "{}", audit.with("calls"));
    assert!(audit.sum("kubernetes", "calls") < 20, "{}", audit.with("calls"));
}

#[test]
fn all_clusters_of_a_policy_are_checked_in_all_of_its_scopes() {
    let world = World::instant();
    let served = world.serve();
    // One cluster is a list, too.
    let alone = world.write(
        "one.yaml",
        "scopes:\n  - aws: {regions: [us-east-1]}\nclusters:\n  - context: moorline-sandbox\nstore: runs\n",
    );
    let alone = world.run(&format!(
        "check --policy {}/one.yaml --sandbox -o json",
        alone.display()
    ));
    let alone = alone.succeeds().json();
    assert_eq!(alone.as_array().map(Vec::len), Some(1), "{alone}");
    world.configure(|settings| settings["clusters"] = json!(["moorline-sandbox", "b", "c"]));
    for folder in [STATEFUL, COUNTER] {
        world.run(&format!("up {folder} --sandbox")).succeeds();
    }
    let policy = world.path().join("moorline-gc.yaml");
    world
        .run(&format!(
            "gc init {} --sandbox --run-store {}",
            policy.display(),
            world.path().join("runs").display()
        ))
        .succeeds();
    let check = format!("check --policy {} --sandbox --detailed-exitcode", policy.display());
    let all = world.run(&format!("{check} -o json")).succeeds().json();
    let claims: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["claims"], &one["volumes"]))
        .collect();
    assert_eq!(
        claims,
        [(&json!(4), &json!(4)), (&json!(0), &json!(0)), (&json!(0), &json!(0))]
    );

    // One of them is down: the others are checked, and it is told.
    let gone = volumes(&world, STATEFUL).remove(1);
    Ec2::of(&served).destroy(&gone);
    world.configure(|settings| settings["unreachable"] = json!(["b"]));
    let run = world.run(&format!("{check} -o json --timeout 20s")).exits(3);
    let all = run.json();
    assert_eq!(all[0]["findings"][0]["problem"], "volume-missing", "{all:#}");
    assert_eq!(
        (&all[1]["incomplete"], &all[2]["incomplete"]),
        (&json!(true), &json!(false))
    );
    let told = world.run(&format!("{check} --timeout 20s")).exits(3);
    for line in ["cluster moorline-sandbox:", "cluster b:", "cluster c:"] {
        assert!(told.stdout.contains(line), "{}", told.stdout);
    }
}
