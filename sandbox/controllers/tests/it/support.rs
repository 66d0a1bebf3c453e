//! A cluster to test on.

use std::sync::Arc;
use std::time::Duration;

use moorline_sandbox_aws::{AwsCloud, AwsSettings, NewVolume, Volume};
use moorline_sandbox_azure::{AzureCloud, AzureSettings};
use moorline_sandbox_controllers::{Clouds, ControllerSettings, Controllers};
use moorline_sandbox_core::{Journal, World};
use moorline_sandbox_kubernetes::{ApiServer, ApiSettings, DeleteOptions};
use serde_json::{Value, json};

pub(crate) const CLAIMS: &str = "persistentvolumeclaims";
pub(crate) const VOLUMES: &str = "persistentvolumes";
pub(crate) const SETS: &str = "statefulsets.apps";

/// Simulated clouds and a cluster over them.
pub(crate) struct Cluster {
    pub(crate) world: World,
    pub(crate) api: ApiServer,
    pub(crate) cloud: AwsCloud,
    pub(crate) azure: AzureCloud,
    pub(crate) controllers: Controllers,
}

/// Settings under which only the clock makes anything wait.
pub(crate) fn instant() -> ControllerSettings {
    ControllerSettings::instant()
}

impl Cluster {
    pub(crate) fn new(settings: ControllerSettings) -> Self {
        Self::over(World::new(Journal::in_memory()).unwrap(), settings)
    }

    /// A cluster over a world that may have a past.
    pub(crate) fn over(world: World, settings: ControllerSettings) -> Self {
        let cloud = AwsCloud::open(world.clone(), AwsSettings::instant()).unwrap();
        let api = ApiServer::open(world.clone(), ApiSettings::default()).unwrap();
        let azure = AzureCloud::open(world.clone(), AzureSettings::instant()).unwrap();
        let clouds = Clouds {
            aws: cloud.clone(),
            azure: azure.clone(),
        };
        let controllers = Controllers::start(&world, api.clone(), clouds, settings).unwrap();
        Self {
            world,
            api,
            cloud,
            azure,
            controllers,
        }
    }

    pub(crate) fn create(&self, resource: &str, object: Value) -> Arc<Value> {
        self.api.create(resource, object, "test").unwrap()
    }

    pub(crate) fn get(&self, resource: &str, name: &str) -> Option<Arc<Value>> {
        self.api.get(resource, namespace_of(resource), name)
    }

    /// A value within an object, or null.
    pub(crate) fn at(&self, resource: &str, name: &str, pointer: &str) -> Value {
        self.get(resource, name)
            .and_then(|object| object.pointer(pointer).cloned())
            .unwrap_or_default()
    }

    pub(crate) fn change(&self, resource: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.api
            .modify(resource, namespace_of(resource), name, None, "test", change)
            .unwrap()
            .unwrap();
    }

    pub(crate) fn delete(&self, resource: &str, name: &str) {
        self.api
            .delete(resource, namespace_of(resource), name, DeleteOptions::default())
            .unwrap();
    }

    pub(crate) fn names(&self, resource: &str) -> Vec<String> {
        self.api
            .list(resource, namespace_of(resource))
            .iter()
            .map(|object| text(object, "/metadata/name"))
            .collect()
    }

    /// Reasons of the events about an object, in no particular order.
    pub(crate) fn reasons(&self, name: &str) -> Vec<String> {
        let events = self
            .api
            .list("events", None)
            .into_iter()
            .filter(|event| event["involvedObject"]["name"] == name);
        events.map(|event| text(&event, "/reason")).collect()
    }

    pub(crate) fn messages(&self, name: &str, reason: &str) -> Vec<String> {
        let events = self.api.list("events", None).into_iter();
        let events = events.filter(|event| event["involvedObject"]["name"] == name && event["reason"] == reason);
        events.map(|event| text(&event, "/message")).collect()
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.world.clock.advance(seconds, &self.world.journal).unwrap();
    }

    /// Waits until `holds`, looking again whenever the cluster or the account changes.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut changes = self.api.subscribe();
        let mut account = self.cloud.subscribe();
        let mut azure = self.azure.subscribe();
        let wait = async {
            while !holds(self) {
                tokio::select! {
                    _ = changes.recv() => {}
                    _ = account.changed() => {}
                    _ = azure.changed() => {}
                }
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), wait).await.is_err() {
            let events: Vec<_> = self
                .api
                .list("events", None)
                .iter()
                .map(|event| text(event, "/message"))
                .collect();
            panic!("never came to be: {what}; events: {events:#?}");
        }
    }

    /// Waits until the controllers have nothing left to do: what did not happen by then will not happen by itself.
    pub(crate) async fn settle(&self) {
        let mut changes = self.api.subscribe();
        while let Ok(change) = tokio::time::timeout(Duration::from_millis(150), changes.recv()).await {
            change.unwrap();
        }
    }

    pub(crate) async fn set_is_ready(&self, name: &str, replicas: u64) {
        self.until(&format!("{name} has {replicas} ready pods"), |cluster| {
            let status = cluster.at(SETS, name, "/status");
            status["readyReplicas"].as_u64().unwrap_or(0) == replicas && status["replicas"] == replicas
        })
        .await;
    }

    pub(crate) async fn is_bound(&self, claim: &str) {
        self.until(&format!("{claim} is bound"), |cluster| {
            cluster.at(CLAIMS, claim, "/status/phase") == "Bound"
        })
        .await;
    }

    pub(crate) fn ebs(&self, zone: &str) -> Volume {
        let new = NewVolume {
            zone: zone.to_owned(),
            size_gib: 10,
            volume_type: "gp2".to_owned(),
            ..NewVolume::default()
        };
        self.cloud.create_volume(new).unwrap()
    }
}

fn namespace_of(resource: &str) -> Option<&'static str> {
    let cluster_scoped = [
        "persistentvolumes",
        "nodes",
        "namespaces",
        "storageclasses.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
    ];
    (!cluster_scoped.contains(&resource)).then_some("default")
}

pub(crate) fn text(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

pub(crate) fn class(name: &str, mode: &str) -> Value {
    json!({
        "metadata": {"name": name}, "provisioner": "ebs.csi.aws.com", "parameters": {"type": "gp2"}, "volumeBindingMode": mode,
    })
}

pub(crate) fn claim(name: &str, class: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": class, "resources": {"requests": {"storage": "10Gi"}},
    }})
}

/// A volume object over an EBS volume.
pub(crate) fn volume(name: &str, class: &str, ebs: &Volume) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": class, "capacity": {"storage": "10Gi"},
        "persistentVolumeReclaimPolicy": "Retain", "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": ebs.id},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [ebs.zone]},
        ]}]}},
    }})
}

pub(crate) fn pod(name: &str, claims: &[&str]) -> Value {
    let volumes: Vec<Value> = claims
        .iter()
        .map(|claim| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}}))
        .collect();
    json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": {
        "containers": [{"name": "main", "image": "nginx:1.27"}], "volumes": volumes,
    }})
}

/// A set with one template `data` of class `fast`.
pub(crate) fn set(name: &str, replicas: u64, policy: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "replicas": replicas, "serviceName": name, "podManagementPolicy": policy, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [
            {"name": "main", "image": "nginx:1.27", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        ]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "10Gi"}},
        }}],
    }})
}

pub(crate) fn deployment(name: &str, replicas: u64) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": "nginx:1.27"}]}},
    }})
}
