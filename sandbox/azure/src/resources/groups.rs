//! Resource groups.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::tags::{self, Tags};
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::locations;
use crate::paging;
use crate::polling::{self, Subject};
use crate::session::Session;
use moorline_sandbox_core::Mortal;

/// A resource group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    subscription: String,
    pub(crate) name: String,
    location: String,
    pub(crate) tags: Option<Tags>,
    /// Once its deletion was asked for: when it is gone.
    gone_at: Option<Timestamp>,
    forgotten_at: Option<Timestamp>,
}

impl Mortal for GroupRecord {
    fn end(&self) -> Option<Timestamp> {
        self.forgotten_at
    }
}

impl GroupRecord {
    pub(crate) fn new(subscription: &str, name: &str, location: &str) -> Self {
        Self {
            subscription: subscription.to_owned(),
            name: name.to_owned(),
            location: location.to_owned(),
            tags: None,
            gone_at: None,
            forgotten_at: None,
        }
    }

    pub(crate) fn key_of(subscription: &str, name: &str) -> String {
        format!("{}/{}", subscription.to_ascii_lowercase(), name.to_lowercase())
    }

    pub(crate) fn key(&self) -> String {
        Self::key_of(&self.subscription, &self.name)
    }

    /// Whether it is there at `now`, be it on its way out.
    pub(crate) fn exists(&self, now: Timestamp) -> bool {
        self.gone_at.is_none_or(|gone_at| now < gone_at)
    }

    fn render(&self) -> Value {
        let state = if self.gone_at.is_some() {
            "Deleting"
        } else {
            "Succeeded"
        };
        let mut body = json!({
            "id": format!("/subscriptions/{}/resourceGroups/{}", self.subscription, self.name),
            "name": self.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": self.location,
            "properties": {"provisioningState": state},
        });
        if let Some(tags) = &self.tags {
            body["tags"] = json!(tags);
        }
        body
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    location: Option<String>,
    tags: Option<Tags>,
    #[serde(rename = "managedBy")]
    _managed_by: Option<String>,
    #[serde(rename = "properties")]
    _properties: Option<Empty>,
}

/// Properties of a group can only be read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

pub(super) fn list(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let prefix = GroupRecord::key_of(request.part("subscription"), "");
    let seen = session.estate.groups.seen(&prefix, session.horizon());
    let seen = seen.filter(|(_, group)| group.exists(session.now));
    paging::page(
        session,
        request,
        seen.map(|(key, group)| (key.to_owned(), group)),
        GroupRecord::render,
    )
}

pub(super) fn get(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let group = session.group(request.part("subscription"), request.part("group"))?;
    Ok(Answer::ok(&group.render()))
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of all operations")]
pub(super) fn check_existence(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let group = session.group(request.part("subscription"), request.part("group"));
    Ok(Answer::empty(if group.is_ok() { 204 } else { 404 }))
}

pub(super) fn put(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let (subscription, name) = (request.part("subscription"), request.part("group"));
    let Body { location, tags, .. } = request.body()?;
    let allowed = |c: char| c.is_alphanumeric() || "-_().".contains(c);
    if name.chars().count() > 90 || name.ends_with('.') || !name.chars().all(allowed) {
        let message = format!(
            "The provided resource group name '{name}' has these invalid characters or length. The name can only be a letter, digit, '-', '.', '(', ')' or '_'."
        );
        return Err(AzureError::new(400, "InvalidResourceGroup", message));
    }
    let location = locations::required(location)?;
    if !locations::exists(&location) {
        let message = format!(
            "The provided location '{location}' is not available for resource group. List of available regions is '{}'.",
            locations::listed()
        );
        return Err(AzureError::new(400, "LocationNotAvailableForResourceGroup", message));
    }
    tags::check(tags.as_ref().unwrap_or(&Tags::new()), 512)?;
    let key = GroupRecord::key_of(subscription, name);
    let times = session.times();
    if let Some(there) = session
        .estate
        .groups
        .get(&key)
        .filter(|group| group.exists(session.now))
    {
        if there.gone_at.is_some() {
            let message =
                format!("The resource group '{name}' is in deprovisioning state and cannot perform this operation.");
            return Err(AzureError::new(409, "ResourceGroupBeingDeleted", message));
        }
        if there.location != location {
            let message = format!(
                "Invalid resource group location '{location}'. The Resource group already exists in location '{}'.",
                there.location
            );
            return Err(AzureError::new(409, "InvalidResourceGroupLocation", message));
        }
        session.changed = there.tags != tags;
        session.estate.groups.change(&key, times, |group| group.tags = tags)?;
        return get(session, request);
    }
    let group = GroupRecord {
        tags,
        ..GroupRecord::new(subscription, name, &location)
    };
    let answer = Answer::new(201, &group.render());
    session.changed = true;
    session.estate.groups.add(&key, group, session.now)?;
    Ok(answer)
}

/// Deletes a group with all that is in it, in the background.
pub(super) fn delete(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let (subscription, name) = (request.part("subscription"), request.part("group"));
    session.group(subscription, name)?;
    let gone_at = session.now + session.settings.deletion();
    let forgotten_at = gone_at + session.settings.lag();
    let times = session.times();
    session.changed = true;
    let key = GroupRecord::key_of(subscription, name);
    session.estate.groups.change(&key, times, |group| {
        group.gone_at.get_or_insert(gone_at);
        group.forgotten_at.get_or_insert(forgotten_at);
    })?;
    crate::storage::account::delete_all_of(session, subscription, name)?;
    crate::compute::disk::delete_all_of(session, subscription, name)?;
    crate::compute::snapshot::delete_all_of(session, subscription, name)?;
    let (url, wait) = polling::begin(session, (subscription, "operationresults"), Subject::Deletion, gone_at)?;
    let url = format!("{url}?api-version={}", request.api_version());
    Ok(Answer::empty(202).with("location", url).retry_after(wait))
}
