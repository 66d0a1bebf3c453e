//! Progress on stderr: bars on a terminal, lines elsewhere, nothing where asked.
//!
//! Where there are lines, the bars are kept, too, unseen: they know what goes on while no line comes (`quiet`).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use moorline_engine::event::{Change, Stage};
use moorline_engine::{Event, EventSink};

use super::{age, guarded, inline, plain_log};

mod collect;
mod pace;
mod quiet;

pub(crate) use pace::listener;
pub(crate) use quiet::break_silence;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Bars that move, for a person at a terminal.
    Bars,
    /// A line for each thing done.
    Lines,
    /// Nothing.
    Silent,
}

/// Whose stage a bar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Engine(Stage),
    Collect(moorline_collect::Stage),
}

/// Shows the events of engine and collector on stderr.
pub(crate) struct Progress {
    mode: Mode,
    bars: MultiProgress,
    stages: Mutex<Stages>,
    /// When the last line was said.
    said: Mutex<Instant>,
}

/// The stages that have begun.
#[derive(Default)]
struct Stages {
    bars: BTreeMap<Key, ProgressBar>,
    /// The one of which something was heard last.
    latest: Option<Key>,
}

impl Progress {
    /// Progress in this mode.
    pub(crate) fn new(mode: Mode) -> Self {
        let target = if mode == Mode::Bars {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            mode,
            bars: MultiProgress::with_draw_target(target),
            stages: Mutex::default(),
            said: Mutex::new(Instant::now()),
        }
    }

    /// Says something now, whatever the mode but silence.
    pub(crate) fn say(&self, line: &str) {
        match self.mode {
            // A closed stderr must not stop the run.
            Mode::Bars => drop(self.bars.println(guarded(line))),
            Mode::Lines => {
                *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                drop(writeln!(std::io::stderr().lock(), "{}", guarded(line)));
            }
            Mode::Silent => {}
        }
    }

    /// Takes the bars away, so that results stand alone.
    pub(crate) fn finish(&self) {
        for bar in self.lock().bars.values() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stages> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, event: &Event) {
        match event {
            Event::Stage { stage, total } => {
                let is_spinner = *total == 0 && *stage != Stage::Wait;
                self.begin(Key::Engine(*stage), plain_log::title(*stage), *total, is_spinner);
            }
            Event::Done {
                stage,
                what,
                change,
                detail,
            } => self.with(Key::Engine(*stage), |bar| {
                bar.set_message(inline(&format!("{what} {detail}")));
                if completes(*stage, what, *change) {
                    advance(bar);
                }
            }),
            Event::Waiting { ready, total, causes } => self.with(Key::Engine(Stage::Wait), |bar| {
                bar.set_length(*total as u64);
                bar.set_position(*ready as u64);
                bar.set_message(inline(&plain_log::top(causes)));
            }),
            Event::Pace { seconds, .. } => self.with(Key::Engine(Stage::Volumes), |bar| {
                bar.set_message(format!("rate limits allow the rest in {}", age::span(*seconds)));
            }),
            Event::Notice { .. } => {}
        }
    }

    /// A stage begins. What came before it in the order and counts nothing is done: its spinner goes.
    fn begin(&self, stage: Key, title: &'static str, total: usize, is_spinner: bool) {
        let mut stages = self.lock();
        for (_, spinner) in stages
            .bars
            .iter()
            .filter(|(earlier, bar)| **earlier < stage && bar.length().is_none())
        {
            spinner.finish_and_clear();
        }
        let bar = self.bars.add(if total == 0 {
            ProgressBar::no_length()
        } else {
            ProgressBar::new(total as u64)
        });
        bar.set_style(style(is_spinner));
        bar.set_prefix(title);
        if self.mode == Mode::Bars {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        stages.bars.insert(stage, bar);
        stages.latest = Some(stage);
    }

    fn with(&self, stage: Key, change: impl FnOnce(&ProgressBar)) {
        let mut stages = self.lock();
        if let Some(bar) = stages.bars.get(&stage) {
            change(bar);
            stages.latest = Some(stage);
        }
    }
}

/// Whether this is the last that happens to one of the things that the stage counts: a claim passes through several
/// hands, and counts when it is bound, or when what was behind it is gone or kept.
fn completes(stage: Stage, what: &str, change: Change) -> bool {
    match stage {
        Stage::Volumes => change == Change::Settled,
        Stage::Reclaim => what.starts_with("persistentvolume/"),
        Stage::Teardown => change != Change::Deleting,
        _ => true,
    }
}

/// One more done; a stage whose things are all done stands still.
fn advance(bar: &ProgressBar) {
    let total = bar.length().unwrap_or(u64::MAX);
    bar.set_position((bar.position() + 1).min(total));
    if bar.position() == total {
        bar.set_style(template("✓ {prefix} {pos}/{len} {elapsed}"));
        bar.finish();
    }
}

fn style(is_spinner: bool) -> ProgressStyle {
    template(if is_spinner {
        "{spinner} {prefix} {elapsed} {wide_msg}"
    } else {
        "{spinner} {prefix} {pos}/{len} {elapsed} {wide_msg}"
    })
}

/// The templates are ours and constant; a bad one would only cost the looks.
fn template(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl EventSink for Progress {
    fn emit(&self, event: Event) {
        self.draw(&event);
        let line = match (self.mode, &event) {
            (Mode::Bars, Event::Notice { text }) => Some(format!("note: {}", inline(text))),
            (Mode::Lines, event) => plain_log::line(event),
            (Mode::Bars | Mode::Silent, _) => None,
        };
        if let Some(line) = line {
            self.say(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_counts_once_however_many_steps_it_takes() {
        let steps = [Change::Created, Change::Created, Change::Created, Change::Settled];
        assert_eq!(
            steps
                .iter()
                .filter(|step| completes(Stage::Volumes, "x", **step))
                .count(),
            1
        );
    }

    #[test]
    fn a_bar_never_counts_beyond_its_end() {
        let bar = ProgressBar::hidden();
        bar.set_length(2);
        for _ in 0..5 {
            advance(&bar);
        }
        assert_eq!((bar.position(), bar.is_finished()), (2, true));
    }
}
