//! Target groups of ELBv2 load balancers.
//!
//! `DeleteTargetGroup` refuses a group that a listener or a rule forwards to (`ResourceInUse`), and succeeds where there is none.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types as v2;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use moorline_api::{ErrorKind, Result, Tags, TargetGroup, TargetGroups};
use tokio::time::{Instant, sleep};

use crate::call::{Manner, READ};
use crate::governor::Family;
use crate::listing::Pages;
use crate::load_balancers::{Api, PAGE, all};
use crate::provider::AwsProvider;

const LIST: &str = "elasticloadbalancing:DescribeTargetGroups";

// Deleting what is gone already is success.
const DELETE: Manner = Manner {
    family: Family::Writes,
    repeatable: true,
};

/// For so long after a load balancer has gone its target groups may still count as used.
const SETTLES: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[async_trait]
impl TargetGroups for AwsProvider {
    /// Of a server that has no such API there are none, as its load balancers have told.
    fn target_groups(&self) -> BoxStream<'_, Result<Vec<TargetGroup>>> {
        stream::try_unfold(Pages::of(LIST), move |pages| async move {
            if pages.finished() {
                return Ok(None);
            }
            let (mut groups, marker) = self.page_of_groups(pages.token()).await?;
            let ids = groups.iter().map(|group| group.id.clone()).collect();
            let mut tags = self.tags_of(Api::V2, ids).await?;
            // One whose tags are gone was deleted between the two calls.
            groups.retain_mut(|group| match tags.remove(&group.id) {
                Some(found) => {
                    group.tags = found;
                    true
                }
                None => false,
            });
            Ok(Some((groups, pages.advance(marker)?)))
        })
        .boxed()
    }

    async fn delete_target_group(&self, id: &str) -> Result<()> {
        let clients = self.clients().await?;
        let until = Instant::now() + SETTLES;
        let mut pause = FIRST_PAUSE;
        loop {
            let subject = clients.subject("elasticloadbalancing:DeleteTargetGroup", id);
            let request = || clients.elbv2.delete_target_group().target_group_arn(id).send();
            match self.caller.call(subject, DELETE, request).await {
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) if error.kind == ErrorKind::InUse && Instant::now() + pause < until => {}
                outcome => return outcome.map(drop),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl AwsProvider {
    /// One page, without tags, and what names the next one.
    async fn page_of_groups(&self, marker: Option<String>) -> Result<(Vec<TargetGroup>, Option<String>)> {
        let clients = self.clients().await?;
        let request = || {
            let listing = clients.elbv2.describe_target_groups().page_size(PAGE);
            listing.set_marker(marker.clone()).send()
        };
        let answer = self.caller.call(clients.subject(LIST, ""), READ, request).await?;
        Ok((all(answer.target_groups, from_v2), answer.next_marker))
    }
}

fn from_v2(group: v2::TargetGroup) -> Option<TargetGroup> {
    Some(TargetGroup {
        id: group.target_group_arn?,
        name: group.target_group_name.unwrap_or_default(),
        balancers: group.load_balancer_arns.unwrap_or_default(),
        tags: Tags::new(),
    })
}
