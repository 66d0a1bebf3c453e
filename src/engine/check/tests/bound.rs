//! What is wrong with volumes that are bound.

use super::*;

#[test]
fn what_is_as_it_should_be_is_not_told() {
    assert_eq!(judge(&sound()), []);
}

#[test]
fn a_volume_that_the_cloud_does_not_have_is_missing_only_where_it_answered() {
    let mut world = sound();
    world.volumes.seen.clear();
    let finding = only(&world, Severity::Error, Problem::VolumeMissing);
    assert_eq!(finding.claim.as_deref(), Some("ns/a"));
    assert!(finding.hint.unwrap().contains("moorline restore vol-a"));
    world.volumes.named_complete = false;
    assert_eq!(judge(&world), [], "nobody knows");
    assert_eq!(crate::check::behind::unknown(&world).len(), 1);
    world.put_volume(volume("a"));
    assert_eq!(crate::check::behind::unknown(&world), [], "it was read all the same");
}

#[test]
fn a_volume_that_failed_or_is_being_deleted_is_told() {
    let mut world = sound();
    for (state, why) in [
        (VolumeState::Error, "volume vol-a failed in the cloud"),
        (VolumeState::Deleting, "volume vol-a is deleting in the cloud"),
        (VolumeState::Deleted, "volume vol-a is deleted in the cloud"),
    ] {
        world.the_volume().state = state;
        assert_eq!(only(&world, Severity::Error, Problem::VolumeFailed).why, why);
    }
}

#[test]
fn a_bound_claim_that_is_being_deleted_names_its_users() {
    let mut world = sound();
    let mut leaving = claim("a", "Bound");
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    world.put_claim(leaving);
    let finding = only(&world, Severity::Warning, Problem::Unbound);
    assert_eq!(finding.evidence, ["pod ns/p uses it"]);
}

#[test]
fn sizes_are_held_against_what_kubernetes_believes() {
    let mut world = sound();
    world.the_volume().spec.size_gib = 8;
    assert!(
        only(&world, Severity::Error, Problem::WrongSize)
            .why
            .contains("has 8 GiB")
    );
    world.the_volume().spec.size_gib = 12;
    assert!(
        only(&world, Severity::Warning, Problem::WrongSize)
            .hint
            .unwrap()
            .contains("12Gi")
    );
    world.the_volume().spec.size_gib = 10;
    let mut larger = claim("a", "Bound");
    larger["spec"]["resources"]["requests"]["storage"] = json!("20Gi");
    world.put_claim(larger);
    assert!(
        only(&world, Severity::Warning, Problem::WrongSize)
            .why
            .contains("did not finish")
    );
    let mut unsized_one = pv("a");
    unsized_one["spec"]["capacity"] = json!({});
    world.put_pv(unsized_one);
    assert_eq!(judge(&world), [], "it does not say its size");
}

#[test]
fn types_are_held_against_the_class_unless_they_were_changed_on_purpose() {
    let mut world = sound();
    if let VolumeConfig::Ebs { volume_type, .. } = &mut world.the_volume().spec.config {
        "gp2".clone_into(volume_type);
    }
    let finding = only(&world, Severity::Warning, Problem::WrongType);
    assert!(finding.why.contains("type gp2, not gp3"), "{}", finding.why);
    let mut modified = claim("a", "Bound");
    modified["status"]["currentVolumeAttributesClassName"] = json!("cheap");
    world.put_claim(modified);
    assert_eq!(judge(&world), []);
}

#[test]
fn zones_are_held_against_the_persistent_volume() {
    let mut world = sound();
    world.the_volume().spec.zone = Some("us-east-1b".to_owned());
    assert!(
        only(&world, Severity::Error, Problem::WrongZone)
            .why
            .contains("us-east-1b")
    );
}

#[test]
fn a_running_pod_has_its_disk_attached_to_its_own_machine() {
    let mut world = sound();
    world.the_volume().attachments = vec![at("i-0b")];
    assert!(
        only(&world, Severity::Error, Problem::AttachedElsewhere)
            .why
            .contains("i-0b")
    );
    world.the_volume().attachments.clear();
    world.the_volume().state = VolumeState::Available;
    assert!(
        only(&world, Severity::Error, Problem::Detached)
            .hint
            .unwrap()
            .contains("kubectl delete pod p")
    );
    world.pods = None;
    assert_eq!(judge(&world), [], "whether a pod runs is not known");
}

#[test]
fn what_kubernetes_says_of_a_detached_disk_is_evidence() {
    let mut world = sound();
    world.the_volume().attachments.clear();
    world.the_volume().state = VolumeState::Available;
    let evidence = |world: &World| only(world, Severity::Error, Problem::Detached).evidence;
    assert_eq!(evidence(&world), ["no VolumeAttachment is there for it"]);
    for (attached, is) in [(true, "attached"), (false, "to be attached")] {
        let attachment = json!({
            "spec": {"nodeName": "n", "source": {"persistentVolumeName": "pv-a"}}, "status": {"attached": attached},
        });
        world.attachments = Some(vec![Attached::of(&object(attachment)).unwrap()]);
        let said = format!("a VolumeAttachment says that it is {is} to node n");
        assert_eq!(evidence(&world), [said]);
    }
    world.attachments = None;
    assert_eq!(evidence(&world), [""; 0], "VolumeAttachments could not be read");
}

#[test]
fn a_pod_that_does_not_run_says_nothing_of_its_disk() {
    let mut world = sound();
    world.the_volume().attachments.clear();
    world.the_volume().state = VolumeState::Available;
    let mut starting = pod("a");
    starting["status"]["phase"] = json!("Pending");
    world.pods = Some(vec![Pod::of(&object(starting)).unwrap()]);
    assert_eq!(judge(&world), []);
}

#[test]
fn what_kubernetes_takes_for_attached_is_looked_for_in_the_cloud() {
    let mut world = sound();
    world.pods = Some(Vec::new());
    let attachment = |status: Value| {
        let source = json!({"persistentVolumeName": "pv-a"});
        Attached::of(&object(
            json!({"spec": {"nodeName": "n", "source": source}, "status": status}),
        ))
        .unwrap()
    };
    world.attachments = Some(vec![attachment(json!({"attached": true}))]);
    assert_eq!(judge(&world), []);
    world.the_volume().attachments.clear();
    assert_eq!(
        judge(&world),
        [],
        "the cloud does not say yet where, and that it is in use"
    );
    world.the_volume().state = VolumeState::Available;
    only(&world, Severity::Error, Problem::Detached);
    let error = json!({"attached": false, "attachError": {"message": "volume is in another zone"}});
    world.attachments = Some(vec![attachment(error)]);
    assert!(
        only(&world, Severity::Error, Problem::AttachFailing)
            .why
            .contains("another zone")
    );
    world.attachments = Some(Vec::new());
    assert_eq!(judge(&world), [], "nobody uses it, and it is nowhere");
    world.the_volume().attachments = vec![at("i-0a")];
    only(&world, Severity::Warning, Problem::AttachedUnused);
}

#[test]
fn a_mark_of_garbage_collection_does_not_go_with_use() {
    let mut world = sound();
    world
        .the_volume()
        .tags
        .insert(tags::UNUSED.to_owned(), "since".to_owned());
    let hint = |world: &World| only(world, Severity::Warning, Problem::Marked).hint.unwrap();
    let told = hint(&world);
    assert!(
        told.contains("takes it off; at once: moorline gc unmark vol-a"),
        "{told}"
    );

    // Runs do not see the marks of what is listed without them.
    let disk = std::mem::replace(
        &mut world.the_volume().spec.config,
        VolumeConfig::AzureBlob(AzureContainer::default()),
    );
    let told = hint(&world);
    assert!(told.contains("gc unmark vol-a") && !told.contains("--apply"), "{told}");

    world.the_volume().spec.config = disk;
    world.pods = Some(Vec::new());
    world.the_volume().attachments.clear();
    assert_eq!(judge(&world), []);
}

#[test]
fn tags_name_this_cluster_this_claim_and_this_life_of_it() {
    let says = |key: &str, value: &str| {
        let mut world = sound();
        world.the_volume().tags.insert(key.to_owned(), value.to_owned());
        only(&world, Severity::Warning, Problem::WrongTags).why
    };
    assert!(says(tags::CLUSTER_UID, "other").contains("cluster other"));
    assert!(says(tags::CLAIM, "b").contains("claim ns/b"));
    assert!(says(tags::CLAIM_UID, "uid-before").contains("a former life"));
    let mut world = sound();
    world.the_volume().tags = Tags::new();
    assert!(
        only(&world, Severity::Warning, Problem::WrongTags)
            .why
            .contains("whose it is")
    );
    let mut drivers = pv("a");
    drivers["metadata"]["labels"] = json!({});
    world.put_pv(drivers);
    assert_eq!(judge(&world), [], "a driver's volume need not bear our tags");
    world.put_pv(pv("a"));
    world.the_volume().spec.config = VolumeConfig::AzureBlob(AzureContainer::default());
    assert_eq!(judge(&world), [], "containers are listed without all that they bear");
}

#[test]
fn lost_claims_say_where_their_data_are() {
    let mut world = sound();
    world.pods = Some(Vec::new());
    world.persistent_volumes = Some(BTreeMap::new());
    world.put_claim(claim("a", "Lost"));
    world.the_volume().attachments.clear();
    let findings = judge(&world);
    let lost = findings
        .iter()
        .find(|finding| finding.problem == Problem::Lost)
        .unwrap();
    assert_eq!(lost.volume.as_deref(), Some("vol-a"));
    assert!(lost.evidence[0].contains("vol-a was made for it"), "{lost:?}");
}

#[test]
fn a_bound_claim_and_its_persistent_volume_point_to_each_other() {
    let mut world = sound();
    let mut other = pv("a");
    other["spec"]["claimRef"]["uid"] = json!("uid-before");
    world.put_pv(other);
    assert!(
        only(&world, Severity::Error, Problem::PersistentVolumeMissing)
            .why
            .contains("another life")
    );
    world.persistent_volumes = None;
    assert_eq!(judge(&world), [], "PersistentVolumes could not be read");
    assert_eq!(crate::check::behind::unknown(&world).len(), 1);
}
