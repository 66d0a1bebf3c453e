//! Identifiers as AWS makes them.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A fresh `prefix-0…` with 17 hexadecimal digits.
pub(crate) fn fresh(prefix: &str) -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("{prefix}-0{}", &random[..16])
}

/// 17 hexadecimal digits that are always the same for `seed`.
pub(crate) fn derived(seed: &str) -> String {
    format!("0{}", &hex(seed)[..16])
}

/// A digest of `text` in hexadecimal digits.
pub(crate) fn hex(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Whether `id` is `prefix-` with 8 or 17 hexadecimal digits.
pub(crate) fn well_formed(id: &str, prefix: &str) -> bool {
    let digits = id
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_well_formed_and_others_are_not() {
        assert!(well_formed(&fresh("vol"), "vol"));
        assert!(well_formed(&format!("i-{}", derived("x")), "i"));
        for bad in [
            "vol-",
            "vol-xyz",
            "vol-0123456789ABCDEF0",
            "snap-0123456789abcdef0",
            "vol-0123456789abcdef",
        ] {
            assert!(!well_formed(bad, "vol"), "{bad}");
        }
    }
}
