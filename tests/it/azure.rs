//! The second tutorial, end to end: file shares, one for all, and blob containers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Run, World};

const COUNTER: &str = "profiles/azure-counter --sandbox";
const SHARED: &str = "profiles/azure-counter-shared --sandbox";
const BLOB: &str = "profiles/azure-blob --sandbox";

/// A list of the sandbox's state.
fn list(world: &World, what: &str) -> Vec<Value> {
    world.state()[what].as_array().unwrap().clone()
}

fn shares(world: &World) -> BTreeSet<String> {
    let name = |share: &Value| share["name"].as_str().unwrap().to_owned();
    list(world, "shares").iter().map(name).collect()
}

fn scale(world: &World, replicas: u32) -> Run {
    world.run(&format!(
        "scale profiles/azure-counter counter-div --replicas {replicas} --sandbox --yes -o json"
    ))
}

/// The claims of a status, each with the cloud's volume behind it.
fn claims(status: &Value) -> &Vec<Value> {
    status["claims"].as_array().unwrap()
}

#[test]
fn up_makes_a_share_and_a_second_up_writes_nothing() {
    let world = World::realistic();
    let up = world.run(&format!("up {COUNTER}")).succeeds();
    let rows = up.rows("counter-div-counter-div-0");
    assert_eq!(rows[0][1], "Bound", "{}", up.stdout);
    // 50Mi were asked for; shares come in whole GiB, and the claim says what it got.
    assert_eq!(rows[0][3..6], ["1Gi", "RWX", "azurefile-div"], "{}", up.stdout);
    assert_eq!((shares(&world).len(), list(&world, "storage_accounts").len()), (1, 1));

    world.reset_audit();
    let again = world.run(&format!("up {COUNTER} --detailed-exitcode")).succeeds();
    assert!(again.stderr.contains("no changes"), "{}", again.stderr);
    let audit = world.audit();
    assert_eq!(audit.sum("*", "changed"), 0, "{}", audit.with("changed"));
    assert_eq!(audit.sum("arm", "mutating"), 0, "{}", audit.with("mutating"));
}

#[test]
fn status_shows_share_account_quota_and_bytes_used() {
    let world = World::instant();
    world.run(&format!("up {COUNTER}")).succeeds();
    let status = world.run(&format!("status {COUNTER} -o json")).succeeds().json();
    assert_eq!(status["ready"], true);
    let claim = &claims(&status)[0];
    assert_eq!(claim["capacity"], "1Gi", "{claim}");
    let cloud = &claim["cloud"];
    let share = list(&world, "shares").remove(0);
    assert_eq!([&cloud["name"], &cloud["holder"]], [&share["name"], &share["account"]]);
    assert_eq!([&cloud["sort"], &cloud["volumeType"]], ["share", "Standard_LRS"]);
    assert_eq!(
        (cloud["sizeGib"].as_u64(), cloud["usedBytes"].as_u64()),
        (Some(1), Some(0))
    );

    let volume = claim["volume"].as_str().unwrap();
    world.run(&format!("sandbox usage {volume} 45Mi")).succeeds();
    let table = world.run(&format!("status {COUNTER}")).succeeds().stdout;
    let line = |start: &str| table.lines().find(|line| line.starts_with(start)).unwrap();
    for heading in ["SHARE", "ACCOUNT", "QUOTA", "USED"] {
        assert!(line("CLAIM").contains(heading), "{table}");
    }
    for heading in ["ZONE", "DEVICE"] {
        assert!(!table.contains(heading), "shares have no {heading}: {table}");
    }
    assert!(table.contains("45MiB") && table.contains("1GiB"), "{table}");
    assert!(table.contains(share["account"].as_str().unwrap()), "{table}");
}

#[test]
fn each_replica_more_is_one_share_more_and_fewer_replicas_keep_theirs() {
    let world = World::instant();
    world.run(&format!("up {COUNTER}")).succeeds();
    let mut before = shares(&world);
    for replicas in 2..=4 {
        let scaled = scale(&world, replicas).succeeds().json();
        assert_eq!(scaled["volumesCreated"], 1, "{scaled}");
        let now = shares(&world);
        assert_eq!(now.len(), replicas as usize);
        assert!(now.is_superset(&before), "the shares of the others stay");
        before = now;
    }
    assert_eq!(
        list(&world, "storage_accounts").len(),
        1,
        "up to fifty live in one account"
    );
    scale(&world, 1).succeeds();
    let status = world.run(&format!("status {COUNTER} -o json")).succeeds().json();
    assert_eq!(status["pods"].as_array().unwrap().len(), 1);
    let kept = claims(&status)
        .iter()
        .filter(|claim| claim["note"].as_str().unwrap().contains("kept"));
    assert_eq!((kept.count(), shares(&world).len()), (3, 4));
}

#[test]
fn down_proves_what_is_gone_and_says_what_can_be_restored() {
    let world = World::realistic();
    let before = world.state();
    world.run(&format!("up {COUNTER}")).succeeds();
    scale(&world, 3).succeeds();
    scale(&world, 1).succeeds();
    let account = list(&world, "storage_accounts").remove(0)["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let down = world.run(&format!("down {COUNTER} --yes -o json")).succeeds().json();
    assert_eq!(down["remaining"].as_array().unwrap().len(), 0, "{down}");
    let gone: Vec<_> = down["gone"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fate| fate["what"].as_str().unwrap())
        .collect();
    let volumes = gone.iter().filter(|what| what.contains(".file/pvc-")).count();
    assert_eq!(volumes, 3, "those of ordinals that are no more, too: {gone:?}");
    let secret = format!("secrets default/azure-storage-account-{account}-secret");
    assert!(gone.contains(&&*secret), "{gone:?}");
    // Azure keeps deleted shares for a while, and with them their account: that is said, and is no failure.
    let kept = down["kept"].to_string();
    assert!(kept.contains(&account) && kept.contains("restored"), "{down}");

    let mut after = world.state();
    assert_eq!(after["storage_accounts"].as_array().unwrap().len(), 1);
    assert_eq!(after["shares"].as_array().unwrap().len(), 0);
    after["storage_accounts"] = before["storage_accounts"].clone();
    assert_eq!(after, before, "nothing else is left");
    let again = world.run(&format!("down {COUNTER} --yes")).succeeds();
    assert!(again.stderr.contains("nothing of profile"), "{}", again.stderr);
    world.run(&format!("up {COUNTER}")).succeeds();
    assert_eq!(list(&world, "storage_accounts").len(), 1, "the account is found again");
}

#[test]
fn all_pods_of_a_deployment_share_one_share() {
    let world = World::instant();
    let up = world.run(&format!("up {SHARED} -o json")).succeeds().json();
    assert_eq!((&up["volumesCreated"], shares(&world).len()), (&Value::from(1), 1));
    let df = world.run(&format!("df {SHARED} -o json")).succeeds().json();
    let mounts = df["mounts"].as_array().unwrap();
    let column = |field: &str| {
        mounts
            .iter()
            .map(|mount| mount[field].to_string())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!((mounts.len(), column("pod").len()), (3, 3));
    assert_eq!((column("claim").len(), column("volume").len()), (1, 1));
    world.run(&format!("down {SHARED} --yes")).succeeds();
    assert_eq!(shares(&world).len(), 0);
}

#[test]
fn containers_are_volumes_too() {
    let world = World::instant();
    let up = world.run(&format!("up {BLOB} -o json")).succeeds().json();
    assert_eq!(up["volumesCreated"], 2, "{up}");
    let containers = list(&world, "containers");
    let prefixed = |container: &&Value| container["name"].as_str().unwrap().starts_with("web-pvc-");
    assert_eq!(containers.iter().filter(prefixed).count(), 2, "{containers:?}");
    let table = world.run(&format!("status {BLOB}")).succeeds().stdout;
    assert!(table.contains("CONTAINER") && table.contains("ACCOUNT"), "{table}");
    assert!(!table.contains("QUOTA"), "nothing bounds a container: {table}");
    let json = world.run(&format!("status {BLOB} -o json")).succeeds().json();
    assert!(
        claims(&json).iter().all(|claim| claim["cloud"]["sort"] == "container"),
        "{json}"
    );
    world.run(&format!("df {BLOB}")).succeeds();
    world.reset_audit();
    world.run(&format!("up {BLOB}")).succeeds();
    assert_eq!(
        world.audit().sum("*", "changed"),
        0,
        "{}",
        world.audit().with("changed")
    );
    world.run(&format!("down {BLOB} --yes")).succeeds();
    let state = world.state();
    for what in ["containers", "storage_accounts"] {
        assert_eq!(state[what].as_array().unwrap().len(), 0, "{what}");
    }
}

#[test]
fn a_plan_tells_calls_costs_and_the_time_that_the_rates_allow() {
    let world = World::instant();
    let plan = world
        .run(&format!("plan {COUNTER} --detailed-exitcode"))
        .exits(4)
        .stdout;
    assert!(plan.contains("Standard_LRS") && plan.contains("a month"), "{plan}");
    assert!(plan.contains("1 volume to create"), "{plan}");
    let json = world.run(&format!("plan {COUNTER} -o json")).succeeds().json();
    assert_eq!(json["volumeCreates"], 1);
    assert_eq!(
        world.audit().sum("*", "changed"),
        0,
        "{}",
        world.audit().with("changed")
    );
    let yaml = world.run(&format!("plan {COUNTER} -o yaml")).succeeds().stdout;
    assert!(yaml.starts_with("---\n") && yaml.contains("volumeCreates: 1"), "{yaml}");
}

#[test]
fn df_shows_what_df_in_the_pods_would() {
    let world = World::instant();
    world.run(&format!("up {COUNTER}")).succeeds();
    scale(&world, 2).succeeds();
    let status = world.run(&format!("status {COUNTER} -o json")).succeeds().json();
    let volume = claims(&status)[1]["volume"].as_str().unwrap().to_owned();
    world.run(&format!("sandbox usage {volume} 512Mi")).succeeds();
    world.reset_audit();
    let df = world.run(&format!("df {COUNTER}")).succeeds();
    assert_eq!(
        df.rows("counter-div-"),
        [
            [
                "counter-div-0",
                "counter-div-counter-div-0",
                "/app/",
                "1.0G",
                "0",
                "1.0G",
                "0%"
            ],
            [
                "counter-div-1",
                "counter-div-counter-div-1",
                "/app/",
                "1.0G",
                "512M",
                "512M",
                "50%"
            ],
        ],
        "{}",
        df.stdout
    );
    let audit = world.audit();
    assert!(audit.count("get nodes/proxy", "calls") <= 2, "one call a node");
    assert_eq!(
        audit.sum("arm", "calls"),
        0,
        "the kubelets know, and the cloud is not asked"
    );
    assert_eq!(audit.sum("*", "changed"), 0, "{}", audit.with("changed"));

    let json = world.run(&format!("df {COUNTER} -o json")).succeeds().json();
    let mount = &json["mounts"][1];
    assert_eq!([&mount["measuredBy"], &mount["paths"][0]], ["kubelet", "/app/"]);
    assert_eq!([&mount["sizeBytes"], &mount["usedBytes"]], [1 << 30, 512 << 20]);
    let wide = world.run(&format!("df {COUNTER} -o wide")).succeeds().stdout;
    for heading in ["NODE", "VOLUME ID", "INODES"] {
        assert!(wide.contains(heading), "{wide}");
    }
    assert!(wide.contains(mount["volume"].as_str().unwrap()), "{wide}");
}

#[test]
fn df_of_disks_comes_from_the_kubelets_alone() {
    let world = World::instant();
    world.run("up profiles/aws-nginx-stateful --sandbox").succeeds();
    let df = world.run("df profiles/aws-nginx-stateful --sandbox").succeeds();
    let rows = df.rows("home-deployment-");
    assert_eq!(rows.len(), 3, "{}", df.stdout);
    assert_eq!(rows[0][3..], ["10G", "24K", "10G", "1%"], "{}", df.stdout);
}

#[test]
fn where_kubelets_tell_nothing_the_cloud_does_and_the_rest_is_unknown() {
    let world = World::instant();
    world.run(&format!("up {COUNTER}")).succeeds();
    let status = world.run(&format!("status {COUNTER} -o json")).succeeds().json();
    let volume = claims(&status)[0]["volume"].as_str().unwrap().to_owned();
    world.run(&format!("sandbox usage {volume} 45Mi")).succeeds();
    world.fault(&serde_json::json!({
        "service": "kubernetes", "operation": "get nodes/proxy", "moment": "before",
        "effect": {"error": {"status": 403, "code": "Forbidden", "message": "nodes \"n\" is forbidden: User \"ann\" cannot get resource \"nodes/proxy\" in API group \"\" at the cluster scope", "retry_after": null}},
    }));
    let df = world.run(&format!("df {COUNTER}")).exits(3);
    assert_eq!(
        df.rows("counter-div-0")[0][3..],
        ["1.0G", "45M", "unknown", "unknown"],
        "{}",
        df.stdout
    );
    assert!(
        df.stdout.contains("grant \"get\" on nodes/proxy to \"ann\""),
        "{}",
        df.stdout
    );
    let json = world.run(&format!("df {COUNTER} -o json")).exits(3).json();
    assert_eq!(
        [&json["mounts"][0]["measuredBy"], &json["incomplete"]],
        [&Value::from("cloud"), &Value::from(true)]
    );
    assert_eq!(json["mounts"][0]["availableBytes"], Value::Null);

    // Nobody looks into a disk.
    world.run("up profiles/aws-nginx-stateful --sandbox").succeeds();
    let disks = world.run("df profiles/aws-nginx-stateful --sandbox").exits(3);
    assert_eq!(
        disks.rows("home-deployment-0")[0][3..],
        ["unknown"; 4],
        "{}",
        disks.stdout
    );
}

#[test]
fn a_hundred_replicas_take_what_the_rates_allow_and_two_accounts() {
    let world = World::realistic();
    let folder = world.write(
        "many/profile.yaml",
        "name: many\nprovider: {azure: {}}\nonDown: reclaim-policy\n",
    );
    world.write("many/set.yaml", &hundred());
    let plan = world
        .run(&format!("plan {} --sandbox -o json", folder.display()))
        .succeeds()
        .json();
    assert_eq!(plan["volumeCreates"], 100);
    let floor = plan["floorSeconds"].as_f64().unwrap();
    assert!((9.0..=11.0).contains(&floor), "ten writes a second: {floor}");
    world.reset_audit();
    let started = Instant::now();
    let up = world
        .run(&format!("up {} --sandbox -o json", folder.display()))
        .succeeds();
    let taken = started.elapsed();
    assert_eq!(up.json()["volumesCreated"], 100);
    let audit = world.audit();
    assert_eq!(audit.sum("*", "throttled"), 0, "{}", audit.with("throttled"));
    assert_eq!(list(&world, "storage_accounts").len(), 2, "fifty shares an account");
    // Ten writes a second are published. A machine that is busy with other tests takes longer than that alone.
    let allowed = Duration::from_millis(100 * audit.sum("arm", "mutating"));
    assert!(taken < allowed * 2, "{taken:?}, and the rates allow {allowed:?}");
}

fn hundred() -> String {
    let class = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: many-files}\nprovisioner: file.csi.azure.com\nparameters: {skuName: Standard_LRS}\n---\n";
    let set = crate::support::set("many", 100);
    let own_class = set.split_once("---\n").unwrap().1;
    class.to_owned()
        + &own_class
            .replace("many-gp3", "many-files")
            .replace("ReadWriteOnce", "ReadWriteMany")
}
