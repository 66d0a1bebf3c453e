use moorline_api::{Accounts, ErrorKind};

use crate::server::{Answer, Server, ec2, query, query_refusal};

fn zones() -> Answer {
    let zone = |name: &str, kind: &str, state: &str| {
        format!("<item><zoneName>{name}</zoneName><zoneType>{kind}</zoneType><zoneState>{state}</zoneState></item>")
    };
    let items = [
        zone("us-east-1b", "availability-zone", "available"),
        zone("us-east-1-atl-1a", "local-zone", "available"),
        zone("us-east-1c", "availability-zone", "unavailable"),
        "<item><zoneName>us-east-1a</zoneName></item>".to_owned(),
    ];
    ec2(
        "DescribeAvailabilityZones",
        &format!("<availabilityZoneInfo>{}</availabilityZoneInfo>", items.concat()),
    )
}

#[tokio::test]
async fn is_asked_once() {
    let server = Server::start(|params, _| match params["Action"].as_str() {
        "GetCallerIdentity" => query(
            "GetCallerIdentity",
            "<Arn>arn:aws:iam::1:user/me</Arn><UserId>U</UserId><Account>000000000001</Account>",
        ),
        _ => zones(),
    })
    .await;
    let provider = server.provider();
    let account = provider.account().await.unwrap();
    assert_eq!(
        (account.id.0.as_str(), account.region.as_str()),
        ("000000000001", "us-east-1")
    );
    assert_eq!(account.caller, "arn:aws:iam::1:user/me");
    assert_eq!(account.zones, ["us-east-1a", "us-east-1b"]);
    provider.account().await.unwrap();
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let server = Server::start(|params, before| match params["Action"].as_str() {
        "GetCallerIdentity" if before < 2 => query_refusal(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        ),
        "GetCallerIdentity" => query("GetCallerIdentity", "<Account>1</Account>"),
        _ => zones(),
    })
    .await;
    let provider = server.provider();
    let error = provider.account().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    assert!(error.message.contains("aws sso login"), "{error}");
    let again = loop {
        // The zones may be asked for before or after the failure.
        if let Ok(account) = provider.account().await {
            break account;
        }
    };
    assert_eq!(again.id.0, "1");
}
