//! A sample of the crash matrix on a real control plane, with moto: every command of a life is killed (`SIGKILL`) at some of its calls, before
//! and after their effect, run after run; the last run, which nobody kills, finishes.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::between::{Between, Moment};
use crate::clouds::Cloud;
use crate::stage::{Stage, eventually, parts};
use crate::support::{Run, profile, set};

const NAME: &str = "crashes";

/// Where the runs of each command die. Each run goes on from where the one before it died.
const KILLS: [Moment; 4] = [Moment::After(2), Moment::Before(3), Moment::After(1), Moment::Before(2)];

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

/// A life, the hand that ends its runs, and eyes that see cluster and account directly.
struct Life {
    between: Between,
    runs: Stage,
    sees: Stage,
    folder: String,
    policy: String,
    killed: usize,
    _proxy: Proxy,
}

impl Life {
    fn new() -> Self {
        let sees = Stage::shared(Cloud::Moto);
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
        runs.world.write(&format!("{NAME}/set.yaml"), &set(NAME, 2));
        let folder = runs
            .world
            .write(&format!("{NAME}/profile.yaml"), &(profile(NAME) + "onDown: snapshot\n"));
        Self {
            between,
            runs,
            sees,
            folder: folder.display().to_string(),
            policy: policies.join("policy.yaml").display().to_string(),
            killed: 0,
            _proxy: proxy,
        }
    }

    /// Runs a command that is killed again and again, and then to its end.
    fn survives(&mut self, line: &str) -> Run {
        for moment in KILLS {
            self.lease_of_gc_is_over();
            match self.between.kill(self.runs.moorline(line), moment) {
                None => self.killed += 1,
                Some(code) => {
                    assert_eq!(code, 0, "{line}, to be killed {moment:?}");
                    break;
                }
            }
        }
        self.lease_of_gc_is_over();
        self.runs.run(line)
    }

    /// A lease in the run store is waited out; in the cluster the next run sees that the process is dead.
    fn lease_of_gc_is_over(&self) {
        let file = self.runs.world.path().join("gc/runs/gc/lease.json");
        if let Ok(lease) = std::fs::read_to_string(&file) {
            std::fs::write(&file, lease.replace("\"released\": false", "\"released\": true")).unwrap();
        }
    }

    /// So many claims, all Bound, each with a volume of its own, and nothing else.
    #[track_caller]
    fn has(&self, replicas: usize) {
        let claims = self.sees.get(&format!("pvc -l app={NAME}"));
        let bound = claims.iter().filter(|claim| claim["status"]["phase"] == "Bound");
        assert_eq!((claims.len(), bound.count()), (replicas, replicas), "{claims:?}");
        let pvs = self.sees.get(&format!("pv -l moorline.dev/profile={NAME}"));
        let mut handles: Vec<Value> = pvs.iter().map(|pv| pv["spec"]["csi"]["volumeHandle"].clone()).collect();
        let mut volumes: Vec<Value> = self.volumes();
        handles.sort_by_key(Value::to_string);
        volumes.sort_by_key(Value::to_string);
        assert_eq!(handles, volumes);
        assert_eq!(volumes.len(), replicas);
    }

    fn volumes(&self) -> Vec<Value> {
        let volumes = self.sees.account.volumes(NAME);
        volumes.iter().map(|volume| volume["id"].clone()).collect()
    }

    /// As `kubectl` deletes a set: its claims stay.
    fn loses_its_set(&self) {
        self.sees.kubectl(&format!("delete statefulset {NAME}"));
        eventually("its pods are gone", || {
            self.sees.names(&format!("pod -l app={NAME}")).is_empty()
        });
    }
}

#[test]
#[ignore = "needs real parts: cargo xtask test"]
fn every_command_of_a_life_is_killed_at_some_of_its_calls() {
    let mut life = Life::new();
    let up = format!("up {} --yes", life.folder);
    let down = format!("down {} --yes", life.folder);
    life.survives(&up).succeeds();
    life.has(2);
    life.survives(&format!("scale {} {NAME} --replicas 3 --yes", life.folder))
        .succeeds();
    life.has(3);

    life.loses_its_set();
    let collect = format!("gc --apply --policy {}", life.policy);
    life.survives(&collect);
    eventually("grace is over", || {
        life.survives(&collect);
        life.volumes().is_empty()
    });
    life.has(0);

    life.runs.run(&up).succeeds();
    life.has(2);
    let volumes = life.volumes();
    life.survives(&down).succeeds();
    life.has(0);
    let snapshots = life.sees.account.snapshots(NAME);
    let mut restored = 0;
    for volume in &volumes {
        let of_it: Vec<&Value> = snapshots.iter().filter(|one| one["volume"] == *volume).collect();
        assert_eq!(of_it.len(), 1, "{snapshots:?}");
        let snapshot = of_it[0]["id"].as_str().unwrap();
        life.survives(&format!("restore {snapshot} {}", life.folder)).succeeds();
        restored += 1;
        life.has(restored);
    }
    let up_again = life.survives(&format!("{up} -o json")).succeeds().json();
    assert_eq!(up_again["status"]["ready"], true, "{up_again:#}");
    life.has(2);
    life.runs
        .world
        .write(&format!("{NAME}/profile.yaml"), &(profile(NAME) + "onDown: delete\n"));
    life.survives(&down).succeeds();
    life.has(0);
    assert!(life.killed >= 15, "only {} runs were killed", life.killed);
}
