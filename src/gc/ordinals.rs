//! Names of claims that a StatefulSet makes: `<template>-<set>-<ordinal>`.
//!
//! Such a name is ambiguous to read backwards: `data-a-0` may be template `data` of set `a`, or the second half of
//! `data-a-0-1`, of set `a-0`. Only the ordinal, which has no dash, can be told by itself; what stands before it is compared
//! with what each set would write there.

/// What stands before the ordinal, and the ordinal; `None` where the name ends in none.
pub(crate) fn split(claim: &str) -> Option<(&str, u32)> {
    let (stem, digits) = claim.rsplit_once('-')?;
    let plain = !stem.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // The controller writes no leading zeros and no sign.
    let canonical = digits == "0" || !digits.starts_with('0');
    let ordinal = (plain && canonical).then(|| digits.parse::<u32>().ok())??;
    (i32::try_from(ordinal).is_ok()).then_some((stem, ordinal))
}

/// What stands before the ordinal in the names of a set's claims.
pub(crate) fn stem(template: &str, set: &str) -> String {
    format!("{template}-{set}")
}

/// Whether what stands before an ordinal can be `<template>-<set>` of any set at all, or of this one.
pub(crate) fn may_be_of(stem: &str, set: &str) -> bool {
    stem.strip_suffix(set)
        .and_then(|rest| rest.strip_suffix('-'))
        .is_some_and(|template| !template.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ordinal_is_told_by_itself() {
        assert_eq!(split("data-a-0"), Some(("data-a", 0)));
        assert_eq!(split("data-a-0-1"), Some(("data-a-0", 1)));
        assert_eq!(split("my-data-my-set-12"), Some(("my-data-my-set", 12)));
        for none in [
            "data",
            "data-",
            "data-a",
            "data-a-01",
            "data-a--0x",
            "-0",
            "0",
            "d-99999999999",
            "d-4294967295",
        ] {
            assert_eq!(split(none), None, "{none}");
        }
    }

    #[test]
    fn a_stem_is_a_template_and_a_set() {
        assert_eq!(stem("data", "a-0"), "data-a-0");
        assert!(may_be_of("data-a-0", "a-0"));
        assert!(may_be_of("data-a-0", "0"));
        assert!(!may_be_of("data-a-0", "a"));
        assert!(!may_be_of("a-0", "a-0"));
        assert!(!may_be_of("-a", "a"));
    }
}
