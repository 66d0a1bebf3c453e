//! How much of a region's limits a subscription uses.

use serde_json::json;

use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::locations;
use crate::session::Session;

#[expect(clippy::unnecessary_wraps, reason = "the signature of all operations")]
pub(super) fn list(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let (subscription, location) = (
        request.part("subscription"),
        locations::normal(request.part("location")),
    );
    let accounts = session.estate.accounts.all().map(|(_, account)| account);
    let used = accounts.filter(|account| {
        account.exists() && account.location == location && account.subscription.eq_ignore_ascii_case(subscription)
    });
    let usage = json!({
        "unit": "Count",
        "currentValue": used.count(),
        "limit": session.settings.account_limit,
        "name": {"value": "StorageAccounts", "localizedValue": "Storage Accounts"},
    });
    Ok(Answer::ok(&json!({"value": [usage]})))
}
