//! Marks, grace, caps and the second look.

use moorline_api::{Resource, VolumeId, tags};
use moorline_gc::leftovers::{Action, Grace, Kind, Plan, Sort, plan, second_look, settle};
use moorline_gc::plan::Kept;
use moorline_gc::{Caps, Clock, Detail, Records, Verdict};

use super::build::*;
use crate::build;

const WEEK: i64 = 7 * 24;

pub(super) fn mark_of(age: i64) -> String {
    format!("v1 orphan {} run-0", now() - hours(age))
}

fn both(mark: &str) -> [Thing; 2] {
    [Thing::Balancer(balancer()), Thing::Account(account())].map(|thing| marked(thing, mark))
}

fn actions(plan: &Plan) -> Vec<Action> {
    plan.rows.iter().map(|row| row.action.clone()).collect()
}

#[test]
fn the_first_run_marks_and_deletes_nothing() {
    let plan = Scene::of([Thing::Balancer(balancer()), Thing::Account(account())]).plan();
    let mark = Action::Mark("v1 orphan 2026-11-21T12:00:00Z run-1".to_owned());
    assert_eq!(actions(&plan), [mark.clone(), mark]);
    assert_eq!(plan.doomed.count, 0);
}

#[test]
fn grace_counts_from_the_mark() {
    let waiting = Scene::of(both(&mark_of(WEEK - 1))).plan();
    let until = Action::Keep(Kept::Waiting(now() + hours(1)));
    assert_eq!(actions(&waiting), [until.clone(), until]);
    let due = Scene::of(both(&mark_of(WEEK))).plan();
    assert_eq!(actions(&due), [Action::Delete, Action::Delete]);
    assert_eq!((due.doomed.count, due.doomed.monthly), (2, 18.25));
}

#[test]
fn each_sort_has_its_own_grace() {
    let scene = Scene::of(both(&mark_of(2)));
    let grace = Grace {
        load_balancer: hours(1),
        storage_account: hours(3),
    };
    let plan = plan(&scene.world(), &scene.policy, grace, Clock { now: now() }, "run-1");
    assert_eq!(
        actions(&plan),
        [Action::Delete, Action::Keep(Kept::Waiting(now() + hours(1)))]
    );
}

#[test]
fn a_mark_that_cannot_be_read_or_is_older_than_the_thing_counts_as_none() {
    for mark in ["yesterday", "v1 orphan 2025-01-01T00:00:00Z run-0"] {
        let plan = Scene::of(both(mark)).plan();
        assert!(
            plan.rows.iter().all(|row| matches!(row.action, Action::Mark(_))),
            "{mark}"
        );
    }
}

#[test]
fn a_mark_from_the_future_says_that_a_clock_is_wrong() {
    let plan = Scene::of(both(&mark_of(-1))).plan();
    assert_eq!(actions(&plan), [Action::Keep(Kept::Clock), Action::Keep(Kept::Clock)]);
}

#[test]
fn what_was_made_in_the_second_that_is_now_is_not_from_the_future() {
    for (millis, is_marked) in [(900, true), (1000, false)] {
        let mut made = balancer();
        made.created = Some(now() + jiff::SignedDuration::from_millis(millis));
        let plan = Scene::of([Thing::Balancer(made)]).plan();
        assert_eq!(matches!(plan.rows[0].action, Action::Mark(_)), is_marked, "{millis}");
    }
}

#[test]
fn a_mark_goes_when_the_thing_is_used_wanted_or_protected_and_stays_when_that_is_unknown() {
    let marked = || Scene::of([marked(Thing::Balancer(balancer()), &mark_of(WEEK))]);
    for alive in [
        marked().prod([showing(service("x"), HOST)]),
        marked().prod([service("nginx")]),
        marked().policy(|policy| policy.protect.names.push("a*".to_owned())),
    ] {
        assert_eq!(alive.row().unwrap().action, Action::Unmark);
    }
    let unknown = marked().without(1, Kind::Services);
    assert_eq!(unknown.row().unwrap().action, Action::Keep(Kept::Never));
    let foreign = marked().policy(|policy| policy.clusters[0].tag_ids.clear());
    let row = foreign.row().unwrap();
    assert_eq!((row.verdict, row.action), (Verdict::Foreign, Action::Keep(Kept::Never)));
}

#[test]
fn what_has_no_price_stays_where_money_is_capped() {
    let scene = Scene::of(both(&mark_of(WEEK))).policy(|policy| policy.caps.monthly = Some(1000.0));
    let mut world = scene.world();
    let scope = world.scope("aws 123456789012/eu-west-1");
    let Thing::Balancer(balancer) = &scene.things[0] else {
        unreachable!()
    };
    world.add_balancer(scope, balancer, None);
    let plan = plan(&world, &scene.policy, Grace::default(), Clock { now: now() }, "run-1");
    assert_eq!(actions(&plan), [Action::Keep(Kept::Unpriced), Action::Delete]);
}

/// A plan that deletes one volume, of 10 GiB and 0.80 dollars a month, of two.
fn volumes(change: impl FnOnce(&mut Caps)) -> (moorline_gc::Plan, Caps) {
    let mut young = build::volume();
    young.id = VolumeId("vol-young".to_owned());
    let mut volume = build::volume();
    volume.tags.insert(tags::UNUSED.to_owned(), mark_of(WEEK));
    let scene = build::Scene::of([])
        .listed(vec![(volume, Detail::Full), (young, Detail::Full)])
        .policy(|policy| change(&mut policy.caps));
    let clock = Clock { now: now() };
    let plan = moorline_gc::plan::plan(&scene.world(), &scene.policy, &Records::default(), clock, "run-1");
    (plan, scene.policy.caps)
}

#[test]
fn caps_hold_for_volumes_and_leftovers_together() {
    for (caps, allowed) in [
        (
            Caps {
                count: Some(3),
                ..Caps::default()
            },
            true,
        ),
        (
            Caps {
                count: Some(2),
                ..Caps::default()
            },
            false,
        ),
        (
            Caps {
                monthly: Some(19.05),
                ..Caps::default()
            },
            true,
        ),
        (
            Caps {
                monthly: Some(19.04),
                ..Caps::default()
            },
            false,
        ),
        (
            Caps {
                gib: Some(10),
                ..Caps::default()
            },
            true,
        ),
        (
            Caps {
                gib: Some(9),
                ..Caps::default()
            },
            false,
        ),
        (
            Caps {
                percent: Some(50),
                ..Caps::default()
            },
            true,
        ),
        (
            Caps {
                percent: Some(49),
                ..Caps::default()
            },
            false,
        ),
    ] {
        let (mut volumes, caps) = volumes(|of| *of = caps);
        let mut leftovers = Scene::of(both(&mark_of(WEEK))).plan();
        settle(&mut volumes, &mut leftovers, &caps);
        let (one, other) = (volumes.deletions.len(), leftovers.deletions().count());
        assert_eq!((one, other), if allowed { (1, 2) } else { (0, 0) }, "{caps:?}");
        assert_eq!(volumes.exceeded.is_empty(), allowed);
        if !allowed {
            assert!(
                leftovers
                    .rows
                    .iter()
                    .all(|row| row.action == Action::Keep(Kept::Capped))
            );
            assert!(volumes.kept.iter().any(|keep| keep.kept == Kept::Capped));
        }
    }
}

#[test]
fn snapshots_count_in_gib_too() {
    let cap = |gib| {
        let (mut volumes, caps) = volumes(|caps| caps.gib = Some(gib));
        let mut leftovers = Scene::of([Thing::Snapshot(Box::new(snapshot()))]).plan();
        settle(&mut volumes, &mut leftovers, &caps);
        leftovers.deletions().count()
    };
    // 10 GiB of the volume and 8 of the snapshot.
    assert_eq!((cap(18), cap(17)), (1, 0));
}

#[test]
fn totals_count_everything_of_a_sort() {
    let mut second = balancer();
    second.id = "another".to_owned();
    let plan = Scene::of([Thing::Balancer(balancer()), Thing::Balancer(second)]).plan();
    let counts: Vec<u64> = plan
        .totals
        .into_values()
        .flat_map(std::collections::BTreeMap::into_values)
        .collect();
    assert_eq!(counts, [2]);
}

#[test]
fn what_is_gone_is_told_by_a_whole_listing_of_its_sort_and_scope_only() {
    let scope = "aws 123456789012/eu-west-1";
    let of = |id: &str| Resource::LoadBalancer(id.to_owned());
    let balancers = || Scene::of([Thing::Balancer(balancer())]);
    let world = balancers().world();
    assert_eq!(world.is_gone(scope, &of(&balancer().id)), Some(false));
    assert_eq!(world.is_gone(scope, &of("another")), Some(true));
    assert_eq!(world.is_gone("aws 123456789012/us-east-1", &of("another")), None);
    let broken = balancers().without_sort(Sort::LoadBalancers).world();
    assert_eq!(broken.is_gone(scope, &of("another")), None);
    assert_eq!(
        broken.is_gone(scope, &Resource::Snapshot("snap-9".to_owned())),
        Some(true)
    );
    assert_eq!(
        broken.is_gone(scope, &Resource::Holder("account".to_owned())),
        Some(true)
    );
    let volume = Resource::Volume(moorline_api::VolumeId("vol-9".to_owned()));
    assert_eq!(world.is_gone(scope, &volume), None);
}

#[test]
fn a_scope_that_breaks_off_leaves_the_others_whole() {
    let mut world = Scene::of([]).world();
    let other = world.scope("aws 123456789012/us-east-1");
    for sort in Sort::ALL {
        world.sort_failed(other, sort, "403");
    }
    assert_eq!(world.scope("aws 123456789012/us-east-1"), other);
    let gaps = world.gaps(&Scene::of([]).policy, now());
    assert_eq!(gaps.len(), Sort::ALL.len(), "{gaps:?}");
    let named = |gap: &moorline_gc::coverage::Gap| gap.place.ends_with("us-east-1") && gap.why.contains("403");
    assert!(gaps.iter().all(named), "{gaps:?}");
}

#[test]
fn a_cluster_may_do_without_kinds_of_groups_that_are_not_in_every_one() {
    let optional: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.is_optional())
        .map(|kind| kind.to_string())
        .collect();
    assert_eq!(
        optional,
        [
            "ingresses.networking.k8s.io",
            "gateways.gateway.networking.k8s.io",
            "targetgroupbindings.elbv2.k8s.aws",
            "volumesnapshotcontents.snapshot.storage.k8s.io"
        ]
    );
}

#[test]
fn marks_are_set_whatever_the_caps_say() {
    let (mut volumes, caps) = volumes(|caps| caps.count = Some(0));
    let mut leftovers = Scene::of([Thing::Balancer(balancer())]).plan();
    settle(&mut volumes, &mut leftovers, &caps);
    assert!(matches!(leftovers.rows[0].action, Action::Mark(_)));
}

#[test]
fn a_clock_that_is_wrong_for_volumes_is_wrong_for_all() {
    let (mut volumes, caps) = volumes(|_| {});
    volumes.clock = Some("the last run was later".to_owned());
    let mut leftovers = Scene::of([
        marked(Thing::Balancer(balancer()), &mark_of(WEEK)),
        Thing::Account(account()),
        Thing::Snapshot(Box::new(snapshot())),
    ])
    .plan();
    settle(&mut volumes, &mut leftovers, &caps);
    assert_eq!(actions(&leftovers), [const { Action::Keep(Kept::Clock) }; 3]);
}

#[test]
fn a_second_look_says_what_has_changed() {
    let scene = || Scene::of([marked(Thing::Balancer(balancer()), &mark_of(WEEK))]);
    let first = scene().row().unwrap();
    let again = |scene: &Scene| {
        let clock = Clock { now: scene.now };
        second_look(
            &first,
            &scene.world(),
            (&scene.policy, Grace::default()),
            clock,
            "run-1",
        )
    };
    assert_eq!(again(&scene()), Ok(()));
    assert!(
        again(&scene().prod([service("nginx")]))
            .unwrap_err()
            .contains("is there")
    );
    assert!(
        again(&scene().prod([showing(service("x"), HOST)]))
            .unwrap_err()
            .contains("address")
    );
    let unread = scene().without(1, Kind::Ingresses);
    assert!(again(&unread).unwrap_err().contains("403"));
    let unmarked = Scene::of([Thing::Balancer(balancer())]);
    assert!(again(&unmarked).unwrap_err().contains("mark"));
    assert!(again(&Scene::of([])).unwrap_err().contains("does not list"));
    let before = scene().at(now() - hours(1));
    assert!(again(&before).is_err());
}

#[test]
fn a_plan_reads_as_it_is_written() {
    let plan = Scene::of(both(&mark_of(WEEK))).plan();
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}
