//! Load balancers of all kinds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a new load balancer shall be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewLoadBalancer {
    /// Its name: at most 32 letters, digits and hyphens; unique among classic ones, and among the others.
    pub name: String,
    /// Its kind.
    pub kind: LoadBalancerKind,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What it listens to.
    pub listeners: Vec<Listener>,
    /// The CIDR blocks its security group lets in.
    pub source_ranges: Vec<String>,
    /// Whether it faces the internet.
    pub scheme: Scheme,
}

/// The kinds of load balancers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadBalancerKind {
    /// Elastic Load Balancing of 2012.
    #[default]
    Classic,
    /// Layer 4.
    Network,
    /// Layer 7.
    Application,
}

/// Whether a load balancer faces the internet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Public addresses.
    #[default]
    InternetFacing,
    /// Private addresses.
    Internal,
}

impl Scheme {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InternetFacing => "internet-facing",
            Self::Internal => "internal",
        }
    }
}

/// What a load balancer listens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// `TCP`, `HTTP`, …
    pub protocol: String,
    /// The port it listens on.
    pub port: u16,
    /// The protocol towards the instances.
    pub instance_protocol: String,
    /// The instances' port.
    pub instance_port: u16,
}

/// A load balancer; what is kept of it is also how it looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: LoadBalancerKind,
    /// Its region.
    pub region: String,
    /// The hostname.
    pub dns_name: String,
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What it listens to.
    pub listeners: Vec<Listener>,
    /// The CIDR blocks its security group lets in.
    pub source_ranges: Vec<String>,
    /// Whether it faces the internet.
    pub scheme: Scheme,
    /// The zones it is in.
    pub zones: Vec<String>,
    /// When its creation was accepted.
    pub created: Timestamp,
    /// When it is ready; a network or application load balancer is `provisioning` until then.
    pub active_at: Timestamp,
    /// When it is gone, once its deletion was accepted.
    pub gone_at: Option<Timestamp>,
    /// Whether it is protected against deletion; classic ones never are.
    #[serde(default)]
    pub protected: bool,
}

impl LoadBalancer {
    /// Whether it still exists at `now`: its deletion may be accepted and not yet done.
    pub fn exists(&self, now: Timestamp) -> bool {
        self.gone_at.is_none_or(|gone| now < gone)
    }

    /// The name of the security group made for it, as the cloud controller would name it.
    pub(crate) fn security_group_name(&self) -> String {
        format!("k8s-elb-{}", self.name)
    }

    /// The id of the security group made for it.
    pub(crate) fn security_group(&self) -> String {
        format!("sg-{}", crate::ids::derived(&self.arn))
    }
}
