//! What comes of refusals, throttles and broken answers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use moorline_api::{Accounts as _, ErrorKind, Volumes as _};
use moorline_azure::{AzureProvider, AzureSettings};
use serde_json::json;

use crate::server::{Server, class, new_volume, uid};
use crate::world::{Reply, SUBSCRIPTION};

const FILE: &str = "file.csi.azure.com";

/// Answers so, once, to an operation.
fn once(operation: &'static str, reply: Reply) -> impl FnMut(&str) -> Option<Reply> + Send + 'static {
    let mut reply = Some(reply);
    move |asked| reply.take_if(|_| asked == operation)
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    for (operation, status, code, kind, words) in [
        (
            "create account",
            403,
            "AuthorizationFailed",
            ErrorKind::Forbidden,
            "Storage Account Contributor",
        ),
        (
            "create account",
            409,
            "ScopeLocked",
            ErrorKind::Forbidden,
            "az lock list",
        ),
        (
            "create account",
            400,
            "SkuNotAvailable",
            ErrorKind::Invalid,
            "another skuName",
        ),
        (
            "create account",
            400,
            "LocationNotAvailableForResourceType",
            ErrorKind::Invalid,
            "az account list-locations",
        ),
        (
            "create account",
            409,
            "MaxStorageAccountsCountPerSubscriptionExceeded",
            ErrorKind::LimitExceeded,
            "raise the limit",
        ),
        (
            "create account",
            403,
            "RequestDisallowedByPolicy",
            ErrorKind::Forbidden,
            "policy",
        ),
        (
            "create account",
            409,
            "MissingSubscriptionRegistration",
            ErrorKind::Invalid,
            "az provider register",
        ),
        (
            "create share",
            409,
            "ShareBeingDeleted",
            ErrorKind::TokenBurnt,
            "free again",
        ),
        ("create share", 409, "ScopeLocked", ErrorKind::Forbidden, "az lock list"),
        (
            "create share",
            400,
            "InvalidHeaderValue",
            ErrorKind::Invalid,
            "check the quota",
        ),
        (
            "list accounts",
            401,
            "InvalidAuthenticationTokenTenant",
            ErrorKind::Unauthenticated,
            "az login --tenant",
        ),
        (
            "group",
            404,
            "ResourceGroupNotFound",
            ErrorKind::Invalid,
            "az group create",
        ),
    ] {
        let server = Server::start().await;
        server.fault(move |asked| (asked == operation).then(|| Reply::refuse(status, code, "So it is.")));
        let error = server
            .provider()
            .create(&new_volume(&class(FILE, &[]), &uid(1)))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(!error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn a_share_on_its_way_out_gives_the_next_generation_another_name() {
    let server = Server::start().await;
    let refused = Reply::refuse(
        409,
        "Conflict",
        "The specified share is being deleted. Try operation later.",
    );
    server.fault(once("create share", refused));
    let provider = server.provider();
    let mut new = new_volume(&class(FILE, &[]), &uid(1));
    assert_eq!(provider.create(&new).await.unwrap_err().kind, ErrorKind::TokenBurnt);
    new.token.generation = 2;
    let volume = provider.create(&new).await.unwrap();
    assert!(volume.id.0.ends_with("-2"), "{}", volume.id);
}

#[tokio::test]
async fn throttled_calls_wait_as_told_and_succeed() {
    let server = Server::start().await;
    let throttle = Reply::refuse(429, "TooManyRequests", "The request is being throttled.").with("retry-after", "1");
    server.fault(once("create share", throttle));
    let start = Instant::now();
    server
        .provider()
        .create(&new_volume(&class(FILE, &[]), &uid(1)))
        .await
        .unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(server.count("create share"), 2);

    let longer = Reply::refuse(429, "TooManyRequests", "Later.").with("retry-after", "3600");
    server.fault(move |asked| (asked == "create share").then(|| longer.clone()));
    let error = server
        .provider()
        .create(&new_volume(&class(FILE, &[]), &uid(2)))
        .await
        .unwrap_err();
    let told = Some(Duration::from_hours(1));
    assert_eq!(error.kind, ErrorKind::Throttled { retry_after: told });
}

#[tokio::test]
async fn what_broke_inside_is_tried_again_where_that_is_harmless() {
    let server = Server::start().await;
    let failures = AtomicU32::new(2);
    server.fault(move |asked| {
        let fails = asked == "create share"
            && failures
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok();
        fails.then(|| Reply::refuse(503, "InternalError", "Try again."))
    });
    server
        .provider()
        .create(&new_volume(&class(FILE, &[]), &uid(2)))
        .await
        .unwrap();
    for (number, status) in [(3, 200), (4, 404)] {
        server.fault(once("create share", Reply::new(status, json!("####"))));
        server
            .provider()
            .create(&new_volume(&class(FILE, &[]), &uid(number)))
            .await
            .unwrap();
    }
    server.fault(|_| None);
    let volume = server
        .provider()
        .create(&new_volume(&class(FILE, &[]), &uid(1)))
        .await
        .unwrap();
    server.fault(|asked| (asked == "create share").then(|| Reply::refuse(500, "InternalError", "no")));
    let before = server.count("create share");
    let error = server
        .provider()
        .snapshot_share(&volume.id, &moorline_api::Tags::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    assert_eq!(
        server.count("create share") - before,
        1,
        "a second snapshot may be one too many"
    );
}

#[tokio::test]
async fn a_listing_is_complete_or_an_error() {
    let server = Server::start().await;
    let provider = server.provider();
    for number in 0..7 {
        provider
            .create(&new_volume(&class(FILE, &[]), &uid(number)))
            .await
            .unwrap();
    }
    let mut pages = 0;
    server.fault(move |asked| {
        pages += u32::from(asked == "list shares");
        (asked == "list shares" && pages == 2).then(|| Reply::refuse(403, "AuthorizationFailed", "no"))
    });
    let listed: Result<Vec<_>, _> = server
        .provider()
        .list(moorline_api::VolumeFilter::All)
        .try_concat()
        .await;
    assert_eq!(listed.unwrap_err().kind, ErrorKind::Forbidden);

    server.fault(|_| None);
    server.world().links_to = Some("https://evil.example.org".to_owned());
    let listed: Result<Vec<_>, _> = server
        .provider()
        .list(moorline_api::VolumeFilter::All)
        .try_concat()
        .await;
    let error = listed.unwrap_err();
    assert!(error.message.contains("not Resource Manager's"), "{error}");

    server.world().links_to = None;
    let same = serde_json::json!({"value": [], "nextLink": format!("{}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts?api-version=2026-09-01", server.address)});
    server.fault(move |asked| (asked == "list accounts").then(|| Reply::new(200, same.clone())));
    let listed: Result<Vec<_>, _> = server
        .provider()
        .list(moorline_api::VolumeFilter::All)
        .try_concat()
        .await;
    assert!(listed.unwrap_err().message.contains("same next page twice"));
}

#[tokio::test]
async fn an_operations_address_is_followed_only_at_home() {
    let server = Server::start().await;
    {
        let mut world = server.world();
        world.account_polls = 1;
        world.links_to = Some("http://127.0.0.1:1".to_owned());
    }
    let error = server
        .provider()
        .create(&new_volume(&class(FILE, &[]), &uid(1)))
        .await
        .unwrap_err();
    assert!(error.message.contains("not Resource Manager's"), "{error}");
}

#[tokio::test]
async fn settings_that_lead_nowhere_are_said_so() {
    let server = Server::start().await;
    let provider = |settings: AzureSettings| AzureProvider::connect(settings).unwrap();
    let wrong = |subscription: Option<&str>| AzureSettings {
        subscription: subscription.map(str::to_owned),
        ..server.settings()
    };
    let error = provider(wrong(None)).account().await.unwrap_err();
    assert!(error.message.contains("AZURE_SUBSCRIPTION_ID"), "{error}");
    let error = provider(wrong(Some("99999999-0000-0000-0000-000000000000")))
        .account()
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(
        error.message.contains("SubscriptionNotFound") && error.message.contains("az account list"),
        "{error}"
    );

    let nobody = AzureSettings::local("http://127.0.0.1:1", SUBSCRIPTION, moorline_api::Sensitive::new("t"));
    let nobody = AzureSettings {
        patience: Duration::from_millis(100),
        ..nobody
    };
    let error = provider(nobody).account().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert!(error.message.contains("cannot connect to 127.0.0.1"), "{error}");

    for (body, words) in [
        (json!("<html>"), "the answer is no whole object"),
        (json!({"value": []}), "not what Resource Manager sends"),
    ] {
        server.fault(move |asked| (asked == "subscription").then(|| Reply::new(200, body.clone())));
        let error = server.provider().account().await.unwrap_err();
        assert!(error.message.contains(words), "{error}");
    }
}
