//! The folder of a sandbox's state: the journal, `settings.json`, `kubeconfig`, and while it is served `serve.json`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use moorline_sandbox_core::Journal;
use serde::Serialize;
use serde_json::Value;

use crate::{ClusterEndpoint, Running, SandboxError, SandboxSettings, running};

/// A folder that exists.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder where it does not exist.
    pub(crate) fn open(path: &Path) -> Result<Self, SandboxError> {
        fs::create_dir_all(path).map_err(file_error(path))?;
        // The environment names files in it to processes with other working directories.
        let path = fs::canonicalize(path).map_err(file_error(path))?;
        Ok(Self { path })
    }

    /// Where the authority of the Azure cloud keeps its key and certificate.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }

    fn settings(&self) -> PathBuf {
        self.path.join("settings.json")
    }

    pub(crate) fn serve(&self) -> PathBuf {
        self.path.join("serve.json")
    }

    pub(crate) fn read_settings(&self) -> Result<Option<SandboxSettings>, SandboxError> {
        let path = self.settings();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SandboxError::File { path, source }),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| SandboxError::Settings { path, source })
    }

    pub(crate) fn write_settings(&self, settings: &SandboxSettings) -> Result<(), SandboxError> {
        write_json(&self.settings(), settings)
    }

    pub(crate) fn write_kubeconfig(&self, text: &str) -> Result<(), SandboxError> {
        write(&self.kubeconfig(), text.as_bytes())
    }

    pub(crate) fn write_running(&self, running: &Running) -> Result<(), SandboxError> {
        write_json(&self.serve(), running)
    }

    pub(crate) fn remove_running(&self) {
        // The next reader finds that nobody answers, and removes it.
        let _ = fs::remove_file(self.serve());
    }
}

/// Forgets the state in a folder that nobody uses.
pub(crate) fn reset(path: &Path) -> Result<(), SandboxError> {
    if !path.exists() {
        return Ok(());
    }
    if let Some(running) = running::find(path) {
        return Err(SandboxError::Served { pid: running.pid });
    }
    let folder = Folder::open(path)?;
    if folder.journal().exists() {
        // Holding it keeps others out while it goes.
        let journal = Journal::open(folder.journal())?;
        fs::remove_dir_all(folder.journal()).map_err(file_error(&folder.journal()))?;
        drop(journal);
    }
    let unreadable = folder.read_settings().is_err().then(|| folder.settings());
    for file in [folder.kubeconfig(), folder.serve()].into_iter().chain(unreadable) {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(&file)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// A kubeconfig with a context for each cluster; the first one is the current.
pub(crate) fn kubeconfig(clusters: &[ClusterEndpoint], token: Option<&str>) -> String {
    // The servers let anyone in where no token is set; clients want some credential all the same.
    let token = Value::from(token.unwrap_or("sandbox"));
    let each = |entry: &dyn Fn(&str, &str) -> String| -> String {
        let entries = clusters
            .iter()
            .map(|cluster| entry(&cluster.context, &cluster.endpoint));
        entries.collect()
    };
    let current = clusters.first().map(|first| first.context.as_str()).unwrap_or_default();
    let servers = each(&|name, server| format!("- name: {name}\n  cluster:\n    server: {server}\n"));
    let contexts = each(&|name, _| {
        format!("- name: {name}\n  context:\n    cluster: {name}\n    user: {name}\n    namespace: default\n")
    });
    let users = each(&|name, _| format!("- name: {name}\n  user:\n    token: {token}\n"));
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {current}\nclusters:\n{servers}contexts:\n{contexts}users:\n{users}"
    )
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), SandboxError> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| file_error(path)(error.into()))?;
    write(path, &text)
}

/// Writes a file in one step, readable by its owner only.
fn write(path: &Path, text: &[u8]) -> Result<(), SandboxError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let replace = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text)?;
        file.persist(path)?;
        Ok(())
    };
    replace().map_err(file_error(path))
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> SandboxError {
    let path = path.to_owned();
    move |source| SandboxError::File {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn files_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("state")).unwrap();
        folder.write_kubeconfig("x").unwrap();
        folder.write_settings(&SandboxSettings::instant()).unwrap();
        let mode = fs::metadata(folder.kubeconfig()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(folder.read_settings().unwrap(), Some(SandboxSettings::instant()));
    }

    #[test]
    fn a_reset_keeps_settings_that_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        drop(Journal::open(folder.journal()).unwrap());
        folder.write_settings(&SandboxSettings::instant()).unwrap();
        reset(dir.path()).unwrap();
        assert!(!folder.journal().exists());
        assert!(folder.read_settings().unwrap().is_some());
        fs::write(folder.settings(), "{").unwrap();
        assert!(matches!(folder.read_settings(), Err(SandboxError::Settings { .. })));
        reset(dir.path()).unwrap();
        assert!(folder.read_settings().unwrap().is_none());
        reset(&dir.path().join("absent")).unwrap();
    }

    #[test]
    fn a_state_in_use_is_not_reset() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let _held = Journal::open(folder.journal()).unwrap();
        assert!(matches!(reset(dir.path()), Err(SandboxError::Journal(_))));
        assert!(folder.journal().exists());
    }
}
