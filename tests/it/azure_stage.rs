//! A stage for tests of Azure's refusals: a served sandbox, a profile with two shares, and the environment of a user of Azure.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::arm::Arm;
use crate::support::{Run, Served, World};

/// A StatefulSet of two, of that name, with a share each; `parameters` are the class's.
pub fn shares(name: &str, parameters: &str) -> String {
    format!(
        "apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {{name: {name}}}
provisioner: file.csi.azure.com
parameters: {{{parameters}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{clusterIP: None, selector: {{app: {name}}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {name}}}
spec:
  replicas: 2
  serviceName: {name}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: main
          image: nginx:1.28.0
          volumeMounts: [{{name: data, mountPath: /data}}]
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec:
        accessModes: [ReadWriteMany]
        storageClassName: {name}
        resources: {{requests: {{storage: 1Gi}}}}
"
    )
}

/// A served sandbox, a profile `web`, and the environment of an Azure user.
pub struct Stage {
    /// The world around it.
    pub world: World,
    served: Served,
    /// The profile's folder.
    pub folder: PathBuf,
    environment: Vec<(&'static str, Option<String>)>,
}

impl Stage {
    /// An Azure that answers at once.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// In an Azure with these settings.
    pub fn with(change: impl FnOnce(&mut Value)) -> Self {
        let world = World::instant();
        world.configure(|settings| change(&mut settings["azure"]));
        let served = world.serve();
        let folder = world.write("web/profile.yaml", "name: web\nprovider: {azure: {}}\n");
        world.write("web/web.yaml", &shares("web", ""));
        world.reset_audit();
        Self {
            served,
            folder,
            environment: Vec::new(),
            world,
        }
    }

    /// With an account `shopdata` and these shares in it.
    pub fn with_shopdata(shares: &[&str]) -> (Self, Arm) {
        let stage = Self::new();
        let arm = stage.arm();
        arm.account("shopdata", "Standard_LRS", &json!({"team": "shop"}));
        for share in shares {
            arm.share("shopdata", share);
        }
        (stage, arm)
    }

    /// The profile's provider block, in flow style.
    pub fn pinned(self, azure: &str) -> Self {
        let text = format!("name: web\nprovider: {{azure: {{{azure}}}}}\n");
        self.world.write("web/profile.yaml", &text);
        self
    }

    /// The class's parameters, in flow style.
    pub fn class(self, parameters: &str) -> Self {
        self.world.write("web/web.yaml", &shares("web", parameters));
        self
    }

    /// A variable of the environment; `None` takes it away.
    pub fn variable(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.environment.push((name, value.map(str::to_owned)));
        self
    }

    /// A client of Resource Manager, whose sign-in is not counted.
    pub fn arm(&self) -> Arm {
        let arm = Arm::of(&self.served);
        self.world.reset_audit();
        arm
    }

    /// A refusal of an operation of Resource Manager, that many times or for ever.
    pub fn refuse(&self, operation: &str, times: Option<u32>, (status, code, message): (u16, &str, &str)) {
        let effect = json!({"error": {"status": status, "code": code, "message": message, "retry_after": 1}});
        self.world.fault(
            &json!({"service": "arm", "operation": operation, "moment": "before", "times": times, "effect": effect}),
        );
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.world.moorline(line);
        command.envs(self.served.environment.iter().map(|(name, value)| (name, value)));
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Runs `moorline` in this environment.
    pub fn run(&self, line: &str) -> Run {
        Run::of(line, &self.command(line).output().unwrap())
    }

    /// Brings the profile up.
    pub fn up(&self) -> Run {
        self.up_of(&self.folder)
    }

    /// Brings another profile up.
    pub fn up_of(&self, folder: &Path) -> Run {
        self.run(&format!("up {} --yes --timeout 60s", folder.display()))
    }

    /// Takes the profile down.
    pub fn down(&self) -> Run {
        self.run(&format!("down {} --yes --timeout 60s", self.folder.display()))
    }

    /// How many things of this sort there are.
    pub fn count(&self, what: &str) -> usize {
        self.world.state()[what].as_array().unwrap().len()
    }

    /// Neither cloud nor cluster was changed.
    #[track_caller]
    pub fn is_untouched(&self) {
        let audit = self.world.audit();
        assert_eq!(audit.sum("*", "changed"), 0, "{}", audit.with("changed"));
    }

    /// A run that goes through, after which there are the two shares, and nothing left to do.
    #[track_caller]
    pub fn finishes(&self) {
        self.up().succeeds();
        assert_eq!(self.count("shares"), 2);
        self.run(&format!("plan {} --detailed-exitcode", self.folder.display()))
            .succeeds();
    }
}

/// One error of one sentence that has these words.
#[track_caller]
pub fn says(run: Run, code: i32, words: &[&str]) {
    let run = run.exits(code);
    assert_eq!(run.errors().len(), 1, "{}", run.stderr);
    for word in words {
        assert!(run.errors()[0].contains(word), "{word}: {}", run.stderr);
    }
}
