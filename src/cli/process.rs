//! This process, as others may ask after it: who runs it, and whether it is still there.

use std::fs;
use std::path::Path;

use moorline_engine::lock::{Fate, Holder};
use rustix::io::Errno;
use rustix::process::{Pid, getuid, test_kill_process};

/// This run as the holder of a lock; `number` tells it from every other run.
pub(crate) fn holder(user: Option<&str>, command: &str, number: u64) -> Holder {
    let pid = std::process::id();
    let user = user.map_or_else(|| getuid().as_raw().to_string(), str::to_owned);
    let host = read("/proc/sys/kernel/hostname").unwrap_or_else(|| "localhost".to_owned());
    Holder {
        identity: format!("{user}@{host}/{pid}/{number:016x}"),
        command: format!("moorline {command}"),
        process: Mark::of(pid).map_or_else(String::new, |mark| mark.to_string()),
        fate,
    }
}

/// What tells a process from every other one that ever was: this start of this machine's kernel, its space of process numbers,
/// the number, and when it began. The name of the host stands beside them for copies of machines that were made while they ran.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    place: String,
    pid: u32,
    started: u64,
}

impl Mark {
    fn of(pid: u32) -> Option<Self> {
        Some(Self {
            place: place()?,
            pid,
            started: Stat::of(pid)?.started,
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.rsplitn(3, ' ');
        let started = words.next()?.parse().ok()?;
        let pid = words.next()?.parse().ok()?;
        let place = words.next()?.to_owned();
        Some(Self { place, pid, started })
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.place, self.pid, self.started)
    }
}

/// Where process numbers mean the same as here: `boot id, number of the namespace, host`.
///
/// A namespace's number may be given to another one when all of its processes are gone; then the one that is asked after is gone, too.
fn place() -> Option<String> {
    let boot = read("/proc/sys/kernel/random/boot_id")?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let host = read("/proc/sys/kernel/hostname")?;
    Some(format!("{boot} {} {host}", namespace.display()))
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What has become of the process with this mark. Every doubt is `Unknown`: a mark of another machine, one without `/proc`.
fn fate(mark: &str) -> Fate {
    match Mark::parse(mark) {
        Some(mark) if place().as_ref() == Some(&mark.place) => mark.fate(),
        _ => Fate::Unknown,
    }
}

impl Mark {
    fn fate(&self) -> Fate {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Fate::Unknown;
        };
        // Asked of the kernel, for `/proc` may hide what belongs to others.
        if test_kill_process(pid) == Err(Errno::SRCH) {
            return Fate::Gone;
        }
        match Stat::of(self.pid) {
            Some(stat) if stat.started != self.started => Fate::Gone,
            // It has ended, and nobody has asked for its exit code.
            Some(stat) if matches!(stat.state, 'Z' | 'X') && stat.threads <= 1 => Fate::Gone,
            Some(stat) if !matches!(stat.state, 'T' | 't' | 'Z' | 'X') => Fate::Runs,
            _ => Fate::Unknown,
        }
    }
}

/// What `/proc/PID/stat` says of a process; see proc(5).
struct Stat {
    state: char,
    threads: u64,
    started: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The program's name is in parentheses, and may have any characters.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // The first of them is the third of the line.
        Some(Self {
            state: fields.first()?.chars().next()?,
            threads: fields.get(17)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::process::{Child, Command, Stdio};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap()
    }

    fn mark(child: &Child) -> String {
        Mark::of(child.id()).unwrap().to_string()
    }

    #[test]
    fn a_process_runs_until_it_is_killed() {
        let mut child = sleeper();
        let mark = mark(&child);
        assert_eq!(fate(&mark), Fate::Runs);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(fate(&mark), Fate::Gone);
    }

    #[test]
    fn another_process_of_its_number_is_not_it() {
        let mut child = sleeper();
        let mut other = Mark::of(child.id()).unwrap();
        other.started += 1;
        assert_eq!(fate(&other.to_string()), Fate::Gone);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_cannot_be_known_is_not_gone() {
        let mut elsewhere = Mark::of(std::process::id()).unwrap();
        elsewhere.place = elsewhere.place.replace("pid:[", "pid:[9");
        elsewhere.pid = 4_000_000;
        for mark in [&elsewhere.to_string(), "", "nonsense", "a b c d e"] {
            assert_eq!(fate(mark), Fate::Unknown, "{mark}");
        }
    }

    #[test]
    fn names_of_programs_do_not_mislead() {
        let stat = "7 (a) R 1 2 (b) S 1 7 7 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 3 0 4711 1 1";
        let stat = Stat::parse(stat).unwrap();
        assert_eq!((stat.state, stat.threads, stat.started), ('S', 3, 4711));
    }

    #[test]
    fn two_runs_of_one_process_are_two_holders() {
        let (one, other) = (holder(Some("ci"), "up", 1), holder(Some("ci"), "up", 2));
        assert_ne!(one.identity, other.identity);
        assert!(one.identity.starts_with("ci@"), "{}", one.identity);
        assert_eq!(fate(&one.process), Fate::Runs);
    }
}
