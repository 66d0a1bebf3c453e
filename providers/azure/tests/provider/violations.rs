//! The table refuses what is not in it: otherwise the tests that go by it would prove nothing.

use serde_json::{Value, json};

use crate::table::{STORAGE, find};

const ACCOUNT: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a";

fn judge(method: &str, path: &str, query: &[(&str, &str)], body: Option<&Value>) -> Result<&'static str, String> {
    let query = query
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    find(method, path, &query, body).map(|(name, _)| name)
}

#[test]
fn what_is_not_documented_is_a_violation() {
    let version = [("api-version", STORAGE)];
    let shares = format!("{ACCOUNT}/fileServices/default/shares");
    let share = format!("{shares}/pvc-1");
    let quota = |quota: Value| Some(json!({"properties": {"shareQuota": quota}}));
    assert_eq!(
        judge("PUT", &share, &version, quota(json!(1)).as_ref()),
        Ok("create share")
    );
    assert_eq!(judge("GET", &shares, &version, None), Ok("list shares"));
    let stats = [version[0], ("$expand", "stats")];
    assert_eq!(judge("GET", &share, &stats, None), Ok("share"));
    for (method, path, query, body, words) in [
        (
            "POST",
            share.as_str(),
            &version[..],
            quota(json!(1)),
            "no operation is POST",
        ),
        (
            "PUT",
            &format!("{share}/more"),
            &version,
            quota(json!(1)),
            "no operation is PUT",
        ),
        (
            "PUT",
            &format!("{shares}/"),
            &version,
            quota(json!(1)),
            "no operation is PUT",
        ),
        (
            "PUT",
            &share,
            &[("api-version", "2023-01-01")],
            quota(json!(1)),
            "api-version",
        ),
        ("PUT", &share, &[], quota(json!(1)), "api-version"),
        ("PUT", &share, &stats, quota(json!(1)), "$expand is stats"),
        (
            "GET",
            &share,
            &[version[0], ("$expand", "everything")],
            None,
            "$expand is everything",
        ),
        (
            "GET",
            &share,
            &[version[0], ("$top", "3")],
            None,
            "query parameter $top",
        ),
        ("GET", &share, &version, quota(json!(1)), "a body"),
        ("PUT", &share, &version, None, "no body"),
        ("PUT", &share, &version, quota(json!("1")), "properties.shareQuota is"),
        ("PUT", &share, &version, quota(json!(null)), "properties.shareQuota is"),
        (
            "PUT",
            &share,
            &version,
            Some(json!({"shareQuota": 1})),
            "body field shareQuota",
        ),
        (
            "PUT",
            &share,
            &version,
            Some(json!({"properties": {"metadata": {"size": 1}}})),
            "properties.metadata is",
        ),
        (
            "PUT",
            ACCOUNT,
            &version,
            Some(json!({"kind": "StorageV2", "location": "eastus"})),
            "no sku.name",
        ),
        (
            "PUT",
            ACCOUNT,
            &version,
            Some(json!({"sku": {"name": "Standard_LRS"}, "kind": "Storage", "location": "eastus"})),
            "kind is",
        ),
        (
            "POST",
            &format!("{ACCOUNT}/listKeys"),
            &version,
            Some(json!({})),
            "a body",
        ),
    ] {
        let violation = judge(method, path, query, body.as_ref()).unwrap_err();
        assert!(violation.contains(words), "{method} {path}: {violation}");
    }
}
