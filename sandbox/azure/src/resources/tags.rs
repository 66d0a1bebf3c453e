//! What tags of resources may be.

use std::collections::BTreeMap;

use crate::error::AzureError;

/// Names and values.
pub(crate) type Tags = BTreeMap<String, String>;

const MOST: usize = 50;
const LONGEST_VALUE: usize = 256;
const RESERVED: &[char] = &['<', '>', '%', '&', '\\', '?', '/'];

/// Refuses tags that a resource cannot have; names of storage accounts' tags have at most 128 characters, others 512.
pub(crate) fn check(tags: &Tags, longest_name: usize) -> Result<(), AzureError> {
    if tags.len() > MOST {
        let message = format!(
            "The resource has {} tags. Maximum number of tags allowed on a resource is {MOST}.",
            tags.len()
        );
        return Err(AzureError::new(400, "TooManyTags", message));
    }
    for (name, value) in tags {
        if name.is_empty() || name.chars().any(|c| RESERVED.contains(&c) || c.is_control()) {
            let message =
                format!("The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters.");
            return Err(AzureError::new(400, "InvalidTagNameCharacters", message));
        }
        if name.chars().count() > longest_name {
            let message = format!("The tag name '{name}' exceeds the maximum length of {longest_name} characters.");
            return Err(AzureError::new(400, "TagNameTooLong", message));
        }
        if value.chars().count() > LONGEST_VALUE {
            let message =
                format!("The value of the tag '{name}' exceeds the maximum length of {LONGEST_VALUE} characters.");
            return Err(AzureError::new(400, "TagValueTooLong", message));
        }
    }
    Ok(())
}
