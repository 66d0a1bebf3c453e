//! Load balancers of both APIs.

use moorline_sandbox_aws::{AwsSettings, Listener, LoadBalancerKind, NewLoadBalancer};

use crate::client::Client;

const CLASSIC: [(&str, &str); 5] = [
    ("LoadBalancerName", "my-app"),
    ("AvailabilityZones.member.1", "us-east-1a"),
    ("Listeners.member.1.Protocol", "TCP"),
    ("Listeners.member.1.LoadBalancerPort", "80"),
    ("Listeners.member.1.InstancePort", "30080"),
];

#[tokio::test]
async fn a_classic_one_lives_and_dies() {
    let client = Client::new(AwsSettings {
        visibility_lag_millis: 4_000,
        ..AwsSettings::instant()
    });
    let host = client.elb("CreateLoadBalancer", &CLASSIC).await.ok().text("DNSName");
    let again = client.elb("CreateLoadBalancer", &CLASSIC).await.ok().text("DNSName");
    assert_eq!(host, again, "the same again is the same");
    let mut other = CLASSIC;
    other[4].1 = "30081";
    assert_eq!(
        client.elb("CreateLoadBalancer", &other).await.code(),
        "DuplicateLoadBalancerName"
    );

    let named = [("LoadBalancerNames.member.1", "my-app")];
    assert_eq!(
        client.elb("DescribeLoadBalancers", &named).await.code(),
        "LoadBalancerNotFound",
        "not yet visible"
    );
    client.pass(5);
    assert_eq!(
        client.elb("DescribeLoadBalancers", &named).await.ok().text("DNSName"),
        host
    );

    client.elb("DeleteLoadBalancer", &CLASSIC[..1]).await.ok();
    client.elb("DeleteLoadBalancer", &CLASSIC[..1]).await.ok();
    client.pass(5);
    assert!(
        client
            .elb("DescribeLoadBalancers", &[])
            .await
            .ok()
            .texts("DNSName")
            .is_empty()
    );
    assert_eq!(client.cloud.load_balancers(), []);
    let row = client.audit("DeleteLoadBalancer");
    assert_eq!((row.calls, row.changed), (2, 1));
}

#[tokio::test]
async fn bad_classic_ones_are_refused() {
    let client = Client::instant();
    for (index, value) in [
        (0, "-bad"),
        (0, ""),
        (1, "us-east-1z"),
        (2, "UDP"),
        (3, "0"),
        (4, "70000"),
    ] {
        let mut wrong = CLASSIC;
        wrong[index].1 = value;
        assert_eq!(
            client.elb("CreateLoadBalancer", &wrong).await.code(),
            "ValidationError",
            "{:?}",
            wrong[index]
        );
    }
    assert_eq!(
        client.elb("DescribeLoadBalancers", &[("PageSize", "401")]).await.code(),
        "ValidationError"
    );
    assert_eq!(
        client.elb("DescribeLoadBalancers", &[("Marker", "x")]).await.code(),
        "ValidationError"
    );
}

fn network(name: String) -> NewLoadBalancer {
    let listener = Listener {
        protocol: "TCP".to_owned(),
        port: 80,
        instance_protocol: "TCP".to_owned(),
        instance_port: 30080,
    };
    let tags = [("kubernetes.io/service-name".to_owned(), "default/web".to_owned())].into();
    NewLoadBalancer {
        name,
        kind: LoadBalancerKind::Network,
        tags,
        listeners: vec![listener],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_network_one_is_provisioning_then_active_with_listener_and_target_group() {
    let client = Client::new(AwsSettings {
        load_balancer_millis: 4_000,
        ..AwsSettings::instant()
    });
    let made = client.cloud.create_load_balancer(network("web".to_owned())).unwrap();
    let state = async || {
        client
            .elbv2("DescribeLoadBalancers", &[("Names.member.1", "web")])
            .await
            .ok()
            .text("State")
    };
    assert_eq!(state().await, "<Code>provisioning</Code>");
    client.pass(5);
    assert_eq!(state().await, "<Code>active</Code>");

    let arn = [("LoadBalancerArn", made.arn.as_str())];
    let listeners = client.elbv2("DescribeListeners", &arn).await.ok();
    let groups = client.elbv2("DescribeTargetGroups", &arn).await.ok();
    assert_eq!(listeners.text("TargetGroupArn"), groups.text("TargetGroupArn"));
    assert!(
        client
            .elb("DescribeLoadBalancers", &[])
            .await
            .ok()
            .texts("DNSName")
            .is_empty(),
        "it is not a classic one"
    );

    client.elbv2("DeleteLoadBalancer", &arn).await.ok();
    client.elbv2("DeleteLoadBalancer", &arn).await.ok();
    let gone = client
        .elbv2("DescribeLoadBalancers", &[("LoadBalancerArns.member.1", arn[0].1)])
        .await;
    assert_eq!(gone.code(), "LoadBalancerNotFound");
}

#[tokio::test]
async fn pages_and_tags_of_many() {
    let client = Client::instant();
    let mut arns: Vec<(String, String)> = Vec::new();
    for n in 1..=21 {
        let made = client.cloud.create_load_balancer(network(format!("lb-{n}"))).unwrap();
        arns.push((format!("ResourceArns.member.{n}"), made.arn));
    }
    let arns: Vec<(&str, &str)> = arns.iter().map(|(name, arn)| (name.as_str(), arn.as_str())).collect();
    assert_eq!(
        client.elbv2("DescribeTags", &arns).await.code(),
        "ValidationError",
        "more than twenty"
    );
    assert_eq!(
        client
            .elbv2("DescribeTags", &arns[..20])
            .await
            .ok()
            .texts("ResourceArn")
            .len(),
        20
    );

    let first = client.elbv2("DescribeLoadBalancers", &[("PageSize", "15")]).await.ok();
    let marker = first.text("NextMarker");
    let second = client
        .elbv2("DescribeLoadBalancers", &[("PageSize", "15"), ("Marker", &marker)])
        .await
        .ok();
    assert_eq!((first.texts("DNSName").len(), second.texts("DNSName").len()), (15, 6));

    let one = arns[0];
    client
        .elbv2(
            "AddTags",
            &[one, ("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")],
        )
        .await
        .ok();
    assert_eq!(
        client.elbv2("DescribeTags", &[one]).await.ok().texts("Key"),
        ["a", "kubernetes.io/service-name"]
    );
    client.elbv2("RemoveTags", &[one, ("TagKeys.member.1", "a")]).await.ok();
    assert_eq!(client.elbv2("DescribeTags", &[one]).await.ok().texts("Key").len(), 1);
    let twice = [one, ("Tags.member.1.Key", "a"), ("Tags.member.2.Key", "a")];
    assert_eq!(client.elbv2("AddTags", &twice).await.code(), "DuplicateTagKeys");
}

#[tokio::test]
async fn a_protected_one_stays_until_its_protection_is_off() {
    let client = Client::instant();
    let subnet = client
        .ec2("DescribeSubnets", &[])
        .await
        .ok()
        .texts("subnetId")
        .swap_remove(0);
    let new = [("Name", "kept"), ("Type", "network"), ("Subnets.member.1", &subnet)];
    let arn = client
        .elbv2("CreateLoadBalancer", &new)
        .await
        .ok()
        .text("LoadBalancerArn");
    let protect = async |on: &str| {
        let attribute = [
            ("LoadBalancerArn", arn.as_str()),
            ("Attributes.member.1.Key", "deletion_protection.enabled"),
            ("Attributes.member.1.Value", on),
        ];
        client.elbv2("ModifyLoadBalancerAttributes", &attribute).await.ok();
    };
    let of_arn = [("LoadBalancerArn", arn.as_str())];
    protect("true").await;
    let shown = client.elbv2("DescribeLoadBalancerAttributes", &of_arn).await.ok();
    assert_eq!(shown.text("Value"), "true");
    assert_eq!(
        client.elbv2("DeleteLoadBalancer", &of_arn).await.code(),
        "OperationNotPermitted"
    );
    protect("false").await;
    client.elbv2("DeleteLoadBalancer", &of_arn).await.ok();
    assert_eq!(client.cloud.load_balancers(), []);
}

#[tokio::test]
async fn tags_of_classic_ones_change_one_by_one() {
    let client = Client::instant();
    let call = async |action: &str, names: &[&str]| {
        let numbered: Vec<_> = (1..)
            .map(|n| format!("LoadBalancerNames.member.{n}"))
            .zip(names)
            .collect();
        let mut parameters: Vec<_> = numbered.iter().map(|(name, value)| (name.as_str(), **value)).collect();
        parameters.extend([("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")]);
        client.elb(action, &parameters).await
    };
    assert_eq!(call("AddTags", &["a", "b"]).await.code(), "ValidationError");
    assert_eq!(call("RemoveTags", &[]).await.code(), "ValidationError");
    assert_eq!(call("AddTags", &["a"]).await.code(), "LoadBalancerNotFound");
}
