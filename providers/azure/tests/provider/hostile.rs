//! Answers that would lead a token astray, and those that say when to come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use futures::TryStreamExt as _;
use moorline_api::{Accounts as _, ErrorKind, VolumeFilter, Volumes as _};
use moorline_azure::{AzureProvider, AzureSettings};
use serde_json::json;

use crate::server::{Server, class, new_volume, uid};
use crate::world::{Reply, SUBSCRIPTION};

const FILE: &str = "file.csi.azure.com";

/// A host that must never be called; it counts who does.
struct Elsewhere {
    port: u16,
    calls: Arc<AtomicUsize>,
}

impl Elsewhere {
    async fn start() -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let counted = Arc::clone(&calls);
        let app = Router::new().fallback(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            async { "{}" }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { port, calls }
    }

    /// Every way to name it that looks like Resource Manager's own address, or like none.
    fn addresses(&self, home: &str) -> Vec<String> {
        let (port, host) = (self.port, home.trim_start_matches("http://"));
        vec![
            format!("http://127.0.0.1:{port}/x"),
            format!("//127.0.0.1:{port}/x"),
            format!("\\\\127.0.0.1:{port}\\x"),
            format!("http://{host}@127.0.0.1:{port}/x"),
            format!("http://me:too@{host}/x"),
            format!("http://localhost:{port}/x"),
            format!("https://{host}/x"),
            "ftp://example.com/x".to_owned(),
            "http://[::1/x".to_owned(),
        ]
    }
}

#[tokio::test]
async fn pages_and_operations_are_followed_at_home_only() {
    let elsewhere = Elsewhere::start().await;
    let server = Server::start().await;
    for address in elsewhere.addresses(&server.address) {
        let page = json!({"value": [], "nextLink": address});
        server.fault(move |asked| (asked == "list accounts").then(|| Reply::new(200, page.clone())));
        let listed: Result<Vec<_>, _> = server.provider().list(VolumeFilter::All).try_concat().await;
        let error = listed.unwrap_err();
        assert!(error.message.contains("not Resource Manager's"), "{address}: {error}");

        for header in ["location", "azure-asyncoperation"] {
            let to = address.clone();
            server.fault(move |asked| {
                let begun = Reply::new(202, json!(null))
                    .with(header, to.clone())
                    .with("retry-after", "0");
                (asked == "create account").then_some(begun)
            });
            let made = server.provider().create(&new_volume(&class(FILE, &[]), &uid(1))).await;
            let error = made.unwrap_err();
            assert!(
                error.message.contains("not Resource Manager's"),
                "{header} {address}: {error}"
            );
        }
    }
    assert_eq!(elsewhere.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Elsewhere::start().await;
    let server = Server::start().await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("http://127.0.0.1:{}/subscriptions/{SUBSCRIPTION}", elsewhere.port);
        server.fault(move |asked| {
            (asked == "subscription").then(|| Reply::new(status, json!(null)).with("location", to.clone()))
        });
        let error = server.provider().account().await.unwrap_err();
        assert!(error.message.contains("no answer of Resource Manager"), "{error}");
    }
    assert_eq!(elsewhere.calls.load(Ordering::SeqCst), 0);
}

/// A date so many seconds from now, as HTTP writes it.
fn http_date(seconds: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[tokio::test]
async fn a_date_says_as_well_when_to_come_again() {
    let server = Server::start().await;
    let mut left = 1;
    server.fault(move |asked| {
        let throttles = asked == "create share" && left > 0;
        left -= u32::from(throttles);
        throttles.then(|| {
            Reply::refuse(429, "TooManyRequests", "Later.")
                .with("retry-after", http_date(2))
                .with("date", http_date(0))
        })
    });
    let start = Instant::now();
    server
        .provider()
        .create(&new_volume(&class(FILE, &[]), &uid(1)))
        .await
        .unwrap();
    assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());

    server.fault(|asked| {
        let far = || Reply::refuse(429, "TooManyRequests", "Later.").with("retry-after", http_date(7200));
        (asked == "create share").then(far)
    });
    let error = server
        .provider()
        .create(&new_volume(&class(FILE, &[]), &uid(2)))
        .await
        .unwrap_err();
    let ErrorKind::Throttled {
        retry_after: Some(told),
    } = error.kind
    else {
        panic!("{error}")
    };
    assert!(
        told > Duration::from_secs(7000) && told <= Duration::from_hours(2),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_bucket_that_others_drain_makes_us_wait() {
    let server = Server::start().await;
    let settings = AzureSettings {
        budgets: moorline_azure::Budgets::default(),
        ..server.settings()
    };
    let provider = AzureProvider::connect(settings).unwrap();
    provider.create(&new_volume(&class(FILE, &[]), &uid(1))).await.unwrap();
    let start = Instant::now();
    server.fault(|asked| {
        let left = || Reply::new(201, json!({})).with("x-ms-ratelimit-remaining-subscription-writes", "2");
        (asked == "create share").then(left)
    });
    provider.create(&new_volume(&class(FILE, &[]), &uid(2))).await.unwrap();
    provider.create(&new_volume(&class(FILE, &[]), &uid(3))).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_pinned_tenant_is_the_only_one() {
    use base64::Engine as _;
    let server = Server::start().await;
    let pinned = "aaaaaaaa-0000-4000-8000-000000000001";
    let settings = |tenant: &str| {
        let claims = format!(r#"{{"tid": "{tenant}", "oid": "o"}}"#);
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
        AzureSettings {
            tenant: Some(pinned.to_owned()),
            identity: moorline_azure::Identity::Token(moorline_api::Sensitive::new(format!("h.{claims}.s"))),
            ..server.settings()
        }
    };
    let other = "bbbbbbbb-0000-4000-8000-000000000002";
    let error = AzureProvider::connect(settings(other))
        .unwrap()
        .account()
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    assert!(
        error.message.contains(other) && error.message.contains(&format!("az login --tenant {pinned}")),
        "{error}"
    );
    assert!(server.calls().is_empty(), "nothing is asked with such a token");

    // A token that says nothing, and a subscription that says nothing.
    let silent = AzureSettings {
        tenant: Some(pinned.to_owned()),
        ..server.settings()
    };
    let error = AzureProvider::connect(silent.clone())
        .unwrap()
        .account()
        .await
        .unwrap_err();
    assert!(error.message.contains("nobody knows which"), "{error}");
    server.fault(move |asked| {
        let shown = || Reply::new(200, json!({"subscriptionId": SUBSCRIPTION, "tenantId": pinned}));
        (asked == "subscription").then(shown)
    });
    AzureProvider::connect(silent).unwrap().account().await.unwrap();
}

#[tokio::test]
async fn a_plan_makes_no_resource_group() {
    let server = Server::start().await;
    let settings = AzureSettings {
        resource_group: Some("fresh".to_owned()),
        create_resource_group: true,
        location: Some("East US".to_owned()),
        ..server.settings()
    };
    let provider = AzureProvider::connect(settings).unwrap();
    assert_eq!(provider.account().await.unwrap().region, "eastus");
    assert_eq!(server.count("create group"), 0);
    provider.create(&new_volume(&class(FILE, &[]), &uid(1))).await.unwrap();
    assert_eq!(server.count("create group"), 1);
}

#[tokio::test]
async fn nobody_waits_for_ever_because_a_server_says_so() {
    for (header, wait) in [
        ("retry-after", "18446744073709551615".to_owned()),
        ("retry-after-ms", "18446744073709551615".to_owned()),
        ("retry-after", "Fri, 24 Dec 9999 23:59:59 GMT".to_owned()),
        ("retry-after", http_date(100 * 24 * 3600)),
    ] {
        let server = Server::start().await;
        let told = wait.clone();
        server.fault(move |asked| {
            let busy = || Reply::refuse(429, "TooManyRequests", "Later.").with(header, told.clone());
            (asked == "subscription").then(busy)
        });
        let error = server.provider().account().await.unwrap_err();
        let ErrorKind::Throttled { retry_after } = error.kind else {
            panic!("{error}")
        };
        assert_eq!(retry_after, Some(Duration::from_hours(24)), "{header}: {wait}");
    }
}
