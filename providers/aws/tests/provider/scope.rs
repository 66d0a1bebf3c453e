//! Which account calls go to, as whom, and what time it is there.

use futures::TryStreamExt;
use moorline_api::{Accounts, ErrorKind, Inventory, VolumeFilter, Volumes};
use moorline_aws::{AssumedRole, AwsProvider, AwsSettings};
use moorline_sandbox_aws::{AwsCloud, AwsSettings as SandboxSettings};
use moorline_sandbox_core::{Journal, World, serve};
use tokio::net::TcpListener;

use crate::server::{Server, query, refusal, settings_for, volumes_page};

/// The account's number in the sandbox.
const ACCOUNT: &str = "000000000000";

async fn sandbox() -> (World, AwsSettings) {
    let world = World::new(Journal::in_memory()).unwrap();
    let cloud = AwsCloud::open(world.clone(), SandboxSettings::instant()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, cloud.router(), std::future::pending()));
    (world, settings_for(&address))
}

fn role(name: &str, external_id: Option<&str>) -> Option<AssumedRole> {
    Some(AssumedRole {
        arn: format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        external_id: external_id.map(str::to_owned),
    })
}

#[tokio::test]
async fn a_role_is_taken_on_for_every_call() {
    let (_, settings) = sandbox().await;
    for role in [role("moorline", None), role("moorline-external", Some("moorline"))] {
        let name = role.as_ref().map(|role| role.arn.clone()).unwrap();
        let name = name.rsplit('/').next().unwrap();
        let account = Some(ACCOUNT.to_owned());
        let provider = AwsProvider::connect(AwsSettings {
            role,
            account,
            ..settings.clone()
        });
        let found = provider.account().await.unwrap();
        let expected = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/moorline");
        assert_eq!((found.id.0.as_str(), found.caller), (ACCOUNT, expected));
        provider.credentials().await.unwrap();
    }
}

#[tokio::test]
async fn a_role_that_trusts_us_not_is_a_matter_of_credentials() {
    let (world, settings) = sandbox().await;
    for role in [role("nobody", None), role("moorline-external", Some("wrong"))] {
        let provider = AwsProvider::connect(AwsSettings {
            role,
            ..settings.clone()
        });
        let error = Volumes::list(&provider, VolumeFilter::All)
            .try_concat()
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthenticated, "{error}");
    }
    let listed = world
        .audit
        .rows()
        .into_iter()
        .any(|row| row.operation == "DescribeVolumes");
    assert!(!listed, "nothing is asked with the caller's own credentials");
}

#[tokio::test]
async fn another_account_than_the_one_asked_for_is_never_called() {
    let server = Server::start(|_, _| query("GetCallerIdentity", "<Account>111111111111</Account>")).await;
    let provider = AwsProvider::connect(AwsSettings {
        account: Some("222222222222".to_owned()),
        ..server.settings()
    });
    let error = Volumes::list(&provider, VolumeFilter::All)
        .try_concat()
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert!(
        error.message.contains("111111111111") && error.message.contains("222222222222"),
        "{error}"
    );
    provider.account().await.unwrap_err();
    provider.credentials().await.unwrap_err();
    assert!(
        server.actions().iter().all(|action| action == "GetCallerIdentity"),
        "{:?}",
        server.actions()
    );
}

#[tokio::test]
async fn the_clock_moves_with_the_cloud() {
    let (world, settings) = sandbox().await;
    let provider = AwsProvider::connect(settings);
    assert_eq!(provider.clock(), None);
    let list = async || Volumes::list(&provider, VolumeFilter::All).try_concat().await.unwrap();
    list().await;
    let before = provider.clock().unwrap();
    world.clock.advance(7 * 24 * 3600, &world.journal).unwrap();
    list().await;
    let moved = provider.clock().unwrap().duration_since(before);
    assert!(
        (7 * 24 * 3600 - 1..7 * 24 * 3600 + 60).contains(&moved.as_secs()),
        "{moved:?}"
    );
}

#[tokio::test]
async fn no_time_is_taken_from_an_answer_without_one() {
    let server = Server::start(|_, before| match before {
        0 => volumes_page(&[], None),
        _ => refusal(400, "InvalidParameterValue", "no"),
    })
    .await;
    let provider = server.provider();
    let list = async || Volumes::list(&provider, VolumeFilter::All).try_concat().await;
    list().await.unwrap();
    list().await.unwrap_err();
    assert_eq!(provider.clock(), None);
}
