//! The tutorial of Azure Files, end to end: the real control plane, and the sandbox's Resource Manager as Azure's official
//! clients see it.

use serde_json::{Value, json};

use crate::azure::Manager;
use crate::stage::{Stage, eventually};

const PROFILE: &str = "profiles/azure-counter";
const KINDS: &str = "storageclass,service,statefulset,deployment,persistentvolumeclaim,persistentvolume,secret";

fn claims(stage: &Stage<Manager>) -> Vec<Value> {
    stage.get("persistentvolumeclaim -l moorline.dev/profile=azure-counter")
}

/// The accounts once they show so many shares: Azure's lists lag behind what was done.
#[track_caller]
fn accounts_with(stage: &Stage<Manager>, wanted: usize) -> Vec<Value> {
    let mut seen = Vec::new();
    eventually("all shares are listed", || {
        seen = stage.account.accounts();
        let shares = seen.iter().map(|account| account["shares"].as_array().unwrap().len());
        shares.sum::<usize>() == wanted
    });
    seen
}

/// Each claim is Bound to a PersistentVolume with the class's mount options that names a share of 1 GiB, all in one account;
/// the account's key is in the Secret that the driver reads.
#[track_caller]
fn all_is_joined(stage: &Stage<Manager>, replicas: usize) {
    let accounts = accounts_with(stage, replicas);
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    let account = &accounts[0];
    let shares = account["shares"].as_array().unwrap();
    let (claims, pvs) = (claims(stage), stage.get("persistentvolume"));
    assert_eq!(claims.len(), replicas);
    assert_eq!(account["sku"], "Standard_LRS");
    for claim in &claims {
        let metadata = &claim["metadata"];
        let uid = metadata["uid"].as_str().unwrap();
        assert_eq!(claim["status"]["phase"], "Bound", "{claim}");
        assert_eq!(claim["status"]["capacity"]["storage"], "1Gi", "{claim}");
        let name = format!("pvc-{uid}");
        let share = shares.iter().find(|share| share["name"] == *name).unwrap();
        assert_eq!(share["quota"], 1);
        assert_eq!(share["metadata"]["moorline_claim_uid"], *uid);
        assert_eq!(share["metadata"]["moorline_claim"], metadata["name"]);
        let pv = pvs
            .iter()
            .find(|pv| pv["metadata"]["name"] == claim["spec"]["volumeName"])
            .unwrap();
        let options = pv["spec"]["mountOptions"].as_array().unwrap();
        assert_eq!((options.len(), &options[6]), (7, &json!("cache=none")));
        let source = &pv["spec"]["csi"];
        assert_eq!(source["driver"], "file.csi.azure.com");
        assert_eq!(source["volumeAttributes"]["shareName"], *name, "{source}");
        assert_eq!(
            source["volumeAttributes"]["storageAccount"], account["name"],
            "{source}"
        );
        let reference = &source["nodeStageSecretRef"];
        let text = |key: &str| reference[key].as_str().unwrap().to_owned();
        let secret = &stage.get(&format!("secret -n {} {}", text("namespace"), text("name")))[0];
        assert_eq!(secret["data"].as_object().unwrap().len(), 2);
    }
}

/// As many pods run as there are replicas.
#[track_caller]
fn pods_run(stage: &Stage<Manager>, replicas: usize) {
    let pods = stage.get("pods -l app=counter-div");
    let running = pods.iter().filter(|pod| pod["status"]["phase"] == "Running").count();
    assert_eq!((pods.len(), running), (replicas, replicas));
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn the_counter_tutorial() {
    let stage = Stage::shared_with(|_, world| Manager::serve(world));
    stage.run(&format!("up {PROFILE}")).succeeds();
    all_is_joined(&stage, 1);
    pods_run(&stage, 1);
    let before = stage.versions(KINDS);
    let again = stage.run(&format!("up {PROFILE} --detailed-exitcode")).succeeds();
    assert!(again.stderr.contains("no changes"), "{}", again.stderr);
    assert_eq!(stage.versions(KINDS), before);

    for replicas in 2..=4 {
        stage
            .run(&format!("scale {PROFILE} counter-div --replicas {replicas}"))
            .succeeds();
        all_is_joined(&stage, replicas);
        pods_run(&stage, replicas);
    }
    let status = stage.run(&format!("status {PROFILE} -o json")).succeeds().json();
    assert_eq!((&status["ready"], &status["incomplete"]), (&json!(true), &json!(false)));

    stage
        .run(&format!("scale {PROFILE} counter-div --replicas 1 --yes"))
        .succeeds();
    eventually("one pod", || stage.names("pods -l app=counter-div").len() == 1);
    all_is_joined(&stage, 4);

    let down = stage.run(&format!("down {PROFILE} --yes")).succeeds();
    assert!(down.stdout.contains("0 remaining"), "{}", down.stdout);
    assert_eq!(stage.names(KINDS), ["service/kubernetes"], "all else is gone");
    accounts_with(&stage, 0);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn one_share_for_all_pods_of_a_deployment() {
    const SHARED: &str = "profiles/azure-counter-shared";
    let stage = Stage::shared_with(|_, world| Manager::serve(world));
    stage.run(&format!("up {SHARED}")).succeeds();
    assert_eq!(accounts_with(&stage, 1).len(), 1);
    let claims = stage.get("persistentvolumeclaim");
    assert_eq!((claims.len(), &claims[0]["status"]["phase"]), (1, &json!("Bound")));
    stage.run(&format!("down {SHARED} --yes")).succeeds();
    assert_eq!(stage.names(KINDS), ["service/kubernetes"], "all else is gone");
}
