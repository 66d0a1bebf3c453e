//! The crash matrix: the process is killed before and after every call of every command, and the next run finishes.
//!
//! `crash/table.rs` is the table. A row's command runs once undisturbed, in a copy of its world, and the sandbox's audit tells its calls;
//! for each kill that these allow there is another copy. Clouds and cluster live on, as they would.

pub mod facts;
pub mod gc;
mod kill;
pub mod scene;
pub mod table;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use gc::{Heap, aws_heap, azure_heap};
use kill::{Kill, sample};
use scene::{After, Scene};
use table::{Row, TABLE};

use crate::plays::{self, Extent};

/// Kills of a row that a plain `cargo test` plays, and those of each thing that may come after besides running the same again.
const SAMPLE: (usize, usize) = (14, 3);

/// Cases of a row, in the order of their names.
fn cases(scene: &Scene, row: &Row) -> Vec<(Kill, After)> {
    let all = &scene.kills;
    let mutating: Vec<Kill> = all.iter().filter(|kill| kill.mutating).cloned().collect();
    let (first, other) = match plays::extent() {
        Extent::All => (all.clone(), mutating.clone()),
        Extent::Writes => (mutating.clone(), sample(&mutating, SAMPLE.1)),
        Extent::Sample => (sample(&mutating, SAMPLE.0), sample(&mutating, SAMPLE.1)),
    };
    let mut random = plays::random(row.name);
    let mut cases: Vec<(Kill, After)> = first.into_iter().map(|kill| (kill, After::Again)).collect();
    for kill in &other {
        let second = all[random.usize(..all.len())].clone();
        cases.push((kill.clone(), After::Twice(second)));
        cases.extend(row.then.iter().map(|then| (kill.clone(), After::Other(*then))));
    }
    cases
}

/// Plays the rows of a command.
fn survives(command: &str) {
    let rows: Vec<&'static Row> = TABLE
        .iter()
        .filter(|row| row.name.rsplit_once('-').is_some_and(|(of, _)| of == command))
        .collect();
    assert!(!rows.is_empty(), "no row of {command}");
    for row in rows.into_iter().filter(|row| plays::may_name(row.name)) {
        let scene = Scene::of(row);
        let cases = cases(&scene, row);
        let struck = AtomicUsize::new(0);
        let played = plays::at_once(
            &cases,
            |(kill, after)| scene.name(kill, after),
            |(kill, after)| {
                struck.fetch_add(usize::from(scene.play(kill, after)), Ordering::Relaxed);
            },
        );
        tell(row.name, scene.kills.len(), played, &struck);
    }
}

/// Plays the kills of garbage collection.
fn is_finished_by_the_next(name: &str, heap: impl FnOnce() -> Heap) {
    if !plays::may_name(name) {
        return;
    }
    let heap = heap();
    let kills = heap.kills();
    let mutating: Vec<Kill> = kills.iter().filter(|kill| kill.mutating).cloned().collect();
    let (first, twice) = match plays::extent() {
        Extent::All => (kills.clone(), mutating),
        Extent::Writes => (mutating.clone(), sample(&mutating, SAMPLE.1)),
        Extent::Sample => (sample(&mutating, SAMPLE.0), sample(&mutating, SAMPLE.1)),
    };
    let mut random = plays::random(name);
    let mut cases: Vec<(Kill, Option<Kill>)> = first.into_iter().map(|kill| (kill, None)).collect();
    for kill in twice {
        cases.push((kill, Some(kills[random.usize(..kills.len())].clone())));
    }
    let struck = AtomicUsize::new(0);
    let title = |(kill, second): &(Kill, Option<Kill>)| match second {
        None => format!("{}/{kill}", heap.name),
        Some(second) => format!("{}/{kill}/then-{second}", heap.name),
    };
    let played = plays::at_once(&cases, title, |(kill, second)| {
        struck.fetch_add(usize::from(heap.play(kill, second.as_ref())), Ordering::Relaxed);
    });
    tell(name, kills.len(), played, &struck);
}

fn tell(name: &str, possible: usize, played: usize, struck: &AtomicUsize) {
    let struck = struck.load(Ordering::Relaxed);
    plays::say(&format!(
        "{name}: {possible} kills are possible, {played} cases were played, {struck} killed the run"
    ));
}

#[test]
fn gc_survives_each_kill_at_aws() {
    is_finished_by_the_next("gc-ebs", || aws_heap(false));
}

#[test]
fn gc_survives_each_kill_beside_a_driver() {
    is_finished_by_the_next("gc-csi", || aws_heap(true));
}

#[test]
fn gc_survives_each_kill_at_azure_files() {
    is_finished_by_the_next("gc-files", || azure_heap("gc-files", "file.csi.azure.com"));
}

#[test]
fn gc_survives_each_kill_at_azure_blobs() {
    is_finished_by_the_next("gc-blobs", || azure_heap("gc-blobs", "blob.csi.azure.com"));
}

/// `docs/matrices.md` tells every row, and no other.
#[test]
fn the_page_has_every_row() {
    let page = std::fs::read_to_string("docs/matrices.md").unwrap();
    let told: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let rows = TABLE.iter().map(|row| row.name);
    let rows: BTreeSet<&str> = rows.chain(["gc-ebs", "gc-csi", "gc-files", "gc-blobs"]).collect();
    assert_eq!(told, rows);
}

#[test]
fn up_survives_each_kill() {
    survives("up");
}

#[test]
fn scaling_up_survives_each_kill() {
    survives("scale-up");
}

#[test]
fn scaling_down_survives_each_kill() {
    survives("scale-down");
}

#[test]
fn scaling_down_with_the_claims_survives_each_kill() {
    survives("scale-down-delete");
}

#[test]
fn down_that_deletes_survives_each_kill() {
    survives("down-delete");
}

#[test]
fn down_that_keeps_survives_each_kill() {
    survives("down-keep");
}

#[test]
fn down_that_takes_snapshots_survives_each_kill() {
    survives("down-snapshot");
}

#[test]
fn restore_survives_each_kill() {
    survives("restore");
}
