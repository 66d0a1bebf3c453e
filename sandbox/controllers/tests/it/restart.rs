//! The next process goes on where the last one stopped.

use moorline_sandbox_controllers::ControllerSettings;
use moorline_sandbox_kubernetes::DeleteOptions;

use crate::support::{CLAIMS, Cluster, SETS, class, instant, set};

#[tokio::test]
async fn what_was_under_way_is_finished_by_the_next_process() {
    let slow = ControllerSettings {
        pod_start_millis: 30_000,
        ..instant()
    };
    let first = Cluster::new(slow.clone());
    first.create("storageclasses.storage.k8s.io", class("fast", "Immediate"));
    first.create(SETS, set("web", 1, "OrderedReady"));
    first
        .until("the pod is being created", |cluster| {
            cluster.at("pods", "web-0", "/status/containerStatuses/0/state/waiting/reason") == "ContainerCreating"
        })
        .await;
    first.settle().await;
    let world = first.world.clone();
    first.controllers.stop().await;
    // Half of the wait passes while nobody runs.
    world.clock.advance(30, &world.journal).unwrap();
    let second = Cluster::over(world, slow);
    second.set_is_ready("web", 1).await;
    second.is_bound("data-web-0").await;
    assert_eq!(second.names(CLAIMS).len(), 1);
    assert_eq!(second.cloud.volumes().len(), 1);
}

#[tokio::test]
async fn an_object_deleted_while_nobody_ran_is_cleaned_up_after() {
    let first = Cluster::new(instant());
    first.create("storageclasses.storage.k8s.io", class("fast", "Immediate"));
    first.create(SETS, set("web", 2, "Parallel"));
    first.set_is_ready("web", 2).await;
    let Cluster {
        world,
        api,
        controllers,
        ..
    } = first;
    controllers.stop().await;
    api.delete(SETS, Some("default"), "web", DeleteOptions::default())
        .unwrap();
    let second = Cluster::over(world, instant());
    second
        .until("its pods are gone and its volumes detached", |cluster| {
            cluster.names("pods").is_empty() && cluster.cloud.volumes().iter().all(|volume| volume.attachment.is_none())
        })
        .await;
}

/// What is settled is not looked at after a restart, and what only seems so is.
#[tokio::test]
async fn claims_and_volumes_that_lost_each_other_while_nobody_ran_are_told_so() {
    let first = Cluster::new(instant());
    first.create("storageclasses.storage.k8s.io", class("fast", "Immediate"));
    first.create(SETS, set("web", 3, "Parallel"));
    first.set_is_ready("web", 3).await;
    first
        .api
        .delete(SETS, Some("default"), "web", DeleteOptions::default())
        .unwrap();
    first
        .until("its pods are gone", |cluster| cluster.names("pods").is_empty())
        .await;
    first.settle().await;
    let volume = |claim: &str| first.at(CLAIMS, claim, "/spec/volumeName").as_str().unwrap().to_owned();
    let volumes = ["data-web-0", "data-web-1", "data-web-2"].map(volume);
    let Cluster {
        world,
        api,
        controllers,
        ..
    } = first;
    controllers.stop().await;
    // One loses its volume, one its claim; both were half done by whoever was killed.
    api.modify("persistentvolumes", None, &volumes[0], None, "test", |volume| {
        volume["metadata"]["finalizers"] = serde_json::json!([]);
    })
    .unwrap();
    api.delete("persistentvolumes", None, &volumes[0], DeleteOptions::default())
        .unwrap();
    api.modify(CLAIMS, Some("default"), "data-web-1", None, "test", |claim| {
        claim["metadata"]["finalizers"] = serde_json::json!([]);
    })
    .unwrap();
    api.delete(CLAIMS, Some("default"), "data-web-1", DeleteOptions::default())
        .unwrap();
    let second = Cluster::over(world, instant());
    second
        .until("one claim is lost, and one volume deleted", |cluster| {
            cluster.at(CLAIMS, "data-web-0", "/status/phase") == "Lost"
                && cluster.names("persistentvolumes") == [volumes[2].clone()]
        })
        .await;
    assert_eq!(second.at(CLAIMS, "data-web-2", "/status/phase"), "Bound");
}
