//! `cargo xtask real`: the real parts in the background, for tests run by hand and for people.
//!
//! What runs is written down in `~/.cache/moorline/real`: each process with its id and its start, so that nothing else is ever
//! stopped in its place.

mod part;
mod state;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use moorline_parts::{Parts, Programs, VARIABLE, azurite_connection};

pub(crate) use self::part::{Part, Started, set_up, start};
use self::state::{Running, State};
use crate::client::Missing;
use crate::{cache, process};

/// Where the background parts live. One command at a time works there.
struct Place {
    folder: PathBuf,
    _lock: File,
}

impl Place {
    fn enter() -> Result<Self> {
        let folder = cache::folder()?.join("real");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join("lock");
        let lock = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        if lock.try_lock().is_err() {
            process::say("waiting for another `cargo xtask real`");
            lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(Self { folder, _lock: lock })
    }

    fn part(&self, part: Part) -> PathBuf {
        self.folder.join(part.name())
    }

    fn parts_file(&self) -> PathBuf {
        self.folder.join("parts.json")
    }
}

/// Starts those of `wanted` that do not run, and prints how to use what runs.
pub(crate) fn up(wanted: &[Part]) -> Result<ExitCode> {
    let place = Place::enter()?;
    let mut state = State::read(&place.folder)?;
    let mut absent = Vec::new();
    for part in chosen(wanted) {
        match state.parts.get(&part) {
            Some(running) if running.lives() => {
                process::say(&format!("{} runs already: {}", part.name(), running.place));
            }
            Some(running) => {
                process::say(&format!("{} has died in part; it starts anew", part.name()));
                running.stop()?;
                absent.push(part);
            }
            None => absent.push(part),
        }
    }
    let (programs, missing) = set_up(&absent);
    let mut failed = report(&missing);
    let able = absent.into_iter().filter(|part| part.has_programs(&programs));
    for (part, started) in start_anew(&able.collect::<Vec<_>>(), &programs, &place)? {
        match started {
            Ok(started) => {
                process::say(&format!("{} runs: {}", part.name(), started.place()));
                // Written down first: killed between the two, the parts end with us, and the state is merely stale.
                state.parts.insert(part, Running::of(&started));
                state.programs.extend(programs.clone());
                state.write(&place.folder)?;
                started.detach();
            }
            Err(error) => {
                process::say(&format!("{} does not start: {error}", part.name()));
                failed = true;
            }
        }
    }
    state.tell().write(&place.parts_file())?;
    print(&exports(&state, &place.parts_file()))?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn start_anew(parts: &[Part], programs: &Programs, place: &Place) -> Result<Vec<(Part, Attempt)>> {
    for part in parts {
        let folder = place.part(*part);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
    }
    Ok(start(parts, programs, &place.folder))
}

type Attempt = std::result::Result<Started, moorline_parts::Error>;

/// Stops those of `unwanted` that run. Their logs stay.
pub(crate) fn down(unwanted: &[Part]) -> Result<ExitCode> {
    let place = Place::enter()?;
    let mut state = State::read(&place.folder)?;
    for part in chosen(unwanted) {
        let Some(running) = state.parts.remove(&part) else {
            process::say(&format!("{} does not run", part.name()));
            continue;
        };
        running.stop()?;
        state.write(&place.folder)?;
        leave_logs(&place.part(part))?;
        process::say(&format!(
            "{} is stopped; logs are in {}",
            part.name(),
            place.part(part).display()
        ));
    }
    state.tell().write(&place.parts_file())?;
    Ok(ExitCode::SUCCESS)
}

/// Removes the data of a stopped part.
fn leave_logs(folder: &Path) -> Result<()> {
    for found in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = found.path();
        if path.is_dir() {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Prints every process: whether it runs and is well, where it is and what it says.
pub(crate) fn status() -> Result<ExitCode> {
    let place = Place::enter()?;
    let state = State::read(&place.folder)?;
    let kubectl = state.programs.path("kubectl").ok();
    let mut lines = Vec::new();
    let mut well = true;
    for part in Part::ALL {
        let Some(running) = state.parts.get(&part) else {
            lines.push(format!("{}: does not run", part.name()));
            continue;
        };
        lines.push(format!("{}: {}", part.name(), running.place));
        for record in &running.processes {
            let health = match (record.process.runs(), record.health.check(kubectl)) {
                (false, _) => "has died".to_owned(),
                (true, Ok(())) => "healthy".to_owned(),
                (true, Err(why)) => format!("not healthy: {why}"),
            };
            well &= health == "healthy";
            let (id, log) = (record.process.id, record.log.display());
            lines.push(format!("  {:<24} {id:>8}  {health}; log: {log}", record.name));
        }
    }
    print(&(lines.join("\n") + "\n"))?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(parts: &[Part]) -> Vec<Part> {
    Part::ALL
        .into_iter()
        .filter(|part| parts.is_empty() || parts.contains(part))
        .collect()
}

/// Says what is missing, and whether anything is.
fn report(missing: &[Missing]) -> bool {
    for missing in missing {
        process::say(&missing.to_string());
    }
    !missing.is_empty()
}

/// What a shell must know to use what runs.
fn exports(state: &State, parts_file: &Path) -> String {
    let mut lines = vec![export(VARIABLE, &parts_file.to_string_lossy())];
    let place = |part: Part| state.parts.get(&part).map(|running| running.place.as_str());
    if let Some(kubeconfig) = place(Part::Kubernetes) {
        lines.push(export("KUBECONFIG", kubeconfig));
    }
    let clouds: Vec<(Part, &str)> = [Part::Moto, Part::Localstack]
        .into_iter()
        .filter_map(|part| Some((part, place(part)?)))
        .collect();
    for (index, (part, url)) in clouds.iter().enumerate() {
        // One of them can be meant at a time; moto, which has load balancers, where both run.
        let comment = if index == 0 { "" } else { "# instead, for " };
        let name = if index == 0 {
            String::new()
        } else {
            format!("{}: ", part.name())
        };
        lines.push(format!("{comment}{name}{}", export("AWS_ENDPOINT_URL", url)));
    }
    if !clouds.is_empty() {
        for (variable, value) in [
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
        ] {
            lines.push(export(variable, value));
        }
    }
    if let Some(url) = place(Part::Azurite) {
        lines.push(export("AZURE_STORAGE_CONNECTION_STRING", &azurite_connection(url)));
    }
    lines.join("\n") + "\n"
}

/// An `export` line that any shell reads as it is meant.
fn export(variable: &str, value: &str) -> String {
    format!("export {variable}='{}'", value.replace('\'', r"'\''"))
}

fn print(text: &str) -> Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to stdout")
}

impl State {
    /// The parts file that says the same.
    fn tell(&self) -> Parts {
        let mut parts = Parts::new(self.programs.clone());
        for (part, running) in &self.parts {
            part.tell(&running.place, &mut parts);
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(places: &[(Part, &str)]) -> State {
        let running = |place: &str| Running {
            place: place.to_owned(),
            processes: Vec::new(),
        };
        State {
            parts: places.iter().map(|(part, place)| (*part, running(place))).collect(),
            programs: Programs::default(),
        }
    }

    #[test]
    fn exports_survive_a_shell_and_name_one_cloud() {
        let state = state(&[
            (Part::Kubernetes, "/tmp/it's here/kubeconfig"),
            (Part::Moto, "http://127.0.0.1:26001"),
            (Part::Localstack, "http://127.0.0.1:26002"),
            (Part::Azurite, "http://127.0.0.1:26003"),
        ]);
        let script = exports(&state, Path::new("/tmp/parts.json"))
            + "echo $KUBECONFIG $AWS_ENDPOINT_URL ${AZURE_STORAGE_CONNECTION_STRING##*;B} $MOORLINE_TEST_PARTS";
        let said = process::output(std::process::Command::new("sh").args(["-c", &script])).unwrap();
        assert_eq!(
            said,
            "/tmp/it's here/kubeconfig http://127.0.0.1:26001 lobEndpoint=http://127.0.0.1:26003/devstoreaccount1; /tmp/parts.json\n"
        );
        assert!(script.contains("# instead, for localstack: export AWS_ENDPOINT_URL='http://127.0.0.1:26002'"));
    }

    #[test]
    fn a_cloud_that_does_not_run_is_not_exported() {
        let text = exports(&state(&[(Part::Kubernetes, "/k")]), Path::new("/p"));
        assert!(!text.contains("AWS") && !text.contains("AZURE"), "{text}");
        let text = exports(&state(&[(Part::Localstack, "http://l")]), Path::new("/p"));
        assert!(
            text.contains("\nexport AWS_ENDPOINT_URL='http://l'\n") && !text.contains("KUBECONFIG"),
            "{text}"
        );
    }

    #[test]
    fn the_parts_file_says_what_runs() {
        let told = state(&[(Part::Localstack, "http://l")]).tell();
        assert_eq!(told.localstack().unwrap(), "http://l");
        assert!(told.moto().is_err() && told.kubeconfig().is_err() && told.azurite().is_err());
    }
}
