//! The real control plane.

use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use libtest_mimic::Trial;
use moorline_api::conformance::kubernetes::{self as suite, Server};
use moorline_kubernetes::{KubeCluster, KubeSettings};

use crate::block_on;
use crate::door::KubeDoor;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |case: moorline_api::conformance::Case<suite::Backend>| {
        let trial = Trial::test(format!("real::{}", case.name), move || {
            block_on(async { suite::run(case, shared().await).await });
            Ok(())
        });
        trial.with_ignored_flag(true)
    };
    suite::cases().into_iter().map(trial).collect()
}

/// The control plane that all tests share.
async fn shared() -> Server {
    let parts =
        std::env::var("MOORLINE_TEST_PARTS").expect("MOORLINE_TEST_PARTS names the parts: run cargo xtask test");
    let parts: serde_json::Value = serde_json::from_slice(&std::fs::read(parts).unwrap()).unwrap();
    let kubeconfig = parts["kubernetes"]["kubeconfig"].as_str().unwrap();
    let settings = KubeSettings {
        kubeconfig: Some(kubeconfig.into()),
        ..KubeSettings::default()
    };
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    let door = KubeDoor::open(
        config,
        Box::new(|| Box::pin(async { panic!("others use this server too") })),
    );
    Server {
        cluster: Arc::new(KubeCluster::connect(&settings).await.unwrap()),
        door: Arc::new(door),
        patience: Duration::from_secs(60),
    }
}
