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

/// Milliseconds that each call takes in the second measurement.
const LATENCY: u32 = 20;

/// A dry run where calls take no time, and one where each takes 20 ms.
///
/// The least that pages allow is the account's and, after them, those of the longest list of a cluster: a page says where the next one
/// begins, so that they come one by one, and all lists of the clusters side by side, for there are fewer than calls that may be under
/// way. Clusters come after clouds, or a volume that was just made would lack its PersistentVolume.
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
    // A claim and a PersistentVolume for every volume but the orphans, as many in each cluster.
    let longest = (VOLUMES - UNUSED).div_ceil(3);
    let pages = VOLUMES.div_ceil(PAGE) + longest.div_ceil(PAGE);
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

/// Volumes that the third measurement deletes.
const DELETED: u32 = 1000;

const POLICY: &str = "\
scopes:
  - aws: {regions: [us-east-1]}
clusters:
  - context: moorline-sandbox
store: runs
";

/// The second run of `gc --apply` over a thousand unused volumes, half of them with claim and PersistentVolume, at the published rates.
///
/// They allow 100 volumes at once and 5 a second after, whoever sends the calls.
pub(crate) fn deletions(program: &std::path::Path) -> Result<Vec<Figure>> {
    let world = World::new(program)?;
    world.write("policy.yaml", POLICY)?;
    let _serving = world.serve()?;
    let half = DELETED / 2;
    world.run(&format!("sandbox seed --left-behind {half} --orphans {half}"))?;
    let apply = "gc --apply --sandbox --policy policy.yaml --quiet --output json";
    world.run(apply)?;
    world.run("sandbox clock advance 8d")?;
    world.run("sandbox audit --reset")?;
    let run = world.run(apply)?;
    let report: Value = serde_json::from_str(&run.stdout)?;
    let done = report["done"].as_array().context("nothing done in the report of gc")?;
    let gone = done.iter().filter(|done| done["outcome"] == "gone").count();
    ensure!(gone == usize::try_from(DELETED)?, "{gone} volumes are gone");
    Ok(vec![
        Figure::new(
            "gc deletes 1,000 volumes at the published rates, 1.03 of 180 s",
            run.milliseconds() / 1000.0,
            1.03 * 180.0,
            "s",
        ),
        Figure::new(
            "gc deletes 1,000 volumes at the published rates, throttled calls",
            world.audited("throttled")?,
            0.0,
            "",
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
