use moorline_api::{ErrorKind, Tags, VolumeId, Volumes};

use crate::server::{Answer, Server, ec2, refusal, volumes_page};

fn page(snapshots: &[(&str, &str)]) -> Answer {
    let items = snapshots
        .iter()
        .map(|(id, state)| {
            format!("<item><snapshotId>{id}</snapshotId><volumeId>vol-1</volumeId><status>{state}</status></item>")
        })
        .collect::<Vec<_>>()
        .concat();
    ec2("DescribeSnapshots", &format!("<snapshotSet>{items}</snapshotSet>"))
}

fn created(state: &str) -> Answer {
    ec2(
        "CreateSnapshot",
        &format!("<snapshotId>snap-1</snapshotId><volumeId>vol-1</volumeId><status>{state}</status>"),
    )
}

async fn take(server: &Server) -> moorline_api::Result<moorline_api::Snapshot> {
    let tags = Tags::from([("k".to_owned(), "v".to_owned())]);
    server
        .provider()
        .snapshot(&VolumeId("vol-1".to_owned()), "before-down", &tags)
        .await
}

#[tokio::test]
async fn takes_one_and_waits_for_it() {
    let server = Server::start(|params, before| match (params["Action"].as_str(), before) {
        ("DescribeVolumes", _) => volumes_page(&[("vol-1", "available")], None),
        ("CreateSnapshot", _) => created("pending"),
        // Absent at first, before the creation, and once more, because reads lag.
        (_, 0 | 3) => page(&[]),
        (_, 4) => page(&[("snap-1", "pending")]),
        _ => page(&[("snap-1", "completed")]),
    })
    .await;
    let snapshot = take(&server).await.unwrap();
    assert_eq!((snapshot.id.as_str(), snapshot.completed), ("snap-1", true));
    let calls = server.calls();
    assert_eq!(calls[0]["Filter.2.Name"], "tag:CSIVolumeSnapshotName");
    assert_eq!(calls[0]["Filter.2.Value.1"], "before-down");
    assert_eq!(calls[0]["Owner.1"], "self");
    assert_eq!(calls[2]["TagSpecification.1.ResourceType"], "snapshot");
    let expected = [
        ("CSIVolumeSnapshotName", "before-down"),
        ("a", "b"),
        ("k", "v"),
        ("moorline.dev/volume-type", "gp2"),
        ("moorline.dev/volume-zone", "us-east-1a"),
    ];
    for (n, (key, value)) in expected.iter().enumerate() {
        let tag = format!("TagSpecification.1.Tag.{}", n + 1);
        assert_eq!(calls[2][&format!("{tag}.Key")], *key);
        assert_eq!(calls[2][&format!("{tag}.Value")], *value);
    }
    assert!(!calls[2].contains_key("TagSpecification.1.Tag.6.Key"));
}

#[tokio::test]
async fn finds_the_one_begun_before() {
    let server = Server::start(|_, _| page(&[("snap-0", "error"), ("snap-1", "completed")])).await;
    assert_eq!(take(&server).await.unwrap().id, "snap-1");
    assert_eq!(server.actions(), ["DescribeSnapshots"]);
}

#[tokio::test]
async fn failures_are_told() {
    let server = Server::start(|params, before| match (params["Action"].as_str(), before) {
        ("DescribeVolumes", _) => volumes_page(&[("vol-1", "available")], None),
        ("CreateSnapshot", _) => created("pending"),
        (_, 0) => page(&[]),
        _ => page(&[("snap-1", "error")]),
    })
    .await;
    assert_eq!(take(&server).await.unwrap_err().kind, ErrorKind::Internal);

    let server = Server::start(|params, _| match params["Action"].as_str() {
        "DescribeVolumes" => volumes_page(&[], None),
        "CreateSnapshot" => refusal(400, "InvalidVolume.NotFound", "The volume 'vol-1' does not exist."),
        _ => page(&[]),
    })
    .await;
    assert_eq!(take(&server).await.unwrap_err().kind, ErrorKind::NotFound);
}
