//! Accounts by design, not by chance.

use std::collections::BTreeSet;

use futures::future::{join_all, try_join_all};
use moorline_api::{ErrorKind, NewVolume, Volumes as _};
use moorline_azure::AzureSettings;
use serde_json::json;

use crate::server::{Server, class, new_volume, uid};
use crate::world::Reply;

const FILE: &str = "file.csi.azure.com";

fn account_of(id: &moorline_api::VolumeId) -> String {
    id.0.split('.').next().unwrap().to_owned()
}

fn many(count: u32) -> Vec<NewVolume> {
    let class = class(FILE, &[]);
    (0..count).map(|number| new_volume(&class, &uid(number))).collect()
}

#[tokio::test]
async fn a_hundred_shares_are_two_accounts_and_no_more_calls_than_needed() {
    let server = Server::start().await;
    server.world().account_polls = 1;
    server.world().page = 1000;
    let provider = server.provider();
    let volumes = many(100);
    try_join_all(volumes.iter().map(|new| provider.create(new)))
        .await
        .unwrap();
    let sizes: Vec<_> = server
        .world()
        .accounts
        .values()
        .map(|account| account.shares.len())
        .collect();
    assert_eq!(sizes, [50, 50]);
    let counts = [
        "list accounts",
        "create account",
        "create share",
        "share",
        "list shares",
    ]
    .map(|name| server.count(name));
    assert_eq!(counts, [1, 2, 100, 0, 0]);

    // The next run finds every one where it is, and fills the gap that one left.
    let again = server.provider();
    let gone = again.create(&volumes[7]).await.unwrap().id;
    again.delete(&gone).await.unwrap();
    let third = server.provider();
    let last = third.create(&new_volume(&class(FILE, &[]), &uid(100))).await.unwrap();
    assert_eq!(account_of(&last.id), account_of(&gone));
    assert_eq!(third.create(&volumes[99]).await.unwrap().tags, volumes[99].tags);
    assert_eq!((server.world().accounts.len(), server.count("create account")), (2, 2));
}

#[tokio::test]
async fn a_run_that_dies_leaves_nothing_that_the_next_does_not_find() {
    let server = Server::start().await;
    server.world().account_polls = 3;
    let new = &many(1)[0];
    // The account is made and the run dies before it hears of it, twice; then before the share's answer.
    for (operation, status) in [("poll", 403), ("account", 403), ("create share", 403)] {
        server.fault(move |asked| (asked == operation).then(|| Reply::refuse(status, "AuthorizationFailed", "no")));
        assert!(server.provider().create(new).await.is_err());
    }
    server.fault(|_| None);
    let made = server.provider().create(new).await.unwrap();
    assert_eq!(server.provider().create(new).await.unwrap().id, made.id);
    let world = server.world();
    assert_eq!(
        (world.accounts.len(), world.accounts[&account_of(&made.id)].shares.len()),
        (1, 1)
    );
}

#[tokio::test]
async fn a_name_that_is_taken_is_followed_by_the_next() {
    let server = Server::start().await;
    let first = server.provider().create(&many(1)[0]).await.unwrap();
    let taken = account_of(&first.id);
    {
        let mut world = server.world();
        world.accounts.clear();
        world.taken.insert(taken.clone());
    }
    let second = server.provider().create(&many(1)[0]).await.unwrap();
    assert_ne!(account_of(&second.id), taken);
    // The next run comes to the same name by the same way.
    let third = server.provider().create(&many(1)[0]).await.unwrap();
    assert_eq!(third.id, second.id);

    server
        .fault(|asked| (asked == "create account").then(|| Reply::refuse(409, "StorageAccountAlreadyTaken", "taken")));
    server.world().accounts.clear();
    let before = server.count("create account");
    let provider = server.provider();
    let errors: Vec<_> = join_all(many(20).iter().map(|new| provider.create(new))).await;
    for error in errors {
        let error = error.unwrap_err();
        assert_eq!(error.kind, ErrorKind::AlreadyExists);
        assert!(error.message.contains("storageAccount in the class"), "{error}");
    }
    assert_eq!(server.count("create account") - before, 4, "asked once for all of them");
}

#[tokio::test]
async fn a_full_account_is_left_for_the_next() {
    let server = Server::start().await;
    server.world().room = 2;
    let provider = server.provider();
    for new in many(3) {
        provider.create(&new).await.unwrap();
    }
    let mut sizes: Vec<_> = server
        .world()
        .accounts
        .values()
        .map(|account| account.shares.len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2]);
}

#[tokio::test]
async fn different_classes_have_different_accounts() {
    let server = Server::start().await;
    let provider = server.provider();
    let mut accounts = BTreeSet::new();
    for (number, parameters) in [
        &[][..],
        &[("skuName", "Standard_ZRS")],
        &[("location", "westus2")],
        &[("requireInfraEncryption", "true")],
        &[("tags", "team=web")],
    ]
    .into_iter()
    .enumerate()
    {
        let number = u32::try_from(number).unwrap();
        let volume = provider
            .create(&new_volume(&class(FILE, parameters), &uid(number)))
            .await
            .unwrap();
        accounts.insert(account_of(&volume.id));
    }
    assert_eq!(accounts.len(), 5);
    let world = server.world();
    let bodies: Vec<_> = world.accounts.values().map(|account| &account.body).collect();
    assert!(bodies.iter().any(|body| body["tags"]["team"] == "web"));
    assert!(
        bodies
            .iter()
            .any(|body| body["properties"]["encryption"]["requireInfrastructureEncryption"] == true)
    );
    assert!(bodies.iter().any(|body| body["location"] == "westus2"));
}

#[tokio::test]
async fn an_account_that_the_class_names_is_checked_and_not_changed() {
    let server = Server::start().await;
    {
        let mut world = server.world();
        world.add_account("mine", "Standard_LRS", &json!({}));
        world.add_account(
            "ofanother",
            "Standard_LRS",
            &json!({"moorline-cluster-uid": "cluster-1", "moorline-profile": "db"}),
        );
        world.add_account("premium", "Premium_LRS", &json!({}));
        world.taken.insert("elsewhere".to_owned());
    }
    let settings = AzureSettings {
        named_accounts: vec!["mine".to_owned()],
        ..server.settings()
    };
    let provider = moorline_azure::AzureProvider::connect(settings).unwrap();
    let named = |name: &str| new_volume(&class(FILE, &[("storageAccount", name)]), &uid(1));
    let volume = provider.create(&named("mine")).await.unwrap();
    assert_eq!(volume.id.0, format!("mine.file/pvc-{}", uid(1)));
    for (name, kind, words) in [
        ("missing", ErrorKind::Invalid, "does not exist"),
        ("elsewhere", ErrorKind::Invalid, "AZURE_SUBSCRIPTION_ID"),
        ("ofanother", ErrorKind::AlreadyExists, "made for profile db"),
        ("premium", ErrorKind::Invalid, "write skuName: Premium_LRS"),
    ] {
        let error = provider.create(&named(name)).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    assert_eq!(server.count("create account"), 0);
    let tags = [
        ("moorline.dev/cluster-uid", "cluster-1"),
        ("moorline.dev/profile", "web"),
    ];
    let tags = tags
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let found: Vec<_> = futures::TryStreamExt::try_concat(provider.list(moorline_api::VolumeFilter::Tagged(tags)))
        .await
        .unwrap();
    assert_eq!(
        found.len(),
        1,
        "its metadata are read, because the account says nothing"
    );
}

#[tokio::test]
async fn a_share_of_that_name_which_is_not_ours_is_left_alone() {
    let server = Server::start().await;
    let provider = server.provider();
    let new = &many(1)[0];
    let made = provider.create(new).await.unwrap();
    let account = account_of(&made.id);
    {
        let mut world = server.world();
        let share = world
            .accounts
            .get_mut(&account)
            .unwrap()
            .shares
            .values_mut()
            .next()
            .unwrap();
        share["metadata"] = json!({"createdBy": "somebody"});
    }
    // The account's tags and the name prove as much as its metadata would.
    assert!(server.provider().create(new).await.is_ok());
    server
        .world()
        .accounts
        .get_mut(&account)
        .unwrap()
        .shares
        .values_mut()
        .next()
        .unwrap()["metadata"] = json!({"moorline_claim_uid": uid(9)});
    let error = server.provider().create(new).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AlreadyExists, "{error}");
}

#[tokio::test]
async fn deleted_shares_are_kept_for_as_long_as_is_said() {
    for (parameters, days, expected) in [
        (&[][..], None, None),
        (&[], Some(14), Some(json!({"enabled": true, "days": 14}))),
        (&[], Some(0), Some(json!({"enabled": false}))),
        (
            &[("disableDeleteRetentionPolicy", "true")],
            Some(14),
            Some(json!({"enabled": false})),
        ),
    ] {
        let server = Server::start().await;
        let settings = AzureSettings {
            keep_deleted_shares_days: days,
            ..server.settings()
        };
        let provider = moorline_azure::AzureProvider::connect(settings).unwrap();
        provider
            .create(&new_volume(&class(FILE, parameters), &uid(1)))
            .await
            .unwrap();
        let world = server.world();
        assert_eq!(world.accounts.values().next().unwrap().retention, expected);
    }
}

#[tokio::test]
async fn a_missing_resource_group_is_made_only_where_that_is_allowed() {
    let server = Server::start().await;
    let settings = |create, location: Option<&str>| AzureSettings {
        resource_group: Some("fresh".to_owned()),
        create_resource_group: create,
        location: location.map(str::to_owned),
        ..server.settings()
    };
    for refused in [
        settings(false, None),
        settings(true, None),
        settings(false, Some("eastus")),
    ] {
        let provider = moorline_azure::AzureProvider::connect(refused).unwrap();
        let error = provider.create(&many(1)[0]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        assert!(error.message.contains("az group create"), "{error}");
    }
    let provider = moorline_azure::AzureProvider::connect(settings(true, Some("eastus"))).unwrap();
    provider.create(&many(1)[0]).await.unwrap();
    assert!(server.world().groups.contains("fresh"));
}
