//! The kinds and fields by which it is told who may want a volume back.

use serde_json::{Value, json};

use crate::client::Client;

fn template(labels: &Value, restart: &str) -> Value {
    json!({"metadata": {"labels": labels}, "spec": {
        "restartPolicy": restart, "containers": [{"name": "main", "image": "busybox"}],
        "volumes": [{"name": "files", "persistentVolumeClaim": {"claimName": "data"}}],
    }})
}

fn causes(body: &Value) -> Vec<&str> {
    let causes = body["details"]["causes"].as_array().unwrap();
    causes.iter().map(|cause| cause["field"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_replication_controller_takes_selector_and_labels_from_its_template() {
    const PATH: &str = "/api/v1/namespaces/default/replicationcontrollers";
    let client = Client::new();
    let labels = json!({"app": "old"});
    let object = json!({"metadata": {"name": "old"}, "spec": {"template": template(&labels, "Always")}});
    let made = client.post(PATH, &object).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(
        (&made.body["spec"]["selector"], &made.body["metadata"]["labels"]),
        (&labels, &labels)
    );
    assert_eq!(
        (&made.body["spec"]["replicas"], &made.body["status"]),
        (&json!(1), &json!({"replicas": 0}))
    );
    let scale = client.get(&format!("{PATH}/old/scale")).await.body;
    assert_eq!(
        (&scale["spec"]["replicas"], &scale["status"]["selector"]),
        (&json!(1), &json!("app=old"))
    );

    let mut wrong = object.clone();
    wrong["metadata"]["name"] = "wrong".into();
    wrong["spec"]["selector"] = json!({"app": "new"});
    let refused = client.post(PATH, &wrong).await;
    assert_eq!(
        (refused.status, causes(&refused.body)),
        (422, vec!["spec.template.metadata.labels"])
    );
    let empty = json!({"metadata": {"name": "empty"}, "spec": {}});
    let refused = client.post(PATH, &empty).await;
    assert_eq!(causes(&refused.body), ["spec.selector", "spec.template"]);
}

#[tokio::test]
async fn jobs_and_what_makes_them_are_kept_and_checked() {
    let client = Client::new();
    let job = json!({"template": template(&json!({}), "Never")});
    let one = json!({"metadata": {"name": "once"}, "spec": job});
    let made = client.post("/apis/batch/v1/namespaces/default/jobs", &one).await;
    assert_eq!(made.status, 201, "{}", made.body);

    let path = "/apis/batch/v1/namespaces/default/cronjobs";
    let cron = |name: &str, schedule: &str, job: &Value| json!({"metadata": {"name": name}, "spec": {"schedule": schedule, "jobTemplate": {"spec": job}}});
    let made = client.post(path, &cron("nightly", "0 3 * * *", &job)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let volumes = made
        .body
        .pointer("/spec/jobTemplate/spec/template/spec/volumes")
        .unwrap();
    assert_eq!(volumes[0]["persistentVolumeClaim"]["claimName"], "data");
    for (schedule, field) in [("", "spec.schedule"), ("0 3 * *", "spec.schedule")] {
        let refused = client.post(path, &cron("wrong", schedule, &job)).await;
        assert_eq!((refused.status, causes(&refused.body)), (422, vec![field]));
    }
    let always = json!({"template": template(&json!({}), "Always")});
    let refused = client.post(path, &cron("wrong", "@daily", &always)).await;
    assert_eq!(
        causes(&refused.body),
        ["spec.jobTemplate.spec.template.spec.restartPolicy"]
    );
}

#[tokio::test]
async fn a_daemon_set_and_a_bare_replica_set_are_kept() {
    let client = Client::new();
    let labels = json!({"app": "each"});
    let spec = json!({"selector": {"matchLabels": labels}, "template": template(&labels, "Always")});
    for plural in ["daemonsets", "replicasets"] {
        let path = format!("/apis/apps/v1/namespaces/default/{plural}");
        let made = client
            .post(&path, &json!({"metadata": {"name": "each"}, "spec": spec}))
            .await;
        assert_eq!(made.status, 201, "{}", made.body);
        let listed = client.get(&format!("/apis/apps/v1/{plural}")).await.body;
        assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{plural}");
    }
}

/// KEP-5541: since when no pod has used a claim.
#[tokio::test]
async fn a_claims_condition_unused_is_set_through_its_status() {
    let client = Client::new();
    let path = "/api/v1/namespaces/default/persistentvolumeclaims";
    let claim = json!({"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    assert_eq!(client.post(path, &claim).await.status, 201);
    let unused = |status: &str, at: &str| json!({"type": "Unused", "status": status, "lastTransitionTime": at, "reason": "NoPods", "message": ""});
    let status = json!({"status": {"conditions": [unused("True", "2026-11-01T00:00:00Z")]}});
    let own = format!("{path}/data");
    client.merge(&own, &status).await;
    assert_eq!(
        client.get(&own).await.body["status"]["conditions"],
        Value::Null,
        "the claim itself leaves its status alone"
    );
    let changed = client.merge(&format!("{own}/status"), &status).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    // The kube-controller-manager's way.
    let again = json!({"status": {"conditions": [unused("False", "2026-11-20T00:00:00Z")]}});
    let media = "application/strategic-merge-patch+json";
    let changed = client
        .call("PATCH", &format!("{own}/status"), media, again.to_string())
        .await;
    let conditions = &changed.body["status"]["conditions"];
    assert_eq!(
        (
            &conditions[0]["status"],
            &conditions[0]["lastTransitionTime"],
            &conditions[1]
        ),
        (&json!("False"), &json!("2026-11-20T00:00:00Z"), &Value::Null)
    );
}

/// As far as its fields matter here, the definition that the snapshot controller is installed with.
fn snapshots() -> Value {
    let text = json!({"type": "string"});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "volumesnapshots.snapshot.storage.k8s.io", "annotations": {
            "api-approved.kubernetes.io": "https://github.com/kubernetes-csi/external-snapshotter/pull/814",
            "controller-gen.kubebuilder.io/version": "v0.15.0"}},
        "spec": {
            "group": "snapshot.storage.k8s.io", "scope": "Namespaced",
            "names": {"kind": "VolumeSnapshot", "listKind": "VolumeSnapshotList", "plural": "volumesnapshots", "shortNames": ["vs"], "singular": "volumesnapshot"},
            "versions": [
                {
                    "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                    "additionalPrinterColumns": [{"description": "Ready", "jsonPath": ".status.readyToUse", "name": "ReadyToUse", "type": "boolean"}],
                    "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {
                        "apiVersion": text, "kind": text, "metadata": {"type": "object"},
                        "spec": {"type": "object", "required": ["source"], "properties": {
                            "source": {
                                "type": "object",
                                "properties": {"persistentVolumeClaimName": text, "volumeSnapshotContentName": text},
                                "oneOf": [{"required": ["persistentVolumeClaimName"]}, {"required": ["volumeSnapshotContentName"]}],
                                "x-kubernetes-validations": [{"message": "persistentVolumeClaimName is required once set", "rule": "!has(oldSelf.persistentVolumeClaimName) || has(self.persistentVolumeClaimName)"}],
                            },
                            "volumeSnapshotClassName": {"type": "string", "x-kubernetes-validations": [{"message": "volumeSnapshotClassName must not be the empty string when set", "rule": "size(self) > 0"}]},
                        }},
                        "status": {"type": "object", "properties": {
                            "boundVolumeSnapshotContentName": text, "creationTime": {"type": "string", "format": "date-time"},
                            "error": {"type": "object", "properties": {"message": text, "time": {"type": "string", "format": "date-time"}}},
                            "readyToUse": {"type": "boolean"},
                            "restoreSize": {"type": "string", "pattern": "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$", "x-kubernetes-int-or-string": true},
                        }},
                    }}},
                },
                {
                    "name": "v1beta1", "served": false, "storage": false, "deprecated": true, "deprecationWarning": "use v1",
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                },
            ],
        },
    })
}

#[tokio::test]
async fn snapshots_of_volumes_are_served_where_their_definition_is_applied() {
    const PATH: &str = "/apis/snapshot.storage.k8s.io/v1/namespaces/default/volumesnapshots";
    let client = Client::new();
    assert_eq!(client.get("/apis/snapshot.storage.k8s.io/v1").await.status, 404);
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let name = "volumesnapshots.snapshot.storage.k8s.io";
    let applied = client
        .apply(&format!("{definitions}/{name}"), "kubectl", &snapshots())
        .await;
    assert_eq!(applied.status, 201, "{}", applied.body);
    let served = client.get("/apis/snapshot.storage.k8s.io/v1").await.body;
    let kinds: Vec<&str> = served["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["name"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["volumesnapshots", "volumesnapshots/status"]);

    let snapshot = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": {"name": "before-upgrade"},
        "spec": {"source": {"persistentVolumeClaimName": "data"}},
    });
    let made = client.post(PATH, &snapshot).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let ready = json!({"status": {"readyToUse": false, "boundVolumeSnapshotContentName": "snapcontent-1"}});
    let changed = client.merge(&format!("{PATH}/before-upgrade/status"), &ready).await;
    assert_eq!(changed.body["status"]["readyToUse"], false);
    let listed = client
        .get("/apis/snapshot.storage.k8s.io/v1/volumesnapshots")
        .await
        .body;
    assert_eq!(
        listed["items"][0]["spec"]["source"]["persistentVolumeClaimName"],
        "data"
    );
}
