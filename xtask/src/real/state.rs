//! What was left to run in the background.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use moorline_parts::{Programs, Record};
use serde::{Deserialize, Serialize};

use super::{Part, Started};

const FILE: &str = "running.json";

/// All parts that were started and not stopped.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) parts: BTreeMap<Part, Running>,
    pub(super) programs: Programs,
}

/// A part that was started.
#[derive(Serialize, Deserialize)]
pub(super) struct Running {
    /// Its kubeconfig or address.
    pub(super) place: String,
    pub(super) processes: Vec<Record>,
}

impl Running {
    pub(super) fn of(started: &Started) -> Self {
        Self {
            place: started.place(),
            processes: started.records(),
        }
    }

    /// Whether every process of it still runs.
    pub(super) fn lives(&self) -> bool {
        self.processes.iter().all(|record| record.process.runs())
    }

    /// Ends what still runs of it.
    pub(super) fn stop(&self) -> Result<()> {
        // The last started first, so that nothing complains about what is gone.
        for record in self.processes.iter().rev() {
            record.stop()?;
        }
        Ok(())
    }
}

impl State {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| {
                format!(
                    "{} is malformed: stop what it names by hand and remove it",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Written beside its place and renamed: a kill leaves the old state or the new one.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let unfinished = folder.join(format!("{FILE}.unfinished"));
        fs::write(&unfinished, serde_json::to_vec_pretty(self)?)
            .and_then(|()| fs::rename(&unfinished, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use moorline_parts::{Health, Identity};

    use super::*;

    fn record(process: Identity) -> Record {
        Record {
            name: "moto".to_owned(),
            process,
            log: "/nowhere/moto.log".into(),
            health: Health::Answers {
                url: "http://127.0.0.1:1/".to_owned(),
            },
        }
    }

    #[test]
    fn a_stale_state_stops_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut stranger = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let identity = Identity::of(stranger.id()).unwrap();
        let before_reboot = Identity {
            started: "before the reboot".to_owned(),
            ..identity.clone()
        };
        let mut state = State::default();
        let running = |process| Running {
            place: "http://127.0.0.1:1".to_owned(),
            processes: vec![record(process)],
        };
        state.parts.insert(Part::Moto, running(before_reboot));
        state.write(folder.path()).unwrap();
        let read = State::read(folder.path()).unwrap();
        assert!(!read.parts[&Part::Moto].lives());
        read.parts[&Part::Moto].stop().unwrap();
        assert_eq!(stranger.try_wait().unwrap(), None, "the stranger still runs");
        assert!(running(identity.clone()).lives());
        running(identity).stop().unwrap();
        assert!(!stranger.wait().unwrap().success());
    }

    #[test]
    fn no_state_is_nothing_running_and_a_broken_one_is_said() {
        let folder = tempfile::tempdir().unwrap();
        assert!(State::read(folder.path()).unwrap().parts.is_empty());
        fs::write(folder.path().join(FILE), "{").unwrap();
        let error = State::read(folder.path()).err().unwrap().to_string();
        assert!(error.contains("running.json is malformed"), "{error}");
    }
}
