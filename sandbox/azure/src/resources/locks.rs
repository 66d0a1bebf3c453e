//! Locks: they keep a subscription, a group or a resource, and what is under it, from being changed or deleted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::operation::{Operation, Rate};
use crate::session::Session;
use crate::storage::account::AccountRecord;
use crate::versions::Provider;
use moorline_sandbox_core::Mortal;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "ManagementLocks_CreateOrUpdateByScope",
        provider: Provider::Authorization,
        method: "PUT",
        path: "{scope}/providers/Microsoft.Authorization/locks/{lock}",
        query: &[],
        rate: Rate::Write,
        action: "Microsoft.Authorization/locks/write",
        run: put,
    },
    Operation {
        name: "ManagementLocks_GetByScope",
        provider: Provider::Authorization,
        method: "GET",
        path: "{scope}/providers/Microsoft.Authorization/locks/{lock}",
        query: &[],
        rate: Rate::Read,
        action: "Microsoft.Authorization/locks/read",
        run: get,
    },
    Operation {
        name: "ManagementLocks_DeleteByScope",
        provider: Provider::Authorization,
        method: "DELETE",
        path: "{scope}/providers/Microsoft.Authorization/locks/{lock}",
        query: &[],
        rate: Rate::Delete,
        action: "Microsoft.Authorization/locks/delete",
        run: delete,
    },
    Operation {
        name: "ManagementLocks_ListByScope",
        provider: Provider::Authorization,
        method: "GET",
        path: "{scope}/providers/Microsoft.Authorization/locks",
        query: &["$filter"],
        rate: Rate::List,
        action: "Microsoft.Authorization/locks/read",
        run: list,
    },
];

/// What a lock forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Level {
    CanNotDelete,
    ReadOnly,
}

/// A lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LockRecord {
    /// Without the leading slash.
    scope: String,
    name: String,
    level: Level,
    notes: Option<String>,
}

impl Mortal for LockRecord {
    fn end(&self) -> Option<Timestamp> {
        None
    }
}

impl LockRecord {
    fn render(&self) -> Value {
        let mut body = json!({
            "id": format!("/{}/providers/Microsoft.Authorization/locks/{}", self.scope, self.name),
            "name": self.name,
            "type": "Microsoft.Authorization/locks",
            "properties": {"level": self.level},
        });
        if let Some(notes) = &self.notes {
            body["properties"]["notes"] = notes.as_str().into();
        }
        body
    }

    fn forbids(&self, rate: Rate) -> bool {
        match self.level {
            Level::CanNotDelete => rate == Rate::Delete,
            // Keys are asked for with POST, so a lock that allows reading only keeps them back too.
            Level::ReadOnly => rate.mutating() || rate == Rate::Keys,
        }
    }
}

/// Refuses what a lock on the path, or above it, forbids; a group is also kept by the locks in it.
pub(crate) fn check(session: &Session, operation: &Operation, segments: &[String]) -> Result<(), AzureError> {
    if operation.provider == Provider::Authorization
        || !segments
            .first()
            .is_some_and(|first| first.eq_ignore_ascii_case("subscriptions"))
    {
        return Ok(());
    }
    refuse(
        session,
        operation.rate,
        segments,
        operation.name == "ResourceGroups_Delete",
    )
}

/// The same for what the drivers of a cluster do to the shares and containers of an account: they go through Resource Manager,
/// too.
pub(crate) fn check_drivers(
    session: &Session,
    rate: Rate,
    account: Option<&AccountRecord>,
    child: [&str; 4],
) -> Result<(), AzureError> {
    let Some(account) = account else { return Ok(()) };
    let above = [
        "subscriptions",
        &account.subscription,
        "resourceGroups",
        &account.group,
        "providers",
        "Microsoft.Storage",
        "storageAccounts",
        &account.name,
    ];
    let segments: Vec<_> = above.iter().chain(&child).map(|&part| part.to_owned()).collect();
    refuse(session, rate, &segments, false)
}

fn refuse(session: &Session, rate: Rate, segments: &[String], deletes_group: bool) -> Result<(), AzureError> {
    let target = format!("{}/", segments.join("/").to_ascii_lowercase());
    let locks = session.estate.locks.all().map(|(_, lock)| lock);
    let holding: Vec<_> = locks
        .filter(|lock| {
            let scope = format!("{}/", lock.scope.to_ascii_lowercase());
            lock.forbids(rate) && (target.starts_with(&scope) || deletes_group && scope.starts_with(&target))
        })
        .map(|lock| format!("/{}", lock.scope))
        .collect();
    if holding.is_empty() {
        return Ok(());
    }
    let verb = if rate == Rate::Delete { "delete" } else { "write" };
    Err(AzureError::new(
        409,
        "ScopeLocked",
        format!(
            "The scope '/{}' cannot perform {verb} operation because following scope(s) are locked: '{}'. Please remove the lock and try again.",
            segments.join("/"),
            holding.join(",")
        ),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    level: Level,
    notes: Option<String>,
    #[serde(rename = "owners")]
    _owners: Option<Value>,
}

fn key(scope: &str, name: &str) -> String {
    format!("{} {}", scope.to_ascii_lowercase(), name.to_ascii_lowercase())
}

fn put(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let (scope, name) = (request.part("scope"), request.part("lock"));
    let Body { properties } = request.body()?;
    let segments: Vec<_> = scope.split('/').collect();
    if let [_, subscription, _, group, ..] = segments.as_slice() {
        session.group(subscription, group)?;
    }
    let lock = LockRecord {
        scope: scope.to_owned(),
        name: name.to_owned(),
        level: properties.level,
        notes: properties.notes,
    };
    let key = key(scope, name);
    let status = if session.estate.locks.get(&key).is_some() {
        200
    } else {
        201
    };
    let answer = Answer::new(status, &lock.render());
    session.changed = true;
    session.estate.locks.add(&key, lock, session.now)?;
    Ok(answer)
}

/// Adds a lock against deletions.
pub(crate) fn add(session: &mut Session, scope: &str, name: &str) -> Result<(), AzureError> {
    let scope = scope.trim_matches('/');
    let lock = LockRecord {
        scope: scope.to_owned(),
        name: name.to_owned(),
        level: Level::CanNotDelete,
        notes: None,
    };
    session.changed = true;
    Ok(session.estate.locks.add(&key(scope, name), lock, session.now)?)
}

fn get(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let (scope, name) = (request.part("scope"), request.part("lock"));
    match session.estate.locks.get(&key(scope, name)) {
        Some(lock) => Ok(Answer::ok(&lock.render())),
        None => Err(AzureError::new(
            404,
            "LockNotFound",
            format!("The lock '{name}' could not be found."),
        )),
    }
}

fn delete(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let key = key(request.part("scope"), request.part("lock"));
    if session.estate.locks.get(&key).is_none() {
        return Ok(Answer::empty(204));
    }
    session.changed = true;
    session.estate.locks.remove(&key)?;
    Ok(Answer::empty(200))
}

/// The locks at a scope and under it.
#[expect(clippy::unnecessary_wraps, reason = "the signature of all operations")]
fn list(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let scope = request.part("scope").to_ascii_lowercase();
    let at_or_under = |lock: &LockRecord| {
        let rest = lock.scope.to_ascii_lowercase();
        rest.strip_prefix(&scope)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let locks = session.estate.locks.all().map(|(_, lock)| lock);
    let all: Vec<_> = locks.filter(|lock| at_or_under(lock)).map(LockRecord::render).collect();
    Ok(Answer::ok(&json!({ "value": all })))
}
