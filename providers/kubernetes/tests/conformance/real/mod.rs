//! The real control plane: the shared one for whatever runs beside others, one of our own for what breaks it.

mod access;
mod outage;
mod own;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use libtest_mimic::Trial;
use moorline_api::conformance::Case;
use moorline_api::conformance::kubernetes::{self as suite, Backend, Server};
use moorline_kubernetes::{KubeCluster, KubeSettings};
use moorline_parts::Parts;

use crate::block_on;
use crate::door::{Forget, KubeDoor};

/// How long a controller may take for one step, on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn trials() -> Vec<Trial> {
    let cases = suite::cases().into_iter().map(|case: Case<Backend>| {
        trial(case.name, move || {
            block_on(async {
                let forget: Forget = Box::new(|| Box::pin(async { panic!("others use this server too") }));
                suite::run(case, server(shared(), forget).await).await;
            });
        })
    });
    cases.chain(access::trials()).chain(outage::trials()).collect()
}

/// A test that needs the parts.
fn trial(name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    let run = move || {
        test();
        Ok(())
    };
    Trial::test(format!("real::{name}"), run).with_ignored_flag(true)
}

fn parts() -> Parts {
    moorline_parts::from_environment().unwrap()
}

/// The kubeconfig of the control plane that all tests share.
fn shared() -> PathBuf {
    parts().kubeconfig().unwrap().to_owned()
}

/// The server of a kubeconfig, to hold to the cases.
async fn server(kubeconfig: PathBuf, forget: Forget) -> Server {
    let file = Kubeconfig::read_from(&kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(file, &options).await.unwrap();
    let door = KubeDoor::open(config, forget);
    Server {
        cluster: Arc::new(connect(&kubeconfig).await),
        door: Arc::new(door),
        patience: PATIENCE,
    }
}

/// The provider, by a kubeconfig.
async fn connect(kubeconfig: &Path) -> KubeCluster {
    let settings = KubeSettings {
        kubeconfig: Some(kubeconfig.to_owned()),
        ..KubeSettings::default()
    };
    KubeCluster::connect(&settings).await.unwrap()
}
