//! Token buckets over the API.

use moorline_sandbox_aws::AwsSettings;

use crate::client::Client;

async fn served(client: &Client, calls: usize, action: &str, parameters: &[(&str, &str)]) -> usize {
    let mut served = 0;
    for _ in 0..calls {
        let answer = client.ec2(action, parameters).await;
        if answer.status == 503 {
            assert_eq!(answer.code(), "RequestLimitExceeded");
        } else {
            served += 1;
        }
    }
    served
}

#[tokio::test]
async fn every_operation_has_its_published_rate() {
    let client = Client::new(AwsSettings {
        visibility_lag_millis: 0,
        ..AwsSettings::default()
    });
    let volume = [("AvailabilityZone", "us-east-1a"), ("Size", "1")];
    // A few more may pass while the calls themselves take time.
    let about = |served: usize, burst: usize| (burst..burst + 15).contains(&served);
    assert!(about(served(&client, 140, "CreateVolume", &volume).await, 100));
    assert!(
        about(served(&client, 90, "DescribeVolumes", &[]).await, 50),
        "everything at once is dear"
    );
    assert!(
        served(&client, 40, "DescribeVolumes", &[("MaxResults", "5")]).await == 40,
        "a page is not"
    );
    client.pass(4);
    assert!(
        about(served(&client, 60, "CreateVolume", &volume).await, 20),
        "five flow back each second"
    );
    assert!(client.audit("CreateVolume").throttled > 50);
    assert_eq!(
        client.audit("CreateVolume").changed,
        client.cloud.volumes().len() as u64
    );
}

#[tokio::test]
async fn the_in_process_interface_is_not_throttled_and_the_switch_works() {
    let client = Client::new(AwsSettings {
        throttle: false,
        ..AwsSettings::default()
    });
    assert_eq!(served(&client, 300, "DescribeRegions", &[]).await, 300);
    client.cloud.set_settings(AwsSettings::default());
    assert!(served(&client, 300, "DescribeRegions", &[]).await < 200);
}
