//! The files, ports and flags of one control plane.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::control_plane::Component;
use crate::health::TOKEN;
use crate::unit::Unit;
use crate::{Error, Health, Programs, ports};

/// How long a component may take to be of use, on a machine that compiles beside it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Where the files and ports of one control plane are.
pub(crate) struct Layout<'a> {
    folder: &'a Path,
    etcd: u16,
    peer: u16,
    api: u16,
    controllers: u16,
    scheduler: u16,
    kwok: u16,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(folder: &'a Path) -> Result<Self, Error> {
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

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The certificate of who vouches for users.
    pub(crate) fn users(&self) -> PathBuf {
        self.folder.join("users.crt")
    }

    pub(crate) fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd)
    }

    /// The files that the programs want to find. The API server makes its certificate itself.
    pub(crate) fn write(&self) -> Result<(), Error> {
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

    pub(crate) fn unit(&self, component: Component, programs: &Programs) -> Result<Unit, Error> {
        let (arguments, url) = match component {
            Component::Etcd => (self.etcd(), format!("{}/health", self.etcd_url())),
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
            health: Health::Answers { url },
            patience: PATIENCE,
            folder: self.folder.to_owned(),
            child: None,
        })
    }

    fn etcd(&self) -> Vec<String> {
        let client = self.etcd_url();
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
            flag("etcd-servers", self.etcd_url()),
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
            flag("client-ca-file", self.users().display()),
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

pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::file("write", path))
}
