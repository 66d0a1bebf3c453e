//! Which process it is: ids are given out again, to processes that are none of our business.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

/// A process, told from every other that has, had or will have its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its id, which is that of its process group too.
    pub id: i32,
    /// When it was started, in the words of the system.
    pub started: String,
}

impl Identity {
    /// The process that has `id` now, unless there is none (or only one that has ended and was not waited for).
    pub fn of(id: u32) -> Option<Self> {
        let started = start_of(id)?;
        let id = i32::try_from(id).ok()?;
        Some(Self { id, started })
    }

    /// Whether this very process still runs.
    pub fn runs(&self) -> bool {
        u32::try_from(self.id).ok().and_then(Self::of).as_ref() == Some(self)
    }

    /// Kills its process group if it still runs, and waits until it has ended.
    pub(crate) fn kill(&self) -> Result<(), String> {
        const PATIENCE: Duration = Duration::from_secs(10);
        if !self.runs() {
            return Ok(());
        }
        kill_group(self.id)?;
        let start = Instant::now();
        while self.runs() {
            if start.elapsed() > PATIENCE {
                return Err(format!("it runs {} s after it was killed", PATIENCE.as_secs()));
            }
            // It is not our child: there is nothing to wait on.
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Kills a process group, whoever is in it: only the caller knows that the id is still the one that was meant.
pub(crate) fn kill_group(id: i32) -> Result<(), String> {
    let group = Pid::from_raw(id).ok_or("that is no process id")?;
    match kill_process_group(group, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(target_os = "linux")]
fn start_of(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is the program's name in brackets, and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let (state, ticks) = (fields.first()?, fields.get(19)?);
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    (!["Z", "X"].contains(state)).then(|| format!("{ticks} ticks after boot {}", boot.trim()))
}

#[cfg(not(target_os = "linux"))]
fn start_of(id: u32) -> Option<String> {
    let mut ps = std::process::Command::new("ps");
    let output = ps.args(["-o", "state=,lstart=", "-p", &id.to_string()]).output().ok()?;
    let told = String::from_utf8(output.stdout).ok()?;
    let (state, started) = told.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_known_again_and_killed() {
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        assert!(identity.runs());
        identity.kill().unwrap();
        assert!(!identity.runs(), "one that nobody waited for has ended nevertheless");
        assert!(!child.wait().unwrap().success());
        assert!(!identity.runs());
    }

    #[test]
    fn another_process_with_the_same_id_is_left_alone() {
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let stale = Identity {
            started: "long ago".to_owned(),
            ..Identity::of(child.id()).unwrap()
        };
        assert!(!stale.runs());
        stale.kill().unwrap();
        assert_eq!(child.try_wait().unwrap(), None, "it still runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
