//! Faults before and after the effect of a call.

use moorline_sandbox_core::{Effect, Fault, Moment};

use crate::client::Client;

const VOLUME: [(&str, &str); 3] = [("AvailabilityZone", "us-east-1a"), ("Size", "1"), ("ClientToken", "t")];

fn fault(moment: Moment, effect: Effect) -> Fault {
    Fault {
        service: "ec2".to_owned(),
        operation: "CreateVolume".to_owned(),
        moment,
        skip: 0,
        times: Some(1),
        effect,
    }
}

fn error() -> Effect {
    Effect::Error {
        status: 500,
        code: "InternalError".to_owned(),
        message: "An <internal> error".to_owned(),
        retry_after: Some(7),
    }
}

#[tokio::test]
async fn a_fault_before_the_effect_leaves_nothing() {
    let client = Client::instant();
    client.world.faults.add(fault(Moment::Before, error()));
    let answer = client.ec2("CreateVolume", &VOLUME).await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "InternalError"));
    assert_eq!(answer.retry_after.as_deref(), Some("7"));
    assert_eq!(client.cloud.volumes(), []);
    let row = client.audit("CreateVolume");
    assert_eq!((row.calls, row.changed, row.failed), (1, 0, 1));
}

#[tokio::test]
async fn a_fault_after_the_effect_hides_a_volume_that_the_token_finds() {
    let client = Client::instant();
    client.world.faults.add(fault(Moment::After, error()));
    assert_eq!(client.ec2("CreateVolume", &VOLUME).await.status, 500);
    let hidden = client.cloud.volumes()[0].id.clone();
    assert_eq!(client.ec2("CreateVolume", &VOLUME).await.ok().text("volumeId"), hidden);
    let row = client.audit("CreateVolume");
    assert_eq!((row.calls, row.changed), (2, 1));
}

#[tokio::test]
async fn a_cut_connection_has_no_answer() {
    let client = Client::instant();
    client.world.faults.add(fault(Moment::After, Effect::Reset));
    assert!(client.ec2("CreateVolume", &VOLUME).await.body.is_none());
    assert_eq!(client.cloud.volumes().len(), 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_is_counted() {
    let client = Client::instant();
    client.world.faults.add(fault(Moment::Before, Effect::Hang));
    let call = client.ec2("CreateVolume", &VOLUME);
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(20), call).await;
    assert!(given_up.is_err());
    assert_eq!(client.audit("CreateVolume").failed, 1);
    assert_eq!(client.cloud.volumes(), []);
}
