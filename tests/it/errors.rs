//! No account, a wrong region, an expired token, an unreachable API server, a refused verb: one clear sentence each.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Run, Served, World};

const PROFILE: &str = "profiles/aws-nginx-stateful";

/// `moorline` with the environment that `sandbox serve` printed, as with a real cloud and cluster.
fn outside(world: &World, served: &Served, line: &str) -> Command {
    let mut command = world.moorline(line);
    command.envs(served.environment.iter().map(|(name, value)| (name, value)));
    command
}

fn run(command: &mut Command) -> Run {
    Run::of(&format!("{:?}", command.get_args()), &command.output().unwrap())
}

/// One error, one sentence, and nothing changed.
#[track_caller]
fn refused(world: &World, run: Run, code: i32, words: &[&str]) {
    let run = run.exits(code);
    assert_eq!(run.errors().len(), 1, "{}", run.stderr);
    for word in words {
        assert!(run.errors()[0].contains(word), "{word}: {}", run.stderr);
    }
    assert_eq!(
        world.audit().sum("*", "changed"),
        0,
        "{}",
        world.audit().with("changed")
    );
}

#[test]
fn the_environment_of_a_served_sandbox_is_all_it_takes() {
    let world = World::instant();
    let served = world.serve();
    run(&mut outside(&world, &served, &format!("up {PROFILE}"))).succeeds();
    run(&mut outside(&world, &served, &format!("down {PROFILE} --yes"))).succeeds();
}

#[test]
fn no_account() {
    let world = World::instant();
    let served = world.serve();
    let mut command = outside(&world, &served, &format!("up {PROFILE}"));
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env_remove("AWS_SESSION_TOKEN");
    let started = Instant::now();
    refused(&world, run(&mut command), 3, &["no AWS credentials", "AWS_PROFILE"]);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_expired_session() {
    let world = World::instant();
    let served = world.serve();
    let mut command = outside(&world, &served, &format!("up {PROFILE}"));
    // The sandbox takes keys that begin like this for those of an expired session.
    command
        .env("AWS_ACCESS_KEY_ID", "EXPIREDKEY")
        .env("AWS_SESSION_TOKEN", "token");
    refused(&world, run(&mut command), 3, &["expired", "sign in again"]);
}

#[test]
fn a_wrong_region() {
    let world = World::instant();
    let served = world.serve();
    let mut command = outside(&world, &served, &format!("up {PROFILE} --region us-mars-1"));
    let run = run(&mut command);
    assert!(matches!(run.code, Some(1 | 3)), "{}", run.stderr);
    assert_eq!(run.errors().len(), 1, "{}", run.stderr);
    assert!(run.errors()[0].contains("region"), "{}", run.stderr);
    assert_eq!(world.audit().sum("*", "changed"), 0);
}

#[test]
fn an_expired_token_of_the_cluster() {
    let world = World::instant();
    let served = world.serve();
    let kubeconfig = kubeconfig(&world, &served.api_server(), "EXPIRED");
    let mut command = outside(&world, &served, &format!("up {PROFILE}"));
    command.env("KUBECONFIG", kubeconfig);
    refused(&world, run(&mut command), 3, &["credentials"]);
}

#[test]
fn an_unreachable_api_server() {
    let world = World::instant();
    let served = world.serve();
    let mut command = outside(&world, &served, &format!("up {PROFILE}"));
    command.env("KUBECONFIG", kubeconfig(&world, "http://127.0.0.1:1", "none"));
    let started = Instant::now();
    refused(&world, run(&mut command), 3, &["127.0.0.1:1"]);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn no_kubeconfig() {
    let world = World::realistic();
    let run = world.run(&format!("up {PROFILE}")).exits(1);
    assert!(
        run.stderr.contains("KUBECONFIG") && run.stderr.contains("--sandbox"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_refused_verb() {
    for operation in ["patch statefulsets", "list persistentvolumeclaims"] {
        let world = World::instant();
        let error = json!({"error": {"status": 403, "code": "Forbidden", "message": "User \"me\" cannot do that", "retry_after": null}});
        world.fault(&json!({"service": "kubernetes", "operation": operation, "moment": "before", "effect": error}));
        let run = world.run(&format!("up {PROFILE} --sandbox")).exits(3);
        assert_eq!(run.errors().len(), 1, "{}", run.stderr);
        assert!(run.stderr.contains("grant"), "{}", run.stderr);
        assert_eq!(world.volumes(), 0);
        assert_eq!(world.audit().count("CreateVolume", "calls"), 0);
    }
}

#[test]
fn no_call_outlasts_the_run() {
    let throttled =
        json!({"error": {"status": 503, "code": "RequestLimitExceeded", "message": "slow down", "retry_after": null}});
    for (operation, effect) in [("CreateVolume", throttled), ("DescribeVolumes", json!("hang"))] {
        let world = World::instant();
        world.fault(&json!({"service": "ec2", "operation": operation, "moment": "before", "effect": effect}));
        let started = Instant::now();
        let run = world.run(&format!("up {PROFILE} --sandbox --timeout 2s"));
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        assert!(matches!(run.code, Some(3 | 6)), "{:?} {}", run.code, run.stderr);
        assert!(run.stderr.contains(operation), "{}", run.stderr);
    }
}

#[test]
fn a_deadline_says_which_volume_never_became_usable() {
    let world = World::instant();
    world.write("kms/profile.yaml", "name: kms\nprovider: {aws: {region: us-east-1}}\n");
    let manifests = "apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: encrypted}
provisioner: ebs.csi.aws.com
parameters:
  encrypted: 'true'
  kmsKeyId: arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: encrypted
  resources: {requests: {storage: 4Gi}}
";
    let folder = world.write("kms/claim.yaml", manifests);
    let run = world
        .run(&format!("up {} --sandbox --timeout 3s", folder.display()))
        .exits(6);
    assert_eq!(run.errors().len(), 1, "{}", run.stderr);
    assert!(
        run.errors()[0].contains("volume for claim default/data"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_only_explains_may_be_forbidden() {
    let world = World::instant();
    for operation in ["list events", "list pods"] {
        let error = json!({"error": {"status": 403, "code": "Forbidden", "message": "no", "retry_after": null}});
        world.fault(&json!({"service": "kubernetes", "operation": operation, "moment": "before", "effect": error}));
    }
    let up = world.run(&format!("up {PROFILE} --sandbox")).succeeds();
    assert_eq!(
        up.rows("my-volume-nginx-home-deployment-")
            .iter()
            .filter(|row| row[1] == "Bound")
            .count(),
        3
    );
    world.run(&format!("status {PROFILE} --sandbox")).exits(3);
}

#[test]
fn someone_elses_field_is_a_conflict_that_names_them() {
    let world = World::instant();
    world.run(&format!("up {PROFILE} --sandbox")).succeeds();
    let served = world.serve();
    let replicas = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "home-deployment"}, "spec": {"replicas": 4}});
    served.apply(
        "autoscaler",
        "/apis/apps/v1/namespaces/default/statefulsets/home-deployment",
        &replicas,
    );
    let conflict = world.run(&format!("up {PROFILE} --sandbox")).exits(5);
    for word in ["autoscaler", ".spec.replicas", "--force-conflicts"] {
        assert!(conflict.stderr.contains(word), "{word}: {}", conflict.stderr);
    }
    world
        .run(&format!("up {PROFILE} --sandbox --force-conflicts"))
        .succeeds();
    world
        .run(&format!("plan {PROFILE} --sandbox --detailed-exitcode"))
        .succeeds();
}

fn kubeconfig(world: &World, server: &str, token: &str) -> std::path::PathBuf {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    world.write("kube/config.json", &config.to_string()).join("config.json")
}
