//! Client tokens: once made, always the same; never again once it is gone.

use moorline_sandbox_aws::AwsSettings;

use crate::client::{Answer, Client};

async fn create(client: &Client, token: &str, more: &[(&str, &str)]) -> Answer {
    let mut all = vec![
        ("AvailabilityZone", "us-east-1a"),
        ("Size", "10"),
        ("ClientToken", token),
    ];
    for (name, value) in more {
        all.retain(|(other, _)| other != name);
        all.push((name, value));
    }
    client.ec2("CreateVolume", &all).await
}

#[tokio::test]
async fn the_same_token_gives_the_same_volume() {
    let client = Client::instant();
    let first = create(&client, "t", &[]).await.ok().text("volumeId");
    let again = create(&client, "t", &[]).await.ok();
    assert_eq!(again.text("volumeId"), first);
    assert_ne!(
        create(&client, "T", &[]).await.ok().text("volumeId"),
        first,
        "tokens are case-sensitive"
    );
    let row = client.audit("CreateVolume");
    assert_eq!((row.calls, row.mutating, row.changed), (3, 3, 2));
}

#[tokio::test]
async fn other_parameters_are_a_mismatch_but_another_zone_is_another_request() {
    let client = Client::instant();
    let first = create(&client, "t", &[]).await.ok().text("volumeId");
    let tag = [
        ("TagSpecification.1.ResourceType", "volume"),
        ("TagSpecification.1.Tag.1.Key", "a"),
    ];
    for other in [
        &[("Size", "11")][..],
        &[("VolumeType", "gp3")],
        &[("Encrypted", "true")],
        &tag,
    ] {
        assert_eq!(
            create(&client, "t", other).await.code(),
            "IdempotentParameterMismatch",
            "{other:?}"
        );
    }
    let elsewhere = create(&client, "t", &[("AvailabilityZone", "us-east-1b")])
        .await
        .ok()
        .text("volumeId");
    assert_ne!(elsewhere, first);
}

#[tokio::test]
async fn a_token_is_burnt_by_deletion() {
    let client = Client::instant();
    let id = create(&client, "t", &[]).await.ok().text("volumeId");
    client.ec2("DeleteVolume", &[("VolumeId", &id)]).await.ok();
    for _ in 0..2 {
        let refused = create(&client, "t", &[]).await;
        assert_eq!(refused.code(), "IdempotentParameterMismatch");
        assert!(refused.text("Message").contains("already deleted"), "{refused:?}");
        client.pass(100);
    }
}

#[tokio::test]
async fn a_token_is_burnt_by_a_key_that_does_not_exist() {
    let client = Client::new(AwsSettings {
        throttle: false,
        ..AwsSettings::default()
    });
    let bad = [
        ("Encrypted", "true"),
        ("KmsKeyId", "11111111-2222-3333-4444-555555555555"),
    ];
    let id = create(&client, "t", &bad).await.ok().text("volumeId");
    assert_eq!(client.cloud.volumes().len(), 1);
    client.pass(10);
    assert_eq!(
        client.ec2("DescribeVolumes", &[("VolumeId.1", &id)]).await.code(),
        "InvalidVolume.NotFound"
    );
    assert_eq!(create(&client, "t", &bad).await.code(), "IdempotentParameterMismatch");

    let good = [
        ("Encrypted", "true"),
        ("KmsKeyId", "arn:aws:kms:us-east-1:000000000000:alias/ExampleAlias"),
    ];
    let id = create(&client, "u", &good).await.ok().text("volumeId");
    client.pass(10);
    client.ec2("DescribeVolumes", &[("VolumeId.1", &id)]).await.ok();
}

#[tokio::test]
async fn a_token_must_be_short_and_plain() {
    let client = Client::instant();
    create(&client, &"x".repeat(64), &[]).await.ok();
    assert_eq!(
        create(&client, &"x".repeat(65), &[]).await.code(),
        "InvalidParameterValue"
    );
    assert_eq!(create(&client, "é", &[]).await.code(), "InvalidParameterValue");
}

#[tokio::test]
async fn the_volume_limit_ignores_tokens() {
    let client = Client::new(AwsSettings {
        volume_limit: 1,
        ..AwsSettings::instant()
    });
    create(&client, "t", &[]).await.ok();
    assert_eq!(create(&client, "t", &[]).await.code(), "VolumeLimitExceeded");
}
