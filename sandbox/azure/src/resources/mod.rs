//! Subscriptions, locations, tenants and resource groups; locks are by themselves.

pub(crate) mod groups;
pub(crate) mod locks;
mod subscriptions;
pub(crate) mod tags;

use crate::operation::{Operation, Rate};
use crate::versions::Provider;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "Tenants_List",
        provider: Provider::Subscriptions,
        method: "GET",
        path: "tenants",
        query: &[],
        rate: Rate::Read,
        action: "Microsoft.Resources/tenants/read",
        run: subscriptions::tenants,
    },
    Operation {
        name: "Subscriptions_List",
        provider: Provider::Subscriptions,
        method: "GET",
        path: "subscriptions",
        query: &[],
        rate: Rate::Read,
        action: "Microsoft.Resources/subscriptions/read",
        run: subscriptions::list,
    },
    Operation {
        name: "Subscriptions_Get",
        provider: Provider::Subscriptions,
        method: "GET",
        path: "subscriptions/{subscription}",
        query: &[],
        rate: Rate::Read,
        action: "Microsoft.Resources/subscriptions/read",
        run: subscriptions::get,
    },
    Operation {
        name: "Subscriptions_ListLocations",
        provider: Provider::Subscriptions,
        method: "GET",
        path: "subscriptions/{subscription}/locations",
        query: &["includeExtendedLocations"],
        rate: Rate::Read,
        action: "Microsoft.Resources/subscriptions/locations/read",
        run: subscriptions::locations,
    },
    Operation {
        name: "ResourceGroups_List",
        provider: Provider::Resources,
        method: "GET",
        path: "subscriptions/{subscription}/resourceGroups",
        query: &["$top"],
        rate: Rate::List,
        action: "Microsoft.Resources/subscriptions/resourceGroups/read",
        run: groups::list,
    },
    Operation {
        name: "ResourceGroups_Get",
        provider: Provider::Resources,
        method: "GET",
        path: "subscriptions/{subscription}/resourceGroups/{group}",
        query: &[],
        rate: Rate::Read,
        action: "Microsoft.Resources/subscriptions/resourceGroups/read",
        run: groups::get,
    },
    Operation {
        name: "ResourceGroups_CheckExistence",
        provider: Provider::Resources,
        method: "HEAD",
        path: "subscriptions/{subscription}/resourceGroups/{group}",
        query: &[],
        rate: Rate::Read,
        action: "Microsoft.Resources/subscriptions/resourceGroups/read",
        run: groups::check_existence,
    },
    Operation {
        name: "ResourceGroups_CreateOrUpdate",
        provider: Provider::Resources,
        method: "PUT",
        path: "subscriptions/{subscription}/resourceGroups/{group}",
        query: &[],
        rate: Rate::Write,
        action: "Microsoft.Resources/subscriptions/resourceGroups/write",
        run: groups::put,
    },
    Operation {
        name: "ResourceGroups_Delete",
        provider: Provider::Resources,
        method: "DELETE",
        path: "subscriptions/{subscription}/resourceGroups/{group}",
        query: &["forceDeletionTypes"],
        rate: Rate::Delete,
        action: "Microsoft.Resources/subscriptions/resourceGroups/delete",
        run: groups::delete,
    },
];
