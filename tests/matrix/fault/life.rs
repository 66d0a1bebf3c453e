//! The commands of one life of a profile, in this order, on each cloud.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::{Run, World, eventually, set};

/// A cloud and what stands for a volume there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    Ebs,
    Files,
    Blobs,
}

/// A command of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Up,
    Status,
    Check,
    ScaleUp,
    ScaleDown,
    Mark,
    Sweep,
    Restore,
    Again,
    Down,
}

const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const SUBSCRIPTION: &str = "22222222-bbbb-4000-8000-000000000001";
/// Longer than the grace of the policy.
const GRACE: i64 = 2 * 3600;

impl Cloud {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ebs => "ebs",
            Self::Files => "files",
            Self::Blobs => "blobs",
        }
    }

    /// The commands of a life there: nobody brings a deleted container back.
    pub fn steps(self) -> Vec<Step> {
        use Step::{Again, Check, Down, Mark, Restore, ScaleDown, ScaleUp, Status, Sweep, Up};
        let mut steps = vec![Up, Status, Check, ScaleUp, ScaleDown, Mark, Sweep, Restore, Again, Down];
        steps.retain(|step| *step != Restore || self != Self::Blobs);
        steps
    }

    fn manifests(self) -> String {
        let deleted = "  podManagementPolicy: Parallel\n  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}\n";
        let manifests = set("web", 2).replace("  podManagementPolicy: Parallel\n", deleted);
        let (provisioner, parameters) = match self {
            Self::Ebs => return manifests + BALANCER,
            Self::Files => ("file.csi.azure.com", "skuName: Standard_LRS"),
            Self::Blobs => ("blob.csi.azure.com", "protocol: fuse2, skuName: Standard_LRS"),
        };
        let manifests = manifests
            .replace("ebs.csi.aws.com", provisioner)
            .replace("type: gp3", parameters);
        manifests.replace("ReadWriteOnce", "ReadWriteMany")
    }

    fn provider(self) -> &'static str {
        match self {
            Self::Ebs => "aws: {region: us-east-1}",
            Self::Files | Self::Blobs => "azure: {}",
        }
    }

    fn policy(self) -> String {
        let (scope, first) = match self {
            Self::Ebs => ("aws: {regions: [us-east-1]}".to_owned(), "snapshotFirst: {disk: 24h}\n"),
            Self::Files | Self::Blobs => (format!("azure: {{subscription: {SUBSCRIPTION}}}"), ""),
        };
        format!(
            "scopes: [{{{scope}}}]\nclusters: [{{context: moorline-sandbox}}]\nstore: runs\n{first}\
             grace: {{leftBehind: 1h, released: 1h, orphan: 1h, loadBalancer: 1h, storageAccount: 1h}}\n"
        )
    }

    fn volumes_of(self, state: &Value) -> Vec<String> {
        let sort = match self {
            Self::Ebs => "volumes",
            Self::Files => "shares",
            Self::Blobs => "containers",
        };
        let id = |volume: &Value| match self {
            Self::Ebs => volume["id"].as_str().unwrap().to_owned(),
            Self::Files => format!(
                "{}.file/{}",
                volume["account"].as_str().unwrap(),
                volume["name"].as_str().unwrap()
            ),
            Self::Blobs => volume["name"].as_str().unwrap().to_owned(),
        };
        state[sort].as_array().unwrap().iter().map(id).collect()
    }
}

const BALANCER: &str = "---
apiVersion: v1
kind: Service
metadata: {name: web-front}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
";

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Status => "status",
            Self::Check => "check",
            Self::ScaleUp => "scale-up",
            Self::ScaleDown => "scale-down",
            Self::Mark => "gc-mark",
            Self::Sweep => "gc",
            Self::Restore => "restore",
            Self::Again => "up-again",
            Self::Down => "down",
        }
    }

    /// How many volumes there are when it is done.
    fn volumes(self) -> usize {
        match self {
            Self::Up | Self::Status | Self::Check | Self::Again => 2,
            Self::ScaleUp => 3,
            Self::ScaleDown | Self::Mark | Self::Restore => 1,
            Self::Sweep | Self::Down => 0,
        }
    }
}

/// A world in which lives are played one after the other.
pub struct Stage {
    pub cloud: Cloud,
    pub live: Live,
    folder: String,
    policy: String,
    /// What `restore` brings back.
    lost: Option<String>,
}

impl Stage {
    pub fn of(cloud: Cloud) -> Self {
        Self::configured(cloud, |_| {})
    }

    /// The same in a sandbox with other settings.
    pub fn configured(cloud: Cloud, change: impl FnOnce(&mut Value)) -> Self {
        let world = World::instant();
        world.configure(change);
        // Without a driver to do it, moorline deletes volumes itself.
        world.configure(|settings| settings["controllers"]["csi"] = false.into());
        world.write("web/set.yaml", &cloud.manifests());
        let profile = format!("name: web\nprovider: {{{}}}\n", cloud.provider());
        let folder = world.write("web/profile.yaml", &profile).display().to_string();
        let policy = world
            .write("gc.yaml", &cloud.policy())
            .join("gc.yaml")
            .display()
            .to_string();
        Self {
            cloud,
            live: Live::of(world),
            folder,
            policy,
            lost: None,
        }
    }

    /// Forgets all that was.
    pub fn reset(&mut self) {
        self.live.admin("POST /_sandbox/reset", &Value::Null);
        let runs = self.live.world.path().join("runs");
        if runs.exists() {
            std::fs::remove_dir_all(&runs).unwrap();
        }
        std::fs::create_dir_all(&runs).unwrap();
        self.lost = None;
    }

    /// What happens before a step, by other hands.
    pub fn prepare(&mut self, step: Step) {
        match step {
            Step::Mark => {
                self.live.served.delete(&format!("{SETS}/web"));
                eventually("its pods are gone", || {
                    let pods = self.live.served.get("/api/v1/namespaces/default/pods");
                    pods["items"].as_array().unwrap().is_empty()
                });
                // A mark counts for what was there when it was set, and clouds tell the time in whole seconds.
                self.live.advance(60);
            }
            Step::Sweep => {
                self.lost = self.cloud.volumes_of(&self.live.state()).into_iter().next();
                self.live.advance(GRACE);
            }
            Step::Restore if self.cloud == Cloud::Ebs => {
                let state = self.live.state();
                self.lost = state["snapshots"][0]["id"].as_str().map(str::to_owned);
            }
            _ => {}
        }
    }

    /// Runs the command of a step; calls that nobody answers are given up soon.
    pub fn play(&self, step: Step, hurry: bool) -> Run {
        let line = self.line(step);
        let mut command = self.live.world.moorline(&line);
        // As the real clouds are used: with credentials that are looked for, over TLS where there is any.
        command.envs(self.live.served.environment.iter().map(|(name, value)| (name, value)));
        // Each on a machine of its own, with the account's whole budget: what many lives spend together would hold them up for minutes.
        let machine = tempfile::tempdir().unwrap();
        command.env("TMPDIR", machine.path());
        if hurry {
            command.env("MOORLINE_CALL_TIMEOUT", "2s");
        }
        Run::of(&line, &command.output().unwrap())
    }

    fn line(&self, step: Step) -> String {
        let Self { folder, policy, .. } = self;
        match step {
            Step::Up | Step::Again => format!("up {folder}"),
            Step::Status => format!("status {folder}"),
            Step::Check => format!("check {folder}  --detailed-exitcode"),
            Step::ScaleUp => format!("scale {folder} web --replicas 3"),
            Step::ScaleDown => format!("scale {folder} web --replicas 1 --yes"),
            Step::Mark | Step::Sweep => format!("gc --apply --policy {policy}"),
            Step::Restore => format!("restore {} {folder}", self.lost.as_deref().unwrap_or_default()),
            Step::Down => format!("down {folder} --yes"),
        }
    }

    /// What is wrong with the world after a step that is done: exactly one volume a claim, none more, none less.
    pub fn wrongs(&self, step: Step) -> Vec<String> {
        let mut wrongs = Vec::new();
        let volumes = self.cloud.volumes_of(&self.live.state());
        if volumes.len() != step.volumes() {
            wrongs.push(format!(
                "{} volumes instead of {}: {volumes:?}",
                volumes.len(),
                step.volumes()
            ));
        }
        let items = |path: &str| self.live.served.get(path)["items"].as_array().unwrap().clone();
        let claims = items("/api/v1/namespaces/default/persistentvolumeclaims");
        if claims.len() != step.volumes() {
            wrongs.push(format!("{} claims instead of {}", claims.len(), step.volumes()));
        }
        let pvs = items("/api/v1/persistentvolumes");
        let handles: BTreeSet<&str> = pvs
            .iter()
            .filter_map(|pv| pv["spec"]["csi"]["volumeHandle"].as_str())
            .collect();
        if pvs.len() != step.volumes() || handles.len() != step.volumes() {
            wrongs.push(format!(
                "{} PersistentVolumes for {} volumes: {handles:?}",
                pvs.len(),
                step.volumes()
            ));
        }
        wrongs
    }

    /// Waits until servers that a fault sent away are back.
    pub fn back(&self) {
        let served = &self.live.served;
        let servers = [served.variable("AWS_ENDPOINT_URL").to_owned(), served.api_server()];
        for server in servers {
            let address = server.strip_prefix("http://").unwrap();
            eventually("the server is back", || std::net::TcpStream::connect(address).is_ok());
        }
    }

    /// What the commands' calls were since the audit was reset, and how many of each.
    pub fn calls(&self) -> Vec<(super::kinds::Struck, u64)> {
        let rows = self.live.audit();
        let calls = rows.iter().map(|row| {
            let operation = row["operation"].as_str().unwrap().to_owned();
            let writes = ["patch ", "create ", "update ", "delete "]
                .iter()
                .any(|verb| operation.starts_with(verb));
            let service = row["service"].as_str().unwrap().to_owned();
            let rehearsed = service.starts_with("kubernetes") && writes && row["mutating"] == json!(0);
            let struck = super::kinds::Struck {
                service,
                operation,
                rehearsed,
            };
            (struck, row["calls"].as_u64().unwrap())
        });
        calls.collect()
    }
}
