//! Deleting load balancers, and seeing that they are gone.

use std::time::Duration;

use aws_sdk_elasticloadbalancing::types::LoadBalancerDescription;
use moorline_api::{LoadBalancer, LoadBalancerKind, Result};
use tokio::time::sleep;

use crate::call::{Manner, READ};
use crate::clients::Clients;
use crate::convert::timestamp;
use crate::governor::Family;
use crate::provider::AwsProvider;

// Deleting what is gone already is success.
const DELETE: Manner = Manner {
    family: Family::Writes,
    repeatable: true,
};
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl AwsProvider {
    /// Deletes a load balancer and waits until it is no longer listed.
    pub(crate) async fn remove_balancer(&self, balancer: &LoadBalancer) -> Result<()> {
        let clients = self.clients().await?;
        // A classic one's name is free again when it is gone: another one may have it by now.
        if !self.is_listed(clients, balancer).await? {
            return Ok(());
        }
        match self.ask_to_delete(clients, balancer).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
        let mut pause = FIRST_PAUSE;
        while self.is_listed(clients, balancer).await? {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    async fn ask_to_delete(&self, clients: &Clients, balancer: &LoadBalancer) -> Result<()> {
        let subject = clients.subject("elasticloadbalancing:DeleteLoadBalancer", &balancer.name);
        if balancer.kind == LoadBalancerKind::Classic {
            let request = || {
                clients
                    .elb
                    .delete_load_balancer()
                    .load_balancer_name(&balancer.id)
                    .send()
            };
            self.caller.call(subject, DELETE, request).await.map(drop)
        } else {
            let request = || {
                clients
                    .elbv2
                    .delete_load_balancer()
                    .load_balancer_arn(&balancer.id)
                    .send()
            };
            self.caller.call(subject, DELETE, request).await.map(drop)
        }
    }

    /// Whether this very load balancer is still there: an ARN is never used again, a classic one's name may be.
    async fn is_listed(&self, clients: &Clients, balancer: &LoadBalancer) -> Result<bool> {
        let subject = clients.subject("elasticloadbalancing:DescribeLoadBalancers", &balancer.name);
        let found = if balancer.kind == LoadBalancerKind::Classic {
            let request = || {
                let listing = clients.elb.describe_load_balancers();
                listing.load_balancer_names(&balancer.id).send()
            };
            let answer = self.caller.call(subject, READ, request).await;
            answer.map(|found| {
                let found = found.load_balancer_descriptions.unwrap_or_default();
                found.iter().any(|one| is_same(balancer, one))
            })
        } else {
            let request = || {
                let listing = clients.elbv2.describe_load_balancers();
                listing.load_balancer_arns(&balancer.id).send()
            };
            let answer = self.caller.call(subject, READ, request).await;
            answer.map(|found| !found.load_balancers().is_empty())
        };
        match found {
            Err(error) if error.is_not_found() => Ok(false),
            found => found,
        }
    }
}

/// Whether what is there under a classic one's name is still this one. Where nothing is known to the contrary, it is.
fn is_same(balancer: &LoadBalancer, found: &LoadBalancerDescription) -> bool {
    let hostname = found.dns_name().filter(|_| !balancer.hostname.is_empty());
    let created = found.created_time().and_then(timestamp).zip(balancer.created);
    hostname.is_none_or(|hostname| balancer.hostname.eq_ignore_ascii_case(hostname))
        && created.is_none_or(|(now, then)| now == then)
}
