//! The names of Azure's places: what a subscription, a resource group and a location may be called.

/// What is wrong with the id of a subscription or tenant, or with any UUID.
pub fn uuid_problem(text: &str) -> Option<String> {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (groups != [8, 4, 4, 4, 12] || !hexadecimal).then(|| "it is no UUID".to_owned())
}

/// What is wrong with a resource group's name: 1 to 90 letters and digits of any script, `-`, `_`, `.` and parentheses, and no
/// `.` at its end.
pub fn resource_group_problem(text: &str) -> Option<String> {
    let length = text.chars().count();
    let allowed = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')');
    if let Some(wrong) = text.chars().find(|c| !allowed(c)) {
        return Some(format!(
            "it contains {wrong:?}; letters, digits, -, _, ., ( and ) are allowed"
        ));
    }
    match length {
        0 => Some("it is empty".to_owned()),
        91.. => Some(format!("it has {length} characters; 90 are allowed")),
        _ => text.ends_with('.').then(|| "it ends with a .".to_owned()),
    }
}

/// The name that Azure compares locations by. It shows another one: `eastus` of `East US`, or of the portal's `(US) East US`.
/// `None` where the text is neither.
pub fn location_name(text: &str) -> Option<String> {
    let shown = text.trim();
    let shown = shown
        .strip_prefix('(')
        .and_then(|rest| Some(rest.split_once(')')?.1))
        .unwrap_or(shown);
    let name: String = shown.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).collect();
    let name = name.to_ascii_lowercase();
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (begins && name.bytes().all(right)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_have_one_name_of_many_spellings() {
        for (spelling, name) in [
            ("eastus", "eastus"),
            ("East US", "eastus"),
            ("(US) East US 2", "eastus2"),
            ("west-europe", "westeurope"),
            ("USGov Virginia", "usgovvirginia"),
        ] {
            assert_eq!(location_name(spelling).as_deref(), Some(name));
        }
        for wrong in ["", " ", "2eastus", "east.us", "(US)", "östlich"] {
            assert_eq!(location_name(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn resource_groups_and_ids_are_judged_as_azure_judges_them() {
        for right in ["rg", "MC_rg_cluster_eastus", "a.b-(c)", "gruppe-ä", &"g".repeat(90)] {
            assert_eq!(resource_group_problem(right), None, "{right}");
        }
        for wrong in ["", "rg.", "a b", "a/b", "rg#1", &"g".repeat(91)] {
            assert!(resource_group_problem(wrong).is_some(), "{wrong:?}");
        }
        assert_eq!(uuid_problem("3f0c8a1e-0d5b-4a7e-9a53-0A1B2C3D4E5F"), None);
        for wrong in [
            "",
            "production",
            "3f0c8a1e0d5b4a7e9a530a1b2c3d4e5f",
            "3f0c8a1e-0d5b-4a7e-9a53-0a1b2c3d4e5g",
        ] {
            assert!(uuid_problem(wrong).is_some(), "{wrong:?}");
        }
    }
}
