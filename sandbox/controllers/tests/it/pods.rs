//! Scheduling, starting and stopping pods.

use moorline_sandbox_controllers::ControllerSettings;
use serde_json::json;

use crate::support::{CLAIMS, Cluster, claim, instant, pod};

fn waiting_reason(cluster: &Cluster, name: &str) -> String {
    let reason = cluster.at("pods", name, "/status/containerStatuses/0/state/waiting/reason");
    reason.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_pod_runs_on_a_ready_node_after_a_moment() {
    let cluster = Cluster::new(ControllerSettings {
        pod_start_millis: 60_000,
        ..instant()
    });
    cluster.create("pods", pod("app", &[]));
    cluster
        .until("it is being created", |cluster| {
            waiting_reason(cluster, "app") == "ContainerCreating"
        })
        .await;
    cluster.settle().await;
    assert_eq!(cluster.at("pods", "app", "/status/phase"), "Pending");
    cluster.advance(60);
    cluster
        .until("it runs", |cluster| {
            cluster.at("pods", "app", "/status/phase") == "Running"
        })
        .await;
    let status = cluster.at("pods", "app", "/status");
    assert!(status["podIP"].as_str().unwrap().starts_with("10.244."));
    assert_eq!(status["containerStatuses"][0]["ready"], true);
    let conditions = status["conditions"].as_array().unwrap();
    assert!(
        conditions.iter().all(|condition| condition["status"] == "True"),
        "{conditions:?}"
    );
    for reason in ["Scheduled", "Pulled", "Created", "Started"] {
        assert!(cluster.reasons("app").contains(&reason.to_owned()), "{reason}");
    }
}

#[tokio::test]
async fn pods_spread_over_the_nodes() {
    let cluster = Cluster::new(instant());
    for name in ["a", "b", "c"] {
        cluster.create("pods", pod(name, &[]));
    }
    cluster
        .until("all run", |cluster| {
            cluster
                .api
                .list("pods", None)
                .iter()
                .all(|pod| pod["status"]["phase"] == "Running")
        })
        .await;
    let mut nodes: Vec<_> = ["a", "b", "c"]
        .map(|name| cluster.at("pods", name, "/spec/nodeName").to_string())
        .to_vec();
    nodes.sort();
    assert_eq!(nodes, ["\"node-a\"", "\"node-b\"", "\"node-c\""]);
}

#[tokio::test]
async fn an_unschedulable_pod_says_why_in_the_schedulers_words() {
    let cluster = Cluster::new(instant());
    cluster.create(CLAIMS, claim("data", ""));
    cluster.create("pods", pod("unbound", &["data"]));
    cluster.create("pods", pod("missing", &["absent"]));
    let mut nowhere = pod("nowhere", &[]);
    nowhere["spec"]["nodeSelector"] = json!({"disk": "ssd"});
    cluster.create("pods", nowhere);
    let mut hungry = pod("hungry", &[]);
    hungry["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "64"}});
    cluster.create("pods", hungry);
    for (name, why) in [
        ("unbound", "pod has unbound immediate PersistentVolumeClaims"),
        ("missing", "persistentvolumeclaim \"absent\" not found"),
        ("nowhere", "3 node(s) didn't match Pod's node affinity/selector"),
        ("hungry", "3 Insufficient cpu"),
    ] {
        cluster
            .until(why, |cluster| !cluster.messages(name, "FailedScheduling").is_empty())
            .await;
        let message = cluster.messages(name, "FailedScheduling").remove(0);
        assert!(
            message.starts_with(&format!("0/3 nodes are available: {why}.")),
            "{message}"
        );
        assert_eq!(cluster.at("pods", name, "/status/conditions/0/reason"), "Unschedulable");
        assert_eq!(cluster.at("pods", name, "/status/phase"), "Pending");
    }
}

#[tokio::test]
async fn a_pod_waits_for_a_node_to_be_schedulable_again() {
    let cluster = Cluster::new(instant());
    cluster
        .until("the nodes are there", |cluster| cluster.names("nodes").len() == 3)
        .await;
    for node in ["node-a", "node-b", "node-c"] {
        cluster.change("nodes", node, |node| node["spec"]["unschedulable"] = json!(true));
    }
    cluster.create("pods", pod("app", &[]));
    cluster
        .until("it cannot be placed", |cluster| {
            !cluster.messages("app", "FailedScheduling").is_empty()
        })
        .await;
    assert!(cluster.messages("app", "FailedScheduling")[0].contains("3 node(s) were unschedulable"));
    cluster.change("nodes", "node-b", |node| node["spec"]["unschedulable"] = json!(false));
    cluster
        .until("it runs", |cluster| {
            cluster.at("pods", "app", "/status/phase") == "Running"
        })
        .await;
}

#[tokio::test]
async fn an_image_that_cannot_be_had_backs_off_until_it_changes() {
    let cluster = Cluster::new(instant());
    let mut wanted = pod("app", &[]);
    wanted["spec"]["containers"][0]["image"] = "example.com/does-not-exist:1".into();
    cluster.create("pods", wanted);
    cluster
        .until("the pull failed", |cluster| {
            waiting_reason(cluster, "app") == "ErrImagePull"
        })
        .await;
    cluster.advance(2);
    cluster
        .until("it backs off", |cluster| {
            waiting_reason(cluster, "app") == "ImagePullBackOff"
        })
        .await;
    cluster.change("pods", "app", |pod| {
        pod["spec"]["containers"][0]["image"] = "nginx:1.27".into();
    });
    cluster
        .until("it runs", |cluster| {
            cluster.at("pods", "app", "/status/phase") == "Running"
        })
        .await;
}

#[tokio::test]
async fn a_crashing_container_restarts_later_each_time() {
    let cluster = Cluster::new(instant());
    let mut wanted = pod("app", &[]);
    wanted["metadata"]["annotations"] = json!({"sandbox.moorline.dev/crash": "true"});
    cluster.create("pods", wanted);
    let restarts = |cluster: &Cluster| cluster.at("pods", "app", "/status/containerStatuses/0/restartCount");
    cluster
        .until("it crashed", |cluster| {
            waiting_reason(cluster, "app") == "CrashLoopBackOff"
        })
        .await;
    cluster.advance(10);
    cluster
        .until("it crashed again", |cluster| restarts(cluster) == 1)
        .await;
    cluster.advance(10);
    cluster.settle().await;
    assert_eq!(restarts(&cluster), 1, "the second back-off is 20 s");
    cluster.advance(10);
    cluster
        .until("it crashed a third time", |cluster| restarts(cluster) == 2)
        .await;
    assert_eq!(
        cluster.at(
            "pods",
            "app",
            "/status/containerStatuses/0/lastState/terminated/exitCode"
        ),
        1
    );
    assert!(cluster.reasons("app").contains(&"BackOff".to_owned()));
}

#[tokio::test]
async fn a_deleted_pod_ends_gracefully() {
    let cluster = Cluster::new(ControllerSettings {
        pod_stop_millis: 20_000,
        ..instant()
    });
    cluster.create("pods", pod("app", &[]));
    cluster
        .until("it runs", |cluster| {
            cluster.at("pods", "app", "/status/phase") == "Running"
        })
        .await;
    cluster.delete("pods", "app");
    cluster
        .until("it is told to stop", |cluster| {
            cluster.reasons("app").contains(&"Killing".to_owned())
        })
        .await;
    cluster.settle().await;
    assert_eq!(cluster.names("pods"), ["app"]);
    cluster.advance(20);
    cluster
        .until("it is gone", |cluster| cluster.names("pods").is_empty())
        .await;
}

#[tokio::test]
async fn a_missing_config_map_holds_the_pod_back() {
    let cluster = Cluster::new(instant());
    let mut wanted = pod("app", &[]);
    wanted["spec"]["volumes"] = json!([{"name": "config", "configMap": {"name": "settings"}}]);
    cluster.create("pods", wanted);
    cluster
        .until("it is told", |cluster| {
            cluster.reasons("app").contains(&"FailedMount".to_owned())
        })
        .await;
    cluster.create("configmaps", json!({"metadata": {"name": "settings"}}));
    cluster.advance(2);
    cluster
        .until("it runs", |cluster| {
            cluster.at("pods", "app", "/status/phase") == "Running"
        })
        .await;
}
