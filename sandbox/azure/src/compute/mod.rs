//! Managed disks and their snapshots.

pub(crate) mod disk;
mod disks;
pub(crate) mod snapshot;

use jiff::Timestamp;

use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::operation::{Operation, Rate};
use crate::polling::{self, Subject};
use crate::session::Session;
use crate::versions::Provider;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "Disks_List",
        provider: Provider::Compute,
        method: "GET",
        path: "subscriptions/{subscription}/providers/Microsoft.Compute/disks",
        query: &[],
        rate: Rate::List,
        action: "Microsoft.Compute/disks/read",
        run: disks::list,
    },
    Operation {
        name: "Disks_ListByResourceGroup",
        provider: Provider::Compute,
        method: "GET",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/disks",
        query: &[],
        rate: Rate::List,
        action: "Microsoft.Compute/disks/read",
        run: disks::list,
    },
    Operation {
        name: "Disks_Get",
        provider: Provider::Compute,
        method: "GET",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{disk}",
        query: &[],
        rate: Rate::Read,
        action: "Microsoft.Compute/disks/read",
        run: disks::get,
    },
    Operation {
        name: "Disks_CreateOrUpdate",
        provider: Provider::Compute,
        method: "PUT",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{disk}",
        query: &[],
        rate: Rate::Write,
        action: "Microsoft.Compute/disks/write",
        run: disks::put,
    },
    Operation {
        name: "Disks_Update",
        provider: Provider::Compute,
        method: "PATCH",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{disk}",
        query: &[],
        rate: Rate::Write,
        action: "Microsoft.Compute/disks/write",
        run: disks::patch,
    },
    Operation {
        name: "Disks_Delete",
        provider: Provider::Compute,
        method: "DELETE",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{disk}",
        query: &[],
        rate: Rate::Delete,
        action: "Microsoft.Compute/disks/delete",
        run: disks::delete,
    },
    Operation {
        name: "Snapshots_List",
        provider: Provider::Compute,
        method: "GET",
        path: "subscriptions/{subscription}/providers/Microsoft.Compute/snapshots",
        query: &[],
        rate: Rate::List,
        action: "Microsoft.Compute/snapshots/read",
        run: snapshot::list,
    },
    Operation {
        name: "Snapshots_ListByResourceGroup",
        provider: Provider::Compute,
        method: "GET",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/snapshots",
        query: &[],
        rate: Rate::List,
        action: "Microsoft.Compute/snapshots/read",
        run: snapshot::list,
    },
    Operation {
        name: "Snapshots_Get",
        provider: Provider::Compute,
        method: "GET",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/snapshots/{snapshot}",
        query: &[],
        rate: Rate::Read,
        action: "Microsoft.Compute/snapshots/read",
        run: snapshot::get,
    },
    Operation {
        name: "Snapshots_CreateOrUpdate",
        provider: Provider::Compute,
        method: "PUT",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/snapshots/{snapshot}",
        query: &[],
        rate: Rate::Write,
        action: "Microsoft.Compute/snapshots/write",
        run: snapshot::put,
    },
    Operation {
        name: "Snapshots_Update",
        provider: Provider::Compute,
        method: "PATCH",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/snapshots/{snapshot}",
        query: &[],
        rate: Rate::Write,
        action: "Microsoft.Compute/snapshots/write",
        run: snapshot::patch,
    },
    Operation {
        name: "Snapshots_Delete",
        provider: Provider::Compute,
        method: "DELETE",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/snapshots/{snapshot}",
        query: &[],
        rate: Rate::Delete,
        action: "Microsoft.Compute/snapshots/delete",
        run: snapshot::delete,
    },
];

/// Where the estate has a disk or snapshot.
pub(crate) fn key_of(subscription: &str, group: &str, name: &str) -> String {
    format!("{subscription}/{group}/{name}").to_lowercase()
}

/// What the keys begin with of all that a list is asked for: a subscription's, or a resource group's.
fn prefix(session: &Session, request: &Request) -> Result<String, AzureError> {
    let (subscription, group) = (request.part("subscription"), request.part("group"));
    if group.is_empty() {
        return Ok(format!("{subscription}/").to_lowercase());
    }
    session.group(subscription, group)?;
    Ok(key_of(subscription, group, ""))
}

/// When something is gone whose deletion is asked for now or was before, and when lists show it no more.
fn ends(session: &Session, gone_at: Option<Timestamp>) -> (Timestamp, Timestamp) {
    let gone_at = gone_at.unwrap_or(session.now + session.settings.deletion());
    (gone_at, gone_at + session.settings.lag())
}

/// The answer to the deletion of something that is gone at `gone_at`.
fn deleted(session: &mut Session, request: &Request, location: &str, gone_at: Timestamp) -> Result<Answer, AzureError> {
    if gone_at <= session.now {
        return Ok(Answer::empty(200));
    }
    accepted(
        session,
        request,
        Answer::empty(202),
        (location, Subject::Deletion, gone_at),
    )
}

/// Says where to ask how the operation goes: at its status, or for what it came to.
fn accepted(
    session: &mut Session,
    request: &Request,
    answer: Answer,
    (location, subject, ends): (&str, Subject, Timestamp),
) -> Result<Answer, AzureError> {
    let subscription = request.part("subscription");
    let path = format!("providers/Microsoft.Compute/locations/{location}/DiskOperations");
    let (url, wait) = polling::begin(session, (subscription, &path), subject, ends)?;
    let version = request.api_version();
    Ok(answer
        .with("azure-asyncoperation", format!("{url}?api-version={version}"))
        .with("location", format!("{url}?monitor=true&api-version={version}"))
        .retry_after(wait))
}

/// The key of the disk or snapshot with this id.
fn key_of_id(id: &str, kind: &str) -> Option<String> {
    let parts: Vec<_> = id.strip_prefix('/')?.split('/').collect();
    let [_, subscription, _, group, _, provider, found, name] = parts[..] else {
        return None;
    };
    let right = provider.eq_ignore_ascii_case("Microsoft.Compute") && found.eq_ignore_ascii_case(kind);
    right.then(|| key_of(subscription, group, name))
}
