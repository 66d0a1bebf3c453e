//! What goes on while no line comes: a log that stands still for minutes looks like a program that hangs.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Mode, Progress};
use crate::report::age;
use crate::report::plain_log::aligned;

/// After so long without a line there is one.
const SILENCE: Duration = Duration::from_secs(10);

/// Says what goes on whenever nothing else has been said for a while, as long as anything goes on. Never ends where there are lines.
pub(crate) async fn break_silence(progress: Arc<Progress>) {
    if progress.mode != Mode::Lines {
        return;
    }
    loop {
        let (line, next) = progress.beat(Instant::now());
        if let Some(line) = line {
            progress.say(&line);
        }
        sleep(next).await;
    }
}

impl Progress {
    /// The line for a silence that has lasted, and how long the next one may last.
    fn beat(&self, now: Instant) -> (Option<String>, Duration) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let lasted = now.saturating_duration_since(*said);
        if lasted < SILENCE {
            return (None, SILENCE.saturating_sub(lasted));
        }
        *said = now;
        (self.still(), SILENCE)
    }

    /// The stage of which something was heard last, if it goes on, or another one that does: for how long, how far, and with what.
    fn still(&self) -> Option<String> {
        let stages = self.lock();
        let latest = stages.latest.and_then(|latest| stages.bars.get(&latest));
        let mut all = latest.into_iter().chain(stages.bars.values().rev());
        let bar = all.find(|bar| !bar.is_finished())?;
        let far = bar.length().map(|total| format!(", {} of {total}", bar.position()));
        let with = Some(bar.message()).filter(|message| !message.is_empty());
        let line = format!(
            "{} for {}{}{}",
            bar.prefix(),
            age::span(bar.elapsed().as_secs_f64()),
            far.unwrap_or_default(),
            with.map(|message| format!(": {message}")).unwrap_or_default(),
        );
        Some(aligned("still", &line))
    }
}

#[cfg(test)]
mod tests {
    use moorline_collect::{Event, Stage};

    use super::*;

    fn read(count: usize, complete: bool) -> Event {
        Event::Read {
            place: "aws 123 us-east-1".to_owned(),
            what: "volumes".to_owned(),
            count,
            complete,
        }
    }

    #[test]
    fn what_goes_on_is_named_with_how_far_it_is() {
        let progress = Progress::new(Mode::Lines);
        assert_eq!(progress.still(), None);
        for (stage, total) in [(Stage::Clouds, 2), (Stage::Leftovers, 4)] {
            progress.draw_collection(&Event::Stage { stage, total });
        }
        progress.draw_collection(&read(40_000, false));
        let line = progress.still().unwrap();
        assert!(line.contains("still listing volumes for "), "{line}");
        assert!(
            line.ends_with(" s, 0 of 2: 40,000 volumes of aws 123 us-east-1"),
            "{line}"
        );
        for _ in 0..2 {
            progress.draw_collection(&read(90_000, true));
        }
        assert!(progress.still().unwrap().contains("load balancers"), "volumes are done");
        progress.finish();
        assert_eq!(progress.still(), None);
    }

    #[test]
    fn silence_is_broken_after_a_while_and_not_before() {
        let progress = Progress::new(Mode::Lines);
        let stage = Stage::Clouds;
        progress.draw_collection(&Event::Stage { stage, total: 1 });
        let begun = *progress.said.lock().unwrap();
        let at = |seconds| progress.beat(begun + Duration::from_secs(seconds));
        assert_eq!(at(9), (None, Duration::from_secs(1)));
        assert!(at(10).0.is_some());
        assert_eq!(
            at(12),
            (None, Duration::from_secs(8)),
            "a line of its own is a line, too"
        );
        assert!(at(20).0.is_some());
        progress.finish();
        assert_eq!(at(30), (None, SILENCE), "nothing goes on");
    }
}
