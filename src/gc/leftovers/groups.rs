//! Target groups: what load balancers forward to. Their controllers tag them as they tag the load balancer.
//!
//! One that a living load balancer forwards to is used. Beside a load balancer that has to go it goes too, after it; one that is left
//! over alone is judged by its own tags. A `TargetGroupBinding` that names it wants it, whoever made it.

use moorline_api::TargetGroup;

use super::balancers::Balancer;
use super::names::Name;

/// A target group.
#[derive(Debug)]
pub(super) struct Group {
    /// What its tags say that it was made for.
    pub(super) maker: Balancer,
    /// The load balancers that forward to it, by id.
    pub(super) balancers: Vec<String>,
}

impl Group {
    pub(super) fn of(group: &TargetGroup) -> Self {
        Self {
            maker: Balancer::of(&group.tags),
            balancers: group.balancers.clone(),
        }
    }

    /// Everything by which an object may mean it.
    pub(super) fn keys(&self, group: &TargetGroup) -> Vec<Name> {
        let arn = Name::Word(group.id.to_ascii_lowercase());
        self.maker.makers().chain([arn]).collect()
    }
}
