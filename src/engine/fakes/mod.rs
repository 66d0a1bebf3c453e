//! A cluster and a cloud in memory for tests: every call is written down, fails where a test says so, and somebody else may do something
//! just before it.

mod cloud;
mod cluster;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline_api::{Error, ErrorKind, Object, Result};
use moorline_aws_rules::EbsRules;
use moorline_profile::Profile;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(crate) use cloud::{FakeCloud, attached, volume};
pub(crate) use cluster::{FakeCluster, served};

use crate::context::{Cloud, Context, Limits};
use crate::names;

/// UID of the cluster.
pub(crate) const CLUSTER: &str = "cluster-uid";

type Deed = Box<dyn FnOnce() + Send>;

enum Happening {
    Fail(ErrorKind),
    Do(Deed),
}

/// Whoever watches the calls. Calls that change something begin with `!`.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    made: Vec<String>,
    rules: Vec<(String, Happening)>,
    broken: Vec<(String, ErrorKind)>,
}

impl Script {
    /// Somebody does this just before the next call that begins so.
    pub(crate) fn before(&self, call: &str, deed: impl FnOnce() + Send + 'static) {
        let happening = Happening::Do(Box::new(deed));
        self.0.lock().unwrap().rules.push((call.to_owned(), happening));
    }

    /// The next call that begins so fails, without an effect.
    pub(crate) fn fail(&self, call: &str, kind: ErrorKind) {
        self.0
            .lock()
            .unwrap()
            .rules
            .push((call.to_owned(), Happening::Fail(kind)));
    }

    /// Every call that begins so fails.
    pub(crate) fn refuse(&self, call: &str, kind: ErrorKind) {
        self.0.lock().unwrap().broken.push((call.to_owned(), kind));
    }

    /// What was changed so far, in order.
    pub(crate) fn changes(&self) -> Vec<String> {
        let calls = self.0.lock().unwrap();
        let changes = calls.made.iter().filter_map(|call| call.strip_prefix('!'));
        changes.map(str::to_owned).collect()
    }

    fn begins(&self, call: &str) -> Result<()> {
        let failure = |kind: ErrorKind| Error::new(kind, call.trim_start_matches('!'), "", "as the test wants it");
        let happening = {
            let mut calls = self.0.lock().unwrap();
            if let Some((_, kind)) = calls.broken.iter().find(|(text, _)| call.starts_with(text)) {
                return Err(failure(kind.clone()));
            }
            let hit = calls.rules.iter().position(|(text, _)| call.starts_with(text));
            hit.map(|index| calls.rules.remove(index).1)
        };
        match happening {
            Some(Happening::Fail(kind)) => return Err(failure(kind)),
            Some(Happening::Do(deed)) => deed(),
            None => {}
        }
        self.0.lock().unwrap().made.push(call.to_owned());
        Ok(())
    }
}

/// A cluster, a cloud, and what happens between them.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) script: Script,
    pub(crate) cluster: Arc<FakeCluster>,
    pub(crate) cloud: Arc<FakeCloud>,
    pub(crate) stop: CancellationToken,
    /// How long waits may take.
    pub(crate) timeout: Duration,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let script = Script::default();
        Self {
            cluster: Arc::new(FakeCluster::new(&script)),
            cloud: Arc::new(FakeCloud::new(&script)),
            script,
            stop: CancellationToken::new(),
            timeout: Duration::from_secs(20),
        }
    }

    pub(crate) fn context(&self) -> Context {
        Context {
            cluster: self.cluster.clone(),
            beside: self.cluster.clone(),
            cloud: Cloud::of(self.cloud.clone(), Arc::new(EbsRules)),
            others: Vec::new(),
            events: Arc::new(|_| {}),
            stop: self.stop.clone(),
            limits: Limits {
                timeout: self.timeout,
                ..Limits::default()
            },
            now: jiff::Timestamp::now,
            entropy: || 7,
        }
    }
}

pub(crate) fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

/// An object that profile `web` applied.
pub(crate) fn applied(mut value: Value) -> Value {
    let by_us = json!([{"manager": names::FIELD_MANAGER, "operation": "Apply", "fieldsV1": {}}]);
    value["metadata"]["managedFields"] = by_us;
    value["metadata"]["labels"][names::PROFILE] = json!("web");
    value
}

/// Claim `default/<name>` of profile `web`, Bound to `pv-<name>`; its UID is `uid-<name>`.
pub(crate) fn claim(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "namespace": "default", "name": name, "uid": format!("uid-{name}"),
            "labels": {"app": "db", names::PROFILE: "web"},
        },
        "spec": {"volumeName": format!("pv-{name}"), "storageClassName": "fast"},
        "status": {"phase": "Bound"},
    })
}

/// Id of the volume of a claim: `vol-<ordinal>`.
fn volume_of(claim: &str) -> String {
    format!("vol-{}", claim.rsplit('-').next().unwrap())
}

/// PersistentVolume `pv-<claim>` of profile `web` under reclaim policy Delete, which names the volume of the claim's ordinal.
pub(crate) fn pv(claim: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": format!("pv-{claim}"), "uid": format!("pv-uid-{claim}"), "labels": {names::PROFILE: "web"}},
        "spec": {
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": volume_of(claim)},
            "claimRef": {"namespace": "default", "name": claim, "uid": format!("uid-{claim}")},
            "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "fast",
        },
        "status": {"phase": "Bound"},
    })
}

/// StatefulSet `default/db` of profile `web`, whose claims are `data-db-<ordinal>`.
pub(crate) fn set(replicas: u32) -> Value {
    applied(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"namespace": "default", "name": "db", "uid": "uid-db"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "db"}}},
    }))
}

const SET: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: postgres, volumeMounts: [{name: data, mountPath: /data}]}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
";

/// Profile `web` with set `db`, with more lines in its `profile.yaml` and more manifests.
pub(crate) fn profile(config: &str, manifests: &str) -> Profile {
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!("name: web\nprovider: {{aws: {{}}}}\n{config}");
    std::fs::write(folder.path().join("profile.yaml"), yaml).unwrap();
    std::fs::write(folder.path().join("set.yaml"), format!("{SET}\n---\n{manifests}")).unwrap();
    let surroundings = moorline_profile::Surroundings {
        rules: &[&EbsRules],
        ..Default::default()
    };
    moorline_profile::load(folder.path(), &surroundings).unwrap_or_else(|problems| panic!("{problems}"))
}
