//! The names of Azure's places.

/// What is wrong with a resource group's name: 1 to 90 letters and digits of any script, `-`, `_`, `.` and parentheses, and no
/// `.` at its end.
pub(super) fn resource_group(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let length = text.chars().count();
    if length > 90 {
        return Err(format!("it has {length} characters; 90 are allowed"));
    }
    let allowed = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')');
    if let Some(wrong) = text.chars().find(|c| !allowed(c)) {
        return Err(format!(
            "it contains {wrong:?}; letters, digits, -, _, ., ( and ) are allowed"
        ));
    }
    if text.ends_with('.') {
        return Err("it ends with a .".to_owned());
    }
    Ok(())
}

/// What is wrong with a location's name. Azure has two for each: `eastus`, which it compares by, and `East US`, which it shows.
pub(super) fn location(text: &str) -> Result<(), String> {
    let is_name = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_lowercase())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if is_name(text) {
        return Ok(());
    }
    // `(US) East US` is how the portal shows it.
    let shown = text.trim();
    let shown = shown
        .strip_prefix('(')
        .and_then(|rest| Some(rest.split_once(')')?.1))
        .unwrap_or(shown);
    let name: String = shown
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '_'))
        .collect::<String>()
        .to_ascii_lowercase();
    Err(if is_name(&name) {
        format!("the location's name is {name}")
    } else {
        "it is no location".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::{location, resource_group};

    #[test]
    fn locations_are_told_how_they_are_written() {
        for right in ["eastus", "westeurope", "eastus2", "usgovvirginia", "chinanorth3"] {
            assert_eq!(location(right), Ok(()), "{right}");
        }
        for (shown, name) in [
            ("East US", "eastus"),
            ("(US) East US 2", "eastus2"),
            ("west-europe", "westeurope"),
            ("EastUS", "eastus"),
        ] {
            assert_eq!(location(shown), Err(format!("the location's name is {name}")));
        }
        for wrong in ["", " ", "2eastus", "east.us", "(US)", "östlich"] {
            assert_eq!(location(wrong), Err("it is no location".to_owned()), "{wrong:?}");
        }
    }

    #[test]
    fn resource_groups_are_named_as_azure_names_them() {
        for right in ["rg", "MC_rg_cluster_eastus", "a.b-(c)", "gruppe-ä", &"g".repeat(90)] {
            assert_eq!(resource_group(right), Ok(()), "{right}");
        }
        for wrong in ["", "rg.", "a b", "a/b", "rg#1", &"g".repeat(91)] {
            assert!(resource_group(wrong).is_err(), "{wrong:?}");
        }
    }
}
