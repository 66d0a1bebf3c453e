//! Services: their load balancers and the list of their pods.

pub(crate) mod balancer;
pub(crate) mod endpoints;
