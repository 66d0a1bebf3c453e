//! What people are told when AWS cannot be reached, or will not have them.

use std::process::Command;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use moorline_api::{Accounts, ErrorKind, LoadBalancers, VolumeFilter, VolumeId, Volumes};
use moorline_aws::{AwsProvider, AwsSettings};

use crate::server::{Server, ec2, query, query_refusal, refusal, settings_for};

fn volume() -> VolumeId {
    VolumeId("vol-1".to_owned())
}

#[tokio::test]
async fn nobody_listens() {
    let started = Instant::now();
    let provider = AwsProvider::connect(settings_for("http://127.0.0.1:1"));
    let error = Volumes::delete(&provider, &volume()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(
        error.message.starts_with("cannot connect to http://127.0.0.1:1: "),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn nobody_answers() {
    let server = Server::start(|_, _| (0, String::new())).await;
    let settings = AwsSettings {
        call_timeout: Duration::from_millis(50),
        ..server.settings()
    };
    let error = Volumes::delete(&AwsProvider::connect(settings), &volume())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.message.contains("did not answer in time"), "{error}");
    assert_eq!(server.calls().len(), 4);
}

#[tokio::test]
async fn someone_else_answers() {
    for (status, kind) in [
        (200, ErrorKind::Internal),
        (502, ErrorKind::Internal),
        (404, ErrorKind::Unsupported),
    ] {
        let server = Server::start(move |_, _| (status, "<html><body>It works!</body></html>".to_owned())).await;
        let settings = AwsSettings {
            patience: Duration::from_millis(100),
            ..server.settings()
        };
        let error = Volumes::list(&AwsProvider::connect(settings), VolumeFilter::All)
            .try_next()
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{status}: {error}");
    }
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_deletes_nothing() {
    let server = Server::start(|call, before| match before {
        0 => (200, "<html><body>502 Bad Gateway</body></html>".to_owned()),
        1 => (200, "####".to_owned()),
        _ => ec2(&call["Action"], "<return>true</return>"),
    })
    .await;
    Volumes::delete(&server.provider(), &volume()).await.unwrap();
    assert_eq!(server.actions(), ["DeleteVolume"; 3]);
}

#[tokio::test]
async fn their_words_are_made_safe() {
    let hostile = "no &#x1b;[2J AKIAIOSFODNN7EXAMPLE&#10;way";
    let server = Server::start(move |_, _| refusal(400, "InvalidParameterValue", hostile)).await;
    let error = Volumes::delete(&server.provider(), &volume()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "ec2:DeleteVolume vol-1: no (redacted) way (InvalidParameterValue)"
    );
}

/// Runs in a process of its own, with the environment that the test below gives it.
#[tokio::test]
#[ignore = "a part of another test"]
async fn child_asks_for_the_account() {
    let provider = AwsProvider::connect(AwsSettings::default());
    match provider.account().await {
        Ok(account) => println!("{account:?}"),
        Err(error) => println!("{:?}: {error}", error.kind),
    }
    if std::env::var_os(BALANCERS_TOO).is_some() {
        let found: Vec<_> = LoadBalancers::list(&provider).try_concat().await.unwrap();
        println!("{} load balancers", found.len());
    }
}

/// Tells the child to list the load balancers too.
const BALANCERS_TOO: &str = "CHILD_LISTS_LOAD_BALANCERS";

/// What the child says in this environment, and how long it took.
fn child_says(environment: &[(&str, &str)]) -> (String, Duration) {
    let started = Instant::now();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "failures::child_asks_for_the_account",
            "--ignored",
            "--nocapture",
        ])
        .env_clear()
        .env("HOME", "/nonexistent")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), started.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_says_too_little() {
    const NO_METADATA: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");
    // Nobody is there to answer: TEST-NET-1.
    const DEAD_METADATA: (&str, &str) = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://192.0.2.1");
    const REGION: (&str, &str) = ("AWS_REGION", "us-east-1");
    for (environment, words) in [
        (
            &[NO_METADATA][..],
            "Invalid: aws configuration: no AWS region is set; set AWS_REGION",
        ),
        (&[DEAD_METADATA], "no AWS region is set"),
        (&[NO_METADATA, REGION], "no AWS credentials found; set AWS_PROFILE"),
        (&[DEAD_METADATA, REGION], "no AWS credentials found"),
        (&[NO_METADATA, REGION, ("AWS_PROFILE", "nowhere")], "Unauthenticated"),
    ] {
        let (said, took) = child_says(environment);
        assert!(said.contains(words), "{environment:?}: {said}");
        assert!(took < Duration::from_secs(4), "{environment:?}: {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_endpoint_and_keys_are_used() {
    let server = Server::start(|_, _| {
        query_refusal(
            401,
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
        )
    })
    .await;
    let environment = [
        ("AWS_ENDPOINT_URL", server.address.as_str()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let (said, _) = child_says(&environment);
    assert!(
        said.contains("Unauthenticated") && said.contains("AuthFailure"),
        "{said}"
    );
    assert!(!server.calls().is_empty());
}

/// AWS SDKs and Tools reference guide, "Service-specific endpoints".
#[tokio::test(flavor = "multi_thread")]
async fn each_service_may_have_an_endpoint_of_its_own() {
    let refusing = || Server::start(|_, _| query_refusal(403, "AccessDenied", "this is not the endpoint to use"));
    let sts = Server::start(|_, _| query("GetCallerIdentity", "<Account>000000000007</Account>")).await;
    let zones = Server::start(|_, _| ec2("DescribeAvailabilityZones", "<availabilityZoneInfo/>")).await;
    let classic = Server::start(|_, _| query("DescribeLoadBalancers", "<LoadBalancerDescriptions/>")).await;
    let other = Server::start(|_, _| query("DescribeLoadBalancers", "<LoadBalancers/>")).await;
    let rest = refusing().await;
    let keys = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        (BALANCERS_TOO, "1"),
    ];
    let own = [
        ("AWS_ENDPOINT_URL", rest.address.as_str()),
        ("AWS_ENDPOINT_URL_STS", sts.address.as_str()),
        ("AWS_ENDPOINT_URL_EC2", zones.address.as_str()),
        ("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING", classic.address.as_str()),
        ("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", other.address.as_str()),
    ];
    let (said, _) = child_says(&[&keys[..], &own[..]].concat());
    assert!(
        said.contains("000000000007") && said.contains("0 load balancers"),
        "{said}"
    );
    assert_eq!(sts.actions(), ["GetCallerIdentity"]);
    assert_eq!(zones.actions(), ["DescribeAvailabilityZones"]);
    assert_eq!(classic.actions(), ["DescribeLoadBalancers"]);
    assert_eq!(other.actions(), ["DescribeLoadBalancers"]);
    assert!(rest.actions().is_empty());
}

/// An emulator that is starting takes connections after a while: until then there is one error, and soon.
#[tokio::test]
async fn an_emulator_that_is_still_starting() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let started = Instant::now();
    let error = AwsProvider::connect(settings_for(&address))
        .account()
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(
        error.message.starts_with(&format!("cannot connect to {address}: ")),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
