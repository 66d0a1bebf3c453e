//! The next process goes on where the last one stopped.

use moorline_sandbox_controllers::ControllerSettings;

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
    api.delete(
        SETS,
        Some("default"),
        "web",
        moorline_sandbox_kubernetes::DeleteOptions::default(),
    )
    .unwrap();
    let second = Cluster::over(world, instant());
    second
        .until("its pods are gone and its volumes detached", |cluster| {
            cluster.names("pods").is_empty() && cluster.cloud.volumes().iter().all(|volume| volume.attachment.is_none())
        })
        .await;
}
