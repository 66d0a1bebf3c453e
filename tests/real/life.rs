//! The life of one profile on a real control plane with moto, with a hand between moorline and them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::between::Between;
use crate::own::Turn;
use crate::stage::{Stage, eventually, parts};
use crate::support::{profile, set};

/// `kubectl proxy`: the API server without TLS, so that calls can be told apart on their way.
struct Proxy {
    child: Child,
    url: String,
}

impl Proxy {
    fn of(stage: &Stage) -> Self {
        let mut command = stage.command(parts().programs.path("kubectl").unwrap());
        let mut child = command
            .args(["proxy", "--port=0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut said)
            .unwrap();
        let address = said.trim().rsplit(' ').next().unwrap();
        Self {
            url: format!("http://{address}"),
            child,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A life, the hand that disturbs its runs, and eyes that see cluster and account directly.
pub struct Life {
    /// The hand.
    pub between: Between,
    /// Where its commands run, behind the hand.
    pub runs: Stage,
    /// Where nothing is between.
    pub sees: Stage,
    /// The profile's folder.
    pub folder: String,
    /// The collector's policy.
    pub policy: String,
    name: &'static str,
    _proxy: Proxy,
    _turn: Turn,
}

impl Life {
    /// Of two replicas, on the parts whose turn it is.
    pub fn new(name: &'static str, mut turn: Turn) -> Self {
        let sees = turn.stage();
        let proxy = Proxy::of(&sees);
        let between = Between::new();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "real",
            "clusters": [{"name": "real", "cluster": {"server": between.before(&proxy.url)}}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": "anyone"}}],
            "users": [{"name": "anyone", "user": {}}],
        });
        let kubeconfig = sees
            .world
            .write("between/kubeconfig", &config.to_string())
            .join("kubeconfig");
        let runs = Stage::new(&parts(), &kubeconfig, &between.before(sees.account.url()));
        let policy = "scopes:\n  - aws: {regions: [us-east-1]}\nclusters:\n  - name: real\n\
                      grace: {leftBehind: 1s, released: 1s, orphan: 1s}\nstore: runs\n";
        let policies = runs.world.write("gc/policy.yaml", policy);
        std::fs::create_dir_all(policies.join("runs")).unwrap();
        runs.world.write(&format!("{name}/set.yaml"), &set(name, 2));
        let mut life = Self {
            between,
            runs,
            sees,
            folder: String::new(),
            policy: policies.join("policy.yaml").display().to_string(),
            name,
            _proxy: proxy,
            _turn: turn,
        };
        life.keeps("snapshot");
        life
    }

    /// From now on, `down` does this with its volumes.
    pub fn keeps(&mut self, on_down: &str) {
        let text = format!("{}onDown: {on_down}\n", profile(self.name));
        let folder = self.runs.world.write(&format!("{}/profile.yaml", self.name), &text);
        self.folder = folder.display().to_string();
    }

    /// So many claims, all Bound, each with a volume of its own, and nothing else.
    #[track_caller]
    pub fn has(&self, replicas: usize) {
        let claims = self.sees.get(&format!("pvc -l app={}", self.name));
        let bound = claims.iter().filter(|claim| claim["status"]["phase"] == "Bound");
        assert_eq!((claims.len(), bound.count()), (replicas, replicas), "{claims:?}");
        let pvs = self.sees.get(&format!("pv -l moorline.dev/profile={}", self.name));
        let mut handles: Vec<Value> = pvs.iter().map(|pv| pv["spec"]["csi"]["volumeHandle"].clone()).collect();
        let mut volumes: Vec<Value> = self.volumes();
        handles.sort_by_key(Value::to_string);
        volumes.sort_by_key(Value::to_string);
        assert_eq!(handles, volumes);
        assert_eq!(volumes.len(), replicas);
    }

    /// The ids of its volumes.
    pub fn volumes(&self) -> Vec<Value> {
        let volumes = self.sees.account.volumes(self.name);
        volumes.iter().map(|volume| volume["id"].clone()).collect()
    }

    /// As `kubectl` deletes a set: its claims stay.
    pub fn loses_its_set(&self) {
        self.sees.kubectl(&format!("delete statefulset {}", self.name));
        eventually("its pods are gone", || {
            self.sees.names(&format!("pod -l app={}", self.name)).is_empty()
        });
    }

    /// A lease in the run store is waited out; in the cluster the next run sees that the process is dead.
    pub fn lease_of_gc_is_over(&self) {
        let file = self.runs.world.path().join("gc/runs/gc/lease.json");
        if let Ok(lease) = std::fs::read_to_string(&file) {
            std::fs::write(&file, lease.replace("\"released\": false", "\"released\": true")).unwrap();
        }
    }
}
