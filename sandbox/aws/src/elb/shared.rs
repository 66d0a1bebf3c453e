//! What both APIs do alike: create, delete, page.

use super::{groups, names};
use crate::error::AwsError;
use crate::model::balancer::{LoadBalancer, LoadBalancerKind, NewLoadBalancer, Scheme};
use crate::model::tags::{self, LIMIT, TagError};
use crate::paging::Page;
use crate::session::Session;
use crate::wire::params::Params;

/// The most load balancers of one page.
const MOST: usize = 400;

/// Where a load balancer is kept: names are unique among classic ones, and among the others.
pub(crate) fn key(region: &str, kind: LoadBalancerKind, name: &str) -> String {
    let space = if kind == LoadBalancerKind::Classic {
        "classic"
    } else {
        "v2"
    };
    format!("{region} {space} {name}")
}

/// Makes a load balancer, or finds the one that is the same.
pub(crate) fn create(session: &mut Session, new: NewLoadBalancer) -> Result<LoadBalancer, AwsError> {
    names::check(&new.name)?;
    check_tags(&new)?;
    let key = key(&session.region, new.kind, &new.name);
    if let Some(existing) = existing(session, &key) {
        return if same(existing, &new) {
            Ok(existing.clone())
        } else {
            Err(duplicate(&new))
        };
    }
    session.about_to_change()?;
    let region = session.region.clone();
    let balancer = LoadBalancer {
        dns_name: names::dns(&new.name, new.kind, new.scheme, &region),
        arn: names::arn(&new.name, new.kind, &region, &session.settings.account),
        zones: session.settings.zone_names(&region),
        name: new.name,
        kind: new.kind,
        region,
        tags: new.tags,
        listeners: new.listeners,
        source_ranges: new.source_ranges,
        scheme: new.scheme,
        created: session.now,
        active_at: session.now + session.settings.provisioning(),
        gone_at: None,
        protected: false,
    };
    let now = session.now;
    session.account.balancers.add(&key, balancer.clone(), now)?;
    groups::make(session, &balancer)?;
    Ok(balancer)
}

fn check_tags(new: &NewLoadBalancer) -> Result<(), AwsError> {
    for (key, value) in &new.tags {
        tags::check(key, value).map_err(TagError::elb)?;
    }
    if new.tags.len() > LIMIT {
        return Err(too_many_tags());
    }
    Ok(())
}

pub(super) fn too_many_tags() -> AwsError {
    AwsError::new("TooManyTags", format!("A load balancer can have at most {LIMIT} tags"))
}

fn existing<'s>(session: &'s Session, key: &str) -> Option<&'s LoadBalancer> {
    session.account.balancers.get(key).filter(|lb| lb.gone_at.is_none())
}

fn same(existing: &LoadBalancer, new: &NewLoadBalancer) -> bool {
    existing.kind == new.kind
        && existing.scheme == new.scheme
        && existing.listeners == new.listeners
        && existing.source_ranges == new.source_ranges
        && existing.tags == new.tags
}

fn duplicate(new: &NewLoadBalancer) -> AwsError {
    let name = &new.name;
    let message = match new.kind {
        LoadBalancerKind::Classic => {
            format!("Load Balancer named {name} already exists and it is configured with different parameters.")
        }
        _ => format!("A load balancer with the same name '{name}' exists, but with different settings"),
    };
    AwsError::new("DuplicateLoadBalancerName", message)
}

/// Deletes what is under `key`; success also where there is nothing.
pub(crate) fn delete(session: &mut Session, key: &str) -> Result<(), AwsError> {
    if existing(session, key).is_none() {
        return Ok(());
    }
    session.about_to_change()?;
    let (gone_at, times) = (session.gone_at(), (session.now, session.horizon()));
    Ok(session
        .account
        .balancers
        .change(key, times, |balancer| balancer.gone_at = Some(gone_at))?)
}

/// The visible load balancers of one API: the classic ones, or the others.
pub(super) fn visible<'s>(session: &'s Session, classic: bool) -> impl Iterator<Item = &'s LoadBalancer> {
    session
        .visible_balancers()
        .filter(move |lb| (lb.kind == LoadBalancerKind::Classic) == classic)
}

/// The parameter `Scheme`.
pub(super) fn scheme(params: &Params) -> Result<Scheme, AwsError> {
    match params.text("Scheme") {
        None | Some("internet-facing") => Ok(Scheme::InternetFacing),
        Some("internal") => Ok(Scheme::Internal),
        Some(other) => Err(AwsError::new(
            "InvalidScheme",
            format!("The scheme '{other}' is not valid"),
        )),
    }
}

/// The page that `Marker` and `PageSize` ask for.
pub(super) fn page(session: &Session, params: &Params, operation: &str) -> Result<Page, AwsError> {
    let most = MOST.min(session.settings.page_size_cap.max(1));
    let size = match params.text("PageSize") {
        None => most,
        Some(text) => match text.parse::<usize>() {
            Ok(size) if (1..=MOST).contains(&size) => size.min(most),
            _ => {
                let message = format!("Value '{text}' at 'pageSize' must be a number from 1 to {MOST}");
                return Err(AwsError::new("ValidationError", message));
            }
        },
    };
    let marker = params.text("Marker").filter(|marker| !marker.is_empty());
    let listing = format!("{operation} {}", session.region);
    Page::new(&listing, marker, Some(size)).map_err(|_| AwsError::new("ValidationError", "Invalid marker"))
}
