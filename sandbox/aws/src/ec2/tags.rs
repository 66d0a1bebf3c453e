//! Tags: `CreateTags`, `DeleteTags`, `DescribeTags`, and those given with a creation.

use std::collections::BTreeMap;

use super::filters::Filters;
use super::paging;
use crate::error::AwsError;
use crate::ids;
use crate::model::tags::{TagError, is_reserved, read, within_ec2_limit};
use crate::model::volume::Standing;
use crate::session::Session;
use crate::wire::params::Params;
use crate::wire::xml::Xml;

/// The most resources of one call.
const MOST_RESOURCES: usize = 1000;

/// The tags of `TagSpecification.N`, each of which must be for `resource_type`.
pub(super) fn specified(params: &Params, resource_type: &str) -> Result<BTreeMap<String, String>, AwsError> {
    let specifications = params.list("TagSpecification");
    for specification in &specifications {
        let given = specification.text("ResourceType").unwrap_or_default();
        if given != resource_type {
            let message = format!("'{given}' is not a valid taggable resource type for this operation.");
            return Err(AwsError::invalid_value(message));
        }
    }
    let members: Vec<&Params> = specifications
        .iter()
        .flat_map(|specification| specification.list("Tag"))
        .collect();
    let tags = read(&members).map_err(TagError::ec2)?;
    within_ec2_limit(&tags)?;
    Ok(tags)
}

pub(super) fn create(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let resources = resources(session, params)?;
    let new = read(&params.list("Tag")).map_err(TagError::ec2)?;
    if new.is_empty() {
        return Err(AwsError::missing("Tag"));
    }
    for resource in &resources {
        let mut tags = tags_of(session, *resource)?.clone();
        tags.extend(new.clone());
        within_ec2_limit(&tags)?;
    }
    session.about_to_change()?;
    for resource in resources {
        change(session, resource, |tags| tags.extend(new.clone()))?;
    }
    xml.text("return", true);
    Ok(())
}

pub(super) fn delete(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let resources = resources(session, params)?;
    // A tag with a value goes only where it has that value; no tag at all means every tag.
    let unwanted: Vec<(String, Option<String>)> = params
        .list("Tag")
        .iter()
        .map(|tag| {
            (
                tag.text("Key").unwrap_or_default().to_owned(),
                tag.text("Value").map(str::to_owned),
            )
        })
        .collect();
    let goes = |key: &str, value: &str| {
        unwanted.is_empty()
            || unwanted
                .iter()
                .any(|(k, v)| k == key && v.as_deref().is_none_or(|v| v == value))
    };
    if unwanted.iter().any(|(key, _)| is_reserved(key)) {
        let message = "Tag keys starting with 'aws:' are reserved for internal use";
        return Err(AwsError::invalid_value(message));
    }
    let mut any = false;
    for resource in &resources {
        any |= tags_of(session, *resource)?.iter().any(|(key, value)| goes(key, value));
    }
    if any {
        session.about_to_change()?;
        for resource in resources {
            change(session, resource, |tags| tags.retain(|key, value| !goes(key, value)))?;
        }
    }
    xml.text("return", true);
    Ok(())
}

#[derive(Clone, Copy)]
enum Resource<'a> {
    Volume(&'a str),
    Snapshot(&'a str),
}

fn resources<'a>(session: &Session, params: &'a Params) -> Result<Vec<Resource<'a>>, AwsError> {
    let ids = params.texts("ResourceId");
    if ids.is_empty() {
        return Err(AwsError::missing("ResourceId"));
    }
    if ids.len() > MOST_RESOURCES {
        return Err(AwsError::invalid_value(format!(
            "At most {MOST_RESOURCES} resources may be given"
        )));
    }
    let resources: Vec<_> = ids.into_iter().map(resource).collect::<Result<_, _>>()?;
    for resource in &resources {
        tags_of(session, *resource)?;
    }
    Ok(resources)
}

fn resource(id: &str) -> Result<Resource<'_>, AwsError> {
    if ids::well_formed(id, "vol") {
        Ok(Resource::Volume(id))
    } else if ids::well_formed(id, "snap") {
        Ok(Resource::Snapshot(id))
    } else {
        Err(AwsError::new("InvalidID", format!("The ID '{id}' is not valid")))
    }
}

fn tags_of<'s>(session: &'s Session, resource: Resource) -> Result<&'s BTreeMap<String, String>, AwsError> {
    match resource {
        Resource::Volume(id) => session.volume(id).map(|volume| &volume.record.tags),
        Resource::Snapshot(id) => session.snapshot(id).map(|snapshot| &snapshot.tags),
    }
}

fn change(
    session: &mut Session,
    resource: Resource,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), AwsError> {
    match resource {
        Resource::Volume(id) => session.change_volume(id, |volume| change(&mut volume.tags)),
        Resource::Snapshot(id) => {
            let times = (session.now, session.horizon());
            Ok(session
                .account
                .snapshots
                .change(id, times, |snapshot| change(&mut snapshot.tags))?)
        }
    }
}

pub(super) fn describe(session: &mut Session, params: &Params, xml: &mut Xml) -> Result<(), AwsError> {
    let filters = Filters::read(params, &["key", "resource-id", "resource-type", "value"])?;
    let page = paging::read(session, params, ("DescribeTags", 1000), &filters)?;
    let of_volumes = session
        .visible_volumes()
        .map(|Standing { record, .. }| ("volume", &record.id, &record.tags));
    let of_snapshots = session
        .visible_snapshots()
        .map(|record| ("snapshot", &record.id, &record.tags));
    let every = of_snapshots
        .chain(of_volumes)
        .flat_map(|(kind, id, tags)| tags.iter().map(move |(key, value)| (kind, id, key, value)));
    let passing = every.filter(|(kind, id, key, value)| {
        let only = BTreeMap::from([((*key).clone(), (*value).clone())]);
        filters.pass(&only, |name| {
            Some(match name {
                "key" => (*key).clone(),
                "value" => (*value).clone(),
                "resource-id" => (*id).clone(),
                _ => (*kind).to_owned(),
            })
        })
    });
    let (tags, next) = page.cut(passing.map(|tag| (format!("{} {}", tag.1, tag.2), tag)));
    xml.list(("tagSet", "item"), tags, |xml, (kind, id, key, value)| {
        xml.text("resourceId", id);
        xml.text("resourceType", kind);
        xml.text("key", key);
        xml.text("value", value);
    });
    xml.optional("nextToken", next);
    Ok(())
}
