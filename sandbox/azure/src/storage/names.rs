//! What accounts, shares and containers may be called, and what may be written on them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::session::Session;

/// Names and values written on a share or container.
pub(crate) type Metadata = BTreeMap<String, String>;

const MOST_METADATA_BYTES: usize = 8 << 10;

/// Refuses what cannot be the name of a storage account.
pub(crate) fn check_account(name: &str) -> Result<(), AzureError> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if (3..=24).contains(&name.len()) && name.chars().all(good) {
        return Ok(());
    }
    Err(AzureError::new(400, "AccountNameInvalid", invalid(name)))
}

fn invalid(name: &str) -> String {
    format!(
        "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and use numbers and lower-case letters only."
    )
}

fn taken(name: &str) -> String {
    format!("The storage account named {name} is already taken.")
}

/// Refuses a name that somebody else in the world holds.
pub(crate) fn check_free(session: &Session, name: &str, subscription: &str) -> Result<(), AzureError> {
    let elsewhere = session.settings.taken_names.iter().any(|held| held == name);
    let there = session.estate.accounts.get(name).filter(|account| account.exists());
    let foreign = there.is_some_and(|account| !account.subscription.eq_ignore_ascii_case(subscription));
    if elsewhere || foreign {
        return Err(AzureError::new(409, "StorageAccountAlreadyTaken", taken(name)).about(name));
    }
    Ok(())
}

/// Refuses what cannot be the name of a share or container.
pub(crate) fn check_child(name: &str) -> Result<(), AzureError> {
    if !(3..=63).contains(&name.chars().count()) {
        let message = "The specified resource name length is not within the permissible limits.";
        return Err(AzureError::of_service(400, "OutOfRangeInput", message));
    }
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.chars().all(good) && !name.starts_with('-') && !name.ends_with('-') && !name.contains("--") {
        return Ok(());
    }
    let message = "The specifed resource name contains invalid characters.";
    Err(AzureError::of_service(400, "InvalidResourceName", message))
}

/// Refuses metadata that cannot be sent as HTTP headers: names are those of C#, values plain ASCII.
pub(crate) fn check_metadata(metadata: &Metadata) -> Result<(), AzureError> {
    let start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let mut lower = Vec::new();
    for (name, value) in metadata {
        if name.is_empty() {
            let message = "The key for one of the metadata key-value pairs is empty.";
            return Err(AzureError::of_service(400, "EmptyMetadataKey", message));
        }
        let name_is_good = name.starts_with(start) && name.chars().all(|c| start(c) || c.is_ascii_digit());
        let value_is_good = value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        // Header names that differ in letter case only are one.
        let twice = lower.contains(&name.to_ascii_lowercase());
        if !name_is_good || !value_is_good || twice {
            let message = "The metadata specified is invalid. It has characters that are not permitted.";
            return Err(AzureError::of_service(400, "InvalidMetadata", message));
        }
        lower.push(name.to_ascii_lowercase());
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > MOST_METADATA_BYTES {
        let message = "The size of the specified metadata exceeds the maximum size permitted.";
        return Err(AzureError::of_service(400, "MetadataTooLarge", message));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckBody {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// Says whether an account may have a name, anywhere in the world.
pub(super) fn check_availability(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let CheckBody { name, kind } = request.body()?;
    if !kind.eq_ignore_ascii_case("Microsoft.Storage/storageAccounts") {
        return Err(AzureError::values("type"));
    }
    if check_account(&name).is_err() {
        return Ok(Answer::ok(&json!({
            "nameAvailable": false,
            "reason": "AccountNameInvalid",
            "message": invalid(&name),
        })));
    }
    let here = session
        .estate
        .accounts
        .get(&name)
        .is_some_and(super::account::AccountRecord::exists);
    if here || session.settings.taken_names.contains(&name) {
        return Ok(Answer::ok(&json!({
            "nameAvailable": false,
            "reason": "AlreadyExists",
            "message": taken(&name),
        })));
    }
    Ok(Answer::ok(&json!({"nameAvailable": true})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_accounts_and_shares() {
        for (name, good) in [("abc", true), ("ab", false), ("Abc", false), ("a-b-c", false)] {
            assert_eq!(check_account(name).is_ok(), good, "{name}");
        }
        assert!(check_account(&"a".repeat(25)).is_err());
        for (name, good) in [
            ("pvc-1", true),
            ("-pvc", false),
            ("a--b", false),
            ("pvc-", false),
            ("PVC", false),
            ("ab", false),
        ] {
            assert_eq!(check_child(name).is_ok(), good, "{name}");
        }
    }

    #[test]
    fn metadata_is_what_headers_can_carry() {
        let check = |name: &str, value: &str| check_metadata(&Metadata::from([(name.to_owned(), value.to_owned())]));
        assert!(check("createdBy", "file.csi.azure.com").is_ok());
        for (name, value) in [("a-b", "x"), ("a.b", "x"), ("1a", "x"), ("a", "ö"), ("a", "x\ny")] {
            assert_eq!(
                check(name, value).unwrap_err().code,
                "InvalidMetadata",
                "{name}={value}"
            );
        }
        assert_eq!(check("", "x").unwrap_err().code, "EmptyMetadataKey");
        assert_eq!(check("a", &"x".repeat(9000)).unwrap_err().code, "MetadataTooLarge");
        let twice = Metadata::from([("a", "1"), ("A", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert!(check_metadata(&twice).is_err());
    }
}
