//! A volume's whole life on a backend that someone started: the sandbox, an emulator, or AWS itself.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use moorline_api::{
    Accounts, ClientToken, ErrorKind, LoadBalancers, NewVolume, Tags, Volume, VolumeConfig, VolumeFilter, VolumeSpec,
    VolumeState, Volumes,
};
use moorline_aws::{AwsProvider, AwsSettings, Budgets};

use crate::server::settings_for;

fn provider(budgets: Budgets) -> AwsProvider {
    let endpoint = std::env::var("MOORLINE_TEST_AWS_ENDPOINT").expect("MOORLINE_TEST_AWS_ENDPOINT is an address");
    // Without patience, a call that is throttled even once fails the test.
    AwsProvider::connect(AwsSettings {
        budgets,
        patience: Duration::ZERO,
        ..settings_for(&endpoint)
    })
}

fn new_volume(zone: &str, claim_uid: String) -> NewVolume {
    let config = VolumeConfig::Ebs {
        volume_type: "gp3".to_owned(),
        iops: None,
        throughput: None,
        encrypted: None,
        kms_key_id: None,
    };
    NewVolume {
        spec: VolumeSpec {
            size_gib: 1,
            zone: Some(zone.to_owned()),
            config,
        },
        tags: Tags::from([("moorline-test".to_owned(), claim_uid.clone())]),
        token: ClientToken {
            claim_uid,
            generation: 1,
        },
    }
}

async fn tagged(provider: &AwsProvider, tags: &Tags) -> Vec<Volume> {
    Volumes::list(provider, VolumeFilter::Tagged(tags.clone()))
        .try_concat()
        .await
        .unwrap()
}

#[tokio::test]
#[ignore = "needs a backend: MOORLINE_TEST_AWS_ENDPOINT=http://127.0.0.1:PORT"]
async fn of_one_volume() {
    let provider = provider(Budgets::unlimited());
    let account = provider.account().await.unwrap();
    println!("{account:?}");
    let new = new_volume(&account.zones[0], format!("life-{}", std::process::id()));
    let volume = provider.create(&new).await.unwrap();
    let usable = provider.wait_usable(&volume.id).await.unwrap();
    assert_eq!(
        (usable.state, &usable.spec.zone),
        (VolumeState::Available, &new.spec.zone)
    );
    // An emulator that ignores tokens makes a second one.
    let again = provider.create(&new).await.unwrap();
    println!("the same token again: {} and {}", volume.id, again.id);
    let taken = provider.snapshot(&volume.id, "life", &new.tags).await.unwrap();
    assert_eq!(
        (
            taken.completed,
            provider.snapshot(&volume.id, "life", &new.tags).await.unwrap().id
        ),
        (true, taken.id)
    );
    for volume in tagged(&provider, &new.tags).await {
        assert_eq!(volume.tags["moorline-test"], new.token.claim_uid);
        provider.delete(&volume.id).await.unwrap();
        provider.wait_gone(&volume.id).await.unwrap();
        provider.delete(&volume.id).await.unwrap();
    }
    assert!(
        tagged(&provider, &new.tags)
            .await
            .iter()
            .all(|volume| volume.state == VolumeState::Deleted)
    );
    match LoadBalancers::list(&provider).try_concat().await {
        Ok(found) => println!("{} load balancers", found.len()),
        Err(error) => {
            println!("{error}");
            assert_eq!(error.kind, ErrorKind::Unsupported);
        }
    }
}

#[tokio::test]
#[ignore = "needs a backend: MOORLINE_TEST_AWS_ENDPOINT=http://127.0.0.1:PORT"]
async fn of_three_hundred_volumes() {
    let budgets = if std::env::var_os("MOORLINE_TEST_AWS_UNLIMITED").is_some() {
        Budgets::unlimited()
    } else {
        Budgets::default()
    };
    let provider = provider(budgets);
    let zone = provider.account().await.unwrap().zones.remove(0);
    let started = Instant::now();
    let create = |n: u32| {
        let new = new_volume(&zone, format!("many-{}-{n}", std::process::id()));
        let provider = &provider;
        async move {
            let volume = provider.create(&new).await?;
            provider.wait_usable(&volume.id).await
        }
    };
    let volumes = futures::future::try_join_all((0..300).map(create)).await.unwrap();
    let (created, deleting) = (started.elapsed(), Instant::now());
    futures::future::try_join_all(volumes.iter().map(async |volume| {
        provider.delete(&volume.id).await?;
        provider.wait_gone(&volume.id).await
    }))
    .await
    .unwrap();
    println!("created in {created:?}, deleted in {:?}", deleting.elapsed());
    let floor = provider.creation_floor(300);
    assert!(
        created >= floor && created < floor.mul_f64(1.2) + Duration::from_secs(3),
        "{created:?}"
    );
}
