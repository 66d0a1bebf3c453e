//! Tags: how a request writes them, and what AWS allows.

use std::collections::BTreeMap;

use crate::error::AwsError;
use crate::wire::params::Params;

/// The most tags that one resource can have.
pub(crate) const LIMIT: usize = 50;

/// Reads `Key` and `Value` of each member; keys and values are checked, keys must differ.
pub(crate) fn read(members: &[&Params]) -> Result<BTreeMap<String, String>, TagError> {
    let mut tags = BTreeMap::new();
    for member in members {
        let (key, value) = (
            member.text("Key").unwrap_or_default(),
            member.text("Value").unwrap_or_default(),
        );
        check(key, value)?;
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(TagError::Duplicate(key.to_owned()));
        }
    }
    Ok(tags)
}

/// Checks one tag.
pub(crate) fn check(key: &str, value: &str) -> Result<(), TagError> {
    // What XML cannot carry, no answer could show again.
    let control = |text: &str| text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'));
    if key.is_empty() {
        Err(TagError::Invalid("Tag key cannot be null or empty.".to_owned()))
    } else if key.chars().count() > 128 {
        Err(TagError::Invalid(
            "Tag key exceeds the maximum length of 128 characters".to_owned(),
        ))
    } else if value.chars().count() > 256 {
        Err(TagError::Invalid(
            "Tag value exceeds the maximum length of 256 characters".to_owned(),
        ))
    } else if is_reserved(key) {
        Err(TagError::Invalid(
            "Tag keys starting with 'aws:' are reserved for internal use".to_owned(),
        ))
    } else if control(key) || control(value) {
        Err(TagError::Invalid("Tags cannot contain control characters".to_owned()))
    } else {
        Ok(())
    }
}

/// Whether only AWS itself may write and remove tags with this key.
pub(crate) fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

/// What is wrong with tags; each service has its own codes for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TagError {
    Invalid(String),
    Duplicate(String),
}

impl TagError {
    /// As EC2 says it.
    pub(crate) fn ec2(self) -> AwsError {
        match self {
            Self::Invalid(message) => AwsError::invalid_value(message),
            Self::Duplicate(key) => AwsError::invalid_value(format!("Duplicate tag key '{key}' specified.")),
        }
    }

    /// As Elastic Load Balancing says it.
    pub(crate) fn elb(self) -> AwsError {
        match self {
            Self::Invalid(message) => AwsError::new("ValidationError", message),
            Self::Duplicate(key) => AwsError::new(
                "DuplicateTagKeys",
                format!("Tag keys must be unique: '{key}' is given twice"),
            ),
        }
    }
}

/// EC2's refusal of more tags than [`LIMIT`].
pub(crate) fn within_ec2_limit(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.len() > LIMIT {
        return Err(AwsError::new(
            "TagLimitExceeded",
            "The maximum number of Tags for a resource has been reached.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_inclusive_and_count_characters() {
        assert!(check(&"é".repeat(128), &"é".repeat(256)).is_ok());
        assert!(check(&"k".repeat(129), "").is_err());
        assert!(check("k", &"v".repeat(257)).is_err());
        assert!(check("", "v").is_err());
        assert!(check("AWS:x", "v").is_err());
        assert!(check("awsome", "v").is_ok());
        assert!(check("é", "v").is_ok());
    }
}
