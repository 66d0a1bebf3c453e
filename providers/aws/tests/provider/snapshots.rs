use moorline_api::{ErrorKind, Tags, VolumeId, Volumes};

use crate::server::{Answer, Server, ec2, refusal};

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
        ("CreateSnapshot", _) => created("pending"),
        // Absent at first, before the creation, and once more, because reads lag.
        (_, 0 | 2) => page(&[]),
        (_, 3) => page(&[("snap-1", "pending")]),
        _ => page(&[("snap-1", "completed")]),
    })
    .await;
    let snapshot = take(&server).await.unwrap();
    assert_eq!((snapshot.id.as_str(), snapshot.completed), ("snap-1", true));
    let calls = server.calls();
    assert_eq!(calls[0]["Filter.2.Name"], "tag:CSIVolumeSnapshotName");
    assert_eq!(calls[0]["Filter.2.Value.1"], "before-down");
    assert_eq!(calls[0]["Owner.1"], "self");
    assert_eq!(calls[1]["TagSpecification.1.ResourceType"], "snapshot");
    assert_eq!(calls[1]["TagSpecification.1.Tag.1.Key"], "CSIVolumeSnapshotName");
    assert_eq!(calls[1]["TagSpecification.1.Tag.2.Key"], "k");
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
        ("CreateSnapshot", _) => created("pending"),
        (_, 0) => page(&[]),
        _ => page(&[("snap-1", "error")]),
    })
    .await;
    assert_eq!(take(&server).await.unwrap_err().kind, ErrorKind::Internal);

    let server = Server::start(|params, _| match params["Action"].as_str() {
        "CreateSnapshot" => refusal(400, "InvalidVolume.NotFound", "The volume 'vol-1' does not exist."),
        _ => page(&[]),
    })
    .await;
    assert_eq!(take(&server).await.unwrap_err().kind, ErrorKind::NotFound);
}
