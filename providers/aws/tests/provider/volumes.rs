use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use moorline_api::{
    ClientToken, ErrorKind, NewVolume, Tags, Volume, VolumeConfig, VolumeFilter, VolumeId, VolumeSpec, VolumeState,
    Volumes,
};
use moorline_aws::{AwsProvider, AwsSettings, Budget, Budgets};

use crate::server::{Server, ec2, refusal, volume_fields, volumes_page};

fn id(id: &str) -> VolumeId {
    VolumeId(id.to_owned())
}

fn config() -> VolumeConfig {
    VolumeConfig::Ebs {
        volume_type: "gp2".to_owned(),
        iops: None,
        throughput: None,
        encrypted: Some(false),
        kms_key_id: None,
    }
}

fn new_volume() -> NewVolume {
    NewVolume {
        spec: VolumeSpec {
            size_gib: 10,
            zone: Some("us-east-1a".to_owned()),
            config: config(),
        },
        token: ClientToken {
            claim_uid: "uid-1".to_owned(),
            generation: 2,
        },
        tags: Tags::from([
            ("k".to_owned(), "v".to_owned()),
            ("Name".to_owned(), "ü & x".to_owned()),
        ]),
    }
}

#[tokio::test]
async fn creates_with_token_and_tags_in_one_call() {
    let server = Server::start(|_, _| ec2("CreateVolume", &volume_fields("vol-1", "creating"))).await;
    let volume = server.provider().create(&new_volume()).await.unwrap();
    assert_eq!((volume.id, volume.state), (id("vol-1"), VolumeState::Creating));
    assert_eq!(volume.spec, new_volume().spec);
    assert_eq!(volume.tags, Tags::from([("a".to_owned(), "b".to_owned())]));
    assert_eq!(volume.created.unwrap().to_string(), "2026-11-21T09:00:00Z");
    let calls = server.calls();
    assert_eq!(calls.len(), 1);
    for (key, value) in [
        ("Action", "CreateVolume"),
        ("ClientToken", "uid-1-2"),
        ("Size", "10"),
        ("AvailabilityZone", "us-east-1a"),
        ("VolumeType", "gp2"),
        ("Encrypted", "false"),
        ("TagSpecification.1.ResourceType", "volume"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "ü & x"),
        ("TagSpecification.1.Tag.2.Key", "k"),
    ] {
        assert_eq!(calls[0].get(key).map(String::as_str), Some(value), "{key}");
    }
    assert!(!calls[0].contains_key("DryRun") && !calls[0].contains_key("Iops"));
}

#[tokio::test]
async fn refused_creations_are_told_apart_and_not_repeated() {
    for (answer, kind) in [
        (
            refusal(
                400,
                "IdempotentParameterMismatch",
                "The client token has other parameters.",
            ),
            ErrorKind::TokenBurnt,
        ),
        (
            refusal(
                400,
                "InvalidParameterValue",
                "The client token is associated with a resource that is already deleted",
            ),
            ErrorKind::TokenBurnt,
        ),
        (
            ec2("CreateVolume", &volume_fields("vol-1", "deleting")),
            ErrorKind::TokenBurnt,
        ),
        (
            refusal(
                400,
                "VolumeLimitExceeded",
                "You have exceeded your maximum gp2 storage limit",
            ),
            ErrorKind::LimitExceeded,
        ),
        (
            refusal(400, "InvalidZone.NotFound", "The zone 'us-east-1z' does not exist."),
            ErrorKind::Invalid,
        ),
        (
            refusal(403, "UnauthorizedOperation", "You are not authorized"),
            ErrorKind::Forbidden,
        ),
    ] {
        let server = Server::start(move |_, _| answer.clone()).await;
        assert_eq!(server.provider().create(&new_volume()).await.unwrap_err().kind, kind);
        assert_eq!(server.calls().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn repeats_what_is_harmless_with_the_same_token() {
    let server = Server::start(|_, before| match before {
        0 => refusal(503, "RequestLimitExceeded", "Request limit exceeded."),
        1 => refusal(500, "InternalError", "An internal error has occurred"),
        2 => volumes_page(&[], None),
        _ => ec2("CreateVolume", &volume_fields("vol-1", "available")),
    })
    .await;
    server.provider().create(&new_volume()).await.unwrap();
    let actions = ["CreateVolume", "CreateVolume", "DescribeVolumes", "CreateVolume"];
    assert_eq!(server.actions(), actions);
    let tokens: BTreeSet<_> = server
        .calls()
        .iter()
        .filter_map(|call| call.get("ClientToken").cloned())
        .collect();
    assert_eq!(tokens, BTreeSet::from(["uid-1-2".to_owned()]));
}

/// Emulators ignore the token: what a lost call made is looked for by its tags before another is sent.
#[tokio::test]
async fn what_a_lost_creation_made_is_found_by_its_tags() {
    let tagged = |id: &str, state: &str, zone: &str, value: &str| {
        let fields = volume_fields(id, state).replace("us-east-1a", zone);
        let tags = format!(
            "<item><key>k</key><value>{value}</value></item><item><key>Name</key><value>ü &amp; x</value></item>"
        );
        format!(
            "<item>{}</item>",
            fields.replace("<item><key>a</key><value>b</value></item>", &tags)
        )
    };
    let others = [
        tagged("vol-1", "deleting", "us-east-1a", "v"),
        tagged("vol-2", "available", "us-east-1b", "v"),
        tagged("vol-3", "available", "us-east-1a", "another"),
    ]
    .concat();
    let made = tagged("vol-4", "creating", "us-east-1a", "v");
    for (listed, sent) in [(others.clone() + &made, 1), (others, 2)] {
        let server = Server::start(move |params, before| match params["Action"].as_str() {
            "DescribeVolumes" => ec2("DescribeVolumes", &format!("<volumeSet>{listed}</volumeSet>")),
            _ if before == 0 => refusal(500, "InternalError", "An internal error has occurred"),
            _ => ec2("CreateVolume", &volume_fields("vol-5", "creating")),
        })
        .await;
        let volume = server.provider().create(&new_volume()).await.unwrap();
        assert_eq!(volume.id, id(if sent == 1 { "vol-4" } else { "vol-5" }));
        let creations = server
            .actions()
            .iter()
            .filter(|action| *action == "CreateVolume")
            .count();
        assert_eq!(creations, sent);
    }
}

/// No call outlasts its patience, in whatever it is that takes so long.
#[tokio::test]
async fn a_search_for_what_a_lost_creation_made_is_bounded_too() {
    let server = Server::start(|params, _| match params["Action"].as_str() {
        "CreateVolume" => refusal(500, "InternalError", "An internal error has occurred"),
        _ => (0, String::new()),
    })
    .await;
    let provider = AwsProvider::connect(AwsSettings {
        patience: Duration::from_millis(900),
        ..server.settings()
    });
    let started = Instant::now();
    let error = provider.create(&new_volume()).await.unwrap_err();
    assert_eq!(
        (error.operation.as_str(), error.kind.clone()),
        ("ec2:CreateVolume", ErrorKind::Internal),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_throttle_that_does_not_end_is_told_in_time() {
    let server = Server::start(|_, _| refusal(503, "RequestLimitExceeded", "Request limit exceeded.")).await;
    let settings = AwsSettings {
        patience: Duration::from_millis(900),
        ..server.settings()
    };
    let started = Instant::now();
    let error = AwsProvider::connect(settings).delete(&id("vol-1")).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Throttled { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn pace_is_kept_by_all_tasks_together() {
    let server = Server::start(|_, _| ec2("DeleteVolume", "<return>true</return>")).await;
    let budgets = Budgets {
        volume_writes: Some(Budget {
            burst: 30,
            per_second: 20,
        }),
        ..Budgets::unlimited()
    };
    let provider = AwsProvider::connect(AwsSettings {
        budgets,
        ..server.settings()
    });
    let started = Instant::now();
    let volumes: Vec<_> = (0..20).map(|n| id(&format!("vol-{n}"))).collect();
    futures::future::try_join_all(volumes.iter().map(|volume| provider.delete(volume)))
        .await
        .unwrap();
    // Ten at once, ten more at 19.8 a second.
    assert!(
        started.elapsed() > Duration::from_millis(480),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(server.calls().len(), 20);
}

async fn all(provider: &AwsProvider, filter: VolumeFilter) -> moorline_api::Result<Vec<Volume>> {
    provider.list(filter).try_concat().await
}

#[tokio::test]
async fn lists_every_page_with_literal_filters() {
    let server = Server::start(|params, _| match params.get("NextToken").map(String::as_str) {
        None => volumes_page(&[("vol-1", "available"), ("vol-2", "in-use")], Some("t1")),
        Some("t1") => volumes_page(&[], Some("t2")),
        Some(_) => volumes_page(&[("vol-3", "strange")], None),
    })
    .await;
    let tags = Tags::from([("k*".to_owned(), r"v?\*".to_owned())]);
    let found = all(&server.provider(), VolumeFilter::Tagged(tags)).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|volume| (volume.id.0, volume.state)).collect();
    let expected = [
        ("vol-1", VolumeState::Available),
        ("vol-2", VolumeState::InUse),
        ("vol-3", VolumeState::Unknown),
    ];
    assert_eq!(found, expected.map(|(id, state)| (id.to_owned(), state)));
    for call in server.calls() {
        assert_eq!(call["MaxResults"], "500");
        assert_eq!(call["Filter.1.Name"], "tag:k*");
        assert_eq!(call["Filter.1.Value.1"], r"v\?\\\*");
    }
}

#[tokio::test]
async fn a_listing_is_complete_or_an_error() {
    // A token that leads in a circle.
    let server = Server::start(|_, _| volumes_page(&[("vol-1", "available")], Some("again"))).await;
    assert_eq!(
        all(&server.provider(), VolumeFilter::All).await.unwrap_err().kind,
        ErrorKind::Internal
    );
    assert!(server.calls().len() <= 3);

    // A second page that is refused, and nothing after it.
    let server = Server::start(|_, before| match before {
        0 => volumes_page(&[("vol-1", "available")], Some("t")),
        _ => refusal(403, "UnauthorizedOperation", "no"),
    })
    .await;
    let provider = server.provider();
    let ids = (0..450).map(|n| id(&format!("vol-{n}"))).collect();
    let pages: Vec<_> = provider.list(VolumeFilter::Ids(ids)).collect().await;
    assert_eq!(pages.len(), 2);
    assert_eq!(pages[1].as_ref().unwrap_err().kind, ErrorKind::Forbidden);
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn ids_are_filtered_in_batches() {
    let server = Server::start(|_, _| volumes_page(&[], None)).await;
    let provider = server.provider();
    all(
        &provider,
        VolumeFilter::Ids((0..450).map(|n| id(&format!("vol-{n}"))).collect()),
    )
    .await
    .unwrap();
    assert_eq!(server.calls().len(), 3);
    for call in server.calls() {
        assert_eq!(call["Filter.1.Name"], "volume-id");
        assert!(!call.contains_key("Filter.1.Value.201") && !call.keys().any(|key| key.starts_with("VolumeId")));
    }
    assert_eq!(all(&provider, VolumeFilter::Ids(Vec::new())).await.unwrap(), []);
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn waits_until_usable_and_until_gone() {
    let server = Server::start(|_, before| match before {
        1 | 2 => volumes_page(&[("vol-1", "creating")], None),
        3 => volumes_page(&[("vol-1", "available")], None),
        4 => volumes_page(&[("vol-1", "deleting")], None),
        _ => volumes_page(&[], None),
    })
    .await;
    let provider = server.provider();
    assert_eq!(
        provider.wait_usable(&id("vol-1")).await.unwrap().state,
        VolumeState::Available
    );
    assert_eq!(server.calls().len(), 4);
    provider.wait_gone(&id("vol-1")).await.unwrap();
    assert_eq!(server.calls().len(), 7);
}

#[tokio::test]
async fn deletion_is_success_where_nothing_is_left() {
    let server =
        Server::start(|_, _| refusal(400, "InvalidVolume.NotFound", "The volume 'vol-1' does not exist.")).await;
    server.provider().delete(&id("vol-1")).await.unwrap();

    let server = Server::start(|_, _| refusal(400, "VolumeInUse", "Volume vol-1 is currently attached to i-1")).await;
    let error = server.provider().delete(&id("vol-1")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InUse);
    assert_eq!(
        error.to_string(),
        "ec2:DeleteVolume vol-1: Volume vol-1 is currently attached to i-1 (VolumeInUse)"
    );

    for (state, expected) in [("deleting", Ok(())), ("in-use", Err(ErrorKind::InUse))] {
        let server = Server::start(move |params, _| match params["Action"].as_str() {
            "DeleteVolume" => refusal(400, "IncorrectState", "The volume is in an incorrect state"),
            _ => volumes_page(&[("vol-1", state)], None),
        })
        .await;
        let outcome = server.provider().delete(&id("vol-1")).await.map_err(|error| error.kind);
        assert_eq!(outcome, expected, "{state}");
    }

    // A volume that is being created can be deleted a moment later.
    let server = Server::start(|_, before| match before {
        0 => refusal(400, "IncorrectState", "The volume is in an incorrect state"),
        1 => volumes_page(&[("vol-1", "creating")], None),
        _ => ec2("DeleteVolume", "<return>true</return>"),
    })
    .await;
    server.provider().delete(&id("vol-1")).await.unwrap();
}
