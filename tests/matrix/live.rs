//! A world whose sandbox is served for as long as the handle lives. What a test asks the sandbox itself costs a request and no process.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Run, Served, World, ask, exchange};

/// A world being served.
pub struct Live {
    /// Its home and its folders.
    pub world: World,
    /// Its clouds and its cluster.
    pub served: Served,
}

impl Live {
    /// Serves a world.
    pub fn of(world: World) -> Self {
        let served = world.serve();
        Self { world, served }
    }

    /// Serves a copy of a world that nobody serves: what happens in one of them does not happen in the other.
    pub fn of_copy(world: &World) -> Self {
        let copy = World::realistic();
        copy_folder(world.path(), copy.path());
        Self::of(copy)
    }

    /// No longer serves it; the world can be copied then.
    pub fn rest(self) -> World {
        let Self { world, served } = self;
        drop(served);
        world
    }

    /// Runs `moorline` to its end.
    pub fn run(&self, line: &str) -> Run {
        self.world.run(line)
    }

    /// Runs `moorline` in a process whose id a fault rule knows before its first call.
    pub fn run_under(&self, line: &str, rule: impl FnOnce(u32) -> Value) -> Run {
        let mut command = self.world.command("sh");
        command.args(["-c", r#"read -r _ && exec "$@""#, "sh", env!("CARGO_BIN_EXE_moorline")]);
        command.args(line.split_whitespace());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        self.fault(&rule(child.id()));
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        Run::of(line, &child.wait_with_output().unwrap())
    }

    /// Deletes an object, as a user would with kubectl, who may find that it has just gone by itself.
    pub fn delete_if_there(&self, path: &str) {
        let answer = ask(&self.served.api_server(), &format!("DELETE {path} HTTP/1.1"), "");
        let fine = ["HTTP/1.1 20", "HTTP/1.1 404 "]
            .iter()
            .any(|start| answer.starts_with(start));
        assert!(fine, "{answer}");
    }

    /// Asks the sandbox's own interface, or tells it something: `POST /_sandbox/faults`. What it answers, if anything.
    pub fn admin(&self, line: &str, body: &Value) -> Value {
        let server = self.served.variable("AWS_ENDPOINT_URL");
        let head = format!("{line} HTTP/1.1\r\nContent-Type: application/json");
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = exchange(server, &head, &body);
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_default()
    }

    /// Adds a fault rule.
    pub fn fault(&self, rule: &Value) {
        self.admin("POST /_sandbox/faults", rule);
    }

    /// Forgets every fault rule.
    pub fn clear_faults(&self) {
        self.admin("DELETE /_sandbox/faults", &Value::Null);
    }

    /// How often each operation was called since the last reset.
    pub fn audit(&self) -> Vec<Value> {
        let rows = self.admin("GET /_sandbox/audit", &Value::Null);
        rows.as_array().unwrap().clone()
    }

    /// Counts from zero again.
    pub fn reset_audit(&self) {
        self.admin("DELETE /_sandbox/audit", &Value::Null);
    }

    /// What is in the clouds, and how much in the cluster.
    pub fn state(&self) -> Value {
        self.admin("GET /_sandbox/state", &Value::Null)
    }

    /// Moves the clock.
    pub fn advance(&self, seconds: i64) {
        self.admin("POST /_sandbox/clock", &json!({ "advance_seconds": seconds }));
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
