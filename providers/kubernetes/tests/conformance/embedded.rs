//! The sandbox: one of its own for each case.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use moorline_api::conformance::Case;
use moorline_api::conformance::kubernetes::{self as suite, Backend, Door, Request, Server};
use moorline_kubernetes::{KubeCluster, KubeSettings};
use moorline_sandbox::{Sandbox, SandboxSettings, StartOptions};
use serde_json::json;

use crate::block_on;
use crate::door::{Forget, KubeDoor};

/// How many changes a sandbox remembers: more than any case makes, or few enough to be forgotten fast.
const MEMORY: usize = 5_000;
const SHORT_MEMORY: usize = 100;

pub(crate) fn trials() -> Vec<Trial> {
    let lasting = suite::cases().into_iter().map(|case| trial(case, MEMORY));
    let forgetting = suite::forgetting_cases().into_iter();
    lasting
        .chain(forgetting.map(|case| trial(case, SHORT_MEMORY)))
        .collect()
}

fn trial(case: Case<Backend>, memory: usize) -> Trial {
    Trial::test(format!("sandbox::{}", case.name), move || {
        block_on(async {
            let (sandbox, server) = start(memory).await;
            suite::run(case, server).await;
            sandbox.shutdown().await;
        });
        Ok(())
    })
}

async fn start(memory: usize) -> (Sandbox, Server) {
    let mut settings = SandboxSettings::instant();
    settings.api.history = memory;
    let options = StartOptions {
        settings: Some(settings),
        ..StartOptions::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let endpoint = sandbox.kubernetes_endpoint();
    let cluster = KubeCluster::at(&endpoint, "sandbox", &KubeSettings::default()).unwrap();
    let config = kube::Config::new(endpoint.parse().unwrap());
    let busy = Arc::new(KubeDoor::open(config.clone(), Box::new(|| Box::pin(async {}))));
    let forget: Forget = Box::new(move || {
        let busy = busy.clone();
        Box::pin(async move { fill_memory(&busy).await })
    });
    let server = Server {
        cluster: Arc::new(cluster),
        door: Arc::new(KubeDoor::open(config, forget)),
        patience: Duration::from_secs(30),
    };
    (sandbox, server)
}

/// Makes more changes than a short memory holds.
async fn fill_memory(door: &KubeDoor) {
    let collection = "/api/v1/namespaces/default/configmaps";
    for round in 0..=SHORT_MEMORY {
        let request = Request {
            method: "PATCH",
            path: format!("{collection}/noise?fieldManager=noise"),
            content_type: "application/apply-patch+yaml",
            body: Some(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "noise"}, "data": {"round": round.to_string()},
            })),
        };
        let answer = door.send(request).await;
        assert!(answer.code < 300, "{}", answer.body);
    }
}
