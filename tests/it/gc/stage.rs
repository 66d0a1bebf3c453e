//! A served sandbox with a tutorial in it, whose StatefulSet can be deleted behind moorline's back.

use serde_json::Value;

use crate::support::{Run, Served, World, eventually};

/// One of the two tutorials.
pub struct Tutorial {
    /// The profile.
    pub profile: &'static str,
    /// Its StatefulSet.
    pub set: &'static str,
    /// How many volumes it has.
    pub volumes: usize,
}

/// The first tutorial: nginx, three EBS volumes.
pub const AWS: Tutorial = Tutorial {
    profile: "profiles/aws-nginx-stateful",
    set: "home-deployment",
    volumes: 3,
};

/// The second tutorial: a counter, a file share for each replica.
pub const AZURE: Tutorial = Tutorial {
    profile: "profiles/azure-counter",
    set: "counter-div",
    volumes: 1,
};

/// A week and a day: more than any grace by default.
const WEEK: &str = "192h";

pub struct Stage {
    // Dropped first: the sandbox ends before its folder goes.
    pub sandbox: Served,
    pub world: World,
}

impl Stage {
    /// With this tutorial up.
    pub fn with(tutorial: &Tutorial) -> Self {
        let world = World::instant();
        let stage = Self {
            sandbox: world.serve(),
            world,
        };
        stage
            .world
            .run(&format!("up {} --sandbox", tutorial.profile))
            .succeeds();
        stage.world.reset_audit();
        stage
    }

    /// With this tutorial up, and then without its StatefulSet.
    pub fn left_behind(tutorial: &Tutorial) -> Self {
        let stage = Self::with(tutorial);
        stage.delete_set(tutorial);
        stage
    }

    /// As `kubectl delete statefulset` does, and waits until its pods are gone and nothing is attached.
    pub fn delete_set(&self, tutorial: &Tutorial) {
        self.sandbox.delete(&format!(
            "/apis/apps/v1/namespaces/default/statefulsets/{}",
            tutorial.set
        ));
        eventually("its pods are gone", || {
            self.count("/api/v1/namespaces/default/pods") == 0
        });
        eventually("nothing is attached", || {
            self.count("/apis/storage.k8s.io/v1/volumeattachments") == 0
        });
        self.world.reset_audit();
    }

    /// How many objects a listing has.
    pub fn count(&self, path: &str) -> usize {
        self.sandbox.get(path)["items"].as_array().unwrap().len()
    }

    /// How many claims, PersistentVolumes and volumes there are.
    pub fn remains(&self) -> [usize; 3] {
        let state = self.world.state();
        let volumes = ["volumes", "shares", "containers"];
        let volumes = volumes.iter().filter_map(|sort| state[*sort].as_array()).map(Vec::len);
        [
            self.count("/api/v1/namespaces/default/persistentvolumeclaims"),
            self.count("/api/v1/persistentvolumes"),
            volumes.sum(),
        ]
    }

    /// Moves the sandbox's clock beyond every grace.
    pub fn grace_passes(&self) {
        self.world.run(&format!("sandbox clock advance {WEEK}")).succeeds();
    }

    /// Runs `gc` in the sandbox, with its own policy.
    pub fn gc(&self, line: &str) -> Run {
        self.world.run(&format!("gc {line} --sandbox"))
    }

    /// A run of `gc --apply` that does all that it set out to.
    #[track_caller]
    pub fn apply(&self) -> Value {
        self.gc("--apply -o json").succeeds().json()
    }

    /// A policy of this sandbox: one AWS region, one cluster, a store in a folder, and these lines.
    pub fn policy(&self, lines: &str) -> String {
        let text = format!(
            "scopes:\n  - aws: {{regions: [us-east-1]}}\nclusters:\n  - context: moorline-sandbox\nstore: runs\n{lines}"
        );
        let folder = self.world.write("gc/policy.yaml", &text);
        std::fs::create_dir_all(folder.join("runs")).unwrap();
        folder.join("policy.yaml").display().to_string()
    }
}

/// The volumes of a report's plan that stay for this reason.
pub fn kept<'a>(report: &'a Value, kept: &str) -> Vec<&'a Value> {
    let all = report["plan"]["kept"].as_array().unwrap();
    let of = |keep: &&Value| keep["kept"] == kept || keep["kept"].get(kept).is_some();
    all.iter().filter(of).collect()
}

/// The deletions of a report that ended so.
pub fn ended<'a>(report: &'a Value, outcome: &str) -> Vec<&'a Value> {
    let all = report["done"].as_array().unwrap();
    let of = |done: &&Value| done["outcome"] == outcome || done["outcome"].get(outcome).is_some();
    all.iter().filter(of).collect()
}
