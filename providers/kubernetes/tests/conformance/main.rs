//! [`KubeCluster`](moorline_kubernetes::KubeCluster) and what is behind it, held to the cases of
//! [`moorline_api::conformance::kubernetes`]: the sandbox always, the real control plane where the parts are up.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod door;
mod embedded;
mod real;

use libtest_mimic::{Arguments, Trial};

fn main() -> std::process::ExitCode {
    let trials: Vec<Trial> = embedded::trials().into_iter().chain(real::trials()).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs one test to its end on threads of its own.
fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}
