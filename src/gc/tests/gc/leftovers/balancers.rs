//! Load balancers.

use moorline_gc::Verdict;
use moorline_gc::leftovers::{Action, Kind, Sort};
use moorline_gc::plan::Kept;
use serde_json::json;

use super::build::*;

fn scene() -> Scene {
    Scene::of([Thing::Balancer(balancer())])
}

fn scene_of(tags: &[(&str, &str)]) -> Scene {
    Scene::of([Thing::Balancer(balancer_of(tags))])
}

#[test]
fn orphan_where_its_service_is_gone() {
    let scene = scene().prod([service("other"), showing(service("else"), "else.example.com")]);
    assert_eq!(scene.verdict(), Verdict::Orphan);
    let why = scene.row().unwrap().why;
    assert!(why.contains("Service web/nginx of cluster prod.example.com"), "{why}");
}

#[test]
fn orphan_by_the_uid_of_its_cluster_and_by_other_tags() {
    for tags in [
        [("kubernetes.io/service-name", "web/nginx"), ("KubernetesCluster", PROD)],
        [("service.k8s.aws/stack", "web/nginx"), ("elbv2.k8s.aws/cluster", PROD)],
        [
            ("ingress.k8s.aws/stack", "web/nginx"),
            ("elbv2.k8s.aws/cluster", "stage.example.com"),
        ],
        [
            ("ingress.k8s.aws/stack", "shared-group"),
            ("elbv2.k8s.aws/cluster", "stage.example.com"),
        ],
    ] {
        assert_eq!(scene_of(&tags).verdict(), Verdict::Orphan, "{tags:?}");
    }
}

#[test]
fn claimed_where_its_service_is_there_without_an_address_or_with_another_one() {
    for service in [service("nginx"), showing(service("nginx"), "new.example.com")] {
        assert_eq!(scene().prod([service]).verdict(), Verdict::Claimed);
    }
}

#[test]
fn a_service_of_that_name_in_another_cluster_is_another_one() {
    assert_eq!(scene().stage([service("nginx")]).verdict(), Verdict::Orphan);
}

#[test]
fn in_use_where_anything_in_any_cluster_shows_its_hostname_however_written() {
    let dotted = format!("{}.", HOST.to_uppercase());
    let gateway = named("gateway.networking.k8s.io/v1", "Gateway", "g");
    for user in [
        showing(service("renamed"), HOST),
        showing(service("renamed"), &HOST.to_uppercase()),
        showing(named("networking.k8s.io/v1", "Ingress", "i"), HOST),
        gateway
            .clone()
            .with(&["status", "addresses"], json!([{"type": "Hostname", "value": HOST}])),
        gateway.with(&["spec", "addresses"], json!([{"type": "Hostname", "value": HOST}])),
        named("v1", "Service", "by-ip").with(&["status", "loadBalancer", "ingress"], json!([{"ip": HOST}])),
    ] {
        assert_eq!(scene().stage([user.clone()]).verdict(), Verdict::InUse, "{user:?}");
    }
    let mut with_dot = balancer();
    with_dot.hostname = dotted;
    let scene = Scene::of([Thing::Balancer(with_dot)]).prod([showing(service("renamed"), HOST)]);
    assert_eq!(scene.verdict(), Verdict::InUse);
}

#[test]
fn in_use_where_its_name_is_of_a_services_uid() {
    let renamed = service("renamed").with(&["metadata", "uid"], json!("0b8bd6a5-2b8e-4a5e-9d2c-6f1f1a0c7d11"));
    assert_eq!(scene().stage([renamed]).verdict(), Verdict::InUse);
}

#[test]
fn claimed_where_an_ingress_of_its_stack_or_group_is_there() {
    let of = |stack| scene_of(&[("ingress.k8s.aws/stack", stack), ("elbv2.k8s.aws/cluster", PROD)]);
    let ingress = named("networking.k8s.io/v1", "Ingress", "nginx");
    assert_eq!(of("web/nginx").prod([ingress.clone()]).verdict(), Verdict::Claimed);
    assert_eq!(of("web/nginx").stage([ingress.clone()]).verdict(), Verdict::Orphan);
    assert_eq!(of("web/other").prod([ingress.clone()]).verdict(), Verdict::Orphan);
    let group = ingress.clone().with(
        &["metadata", "annotations"],
        json!({"alb.ingress.kubernetes.io/group.name": "shared"}),
    );
    assert_eq!(of("shared").prod([group.clone()]).verdict(), Verdict::Claimed);
    assert_eq!(of("other").prod([group]).verdict(), Verdict::Orphan);
    // A class may put it into a group without a word of its own.
    assert_eq!(of("shared").prod([ingress.clone()]).verdict(), Verdict::Claimed);
    assert_eq!(
        of("shared").prod([showing(ingress, "x.example.com")]).verdict(),
        Verdict::Orphan
    );
}

#[test]
fn foreign_where_no_tag_says_what_it_was_made_for() {
    for tags in [
        &[][..],
        &[("kubernetes.io/cluster/prod.example.com", "owned")],
        &[("kubernetes.io/service-name", "web/nginx")],
        &[("kubernetes.io/service-name", "nginx"), ("KubernetesCluster", PROD)],
        &[("kubernetes.io/service-name", ""), ("KubernetesCluster", PROD)],
        &[("kubernetes.io/service-name", "web/nginx"), ("KubernetesCluster", "")],
    ] {
        assert_eq!(scene_of(tags).verdict(), Verdict::Foreign, "{tags:?}");
    }
}

#[test]
fn foreign_where_any_of_its_clusters_is_not_named() {
    for (key, value) in [
        ("kubernetes.io/cluster/dev.example.com", "owned"),
        ("kubernetes.io/cluster/dev.example.com", "shared"),
        ("KubernetesCluster", "dev"),
        ("elbv2.k8s.aws/cluster", "dev"),
    ] {
        let mut balancer = balancer();
        balancer.tags.insert(key.to_owned(), value.to_owned());
        assert_eq!(
            Scene::of([Thing::Balancer(balancer)]).verdict(),
            Verdict::Foreign,
            "{key}"
        );
    }
}

#[test]
fn protected_by_tag_name_and_namespace() {
    let mut tagged = balancer();
    tagged.tags.insert("moorline.dev/protect".to_owned(), "true".to_owned());
    assert_eq!(Scene::of([Thing::Balancer(tagged)]).verdict(), Verdict::Protected);
    let by_name = scene().policy(|policy| policy.protect.names.push("a0b8*".to_owned()));
    assert_eq!(by_name.verdict(), Verdict::Protected);
    let by_namespace = scene().policy(|policy| policy.protect.namespaces.push("web".to_owned()));
    assert_eq!(by_namespace.verdict(), Verdict::Protected);
    let by_tag = scene().policy(|policy| {
        let key = "kubernetes.io/service-name".to_owned();
        policy.protect.tags.insert(key, Some("web/nginx".to_owned()));
    });
    assert_eq!(by_tag.verdict(), Verdict::Protected);
}

#[test]
fn unknown_where_any_kind_of_any_cluster_was_not_read() {
    for cluster in [0, 1] {
        for kind in [Kind::Services, Kind::Ingresses, Kind::Gateways] {
            let scene = scene().without(cluster, kind);
            assert_eq!(scene.verdict(), Verdict::Unknown, "{cluster} {kind}");
            assert!(scene.plan().is_incomplete());
        }
        assert_eq!(
            scene().without(cluster, Kind::StorageClasses).verdict(),
            Verdict::Orphan
        );
    }
}

#[test]
fn what_was_seen_in_use_needs_no_other_listing() {
    let scene = scene()
        .prod([showing(service("nginx"), HOST)])
        .without(1, Kind::Services);
    assert_eq!(scene.verdict(), Verdict::InUse);
}

#[test]
fn unknown_where_the_listing_is_stale() {
    let scene = scene();
    let late = scene.now + hours(2);
    let world = scene.world();
    let clock = moorline_gc::Clock { now: late };
    let plan = moorline_gc::leftovers::plan(&world, &scene.policy, <_>::default(), clock, "run-1");
    assert_eq!(plan.rows[0].verdict, Verdict::Unknown);
}

#[test]
fn a_listing_of_load_balancers_that_breaks_off_is_a_gap() {
    let scene = scene().without_sort(Sort::LoadBalancers);
    // The one that was seen before is judged.
    assert_eq!(scene.verdict(), Verdict::Orphan);
    let plan = scene.plan();
    assert!(plan.is_incomplete());
    assert_eq!(plan.gaps[0].what, "load balancers");
}

#[test]
fn an_address_of_azure_stays_with_its_cloud_controller() {
    let scene = scene_of(&[
        ("k8s-azure-service", "web/one,web/two"),
        ("k8s-azure-cluster-name", "prod.example.com"),
    ]);
    let row = scene.row().unwrap();
    assert_eq!(
        (row.verdict, row.action),
        (Verdict::Orphan, Action::Keep(Kept::Withheld))
    );
    // All of the Services that it names have to be gone.
    let scene = scene.prod([service("two")]);
    assert_eq!(scene.verdict(), Verdict::Claimed);
}

#[test]
fn another_cluster_that_answers_in_its_place_is_not_believed() {
    let scene = scene();
    let mut world = scene.world();
    world.identify(moorline_gc::ClusterIndex(0), STAGE);
    let clock = moorline_gc::Clock { now: scene.now };
    let plan = moorline_gc::leftovers::plan(&world, &scene.policy, <_>::default(), clock, "run-1");
    assert_eq!(plan.rows[0].verdict, Verdict::Unknown);
}
