//! `KubeCluster` against a server that answers as scripted: what is sent, and what each answer comes to.

mod access;
mod calls;
mod many;
mod refusals;
mod retries;
mod server;
