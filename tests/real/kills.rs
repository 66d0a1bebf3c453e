//! Each real part is killed in the middle of an `up`: one clear error, and when the part is back `up` goes on to the end,
//! with no volume made twice and none left behind.

use std::collections::BTreeSet;
use std::path::Path;

use moorline_parts::{Component, Emulator, Error, Programs};
use serde_json::Value;

use crate::own::Turn;
use crate::stage::{Stage, parts};
use crate::support::{Run, profile, set};

/// Replicas of the sets: enough that a kill meets work under way.
const REPLICAS: u32 = 12;

fn written(stage: &Stage, name: &str) -> String {
    let header = format!("{}onDown: delete\n", profile(name));
    stage.world.write(&format!("{name}/profile.yaml"), &header);
    let folder = stage.world.write(&format!("{name}/set.yaml"), &set(name, REPLICAS));
    folder.display().to_string()
}

/// One clear error that names what is to blame, and exit code 3.
#[track_caller]
fn fails_clearly(up: Run, blamed: &str) {
    let up = up.exits(3);
    let errors = up.errors();
    assert_eq!(errors.len(), 1, "{}", up.stderr);
    assert!(errors[0].contains(blamed), "{}", errors[0]);
    assert!(!up.stderr.contains("panicked"), "{}", up.stderr);
}

/// Every claim is Bound, and has one volume of its own.
#[track_caller]
fn nothing_is_there_twice(stage: &Stage, name: &str) {
    let claims = stage.get(&format!("pvc -l moorline.dev/profile={name}"));
    let bound = claims.iter().filter(|claim| claim["status"]["phase"] == "Bound");
    assert_eq!(bound.count(), REPLICAS as usize, "{claims:?}");
    let uid = |claim: &Value| claim["metadata"]["uid"].as_str().unwrap().to_owned();
    let volumes = stage.account.volumes(name);
    let made_for = |volume: &Value| volume["tags"]["moorline.dev/claim-uid"].as_str().unwrap().to_owned();
    assert_eq!(volumes.len(), REPLICAS as usize, "{volumes:?}");
    assert_eq!(
        volumes.iter().map(made_for).collect::<BTreeSet<_>>(),
        claims.iter().map(uid).collect()
    );
}

#[track_caller]
fn goes_without_a_trace(stage: &Stage, name: &str, folder: &str) {
    stage.run(&format!("down {folder} --yes")).succeeds();
    assert_eq!(stage.account.volumes(name), [Value::Null; 0]);
    let left = stage.names(&format!("pvc,pv,statefulset -l moorline.dev/profile={name}"));
    assert_eq!(left, [""; 0]);
}

/// Kills a component when `up` says something, and starts it again when `up` has ended.
fn killed(which: usize, component: Component, moment: &str, blamed: &str) {
    let mut turn = Turn::of(which);
    let stage = turn.stage();
    let name = format!("killed-{component:?}").to_lowercase();
    let folder = written(&stage, &name);
    let mut up = stage.start(&format!("up {folder} --timeout 20s"));
    up.says(moment);
    turn.kill(component);
    fails_clearly(up.ends(), blamed);
    turn.restart(component);
    stage.run(&format!("up {folder}")).succeeds();
    nothing_is_there_twice(&stage, &name);
    goes_without_a_trace(&stage, &name, &folder);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn etcd_is_killed() {
    killed(0, Component::Etcd, "created persistentvolume/", "API server");
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn the_api_server_is_killed() {
    killed(0, Component::ApiServer, "created persistentvolume/", "API server");
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn the_controller_manager_is_killed() {
    let blamed = "kube-controller-manager gives no sign of life";
    killed(
        1,
        Component::ControllerManager,
        "created persistentvolumeclaim/",
        blamed,
    );
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn the_scheduler_is_killed() {
    let blamed = "kube-scheduler gives no sign of life";
    killed(1, Component::Scheduler, "created persistentvolumeclaim/", blamed);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn kwok_is_killed() {
    killed(
        1,
        Component::Kwok,
        "created persistentvolumeclaim/",
        "kubelets give no sign of life",
    );
}

/// Where everything is applied and `up` only waits, a watch that hears nothing must not be taken for peace.
#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn what_dies_while_up_waits_is_noticed() {
    let mut turn = Turn::of(0);
    let stage = turn.stage();
    let name = "waits";
    let folder = written(&stage, name);
    let waits_for_ever = set(name, REPLICAS).replace(
        "      containers:",
        "      nodeSelector: {nowhere: here}\n      containers:",
    );
    stage.world.write(&format!("{name}/set.yaml"), &waits_for_ever);
    stage.kubectl("label node node-a nowhere=here");
    for component in [Component::Etcd, Component::ApiServer] {
        stage.kubectl("cordon node-a");
        let mut up = stage.start(&format!("up {folder} --timeout 25s"));
        up.says("unschedulable");
        turn.kill(component);
        fails_clearly(up.ends(), "API server");
        turn.restart(component);
        stage.kubectl("uncordon node-a");
        stage.run(&format!("up {folder}")).succeeds();
        nothing_is_there_twice(&stage, name);
        goes_without_a_trace(&stage, name, &folder);
    }
    stage.kubectl("label node node-a nowhere-");
}

/// How an emulator is started.
type Start = fn(&Programs, &Path) -> Result<Emulator, Error>;

/// An emulator forgets everything when it dies. What `up` began without having a PersistentVolume is simply made anew; a
/// PersistentVolume that names a volume which is gone is told, and left to a person: `down`, then `up`.
fn the_cloud_is_killed(which: usize, name: &str, start: Option<Start>) {
    let mut turn = Turn::of(which);
    let folder = tempfile::tempdir().unwrap();
    let mut other =
        start.map(|start| start(&parts().programs, folder.path()).unwrap_or_else(|error| panic!("{error}")));
    let own = turn.own();
    let cloud = other.as_mut().unwrap_or(&mut own.cloud);
    let stage = Stage::new(&parts(), own.plane.kubeconfig(), cloud.url());
    let folder = written(&stage, name);
    let mut up = stage.start(&format!("up {folder} --timeout 20s"));
    up.says("created volume/");
    cloud.kill().unwrap();
    fails_clearly(up.ends(), "ec2:");
    cloud.restart().unwrap();
    let again = stage.run(&format!("up {folder}"));
    if again.code == Some(1) {
        assert!(
            again.stderr.contains("is not in this account and region"),
            "{}",
            again.stderr
        );
        goes_without_a_trace(&stage, name, &folder);
        stage.run(&format!("up {folder}")).succeeds();
    } else {
        again.succeeds();
    }
    nothing_is_there_twice(&stage, name);
    goes_without_a_trace(&stage, name, &folder);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn moto_is_killed() {
    the_cloud_is_killed(0, "killed-moto", None);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn localstack_is_killed() {
    the_cloud_is_killed(1, "killed-localstack", Some(Emulator::localstack));
}
