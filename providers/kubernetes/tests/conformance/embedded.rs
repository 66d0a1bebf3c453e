//! The sandbox: one of its own for each case.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use moorline_api::conformance::kubernetes::{self as suite, Server};
use moorline_kubernetes::{KubeCluster, KubeSettings};
use moorline_sandbox::{Sandbox, SandboxSettings, StartOptions};

use crate::block_on;
use crate::door::KubeDoor;

pub(crate) fn trials() -> Vec<Trial> {
    let cases = [suite::cases(), suite::forgetting_cases()].concat();
    let trial = |case: moorline_api::conformance::Case<suite::Backend>| {
        Trial::test(format!("sandbox::{}", case.name), move || {
            block_on(async {
                let (sandbox, server) = start().await;
                suite::run(case, server).await;
                sandbox.shutdown().await;
            });
            Ok(())
        })
    };
    cases.into_iter().map(trial).collect()
}

async fn start() -> (Sandbox, Server) {
    let mut settings = SandboxSettings::instant();
    // Forgetting is fast, and no case needs as many changes to be remembered.
    settings.api.history = 2_000;
    let options = StartOptions {
        settings: Some(settings),
        ..StartOptions::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let endpoint = sandbox.kubernetes_endpoint();
    let cluster = KubeCluster::at(&endpoint, "sandbox", &KubeSettings::default()).unwrap();
    let door = KubeDoor::open(
        kube::Config::new(endpoint.parse().unwrap()),
        Box::new(|| Box::pin(async {})),
    );
    let server = Server {
        cluster: Arc::new(cluster),
        door: Arc::new(door),
        patience: Duration::from_secs(30),
    };
    (sandbox, server)
}
