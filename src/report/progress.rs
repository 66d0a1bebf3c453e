//! Progress on stderr: bars on a terminal, lines elsewhere, nothing where asked.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use moorline_engine::event::Stage;
use moorline_engine::{Event, EventSink};

use super::{age, inline, plain_log};

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

/// Shows the engine's events on stderr.
pub(crate) struct Progress {
    mode: Mode,
    bars: MultiProgress,
    stages: Mutex<BTreeMap<Stage, ProgressBar>>,
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
        }
    }

    /// Says something now, whatever the mode but silence.
    pub(crate) fn say(&self, line: &str) {
        match self.mode {
            // A closed stderr must not stop the run.
            Mode::Bars => drop(self.bars.println(line)),
            Mode::Lines => drop(writeln!(std::io::stderr().lock(), "{line}")),
            Mode::Silent => {}
        }
    }

    /// Takes the bars away, so that results stand alone.
    pub(crate) fn finish(&self) {
        for bar in self.lock().values() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Stage, ProgressBar>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, event: &Event) {
        match event {
            Event::Stage { stage, total } => self.begin(*stage, *total),
            Event::Done {
                stage, what, detail, ..
            } => {
                self.with(*stage, |bar| {
                    bar.set_message(inline(&format!("{what} {detail}")));
                    bar.inc(1);
                });
            }
            Event::Waiting { ready, total, causes } => self.with(Stage::Wait, |bar| {
                bar.set_length(*total as u64);
                bar.set_position(*ready as u64);
                bar.set_message(inline(&plain_log::top(causes)));
            }),
            Event::Pace { seconds, .. } => self.with(Stage::Volumes, |bar| {
                bar.set_message(format!("rate limits allow the rest in {}", age::span(*seconds)));
            }),
            Event::Notice { text } => self.say(&format!("note: {}", inline(text))),
        }
    }

    /// A stage begins. What came before it in the order and counts nothing is done: its spinner goes.
    fn begin(&self, stage: Stage, total: usize) {
        let mut stages = self.lock();
        for (_, spinner) in stages
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
        bar.set_style(style(total == 0 && stage != Stage::Wait));
        bar.set_prefix(plain_log::title(stage));
        bar.enable_steady_tick(Duration::from_millis(120));
        stages.insert(stage, bar);
    }

    fn with(&self, stage: Stage, change: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.lock().get(&stage) {
            change(bar);
        }
    }
}

fn style(spinner: bool) -> ProgressStyle {
    let template = if spinner {
        "{spinner} {prefix} {elapsed} {wide_msg}"
    } else {
        "{spinner} {prefix} {pos}/{len} {elapsed} {wide_msg}"
    };
    // The template is ours and constant; a bad one would only cost the looks.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl EventSink for Progress {
    fn emit(&self, event: Event) {
        match self.mode {
            Mode::Bars => self.draw(&event),
            Mode::Lines => plain_log::line(&event).into_iter().for_each(|line| self.say(&line)),
            Mode::Silent => {}
        }
    }
}
