//! Tenants, subscriptions and their locations.

use serde_json::{Value, json};

use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::locations;
use crate::session::Session;

#[expect(clippy::unnecessary_wraps, reason = "the signature of all operations")]
pub(super) fn tenants(session: &mut Session, _: &Request) -> Result<Answer, AzureError> {
    let tenant = &session.settings.tenant;
    let tenant = json!({"id": format!("/tenants/{tenant}"), "tenantId": tenant, "tenantCategory": "Home"});
    Ok(Answer::ok(&json!({"value": [tenant]})))
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of all operations")]
pub(super) fn list(session: &mut Session, _: &Request) -> Result<Answer, AzureError> {
    let all: Vec<_> = session
        .settings
        .subscriptions
        .iter()
        .map(|id| render(session, id))
        .collect();
    let count = json!({"type": "Total", "value": all.len()});
    Ok(Answer::ok(&json!({"value": all, "count": count})))
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of all operations")]
pub(super) fn get(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    Ok(Answer::ok(&render(session, request.part("subscription"))))
}

fn render(session: &Session, id: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{id}"),
        "authorizationSource": "RoleBased",
        "subscriptionId": id,
        "tenantId": session.settings.tenant,
        "displayName": "moorline sandbox",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of all operations")]
pub(super) fn locations(_: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let subscription = request.part("subscription");
    let render = |(name, display): (&str, &str)| {
        json!({
            "id": format!("/subscriptions/{subscription}/locations/{name}"),
            "name": name,
            "type": "Region",
            "displayName": display,
            "regionalDisplayName": display,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
        })
    };
    let all: Vec<_> = locations::all().map(render).collect();
    Ok(Answer::ok(&json!({ "value": all })))
}
