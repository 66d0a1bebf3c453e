//! A Kubernetes cluster behind moorline's [`Cluster`](moorline_api::Cluster) contract, on kube-rs.
//!
//! | module | what lives there |
//! |---|---|
//! | `cluster` | `KubeCluster`: each call of the contract in terms of requests |
//! | `kubeconfig` | which server, which credentials: kubectl's rules, and words for what is wrong with them |
//! | `proxy` | the environment's proxy variables |
//! | `session` | the HTTP client: proxies, TLS, credential plugins |
//! | `call` | one request: method, encoded path, body, and whether it may be repeated |
//! | `transport` | sends calls: bound in number, in time and in size, repeated where that is safe |
//! | `pace` | how long to wait before the next try, and when to stop |
//! | `refusal` | the server's `Status` answers as errors of the contract |
//! | `forbidden` | what to grant, in words |
//! | `discovery` | every kind that the server serves |
//! | `listing`, `page`, `watch` | many objects: page by page, and as they change |
//! | `statistics` | what a node's kubelet measures of mounted volumes |
//! | `text` | the server's words made safe to print |

mod call;
mod cluster;
mod credentials;
mod discovery;
mod forbidden;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod kubeconfig;
mod listing;
mod pace;
mod page;
mod plugin;
mod proxy;
mod refusal;
mod session;
mod statistics;
mod text;
mod transport;
mod watch;

pub use cluster::KubeCluster;
pub use kubeconfig::{KubeSettings, contexts};

/// The field manager of every write.
pub const FIELD_MANAGER: &str = "moorline";
