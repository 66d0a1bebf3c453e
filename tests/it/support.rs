//! A world for one test: its own home, its own sandbox, no environment but what the test gives.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The end of what `sandbox serve` prints.
const READY: &str = "# moorline sandbox is ready";

/// How long something may take that is to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A home, a sandbox over a folder of its own, and folders for profiles.
pub struct World {
    dir: TempDir,
}

impl World {
    /// A sandbox as it comes: throttled, with creation times and lag.
    pub fn realistic() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A sandbox without throttling, latency and lag.
    pub fn instant() -> Self {
        let world = Self::realistic();
        world.run("sandbox settings --instant").succeeds();
        world.run("sandbox audit --reset").succeeds();
        world
    }

    /// Changes some of the sandbox's settings.
    pub fn configure(&self, change: impl FnOnce(&mut Value)) {
        let mut settings = self.run("sandbox settings").succeeds().json();
        change(&mut settings);
        let folder = self.write("settings/sandbox.json", &settings.to_string());
        let file = folder.join("sandbox.json");
        self.run(&format!("sandbox settings --settings {}", file.display()))
            .succeeds();
    }

    /// The folder that this world lives in.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A command in this world: nothing of the machine's environment reaches it but `PATH`.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.path())
            .env("MOORLINE_SANDBOX_DIR", self.path().join("sandbox"));
        command
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        command
    }

    /// A `moorline` command, not yet run; the line is split at spaces.
    pub fn moorline(&self, line: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_moorline"));
        command.args(line.split_whitespace());
        command
    }

    /// Runs `moorline` to its end.
    pub fn run(&self, line: &str) -> Run {
        Run::of(line, &self.moorline(line).output().unwrap())
    }

    /// Writes a file of a profile of this world, and gives the profile's folder.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let file = self.path().join(path);
        let folder = file.parent().unwrap().to_owned();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&file, text).unwrap();
        folder
    }

    /// The sandbox's audit since its last reset.
    pub fn audit(&self) -> Audit {
        Audit(self.run("sandbox audit -o json").succeeds().json())
    }

    /// Forgets the audit.
    pub fn reset_audit(&self) {
        self.run("sandbox audit --reset").succeeds();
    }

    /// Adds a fault rule.
    pub fn fault(&self, rule: &Value) {
        let output = self
            .moorline("sandbox fault add")
            .arg(rule.to_string())
            .output()
            .unwrap();
        Run::of("sandbox fault add", &output).succeeds();
    }

    /// Serves the sandbox until the handle is dropped.
    pub fn serve(&self) -> Served {
        Self::serve_by(self.moorline("sandbox serve"))
    }

    /// The same, by a command that comes to serving it.
    pub fn serve_by(mut command: Command) -> Served {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let exports: Vec<String> = lines.take_while(|line| line != READY).collect();
        let variable = |line: &String| {
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        };
        Served {
            environment: exports.iter().map(variable).collect(),
            child,
        }
    }
}

/// A sandbox being served.
pub struct Served {
    /// What `sandbox serve` printed.
    pub environment: Vec<(String, String)>,
    child: Child,
}

impl Served {
    /// The process that serves it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The value of a variable.
    pub fn variable(&self, name: &str) -> &str {
        let found = self.environment.iter().find(|(key, _)| key == name);
        found.map_or_else(|| panic!("no {name} among {:?}", self.environment), |(_, value)| value)
    }
}

impl Served {
    /// Address of the API server.
    pub fn api_server(&self) -> String {
        let config = std::fs::read_to_string(self.variable("KUBECONFIG")).unwrap();
        let server = config.lines().find_map(|line| line.trim().strip_prefix("server: "));
        server.unwrap().to_owned()
    }

    /// Reads from the API server.
    pub fn get(&self, path: &str) -> Value {
        let answer = self.exchange(&format!("GET {path} HTTP/1.1"), "");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Applies an object as another field manager would, taking what it wants.
    pub fn apply(&self, manager: &str, path: &str, object: &Value) {
        let line = format!("PATCH {path}?fieldManager={manager}&force=true HTTP/1.1");
        self.exchange(
            &(line + "\r\nContent-Type: application/apply-patch+yaml"),
            &object.to_string(),
        );
    }

    /// Changes an object by a merge patch, as `kubectl patch --type merge` does.
    pub fn merge(&self, path: &str, change: &Value) {
        let line = format!("PATCH {path} HTTP/1.1\r\nContent-Type: application/merge-patch+json");
        self.exchange(&line, &change.to_string());
    }

    /// Deletes an object, as a user would with kubectl.
    pub fn delete(&self, path: &str) {
        self.exchange(&format!("DELETE {path} HTTP/1.1"), "");
    }

    fn exchange(&self, head: &str, body: &str) -> String {
        exchange(&self.api_server(), head, body)
    }
}

/// Sends a request and gives the whole answer, which is to be a success.
pub fn exchange(server: &str, head: &str, body: &str) -> String {
    let answer = ask(server, head, body);
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    answer
}

/// Sends a request and gives the whole answer.
pub fn ask(server: &str, head: &str, body: &str) -> String {
    let address = server.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let length = body.len();
    let request = format!("{head}\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Drop for Served {
    fn drop(&mut self) {
        // As Ctrl-C would, so that the state is flushed; then whatever it takes.
        let _ = signal(&self.child, "TERM");
        let _ = self.child.wait();
    }
}

/// Waits until something holds on the other side, which tells of no change.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sends a signal to a process that this test started.
pub fn signal(child: &Child, name: &str) -> std::io::Result<std::process::ExitStatus> {
    Command::new("kill")
        .arg(format!("-{name}"))
        .arg(child.id().to_string())
        .status()
}

/// A run that ended.
#[derive(Debug)]
pub struct Run {
    /// What was run.
    pub line: String,
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Progress and errors.
    pub stderr: String,
}

impl Run {
    /// What a process came to.
    pub fn of(line: &str, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            line: line.to_owned(),
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The same, having checked the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "moorline {}\n{}\n{}",
            self.line,
            self.stdout,
            self.stderr
        );
        self
    }

    /// The same, having checked that it succeeded.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.exits(0)
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// The lines of stderr that begin with `error:`.
    pub fn errors(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("error:")).collect()
    }

    /// The rows of stdout's tables whose first cell begins with `prefix`, cell by cell.
    pub fn rows(&self, prefix: &str) -> Vec<Vec<&str>> {
        let rows = self.stdout.lines().filter(|line| line.starts_with(prefix));
        rows.map(|line| {
            line.split("   ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect()
    }
}

/// What was called.
pub struct Audit(Value);

impl Audit {
    /// A count summed over all operations of a service, or of all services with `*`.
    pub fn sum(&self, service: &str, field: &str) -> u64 {
        let rows = self
            .0
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| service == "*" || row["service"] == service);
        rows.map(|row| row[field].as_u64().unwrap()).sum()
    }

    /// A count of one operation.
    pub fn count(&self, operation: &str, field: &str) -> u64 {
        let row = self
            .0
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["operation"] == operation);
        row.map_or(0, |row| row[field].as_u64().unwrap())
    }

    /// Every operation that has a count, for messages.
    pub fn with(&self, field: &str) -> String {
        let mut out = String::new();
        for row in self.0.as_array().unwrap().iter().filter(|row| row[field] != 0) {
            let _ = writeln!(out, "{row}");
        }
        out
    }
}

/// A StatefulSet with one claim for each replica, and its class.
pub fn set(name: &str, replicas: u32) -> String {
    format!(
        "apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {{name: {name}-gp3}}
provisioner: ebs.csi.aws.com
parameters: {{type: gp3}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{clusterIP: None, selector: {{app: {name}}}, ports: [{{port: 80}}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  serviceName: {name}
  podManagementPolicy: Parallel
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: main
          image: nginx:1.27
          volumeMounts: [{{name: data, mountPath: /data}}]
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: {name}-gp3
        resources: {{requests: {{storage: 1Gi}}}}
"
    )
}

/// A thin `profile.yaml`.
pub fn profile(name: &str) -> String {
    format!("name: {name}\nprovider:\n  aws:\n    region: us-east-1\n")
}

impl World {
    /// What is in the sandbox: volumes, load balancers, snapshots, and objects by kind. Nodes and what belongs to them
    /// are furniture, and events go by themselves after a while, as in any cluster.
    pub fn state(&self) -> Value {
        let mut state = self.run("sandbox state -o json").succeeds().json();
        let objects = state["objects"].as_object_mut().unwrap();
        for furniture in [
            "csidrivers.storage.k8s.io",
            "csinodes.storage.k8s.io",
            "events",
            "nodes",
        ] {
            objects.remove(furniture);
        }
        state
    }

    /// How many volumes the account has.
    pub fn volumes(&self) -> u64 {
        self.state()["volumes"].as_array().unwrap().len() as u64
    }
}
