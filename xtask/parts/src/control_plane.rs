//! A Kubernetes control plane: the real programs, and kwok in the place of kubelets and a cloud controller.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::health::TOKEN;
use crate::unit::{Record, Unit};
use crate::{Error, Health, Programs, nodes, ports};

/// A program of the control plane, in the order in which they are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// etcd, with all that the API server keeps.
    Etcd,
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager: the binder, the controllers of workloads, the garbage collector.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// kwok, which plays the nodes' kubelets and gives load balancers a hostname.
    Kwok,
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kwok,
    ];

    fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
        }
    }
}

/// A running control plane with three Ready nodes, in us-east-1a, b and c. Dropped, it ends.
///
/// Its data is worth nothing: etcd does not wait for the disk. A killed component comes back with [`ControlPlane::restart`],
/// on the same port, with the same data.
#[derive(Debug)]
pub struct ControlPlane {
    units: BTreeMap<Component, Unit>,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    folder: PathBuf,
}

/// How long a component may take to be of use, on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_mins(2);

impl ControlPlane {
    /// Starts all components in `folder`, which keeps their data and logs, and waits until the nodes are Ready.
    ///
    /// What an earlier control plane left in `folder` is taken up again.
    pub fn start(programs: &Programs, folder: &Path) -> Result<Self, Error> {
        const ATTEMPTS: usize = 3;
        for _ in 1..ATTEMPTS {
            match Self::try_start(programs, folder) {
                Err(error) if error.is_taken_port() => {}
                started => return started,
            }
        }
        Self::try_start(programs, folder)
    }

    fn try_start(programs: &Programs, folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        let folder = folder.canonicalize().map_err(Error::file("find", folder))?;
        let layout = Layout::new(&folder)?;
        layout.write()?;
        let units = Component::ALL.map(|component| Ok((component, layout.unit(component, programs)?)));
        let mut plane = Self {
            units: units.into_iter().collect::<Result<_, Error>>()?,
            kubectl: programs.path("kubectl")?.to_owned(),
            kubeconfig: layout.kubeconfig(),
            folder,
        };
        plane.begin(Component::Etcd)?;
        plane.begin(Component::ApiServer)?;
        // The others need the API server only, not each other.
        for component in &Component::ALL[2..] {
            plane.unit(*component)?.spawn()?;
        }
        plane.add_nodes()?;
        for component in &Component::ALL[2..] {
            plane.wait(*component)?;
        }
        plane.wait_for_nodes()?;
        Ok(plane)
    }

    /// The kubeconfig of a user who may do everything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// What `kubectl ARGUMENTS` prints about this cluster; its failure is an error with what it said.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command.arg("--cache-dir").arg(self.folder.join("kubectl-cache"));
        let output = command.args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|source| Error::Spawn {
            program: self.kubectl.display().to_string(),
            source,
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Command {
            command: format!("kubectl {}", arguments.join(" ")),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Kills a component (`SIGKILL`). Nothing happens if it does not run.
    pub fn kill(&mut self, component: Component) -> Result<(), Error> {
        self.unit(component)?.kill()
    }

    /// Starts a component again on its old port with its old data, after killing it if it runs, and waits until it is healthy.
    pub fn restart(&mut self, component: Component) -> Result<(), Error> {
        self.kill(component)?;
        self.begin(component)
    }

    /// Whether a component runs. That it is well is not looked at.
    pub fn runs(&mut self, component: Component) -> bool {
        self.unit(component).is_ok_and(Unit::runs)
    }

    /// What is needed to find and stop the components that run without this handle.
    pub fn records(&self) -> Vec<Record> {
        self.units.values().filter_map(Unit::record).collect()
    }

    /// Lets all components live on without this handle.
    pub fn detach(mut self) {
        self.units.values_mut().for_each(Unit::forget);
    }

    fn unit(&mut self, component: Component) -> Result<&mut Unit, Error> {
        self.units
            .get_mut(&component)
            .ok_or(Error::NotRunning(component.program()))
    }

    fn begin(&mut self, component: Component) -> Result<(), Error> {
        self.unit(component)?.spawn()?;
        self.wait(component)
    }

    fn wait(&mut self, component: Component) -> Result<(), Error> {
        let kubectl = self.kubectl.clone();
        self.unit(component)?.wait(Some(&kubectl))
    }

    fn add_nodes(&self) -> Result<(), Error> {
        let manifest = self.folder.join("nodes.json");
        write(&manifest, &nodes::list().to_string())?;
        self.kubectl(&["apply", "--filename", &manifest.to_string_lossy()])
            .map(drop)
    }

    fn wait_for_nodes(&self) -> Result<(), Error> {
        let timeout = format!("--timeout={}s", PATIENCE.as_secs());
        self.kubectl(&["wait", "--for=condition=Ready", "node", "--all", &timeout])?;
        // The API server makes it soon after it says that it is ready.
        self.kubectl(&["wait", "--for=create", "namespace/default", &timeout])
            .map(drop)
    }
}

/// Where the files and ports of one control plane are.
struct Layout<'a> {
    folder: &'a Path,
    etcd: u16,
    peer: u16,
    api: u16,
    controllers: u16,
    scheduler: u16,
    kwok: u16,
}

impl<'a> Layout<'a> {
    fn new(folder: &'a Path) -> Result<Self, Error> {
        let [etcd, peer, api, controllers, scheduler, kwok] = ports::choose()?;
        Ok(Self {
            folder,
            etcd,
            peer,
            api,
            controllers,
            scheduler,
            kwok,
        })
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The files that the programs want to find. The API server makes its certificate itself.
    fn write(&self) -> Result<(), Error> {
        let key = self.folder.join("service-accounts.key");
        if !key.exists() {
            let pair = KeyPair::generate()?;
            write(&key, &pair.serialize_pem())?;
            write(&self.folder.join("service-accounts.pub"), &pair.public_key_pem())?;
        }
        write(
            &self.folder.join("tokens.csv"),
            &format!("{TOKEN},admin,admin,\"system:masters\"\n"),
        )?;
        // JSON is YAML.
        write(&self.kubeconfig(), &format!("{:#}\n", self.connection()))
    }

    fn connection(&self) -> Value {
        let server = format!("https://127.0.0.1:{}", self.api);
        let authority = self.path("certificates/apiserver.crt");
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "real",
            "clusters": [{"name": "real", "cluster": {"server": server, "certificate-authority": authority}}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": "admin"}}],
        })
    }

    fn unit(&self, component: Component, programs: &Programs) -> Result<Unit, Error> {
        let (arguments, url) = match component {
            Component::Etcd => (self.etcd(), format!("http://127.0.0.1:{}/health", self.etcd)),
            Component::ApiServer => (self.api_server(), format!("https://127.0.0.1:{}/readyz", self.api)),
            Component::ControllerManager => (
                self.controller_manager(),
                format!("https://127.0.0.1:{}/healthz", self.controllers),
            ),
            Component::Scheduler => (
                self.scheduler(),
                format!("https://127.0.0.1:{}/healthz", self.scheduler),
            ),
            Component::Kwok => (self.kwok(programs)?, format!("http://127.0.0.1:{}/healthz", self.kwok)),
        };
        Ok(Unit {
            name: component.program(),
            program: programs.path(component.program())?.to_owned(),
            arguments,
            environment: Vec::new(),
            health: Health { url },
            patience: PATIENCE,
            folder: self.folder.to_owned(),
            child: None,
        })
    }

    fn etcd(&self) -> Vec<String> {
        let client = format!("http://127.0.0.1:{}", self.etcd);
        let peer = format!("http://127.0.0.1:{}", self.peer);
        vec![
            "--unsafe-no-fsync".to_owned(),
            flag("data-dir", self.path("etcd")),
            flag("listen-client-urls", &client),
            flag("advertise-client-urls", &client),
            flag("listen-peer-urls", &peer),
            flag("initial-advertise-peer-urls", &peer),
            flag("initial-cluster", format!("default={peer}")),
        ]
    }

    fn api_server(&self) -> Vec<String> {
        vec![
            flag("etcd-servers", format!("http://127.0.0.1:{}", self.etcd)),
            flag("secure-port", self.api),
            flag("bind-address", "127.0.0.1"),
            // A machine without any network has no other; and loopback may be no endpoint of Service `kubernetes`.
            flag("advertise-address", "127.0.0.1"),
            flag("endpoint-reconciler-type", "none"),
            flag("cert-dir", self.path("certificates")),
            flag("service-account-issuer", "https://kubernetes.default.svc"),
            flag("service-account-signing-key-file", self.path("service-accounts.key")),
            flag("service-account-key-file", self.path("service-accounts.pub")),
            flag("token-auth-file", self.path("tokens.csv")),
            flag("service-cluster-ip-range", "10.96.0.0/16"),
            flag("authorization-mode", "RBAC"),
            // Pods here need no token, and this plugin would have them wait for their service account.
            flag("disable-admission-plugins", "ServiceAccount"),
        ]
    }

    fn controller_manager(&self) -> Vec<String> {
        vec![
            flag("kubeconfig", self.kubeconfig().display()),
            flag("secure-port", self.controllers),
            flag("bind-address", "127.0.0.1"),
            flag("cert-dir", self.path("certificates")),
            flag("root-ca-file", self.path("certificates/apiserver.crt")),
            flag("service-account-private-key-file", self.path("service-accounts.key")),
            flag("leader-elect", false),
            // kwok does not make a Running pod Ready again, as a kubelet would after its node was thought lost. So no node is
            // thought lost while the API server or kwok is killed for a test, or the machine sleeps.
            flag("node-monitor-grace-period", "24h"),
        ]
    }

    fn scheduler(&self) -> Vec<String> {
        vec![
            flag("kubeconfig", self.kubeconfig().display()),
            flag("secure-port", self.scheduler),
            flag("bind-address", "127.0.0.1"),
            flag("cert-dir", self.path("certificates")),
            flag("leader-elect", false),
        ]
    }

    fn kwok(&self, programs: &Programs) -> Result<Vec<String>, Error> {
        let mut arguments = vec![
            flag("kubeconfig", self.kubeconfig().display()),
            flag("server-address", format!("127.0.0.1:{}", self.kwok)),
            flag("manage-all-nodes", true),
            flag("node-lease-duration-seconds", 40),
        ];
        let folder = programs.path("kwok-stages")?;
        let unreadable = |source| Error::file("read", folder)(source);
        let mut stages = Vec::new();
        for found in fs::read_dir(folder).map_err(unreadable)? {
            stages.push(found.map_err(unreadable)?.path());
        }
        stages.sort();
        arguments.extend(stages.iter().map(|stage| flag("config", stage.display())));
        Ok(arguments)
    }
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::file("write", path))
}
