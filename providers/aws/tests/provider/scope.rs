//! Which account calls go to, as whom, how fast, and what time it is there.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use futures::future::try_join_all;
use moorline_api::{Accounts, ErrorKind, Inventory, VolumeFilter, VolumeId, Volumes};
use moorline_aws::{AssumedRole, AwsProvider, AwsSettings, Budgets};
use moorline_sandbox_aws::{AwsCloud, AwsSettings as SandboxSettings, NewVolume};
use moorline_sandbox_core::{Journal, World, serve};
use tokio::net::TcpListener;

use crate::server::{Server, query, refusal, settings_for, volumes_page};

/// The account's number in the sandbox.
const ACCOUNT: &str = "000000000000";

/// An account that answers at once.
async fn sandbox() -> (World, AwsSettings) {
    let (world, _, settings) = account(SandboxSettings::instant()).await;
    (world, settings)
}

async fn account(settings: SandboxSettings) -> (World, AwsCloud, AwsSettings) {
    let world = World::new(Journal::in_memory()).unwrap();
    let cloud = AwsCloud::open(world.clone(), settings).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, cloud.router(), std::future::pending()));
    (world, cloud, settings_for(&address))
}

fn role(name: &str, external_id: Option<&str>) -> AssumedRole {
    AssumedRole {
        arn: format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        external_id: external_id.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_role_is_taken_on_for_every_call() {
    let (_, settings) = sandbox().await;
    for role in [role("moorline", None), role("moorline-external", Some("moorline"))] {
        let name = role.arn.rsplit('/').next().unwrap().to_owned();
        let account = Some(ACCOUNT.to_owned());
        let provider = AwsProvider::connect(AwsSettings {
            role: Some(role),
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
            role: Some(role),
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

/// `MOORLINE_AWS_DELETIONS=1000` takes three minutes.
#[tokio::test(flavor = "multi_thread")]
async fn deletions_keep_to_the_rates_of_an_account_as_it_comes() {
    let count: u32 = std::env::var("MOORLINE_AWS_DELETIONS").map_or(130, |count| count.parse().unwrap());
    let (world, cloud, settings) = account(SandboxSettings::default()).await;
    let new = NewVolume {
        zone: "us-east-1a".to_owned(),
        size_gib: 1,
        ..NewVolume::default()
    };
    let ids = cloud.seed(vec![new; count as usize], world.clock.now()).unwrap();
    let budgets = Budgets::default();
    let provider = AwsProvider::connect(AwsSettings { budgets, ..settings });
    let started = Instant::now();
    let deletions = ids.into_iter().map(|id| {
        let provider = &provider;
        async move {
            let id = VolumeId(id);
            Volumes::delete(provider, &id).await?;
            provider.wait_gone(&id).await
        }
    });
    try_join_all(deletions).await.unwrap();
    let (took, floor) = (started.elapsed(), budgets.volume_writes.unwrap().floor(count));
    assert_eq!(cloud.volumes(), []);
    let rows = world.audit.rows();
    let calls = |operation: &str| {
        rows.iter()
            .filter(|row| row.operation == operation)
            .map(|row| row.calls)
            .sum::<u64>()
    };
    assert_eq!(rows.iter().map(|row| row.throttled).sum::<u64>(), 0, "{rows:?}");
    assert_eq!(calls("DeleteVolume"), u64::from(count));
    // However many wait for their end, they are read together.
    let reads = calls("DescribeVolumes");
    assert!(reads < 40 + 3 * took.as_secs(), "{reads} reads in {took:?}");
    // The last of them takes its second to vanish; a busy machine may be late by some more.
    let patience = Duration::from_secs(8);
    assert!(took < floor.mul_f64(1.03) + patience, "{took:?} of {floor:?}");
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
