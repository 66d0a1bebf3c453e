//! Answers that are late, lost or no.

use futures::TryStreamExt as _;
use moorline_api::{
    Accounts as _, ErrorKind, Object, StorageClass, Upkeep as _, Usage as _, Volume, VolumeFilter, VolumeId,
    VolumeState, Volumes as _,
};
use moorline_azure::{AzureProvider, AzureSettings, StorageConnection};
use serde_json::json;

use crate::desk::{Desk, container, refusal, status, xml};
use crate::{CLUSTER, UID, new_volume};

const PUT: &str = "PUT /data1/pvc-0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11";

fn id() -> VolumeId {
    VolumeId(format!("data1.blob/pvc-{UID}"))
}

#[tokio::test]
async fn nothing_but_the_account_is_asked() {
    let desk = Desk::with([Some(status(201))]).await;
    let provider = desk.provider();
    let account = provider.account().await.unwrap();
    assert_eq!((account.id.0.as_str(), account.region.as_str()), ("data1", "local"));
    assert_eq!(provider.sweep(CLUSTER, "pages").await.unwrap(), []);
    let made = provider.create(&new_volume(None)).await.unwrap();
    assert_eq!(made.id, id());
    // What was just made needs no reading.
    assert_eq!(
        provider.wait_usable(&made.id).await.unwrap().state,
        VolumeState::Available
    );
    assert_eq!(desk.lines(), [PUT]);
}

#[tokio::test]
async fn the_class_may_name_this_account_and_no_other() {
    let desk = Desk::with([Some(status(201))]).await;
    let provider = desk.provider();
    assert_eq!(provider.create(&new_volume(Some("data1"))).await.unwrap().id, id());
    let refused = provider.create(&new_volume(Some("other1"))).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(
        refused.message.contains("other1") && refused.message.contains("data1"),
        "{refused}"
    );
    assert_eq!(desk.lines().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_container() {
    let ours = container(&[
        ("moorline_cluster_uid", CLUSTER),
        ("moorline_profile", "pages"),
        ("moorline_claim_uid", UID),
        ("moorline_size_gib", "5"),
        ("moorline_sku", "Standard_LRS"),
    ]);
    let exists = refusal(409, "ContainerAlreadyExists", "The specified container already exists.");
    let desk = Desk::with([None, Some(exists), Some(ours)]).await;
    let made = desk.provider().create(&new_volume(None)).await.unwrap();
    assert_eq!(made.id, id());
    assert_eq!(made.spec.config.type_name(), "Standard_LRS");
    assert_eq!(desk.lines(), [PUT, PUT, &PUT.replace("PUT", "GET")]);
    let dates: Vec<_> = desk.asked().into_iter().filter_map(|asked| asked.date).collect();
    assert_eq!(dates.len(), 3, "each attempt is signed");
}

#[tokio::test]
async fn a_container_of_somebody_else_is_left_alone() {
    let exists = || refusal(409, "ContainerAlreadyExists", "The specified container already exists.");
    let theirs = container(&[("moorline_cluster_uid", "another"), ("moorline_claim_uid", UID)]);
    let desk = Desk::with([Some(exists()), Some(theirs)]).await;
    let refused = desk.provider().create(&new_volume(None)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AlreadyExists, "{refused}");
}

#[tokio::test]
async fn a_name_that_is_being_given_up_burns_the_token() {
    let held = refusal(
        409,
        "ContainerBeingDeleted",
        "The specified container is being deleted.",
    );
    let desk = Desk::with([Some(held)]).await;
    let refused = desk.provider().create(&new_volume(None)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::TokenBurnt, "{refused}");
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let busy = || Some(refusal(503, "ServerBusy", "The server is busy."));
    let desk = Desk::with([busy(), busy(), Some(status(201))]).await;
    desk.provider().create(&new_volume(None)).await.unwrap();
    assert_eq!(desk.lines(), [PUT, PUT, PUT]);
}

#[tokio::test]
async fn a_deletion_that_was_done_is_done() {
    let gone = refusal(404, "ContainerNotFound", "The specified container does not exist.");
    let going = refusal(
        409,
        "ContainerBeingDeleted",
        "The specified container is being deleted.",
    );
    let desk = Desk::with([None, Some(gone), Some(going)]).await;
    let provider = desk.provider();
    provider.delete(&id()).await.unwrap();
    provider.wait_gone(&id()).await.unwrap();
}

#[tokio::test]
async fn a_leased_container_is_in_use() {
    let leased = refusal(412, "LeaseIdMissing", "There is currently a lease on the container.");
    let desk = Desk::with([Some(leased)]).await;
    let refused = desk.provider().delete(&id()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InUse);
    assert_eq!(refused.resource, format!("pvc-{UID}"));
}

#[tokio::test]
async fn a_list_that_breaks_off_is_an_error_and_not_short() {
    let first = xml(
        "<?xml version=\"1.0\"?><EnumerationResults><Containers><Container><Name>box</Name><Properties/></Container>\
         </Containers><NextMarker>more</NextMarker></EnumerationResults>",
    );
    let forbidden = refusal(403, "AuthorizationPermissionMismatch", "No.");
    let desk = Desk::with([Some(first), Some(forbidden)]).await;
    let provider = desk.provider();
    let mut pages = provider.list(VolumeFilter::All);
    let page: Vec<Volume> = pages.try_next().await.unwrap().unwrap();
    assert_eq!(page[0].id.0, "data1.blob/box");
    assert_eq!(pages.try_next().await.unwrap_err().kind, ErrorKind::Forbidden);
    let asked = desk.asked();
    assert!(asked[0].query.contains("include=metadata"), "{asked:?}");
    assert!(asked[1].query.contains("marker=more"), "{asked:?}");
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_no_absence() {
    for page in [status(404), xml("<html>502 Bad Gateway</html>")] {
        let desk = Desk::with([Some(page)]).await;
        let error = desk.provider().delete(&id()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Internal, "{error}");
        assert!(error.message.contains("no answer of blob storage"), "{error}");
    }
}

#[tokio::test]
async fn what_may_not_be_listed_is_not_counted() {
    let forbidden = refusal(403, "AuthorizationPermissionMismatch", "No.");
    let desk = Desk::with([Some(forbidden)]).await;
    assert_eq!(desk.provider().used_bytes(&id()).await.unwrap(), None);
}

#[tokio::test]
async fn shares_and_other_accounts_need_resource_manager() {
    let desk = Desk::with([]).await;
    let share = VolumeId("data1.file/pvc-1".to_owned());
    let refused = desk.provider().delete(&share).await.unwrap_err();
    assert!(refused.message.contains("AZURE_SUBSCRIPTION_ID"), "{refused}");
    assert!(desk.lines().is_empty());
}

#[tokio::test]
async fn volumes_of_other_accounts_are_unknown_and_not_gone() {
    let desk = Desk::with([]).await;
    let elsewhere = VolumeId(format!("other1.blob/pvc-{UID}"));
    let provider = desk.provider();
    let listed: Result<Vec<Volume>, _> = provider
        .list(VolumeFilter::Ids(vec![elsewhere.clone()]))
        .try_concat()
        .await;
    for error in [listed.unwrap_err(), provider.wait_gone(&elsewhere).await.unwrap_err()] {
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains("data1 can do without"), "{error}");
    }
    assert!(desk.lines().is_empty());
}

fn class(provisioner: &str, parameters: &serde_json::Value) -> StorageClass {
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "c"},
        "provisioner": provisioner, "parameters": parameters,
    });
    StorageClass::from_object(&Object::from_value(class).unwrap())
}

#[test]
fn classes_say_whether_the_account_is_enough() {
    let connection = StorageConnection::parse("AccountName=data1;AccountKey=aHVzaA==").unwrap();
    let settings = |subscription: Option<&str>| AzureSettings {
        connection: Some(connection.clone()),
        subscription: subscription.map(str::to_owned),
        ..AzureSettings::default()
    };
    let blobs = class("blob.csi.azure.com", &json!({"storageAccount": "data1"}));
    let others = class("blob.csi.azure.com", &json!({"storageAccount": "other1"}));
    let shares = class("file.csi.azure.com", &json!({}));
    for (classes, subscription, left) in [
        (vec![&blobs], None, (true, false)),
        (vec![&blobs], Some("s"), (true, false)),
        (vec![&blobs, &shares], Some("s"), (true, true)),
        (vec![&blobs, &others], Some("s"), (true, true)),
        (vec![&blobs, &shares], None, (false, false)),
    ] {
        let settings = settings(subscription).serving(classes);
        assert_eq!((settings.connection.is_some(), settings.subscription.is_some()), left);
    }
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    let text = format!(
        "AccountName=data1;AccountKey={};BlobEndpoint=http://{free}/data1",
        crate::desk::KEY
    );
    let settings = AzureSettings {
        connection: Some(StorageConnection::parse(&text).unwrap()),
        patience: std::time::Duration::from_millis(1),
        ..AzureSettings::default()
    };
    let provider = AzureProvider::connect(settings).unwrap();
    let refused = provider.create(&new_volume(None)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unreachable);
    assert!(refused.message.contains(&free.to_string()), "{refused}");
}
