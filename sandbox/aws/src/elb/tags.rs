//! `AddTags`, `RemoveTags`, `DescribeTags` of both APIs: they differ in how a load balancer is named.

use std::collections::BTreeMap;

use crate::error::AwsError;
use crate::model::balancer::LoadBalancer;
use crate::model::tags::{LIMIT, TagError, read};
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

use super::shared::too_many_tags;

/// The most load balancers whose tags one call describes.
const MOST_DESCRIBED: usize = 20;

/// Adds the tags of `Tags.member.N` to the load balancers under `keys`.
pub(super) fn add(session: &mut Session, params: &Params, keys: &[String]) -> Result<(), AwsError> {
    let members = params.list("Tags");
    if members.is_empty() {
        return Err(AwsError::new("ValidationError", "At least one tag must be given"));
    }
    let new = read(&members).map_err(TagError::elb)?;
    for key in keys {
        let mut tags = session
            .account
            .balancers
            .get(key)
            .map(|lb| lb.tags.clone())
            .unwrap_or_default();
        tags.extend(new.clone());
        if tags.len() > LIMIT {
            return Err(too_many_tags());
        }
    }
    change(session, keys, |tags| tags.extend(new.clone()))
}

/// Removes the tags with the keys that `gone` names.
pub(super) fn remove(session: &mut Session, keys: &[String], gone: &[&str]) -> Result<(), AwsError> {
    change(session, keys, |tags| {
        tags.retain(|key, _| !gone.contains(&key.as_str()));
    })
}

fn change(
    session: &mut Session,
    keys: &[String],
    change: impl Fn(&mut BTreeMap<String, String>),
) -> Result<(), AwsError> {
    session.about_to_change()?;
    let times = (session.now, session.horizon());
    for key in keys {
        session
            .account
            .balancers
            .change(key, times, |balancer| change(&mut balancer.tags))?;
    }
    Ok(())
}

/// Writes the tags of one load balancer.
pub(super) fn write(xml: &mut Xml, lb: &LoadBalancer) {
    write_all(xml, &lb.tags);
}

/// Writes tags.
pub(super) fn write_all(xml: &mut Xml, tags: &BTreeMap<String, String>) {
    xml.list(("Tags", "member"), tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

/// Refuses a `DescribeTags` of nothing or of too much.
pub(super) fn check_described(count: usize) -> Result<(), AwsError> {
    if (1..=MOST_DESCRIBED).contains(&count) {
        return Ok(());
    }
    let message = format!("The number of load balancers must be from 1 to {MOST_DESCRIBED}, not {count}");
    Err(AwsError::new("ValidationError", message))
}
