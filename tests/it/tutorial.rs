//! The first tutorial, end to end.

use crate::support::World;

const STATEFUL: &str = "profiles/aws-nginx-stateful --sandbox";
const STATELESS: &str = "profiles/aws-nginx --sandbox";

#[test]
fn up_brings_three_claims_bound_and_a_second_up_writes_nothing() {
    let world = World::realistic();
    let up = world.run(&format!("up {STATEFUL}")).succeeds();
    let claims = up.rows("my-volume-nginx-home-deployment-");
    let bound: Vec<_> = claims.iter().filter(|row| row[1] == "Bound").collect();
    assert_eq!(bound.len(), 3, "{}", up.stdout);
    for (ordinal, row) in bound.iter().enumerate() {
        assert_eq!(row[0], format!("my-volume-nginx-home-deployment-{ordinal}"));
        assert!(row[2].starts_with("moorline-"), "{row:?}");
        assert_eq!(row[3..6], ["10Gi", "RWO", "my-aws-ebs-gp2"], "{row:?}");
    }
    assert!(up.stdout.contains(".elb.amazonaws.com"), "{}", up.stdout);

    world.reset_audit();
    let again = world.run(&format!("up {STATEFUL} --detailed-exitcode")).succeeds();
    assert!(again.stderr.contains("no changes"), "{}", again.stderr);
    let audit = world.audit();
    assert_eq!(audit.sum("*", "changed"), 0, "{}", audit.with("changed"));
    assert_eq!(audit.sum("ec2", "mutating"), 0, "{}", audit.with("mutating"));
    // The server fills claim templates in, which are owned as one: of a set it is asked.
    for kind in ["services", "storageclasses"] {
        let rehearsed = audit.count(&format!("patch {kind}"), "calls");
        assert_eq!(rehearsed, 0, "a listing proves that {kind} are unchanged");
    }
}

#[test]
fn status_shows_what_the_tutorial_looks_at() {
    let world = World::instant();
    world.run(&format!("status {STATEFUL}")).succeeds();
    world.run(&format!("up {STATEFUL}")).succeeds();
    let status = world.run(&format!("status {STATEFUL}")).succeeds();
    for heading in [
        "NAME",
        "STATUS",
        "VOLUME",
        "CAPACITY",
        "ACCESS MODES",
        "STORAGECLASS",
        "AGE",
        "VOLUME ID",
        "ZONE",
        "DEVICE",
    ] {
        assert!(status.stdout.contains(heading), "{heading}: {}", status.stdout);
    }
    assert!(status.stdout.contains("LoadBalancer Ingress:"), "{}", status.stdout);
    assert!(
        status.stdout.contains("LoadBalancer Source Ranges:"),
        "{}",
        status.stdout
    );
    let json = world.run(&format!("status {STATEFUL} -o json")).succeeds().json();
    assert_eq!(json["ready"], true);
    for claim in json["claims"].as_array().unwrap() {
        let cloud = &claim["cloud"];
        assert!(cloud["id"].as_str().unwrap().starts_with("vol-"), "{claim}");
        assert_eq!(
            [&cloud["volumeType"], &cloud["state"], &cloud["sizeGib"]],
            [&"gp2".into(), &"in-use".into(), &serde_json::Value::from(10)]
        );
        assert!(
            cloud["attachments"][0]["device"]
                .as_str()
                .unwrap()
                .starts_with("/dev/xvd"),
            "{claim}"
        );
    }
    assert_eq!(json["pods"].as_array().unwrap().len(), 3);
    assert!(!json["events"].as_array().unwrap().is_empty());
}

#[test]
fn scaling_makes_volumes_first_and_keeps_them_on_the_way_down() {
    let world = World::instant();
    world.run(&format!("up {STATEFUL}")).succeeds();
    let scale = |replicas: u32| {
        world.run(&format!(
            "scale profiles/aws-nginx-stateful home-deployment --replicas {replicas} --sandbox -o json"
        ))
    };
    let up = scale(5).succeeds().json();
    assert_eq!(up["volumesCreated"], 2);
    let bound = up["status"]["claims"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|claim| claim["status"] == "Bound")
        .count();
    assert_eq!(bound, 5);
    world.run(&format!("plan {STATEFUL}")).succeeds();
    world.run(&format!("plan {STATEFUL} --detailed-exitcode")).exits(4);
    scale(2).succeeds();
    let status = world.run(&format!("status {STATEFUL} -o json")).succeeds().json();
    assert_eq!(
        status["workloads"]
            .as_array()
            .unwrap()
            .iter()
            .find(|w| w["name"] == "home-deployment")
            .unwrap()["ready"],
        2
    );
    assert_eq!(world.volumes(), 5, "whenScaled: Retain keeps claims and volumes");
    world.run(&format!("up {STATEFUL}")).succeeds();
    world.run(&format!("plan {STATEFUL} --detailed-exitcode")).succeeds();
}

#[test]
fn down_leaves_nothing_of_the_profile() {
    let world = World::realistic();
    let before = world.state();
    world.run(&format!("up {STATEFUL}")).succeeds();
    assert_eq!(world.volumes(), 3);
    let down = world.run(&format!("down {STATEFUL} --yes -o json")).succeeds().json();
    assert_eq!(down["remaining"].as_array().unwrap().len(), 0, "{down}");
    let gone: Vec<_> = down["gone"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fate| fate["what"].as_str().unwrap())
        .collect();
    assert_eq!(gone.iter().filter(|what| what.contains("vol-")).count(), 3, "{gone:?}");
    assert_eq!(world.state(), before, "no volume, no load balancer, no object is left");
    let again = world.run(&format!("down {STATEFUL} --yes")).succeeds();
    assert!(again.stderr.contains("nothing of profile"), "{}", again.stderr);
    world.run(&format!("up {STATEFUL}")).succeeds();
}

#[test]
fn the_deployment_has_a_load_balancer_and_no_volume() {
    let world = World::instant();
    let before = world.state();
    let up = world.run(&format!("up {STATELESS} -o json")).succeeds().json();
    let services = up["status"]["services"].as_array().unwrap();
    assert!(
        services[0]["hostname"]
            .as_str()
            .unwrap()
            .ends_with(".elb.amazonaws.com"),
        "{services:?}"
    );
    assert!(!services[0]["sourceRanges"].as_array().unwrap().is_empty());
    assert_eq!(world.volumes(), 0);
    let balancers = world.run("lb --sandbox -o json").succeeds().json();
    assert_eq!(balancers["balancers"][0]["service"], "default/my-app");
    assert_eq!(balancers["balancers"][0]["verdict"], "in use");
    world.run(&format!("down {STATELESS} --yes")).succeeds();
    assert_eq!(world.state(), before);
}

#[test]
fn down_without_a_terminal_wants_yes_and_makes_no_call() {
    let world = World::instant();
    world.run(&format!("up {STATEFUL}")).succeeds();
    world.reset_audit();
    let refused = world.run(&format!("down {STATEFUL}")).exits(2);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    assert_eq!(world.audit().sum("*", "calls"), 0);
}

#[test]
fn a_plan_changes_nothing() {
    let world = World::instant();
    let before = world.state();
    let plan = world.run(&format!("plan {STATEFUL} --detailed-exitcode")).exits(4);
    assert!(plan.stdout.contains("3 volumes to create"), "{}", plan.stdout);
    assert!(plan.stdout.contains("a month"), "{}", plan.stdout);
    assert_eq!(
        world.audit().sum("*", "changed"),
        0,
        "{}",
        world.audit().with("changed")
    );
    assert_eq!(world.state(), before);
}
