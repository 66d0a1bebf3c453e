//! Creating, changing, deleting.

use crate::client::{CLAIMS, Client, MAPS, Reply, SETS, config_map, stateful_set};
use serde_json::{Value, json};

fn message(reply: &Reply) -> &str {
    reply.body["message"].as_str().unwrap()
}

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn creation_fills_in_what_the_server_owns() {
    let client = Client::new();
    let sent = json!({"metadata": {"generateName": "x-", "uid": "mine", "creationTimestamp": null, "generation": 7}, "data": {}});
    let made = client.post(MAPS, &sent).await;
    assert_eq!(made.status, 201);
    let metadata = &made.body["metadata"];
    assert!(
        metadata["name"].as_str().unwrap().len() == 7
            && metadata["uid"] != "mine"
            && metadata["creationTimestamp"].is_string()
    );
    assert!(metadata.get("generation").is_none());
    assert_eq!(client.post(MAPS, &json!({"data": {}})).await.status, 422);
    let again = client.post(MAPS, &config_map("a", json!({}))).await;
    assert_eq!(again.status, 201);
    let twice = client.post(MAPS, &config_map("a", json!({}))).await;
    assert_eq!(
        (twice.status, message(&twice)),
        (409, "configmaps \"a\" already exists")
    );
    assert_eq!(twice.body["reason"], "AlreadyExists");
    let nowhere = client
        .post("/api/v1/namespaces/none/configmaps", &config_map("a", json!({})))
        .await;
    assert_eq!(
        (nowhere.status, message(&nowhere)),
        (404, "namespaces \"none\" not found")
    );
    assert_eq!(client.post(MAPS, &stateful_set("a")).await.status, 400);
}

#[tokio::test]
async fn yaml_bodies_and_unknown_media() {
    let client = Client::new();
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  a: b\n";
    let made = client.call("POST", MAPS, "application/yaml", yaml).await;
    assert_eq!(made.body["data"]["a"], "b", "{}", made.body);
    assert_eq!(client.call("POST", MAPS, "text/csv", "a,b").await.status, 415);
    assert_eq!(client.call("POST", MAPS, "application/json", "{").await.status, 400);
    assert_eq!(client.call("POST", MAPS, "application/json", "[]").await.status, 400);
    assert_eq!(
        client
            .call("POST", MAPS, "application/json", vec![b' '; 4 << 20])
            .await
            .status,
        413
    );
    assert_eq!(
        client
            .call("PATCH", &format!("{MAPS}/m"), "application/json", "{}")
            .await
            .status,
        415
    );
}

#[tokio::test]
async fn unknown_fields_by_validation() {
    let client = Client::new();
    let mut set = stateful_set("web");
    set["spec"]["replica"] = json!(3);
    let strict = client.post(&format!("{SETS}?fieldValidation=Strict"), &set).await;
    assert_eq!(strict.status, 400);
    assert_eq!(
        message(&strict),
        "StatefulSet in version \"v1\" cannot be handled as a StatefulSet: strict decoding error: unknown field \"spec.replica\""
    );
    let warned = client
        .post(&format!("{SETS}?fieldValidation=Warn&dryRun=All"), &set)
        .await;
    assert_eq!(
        warned.headers["warning"],
        "299 - \"unknown field \\\"spec.replica\\\"\""
    );
    let ignored = client.post(&format!("{SETS}?fieldValidation=Ignore"), &set).await;
    assert!(ignored.status == 201 && ignored.headers.get("warning").is_none());
    assert!(ignored.body["spec"].get("replica").is_none());
    set["spec"]["replicas"] = json!("three");
    let wrong = client.post(SETS, &set).await;
    assert_eq!(wrong.status, 400);
    assert!(
        message(&wrong).ends_with(
            "json: cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32"
        )
    );
}

#[tokio::test]
async fn every_cause_of_an_invalid_object_is_told() {
    let client = Client::new();
    let mut set = stateful_set("Web_1");
    set["spec"]["replicas"] = json!(-1);
    set["spec"]["template"]["metadata"]["labels"]["app"] = json!("other");
    set["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]["name"] = json!("dta");
    set["spec"]["volumeClaimTemplates"][0]["spec"]["accessModes"] = json!(["RWO"]);
    let refused = client.post(SETS, &set).await;
    assert_eq!((refused.status, &refused.body["reason"]), (422, &json!("Invalid")));
    let causes = refused.body["details"]["causes"].as_array().unwrap();
    let fields: Vec<&str> = causes.iter().map(|cause| cause["field"].as_str().unwrap()).collect();
    assert_eq!(
        fields,
        [
            "metadata.name",
            "spec.volumeClaimTemplates[0].spec.accessModes",
            "spec.replicas",
            "spec.template.metadata.labels",
            "spec.template.spec.containers[0].volumeMounts[0].name",
        ]
    );
    assert!(
        message(&refused).starts_with(
            "StatefulSet.apps \"Web_1\" is invalid: [metadata.name: Invalid value: \"Web_1\": a lowercase"
        )
    );
    assert!(message(&refused).contains("spec.replicas: Invalid value: -1: must be greater than or equal to 0"));
}

#[tokio::test]
async fn services_are_allocated_and_checked() {
    let client = Client::new();
    let path = "/api/v1/namespaces/default/services";
    let service = json!({"metadata": {"name": "my-app"}, "spec": {"type": "LoadBalancer", "selector": {"a": "b"},
        "loadBalancerSourceRanges": ["10.0.0.0/8"], "ports": [{"port": 80}]}});
    let made = client.post(path, &service).await.body;
    assert!(made["spec"]["clusterIP"].as_str().unwrap().starts_with("10."));
    assert!((30_000..=32_767).contains(&made["spec"]["ports"][0]["nodePort"].as_i64().unwrap()));
    assert_eq!(made["spec"]["ports"][0]["targetPort"], 80);
    let mut bad = service.clone();
    bad["metadata"]["name"] = json!("bad");
    bad["spec"]["loadBalancerSourceRanges"] = json!(["10.0.0.0/33"]);
    bad["spec"]["ports"] = json!([{"port": 70_000}]);
    assert_eq!(
        client.post(path, &bad).await.body["details"]["causes"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let mut put = service.clone();
    put["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    let same = client.put(&format!("{path}/my-app"), &put).await;
    assert_eq!(
        version(&same.body),
        version(&made),
        "allocations are kept, so nothing changed"
    );
    let moved = client
        .merge(&format!("{path}/my-app"), &json!({"spec": {"clusterIP": "10.97.0.1"}}))
        .await;
    assert_eq!(moved.status, 422);
}

#[tokio::test]
async fn optimistic_locking() {
    let client = Client::new();
    let made = client.post(MAPS, &config_map("a", json!({}))).await.body;
    client.merge(&format!("{MAPS}/a"), &json!({"data": {"k": "w"}})).await;
    let mut stale = made.clone();
    stale["data"]["k"] = json!("z");
    let refused = client.put(&format!("{MAPS}/a"), &stale).await;
    assert_eq!((refused.status, &refused.body["reason"]), (409, &json!("Conflict")));
    assert_eq!(
        message(&refused),
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
    let other_life = json!({"metadata": {"uid": "other"}, "data": {"k": "z"}});
    assert_eq!(client.merge(&format!("{MAPS}/a"), &other_life).await.status, 422);
    assert_eq!(
        client
            .put(&format!("{MAPS}/none"), &config_map("none", json!({})))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn nothing_is_written_when_nothing_changes() {
    let client = Client::new();
    let made = client.post(SETS, &stateful_set("web")).await.body;
    let path = format!("{SETS}/web");
    for reply in [
        client.put(&path, &made).await,
        client.merge(&path, &json!({"spec": {"replicas": 3}})).await,
        client
            .call(
                "PATCH",
                &path,
                "application/strategic-merge-patch+json",
                json!({"spec": {"replicas": 3}}).to_string(),
            )
            .await,
        client
            .call(
                "PATCH",
                &path,
                "application/json-patch+json",
                json!([{"op": "replace", "path": "/spec/replicas", "value": 3}]).to_string(),
            )
            .await,
    ] {
        assert_eq!(
            (reply.status, version(&reply.body)),
            (200, version(&made)),
            "{}",
            reply.body
        );
        assert_eq!(
            reply.body["metadata"]["managedFields"],
            made["metadata"]["managedFields"]
        );
    }
}

#[tokio::test]
async fn dry_runs_have_no_effect() {
    let client = Client::new();
    let before = client.get(MAPS).await.body["metadata"]["resourceVersion"].clone();
    assert_eq!(
        client
            .post(&format!("{MAPS}?dryRun=All"), &config_map("a", json!({})))
            .await
            .status,
        201
    );
    assert_eq!(client.get(&format!("{MAPS}/a")).await.status, 404);
    let set = client
        .apply(&format!("{SETS}/web?dryRun=All"), "m", &stateful_set("web"))
        .await;
    assert_eq!(
        (set.status, &set.body["spec"]["podManagementPolicy"]),
        (201, &json!("OrderedReady"))
    );
    assert_eq!(client.get(MAPS).await.body["metadata"]["resourceVersion"], before);
    client.post(MAPS, &config_map("b", json!({}))).await;
    assert_eq!(client.delete(&format!("{MAPS}/b?dryRun=All")).await.status, 200);
    assert_eq!(client.get(&format!("{MAPS}/b")).await.status, 200);
    assert_eq!(client.delete(&format!("{MAPS}/b?dryRun=Some")).await.status, 422);
}

#[tokio::test]
async fn server_side_apply() {
    let client = Client::new();
    let path = format!("{SETS}/web");
    let made = client.apply(&path, "moorline", &stateful_set("web")).await;
    assert_eq!(made.status, 201);
    let again = client.apply(&path, "moorline", &stateful_set("web")).await;
    assert_eq!(
        (again.status, &again.body),
        (200, &made.body),
        "the same again changes nothing"
    );
    let mut other =
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"}, "spec": {"replicas": 5}});
    let refused = client.apply(&path, "hpa", &other).await;
    assert_eq!(
        (refused.status, message(&refused)),
        (
            409,
            "Apply failed with 1 conflict: conflict with \"moorline\": .spec.replicas"
        )
    );
    assert_eq!(refused.body["details"]["causes"][0]["reason"], "FieldManagerConflict");
    let forced = client.apply(&format!("{path}?force=true"), "hpa", &other).await;
    assert_eq!((forced.status, &forced.body["spec"]["replicas"]), (200, &json!(5)));
    assert_eq!(forced.body["metadata"]["generation"], 2);
    other["spec"] = json!({"bogus": 1});
    let untyped = client.apply(&path, "hpa", &other).await;
    assert_eq!(
        message(&untyped),
        "failed to create typed patch object (/web; apps/v1, Kind=StatefulSet): .spec.bogus: field not declared in schema"
    );
    let nameless = client
        .call(
            "PATCH",
            &path,
            "application/apply-patch+yaml",
            stateful_set("web").to_string(),
        )
        .await;
    assert_eq!(nameless.status, 422);
    let bad_force = client
        .call(
            "PATCH",
            &format!("{path}?force=true"),
            "application/merge-patch+json",
            "{}",
        )
        .await;
    assert_eq!(bad_force.status, 422);
}

#[tokio::test]
async fn updates_own_what_they_change() {
    let client = Client::new();
    let path = format!("{SETS}/web");
    client.apply(&path, "moorline", &stateful_set("web")).await;
    client
        .merge(
            &format!("{path}/scale?fieldManager=kubectl"),
            &json!({"spec": {"replicas": 4}}),
        )
        .await;
    let refused = client.apply(&path, "moorline", &stateful_set("web")).await;
    assert_eq!(
        message(&refused),
        "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas"
    );
}

#[tokio::test]
async fn scale_subresource() {
    let client = Client::new();
    client.post(SETS, &stateful_set("web")).await;
    let path = format!("{SETS}/web/scale");
    let scale = client.get(&path).await.body;
    assert_eq!(
        (&scale["kind"], &scale["spec"]["replicas"], &scale["status"]["selector"]),
        (&json!("Scale"), &json!(3), &json!("app=web"))
    );
    let mut wanted = scale.clone();
    wanted["spec"]["replicas"] = json!(5);
    assert_eq!(client.put(&path, &wanted).await.body["spec"]["replicas"], 5);
    assert_eq!(
        client.put(&path, &wanted).await.status,
        409,
        "its resourceVersion is old now"
    );
    assert_eq!(
        client.merge(&path, &json!({"spec": {"replicas": -1}})).await.status,
        422
    );
    assert_eq!(client.get(&format!("{SETS}/web")).await.body["spec"]["replicas"], 5);
    assert_eq!(
        client.get("/api/v1/namespaces/default/configmaps/x/scale").await.status,
        404
    );
}

#[tokio::test]
async fn what_may_not_change() {
    let client = Client::new();
    client.post(SETS, &stateful_set("web")).await;
    let refused = client
        .merge(&format!("{SETS}/web"), &json!({"spec": {"serviceName": "other"}}))
        .await;
    assert_eq!(refused.status, 422);
    assert!(message(&refused).ends_with("spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));

    let claim = json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}});
    client.post(CLAIMS, &claim).await;
    let path = format!("{CLAIMS}/c");
    assert_eq!(
        client.merge(&path, &json!({"spec": {"volumeName": "pv"}})).await.status,
        200,
        "set once"
    );
    assert_eq!(
        client
            .merge(&path, &json!({"spec": {"volumeName": "other"}}))
            .await
            .status,
        422
    );
    assert_eq!(
        client
            .merge(&path, &json!({"spec": {"accessModes": ["ReadWriteMany"]}}))
            .await
            .status,
        422
    );

    let classes = "/apis/storage.k8s.io/v1/storageclasses";
    client
        .post(
            classes,
            &json!({"metadata": {"name": "gp2"}, "provisioner": "ebs.csi.aws.com", "parameters": {"type": "gp2"}}),
        )
        .await;
    let refused = client
        .merge(&format!("{classes}/gp2"), &json!({"parameters": {"type": "gp3"}}))
        .await;
    assert_eq!(
        message(&refused),
        "StorageClass.storage.k8s.io \"gp2\" is invalid: parameters: Invalid value: {\"type\":\"gp3\"}: field is immutable"
    );

    client
        .post(
            MAPS,
            &json!({"metadata": {"name": "fixed"}, "immutable": true, "data": {"a": "b"}}),
        )
        .await;
    assert_eq!(
        client
            .merge(&format!("{MAPS}/fixed"), &json!({"data": {"a": "c"}}))
            .await
            .status,
        422
    );
    let renamed = client
        .merge(&format!("{MAPS}/fixed"), &json!({"metadata": {"name": "x"}}))
        .await;
    assert_eq!(renamed.status, 422);
}

#[tokio::test]
async fn claims_get_the_default_class_and_their_finalizer() {
    let client = Client::new();
    let class = json!({"metadata": {"name": "std", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}, "provisioner": "p"});
    let class = client.post("/apis/storage.k8s.io/v1/storageclasses", &class).await.body;
    assert_eq!(
        (&class["reclaimPolicy"], &class["volumeBindingMode"]),
        (&json!("Delete"), &json!("Immediate"))
    );
    let claim = json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let made = client.post(CLAIMS, &claim).await.body;
    assert_eq!(made["spec"]["storageClassName"], "std");
    assert_eq!(made["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    assert_eq!(made["status"]["phase"], "Pending");
}

#[tokio::test]
async fn deletion() {
    let client = Client::new();
    let made = client.post(MAPS, &config_map("a", json!({"x": "1"}))).await.body;
    let wrong = json!({"preconditions": {"uid": "other"}});
    let refused = client
        .call("DELETE", &format!("{MAPS}/a"), "application/json", wrong.to_string())
        .await;
    assert_eq!(refused.status, 409);
    assert!(message(&refused).contains("the UID in the precondition (other) does not match the UID in record ("));
    let done = client.delete(&format!("{MAPS}/a")).await;
    assert_eq!(
        (done.status, &done.body["status"], &done.body["details"]["uid"]),
        (200, &json!("Success"), &made["metadata"]["uid"])
    );
    assert_eq!(client.delete(&format!("{MAPS}/a")).await.status, 404);
    for (name, x) in [("b", "1"), ("c", "2"), ("d", "1")] {
        client.post(MAPS, &config_map(name, json!({"x": x}))).await;
    }
    let gone = client.delete(&format!("{MAPS}?labelSelector=x%3D1")).await.body;
    assert_eq!(gone["items"].as_array().unwrap().len(), 2);
    assert_eq!(client.get(MAPS).await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_running_pod_ends_gracefully() {
    let client = Client::new();
    let pods = "/api/v1/namespaces/default/pods";
    let pod = |name: &str| json!({"metadata": {"name": name}, "spec": {"nodeName": "node-a", "containers": [{"name": "a", "image": "i"}]}});
    client.post(pods, &pod("p")).await;
    let leaving = client.delete(&format!("{pods}/p")).await.body;
    assert_eq!(leaving["metadata"]["deletionGracePeriodSeconds"], 30);
    let before = version(&leaving);
    assert_eq!(
        version(&client.delete(&format!("{pods}/p")).await.body),
        before,
        "asking again changes nothing"
    );
    client.delete(&format!("{pods}/p?gracePeriodSeconds=0")).await;
    assert_eq!(client.get(&format!("{pods}/p")).await.status, 404);
    client.post(pods, &pod("q")).await;
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "q"}});
    assert_eq!(client.post(&format!("{pods}/q/eviction"), &eviction).await.status, 201);
    assert!(client.get(&format!("{pods}/q")).await.body["metadata"]["deletionTimestamp"].is_string());
    let lost = json!({"metadata": {"name": "r"}, "spec": {"serviceAccountName": "none", "containers": [{"name": "a", "image": "i"}]}});
    assert_eq!(client.post(pods, &lost).await.status, 403);
}
