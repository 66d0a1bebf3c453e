//! Managed disks and their snapshots.

pub(crate) mod disk;
mod disks;
pub(crate) mod snapshot;

use crate::operation::{Operation, Rate};
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

/// The key of the disk or snapshot with this id.
fn key_of_id(id: &str, kind: &str) -> Option<String> {
    let parts: Vec<_> = id.strip_prefix('/')?.split('/').collect();
    let [_, subscription, _, group, _, provider, found, name] = parts[..] else {
        return None;
    };
    let right = provider.eq_ignore_ascii_case("Microsoft.Compute") && found.eq_ignore_ascii_case(kind);
    right.then(|| format!("{subscription}/{group}/{name}").to_lowercase())
}
