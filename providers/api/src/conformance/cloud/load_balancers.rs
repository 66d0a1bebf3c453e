//! Load balancers: all of them, with their tags.

use futures::{StreamExt, TryStreamExt, stream};

use super::{Accident, Backend, tags};
use crate::conformance::eventually;
use crate::{ErrorKind, LoadBalancer, LoadBalancerKind, Tags};

/// More than a page of 400.
const MANY: usize = 450;

/// The tags of a load balancer that a cloud provider (`kubernetes.io/…`) or a controller made for `shop/web`.
fn of_service(cloud: &Backend, key: &str) -> Tags {
    let mut tags = tags(cloud, "balancer");
    tags.insert(key.to_owned(), "shop/web".to_owned());
    tags
}

/// This case's load balancers.
async fn ours(cloud: &Backend) -> Vec<LoadBalancer> {
    let mut all: Vec<_> = cloud.load_balancers().list().try_concat().await.unwrap();
    all.retain(|balancer| balancer.name.starts_with(cloud.label()));
    all
}

/// The one of this name, once it is listed.
pub(super) async fn named(cloud: &Backend, name: &str) -> LoadBalancer {
    eventually("the load balancer", super::PATIENCE, async || {
        let found = ours(cloud).await;
        found
            .into_iter()
            .find(|balancer| balancer.name == name)
            .ok_or("it is not listed")
    })
    .await
}

async fn listed(cloud: &Backend, count: usize) -> Vec<LoadBalancer> {
    eventually("all of the load balancers", super::PATIENCE, async || {
        let found = ours(cloud).await;
        if found.len() == count {
            Ok(found)
        } else {
            Err(format!("{} of {count}", found.len()))
        }
    })
    .await
}

async fn assert_one(cloud: &Backend, kind: LoadBalancerKind, key: &str) {
    let (name, tags) = (format!("{}-web", cloud.label()), of_service(cloud, key));
    let hostname = cloud.make_balancer(kind, &name, &tags).await;
    let found = listed(cloud, 1).await.swap_remove(0);
    assert_eq!((found.kind, &found.name, &found.tags), (kind, &name, &tags));
    assert_eq!(found.service(), Some(("shop", "web")));
    assert!(
        found.hostname.eq_ignore_ascii_case(&hostname),
        "{} and {hostname}",
        found.hostname
    );
    assert!(found.created.is_some());
    // Last, because there is an emulator of which all else is true.
    assert_eq!(found.scheme, "internet-facing", "the scheme by default");
}

pub(super) async fn a_classic_one_has_its_service(cloud: Backend) {
    assert_one(&cloud, LoadBalancerKind::Classic, "kubernetes.io/service-name").await;
}

pub(super) async fn a_network_one_has_its_service(cloud: Backend) {
    assert_one(&cloud, LoadBalancerKind::Network, "service.k8s.aws/stack").await;
}

pub(super) async fn an_application_one_has_its_service(cloud: Backend) {
    assert_one(&cloud, LoadBalancerKind::Application, "service.k8s.aws/stack").await;
}

/// Elastic Load Balancing API references, `DescribeLoadBalancers`, `PageSize` (400), and `DescribeTags` (20 a call).
pub(super) async fn more_than_a_page_is_listed_whole_in_few_calls(cloud: Backend) {
    let tags = tags(&cloud, "many");
    let names: Vec<_> = (0..MANY).map(|number| format!("{}-{number}", cloud.label())).collect();
    let made = names
        .iter()
        .map(|name| cloud.make_balancer(LoadBalancerKind::Classic, name, &tags));
    stream::iter(made).buffer_unordered(8).collect::<Vec<_>>().await;
    listed(&cloud, MANY).await;
    let before = (cloud.sent("DescribeLoadBalancers"), cloud.sent("DescribeTags"));
    let mut all: Vec<_> = cloud.load_balancers().list().try_concat().await.unwrap();
    let (others, ours): (Vec<_>, Vec<_>) = all
        .drain(..)
        .partition(|balancer| !balancer.name.starts_with(cloud.label()));
    let mut found: Vec<_> = ours.iter().map(|balancer| balancer.name.clone()).collect();
    let mut names = names;
    found.sort();
    names.sort();
    assert_eq!(found, names);
    assert!(ours.iter().all(|balancer| balancer.tags == tags));
    // A page or two of classic ones, one of the others; twenty names a call for their tags, and what others have. Where another test
    // deletes one of its own in the middle, the batch that has it is asked for one by one.
    let (pages, batches, one_by_one) = (MANY.div_ceil(400) + 1, MANY.div_ceil(20), 3 * 20);
    let (listings, asked) = (
        cloud.sent("DescribeLoadBalancers") - before.0,
        cloud.sent("DescribeTags") - before.1,
    );
    assert!(listings <= pages + others.len() / 400, "{listings} listings");
    assert!(
        asked >= batches && asked <= batches + 2 + others.len() + one_by_one,
        "{asked} calls for tags"
    );
}

/// Elastic Load Balancing keeps the case of a classic one's name in its DNS name, and a Service's status may not.
pub(super) async fn hostnames_may_differ_in_case(cloud: Backend) {
    let name = format!("{}-MixedCase", cloud.label());
    let hostname = cloud
        .make_balancer(LoadBalancerKind::Classic, &name, &tags(&cloud, "mixed"))
        .await;
    let found = listed(&cloud, 1).await.swap_remove(0);
    assert_eq!(found.name, name);
    assert!(
        found.hostname.eq_ignore_ascii_case(&hostname),
        "{} and {hostname}",
        found.hostname
    );
    assert!(
        found
            .hostname
            .to_ascii_lowercase()
            .starts_with(&name.to_ascii_lowercase()),
        "{}",
        found.hostname
    );
}

pub(super) async fn a_failed_page_is_read_again(cloud: Backend) {
    cloud
        .make_balancer(
            LoadBalancerKind::Classic,
            &format!("{}-web", cloud.label()),
            &tags(&cloud, "web"),
        )
        .await;
    listed(&cloud, 1).await;
    for operation in ["DescribeLoadBalancers", "DescribeTags"] {
        for accident in [Accident::Failed, Accident::Throttled, Accident::AnswerLost] {
            cloud.strike(operation, accident, 1);
            assert_eq!(ours(&cloud).await.len(), 1, "{operation}, {accident:?}");
        }
    }
}

pub(super) async fn a_lacking_api_is_told_once_and_last(cloud: Backend) {
    cloud.strike("DescribeLoadBalancers", Accident::Lacking, usize::MAX);
    let pages: Vec<_> = cloud.load_balancers().list().collect().await;
    let failures: Vec<_> = pages.iter().filter_map(|page| page.as_ref().err()).collect();
    assert!(
        matches!(&failures[..], [one] if one.kind == ErrorKind::Unsupported),
        "{failures:?}"
    );
    assert!(pages.last().is_some_and(Result::is_err));
    assert_eq!(
        cloud.sent("DescribeLoadBalancers"),
        2,
        "an API that is lacking is not asked again"
    );
}

pub(super) async fn a_listing_is_whole_or_says_that_the_api_is_lacking(cloud: Backend) {
    let pages: Vec<_> = cloud.load_balancers().list().collect().await;
    let failures: Vec<_> = pages.into_iter().filter_map(Result::err).collect();
    assert!(
        failures.iter().all(|error| error.kind == ErrorKind::Unsupported),
        "{failures:?}"
    );
    assert!(failures.len() <= 1, "{failures:?}");
}

/// Deleted, it is no longer listed; what others made stays.
async fn assert_deleted(cloud: &Backend, kind: LoadBalancerKind) {
    let (name, other) = (format!("{}-web", cloud.label()), format!("{}-other", cloud.label()));
    for name in [&name, &other] {
        cloud.make_balancer(kind, name, &tags(cloud, "balancer")).await;
    }
    let (doomed, _) = (named(cloud, &name).await, named(cloud, &other).await);
    cloud.load_balancers().delete(&doomed).await.unwrap();
    let left: Vec<_> = ours(cloud).await.into_iter().map(|balancer| balancer.name).collect();
    assert_eq!(left, [other]);
    cloud.load_balancers().delete(&doomed).await.unwrap();
}

pub(super) async fn a_deleted_classic_one_is_gone(cloud: Backend) {
    assert_deleted(&cloud, LoadBalancerKind::Classic).await;
}

pub(super) async fn a_deleted_network_one_is_gone(cloud: Backend) {
    assert_deleted(&cloud, LoadBalancerKind::Network).await;
}

pub(super) async fn a_deleted_application_one_is_gone(cloud: Backend) {
    assert_deleted(&cloud, LoadBalancerKind::Application).await;
}

/// Names of classic ones are used again; what was seen under a name is not what is there now.
pub(super) async fn another_one_of_the_same_name_stays(cloud: Backend) {
    let name = format!("{}-web", cloud.label());
    for kind in [LoadBalancerKind::Classic, LoadBalancerKind::Network] {
        cloud.make_balancer(kind, &name, &tags(&cloud, "balancer")).await;
        let first = named(&cloud, &name).await;
        cloud.load_balancers().delete(&first).await.unwrap();
        // Times of creation may be told in whole seconds.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        cloud.make_balancer(kind, &name, &tags(&cloud, "balancer")).await;
        let second = named(&cloud, &name).await;
        cloud.load_balancers().delete(&first).await.unwrap();
        assert_eq!(ours(&cloud).await.len(), 1, "{kind:?}: another one was deleted");
        cloud.load_balancers().delete(&second).await.unwrap();
    }
}

/// Elastic Load Balancing API reference 2015-12-01, `DeleteLoadBalancer`: `OperationNotPermitted` under deletion protection.
pub(super) async fn a_protected_one_is_in_use(cloud: Backend) {
    let name = format!("{}-web", cloud.label());
    cloud
        .make_balancer(LoadBalancerKind::Network, &name, &tags(&cloud, "balancer"))
        .await;
    let balancer = named(&cloud, &name).await;
    cloud.protect_balancer(&balancer.id, true).await;
    match cloud.load_balancers().delete(&balancer).await {
        Err(error) => assert_eq!(error.kind, ErrorKind::InUse, "{error}"),
        Ok(()) => panic!("it was deleted under its protection"),
    }
    assert_eq!(ours(&cloud).await.len(), 1);
    cloud.protect_balancer(&balancer.id, false).await;
    cloud.load_balancers().delete(&balancer).await.unwrap();
}

pub(super) async fn a_deletion_whose_answer_is_lost_is_done(cloud: Backend) {
    let name = format!("{}-web", cloud.label());
    for accident in [
        Accident::AnswerLost,
        Accident::FailedAfterwards,
        Accident::RequestLost,
        Accident::Throttled,
    ] {
        cloud
            .make_balancer(LoadBalancerKind::Classic, &name, &tags(&cloud, "balancer"))
            .await;
        let balancer = named(&cloud, &name).await;
        cloud.strike("DeleteLoadBalancer", accident, 1);
        cloud.load_balancers().delete(&balancer).await.unwrap();
        assert_eq!(ours(&cloud).await, [], "{accident:?}");
    }
}
