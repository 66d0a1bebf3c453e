//! What goes on in the background, and how a caller asks about it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::operation::{Operation, Rate};
use crate::session::Session;
use crate::times::stamp;
use crate::versions::Provider;
use moorline_sandbox_core::Mortal;

/// How long an operation that has ended can be asked about.
const MEMORY: SignedDuration = SignedDuration::from_hours(24);

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "StorageAccounts_AsyncOperation",
        provider: Provider::Storage,
        method: "GET",
        path: "subscriptions/{subscription}/providers/Microsoft.Storage/locations/{location}/asyncoperations/{operation}",
        query: &["monitor"],
        rate: Rate::Poll,
        action: "Microsoft.Storage/locations/asyncoperations/read",
        run: monitor,
    },
    Operation {
        name: "Disks_DiskOperation",
        provider: Provider::Compute,
        method: "GET",
        path: "subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/DiskOperations/{operation}",
        query: &["monitor"],
        rate: Rate::Poll,
        action: "Microsoft.Compute/locations/diskOperations/read",
        run: monitor,
    },
    Operation {
        name: "ResourceGroups_OperationResult",
        provider: Provider::Resources,
        method: "GET",
        path: "subscriptions/{subscription}/operationresults/{operation}",
        query: &[],
        rate: Rate::Poll,
        action: "Microsoft.Resources/subscriptions/operationresults/read",
        run: monitor,
    },
];

/// What an operation is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Subject {
    /// An account in the making; its end answers the account.
    Account(String),
    /// A disk in the making, by key; its end answers the disk.
    Disk(String),
    /// A snapshot in the making, by key; its end answers the snapshot.
    Snapshot(String),
    /// Something that goes.
    Deletion,
}

/// One operation that takes a while.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OperationRecord {
    subscription: String,
    subject: Subject,
    started: Timestamp,
    ends: Timestamp,
}

impl Mortal for OperationRecord {
    fn end(&self) -> Option<Timestamp> {
        Some(self.ends + MEMORY)
    }
}

/// Begins an operation, and gives what an answer says of it: where to ask, without the query, and when.
pub(crate) fn begin(
    session: &mut Session,
    (subscription, place): (&str, &str),
    subject: Subject,
    ends: Timestamp,
) -> Result<(String, u32), AzureError> {
    let id = uuid::Uuid::new_v4().to_string();
    let record = OperationRecord {
        subscription: subscription.to_ascii_lowercase(),
        subject,
        started: session.now,
        ends,
    };
    let wait = record.wait(session.now);
    session.estate.operations.add(&id, record, session.now)?;
    let url = format!("{}/subscriptions/{subscription}/{place}/{id}", session.base);
    Ok((url, wait))
}

impl OperationRecord {
    /// Seconds until it will have ended.
    fn wait(&self, now: Timestamp) -> u32 {
        let left = u64::try_from(self.ends.duration_since(now).as_millis()).unwrap_or(0);
        u32::try_from(left.div_ceil(1000).clamp(1, 60)).unwrap_or(60)
    }
}

/// Answers what an operation came to; 202 while it goes on. Without `monitor` it is its status that is asked for.
fn monitor(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let id = request.part("operation");
    let record = session.estate.operations.get(id);
    let record = record
        .filter(|record| record.subscription.eq_ignore_ascii_case(request.part("subscription")))
        .ok_or_else(|| {
            let message = format!("The operation '{id}' could not be found.");
            AzureError::new(404, "OperationNotFound", message)
        })?;
    let going = session.now < record.ends;
    let is_status =
        request.path.to_ascii_lowercase().contains("/diskoperations/") && request.query("monitor").is_none();
    if is_status {
        let answer = Answer::ok(&status(id, record, going));
        return Ok(if going {
            answer.retry_after(record.wait(session.now))
        } else {
            answer
        });
    }
    if going {
        let here = format!("{}{}?{}", session.base, request.path, request.raw_query);
        return Ok(Answer::empty(202)
            .with("location", here)
            .retry_after(record.wait(session.now)));
    }
    match &record.subject {
        Subject::Account(name) => match session.estate.accounts.get(name) {
            Some(account) if account.exists() => Ok(Answer::ok(&account.render(session.now))),
            _ => Ok(Answer::empty(204)),
        },
        Subject::Disk(key) => match session.estate.disks.get(key) {
            Some(disk) if disk.exists(session.now) => Ok(Answer::ok(&disk.render(session.now))),
            _ => Ok(Answer::empty(204)),
        },
        Subject::Snapshot(key) => match session.estate.snapshots.get(key) {
            Some(snapshot) if snapshot.exists(session.now) => Ok(Answer::ok(&snapshot.render(session.now))),
            _ => Ok(Answer::empty(204)),
        },
        Subject::Deletion => Ok(Answer::empty(200)),
    }
}

fn status(id: &str, record: &OperationRecord, going: bool) -> Value {
    if going {
        json!({"startTime": stamp(record.started), "status": "InProgress", "name": id})
    } else {
        json!({
            "startTime": stamp(record.started),
            "endTime": stamp(record.ends),
            "status": "Succeeded",
            "name": id,
        })
    }
}
