//! One program in the background: started, watched until it is of use, killed.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::LogTail;
use crate::identity::kill_group;
use crate::{Error, Health, Identity, guardian};

/// A program that is to run, and its process while it does. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) health: Health,
    /// How long it may take until it is of use on a busy machine.
    pub(crate) patience: Duration,
    /// Where it runs; its log is `<name>.log` there.
    pub(crate) folder: PathBuf,
    pub(crate) child: Option<Child>,
}

/// A program that was left to run on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Its process.
    pub process: Identity,
    /// What it says.
    pub log: PathBuf,
    /// How to ask it whether it is well.
    pub health: Health,
}

impl Record {
    /// Ends it, if it is that process which still runs.
    pub fn stop(&self) -> Result<(), Error> {
        self.process.kill().map_err(|why| Error::Stop {
            name: self.name.clone(),
            id: self.process.id,
            why,
        })
    }
}

impl Unit {
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Starts it without waiting for anything. What it said in an earlier life stays in the log.
    pub(crate) fn spawn(&mut self) -> Result<(), Error> {
        fs::create_dir_all(&self.folder).map_err(Error::file("create", &self.folder))?;
        let log = self.log();
        let out = File::options().create(true).append(true).open(&log);
        let out = out.map_err(Error::file("write", &log))?;
        let also_out = out.try_clone().map_err(Error::file("write", &log))?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // A process group of its own: what it starts ends with it, and Ctrl-C on the terminal is ours to handle.
        command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(also_out)
            .process_group(0);
        let child = command.spawn().map_err(|source| Error::Spawn {
            program: self.program.display().to_string(),
            source,
        })?;
        let id = child.id();
        self.child = Some(child);
        guardian::watch(id)
    }

    /// Waits until it is of use.
    pub(crate) fn wait(&mut self, kubectl: Option<&Path>) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let asked = self.health.check(kubectl);
            // Looked at after the answer: a healthy answer of somebody else at our port is not ours.
            if let Some(status) = self.ended()? {
                return Err(Error::Died {
                    name: self.name,
                    status,
                    log: LogTail::of(&self.log()),
                });
            }
            let Err(why) = asked else { return Ok(()) };
            if start.elapsed() > self.patience {
                return Err(Error::Unhealthy {
                    name: self.name,
                    seconds: self.patience.as_secs(),
                    why,
                    log: LogTail::of(&self.log()),
                });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// How it has ended, if it has. From then on its id may be somebody else's, and is not kept.
    fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        let Some(child) = &mut self.child else {
            return Err(Error::NotRunning(self.name));
        };
        let status = child.try_wait().map_err(|source| Error::Spawn {
            program: self.program.display().to_string(),
            source,
        })?;
        if status.is_some() {
            self.forget();
        }
        Ok(status)
    }

    /// Whether it was started and has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.ended(), Ok(None))
    }

    /// Kills it, and what it has started, at once. Nothing happens if it does not run.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let id = i32::try_from(child.id()).unwrap_or_default();
        // Until it is waited for, nobody else can be given its id.
        let waited = kill_group(id).and_then(|()| child.wait().map_err(|error| error.to_string()));
        guardian::forget(child.id());
        waited.map(drop).map_err(|why| Error::Stop {
            name: self.name.to_owned(),
            id,
            why,
        })
    }

    /// What is needed to find the process again; nothing if it does not run.
    pub(crate) fn record(&self) -> Option<Record> {
        let process = Identity::of(self.child.as_ref()?.id())?;
        Some(Record {
            name: self.name.to_owned(),
            process,
            log: self.log(),
            health: self.health.clone(),
        })
    }

    /// Lets it live on without us, or takes note that it has ended.
    pub(crate) fn forget(&mut self) {
        if let Some(child) = self.child.take() {
            guardian::forget(child.id());
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // What cannot be killed is left to the guardian.
        drop(self.kill());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(folder: &Path, script: &str, url: &str) -> Unit {
        Unit {
            name: "thing",
            program: PathBuf::from("sh"),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            environment: vec![("GREETING", "good morning".to_owned())],
            health: Health::Answers { url: url.to_owned() },
            patience: Duration::from_millis(300),
            folder: folder.to_owned(),
            child: None,
        }
    }

    #[test]
    fn one_that_dies_at_its_start_is_reported_with_status_and_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut unit = shell(
            folder.path(),
            "echo $GREETING; echo no config >&2; exit 7",
            "http://127.0.0.1:1/",
        );
        unit.patience = Duration::from_mins(1);
        unit.spawn().unwrap();
        let error = unit.wait(None).unwrap_err();
        let said = error.to_string();
        assert!(
            said.starts_with("thing ended (exit status: 7) before it was healthy; its log "),
            "{said}"
        );
        assert!(said.ends_with("ends with\n  good morning\n  no config"), "{said}");
        assert!(!error.is_taken_port());
    }

    #[test]
    fn one_whose_port_was_taken_is_told_from_one_that_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let complaint = "echo 'listen tcp 127.0.0.1:1: bind: address already in use'; exit 1";
        let mut unit = shell(folder.path(), complaint, "http://127.0.0.1:1/");
        unit.patience = Duration::from_mins(1);
        unit.spawn().unwrap();
        assert!(unit.wait(None).unwrap_err().is_taken_port());
    }

    #[test]
    fn one_that_never_answers_is_given_up_and_killed_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let mut unit = shell(folder.path(), "sleep 600 & echo $!; wait", "http://127.0.0.1:1/");
        unit.spawn().unwrap();
        let error = unit.wait(None).unwrap_err();
        assert!(matches!(error, Error::Unhealthy { .. }), "{error}");
        let grandchild = fs::read_to_string(unit.log()).unwrap().trim().parse().unwrap();
        assert!(Identity::of(grandchild).is_some());
        drop(unit);
        let start = Instant::now();
        while Identity::of(grandchild).is_some() {
            assert!(start.elapsed() < Duration::from_secs(10), "it outlives the handle");
            std::thread::yield_now();
        }
    }

    #[test]
    fn one_that_has_ended_is_not_killed_by_an_id_that_may_be_given_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut unit = shell(folder.path(), "exit 0", "http://127.0.0.1:1/");
        unit.spawn().unwrap();
        while unit.runs() {
            std::thread::yield_now();
        }
        assert!(unit.child.is_none());
        unit.kill().unwrap();
    }

    #[test]
    fn a_detached_one_lives_on_until_it_is_stopped_by_its_identity() {
        let folder = tempfile::tempdir().unwrap();
        let mut unit = shell(folder.path(), "exec sleep 600", "http://127.0.0.1:1/");
        unit.spawn().unwrap();
        let record = unit.record().unwrap();
        unit.forget();
        drop(unit);
        assert!(record.process.runs());
        record.stop().unwrap();
        assert!(!record.process.runs());
        record.stop().unwrap();
    }
}
