//! What can be set on a running API server.

use serde::{Deserialize, Serialize};

/// Settings of the API server; they may change while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// Added to every call's answer, in milliseconds of real time.
    pub latency_millis: u64,
    /// The bearer token that clients must send; absent means anyone is let in.
    /// The token `EXPIRED` is refused either way.
    pub token: Option<String>,
    /// How far reads and watches are behind what was written, in milliseconds of real time, as those of a cache are. No API server
    /// answers a read without a version so late; what stands between a client and it may.
    pub read_lag_millis: u64,
    /// How many changes are remembered for watches and for continued lists; older versions are answered with 410.
    pub history: usize,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            latency_millis: 0,
            token: None,
            read_lag_millis: 0,
            history: 10_000,
        }
    }
}
