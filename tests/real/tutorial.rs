//! The two tutorials, end to end, with the real kubectl and boto3 looking at each stage.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::clouds::Cloud;
use crate::stage::Stage;

const STATEFUL: &str = "profiles/aws-nginx-stateful";
const STATELESS: &str = "profiles/aws-nginx";
/// The kinds that the profile is made of.
const KINDS: &str = "storageclass,service,statefulset,persistentvolumeclaim,persistentvolume";

/// The claims of the set in the cluster.
fn claims(stage: &Stage) -> Vec<Value> {
    stage.get("persistentvolumeclaim -l moorline.dev/profile=aws-nginx-stateful")
}

/// Each claim is Bound to a PersistentVolume that names it, and a volume that names both; pods run where the volumes are.
#[track_caller]
fn all_is_joined(stage: &Stage, replicas: usize) {
    let volumes = stage.account.volumes("aws-nginx-stateful");
    let (claims, pvs) = (claims(stage), stage.get("persistentvolume"));
    assert_eq!((claims.len(), volumes.len()), (replicas, replicas));
    for claim in &claims {
        let metadata = &claim["metadata"];
        assert_eq!(claim["status"]["phase"], "Bound", "{claim}");
        let pv = pvs
            .iter()
            .find(|pv| pv["metadata"]["name"] == claim["spec"]["volumeName"])
            .unwrap();
        assert_eq!(pv["spec"]["claimRef"]["uid"], metadata["uid"]);
        assert_eq!(
            pv["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"],
            "ebs.csi.aws.com"
        );
        let volume = volumes
            .iter()
            .find(|volume| volume["id"] == pv["spec"]["csi"]["volumeHandle"])
            .unwrap();
        assert_eq!(
            [&volume["type"], &volume["size"], &volume["state"]],
            [&json!("gp2"), &json!(10), &json!("available")]
        );
        let tags = &volume["tags"];
        assert_eq!(tags["moorline.dev/claim-uid"], metadata["uid"]);
        assert_eq!(tags["kubernetes.io/created-for/pvc/name"], metadata["name"]);
        assert_eq!(tags["ebs.csi.aws.com/cluster"], "true");
        assert!(
            pv["spec"]["nodeAffinity"]
                .to_string()
                .contains(volume["zone"].as_str().unwrap())
        );
    }
    let zones: BTreeSet<String> = volumes.iter().map(|volume| volume["zone"].to_string()).collect();
    assert_eq!(
        zones.len(),
        3,
        "one volume in each zone, and then the next round: {zones:?}"
    );
}

/// The pods of the set run and are Ready, each in the zone of its volume.
#[track_caller]
fn pods_run(stage: &Stage, replicas: usize) {
    let pods = stage.get("pods -l app=web-nginx");
    assert_eq!(pods.len(), replicas);
    for pod in &pods {
        assert_eq!(pod["status"]["phase"], "Running", "{pod}");
        assert!(pod["spec"]["nodeName"].is_string(), "{pod}");
    }
}

/// What must be said, once, where the cloud has no API for load balancers.
#[track_caller]
fn says_what_is_lacking(cloud: Cloud, said: &str) {
    let notices = said
        .lines()
        .filter(|line| line.contains("without load balancers"))
        .count();
    assert_eq!(notices, usize::from(cloud == Cloud::LocalStack), "{said}");
}

fn tutorial(cloud: Cloud) {
    let stage = Stage::shared(cloud);
    let up = stage.run(&format!("up {STATEFUL}")).succeeds();
    says_what_is_lacking(cloud, &format!("{}{}", up.stdout, up.stderr));
    all_is_joined(&stage, 3);
    pods_run(&stage, 3);
    for row in up
        .rows("my-volume-nginx-home-deployment-")
        .iter()
        .filter(|row| row.len() > 5)
    {
        let claim = claims(&stage)
            .into_iter()
            .find(|claim| claim["metadata"]["name"] == row[0]);
        assert!(claim.is_some(), "{row:?}");
    }
    no_write_again(&stage);

    let status = stage.run(&format!("status {STATEFUL} -o json")).succeeds().json();
    assert_eq!((&status["ready"], &status["incomplete"]), (&json!(true), &json!(false)));
    says_what_is_lacking(cloud, &status["notices"].to_string().replace(',', "\n"));

    scaling(&stage);
    drift(&stage);
    if cloud == Cloud::Moto {
        balancer(&stage);
    } else {
        let lb = stage.run("lb").succeeds();
        says_what_is_lacking(cloud, &lb.stdout);
        says_what_is_lacking(cloud, &stage.run(&format!("down {STATEFUL} --yes")).succeeds().stdout);
    }
    assert_eq!(stage.names(KINDS), ["service/kubernetes"], "all else is gone");
    assert_eq!(stage.account.volumes("aws-nginx-stateful"), [Value::Null; 0]);
    let again = stage.run(&format!("down {STATEFUL} --yes")).succeeds();
    assert!(again.stdout.contains("0 gone, 0 kept, 0 remaining"), "{}", again.stdout);
}

#[track_caller]
fn no_write_again(stage: &Stage) {
    let (before, volumes) = (stage.versions(KINDS), stage.account.volumes("aws-nginx-stateful"));
    let again = stage.run(&format!("up {STATEFUL} --detailed-exitcode")).succeeds();
    assert!(again.stderr.contains("no changes"), "{}", again.stderr);
    assert_eq!(stage.versions(KINDS), before);
    assert_eq!(stage.account.volumes("aws-nginx-stateful"), volumes);
}

/// Up: volumes first. Down: claims and volumes stay, for the set wants them back.
fn scaling(stage: &Stage) {
    stage
        .run(&format!("scale {STATEFUL} home-deployment --replicas 5"))
        .succeeds();
    all_is_joined(stage, 5);
    pods_run(stage, 5);
    stage
        .run(&format!("scale {STATEFUL} home-deployment --replicas 3 --yes"))
        .succeeds();
    all_is_joined(stage, 5);
    pods_run(stage, 3);
}

/// What others change is shown, and mended where it is ours; what they made theirs is taken only when told to.
fn drift(stage: &Stage) {
    stage.kubectl("label service my-app app-");
    let plan = stage.run(&format!("plan {STATEFUL} --detailed-exitcode")).exits(4);
    assert!(
        plan.stdout.contains("service/my-app") && plan.stdout.contains("labels"),
        "{}",
        plan.stdout
    );
    stage.run(&format!("up {STATEFUL}")).succeeds();
    let service = stage.get("service my-app");
    assert_eq!(service[0]["metadata"]["labels"]["app"], "web-nginx");

    stage.kubectl("scale statefulset home-deployment --replicas=2");
    Stage::eventually("two pods", || stage.names("pods -l app=web-nginx").len() == 2);
    let refused = stage.run(&format!("up {STATEFUL} --yes")).exits(5);
    assert!(
        refused.stderr.contains("kubectl") && refused.stderr.contains(".spec.replicas"),
        "{}",
        refused.stderr
    );
    let plan = stage
        .run(&format!("plan {STATEFUL} --force-conflicts --detailed-exitcode"))
        .exits(4);
    assert!(plan.stdout.contains(".spec.replicas: 2 -> 3"), "{}", plan.stdout);
    stage.run(&format!("up {STATEFUL} --yes --force-conflicts")).succeeds();
    pods_run(stage, 3);
    all_is_joined(stage, 5);
}

/// The load balancer that a cloud controller would have made is joined with its Service, and `down` waits until it is gone.
fn balancer(stage: &Stage) {
    let service = &stage.get("service my-app")[0];
    let hostname = service["status"]["loadBalancer"]["ingress"][0]["hostname"]
        .as_str()
        .unwrap()
        .to_owned();
    stage.account.make_balancer(&hostname, "default/my-app");
    let lb = stage.run(&format!("lb {STATEFUL} -o json")).succeeds().json();
    let row = &lb["balancers"][0];
    assert_eq!(
        [&row["hostname"], &row["service"], &row["verdict"], &row["sourceRanges"]],
        [
            &json!(hostname),
            &json!("default/my-app"),
            &json!("in use"),
            &json!(["203.0.113.0/24"])
        ]
    );
    let mut down = stage.start(&format!("down {STATEFUL} --yes"));
    down.says("deleted service/my-app");
    stage.account.delete_balancer(&hostname);
    let down = down.ends().succeeds();
    assert!(down.stdout.contains("load balancer a"), "{}", down.stdout);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn the_stateful_tutorial_on_moto() {
    tutorial(Cloud::Moto);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn the_stateful_tutorial_on_localstack() {
    tutorial(Cloud::LocalStack);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn the_stateless_tutorial() {
    for cloud in [Cloud::Moto, Cloud::LocalStack] {
        let stage = Stage::shared(cloud);
        let up = stage.run(&format!("up {STATELESS}")).succeeds();
        assert!(up.stdout.contains(".elb.amazonaws.com"), "{}", up.stdout);
        assert_eq!(stage.get("deployment web-nginx")[0]["status"]["readyReplicas"], 3);
        let before = stage.versions("deployment,service");
        stage.run(&format!("up {STATELESS} --detailed-exitcode")).succeeds();
        assert_eq!(stage.versions("deployment,service"), before);
        stage.run(&format!("down {STATELESS} --yes")).succeeds();
        Stage::eventually("pods gone", || stage.names("pods -l app=web-nginx").is_empty());
        assert_eq!(stage.names("deployment,service"), ["service/kubernetes"]);
    }
}
