//! Progress of garbage collection: what is read, what goes, what is waited for and how long that takes.

use moorline_collect::{Event, EventSink, Outcome, Stage};
use moorline_gc::leftovers::Sort;

use super::{Key, Mode, Progress};
use crate::report::gc::grouped;
use crate::report::plain_log::aligned;
use crate::report::{age, inline};

impl EventSink for Progress {
    fn emit(&self, event: Event) {
        self.draw_collection(&event);
        let is_told = match self.mode {
            Mode::Bars => matches!(event, Event::Gap { .. } | Event::Notice { .. }),
            Mode::Lines => true,
            Mode::Silent => false,
        };
        if let Some(line) = line(&event).filter(|_| is_told) {
            self.say(&line);
        }
    }
}

impl Progress {
    pub(super) fn draw_collection(&self, event: &Event) {
        let bar = Key::Collect;
        match event {
            Event::Stage { stage, total } => self.begin(bar(*stage), title(*stage), *total, *total == 0),
            Event::Read { what, complete, .. } => {
                self.with(bar(stage_of(what)), |bar| {
                    bar.set_message(inline(&read(event)));
                    if *complete {
                        super::advance(bar);
                    }
                });
            }
            Event::Marked { count, .. } => self.with(bar(Stage::Marks), |bar| bar.inc(*count as u64)),
            Event::Step { volume, what } => self.with(bar(Stage::Deletions), |bar| {
                bar.set_message(inline(&format!("{volume}: {what}")));
            }),
            Event::Done { .. } => self.with(bar(Stage::Deletions), super::advance),
            Event::Looking { .. } => {
                self.with(bar(Stage::Deletions), |bar| bar.set_message(looking(event)));
            }
            Event::Pace { .. } => self.with(bar(Stage::Deletions), |bar| bar.set_message(inline(&pace(event)))),
            Event::Gap { what, .. } => self.with(bar(stage_of(what)), super::advance),
            Event::Notice { .. } => {}
        }
    }
}

/// The line for an event, or none where it says nothing new to a reader.
fn line(event: &Event) -> Option<String> {
    match event {
        Event::Stage { total: 0, stage } => Some(aligned("", &format!("{}…", title(*stage)))),
        Event::Stage { total, stage } => Some(aligned("", &format!("{} ({})…", title(*stage), grouped(*total as u64)))),
        Event::Read { complete: false, .. } | Event::Pace { left: 0, .. } => None,
        // Most scopes have none of most sorts.
        Event::Read { count: 0, what, .. } if stage_of(what) == Stage::Leftovers => None,
        Event::Read { .. } => Some(aligned("read", &read(event))),
        Event::Gap { place, what, why } => Some(aligned("not read", &format!("{what} of {place}: {why}"))),
        Event::Marked { count, failed: None } => Some(aligned("marked", &volumes(*count))),
        Event::Marked {
            count,
            failed: Some(why),
        } => Some(aligned("failed", &format!("to mark {}: {why}", volumes(*count)))),
        Event::Looking { .. } => Some(aligned("looking", &looking(event))),
        Event::Step { volume, what } => Some(aligned("", &format!("{volume}: {what}"))),
        Event::Done { volume, outcome, saved } => Some(match outcome {
            Outcome::Gone => aligned("gone", &format!("{volume}, which saves ${saved:.2} a month")),
            Outcome::Kept(why) | Outcome::Unsettled(why) => aligned("spared", &format!("{volume}: {why}")),
            Outcome::Failed(why) => aligned("failed", &format!("{volume}: {why}")),
            Outcome::NotBegun(why) => aligned("not begun", &format!("{volume}: {why}")),
        }),
        Event::Pace { .. } => Some(aligned("waiting", &pace(event))),
        Event::Notice { text } => Some(aligned("note", text)),
    }
}

fn volumes(count: usize) -> String {
    let word = if count == 1 { "volume" } else { "volumes" };
    format!("{} {word}", grouped(count as u64))
}

fn read(event: &Event) -> String {
    match event {
        Event::Read { place, what, count, .. } => format!("{} {what} of {place}", grouped(*count as u64)),
        _ => String::new(),
    }
}

fn looking(event: &Event) -> String {
    match event {
        Event::Looking { count } => format!("at {} once more", volumes(*count)),
        _ => String::new(),
    }
}

fn pace(event: &Event) -> String {
    match event {
        Event::Pace { left, waiting, seconds } => {
            let left = format!("{} left, waiting for {waiting}", grouped(*left as u64));
            match seconds {
                Some(seconds) => format!("{left}; about {} more", age::span(*seconds)),
                None => left,
            }
        }
        _ => String::new(),
    }
}

/// The stage in which this is read.
fn stage_of(what: &str) -> Stage {
    if what == "volumes" {
        Stage::Clouds
    } else if Sort::ALL.iter().any(|sort| sort.to_string() == what) {
        Stage::Leftovers
    } else {
        Stage::Clusters
    }
}

/// What a stage does, in words.
fn title(stage: Stage) -> &'static str {
    match stage {
        Stage::Clouds => "listing volumes",
        Stage::Clusters => "listing clusters",
        Stage::Details => "reading volumes whose tags lists leave out",
        Stage::Marks => "marks",
        Stage::Deletions => "deletions",
        Stage::Leftovers => "load balancers, target groups, storage accounts, snapshots",
    }
}

#[cfg(test)]
mod tests {
    use moorline_api::VolumeId;

    use super::*;

    #[test]
    fn lines_say_what_became_of_a_volume_and_what_is_waited_for() {
        let done = |outcome| Event::Done {
            volume: VolumeId("vol-1".to_owned()),
            outcome,
            saved: 1.0,
        };
        let pace = Event::Pace {
            left: 1200,
            waiting: "the cloud's budget for deletions".to_owned(),
            seconds: Some(240.0),
        };
        let cases = [
            (done(Outcome::Gone), "        gone vol-1, which saves $1.00 a month"),
            (
                done(Outcome::Kept("a pod uses it".to_owned())),
                "      spared vol-1: a pod uses it",
            ),
            (
                pace,
                "     waiting 1,200 left, waiting for the cloud's budget for deletions; about 4 min more",
            ),
        ];
        for (event, expected) in cases {
            assert_eq!(line(&event).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_read_counts_for_its_stage() {
        let of = ["volumes", "load balancers", "target groups", "pods"].map(stage_of);
        assert_eq!(of, [Stage::Clouds, Stage::Leftovers, Stage::Leftovers, Stage::Clusters]);
    }

    #[test]
    fn a_clouds_words_cannot_drive_the_terminal() {
        let gap = Event::Gap {
            place: "cluster prod".to_owned(),
            what: "pods".to_owned(),
            why: "\u{1b}[2Jno".to_owned(),
        };
        assert_eq!(line(&gap).unwrap(), "    not read pods of cluster prod: \\u{1b}[2Jno");
    }
}
