//! Holds the sandbox's cluster to what a real API server and its controllers answer: the same sequences of calls go to both,
//! and statuses, messages, objects and events are compared.
//!
//! - `recorded`: each sequence in `cases/` once showed a difference; the sandbox alone must answer as the real server did then.
//! - `real::cases`: both servers must still answer as recorded. With `MOORLINE_TEST_RECORD=1` the real answers are recorded anew.
//! - `real::random`: random sequences, as many as `MOORLINE_TEST_SEQUENCES` says, from the seed `MOORLINE_TEST_SEED`. Where one
//!   shows a difference, the shortest that still does is printed; with `MOORLINE_TEST_KEEP` it is also written to that folder.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it tried"
)]

mod bodies;
mod cases;
mod compare;
mod generate;
mod kinds;
mod normalise;
mod run;
mod sequence;
mod server;
mod survey;

use std::time::Duration;

use moorline_sandbox::{Sandbox, SandboxSettings, StartOptions};
use server::Server;

/// How long the sandbox's controllers must be silent to count as done, and the real ones.
const QUIET: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(700)];

/// The sandbox without its CSI drivers and their classes, and with nothing that takes time: the real control plane has
/// neither.
async fn sandbox() -> (Sandbox, Server) {
    let mut settings = SandboxSettings::instant();
    settings.controllers.csi = false;
    settings.controllers.classes = false;
    let options = StartOptions {
        settings: Some(settings),
        ..StartOptions::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let server = Server::at(&sandbox.kubernetes_endpoint()).await;
    (sandbox, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded() {
    cases::replay_recorded().await;
}

mod real {
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs real parts: cargo xtask test"]
    async fn cases() {
        super::cases::replay_on_both().await;
    }

    #[test]
    #[ignore = "needs real parts: cargo xtask test"]
    fn random() {
        super::survey::survey();
    }
}
