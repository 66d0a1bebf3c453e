//! Managed disks.

pub(crate) mod disk;
mod disks;

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
];
