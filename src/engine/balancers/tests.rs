//! Which Service a load balancer belongs to, and when that Service counts as gone.

use moorline_api::LoadBalancerKind;
use serde_json::{Value, json};

use super::*;
use crate::fakes::{CLUSTER, Stage, object, profile};

fn service(name: &str, kind: &str, hostname: Option<&str>) -> Value {
    let ingress: Vec<Value> = hostname.iter().map(|hostname| json!({"hostname": hostname})).collect();
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": name},
        "spec": {"type": kind, "loadBalancerSourceRanges": ["10.0.0.0/8"]},
        "status": {"loadBalancer": {"ingress": ingress}},
    })
}

fn balancer(name: &str, service: Option<&str>, cluster: &str) -> LoadBalancer {
    let service = service.map(|service| ("kubernetes.io/service-name", format!("default/{service}")));
    let cluster = ("KubernetesCluster", cluster.to_owned());
    let tags = service.into_iter().chain([cluster]);
    LoadBalancer {
        id: name.to_owned(),
        name: name.to_owned(),
        kind: LoadBalancerKind::Classic,
        hostname: format!("{}.ELB", name.to_uppercase()),
        scheme: "internet-facing".to_owned(),
        state: String::new(),
        created: None,
        tags: tags.map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// Services `front` with load balancer `a`, `late` without a hostname yet, and `inner`.
fn stage(balancers: Vec<LoadBalancer>) -> Stage {
    let stage = Stage::new();
    stage.cluster.add(service("front", "LoadBalancer", Some("a.elb")));
    stage.cluster.add(service("late", "LoadBalancer", None));
    stage.cluster.add(service("inner", "ClusterIP", None));
    stage.cloud.with(|cloud| cloud.balancers = balancers);
    stage
}

#[tokio::test]
async fn a_service_is_gone_only_where_tags_name_it_and_this_cluster() {
    let stage = stage(vec![
        balancer("a", None, "prod"),
        balancer("b", Some("late"), "prod"),
        balancer("c", Some("gone"), "prod"),
        balancer("d", Some("gone"), CLUSTER),
        balancer("e", Some("gone"), "other"),
        balancer("f", None, "prod"),
        balancer("g", Some("inner"), "prod"),
    ]);
    let report = load_balancers(&stage.context(), None).await.unwrap();
    let mut rows: Vec<_> = report
        .balancers
        .iter()
        .map(|row| (&*row.name, &*row.verdict, row.service.as_deref(), &*row.joined_by))
        .collect();
    rows.sort_unstable();
    let gone = Some("default/gone");
    let expected = [
        ("a", "in use", Some("default/front"), "hostname"),
        ("b", "claimed", Some("default/late"), "tag"),
        ("c", "service gone", gone, ""),
        ("d", "service gone", gone, ""),
        ("e", "unknown", gone, ""),
        ("f", "foreign", None, ""),
        ("g", "service gone", Some("default/inner"), ""),
    ];
    assert_eq!(rows, expected);
    assert_eq!(report.pending, ["default/late"]);
    let front = report.balancers.iter().find(|row| row.name == "a").unwrap();
    assert_eq!(front.source_ranges, ["10.0.0.0/8"]);
}

#[tokio::test]
async fn by_a_profile_only_its_own_are_shown() {
    let stage = stage(vec![balancer("a", None, "prod"), balancer("c", Some("gone"), "prod")]);
    let front =
        "apiVersion: v1\nkind: Service\nmetadata: {name: front}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n";
    let shop = profile("externalClasses: [fast]\n", front);
    let report = load_balancers(&stage.context(), Some(&shop)).await.unwrap();
    let names: Vec<&str> = report.balancers.iter().map(|row| &*row.name).collect();
    assert_eq!((names, report.pending.len()), (vec!["a"], 0));
}

#[tokio::test]
async fn what_cannot_be_listed_is_an_error_and_what_there_is_not_a_notice() {
    for call in ["list services", "list load balancers"] {
        let stage = stage(Vec::new());
        stage.script.refuse(call, ErrorKind::Forbidden);
        assert!(load_balancers(&stage.context(), None).await.is_err(), "{call}");
        assert_eq!(list(&stage.context()).await.obtainable(), Balancers::Awaited);
    }
    let stage = stage(Vec::new());
    stage.script.refuse("list load balancers", ErrorKind::Unsupported);
    let report = load_balancers(&stage.context(), None).await.unwrap();
    assert!(report.notices[0].contains("without load balancers"), "{report:?}");
    assert_eq!(list(&stage.context()).await.obtainable(), Balancers::Unavailable);
}

#[test]
fn source_ranges_are_those_of_the_field_or_else_of_the_annotation() {
    let annotations = json!({"service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8, ,192.168.0.0/16"});
    let ranges = |field: Value| {
        let spec = json!({"loadBalancerSourceRanges": field});
        let metadata = json!({"annotations": annotations});
        source_ranges(&object(
            json!({"kind": "Service", "apiVersion": "v1", "metadata": metadata, "spec": spec}),
        ))
    };
    assert_eq!(ranges(json!(["172.16.0.0/12"])), ["172.16.0.0/12"]);
    assert_eq!(ranges(json!([])), ["10.0.0.0/8", "192.168.0.0/16"]);
}
