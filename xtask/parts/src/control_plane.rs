//! A Kubernetes control plane: the real programs, and kwok in the place of kubelets and a cloud controller.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::authority::Authority;
use crate::layout::{Layout, PATIENCE, write};
use crate::unit::{Record, Unit};
use crate::{Error, Programs, nodes};

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

    pub(crate) fn program(self) -> &'static str {
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
    etcd: String,
    authority: Authority,
    folder: PathBuf,
}

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
        let authority = Authority::new()?;
        authority.write(&layout.users())?;
        let units = Component::ALL.map(|component| Ok((component, layout.unit(component, programs)?)));
        let mut plane = Self {
            units: units.into_iter().collect::<Result<_, Error>>()?,
            kubectl: programs.path("kubectl")?.to_owned(),
            kubeconfig: layout.kubeconfig(),
            etcd: layout.etcd_url(),
            authority,
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

    /// Where etcd answers, without TLS and credentials: `http://127.0.0.1:PORT`.
    pub fn etcd(&self) -> &str {
        &self.etcd
    }

    /// A client certificate, and its key, both as PEM: who shows it is `user` in `group`, and may do what RBAC allows these.
    ///
    /// It is of use as long as this control plane; one that takes up the folder later does not know it.
    pub fn client_certificate(&self, user: &str, group: &str) -> Result<(String, String), Error> {
        self.authority.issue(user, group)
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
