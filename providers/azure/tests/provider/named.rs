//! Accounts, shares and containers that classes name.

use futures::TryStreamExt as _;
use moorline_api::{ErrorKind, NewVolume, Tags, Upkeep as _, VolumeFilter, VolumeId, Volumes as _, tags};
use moorline_azure::{AzureProvider, AzureSettings};
use serde_json::json;

use crate::server::{Server, class, new_volume, uid};
use crate::world::Reply;

const FILE: &str = "file.csi.azure.com";
const BLOB: &str = "blob.csi.azure.com";

async fn server() -> Server {
    let server = Server::start().await;
    server
        .world()
        .add_account("mine", "Standard_LRS", &json!({"owner": "somebody"}));
    server
}

/// A provider that was told what classes name.
fn told(server: &Server, name: &str) -> AzureProvider {
    let settings = AzureSettings {
        named_accounts: vec!["mine".to_owned()],
        volume_names: vec![name.to_owned()],
        ..server.settings()
    };
    AzureProvider::connect(settings).unwrap()
}

fn share_named(name: &str, number: u32) -> NewVolume {
    new_volume(
        &class(FILE, &[("storageAccount", "mine"), ("shareName", name)]),
        &uid(number),
    )
}

fn of(new: NewVolume, profile: &str) -> NewVolume {
    let mut new = new;
    new.tags.insert(tags::PROFILE.to_owned(), profile.to_owned());
    new
}

async fn listed(provider: &AzureProvider) -> Vec<VolumeId> {
    let ours = Tags::from([
        (tags::CLUSTER_UID.to_owned(), "cluster-1".to_owned()),
        (tags::PROFILE.to_owned(), "web".to_owned()),
    ]);
    let found: Vec<_> = provider.list(VolumeFilter::Tagged(ours)).try_concat().await.unwrap();
    found.into_iter().map(|volume| volume.id).collect()
}

#[tokio::test]
async fn a_share_that_is_made_under_the_class_name_is_ours() {
    let server = server().await;
    let name = "${pvc.metadata.namespace}-${pvc.metadata.name}";
    let provider = told(&server, name);
    let new = share_named(name, 1);
    let made = provider.create(&new).await.unwrap();
    assert_eq!(made.id.0, "mine.file/default-data-0");
    assert!(!made.tags.contains_key(tags::ADOPTED));
    // Somebody else's shares beside it are neither listed nor read where their names cannot come of the class's.
    {
        let mut world = server.world();
        let shares = &mut world.accounts.get_mut("mine").unwrap().shares;
        shares.insert("photos".to_owned(), json!({"shareQuota": 5}));
        shares.insert("default-other".to_owned(), json!({"shareQuota": 5}));
    }
    let again = told(&server, name);
    let before = server.count("share");
    assert_eq!(listed(&again).await, std::slice::from_ref(&made.id));
    assert_eq!(server.count("share") - before, 2);
    assert_eq!(again.create(&new).await.unwrap().id, made.id);

    // Another claim, or another life of this one, cannot have it.
    let error = again.create(&share_named(name, 2)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AlreadyExists, "{error}");
    assert!(error.message.contains("made for claim default/data-0"), "{error}");

    again.delete(&made.id).await.unwrap();
    assert!(listed(&again).await.is_empty());
}

#[tokio::test]
async fn a_share_that_was_there_before_is_mounted_and_never_deleted() {
    let server = server().await;
    server
        .world()
        .accounts
        .get_mut("mine")
        .unwrap()
        .shares
        .insert("data".to_owned(), json!({"shareQuota": 7, "enabledProtocols": "SMB"}));
    let provider = told(&server, "data");
    let adopted = provider.create(&share_named("data", 1)).await.unwrap();
    assert_eq!((adopted.id.0.as_str(), adopted.spec.size_gib), ("mine.file/data", 7));
    assert!(adopted.tags.contains_key(tags::ADOPTED), "{:?}", adopted.tags);
    assert_eq!(provider.wait_usable(&adopted.id).await.unwrap().tags, adopted.tags);
    let by_id: Vec<_> = provider
        .list(VolumeFilter::Ids(vec![adopted.id.clone()]))
        .try_concat()
        .await
        .unwrap();
    assert!(by_id[0].tags.contains_key(tags::ADOPTED));

    let error = provider.delete(&adopted.id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden, "{error}");
    assert!(server.world().share("data").is_some());
    assert!(
        server.world().share("data").unwrap().1.get("metadata").is_none(),
        "it stays as it was"
    );

    // It has to do.
    let mut larger = share_named("data", 2);
    larger.spec.size_gib = 8;
    let error = provider.create(&larger).await.unwrap_err();
    assert!(error.message.contains("ask for at most 7Gi"), "{error}");
    server
        .world()
        .accounts
        .get_mut("mine")
        .unwrap()
        .shares
        .get_mut("data")
        .unwrap()["enabledProtocols"] = "NFS".into();
    let error = told(&server, "data").create(&share_named("data", 1)).await.unwrap_err();
    assert!(error.message.contains("write protocol: nfs"), "{error}");
}

#[tokio::test]
async fn a_container_that_was_there_before_is_mounted_and_never_deleted() {
    let server = server().await;
    server
        .world()
        .accounts
        .get_mut("mine")
        .unwrap()
        .containers
        .insert("data".to_owned(), json!({}));
    let parameters = [
        ("storageAccount", "mine"),
        ("containerName", "data"),
        ("protocol", "fuse2"),
    ];
    let provider = told(&server, "data");
    let adopted = provider
        .create(&new_volume(&class(BLOB, &parameters), &uid(1)))
        .await
        .unwrap();
    assert_eq!((adopted.id.0.as_str(), adopted.spec.size_gib), ("mine.blob/data", 1));
    assert!(adopted.tags.contains_key(tags::ADOPTED));
    assert_eq!(
        provider.delete(&adopted.id).await.unwrap_err().kind,
        ErrorKind::Forbidden
    );
    assert!(server.world().accounts["mine"].containers.contains_key("data"));
}

#[tokio::test]
async fn a_share_named_in_an_account_of_ours_is_found_by_its_metadata() {
    let server = Server::start().await;
    let new = new_volume(&class(FILE, &[("shareName", "data")]), &uid(1));
    let made = server.provider().create(&new).await.unwrap();
    let other = server.provider();
    assert_eq!(listed(&other).await, std::slice::from_ref(&made.id));
    let one: Vec<_> = other
        .list(VolumeFilter::Tagged(Tags::from([(tags::CLAIM_UID.to_owned(), uid(1))])))
        .try_concat()
        .await
        .unwrap();
    assert_eq!(one.len(), 1);
    other.delete(&made.id).await.unwrap();
    assert!(other.sweep("cluster-1", "web").await.unwrap()[0].gone);
}

#[tokio::test]
async fn a_name_that_azure_does_not_take_is_refused_before_any_call() {
    let server = server().await;
    let mut new = share_named("x-${pvc.metadata.name}", 1);
    new.tags.insert(tags::CLAIM.to_owned(), "dots.in.names".to_owned());
    let error = told(&server, "x").create(&new).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("lower-case letters"), "{error}");
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn a_name_that_is_not_free_yet_is_waited_for_and_no_longer_than_told() {
    let server = server().await;
    let mut refusals = 1;
    server.fault(move |asked| {
        let held = asked == "create share" && refusals > 0;
        refusals -= u32::from(held);
        held.then(|| Reply::refuse(409, "ShareBeingDeleted", "The specified share is being deleted."))
    });
    let made = told(&server, "data").create(&share_named("data", 1)).await.unwrap();
    assert_eq!(made.id.0, "mine.file/data");

    server.fault(|asked| {
        (asked == "create share")
            .then(|| Reply::refuse(409, "ShareBeingDeleted", "The specified share is being deleted."))
    });
    let settings = AzureSettings {
        account_timeout: std::time::Duration::ZERO,
        ..server.settings()
    };
    let error = AzureProvider::connect(settings)
        .unwrap()
        .create(&share_named("other", 2))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::AlreadyExists, "{error}");
    assert!(error.message.contains("az storage share-rm restore"), "{error}");
}

#[tokio::test]
async fn an_account_is_used_by_one_profile_at_a_time() {
    let server = server().await;
    let plain = |number| new_volume(&class(FILE, &[("storageAccount", "mine")]), &uid(number));
    let provider = told(&server, "");
    let made = provider.create(&plain(1)).await.unwrap();
    provider.create(&plain(2)).await.unwrap();
    assert_eq!(
        (server.count("tag account"), server.count("account")),
        (1, 1),
        "it is marked once"
    );
    let tags = server.world().accounts["mine"].body["tags"].clone();
    assert_eq!(tags["owner"], "somebody");
    assert_eq!(tags["moorline-used-by-profile"], "web");

    let error = told(&server, "").create(&of(plain(3), "db")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AlreadyExists, "{error}");
    assert!(
        error
            .message
            .contains("mine is used by profile web of cluster cluster-1"),
        "{error}"
    );

    // A run that no longer knows of the class finds what is there by the mark.
    let unaware = server.provider();
    assert_eq!(listed(&unaware).await.len(), 2);
    let swept = unaware.sweep("cluster-1", "web").await.unwrap();
    assert!(!swept[0].gone && swept[0].why.contains("2 volumes"), "{swept:?}");
    for volume in listed(&unaware).await {
        unaware.delete(&volume).await.unwrap();
    }
    let swept = unaware.sweep("cluster-1", "web").await.unwrap();
    assert!(swept[0].gone, "{swept:?}");
    assert_eq!(
        server.world().accounts["mine"].body["tags"],
        json!({"owner": "somebody"})
    );
    assert_eq!(unaware.sweep("cluster-1", "web").await.unwrap(), []);
    assert!(server.world().accounts.contains_key("mine"), "{}", made.id);
    told(&server, "").create(&of(plain(3), "db")).await.unwrap();
}

#[tokio::test]
async fn whoever_may_not_mark_an_account_may_use_it() {
    let server = server().await;
    server.fault(|asked| (asked == "tag account").then(|| Reply::refuse(403, "AuthorizationFailed", "no")));
    let plain = new_volume(&class(FILE, &[("storageAccount", "mine")]), &uid(1));
    told(&server, "").create(&plain).await.unwrap();
}
