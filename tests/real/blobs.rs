//! Blob containers as volumes: the real control plane, and Azurite.

use serde_json::{Value, json};

use crate::azure::Azurite;
use crate::stage::{Stage, eventually};

const PROFILE: &str = "profiles/azure-blob";
const KINDS: &str = "storageclass,service,statefulset,persistentvolumeclaim,persistentvolume,secret";
/// What the shipped profile's containers are called, before the claim's UID.
const PREFIX: &str = "web-pvc-";

fn stage() -> Stage<Azurite> {
    Stage::shared_with(|parts, _| Azurite::shared(parts))
}

fn claims(stage: &Stage<Azurite>) -> Vec<Value> {
    stage.get("persistentvolumeclaim -l moorline.dev/profile=azure-blob")
}

/// The container of a claim, by its name.
fn container_of(claim: &Value) -> String {
    format!("{PREFIX}{}", claim["metadata"]["uid"].as_str().unwrap())
}

/// Each claim is Bound to a PersistentVolume that names the container, whose metadata name the claim; the pods run.
#[track_caller]
fn all_is_joined(stage: &Stage<Azurite>, replicas: usize) {
    let containers = stage.account.containers(PREFIX);
    let (claims, pvs) = (claims(stage), stage.get("persistentvolume"));
    assert_eq!((claims.len(), containers.len()), (replicas, replicas));
    for claim in &claims {
        let metadata = &claim["metadata"];
        assert_eq!(claim["status"]["phase"], "Bound", "{claim}");
        let name = container_of(claim);
        let container = containers.iter().find(|container| container["name"] == *name).unwrap();
        assert_eq!(container["metadata"]["moorline_claim_uid"], metadata["uid"]);
        assert_eq!(container["metadata"]["moorline_claim"], metadata["name"]);
        assert_eq!(container["metadata"]["moorline_profile"], "azure-blob");
        let pv = pvs
            .iter()
            .find(|pv| pv["metadata"]["name"] == claim["spec"]["volumeName"])
            .unwrap();
        assert_eq!(pv["spec"]["claimRef"]["uid"], metadata["uid"]);
        let source = &pv["spec"]["csi"];
        assert_eq!(source["driver"], "blob.csi.azure.com");
        assert_eq!(source["volumeAttributes"]["containerName"], *name, "{source}");
        assert_eq!(
            source["volumeAttributes"]["storageAccount"], "devstoreaccount1",
            "{source}"
        );
        let reference = &source["nodeStageSecretRef"];
        let text = |key: &str| reference[key].as_str().unwrap().to_owned();
        let secret = &stage.get(&format!("secret -n {} {}", text("namespace"), text("name")))[0];
        let mut keys: Vec<&String> = secret["data"].as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["azurestorageaccountkey", "azurestorageaccountname"]);
    }
    let pods = stage.get("pods -l app=web-blob");
    let running = pods.iter().filter(|pod| pod["status"]["phase"] == "Running").count();
    assert_eq!((pods.len(), running), (replicas, replicas));
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn containers_from_beginning_to_end() {
    let stage = stage();
    stage.run(&format!("up {PROFILE}")).succeeds();
    all_is_joined(&stage, 2);
    let first = container_of(&claims(&stage)[0]);
    stage.account.write(&first, "index.html", "<h1>kept</h1>");
    let before = stage.versions(KINDS);
    let again = stage.run(&format!("up {PROFILE} --detailed-exitcode")).succeeds();
    assert!(again.stderr.contains("no changes"), "{}", again.stderr);
    assert_eq!(stage.versions(KINDS), before);
    assert_eq!(stage.account.read(&first, "index.html"), "<h1>kept</h1>");

    stage.run(&format!("scale {PROFILE} web-blob --replicas 3")).succeeds();
    all_is_joined(&stage, 3);
    let status = stage.run(&format!("status {PROFILE} -o json")).succeeds().json();
    assert_eq!((&status["ready"], &status["incomplete"]), (&json!(true), &json!(false)));
    assert!(
        status.to_string().contains(&format!("devstoreaccount1.blob/{first}")),
        "{status}"
    );
    assert_eq!(stage.account.read(&first, "index.html"), "<h1>kept</h1>");

    let down = stage.run(&format!("down {PROFILE} --yes")).succeeds();
    assert!(down.stdout.contains("0 remaining"), "{}", down.stdout);
    assert_eq!(stage.names(KINDS), ["service/kubernetes"], "all else is gone");
    assert_eq!(stage.account.containers(PREFIX), [Value::Null; 0]);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn a_container_in_use_stays_until_it_is_free() {
    let stage = stage();
    stage.run(&format!("up {PROFILE}")).succeeds();
    let leased = container_of(&claims(&stage)[0]);
    stage.account.lease(&leased);
    let down = stage.run(&format!("down {PROFILE} --yes --timeout 20s")).exits(3);
    assert!(down.stdout.contains("still in-use"), "{}", down.stdout);
    let left = stage.account.containers(PREFIX);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        (&left[0]["name"], &left[0]["lease"]),
        (&json!(leased), &json!("leased"))
    );
    stage.account.release(&leased);
    stage.run(&format!("down {PROFILE} --yes")).succeeds();
    assert_eq!(stage.account.containers(PREFIX), [Value::Null; 0]);
    assert_eq!(stage.names(KINDS), ["service/kubernetes"], "all else is gone");
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn a_run_killed_in_the_middle_makes_no_second_container() {
    let stage = stage();
    let mut up = stage.start(&format!("up {PROFILE}"));
    up.says("created volume/");
    up.kill();
    stage.run(&format!("up {PROFILE}")).succeeds();
    all_is_joined(&stage, 2);
    stage.run(&format!("down {PROFILE} --yes")).succeeds();
    assert_eq!(stage.account.containers(PREFIX), [Value::Null; 0]);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn shares_need_more_than_a_connection_string_and_nothing_is_begun_without() {
    let stage = stage();
    let refused = stage.run("up profiles/azure-counter");
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("AZURE_SUBSCRIPTION_ID"), "{}", refused.stderr);
    assert_eq!(stage.names(KINDS), ["service/kubernetes"]);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn retain_keeps_containers_and_what_is_in_them() {
    let stage = stage();
    let read =
        |file: &str| std::fs::read_to_string(format!("{}/{PROFILE}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    stage.world.write("retain/profile.yaml", &read("profile.yaml"));
    stage.world.write("retain/statefulset.yaml", &read("statefulset.yaml"));
    let class = read("storageclass.yaml").replace("reclaimPolicy: Delete", "reclaimPolicy: Retain");
    let folder = stage.world.write("retain/storageclass.yaml", &class);
    stage.run(&format!("up {}", folder.display())).succeeds();
    let kept = container_of(&claims(&stage)[0]);
    stage.account.write(&kept, "index.html", "<h1>kept</h1>");
    let down = stage.run(&format!("down {} --yes", folder.display())).succeeds();
    // Both containers, and the Secret with which nodes mount them.
    assert!(down.stdout.contains("5 gone, 3 kept, 0 remaining"), "{}", down.stdout);
    let containers = stage.account.containers(PREFIX);
    assert_eq!(containers.len(), 2);
    assert_eq!(stage.account.read(&kept, "index.html"), "<h1>kept</h1>");
    for container in containers {
        stage.account.delete(container["name"].as_str().unwrap());
    }
    for left in stage.names("persistentvolume,secret") {
        stage.kubectl(&format!("delete {left}"));
    }
    eventually("nothing is left", || stage.names(KINDS) == ["service/kubernetes"]);
}
