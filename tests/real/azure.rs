//! The parts of Azure that the tests run against, and its official clients' eyes on them.

use std::path::Path;
use std::process::{Command, Stdio};

use moorline_parts::Parts;
use serde_json::Value;

use crate::clouds::Place;
use crate::support::{Served, World};

/// The account of Azurite: blobs, and no Resource Manager.
pub struct Azurite {
    url: String,
    environment: Vec<(String, String)>,
}

impl Azurite {
    /// The shared one.
    pub fn shared(parts: &Parts) -> Self {
        let url = parts.azurite().unwrap_or_else(|error| panic!("{error}")).to_owned();
        let connection = parts.azurite_connection().unwrap();
        Self {
            url,
            environment: vec![("AZURE_STORAGE_CONNECTION_STRING".to_owned(), connection)],
        }
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The containers whose names begin so, with their metadata.
    pub fn containers(&self, prefix: &str) -> Vec<Value> {
        self.ask(&["containers", prefix]).as_array().unwrap().clone()
    }

    /// Writes a blob, as a pod would through its mount.
    pub fn write(&self, container: &str, blob: &str, text: &str) {
        self.ask(&["write", container, blob, text]);
    }

    /// What is in a blob.
    pub fn read(&self, container: &str, blob: &str) -> String {
        self.ask(&["read", container, blob]).as_str().unwrap().to_owned()
    }

    /// Takes a lease on a container, as somebody who uses it would.
    pub fn lease(&self, container: &str) {
        self.ask(&["lease", container]);
    }

    /// Breaks the lease.
    pub fn release(&self, container: &str) {
        self.ask(&["release", container]);
    }

    /// Makes a container.
    pub fn make(&self, container: &str) {
        self.ask(&["make", container]);
    }

    /// Every blob of a container, with its name and text.
    pub fn objects(&self, container: &str) -> Vec<Value> {
        self.ask(&["objects", container]).as_array().unwrap().clone()
    }

    /// Deletes a container behind everyone's back.
    pub fn delete(&self, container: &str) {
        self.ask(&["delete", container]);
    }

    fn ask(&self, arguments: &[&str]) -> Value {
        ask(&self.environment, arguments)
    }
}

impl Place for Azurite {
    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }
}

/// The sandbox's Resource Manager, served.
pub struct Manager {
    served: Served,
    environment: Vec<(String, String)>,
}

impl Manager {
    /// Serves the sandbox of `world`. Its cluster is not used.
    pub fn serve(world: &World) -> Self {
        let served = world.serve();
        let azure = served.environment.iter().filter(|(name, _)| {
            name.starts_with("AZURE_") || ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"].contains(&name.as_str())
        });
        Self {
            environment: azure.cloned().collect(),
            served,
        }
    }

    /// Its storage accounts, each with its shares and their metadata.
    pub fn accounts(&self) -> Vec<Value> {
        ask(&self.served.environment, &["shares"]).as_array().unwrap().clone()
    }
}

impl Place for Manager {
    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }
}

/// What Azure's official clients say.
fn ask(environment: &[(String, String)], arguments: &[&str]) -> Value {
    let python = std::env::var_os("MOORLINE_TEST_AZURE_PYTHON");
    let python = python.unwrap_or_else(|| panic!("`cargo xtask test` sets MOORLINE_TEST_AZURE_PYTHON"));
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/azure_account.py"));
    command.args(arguments).stdin(Stdio::null());
    let output = command.envs(environment.iter().cloned()).output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}
