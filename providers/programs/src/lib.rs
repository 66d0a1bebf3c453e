//! Programs that are started for credentials: the plugin of a kubeconfig, `credential_process` of AWS, `az`. One that hangs is ended
//! together with what it started, so that nothing of a run outlives it.
//!
//! What a program has started is found in `/proc`. Where there is none, the program alone is ended. What has cut its ties to the
//! program, as a browser that was opened for a login or a daemon does, is left alone. So are signals and process groups: a plugin that
//! asks somebody at the terminal has to stay in the terminal's own group.

use std::collections::HashSet;
use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, waitid};

/// Ends a program that was started, and all that it started, when dropped. Whoever has waited for its end has to let go of it.
#[derive(Debug)]
pub struct Leash(Option<Pid>);

impl Leash {
    /// On a child of this process, by its number, which nobody has waited for yet. None holds nothing.
    pub fn on(child: Option<u32>) -> Self {
        Self(child.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    /// It has come to its end by itself.
    pub fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(program) = self.0 {
            end(program);
        }
    }
}

/// The children that this process has had from its beginning: a shell that became this process may have left it some.
#[derive(Debug)]
pub struct Inherited(HashSet<Pid>);

impl Inherited {
    /// Those there are now; to be asked before anything is started.
    pub fn note() -> Self {
        Self(children(getpid()).into_iter().collect())
    }

    /// Ends all other children, and what they started. Nothing may be started any more that is to stay.
    pub fn end_others(&self) {
        for child in children(getpid()) {
            if !self.0.contains(&child) {
                end(child);
            }
        }
    }
}

/// Ends a program and all that it started. What is stopped starts nothing more, so each is stopped before its children are listed. The
/// program goes last: as long as it is there, whoever else is to end it finds what it started, too.
fn end(program: Pid) {
    let mut found = vec![program];
    let mut listed = 0;
    while let Some(&next) = found.get(listed) {
        // Fails where it has ended, or belongs to another user: nothing more can be done about it.
        let _ = kill_process(next, Signal::STOP);
        found.extend(children(next));
        listed += 1;
    }
    for process in found.into_iter().rev() {
        let _ = kill_process(process, Signal::KILL);
    }
}

/// The processes that a process has started and that have not been waited for.
fn children(parent: Pid) -> Vec<Pid> {
    let any = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if parent == getpid() && waitid(WaitId::All, any).err() == Some(Errno::CHILD) {
        // The usual case, without reading all of `/proc`.
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|&process| parent_of(process) == Some(parent))
        .collect()
}

/// The fourth field of `/proc/PID/stat`; see proc(5).
fn parent_of(process: Pid) -> Option<Pid> {
    let stat = fs::read(format!("/proc/{}/stat", process.as_raw_pid())).ok()?;
    // The program's name is in parentheses, and may have any characters.
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = str::from_utf8(stat.get(end_of_name + 1..)?).ok()?;
    Pid::from_raw(fields.split_whitespace().nth(1)?.parse().ok()?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::sync::{Mutex, PoisonError};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::*;

    /// Tests that look at all children of this process take turns with those that have some.
    static TURN: Mutex<()> = Mutex::new(());

    /// A shell that waits for a shell that waits; and the numbers of what these started.
    fn family() -> (Child, Vec<i32>) {
        let script = "sleep 300 & echo $!; sh -c 'sleep 300 & echo $!; wait' & wait";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        let below = lines.take(2).map(|line| line.unwrap().parse().unwrap()).collect();
        (shell, below)
    }

    /// What has ended may stay as an entry until its parent asks for it.
    fn is_gone(process: i32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"));
        stat.map_or(true, |stat| {
            stat.rsplit(')').next().unwrap().trim().starts_with(['Z', 'X'])
        })
    }

    #[track_caller]
    fn eventually_gone(processes: &[i32]) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !processes.iter().all(|&process| is_gone(process)) {
            assert!(Instant::now() < deadline, "still there: {processes:?}");
            sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_is_given_up_ends_with_all_that_it_started() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut shell, below) = family();
        assert!(below.iter().all(|&process| !is_gone(process)), "{below:?}");
        drop(Leash::on(Some(shell.id())));
        eventually_gone(&below);
        assert!(!shell.wait().unwrap().success());
    }

    #[test]
    fn what_was_let_go_of_goes_on() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut shell, below) = family();
        Leash::on(Some(shell.id())).let_go();
        assert!(shell.try_wait().unwrap().is_none());
        assert!(below.iter().all(|&process| !is_gone(process)), "{below:?}");
        drop(Leash::on(Some(shell.id())));
        eventually_gone(&below);
        shell.wait().unwrap();
    }

    #[test]
    fn children_of_before_are_nobodys_to_end() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut before, below_before) = family();
        let inherited = Inherited::note();
        let (mut since, below_since) = family();
        inherited.end_others();
        eventually_gone(&below_since);
        assert!(!since.wait().unwrap().success());
        assert!(before.try_wait().unwrap().is_none());
        assert!(
            below_before.iter().all(|&process| !is_gone(process)),
            "{below_before:?}"
        );
        drop(Leash::on(Some(before.id())));
        eventually_gone(&below_before);
        before.wait().unwrap();
        assert!(children(getpid()).is_empty());
    }
}
