//! A run is killed before or after any of its calls that change something, or such a call fails: the next run finishes, nothing is
//! deleted twice or lost, and the journal says everything.

use std::collections::BTreeMap;

use moorline_api::{ErrorKind, VolumeSort};
use moorline_collect::{Line, Outcome};

use crate::fakes::Happening;
use crate::stage::{DAY, Stage, volume};

/// Left behind, released, and an orphan.
async fn three_sorts() -> Stage {
    let mut stage = Stage::left_behind(3);
    stage.prod.remove("PersistentVolumeClaim", "web", "data-db-1");
    stage.prod.remove("PersistentVolumeClaim", "web", "data-db-2");
    stage.prod.remove("PersistentVolume", "", "pv-2");
    stage.age().await;
    stage.policy.snapshot_first.insert(VolumeSort::Disk, DAY);
    // Foreign: of nobody.
    let mut stranger = volume(77);
    stranger.tags.clear();
    stage.cloud.add(stranger);
    stage
}

async fn check(stage: &Stage, what: &str) {
    assert!((0..3).all(|number| stage.is_gone(number)), "{what}");
    assert!(stage.cloud.has("vol-77"), "{what}");
    let deleted = stage.cloud.with(|state| state.deletions.clone());
    assert_eq!(deleted.len(), 3, "{what}: {deleted:?}");
    let order = stage.prod.with(|state| state.deletions.clone());
    assert_eq!(
        order.iter().filter(|name| name.ends_with("-0")).count(),
        2,
        "{what}: {order:?}"
    );
    assert!(
        order.iter().position(|name| name.contains("data-db-0")) < order.iter().position(|name| name.contains("pv-0"))
    );
    let mut gone: BTreeMap<String, usize> = BTreeMap::new();
    let mut begun: BTreeMap<String, usize> = BTreeMap::new();
    let mut saved = 0;
    for line in stage.journal().await {
        match line {
            Line::Begin(deletion) => *begun.entry(deletion.volume.0).or_default() += 1,
            Line::End(done) => {
                assert!(begun.contains_key(&done.volume.0), "{what}: ended before it began");
                saved += usize::from(done.confirmed);
                if done.outcome == Outcome::Gone {
                    *gone.entry(done.volume.0).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    assert_eq!(
        gone.values().copied().collect::<Vec<_>>(),
        [1, 1, 1],
        "{what}: {gone:?}"
    );
    assert_eq!(saved, 3, "{what}");
    let snapshots = stage.cloud.with(|state| state.snapshots.len());
    assert_eq!(snapshots, 3, "{what}");
    let records = stage.store.text(&stage.records()).unwrap();
    assert!(
        records.contains("\"open\":[]") && records.contains("\"journal\":null"),
        "{what}: {records}"
    );
}

async fn killed_at_every_call(happening: fn() -> Happening, what: &str) -> usize {
    let mut kills = 0;
    for number in 0.. {
        let stage = three_sorts().await;
        stage.script.at_mutation(number, happening());
        let collector = stage.collector();
        // Large, and awaited once.
        let outcome = stage.script.until_killed(Box::pin(collector.apply())).await;
        drop(collector);
        let ended = outcome.is_some();
        stage.release_the_dead();
        if ended {
            check(&stage, "without a kill").await;
            break;
        }
        kills += 1;
        stage.apply().await;
        check(&stage, &format!("{what} call {number}")).await;
    }
    assert!(kills > 15, "{kills}");
    kills
}

#[tokio::test]
async fn killed_before_any_call_the_next_run_finishes() {
    let kills = killed_at_every_call(|| Happening::Kill, "before").await;
    println!("killed before each of {kills} calls");
}

#[tokio::test]
async fn killed_after_any_call_the_next_run_finishes() {
    let kills = killed_at_every_call(|| Happening::KillAfter, "after").await;
    println!("killed after each of {kills} calls");
}

#[tokio::test]
async fn killed_twice_the_third_run_finishes() {
    for (first, second) in [(6, 3), (8, 6), (10, 6), (12, 8), (14, 9)] {
        let stage = three_sorts().await;
        for number in [first, second] {
            stage.script.at_mutation(number, Happening::KillAfter);
            let collector = stage.collector();
            stage.script.until_killed(collector.apply()).await;
            stage.release_the_dead();
        }
        stage.apply().await;
        check(&stage, &format!("killed after {first} and {second}")).await;
    }
}

#[tokio::test]
async fn a_call_that_fails_before_or_after_its_effect_costs_at_most_another_run() {
    for kind in [ErrorKind::Unreachable, ErrorKind::Internal, ErrorKind::Forbidden] {
        for after in [false, true] {
            for number in 0.. {
                let stage = three_sorts().await;
                let kind = kind.clone();
                let happening = if after {
                    Happening::FailAfter(kind.clone())
                } else {
                    Happening::Fail(kind.clone())
                };
                stage.script.at_mutation(number, happening);
                let _ = stage.try_apply().await;
                let over = stage.script.take().iter().filter(|call| call.starts_with('!')).count() <= number;
                stage.release_the_dead();
                let _ = stage.apply().await;
                check(&stage, &format!("{kind:?} at call {number}, after: {after}")).await;
                if over {
                    break;
                }
            }
        }
    }
}
