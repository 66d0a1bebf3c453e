//! Target groups: they go with, and after, the load balancer that alone forwards to them.

use moorline_api::{LoadBalancer, TargetGroup};
use moorline_gc::leftovers::{Action, Grace, Kind, Row, Sort, second_look};
use moorline_gc::plan::Kept;
use moorline_gc::{Clock, Verdict};
use serde_json::json;

use super::build::*;
use super::plans::mark_of;

const WEEK: i64 = 7 * 24;
const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/k8s-web/0123456789abcdef";

/// The group of [`balancer`], with its tags.
fn group() -> TargetGroup {
    TargetGroup {
        id: ARN.to_owned(),
        name: "k8s-web".to_owned(),
        balancers: vec![balancer().id],
        tags: balancer().tags,
    }
}

fn alone() -> TargetGroup {
    TargetGroup {
        balancers: Vec::new(),
        ..group()
    }
}

fn both(balancer: LoadBalancer) -> Scene {
    Scene::of([Thing::Balancer(balancer), Thing::Group(group())])
}

#[track_caller]
fn of_group(scene: &Scene) -> Option<Row> {
    let rows = scene.plan().rows;
    rows.into_iter().find(|row| row.resource.id() == ARN)
}

#[test]
fn marked_and_deleted_with_its_load_balancer_and_after_it() {
    let row = of_group(&both(balancer())).unwrap();
    assert_eq!(row.verdict, Verdict::Orphan);
    assert!(matches!(row.action, Action::Mark(_)), "{row:?}");

    let ripe = Scene::of([
        marked(Thing::Balancer(balancer()), &mark_of(WEEK)),
        marked(Thing::Group(group()), &mark_of(WEEK)),
    ]);
    let plan = ripe.plan();
    assert_eq!(plan.deletions().count(), 2, "{plan:#?}");
    assert_eq!(format!("{:.2}", plan.doomed.monthly), "18.25", "a group costs nothing");
}

#[test]
fn stays_while_its_load_balancer_waits_for_its_own_grace() {
    let scene = Scene::of([
        marked(Thing::Balancer(balancer()), &mark_of(1)),
        marked(Thing::Group(group()), &mark_of(WEEK)),
    ]);
    let row = of_group(&scene).unwrap();
    assert_eq!(row.action, Action::Keep(Kept::Withheld));
    assert!(row.why.contains("stays for now"), "{}", row.why);
}

#[test]
fn in_use_while_a_load_balancer_that_stays_forwards_to_it() {
    // Its Service is there; nobody knows who made it; the cluster that may have made it was not read.
    let kept = [
        both(balancer()).prod([showing(service("x"), HOST)]),
        both(balancer_of(&[])),
        both(balancer()).without(0, Kind::Gateways),
    ];
    for scene in kept {
        let scene = scene.plan();
        assert_eq!(
            scene.totals[&Sort::TargetGroups].keys().collect::<Vec<_>>(),
            [&Verdict::InUse]
        );
    }
}

#[test]
fn in_use_where_load_balancers_were_not_listed_and_orphan_where_the_one_it_names_is_gone() {
    let scene = || Scene::of([Thing::Group(group())]);
    assert_eq!(scene().verdict(), Verdict::Orphan);
    assert_eq!(scene().without_sort(Sort::LoadBalancers).verdict(), Verdict::InUse);
}

#[test]
fn left_alone_it_is_judged_by_its_own_tags() {
    let of = |tags: &[(&str, &str)]| {
        let group = TargetGroup {
            tags: tagged(tags),
            ..alone()
        };
        Scene::of([Thing::Group(group)]).verdict()
    };
    let controller = [("service.k8s.aws/stack", "web/nginx"), ("elbv2.k8s.aws/cluster", PROD)];
    assert_eq!(of(&controller), Verdict::Orphan);
    assert_eq!(of(&[]), Verdict::Foreign);
    assert_eq!(of(&controller[..1]), Verdict::Foreign, "of no cluster");
    let stranger = [controller[0], ("elbv2.k8s.aws/cluster", "elsewhere")];
    assert_eq!(of(&stranger), Verdict::Foreign);
    let protected = [controller[0], controller[1], (moorline_api::tags::PROTECT, "true")];
    assert_eq!(of(&protected), Verdict::Protected);
}

#[test]
fn claimed_where_its_service_or_a_binding_of_any_cluster_names_it() {
    let scene = || Scene::of([Thing::Group(alone())]);
    assert_eq!(scene().prod([service("nginx")]).verdict(), Verdict::Claimed);
    let binding = named("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", "mine");
    let binding = binding.with(&["spec"], json!({"targetGroupARN": ARN}));
    assert_eq!(scene().stage([binding]).verdict(), Verdict::Claimed);
}

#[test]
fn unknown_where_what_may_name_it_was_not_read() {
    for kind in [Kind::Services, Kind::Ingresses, Kind::TargetGroupBindings] {
        let scene = Scene::of([Thing::Group(alone())]).without(1, kind);
        assert_eq!(scene.verdict(), Verdict::Unknown, "{kind}");
    }
}

#[test]
fn a_second_look_waits_until_its_load_balancer_is_gone() {
    let group = || marked(Thing::Group(group()), &mark_of(WEEK));
    let before = Scene::of([marked(Thing::Balancer(balancer()), &mark_of(WEEK)), group()]);
    let first = of_group(&before).unwrap();
    let again = |scene: &Scene| {
        let rules = (&scene.policy, Grace::default());
        second_look(&first, &scene.world(), rules, Clock { now: scene.now }, "run-1")
    };
    assert!(again(&before).unwrap_err().contains("is still there"));
    assert_eq!(again(&Scene::of([group()])), Ok(()));
}
