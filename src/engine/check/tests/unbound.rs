//! Claims without a volume, volumes without a claim, and what nobody names.

use super::*;

/// Why claim `b`, which is not bound, is not, after a change to it.
fn unbound(change: impl FnOnce(&mut Value, &mut World)) -> Finding {
    let mut world = sound();
    let mut waiting = claim("b", "Pending");
    waiting["spec"].as_object_mut().unwrap().remove("volumeName");
    change(&mut waiting, &mut world);
    world.put_claim(waiting);
    let findings = judge(&world);
    let about = findings.iter().find(|finding| finding.problem == Problem::Unbound);
    about.unwrap_or_else(|| panic!("{findings:#?}")).clone()
}

#[test]
fn unbound_claims_say_why() {
    let why = |change: fn(&mut Value, &mut World)| unbound(change).why;
    assert!(why(|_, _| {}).contains("waits for provisioner ebs.csi.aws.com"));
    assert!(
        why(|claim, _| claim["spec"]["storageClassName"] = json!("nowhere")).contains("nowhere is not in the cluster")
    );
    assert!(why(|claim, _| claim["spec"]["storageClassName"] = Value::Null).contains("no default one"));
    let unread = |claim: &mut Value, world: &mut World| {
        claim["spec"]["storageClassName"] = Value::Null;
        world.has_default = None;
    };
    let unread = unbound(unread);
    assert!(unread.why.contains("waits to be given the default"), "{}", unread.why);
    assert_eq!(unread.severity, Severity::Warning);
    assert!(why(|claim, _| claim["spec"]["storageClassName"] = json!("")).contains("without a class"));
    assert!(
        why(|claim, _| claim["spec"]["volumeName"] = json!("pv-gone"))
            .contains("pv-gone, which it names, is not there")
    );
    assert!(why(|claim, _| claim["spec"]["volumeName"] = json!("pv-a")).contains("reserved for claim ns/a"));
    let former = why(|claim, world| {
        claim["spec"]["volumeName"] = json!("pv-b");
        let mut released = pv("b");
        released["spec"]["claimRef"]["uid"] = json!("uid-before");
        released["status"]["phase"] = json!("Released");
        world.put_pv(released);
        world.put_volume(volume("b"));
    });
    assert!(former.contains("in a former life"), "{former}");
    let restoring = unbound(|claim, _| claim["metadata"]["annotations"] = json!({tags::RESTORED_FROM: "snap-1"}));
    assert_eq!(restoring.hint.as_deref(), Some("moorline restore snap-1"));
}

#[test]
fn waiting_for_the_first_consumer_is_no_fault() {
    let late = |world: &mut World| {
        let class = class("late", "WaitForFirstConsumer");
        world.classes.as_mut().unwrap().insert("late".to_owned(), class);
    };
    let finding = unbound(|claim, world| {
        claim["spec"]["storageClassName"] = json!("late");
        late(world);
    });
    assert_eq!(finding.severity, Severity::Info);
    let finding = unbound(|claim, world| {
        claim["spec"]["storageClassName"] = json!("late");
        late(world);
        let mut waiting = pod("b");
        waiting["status"] = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]});
        world.pods.as_mut().unwrap().push(Pod::of(&object(waiting)).unwrap());
    });
    assert_eq!(finding.severity, Severity::Error);
    assert!(finding.why.contains("0/3 nodes"), "{}", finding.why);
}

#[test]
fn events_are_evidence() {
    let finding = unbound(|_, world| {
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "ns", "name": "e"},
            "involvedObject": {"kind": "PersistentVolumeClaim", "name": "b"},
            "type": "Warning", "reason": "ProvisioningFailed", "message": "no such key",
        });
        world.events.keep(&ResourceKind::event(), [Kept::of(object(event))]);
    });
    assert_eq!(finding.evidence, ["event ProvisioningFailed: no such key"]);
}

#[test]
fn claims_that_a_set_wants_are_missed_by_ordinal() {
    let mut world = sound();
    let set = json!({
        "metadata": {"namespace": "ns", "name": "web"},
        "spec": {"replicas": 2, "ordinals": {"start": 3}, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
    });
    world.sets = vec![Set::of(&object(set)).unwrap()];
    let missing: Vec<String> = judge(&world)
        .into_iter()
        .map(|finding| {
            assert_eq!(finding.problem, Problem::ClaimMissing);
            finding.what
        })
        .collect();
    assert_eq!(missing, ["claim ns/data-web-3", "claim ns/data-web-4"]);
}

#[test]
fn persistent_volumes_without_a_claim_are_told() {
    let mut world = sound();
    let mut released = pv("gone");
    released["status"]["phase"] = json!("Released");
    world.put_pv(released.clone());
    world.put_volume(volume("gone"));
    assert!(
        only(&world, Severity::Info, Problem::Released)
            .why
            .contains("ns/gone is gone")
    );
    world.volumes.seen.remove(&VolumeId("vol-gone".to_owned()));
    assert!(
        only(&world, Severity::Warning, Problem::VolumeMissing)
            .hint
            .unwrap()
            .contains("kubectl delete persistentvolume")
    );
    world.put_volume(volume("gone"));
    released["status"] = json!({"phase": "Failed", "message": "no right to delete"});
    world.put_pv(released);
    assert!(
        only(&world, Severity::Error, Problem::PersistentVolumeFailed)
            .why
            .contains("no right to delete")
    );
}

#[test]
fn a_persistent_volume_that_nobody_has_used_is_told_only_where_nothing_is_behind_it() {
    let mut world = sound();
    let mut free = pv("free");
    free["status"]["phase"] = json!("Available");
    free["spec"].as_object_mut().unwrap().remove("claimRef");
    world.put_pv(free);
    let finding = only(&world, Severity::Warning, Problem::VolumeMissing);
    assert!(finding.why.contains("no claim uses it"), "{}", finding.why);
    world.put_volume(volume("free"));
    assert_eq!(judge(&world), []);
}

#[test]
fn what_another_profile_leaves_is_not_told() {
    let mut world = sound();
    let mut released = pv("gone");
    released["status"]["phase"] = json!("Released");
    world.put_volume(volume("gone"));
    world.profile = Some("web".to_owned());
    world.put_pv(released.clone());
    only(&world, Severity::Info, Problem::Released);
    released["metadata"]["labels"]["moorline.dev/profile"] = json!("shop");
    world.put_pv(released);
    assert_eq!(judge(&world), []);
}

#[test]
fn two_pointers_to_one_disk_are_an_error() {
    let mut world = sound();
    let mut twin = pv("twin");
    twin["spec"]["csi"]["volumeHandle"] = json!("vol-a");
    twin["status"]["phase"] = json!("Available");
    world.put_pv(twin);
    assert!(
        only(&world, Severity::Error, Problem::Shared)
            .why
            .contains("pv-a and pv-twin")
    );
}

#[test]
fn volumes_of_ours_that_nothing_names_are_told() {
    let mut world = sound();
    let mut spare = volume("a");
    spare.id = VolumeId("vol-spare".to_owned());
    spare.attachments.clear();
    world.put_volume(spare);
    assert!(
        only(&world, Severity::Warning, Problem::Spare)
            .why
            .contains("was made for claim ns/a too")
    );
    let other = VolumeId("vol-spare".to_owned());
    world
        .volumes
        .seen
        .get_mut(&other)
        .unwrap()
        .tags
        .insert(tags::CLUSTER_UID.to_owned(), "other".to_owned());
    assert_eq!(judge(&world), [], "another cluster's is no business of this one");
    let mut shops = volume("a");
    shops.id = other;
    shops.attachments.clear();
    world.profile = Some("web".to_owned());
    world.put_volume(shops.clone());
    only(&world, Severity::Warning, Problem::Spare);
    shops.tags.insert(tags::PROFILE.to_owned(), "shop".to_owned());
    world.put_volume(shops);
    assert_eq!(judge(&world), [], "nor is another profile's of this one");
}

#[test]
fn pods_that_wait_are_told_with_their_claim() {
    let mut world = sound();
    let mut waiting = pod("a");
    waiting["status"] = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "message": "node(s) had volume node affinity conflict"}]});
    world.pods = Some(vec![Pod::of(&object(waiting)).unwrap()]);
    let finding = only(&world, Severity::Warning, Problem::PodWaits);
    assert!(finding.why.contains("node affinity conflict"), "{}", finding.why);
    assert_eq!(finding.claim.as_deref(), Some("ns/a"));
}
