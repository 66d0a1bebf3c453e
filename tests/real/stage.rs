//! A cluster and a cloud for one test, and the real kubectl's eyes on the cluster.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moorline_parts::{Parts, from_environment};
use serde_json::Value;

use crate::clouds::{Account, Cloud, Place};
use crate::support::{Run, World};

/// Cluster and account are shared by the tests of this program, which take turns: the shipped profiles have names of their own.
static TURN: Mutex<()> = Mutex::new(());

/// How long the other side of a test may take: controllers on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_mins(1);

/// The real parts that were started for the tests.
pub fn parts() -> Parts {
    from_environment().unwrap_or_else(|error| panic!("{error}"))
}

/// A cluster, a cloud, and a home for moorline.
pub struct Stage<P = Account> {
    /// The home.
    pub world: World,
    /// The account.
    pub account: P,
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Stage<Account> {
    /// The shared control plane and a shared cloud, for as long as the stage lives.
    pub fn shared(cloud: Cloud) -> Self {
        Self::shared_with(|parts, _| Account::at(&cloud.url(parts), parts))
    }

    /// A control plane and a cloud of the test's own.
    pub fn new(parts: &Parts, kubeconfig: &Path, url: &str) -> Self {
        Self {
            world: World::realistic(),
            account: Account::at(url, parts),
            kubeconfig: kubeconfig.to_owned(),
            kubectl: parts.programs.path("kubectl").unwrap().to_owned(),
            _turn: None,
        }
    }

    /// Waits until something holds, and fails with what it was.
    #[track_caller]
    pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
        eventually(what, condition);
    }
}

impl<P: Place> Stage<P> {
    /// The shared control plane, for as long as the stage lives, and a place that is made for the test.
    pub fn shared_with(place: impl FnOnce(&Parts, &World) -> P) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = parts();
        let world = World::realistic();
        Self {
            account: place(&parts, &world),
            world,
            kubeconfig: parts.kubeconfig().unwrap_or_else(|error| panic!("{error}")).to_owned(),
            kubectl: parts.programs.path("kubectl").unwrap().to_owned(),
            _turn: Some(turn),
        }
    }

    /// A command that finds cluster and cloud, and `moorline` and `kubectl` by their names.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let programs = [Path::new(env!("CARGO_BIN_EXE_moorline")), &self.kubectl].map(|path| path.parent().unwrap());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = programs.into_iter().map(Path::to_owned);
        let path = std::env::join_paths(folders.chain(std::env::split_paths(&path))).unwrap();
        let mut command = self.world.command(program);
        command.envs(self.account.environment().iter().cloned());
        command.env("KUBECONFIG", &self.kubeconfig).env("PATH", path);
        command
    }

    /// A `moorline` command, not yet run.
    pub fn moorline(&self, line: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_moorline"));
        command.args(line.split_whitespace());
        command
    }

    /// Runs `moorline` to its end.
    pub fn run(&self, line: &str) -> Run {
        Run::of(line, &self.moorline(line).output().unwrap())
    }

    /// Starts `moorline`, to watch what it says.
    pub fn start(&self, line: &str) -> Running {
        let mut command = self.moorline(line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Running {
            line: line.to_owned(),
            stderr: BufReader::new(child.stderr.take().unwrap()),
            said: String::new(),
            child,
        }
    }

    /// Applies the manifests of a role, and gives the kubeconfig of its service account in namespace `default`.
    pub fn restricted(&self, manifests: &str, service_account: &str) -> PathBuf {
        let file = self.world.write("role/role.yaml", manifests).join("role.yaml");
        self.kubectl(&format!("apply -f {}", file.display()));
        let token = self.kubectl(&format!("create token {service_account}"));
        let mut config: Value = serde_json::from_str(&self.kubectl("config view --raw -o json")).unwrap();
        config["users"][0]["user"] = serde_json::json!({"token": token.trim()});
        self.world
            .write("role/kubeconfig", &config.to_string())
            .join("kubeconfig")
    }

    /// Deletes the objects of these manifests.
    pub fn remove(&self, manifests: &str) {
        let file = self.world.write("role/role.yaml", manifests).join("role.yaml");
        self.kubectl(&format!("delete -f {}", file.display()));
    }

    /// What `kubectl` prints; it must succeed.
    #[track_caller]
    pub fn kubectl(&self, line: &str) -> String {
        let mut command = self.command(&self.kubectl);
        let output = command.args(line.split_whitespace()).output().unwrap();
        assert!(
            output.status.success(),
            "kubectl {line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The objects that `kubectl get` lists.
    #[track_caller]
    pub fn get(&self, what: &str) -> Vec<Value> {
        let listed: Value = serde_json::from_str(&self.kubectl(&format!("get {what} -o json"))).unwrap();
        match listed.get("items") {
            Some(items) => items.as_array().unwrap().clone(),
            None => vec![listed],
        }
    }

    /// The names that `kubectl get` lists.
    #[track_caller]
    pub fn names(&self, what: &str) -> Vec<String> {
        let listed = self.kubectl(&format!("get {what} -o name"));
        listed.lines().map(str::to_owned).collect()
    }

    /// The versions of these kinds' objects: equal before and after means that nobody wrote anything.
    pub fn versions(&self, kinds: &str) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let version = |object: &Value| {
            let metadata = &object["metadata"];
            let name = format!("{}/{}", text(&object["kind"]), text(&metadata["name"]));
            (name, text(&metadata["resourceVersion"]))
        };
        self.get(kinds).iter().map(version).collect()
    }
}

/// Waits until something holds on the other side, which tells of no change.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A `moorline` that runs.
pub struct Running {
    line: String,
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    /// Reads what it says until a line contains `text`; fails where it ends before.
    #[track_caller]
    pub fn says(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            self.said.push_str(&line);
            assert!(read > 0, "`{text}` was never said: {}", self.said);
            if line.contains(text) {
                return;
            }
        }
    }

    /// Kills it (`SIGKILL`).
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub fn ends(mut self) -> Run {
        std::io::Read::read_to_string(&mut self.stderr, &mut self.said).unwrap();
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = self.said.into_bytes();
        Run::of(&self.line, &output)
    }
}
