//! Garbage collection over a hundred thousand volumes of three clusters, in a served sandbox.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::figures::{Figure, MEGABYTE};
use crate::world::{Measured, World};

const CLUSTERS: [&str; 3] = ["moorline-sandbox", "b", "c"];
const VOLUMES: u32 = 100_000;
/// Of them, those that nobody can want any more, of each sort.
const UNUSED: u32 = 100;

/// What EC2 gives at once, and what is asked of API servers.
const PAGE: u32 = 500;

/// Pages of clusters that moorline reads at once.
const AT_ONCE: u32 = 3;

/// Milliseconds that each call takes in the second measurement.
const LATENCY: u32 = 20;

/// A dry run where calls take no time, and one where each takes 20 ms.
///
/// The least that pages allow is the account's, each asked for when the one before it is there, and after them the clusters', so many
/// at once as moorline holds in memory.
pub(crate) fn dry_run(program: &std::path::Path) -> Result<Vec<Figure>> {
    let world = World::instant(program)?;
    world.settings(|settings| settings["clusters"] = json!(CLUSTERS))?;
    let _serving = world.serve()?;
    let claimed = VOLUMES - 2 * UNUSED;
    world.run(&format!(
        "sandbox seed --volumes {claimed} --left-behind {UNUSED} --orphans {UNUSED}"
    ))?;
    let quick = world.run("gc --sandbox --quiet --output json")?;
    check(&quick)?;
    world.settings(|settings| {
        for part in ["aws", "azure", "api"] {
            settings[part]["latency_millis"] = json!(LATENCY);
        }
    })?;
    let slow = world.run("gc --sandbox --quiet --output json")?;
    check(&slow)?;
    // A claim and a PersistentVolume for every volume but the orphans.
    let objects = 2 * (VOLUMES - UNUSED);
    let pages = VOLUMES.div_ceil(PAGE) + objects.div_ceil(PAGE).div_ceil(AT_ONCE);
    let floor = f64::from(pages * LATENCY) / 1000.0;
    Ok(vec![
        Figure::new(
            "dry run of gc over 100,000 volumes of 3 clusters",
            quick.milliseconds() / 1000.0,
            6.0,
            "s",
        ),
        Figure::new(
            "dry run of gc over 100,000 volumes, peak memory",
            f64::from(u32::try_from(quick.peak)?) / MEGABYTE,
            150.0,
            "MB",
        ),
        Figure::new(
            format!("the same with 20 ms a call, 1.2 of the {floor:.1} s of its pages"),
            slow.milliseconds() / 1000.0,
            1.2 * floor,
            "s",
        ),
    ])
}

/// Everything was seen, and what is unused was found.
fn check(run: &Measured) -> Result<()> {
    let report: Value = serde_json::from_str(&run.stdout)?;
    let totals = report["plan"]["totals"]
        .as_object()
        .context("no totals in the report of gc")?;
    let all: u64 = totals.values().filter_map(|total| total["count"].as_u64()).sum();
    ensure!(all == u64::from(VOLUMES), "{all} volumes were judged: {totals:?}");
    Ok(())
}
