//! Finding things: ids, filters, pages, regions.

use std::collections::BTreeSet;

use moorline_sandbox_aws::{AwsSettings, NewVolume};

use crate::client::Client;

fn with_volumes(count: u32) -> Client {
    let client = Client::instant();
    for n in 0..count {
        let tags = [("CSIVolumeName".to_owned(), format!("pvc-{n}"))];
        let zone = if n % 2 == 0 { "us-east-1a" } else { "us-east-1b" }.to_owned();
        client
            .cloud
            .create_volume(NewVolume {
                zone,
                size_gib: n + 1,
                tags: tags.into(),
                ..NewVolume::default()
            })
            .unwrap();
    }
    client
}

#[tokio::test]
async fn pages_join_to_the_whole() {
    let client = with_volumes(23);
    let (mut ids, mut token, mut pages) = (BTreeSet::new(), String::new(), 0);
    loop {
        let mut asked = vec![("MaxResults", "5")];
        if pages > 0 {
            asked.push(("NextToken", &token));
        }
        let page = client.ec2("DescribeVolumes", &asked).await.ok();
        assert!(page.texts("volumeId").len() <= 5);
        ids.extend(page.texts("volumeId"));
        pages += 1;
        match page.texts("nextToken").pop() {
            Some(next) => token = next,
            None => break,
        }
    }
    assert_eq!((ids.len(), pages), (23, 5));
}

#[tokio::test]
async fn page_sizes_and_tokens_are_checked() {
    let client = with_volumes(12);
    let page = async |parameters: &[(&str, &str)]| client.ec2("DescribeVolumes", parameters).await;
    for size in ["4", "0", "-1", "x"] {
        assert_eq!(
            page(&[("MaxResults", size)]).await.code(),
            "InvalidParameterValue",
            "{size}"
        );
    }
    assert_eq!(page(&[("MaxResults", "100000")]).await.ok().texts("volumeId").len(), 12);
    let id = client.cloud.volumes()[0].id.clone();
    assert_eq!(
        page(&[("MaxResults", "5"), ("VolumeId.1", &id)]).await.code(),
        "InvalidParameterCombination"
    );
    assert_eq!(
        page(&[("MaxResults", "5"), ("NextToken", "bogus")]).await.code(),
        "InvalidParameterValue"
    );
    let token = page(&[("MaxResults", "5")]).await.ok().text("nextToken");
    let filtered = [
        ("MaxResults", "5"),
        ("NextToken", &token),
        ("Filter.1.Name", "size"),
        ("Filter.1.Value.1", "1"),
    ];
    assert_eq!(
        page(&filtered).await.code(),
        "InvalidParameterValue",
        "the token is of another listing"
    );

    let settings = AwsSettings {
        page_size_cap: 7,
        ..AwsSettings::instant()
    };
    client.cloud.set_settings(settings);
    assert_eq!(page(&[("MaxResults", "500")]).await.ok().texts("volumeId").len(), 7);
}

#[tokio::test]
async fn more_than_five_hundred_are_served_as_five_hundred() {
    let client = with_volumes(510);
    let page = client.ec2("DescribeVolumes", &[("MaxResults", "1000")]).await.ok();
    assert_eq!(page.texts("volumeId").len(), 500);
    assert_eq!(
        client.ec2("DescribeVolumes", &[]).await.ok().texts("volumeId").len(),
        510
    );
    let many: Vec<(String, String)> = client
        .cloud
        .volumes()
        .into_iter()
        .enumerate()
        .map(|(n, v)| (format!("VolumeId.{}", n + 1), v.id))
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
    client.ec2("DescribeVolumes", &many[..500]).await.ok();
    assert_eq!(
        client.ec2("DescribeVolumes", &many[..501]).await.code(),
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn filters_take_tags_fields_and_wildcards() {
    let client = with_volumes(20);
    let count = async |filters: &[(&str, &str)]| {
        let numbered: Vec<(String, &str)> = filters
            .iter()
            .enumerate()
            .flat_map(|(n, (name, value))| {
                [
                    (format!("Filter.{}.Name", n + 1), *name),
                    (format!("Filter.{}.Value.1", n + 1), *value),
                ]
            })
            .collect();
        let plain: Vec<(&str, &str)> = numbered.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        client.ec2("DescribeVolumes", &plain).await.ok().texts("volumeId").len()
    };
    assert_eq!(count(&[("tag:CSIVolumeName", "pvc-1?")]).await, 10);
    assert_eq!(count(&[("tag:CSIVolumeName", "PVC-1")]).await, 0);
    assert_eq!(count(&[("tag-key", "CSI*")]).await, 20);
    assert_eq!(count(&[("availability-zone", "us-east-1b"), ("size", "2")]).await, 1);
    assert_eq!(
        count(&[("status", "available"), ("volume-type", "gp2"), ("encrypted", "false")]).await,
        20
    );
    assert_eq!(count(&[("create-time", "20??-*")]).await, 20);
    assert_eq!(count(&[("attachment.instance-id", "*")]).await, 0);
    let unknown = client
        .ec2(
            "DescribeVolumes",
            &[("Filter.1.Name", "colour"), ("Filter.1.Value.1", "red")],
        )
        .await;
    assert_eq!(unknown.code(), "InvalidParameterValue");
}

#[tokio::test]
async fn one_unknown_id_fails_the_batch() {
    let client = with_volumes(1);
    let id = client.cloud.volumes()[0].id.clone();
    let batch = [("VolumeId.1", id.as_str()), ("VolumeId.2", "vol-0123456789abcdef0")];
    assert_eq!(
        client.ec2("DescribeVolumes", &batch).await.code(),
        "InvalidVolume.NotFound"
    );
    assert_eq!(
        client.ec2("DescribeVolumes", &[("VolumeId.1", "volume")]).await.code(),
        "InvalidVolumeID.Malformed"
    );
}

#[tokio::test]
async fn tags_are_listed_by_resource() {
    let client = with_volumes(7);
    let listed = client
        .ec2(
            "DescribeTags",
            &[("Filter.1.Name", "value"), ("Filter.1.Value.1", "pvc-3")],
        )
        .await
        .ok();
    assert_eq!(listed.text("resourceType"), "volume");
    assert_eq!(
        client
            .ec2("DescribeTags", &[("MaxResults", "5")])
            .await
            .ok()
            .texts("resourceId")
            .len(),
        5
    );
}

#[tokio::test]
async fn too_many_tags_and_reserved_ones_are_refused() {
    let client = with_volumes(1);
    let id = client.cloud.volumes()[0].id.clone();
    let tags = |count: usize| -> Vec<(String, String)> {
        let tags = (1..=count).flat_map(|n| {
            [
                (format!("Tag.{n}.Key"), format!("k{n}")),
                (format!("Tag.{n}.Value"), String::new()),
            ]
        });
        std::iter::once(("ResourceId.1".to_owned(), id.clone()))
            .chain(tags)
            .collect()
    };
    let create = async |tags: Vec<(String, String)>| {
        let plain: Vec<_> = tags
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        client.ec2("CreateTags", &plain).await
    };
    assert_eq!(
        create(tags(50)).await.code(),
        "TagLimitExceeded",
        "with the one it has they are 51"
    );
    create(tags(49)).await.ok();
    let reserved = [
        ("ResourceId.1", id.as_str()),
        ("Tag.1.Key", "aws:x"),
        ("Tag.1.Value", ""),
    ];
    assert_eq!(
        client.ec2("CreateTags", &reserved).await.code(),
        "InvalidParameterValue"
    );
    let stranger = [
        ("ResourceId.1", "vol-0123456789abcdef0"),
        ("Tag.1.Key", "x"),
        ("Tag.1.Value", ""),
    ];
    assert_eq!(
        client.ec2("CreateTags", &stranger).await.code(),
        "InvalidVolume.NotFound"
    );
    let reserved = [("ResourceId.1", id.as_str()), ("Tag.1.Key", "aws:x")];
    assert_eq!(
        client.ec2("DeleteTags", &reserved).await.code(),
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn tags_of_many_change_in_one_call_or_not_at_all() {
    let client = with_volumes(600);
    let ids: Vec<String> = client.cloud.volumes().into_iter().map(|volume| volume.id).collect();
    let call = async |action: &str, ids: &[&str], tag: &[(&str, &str)]| {
        let numbered: Vec<_> = (1..).map(|n| format!("ResourceId.{n}")).zip(ids).collect();
        let mut parameters: Vec<(&str, &str)> = numbered.iter().map(|(name, id)| (name.as_str(), **id)).collect();
        parameters.extend(tag);
        client.ec2(action, &parameters).await
    };
    let marked = || {
        let volumes = client.cloud.volumes();
        volumes.iter().filter(|volume| volume.tags.contains_key("mark")).count()
    };
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mark = [("Tag.1.Key", "mark"), ("Tag.1.Value", "m")];
    let with_stranger = [&all[..], &["vol-0123456789abcdef0"]].concat();
    assert_eq!(
        call("CreateTags", &with_stranger, &mark).await.code(),
        "InvalidVolume.NotFound"
    );
    assert_eq!(marked(), 0);
    call("CreateTags", &all, &mark).await.ok();
    assert_eq!(marked(), 600);
    // Another value, and an empty one, are not this tag's; no value means any.
    for (value, left) in [(Some("x"), 600), (Some(""), 600), (None, 0)] {
        let tag: Vec<_> = [Some(("Tag.1.Key", "mark")), value.map(|value| ("Tag.1.Value", value))]
            .into_iter()
            .flatten()
            .collect();
        call("DeleteTags", &all, &tag).await.ok();
        assert_eq!(marked(), left, "{value:?}");
    }
    let too_many: Vec<&str> = all.iter().chain(&all).copied().take(1001).collect();
    assert_eq!(
        call("CreateTags", &too_many, &mark).await.code(),
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn ids_in_a_filter_are_looked_up_and_paged() {
    let client = with_volumes(30);
    let ids: Vec<String> = client.cloud.volumes().into_iter().map(|volume| volume.id).collect();
    let mut parameters = vec![("Filter.1.Name".to_owned(), "volume-id".to_owned())];
    let wanted = ids[3..20]
        .iter()
        .chain([&ids[5]])
        .cloned()
        .chain(["vol-nobody".to_owned()]);
    parameters.extend((1..).map(|n| format!("Filter.1.Value.{n}")).zip(wanted));
    parameters.push(("MaxResults".to_owned(), "10".to_owned()));
    let mut found = Vec::new();
    loop {
        let plain: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let page = client.ec2("DescribeVolumes", &plain).await.ok();
        found.extend(page.texts("volumeId"));
        let Some(token) = page.texts("nextToken").pop() else {
            break;
        };
        parameters.push(("NextToken".to_owned(), token));
    }
    assert_eq!(found, ids[3..20]);
}

#[tokio::test]
async fn what_is_seeded_was_always_there() {
    let client = Client::new(AwsSettings {
        volume_limit: 1,
        ..AwsSettings::default()
    });
    let created = client.world.clock.now() - jiff::SignedDuration::from_hours(24);
    let volumes = (0..1200).map(|n| NewVolume {
        zone: "us-east-1a".to_owned(),
        size_gib: 1 + n % 7,
        volume_type: "gp3".to_owned(),
        ..NewVolume::default()
    });
    let ids = client.cloud.seed(volumes.collect(), created).unwrap();
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = [("MaxResults", "500"), ("NextToken", token.as_str())];
        let page = client.ec2("DescribeVolumes", &page).await.ok();
        assert!(page.texts("status").iter().all(|status| status == "available"));
        found.extend(page.texts("volumeId"));
        match page.texts("nextToken").pop() {
            Some(next) => token = next,
            None => break,
        }
    }
    let mut sorted = ids.clone();
    sorted.sort();
    assert_eq!(found, sorted);
    assert_eq!(client.cloud.volume(&ids[8]).unwrap().size_gib, 2);
}

#[tokio::test]
async fn a_role_is_taken_on_by_whoever_it_trusts_and_for_a_while() {
    let mut client = Client::instant();
    let sts = "2011-06-15";
    let assume = async |client: &Client, role: &str, more: &[(&str, &str)]| {
        let arn = format!("arn:aws:iam::000000000000:role/{role}");
        let own = [("RoleArn", arn.as_str()), ("RoleSessionName", "test")];
        client.call(sts, "AssumeRole", &[&own[..], more].concat()).await
    };
    let denied = assume(&client, "nobody", &[]).await;
    assert_eq!((denied.status, denied.code()), (403, "AccessDenied".to_owned()));
    assert_eq!(assume(&client, "moorline-external", &[]).await.code(), "AccessDenied");
    assume(&client, "moorline-external", &[("ExternalId", "moorline")])
        .await
        .ok();
    let short = assume(&client, "moorline", &[("DurationSeconds", "899")]).await;
    assert_eq!(short.code(), "ValidationError");

    let given = assume(&client, "moorline", &[]).await.ok();
    let (key, token) = (given.text("AccessKeyId"), given.text("SessionToken"));
    client.access_key = Box::leak(key.into_boxed_str());
    let who = async |client: &Client, token: &str| {
        let token = [("X-Amz-Security-Token", token)];
        client.call(sts, "GetCallerIdentity", &token).await
    };
    assert_eq!(
        who(&client, &token).await.ok().text("Arn"),
        "arn:aws:sts::000000000000:assumed-role/moorline/test"
    );
    assert_eq!(who(&client, "").await.code(), "InvalidClientTokenId");
    client.pass(3601);
    assert_eq!(who(&client, &token).await.code(), "ExpiredToken");
}

#[tokio::test]
async fn another_region_is_empty_and_an_unknown_one_is_none() {
    let mut client = with_volumes(3);
    client.region = "eu-west-1";
    assert!(
        client
            .ec2("DescribeVolumes", &[])
            .await
            .ok()
            .texts("volumeId")
            .is_empty()
    );
    let zones = client
        .ec2("DescribeAvailabilityZones", &[])
        .await
        .ok()
        .texts("zoneName");
    assert_eq!(zones, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]);
    let wrong = client
        .ec2("CreateVolume", &[("AvailabilityZone", "us-east-1a"), ("Size", "1")])
        .await;
    assert_eq!(wrong.text("Message"), "Invalid availability zone: [us-east-1a]");
    client.region = "moon-1";
    let none = client.ec2("DescribeVolumes", &[]).await;
    assert_eq!((none.status, none.code()), (401, "AuthFailure".to_owned()));
}

#[tokio::test]
async fn callers_without_rights_or_name_are_refused() {
    let mut client = Client::instant();
    for (key, code) in [
        ("EXPIRED1", "RequestExpired"),
        ("INVALID1", "AuthFailure"),
        ("DENIED1", "UnauthorizedOperation"),
    ] {
        client.access_key = key;
        assert_eq!(client.ec2("DescribeVolumes", &[]).await.code(), code);
    }
    let identity = client.call("2011-06-15", "GetCallerIdentity", &[]).await.ok();
    assert_eq!(identity.text("Account"), "000000000000");
}

#[tokio::test]
async fn what_the_api_does_not_have_is_refused() {
    let client = Client::instant();
    assert_eq!(client.ec2("DescribeImages", &[]).await.code(), "InvalidAction");
    assert_eq!(
        client.call("1999-01-01", "DescribeVolumes", &[]).await.code(),
        "InvalidAction"
    );
    assert_eq!(
        client.ec2("DescribeVolumes", &[("Filters", "x")]).await.code(),
        "UnknownParameter"
    );
    let rows = client.world.audit.rows();
    assert_eq!(
        rows.iter()
            .filter(|row| row.operation == "InvalidAction")
            .map(|row| row.calls)
            .sum::<u64>(),
        2
    );
}
