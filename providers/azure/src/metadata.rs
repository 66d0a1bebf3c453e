//! Tags in places that take no tags.
//!
//! Metadata of shares and containers have the names of C# identifiers and ASCII values; tags of accounts have no slashes in
//! their names. What moorline writes is found there under names that people can read; whatever else there is goes over under
//! names that can be turned back.

use std::collections::BTreeMap;

use moorline_api::{Tags, tags};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Tags and their names in metadata.
const NAMES: &[(&str, &str)] = &[
    (tags::CLUSTER_UID, "moorline_cluster_uid"),
    (tags::PROFILE, "moorline_profile"),
    (tags::NAMESPACE, "moorline_namespace"),
    (tags::CLAIM, "moorline_claim"),
    (tags::CLAIM_UID, "moorline_claim_uid"),
    (tags::OWNER, "moorline_owner"),
    ("kubernetes.io-created-for-pv-name", "kubernetes_pv_name"),
    ("kubernetes.io-created-for-pvc-name", "kubernetes_pvc_name"),
    ("kubernetes.io-created-for-pvc-namespace", "kubernetes_pvc_namespace"),
];

/// Any other tag's name follows in hexadecimal digits.
const OTHER: &str = "tag_";

/// The size that a claim asked of a container, which Azure has no place for.
pub(crate) const SIZE: &str = "moorline_size_gib";

/// The SKU that a class asked for, of a container in an account that was given.
pub(crate) const SKU: &str = "moorline_sku";

/// Account tags.
pub(crate) const ACCOUNT_CLUSTER: &str = "moorline-cluster-uid";
/// Account tag: the profile.
pub(crate) const ACCOUNT_PROFILE: &str = "moorline-profile";
/// Account tag: which accounts belong together.
pub(crate) const ACCOUNT_POOL: &str = "moorline-pool";
/// Account tag: the account's number among them.
pub(crate) const ACCOUNT_NUMBER: &str = "moorline-number";
/// Account tag: the CSI drivers put what they make into any account that suits, unless it has this tag, whatever its value.
pub(crate) const ACCOUNT_NOT_FOR_DRIVERS: &str = "skip-matching";
/// Account tag: the cluster whose profile uses an account that it did not make.
pub(crate) const USER_CLUSTER: &str = "moorline-used-by-cluster";
/// Account tag: the profile that does.
pub(crate) const USER_PROFILE: &str = "moorline-used-by-profile";
/// Account tag: `file` or `blob`.
pub(crate) const ACCOUNT_HOLDS: &str = "moorline-holds";

/// Header values: printable ASCII without the escape itself.
const VALUE: &AsciiSet = &CONTROLS.add(b'%');

/// Tags as metadata.
pub(crate) fn encode(tags: &Tags) -> BTreeMap<String, String> {
    let encoded = tags.iter().map(|(key, value)| {
        let name = NAMES.iter().find(|(tag, _)| tag == key);
        let name = name.map_or_else(
            || format!("{OTHER}{}", hex(key.as_bytes())),
            |(_, name)| (*name).to_owned(),
        );
        (name, header_value(value))
    });
    encoded.collect()
}

/// A header's value: spaces at its ends would be lost on the way.
fn header_value(text: &str) -> String {
    let inner = text.trim_matches(' ');
    if inner.is_empty() {
        return "%20".repeat(text.len());
    }
    let start = text.len() - text.trim_start_matches(' ').len();
    let end = text.len() - text.trim_end_matches(' ').len();
    let inner = utf8_percent_encode(inner, VALUE);
    format!("{}{inner}{}", "%20".repeat(start), "%20".repeat(end))
}

/// Metadata as tags. What moorline did not write keeps its name.
pub(crate) fn decode(metadata: &BTreeMap<String, String>) -> Tags {
    let decoded = metadata
        .iter()
        .filter(|(name, _)| ![SIZE, SKU].iter().any(|own| name.eq_ignore_ascii_case(own)))
        .map(|(name, value)| {
            // The service may change the case of names.
            let lower = name.to_ascii_lowercase();
            let tag = NAMES
                .iter()
                .find(|(_, known)| *known == lower)
                .map(|(tag, _)| (*tag).to_owned());
            let other = || unhex(lower.strip_prefix(OTHER)?);
            let tag = tag.or_else(other);
            let Some(tag) = tag else {
                return (name.clone(), value.clone());
            };
            (tag, percent_decode_str(value).decode_utf8_lossy().into_owned())
        });
    decoded.collect()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(text: &str) -> Option<String> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_survive_the_way_there_and_back() {
        let tags = Tags::from(
            [
                (tags::CLUSTER_UID, "0b8b"),
                (tags::OWNER, "team grün 100%"),
                ("kubernetes.io-created-for-pv-name", "pv-1"),
                ("cost.center/x", " a = b  "),
                ("blank", "  "),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let metadata = encode(&tags);
        for (name, value) in &metadata {
            let first = name.bytes().next().unwrap();
            assert!(first.is_ascii_alphabetic(), "{name}");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
                "{name}"
            );
            assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{value}");
            assert_eq!(value.trim(), value);
        }
        assert_eq!(metadata["moorline_cluster_uid"], "0b8b");
        assert_eq!(decode(&metadata), tags);
    }

    #[test]
    fn what_others_wrote_is_kept() {
        let metadata = BTreeMap::from([
            ("createdBy".to_owned(), "file.csi.azure.com".to_owned()),
            ("Moorline_Claim_Uid".to_owned(), "u".to_owned()),
            (SIZE.to_owned(), "5".to_owned()),
            ("tag_zz".to_owned(), "%41".to_owned()),
        ]);
        let tags = decode(&metadata);
        assert_eq!(tags["createdBy"], "file.csi.azure.com");
        assert_eq!(tags[tags::CLAIM_UID], "u");
        assert_eq!(tags["tag_zz"], "%41");
        assert_eq!(tags.len(), 3);
    }
}
