use futures::{StreamExt, TryStreamExt};
use moorline_api::{ErrorKind, LoadBalancer, LoadBalancerKind, LoadBalancers, TargetGroup, TargetGroups};

use crate::server::{Answer, Params, Server, query, query_refusal};

const V2: &str = "2015-12-01";

fn classic(names: impl Iterator<Item = usize>, marker: &str) -> Answer {
    let members = names
        .map(|n| {
            format!(
                "<member><LoadBalancerName>lb{n}</LoadBalancerName><DNSName>lb{n}.elb.amazonaws.com</DNSName>\
                 <Scheme>internet-facing</Scheme><CreatedTime>2026-11-21T09:00:00Z</CreatedTime></member>"
            )
        })
        .collect::<Vec<_>>()
        .concat();
    query(
        "DescribeLoadBalancers",
        &format!("<LoadBalancerDescriptions>{members}</LoadBalancerDescriptions><NextMarker>{marker}</NextMarker>"),
    )
}

fn network() -> Answer {
    let member = "<member><LoadBalancerArn>arn:nlb</LoadBalancerArn><LoadBalancerName>nlb</LoadBalancerName><DNSName>nlb.aws</DNSName>\
                  <Type>network</Type><Scheme>internal</Scheme><State><Code>provisioning</Code></State></member>";
    query(
        "DescribeLoadBalancers",
        &format!("<LoadBalancers>{member}</LoadBalancers>"),
    )
}

fn tags(params: &Params) -> Answer {
    let (field, key) = if params["Version"] == V2 {
        ("ResourceArn", "ResourceArns")
    } else {
        ("LoadBalancerName", "LoadBalancerNames")
    };
    let ids: Vec<_> = params
        .iter()
        .filter(|(name, _)| name.starts_with(&format!("{key}.member")))
        .map(|(_, id)| id.clone())
        .collect();
    assert!(ids.len() <= 20, "{}", ids.len());
    if ids.iter().any(|id| id == "lb7") {
        return query_refusal(
            400,
            "LoadBalancerNotFound",
            "There is no ACTIVE Load Balancer named 'lb7'",
        );
    }
    let members = ids
        .iter()
        .filter(|id| *id != "lb8")
        .map(|id| {
            let tag = "<member><Key>kubernetes.io/service-name</Key><Value>default/my-app</Value></member>";
            format!("<member><{field}>{id}</{field}><Tags>{tag}</Tags></member>")
        })
        .collect::<Vec<_>>()
        .concat();
    query("DescribeTags", &format!("<TagDescriptions>{members}</TagDescriptions>"))
}

#[tokio::test]
async fn lists_both_kinds_with_their_tags() {
    let server = Server::start(|params, _| {
        match (
            params["Action"].as_str(),
            params["Version"].as_str(),
            params.get("Marker"),
        ) {
            ("DescribeTags", ..) => tags(params),
            (_, V2, _) => network(),
            (_, _, None) => classic(0..45, "m"),
            _ => classic(45..46, ""),
        }
    })
    .await;
    let found: Vec<LoadBalancer> = server.provider().list().try_concat().await.unwrap();
    // lb7 was deleted before its tags were asked for; lb8 has none.
    assert_eq!(found.len(), 46);
    assert!(found.iter().all(|balancer| balancer.name != "lb7"));
    let by_name = |name: &str| found.iter().find(|balancer| balancer.name == name).unwrap();
    assert_eq!(by_name("lb8").service(), None);
    let first = by_name("lb0");
    assert_eq!(
        (first.kind, first.scheme.as_str(), first.state.as_str()),
        (LoadBalancerKind::Classic, "internet-facing", "")
    );
    assert_eq!(first.service(), Some(("default", "my-app")));
    assert!(first.created.is_some());
    let network = by_name("nlb");
    assert_eq!(
        (network.kind, network.id.as_str(), network.state.as_str()),
        (LoadBalancerKind::Network, "arn:nlb", "provisioning")
    );
    assert_eq!(network.service(), Some(("default", "my-app")));
}

#[tokio::test]
async fn an_api_that_is_lacking_is_told_last_and_once() {
    let lacking = || {
        query_refusal(
            501,
            "InternalFailure",
            "The API for service 'elb' is not included in your current license plan",
        )
    };
    let server = Server::start(
        move |params, _| match (params["Action"].as_str(), params["Version"].as_str()) {
            ("DescribeTags", _) => tags(params),
            (_, V2) => lacking(),
            _ => classic(0..1, ""),
        },
    )
    .await;
    let provider = server.provider();
    let pages: Vec<_> = provider.list().collect().await;
    assert_eq!(pages.len(), 2);
    assert_eq!(pages[0].as_ref().unwrap().len(), 1);
    assert_eq!(pages[1].as_ref().unwrap_err().kind, ErrorKind::Unsupported);

    let server = Server::start(move |_, _| lacking()).await;
    let provider = server.provider();
    let pages: Vec<_> = provider.list().collect().await;
    assert_eq!(pages.len(), 1);
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn any_other_failure_ends_the_listing() {
    let server = Server::start(|_, _| query_refusal(403, "AccessDenied", "no")).await;
    let provider = server.provider();
    let pages: Vec<_> = provider.list().collect().await;
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0].as_ref().unwrap_err().kind, ErrorKind::Forbidden);
}

fn groups(numbers: impl Iterator<Item = usize>, marker: &str) -> Answer {
    let members = numbers
        .map(|n| {
            format!(
                "<member><TargetGroupArn>arn:tg{n}</TargetGroupArn><TargetGroupName>tg{n}</TargetGroupName>\
                 <LoadBalancerArns><member>arn:nlb</member></LoadBalancerArns></member>"
            )
        })
        .collect::<Vec<_>>()
        .concat();
    query(
        "DescribeTargetGroups",
        &format!("<TargetGroups>{members}</TargetGroups><NextMarker>{marker}</NextMarker>"),
    )
}

#[tokio::test]
async fn lists_target_groups_with_their_tags_and_balancers() {
    let server = Server::start(|params, _| match (params["Action"].as_str(), params.get("Marker")) {
        // One was deleted before its tags were asked for.
        ("DescribeTags", _) if params.values().any(|id| id == "arn:tg7") => {
            query_refusal(400, "TargetGroupNotFound", "One or more target groups not found")
        }
        ("DescribeTags", _) => tags(params),
        (_, None) => groups(0..45, "m"),
        _ => groups(45..46, ""),
    })
    .await;
    let found: Vec<TargetGroup> = server.provider().target_groups().try_concat().await.unwrap();
    assert_eq!(found.len(), 45);
    assert!(found.iter().all(|group| group.name != "tg7"));
    let last = found.iter().find(|group| group.id == "arn:tg45").unwrap();
    assert_eq!(last.balancers, ["arn:nlb"]);
    assert_eq!(last.tags["kubernetes.io/service-name"], "default/my-app");
}

#[tokio::test]
async fn a_target_group_is_deleted_when_its_load_balancer_lets_go_of_it() {
    let server = Server::start(|_, call| {
        if call < 2 {
            query_refusal(
                400,
                "ResourceInUse",
                "Target group 'arn:tg' is currently in use by a listener or a rule",
            )
        } else {
            query("DeleteTargetGroup", "")
        }
    })
    .await;
    server.provider().delete_target_group("arn:tg").await.unwrap();
    assert_eq!(server.calls().len(), 3);
    let absent = Server::start(|_, _| query_refusal(400, "TargetGroupNotFound", "not found")).await;
    absent.provider().delete_target_group("arn:tg").await.unwrap();
}
