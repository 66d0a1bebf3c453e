//! Queues and tables: that they are there is all that the sandbox knows of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use moorline_sandbox_core::{Mortal, Shelf};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::AccountRecord;
use super::names::{self, Metadata};
use super::sku::{Kind, Sku};
use crate::error::AzureError;
use crate::estate::Estate;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::paging;
use crate::session::Session;

/// A queue or a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ThingRecord {
    account: String,
    name: String,
    metadata: Metadata,
    gone: Option<Timestamp>,
}

impl Mortal for ThingRecord {
    fn end(&self) -> Option<Timestamp> {
        self.gone
    }
}

/// What tells queues and tables apart.
struct Sort {
    /// As errors and parts of paths name it.
    title: &'static str,
    part: &'static str,
    path: &'static str,
    shelf: fn(&mut Estate) -> &mut Shelf<ThingRecord>,
    check: fn(&str) -> Result<(), AzureError>,
}

const QUEUES: Sort = Sort {
    title: "Queue",
    part: "queue",
    path: "queueServices/default/queues",
    shelf: |estate| &mut estate.queues,
    check: names::check_child,
};

const TABLES: Sort = Sort {
    title: "Table",
    part: "table",
    path: "tableServices/default/tables",
    shelf: |estate| &mut estate.tables,
    check: check_table,
};

/// Letters and digits, a letter first.
fn check_table(name: &str) -> Result<(), AzureError> {
    let good = (3..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric());
    if good {
        return Ok(());
    }
    let message = "The specifed resource name contains invalid characters.";
    Err(AzureError::of_service(400, "InvalidResourceName", message))
}

fn key(account: &str, name: &str) -> String {
    // Names of tables differ in more than letter case.
    format!("{account}!{}", name.to_ascii_lowercase())
}

impl Sort {
    /// The account around it, which must have such a service.
    fn account<'a>(&self, session: &'a Session, request: &Request) -> Result<&'a AccountRecord, AzureError> {
        let account = session.parent(request.place())?;
        let standard = account.full_sku().is_some_and(|sku: Sku| !sku.premium());
        if matches!(account.kind, Kind::Storage | Kind::StorageV2) && standard {
            return Ok(account);
        }
        let message = format!("{} is not supported for the account.", self.title);
        Err(AzureError::new(400, "FeatureNotSupportedForAccount", message))
    }

    fn render(&self, account: &AccountRecord, thing: &ThingRecord) -> Value {
        let mut properties = json!({});
        match self.part {
            "queue" if !thing.metadata.is_empty() => properties["metadata"] = json!(thing.metadata),
            "table" => properties["tableName"] = thing.name.as_str().into(),
            _ => {}
        }
        json!({
            "id": format!("{}/{}/{}", account.id(), self.path, thing.name),
            "name": thing.name,
            "type": format!("Microsoft.Storage/storageAccounts/{}", self.path.replace("/default", "")),
            "properties": properties,
        })
    }

    fn missing(&self) -> AzureError {
        let message = format!("The specified {} does not exist.", self.part);
        AzureError::of_service(404, &format!("{}NotFound", self.title), &message)
    }

    fn find(&self, session: &mut Session, account: &str, name: &str) -> Result<ThingRecord, AzureError> {
        let thing = (self.shelf)(&mut session.estate).get(&key(account, name));
        let there = thing.filter(|thing| thing.gone.is_none()).cloned();
        there.ok_or_else(|| self.missing())
    }

    /// Makes it, or changes the metadata of the one that is there.
    fn put(&self, session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
        let account = self.account(session, request)?.clone();
        let name = request.part(self.part);
        (self.check)(name)?;
        let asked = if request.header("content-type").is_some() {
            request.body::<Body>()?.properties.unwrap_or_default()
        } else {
            Properties::default()
        };
        let metadata = asked.metadata.unwrap_or_default();
        names::check_metadata(&metadata)?;
        let thing = ThingRecord {
            account: account.name.clone(),
            name: name.to_owned(),
            metadata,
            gone: None,
        };
        let now = session.now;
        session.changed = true;
        (self.shelf)(&mut session.estate).add(&key(&account.name, name), thing.clone(), now)?;
        Ok(Answer::ok(&self.render(&account, &thing)))
    }

    fn get(&self, session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
        let account = self.account(session, request)?.clone();
        let thing = self.find(session, &account.name, request.part(self.part))?;
        Ok(Answer::ok(&self.render(&account, &thing)))
    }

    fn delete(&self, session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
        let account = self.account(session, request)?.name.clone();
        let name = request.part(self.part);
        self.find(session, &account, name)?;
        let (times, gone) = (session.times(), session.forgotten_at());
        session.changed = true;
        let end = |thing: &mut ThingRecord| thing.gone = Some(gone);
        (self.shelf)(&mut session.estate).change(&key(&account, name), times, end)?;
        Ok(Answer::empty(204))
    }

    fn list(&self, session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
        let account = self.account(session, request)?.clone();
        let prefix = key(&account.name, request.query("$filter").unwrap_or_default());
        let horizon = session.horizon();
        let seen = (self.shelf)(&mut session.estate).seen(&prefix, horizon);
        let seen: BTreeMap<_, _> = seen
            .filter(|(_, thing)| thing.gone.is_none())
            .map(|(key, thing)| (key.to_owned(), thing.clone()))
            .collect();
        paging::page(session, request, seen, |thing| self.render(&account, &thing))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    properties: Option<Properties>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Properties {
    metadata: Option<Metadata>,
    #[serde(rename = "signedIdentifiers")]
    _signed_identifiers: Option<Value>,
}

pub(super) fn put_queue(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    QUEUES.put(session, request)
}

pub(super) fn get_queue(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    QUEUES.get(session, request)
}

pub(super) fn delete_queue(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    QUEUES.delete(session, request)
}

pub(super) fn list_queues(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    QUEUES.list(session, request)
}

pub(super) fn put_table(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    TABLES.put(session, request)
}

pub(super) fn get_table(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    TABLES.get(session, request)
}

pub(super) fn delete_table(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    TABLES.delete(session, request)
}

pub(super) fn list_tables(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    TABLES.list(session, request)
}

/// Forgets the queues and tables of an account that is gone.
pub(super) fn forget(session: &mut Session, account: &str) -> Result<(), AzureError> {
    for sort in [QUEUES, TABLES] {
        let shelf = (sort.shelf)(&mut session.estate);
        let keys: Vec<_> = shelf
            .under(&format!("{account}!"))
            .map(|(key, _)| key.to_owned())
            .collect();
        for key in keys {
            shelf.remove(&key)?;
        }
    }
    Ok(())
}
