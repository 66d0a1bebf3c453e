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
        // It is asked twice, the second time with credentials that were read again.
        "GetCallerIdentity" if before < 3 => query_refusal(
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

/// LocalStack 4.14.0 on Python 3.11 has an STS that fails, some networks reach EC2 alone, and some emulators have no STS.
#[tokio::test]
async fn where_sts_fails_ec2_knows_the_account() {
    for (status, code) in [(500, "InternalError"), (501, "InternalFailure"), (404, "")] {
        let server = Server::start(move |params, _| match params["Action"].as_str() {
            "GetCallerIdentity" => query_refusal(status, code, "the API for service sts is not implemented"),
            "DescribeSecurityGroups" => ec2(
                "DescribeSecurityGroups",
                "<securityGroupInfo><item><ownerId>000000000002</ownerId><groupName>default</groupName></item></securityGroupInfo>",
            ),
            _ => zones(),
        })
        .await;
        let account = server.provider().account().await.unwrap();
        assert_eq!((account.id.0.as_str(), account.caller.as_str()), ("000000000002", ""));
        let asked = server
            .calls()
            .into_iter()
            .find(|call| call["Action"] == "DescribeSecurityGroups")
            .unwrap();
        assert_eq!(
            (asked["Filter.1.Name"].as_str(), asked["Filter.1.Value.1"].as_str()),
            ("group-name", "default")
        );
    }
    // Nobody knows: it is what STS said that counts.
    let server = Server::start(|params, _| match params["Action"].as_str() {
        "GetCallerIdentity" => query_refusal(500, "InternalError", "out of order"),
        "DescribeSecurityGroups" => ec2("DescribeSecurityGroups", "<securityGroupInfo/>"),
        _ => zones(),
    })
    .await;
    let error = server.provider().account().await.unwrap_err();
    assert_eq!(
        (error.operation.as_str(), error.kind.clone()),
        ("sts:GetCallerIdentity", ErrorKind::Internal),
        "{error}"
    );
}
