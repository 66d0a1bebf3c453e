//! Large sets must not take long: every controller finds its objects by index.

use std::time::{Duration, Instant};

use crate::support::{CLAIMS, Cluster, SETS, class, instant, set};

#[tokio::test]
async fn three_hundred_pods_with_claims_are_quick() {
    let cluster = Cluster::new(instant());
    cluster.create("storageclasses.storage.k8s.io", class("fast", "Immediate"));
    let start = Instant::now();
    cluster.create(SETS, set("web", 300, "Parallel"));
    cluster
        .until("all are ready", |cluster| {
            cluster.at(SETS, "web", "/status/readyReplicas") == 300
        })
        .await;
    let took = start.elapsed();
    println!("300 pods and claims took {took:?}");
    assert_eq!(cluster.names(CLAIMS).len(), 300);
    // Generous, for machines that do something else too; a quadratic controller takes minutes.
    assert!(took < Duration::from_secs(20), "{took:?}");
}
