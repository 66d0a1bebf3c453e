//! `KubeCluster` against a server that answers as scripted: what is sent, and what each answer comes to.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and reads best with values"
)]

mod access;
mod calls;
mod hostile;
mod many;
mod plugins;
mod refusals;
mod retries;
mod server;
mod statistics;
mod tls;
