//! Classic ELB and ELBv2 load balancers with their tags.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancing::types as classic;
use aws_sdk_elasticloadbalancingv2::types::{self as v2, LoadBalancerTypeEnum};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use moorline_api::{Error, ErrorKind, LoadBalancer, LoadBalancerKind, LoadBalancers, Result, Tags};

use crate::call::READ;
use crate::convert::timestamp;
use crate::listing::Pages;
use crate::provider::AwsProvider;

/// Load balancers a page; both APIs take 1 to 400.
pub(crate) const PAGE: i32 = 400;
/// Load balancers whose tags one call tells.
const TAG_BATCH: usize = 20;
/// Tag calls of one page under way at once.
const TAG_CALLS: usize = 8;

/// Tags by load balancer: name or ARN.
pub(crate) type TagsById = HashMap<String, Tags>;

#[async_trait]
impl LoadBalancers for AwsProvider {
    fn list(&self) -> BoxStream<'_, Result<Vec<LoadBalancer>>> {
        let apis = vec![self.pages(Api::V2), self.pages(Api::Classic)];
        stream::unfold(
            (apis, None),
            |(mut apis, mut lacking): (Vec<BoxStream<'_, _>>, Option<Error>)| async move {
                loop {
                    let Some(api) = apis.last_mut() else {
                        return lacking.take().map(|error| (Err(error), (apis, None)));
                    };
                    match api.next().await {
                        Some(Ok(page)) => return Some((Ok(page), (apis, lacking))),
                        Some(Err(error)) if error.kind == ErrorKind::Unsupported => {
                            lacking.get_or_insert(error);
                            apis.pop();
                        }
                        Some(Err(error)) => return Some((Err(error), (Vec::new(), None))),
                        None => _ = apis.pop(),
                    }
                }
            },
        )
        .boxed()
    }

    async fn delete(&self, balancer: &LoadBalancer) -> Result<()> {
        self.remove_balancer(balancer).await
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Api {
    Classic,
    V2,
}

impl AwsProvider {
    fn pages(&self, api: Api) -> BoxStream<'_, Result<Vec<LoadBalancer>>> {
        let operation = match api {
            Api::Classic => "elasticloadbalancing:DescribeLoadBalancers",
            Api::V2 => "elasticloadbalancing:DescribeLoadBalancers (v2)",
        };
        stream::try_unfold(Pages::of(operation), move |pages| async move {
            if pages.finished() {
                return Ok(None);
            }
            let (mut balancers, marker) = self.page(api, operation, pages.token()).await?;
            let mut tags = self
                .tags_of(api, balancers.iter().map(|balancer| balancer.id.clone()).collect())
                .await?;
            // One whose tags are gone was deleted between the two calls.
            balancers.retain_mut(|balancer| match tags.remove(&balancer.id) {
                Some(found) => {
                    balancer.tags = found;
                    true
                }
                None => false,
            });
            Ok(Some((balancers, pages.advance(marker)?)))
        })
        .boxed()
    }

    /// One page, without tags, and what names the next one.
    async fn page(
        &self,
        api: Api,
        operation: &'static str,
        marker: Option<String>,
    ) -> Result<(Vec<LoadBalancer>, Option<String>)> {
        let clients = self.clients().await?;
        let subject = clients.subject(operation, "");
        match api {
            Api::Classic => {
                let request = || {
                    let listing = clients.elb.describe_load_balancers().page_size(PAGE);
                    listing.set_marker(marker.clone()).send()
                };
                let answer = self.caller.call(subject, READ, request).await?;
                Ok((all(answer.load_balancer_descriptions, from_classic), answer.next_marker))
            }
            Api::V2 => {
                let request = || {
                    let listing = clients.elbv2.describe_load_balancers().page_size(PAGE);
                    listing.set_marker(marker.clone()).send()
                };
                let answer = self.caller.call(subject, READ, request).await?;
                Ok((all(answer.load_balancers, from_v2), answer.next_marker))
            }
        }
    }

    /// The tags of things of one API, load balancers or target groups; what is gone is not among them.
    pub(crate) async fn tags_of(&self, api: Api, ids: Vec<String>) -> Result<TagsById> {
        let batches: Vec<_> = ids.chunks(TAG_BATCH).map(<[String]>::to_vec).collect();
        stream::iter(batches)
            .map(|batch| self.tags_of_batch(api, batch))
            .buffer_unordered(TAG_CALLS)
            .try_fold(TagsById::new(), |mut all, some| async move {
                all.extend(some);
                Ok(all)
            })
            .await
    }

    /// One load balancer that was just deleted fails the whole batch: then each is asked for by itself.
    async fn tags_of_batch(&self, api: Api, ids: Vec<String>) -> Result<TagsById> {
        match self.ask_for_tags(api, ids.clone()).await {
            Err(error) if error.is_not_found() => {
                let mut tags = TagsById::new();
                for id in ids {
                    match self.ask_for_tags(api, vec![id]).await {
                        Ok(found) => tags.extend(found),
                        Err(error) if error.is_not_found() => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(tags)
            }
            outcome => outcome,
        }
    }

    async fn ask_for_tags(&self, api: Api, ids: Vec<String>) -> Result<TagsById> {
        let clients = self.clients().await?;
        let resource = if let [only] = &ids[..] {
            only.clone()
        } else {
            String::new()
        };
        let subject = clients.subject("elasticloadbalancing:DescribeTags", &resource);
        let found = match api {
            Api::Classic => {
                let request = || {
                    let tags = clients.elb.describe_tags();
                    tags.set_load_balancer_names(Some(ids.clone())).send()
                };
                let answer = self.caller.call(subject, READ, request).await?;
                all(answer.tag_descriptions, classic_tags)
            }
            Api::V2 => {
                let request = || {
                    let tags = clients.elbv2.describe_tags();
                    tags.set_resource_arns(Some(ids.clone())).send()
                };
                let answer = self.caller.call(subject, READ, request).await?;
                all(answer.tag_descriptions, v2_tags)
            }
        };
        // One without any tags may be left out of the answer, and is there all the same.
        let mut tags: TagsById = ids.into_iter().map(|id| (id, Tags::new())).collect();
        tags.extend(found);
        Ok(tags)
    }
}

/// Everything of an answer that is fit for use.
pub(crate) fn all<T, U>(answered: Option<Vec<T>>, fit: impl Fn(T) -> Option<U>) -> Vec<U> {
    answered.into_iter().flatten().filter_map(fit).collect()
}

fn classic_tags(description: classic::TagDescription) -> Option<(String, Tags)> {
    let tags = description
        .tags
        .into_iter()
        .flatten()
        .map(|tag| (tag.key, tag.value.unwrap_or_default()));
    Some((description.load_balancer_name?, tags.collect()))
}

fn v2_tags(description: v2::TagDescription) -> Option<(String, Tags)> {
    let tags = description
        .tags
        .into_iter()
        .flatten()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())));
    Some((description.resource_arn?, tags.collect()))
}

fn from_classic(balancer: classic::LoadBalancerDescription) -> Option<LoadBalancer> {
    let name = balancer.load_balancer_name?;
    Some(LoadBalancer {
        id: name.clone(),
        name,
        kind: LoadBalancerKind::Classic,
        hostname: balancer.dns_name.unwrap_or_default(),
        scheme: balancer.scheme.unwrap_or_default(),
        state: String::new(),
        created: balancer.created_time.as_ref().and_then(timestamp),
        tags: Tags::new(),
    })
}

fn from_v2(balancer: v2::LoadBalancer) -> Option<LoadBalancer> {
    let kind = match balancer.r#type {
        Some(LoadBalancerTypeEnum::Network) => LoadBalancerKind::Network,
        Some(LoadBalancerTypeEnum::Gateway) => LoadBalancerKind::Gateway,
        _ => LoadBalancerKind::Application,
    };
    Some(LoadBalancer {
        id: balancer.load_balancer_arn?,
        name: balancer.load_balancer_name.unwrap_or_default(),
        kind,
        hostname: balancer.dns_name.unwrap_or_default(),
        scheme: balancer
            .scheme
            .map(|scheme| scheme.as_str().to_owned())
            .unwrap_or_default(),
        state: balancer
            .state
            .and_then(|state| state.code)
            .map(|code| code.as_str().to_owned())
            .unwrap_or_default(),
        created: balancer.created_time.as_ref().and_then(timestamp),
        tags: Tags::new(),
    })
}
