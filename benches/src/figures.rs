//! What is measured, and the limit of each figure.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::world::World;

/// A measured value, and what it may be at most.
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) measured: f64,
    pub(crate) limit: f64,
    pub(crate) unit: &'static str,
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, measured: f64, limit: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            measured,
            limit,
            unit,
        }
    }

    /// Whether the limit is kept.
    pub(crate) fn is_met(&self) -> bool {
        self.measured <= self.limit
    }

    /// The share of the limit that was needed. A limit of none has no shares.
    pub(crate) fn ratio(&self) -> String {
        match (self.limit > 0.0, self.is_met()) {
            (true, _) => format!("{:.2}", self.measured / self.limit),
            (false, met) => (if met { "ok" } else { "over" }).to_owned(),
        }
    }
}

pub(crate) const MEGABYTE: f64 = 1e6;

/// Size, and the time until `--version` is printed: the median of many, for the machine has other things to do.
pub(crate) fn start(program: &Path) -> Result<Vec<Figure>> {
    let world = World::new(program)?;
    let mut times = Vec::new();
    for _ in 0..101 {
        times.push(world.run("--version")?.milliseconds());
    }
    times.sort_by(f64::total_cmp);
    let bytes = u32::try_from(std::fs::metadata(program)?.len())?;
    Ok(vec![
        Figure::new("size of the binary", f64::from(bytes) / MEGABYTE, 30.0, "MB"),
        Figure::new("moorline --version, median of 101", times[times.len() / 2], 15.0, "ms"),
    ])
}

/// Without rates, latency and lag an `up` costs what moorline and its sandbox compute. Two sizes tell the claim's share
/// from what every run costs.
pub(crate) fn overhead(program: &Path) -> Result<Vec<Figure>> {
    let time = |replicas| -> Result<f64> {
        let world = World::instant(program)?;
        Ok(world.up(replicas)?.milliseconds())
    };
    let (one, many) = (time(1)?, time(300)?);
    Ok(vec![
        Figure::new("up of 1 replica, instant cloud", one, 1000.0, "ms"),
        Figure::new("up of 300 replicas, instant cloud", many, 3000.0, "ms"),
        Figure::new("overhead of each further claim", (many - one) / 299.0, 10.0, "ms"),
    ])
}

/// Once with the sandbox in the same process, as `--sandbox` runs it; once against `sandbox serve`, where the figures are
/// moorline's alone. What an `up` holds that makes all of them is measured there, too.
pub(crate) fn no_op(program: &Path) -> Result<Vec<Figure>> {
    let first = {
        let world = World::instant(program)?;
        let _serving = world.serve()?;
        world.up(1000)?
    };
    let world = World::instant(program)?;
    world.up(1000)?;
    world.run("sandbox audit --reset")?;
    let embedded = world.up(1000)?;
    let changed = world.audited("changed")?;
    let served = {
        let _serving = world.serve()?;
        world.up(1000)?
    };
    let peak = |bytes: u64| -> Result<f64> { Ok(f64::from(u32::try_from(bytes)?) / MEGABYTE) };
    Ok(vec![
        Figure::new(
            "first up of 1,000 claims, sandbox served, peak memory",
            peak(first.peak)?,
            80.0,
            "MB",
        ),
        Figure::new(
            "no-op up of 1,000 claims, calls that changed something",
            changed,
            0.0,
            "",
        ),
        Figure::new(
            "no-op up of 1,000 claims, sandbox in the process",
            embedded.milliseconds(),
            3000.0,
            "ms",
        ),
        Figure::new(
            "no-op up of 1,000 claims, sandbox in the process, peak memory",
            peak(embedded.peak)?,
            80.0,
            "MB",
        ),
        Figure::new(
            "no-op up of 1,000 claims, sandbox served",
            served.milliseconds(),
            3000.0,
            "ms",
        ),
        Figure::new(
            "no-op up of 1,000 claims, sandbox served, peak memory",
            peak(served.peak)?,
            80.0,
            "MB",
        ),
    ])
}

/// The published rates allow 100 volumes at once and 5 a second after: the last of 300 is made after 40 s.
pub(crate) fn floor(program: &Path) -> Result<Vec<Figure>> {
    let world = World::new(program)?;
    let up = world.up(300)?;
    let bound = up.bound()?;
    ensure!(bound == 300, "{bound} of 300 claims are bound");
    let throttled = world.audited("throttled")?;
    Ok(vec![
        Figure::new(
            "up of 300 replicas at the published rates, 1.2 of the floor",
            up.milliseconds() / 1000.0,
            48.0,
            "s",
        ),
        Figure::new(
            "up of 300 replicas at the published rates, throttled calls",
            throttled,
            0.0,
            "",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_by_its_limit() {
        let figure = |measured, limit| Figure::new("", measured, limit, "ms");
        assert_eq!(
            (figure(15.0, 30.0).ratio().as_str(), figure(15.0, 30.0).is_met()),
            ("0.50", true)
        );
        assert!(!figure(31.0, 30.0).is_met());
        assert_eq!(
            (figure(0.0, 0.0).ratio().as_str(), figure(1.0, 0.0).ratio().as_str()),
            ("ok", "over")
        );
    }
}
