//! Operations on storage accounts.

use serde::Deserialize;
use serde_json::Value;

use super::account::{self, AccountRecord, KeyRecord};
use super::names;
use super::properties::AccountProperties;
use super::sku::{Kind, Sku};
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::locations;
use crate::paging;
use crate::polling::{self, Subject};
use crate::resources::tags::{self, Tags};
use crate::session::{Place, Session};

/// Names of accounts' tags are shorter than those of other resources.
const LONGEST_TAG_NAME: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CreateBody {
    sku: Option<SkuBody>,
    kind: Option<Kind>,
    location: Option<String>,
    tags: Option<Tags>,
    properties: Option<AccountProperties>,
    #[serde(rename = "identity")]
    _identity: Option<Value>,
    extended_location: Option<Value>,
    #[serde(rename = "zones")]
    _zones: Option<Value>,
    #[serde(rename = "placement")]
    _placement: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SkuBody {
    name: String,
    #[serde(rename = "tier")]
    _tier: Option<String>,
}

/// What a creation asks for, checked.
pub(crate) struct NewAccount {
    pub(crate) sku: Sku,
    pub(crate) kind: Kind,
    pub(crate) location: String,
    pub(crate) tags: Tags,
    pub(crate) properties: AccountProperties,
}

impl NewAccount {
    fn check(body: CreateBody) -> Result<Self, AzureError> {
        let sku = body.sku.ok_or_else(|| AzureError::values("sku"))?;
        let sku = Sku::find(&sku.name).ok_or_else(|| AzureError::values("sku"))?;
        let kind = body.kind.ok_or_else(|| AzureError::values("kind"))?;
        if !sku.suits(kind) {
            return Err(AzureError::values("kind"));
        }
        if body.extended_location.is_some() {
            return Err(AzureError::values("extendedLocation"));
        }
        let location = locations::required(body.location)?;
        if !locations::exists(&location) {
            let message = format!(
                "The provided location '{location}' is not available for resource type 'Microsoft.Storage/storageAccounts'. List of available regions for the resource type is '{}'.",
                locations::listed()
            );
            return Err(AzureError::new(400, "LocationNotAvailableForResourceType", message));
        }
        let tags = body.tags.unwrap_or_default();
        tags::check(&tags, LONGEST_TAG_NAME)?;
        Ok(Self {
            sku,
            kind,
            location,
            tags,
            properties: body.properties.unwrap_or_default(),
        })
    }
}

/// Makes an account, or brings one to the given shape.
pub(super) fn create(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let place = request.place();
    let name = place.account;
    session.group(place.subscription, place.group)?;
    let new = NewAccount::check(request.body()?)?;
    names::check_account(name)?;
    names::check_free(session, name, place.subscription)?;
    if session.estate.accounts.get(name).is_some_and(AccountRecord::exists) {
        return bring_to_shape(session, place, new);
    }
    let location = new.location.clone();
    let record = make(session, place, new)?;
    if record.ready_at <= session.now {
        return Ok(Answer::ok(&record.render(session.now)));
    }
    let path = format!("providers/Microsoft.Storage/locations/{location}/asyncoperations");
    let subject = Subject::Account(name.to_owned());
    let (url, wait) = polling::begin(session, (place.subscription, &path), subject, record.ready_at)?;
    let url = format!("{url}?monitor=true&api-version={}", request.api_version());
    Ok(Answer::empty(202).with("location", url).retry_after(wait))
}

/// Makes an account whose name is free.
pub(crate) fn make(session: &mut Session, place: Place, new: NewAccount) -> Result<AccountRecord, AzureError> {
    let accounts = session.estate.accounts.all().map(|(_, account)| account);
    let beside = accounts.filter(|account| {
        account.exists()
            && account.location == new.location
            && account.subscription.eq_ignore_ascii_case(place.subscription)
    });
    let limit = session.settings.account_limit;
    if beside.count() >= limit {
        let message = format!(
            "Subscription {} already contains {limit} storage accounts with Standard Dns endpoints in location {} and the maximum allowed is {limit}.",
            place.subscription, new.location
        );
        return Err(AzureError::new(
            409,
            "MaxStorageAccountsCountPerSubscriptionExceeded",
            message,
        ));
    }
    let key = KeyRecord {
        generation: 0,
        since: session.now,
    };
    let group = session.group(place.subscription, place.group)?.name.clone();
    let record = AccountRecord {
        subscription: place.subscription.to_owned(),
        group,
        name: place.account.to_owned(),
        location: new.location,
        sku: new.sku.name().to_owned(),
        kind: new.kind,
        tags: new.tags,
        properties: new.properties,
        created: session.now,
        ready_at: session.now + session.settings.account(),
        keys: [key; 2],
        share_retention: Some(7),
        container_retention: None,
        forgotten_at: None,
    };
    session.changed = true;
    session.estate.accounts.add(&record.name, record.clone(), session.now)?;
    Ok(record)
}

fn bring_to_shape(session: &mut Session, place: Place, new: NewAccount) -> Result<Answer, AzureError> {
    let name = place.account;
    let Some(there) = session.estate.accounts.get(name) else {
        return Err(AzureError::resource_not_found(
            "Microsoft.Storage/storageAccounts",
            name,
            place.group,
        ));
    };
    if !there.is_at(place) {
        let message = format!("The account {name} is already in another resource group in this subscription.");
        return Err(AzureError::new(409, "StorageAccountInAnotherResourceGroup", message));
    }
    there.must_be_idle(session.now)?;
    if there.location != new.location {
        let message = format!(
            "The resource '{name}' already exists in location '{}' in resource group '{}'. A resource with the same name cannot be created in location '{}'. Please select a new resource name.",
            there.location, there.group, new.location
        );
        return Err(AzureError::new(409, "InvalidResourceLocation", message));
    }
    check_kind(there, Some(new.kind))?;
    let changed = AccountRecord {
        sku: converted(there, new.sku)?,
        tags: new.tags,
        properties: there.properties.updated(&new.properties)?,
        ..there.clone()
    };
    replace(session, changed)
}

fn check_kind(there: &AccountRecord, kind: Option<Kind>) -> Result<(), AzureError> {
    if kind.is_none_or(|kind| kind == there.kind) {
        return Ok(());
    }
    let message = "The property 'kind' was specified in the input, but it cannot be updated.";
    Err(AzureError::new(409, "AccountPropertyCannotBeUpdated", message).about("kind"))
}

/// The SKU that `there` has after it was asked to go over to `sku`.
fn converted(there: &AccountRecord, sku: Sku) -> Result<String, AzureError> {
    if there.full_sku().is_some_and(|old| old.converts_to(sku)) {
        return Ok(sku.name().to_owned());
    }
    let message = "The property 'sku.name' was specified in the input, but it cannot be updated.";
    Err(AzureError::new(409, "AccountPropertyCannotBeUpdated", message).about("sku.name"))
}

fn replace(session: &mut Session, account: AccountRecord) -> Result<Answer, AzureError> {
    let answer = Answer::ok(&account.render(session.now));
    let before = session
        .estate
        .accounts
        .get(&account.name)
        .map(|old| old.render(session.now));
    session.changed = before.as_ref() != Some(&account.render(session.now));
    let times = session.times();
    session
        .estate
        .accounts
        .change(&account.name.clone(), times, |old| *old = account)?;
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateBody {
    sku: Option<SkuBody>,
    kind: Option<Kind>,
    tags: Option<Tags>,
    properties: Option<AccountProperties>,
    #[serde(rename = "identity")]
    _identity: Option<Value>,
    #[serde(rename = "zones")]
    _zones: Option<Value>,
    #[serde(rename = "placement")]
    _placement: Option<Value>,
}

pub(super) fn update(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let body: UpdateBody = request.body()?;
    let there = session.account(request.place())?;
    there.must_be_idle(session.now)?;
    check_kind(there, body.kind)?;
    let mut account = there.clone();
    if let Some(sku) = body.sku {
        let sku = Sku::find(&sku.name).ok_or_else(|| AzureError::values("sku"))?;
        account.sku = converted(there, sku)?;
    }
    if let Some(tags) = body.tags {
        tags::check(&tags, LONGEST_TAG_NAME)?;
        account.tags = tags;
    }
    if let Some(properties) = body.properties {
        account.properties = there.properties.updated(&properties)?;
    }
    replace(session, account)
}

pub(super) fn get(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    if let Some(expand) = request.query("$expand") {
        let known = ["geoReplicationStats", "blobRestoreStatus"];
        if !known.iter().any(|known| known.eq_ignore_ascii_case(expand)) {
            return Err(AzureError::query("$expand", expand));
        }
    }
    let account = session.account(request.place())?;
    Ok(Answer::ok(&account.render(session.now)))
}

pub(super) fn delete(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let place = request.place();
    let account = match session.account(place) {
        Ok(account) => account,
        Err(error) if error.code == "ResourceNotFound" => return Ok(Answer::empty(204)),
        Err(error) => return Err(error),
    };
    account.must_be_idle(session.now)?;
    let name = account.name.clone();
    session.changed = true;
    account::end(session, &name)?;
    Ok(Answer::empty(200))
}

pub(super) fn list(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let (subscription, group) = (request.part("subscription"), request.part("group"));
    if !group.is_empty() {
        session.group(subscription, group)?;
    }
    let seen = session.estate.accounts.seen("", session.horizon());
    let seen = seen.filter(|(_, account)| {
        account.exists()
            && account.subscription.eq_ignore_ascii_case(subscription)
            && (group.is_empty() || account.group.eq_ignore_ascii_case(group))
    });
    let seen = seen.map(|(key, account)| (key.to_owned(), account));
    paging::page(session, request, seen, |account| account.render(session.now))
}
