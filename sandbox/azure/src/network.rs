//! Networks: only that there are no public addresses, because no cluster here has a load balancer of Azure's.

use serde_json::json;

use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::operation::{Operation, Rate};
use crate::session::Session;
use crate::versions::Provider;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "PublicIPAddresses_ListAll",
        provider: Provider::Network,
        method: "GET",
        path: "subscriptions/{subscription}/providers/Microsoft.Network/publicIPAddresses",
        query: &[],
        rate: Rate::List,
        action: "Microsoft.Network/publicIPAddresses/read",
        run: list,
    },
    Operation {
        name: "PublicIPAddresses_List",
        provider: Provider::Network,
        method: "GET",
        path: "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/publicIPAddresses",
        query: &[],
        rate: Rate::List,
        action: "Microsoft.Network/publicIPAddresses/read",
        run: list,
    },
];

fn list(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let group = request.part("group");
    if !group.is_empty() {
        session.group(request.part("subscription"), group)?;
    }
    Ok(Answer::ok(&json!({"value": []})))
}
