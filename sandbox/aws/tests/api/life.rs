//! The life of a volume: creating, available, in use, deleting, gone; seen at once or late.

use moorline_sandbox_aws::{AwsCloud, AwsSettings, NewVolume, VolumeState};
use moorline_sandbox_core::{Journal, World};

use crate::client::Client;

fn slow() -> AwsSettings {
    AwsSettings {
        throttle: false,
        creation_millis: 10_000,
        visibility_lag_millis: 4_000,
        deletion_millis: 4_000,
        snapshot_millis: 10_000,
        ..AwsSettings::default()
    }
}

#[tokio::test]
async fn a_volume_is_seen_late_then_creating_then_available() {
    let client = Client::new(slow());
    let created = client
        .ec2("CreateVolume", &[("AvailabilityZone", "us-east-1a"), ("Size", "10")])
        .await
        .ok();
    assert_eq!(created.text("status"), "creating");
    let id = created.text("volumeId");
    let state = async || client.ec2("DescribeVolumes", &[("VolumeId.1", &id)]).await;

    assert_eq!(state().await.code(), "InvalidVolume.NotFound");
    assert_eq!(
        client.ec2("DeleteVolume", &[("VolumeId", &id)]).await.code(),
        "IncorrectState"
    );
    client.pass(5);
    assert_eq!(state().await.ok().text("status"), "creating");
    client.pass(6);
    assert_eq!(state().await.ok().text("status"), "available");
}

#[tokio::test]
async fn a_deleted_volume_lingers_and_is_gone() {
    let client = Client::new(slow());
    let id = client.volume(&[]).await;
    client.pass(20);
    client.ec2("DeleteVolume", &[("VolumeId", &id)]).await.ok();
    assert_eq!(
        client.ec2("DeleteVolume", &[("VolumeId", &id)]).await.code(),
        "InvalidVolume.NotFound"
    );

    let state = async || client.ec2("DescribeVolumes", &[("VolumeId.1", &id)]).await;
    assert_eq!(
        state().await.ok().text("status"),
        "available",
        "the deletion is not visible yet"
    );
    client.pass(5);
    assert_eq!(state().await.ok().text("status"), "deleting");
    client.pass(5);
    assert_eq!(state().await.code(), "InvalidVolume.NotFound");
    assert_eq!(client.cloud.volumes(), []);
}

#[tokio::test]
async fn tags_are_seen_late_too() {
    let client = Client::new(slow());
    let id = client.volume(&[]).await;
    client.pass(20);
    client
        .ec2(
            "CreateTags",
            &[("ResourceId.1", &id), ("Tag.1.Key", "a"), ("Tag.1.Value", "<&>")],
        )
        .await
        .ok();
    let tags = async || {
        client
            .ec2("DescribeVolumes", &[("VolumeId.1", &id)])
            .await
            .ok()
            .texts("value")
    };
    assert!(tags().await.is_empty());
    client.pass(5);
    assert_eq!(tags().await, ["&lt;&amp;&gt;"]);

    client
        .ec2(
            "DeleteTags",
            &[("ResourceId.1", &id), ("Tag.1.Key", "a"), ("Tag.1.Value", "other")],
        )
        .await
        .ok();
    client.pass(5);
    assert_eq!(tags().await.len(), 1, "a tag with another value stays");
    client
        .ec2("DeleteTags", &[("ResourceId.1", &id), ("Tag.1.Key", "a")])
        .await
        .ok();
    client.pass(5);
    assert!(tags().await.is_empty());
}

#[tokio::test]
async fn an_attached_volume_cannot_be_deleted_or_attached_again() {
    let client = Client::instant();
    let machines = client.cloud.instances();
    let id = client.volume(&[]).await;
    let attach = async |instance: &str| {
        client
            .ec2(
                "AttachVolume",
                &[("VolumeId", &id), ("InstanceId", instance), ("Device", "/dev/xvdba")],
            )
            .await
    };
    assert_eq!(attach("i-0123456789abcdef0").await.code(), "InvalidInstanceID.NotFound");
    assert_eq!(attach(&machines[1].id).await.code(), "InvalidVolume.ZoneMismatch");
    attach(&machines[0].id).await.ok();
    assert_eq!(attach(&machines[0].id).await.code(), "VolumeInUse");
    assert_eq!(
        client.ec2("DeleteVolume", &[("VolumeId", &id)]).await.code(),
        "VolumeInUse"
    );

    let seen = client
        .ec2(
            "DescribeVolumes",
            &[("Filter.1.Name", "status"), ("Filter.1.Value.1", "in-use")],
        )
        .await
        .ok();
    assert_eq!(
        (seen.text("instanceId"), seen.text("device")),
        (machines[0].id.clone(), "/dev/xvdba".to_owned())
    );
    client.ec2("DetachVolume", &[("VolumeId", &id)]).await.ok();
    assert_eq!(
        client.ec2("DetachVolume", &[("VolumeId", &id)]).await.code(),
        "IncorrectState"
    );
    client.ec2("DeleteVolume", &[("VolumeId", &id)]).await.ok();
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_does_nothing() {
    let client = Client::instant();
    let zone = ("AvailabilityZone", "us-east-1a");
    let dry = client
        .ec2("CreateVolume", &[zone, ("Size", "1"), ("DryRun", "true")])
        .await;
    assert_eq!((dry.status, dry.code()), (412, "DryRunOperation".to_owned()));
    let wrong = client
        .ec2("CreateVolume", &[zone, ("Size", "0"), ("DryRun", "true")])
        .await;
    assert_eq!(wrong.code(), "InvalidParameterValue");
    assert_eq!(
        client.ec2("DescribeVolumes", &[("DryRun", "true")]).await.code(),
        "DryRunOperation"
    );
    assert_eq!(client.cloud.volumes(), []);
    let row = client.audit("CreateVolume");
    assert_eq!((row.calls, row.mutating, row.changed, row.failed), (2, 0, 0, 1));
}

#[tokio::test]
async fn a_modified_volume_has_its_new_shape_and_must_rest() {
    let client = Client::new(slow());
    let id = client.volume(&[]).await;
    client.pass(20);
    let modify = async |name: &str, value: &str| client.ec2("ModifyVolume", &[("VolumeId", &id), (name, value)]).await;
    assert_eq!(modify("Size", "9").await.code(), "InvalidParameterValue");
    let answer = modify("VolumeType", "gp3").await.ok();
    assert_eq!(
        (answer.text("targetIops"), answer.text("originalVolumeType")),
        ("3000".to_owned(), "gp2".to_owned())
    );
    assert_eq!(modify("Size", "20").await.code(), "IncorrectModificationState");
    client.pass(30);
    assert_eq!(modify("Size", "20").await.code(), "VolumeModificationRateExceeded");
    client.pass(6 * 3600);
    modify("Size", "20").await.ok();
    client.pass(30);
    let states = client
        .ec2("DescribeVolumesModifications", &[("VolumeId.1", &id)])
        .await
        .ok();
    assert_eq!(states.text("modificationState"), "completed");
}

#[tokio::test]
async fn a_volume_from_a_snapshot_is_at_least_as_large_and_as_secret() {
    let client = Client::new(slow());
    let id = client.volume(&[("Encrypted", "true")]).await;
    client.pass(20);
    let snapshot = client
        .ec2("CreateSnapshot", &[("VolumeId", &id)])
        .await
        .ok()
        .text("snapshotId");
    let create = async |size: &[(&str, &str)]| {
        let fixed = [("AvailabilityZone", "us-east-1b"), ("SnapshotId", snapshot.as_str())];
        client.ec2("CreateVolume", &[&fixed, size].concat()).await
    };
    assert_eq!(create(&[]).await.code(), "IncorrectState", "the snapshot is pending");
    client.pass(5);
    let of_id = [("SnapshotId.1", snapshot.as_str())];
    let under_way = client.ec2("DescribeSnapshots", &of_id).await.ok();
    let progress: u8 = under_way.text("progress").trim_end_matches('%').parse().unwrap();
    assert!((50..100).contains(&progress), "{progress}");
    client.pass(20);
    assert_eq!(create(&[("Size", "9")]).await.code(), "InvalidParameterValue");
    let copy = create(&[]).await.ok();
    assert_eq!(
        (copy.text("size"), copy.text("encrypted")),
        ("10".to_owned(), "true".to_owned())
    );

    client.ec2("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await.ok();
    client.pass(5);
    let gone = client.ec2("DescribeSnapshots", &[("SnapshotId.1", &snapshot)]).await;
    assert_eq!(gone.code(), "InvalidSnapshot.NotFound");
}

#[tokio::test]
async fn the_account_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let world = World::new(Journal::open(folder.path()).unwrap()).unwrap();
        AwsCloud::open(world, AwsSettings::instant()).unwrap()
    };
    let new = |token: &str| NewVolume {
        zone: "us-east-1a".to_owned(),
        size_gib: 1,
        client_token: Some(token.to_owned()),
        ..NewVolume::default()
    };
    let cloud = open();
    let kept = cloud.create_volume(new("kept")).unwrap();
    let deleted = cloud.create_volume(new("deleted")).unwrap();
    cloud.delete_volume(&deleted.id).unwrap();
    let attached = cloud.attach(&kept.id, "i-0123456789abcdef0", "/dev/xvdba").unwrap();
    assert_eq!(attached.state, VolumeState::InUse);
    drop(cloud);

    let cloud = open();
    assert_eq!(cloud.volumes(), [attached]);
    assert_eq!(cloud.create_volume(new("kept")).unwrap().id, kept.id);
    let error = cloud.create_volume(new("deleted")).unwrap_err();
    assert_eq!(error.code, "IdempotentParameterMismatch");

    cloud.clear().unwrap();
    drop(cloud);
    let cloud = open();
    assert_eq!(cloud.volumes(), []);
    cloud.create_volume(new("deleted")).unwrap();
}

#[tokio::test]
async fn changes_are_announced() {
    let client = Client::instant();
    let mut changes = client.cloud.subscribe();
    changes.mark_unchanged();
    client.ec2("DescribeVolumes", &[]).await.ok();
    assert!(!changes.has_changed().unwrap());
    client.volume(&[]).await;
    assert!(changes.has_changed().unwrap());
}
