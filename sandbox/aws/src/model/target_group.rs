//! Target groups of network and application load balancers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A target group; it outlives the load balancers that forward to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TargetGroup {
    /// Its name.
    pub(crate) name: String,
    /// Its region.
    pub(crate) region: String,
    /// Its ARN.
    pub(crate) arn: String,
    /// The protocol towards its targets.
    pub(crate) protocol: String,
    /// Its targets' port.
    pub(crate) port: u16,
    /// Its tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// The ARN of the load balancer that it was made for.
    pub(crate) balancer: String,
    /// The port of the listener that forwards to it.
    pub(crate) listener: u16,
    /// When it was deleted.
    pub(crate) gone_at: Option<Timestamp>,
}
