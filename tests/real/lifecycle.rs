//! Both binding modes under each thing that `down` can do with volumes, and volumes that vanish behind moorline's back.

use serde_json::Value;

use crate::clouds::Cloud;
use crate::stage::Stage;
use crate::support::{profile, set};

/// Writes a profile of a set with two replicas.
fn written(stage: &Stage, name: &str, on_down: &str, mode: &str) -> String {
    let manifest = set(name, 2).replace(
        "parameters: {type: gp3}",
        &format!("parameters: {{type: gp3}}\nvolumeBindingMode: {mode}"),
    );
    stage.world.write(
        &format!("{name}/profile.yaml"),
        &format!("{}onDown: {on_down}\n", profile(name)),
    );
    stage
        .world
        .write(&format!("{name}/set.yaml"), &manifest)
        .display()
        .to_string()
}

/// Claims and PersistentVolumes of a profile.
fn left(stage: &Stage, name: &str) -> Vec<String> {
    let mut left = stage.names(&format!("statefulset,service,pvc -l moorline.dev/profile={name}"));
    left.extend(stage.names(&format!("pv -l moorline.dev/profile={name}")));
    left
}

fn both_modes(cloud: Cloud, on_down: &str, volumes_left: usize, snapshots: usize) {
    for (mode, suffix) in [("Immediate", "i"), ("WaitForFirstConsumer", "w")] {
        let stage = Stage::shared(cloud);
        let name = format!("life-{}-{suffix}", on_down.replace("reclaim-", ""));
        let folder = written(&stage, &name, on_down, mode);
        stage.run(&format!("up {folder}")).succeeds();
        let claims = stage.get(&format!("pvc -l moorline.dev/profile={name}"));
        let bound = claims.iter().filter(|claim| claim["status"]["phase"] == "Bound");
        assert_eq!(bound.count(), 2, "{mode}: {claims:?}");
        let events = stage.kubectl("get events -o json");
        assert!(!events.contains("ProvisioningFailed"), "no provisioner was asked");
        stage.run(&format!("up {folder} --detailed-exitcode")).succeeds();
        stage.run(&format!("down {folder} --yes")).succeeds();
        let kept = if volumes_left > 0 { 2 } else { 0 };
        assert_eq!(left(&stage, &name).len(), kept, "{mode}: {:?}", left(&stage, &name));
        let volumes = stage.account.volumes(&name);
        assert_eq!(volumes.len(), volumes_left, "{mode}: {volumes:?}");
        assert_eq!(stage.account.snapshots(&name).len(), snapshots, "{mode}");
        clear(&stage, &name, &volumes);
    }
}

/// Removes what was kept on purpose.
fn clear(stage: &Stage, name: &str, volumes: &[Value]) {
    stage.kubectl(&format!("delete pv -l moorline.dev/profile={name}"));
    for volume in volumes {
        stage.account.delete_volume(volume["id"].as_str().unwrap());
    }
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn volumes_are_deleted_in_both_binding_modes() {
    both_modes(Cloud::Moto, "delete", 0, 0);
    both_modes(Cloud::LocalStack, "reclaim-policy", 0, 0);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn volumes_are_kept_in_both_binding_modes() {
    both_modes(Cloud::Moto, "keep", 2, 0);
    both_modes(Cloud::LocalStack, "keep", 2, 0);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn volumes_are_snapshotted_and_deleted_in_both_binding_modes() {
    both_modes(Cloud::Moto, "snapshot", 0, 2);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn a_volume_that_vanished_is_told_and_nothing_is_made_or_deleted() {
    let stage = Stage::shared(Cloud::Moto);
    let folder = written(&stage, "vanished", "delete", "Immediate");
    stage.run(&format!("up {folder}")).succeeds();
    let volumes = stage.account.volumes("vanished");
    stage.account.delete_volume(volumes[0]["id"].as_str().unwrap());
    let before = stage.versions("pvc,pv,statefulset");
    let up = stage.run(&format!("up {folder}")).exits(1);
    let errors = up.errors();
    assert_eq!(errors.len(), 1, "{}", up.stderr);
    assert!(errors[0].contains(volumes[0]["id"].as_str().unwrap()), "{}", errors[0]);
    assert_eq!(stage.versions("pvc,pv,statefulset"), before);
    assert_eq!(stage.account.volumes("vanished"), volumes[1..]);
    let status = stage.run(&format!("status {folder}")).succeeds();
    assert!(
        status.stdout.contains("is not in this account and region"),
        "{}",
        status.stdout
    );
    // What the profile lost it can do without: all of it goes, and comes anew.
    stage.run(&format!("down {folder} --yes")).succeeds();
    assert_eq!(left(&stage, "vanished"), [""; 0]);
    stage.run(&format!("up {folder}")).succeeds();
    stage.run(&format!("down {folder} --yes")).succeeds();
    assert_eq!(stage.account.volumes("vanished"), [Value::Null; 0]);
}

/// The emulators ignore client tokens: what keeps a rerun from making volumes twice is that it looks by tag first.
fn killed_moorline(cloud: Cloud, name: &str) {
    let stage = Stage::shared(cloud);
    let folder = written(&stage, name, "delete", "Immediate");
    let manifest = set(name, 8);
    stage.world.write(&format!("{name}/set.yaml"), &manifest);
    let mut up = stage.start(&format!("up {folder}"));
    up.says("created volume/");
    up.kill();
    let made = stage.account.volumes(name);
    stage.run(&format!("up {folder}")).succeeds();
    let volumes = stage.account.volumes(name);
    let claims = stage.get(&format!("pvc -l moorline.dev/profile={name}"));
    let uids = |values: &[Value], path: &str| -> std::collections::BTreeSet<String> {
        values
            .iter()
            .map(|value| value.pointer(path).unwrap().as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!((claims.len(), volumes.len()), (8, 8), "made before the kill: {made:?}");
    assert_eq!(
        uids(&volumes, "/tags/moorline.dev~1claim-uid"),
        uids(&claims, "/metadata/uid")
    );
    // And should one have been made twice all the same, both go.
    stage.account.copy_volume(volumes[0]["id"].as_str().unwrap());
    let down = stage.run(&format!("down {folder} --yes")).succeeds();
    assert!(down.stderr.contains("made for it too"), "{}", down.stderr);
    assert_eq!(stage.account.volumes(name), [Value::Null; 0]);
    assert_eq!(left(&stage, name), [""; 0]);
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn a_killed_moorline_makes_no_volume_twice() {
    killed_moorline(Cloud::Moto, "killed-m");
    killed_moorline(Cloud::LocalStack, "killed-l");
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn volumes_that_were_kept_are_named_when_the_profile_comes_again() {
    let stage = Stage::shared(Cloud::Moto);
    let name = "again";
    let folder = written(&stage, name, "keep", "Immediate");
    stage.run(&format!("up {folder}")).succeeds();
    stage.run(&format!("down {folder} --yes")).succeeds();
    let kept = stage.account.volumes(name);
    stage.kubectl(&format!("delete pv -l moorline.dev/profile={name}"));
    // Kept volumes are named, not used, when the profile comes again.
    let up = stage.run(&format!("up {folder}")).succeeds();
    assert!(up.stderr.contains("were kept and are not used"), "{}", up.stderr);
    assert_eq!(stage.account.volumes(name).len(), 2 * kept.len());
    stage.run(&format!("down {folder} --yes")).succeeds();
    clear(&stage, name, &stage.account.volumes(name));
}
