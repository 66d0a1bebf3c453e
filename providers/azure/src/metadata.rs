//! Tags in places that take no tags.
//!
//! Metadata of shares and containers have the names of C# identifiers and ASCII values; tags of accounts have no slashes in
//! their names. What moorline writes is found there under names that people can read; whatever else there is goes over under
//! names that can be turned back.

use std::collections::BTreeMap;

use moorline_api::{TagChange, Tags};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// How the keys of moorline's own tags begin, and their names in metadata and among a resource's tags.
const OWN: [&str; 3] = ["moorline.dev/", "moorline_", "moorline-"];

/// Tags of others and their names in metadata.
const NAMES: &[(&str, &str)] = &[
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
    let encoded = tags
        .iter()
        .map(|(key, value)| (metadata_name(key), header_value(value)));
    encoded.collect()
}

fn metadata_name(key: &str) -> String {
    let [own, prefix, _] = OWN;
    if let Some(rest) = key.strip_prefix(own).filter(|rest| is_plain(rest)) {
        return format!("{prefix}{}", rest.replace('-', "_"));
    }
    let known = NAMES.iter().find(|(tag, _)| *tag == key);
    known.map_or_else(
        || format!("{OTHER}{}", hex(key.as_bytes())),
        |(_, name)| (*name).to_owned(),
    )
}

/// Whether a part of a key can be turned into a part of a metadata name, and back.
fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
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
        .map(|(name, value)| match metadata_key(name) {
            Some(key) => (key, percent_decode_str(value).decode_utf8_lossy().into_owned()),
            None => (name.clone(), value.clone()),
        });
    decoded.collect()
}

/// The tag that a metadata name stands for. The service may change the case of names.
fn metadata_key(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let [own, prefix, _] = OWN;
    let ours = || {
        let rest = lower.strip_prefix(prefix)?.replace('_', "-");
        is_plain(&rest).then(|| format!("{own}{rest}"))
    };
    let known = || {
        NAMES
            .iter()
            .find(|(_, known)| *known == lower)
            .map(|(tag, _)| (*tag).to_owned())
    };
    ours().or_else(known).or_else(|| unhex(lower.strip_prefix(OTHER)?))
}

/// These metadata with one tag changed; `None` where it is so already.
pub(crate) fn changed(metadata: &BTreeMap<String, String>, change: &TagChange) -> Option<BTreeMap<String, String>> {
    // What somebody else wrote under a name of their own stays under it.
    if decode(metadata).get(&change.key) == change.value.as_ref() {
        return None;
    }
    let of_key = |name: &str| match metadata_key(name) {
        Some(key) => key == change.key,
        None => name.eq_ignore_ascii_case(&change.key),
    };
    let mut after: BTreeMap<_, _> = metadata
        .iter()
        .filter(|(name, _)| !of_key(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(value) = &change.value {
        after.insert(metadata_name(&change.key), header_value(value));
    }
    (after != *metadata).then_some(after)
}

/// These metadata with these tags over what is written, and without one tag; `None` where they are so already.
pub(crate) fn merged(
    metadata: &BTreeMap<String, String>,
    tags: &Tags,
    without: &str,
) -> Option<BTreeMap<String, String>> {
    let set = |(key, value): (&String, &String)| TagChange {
        key: key.clone(),
        value: Some(value.clone()),
    };
    let off = TagChange {
        key: without.to_owned(),
        value: None,
    };
    let changes = std::iter::once(off).chain(tags.iter().filter(|(key, _)| *key != without).map(set));
    let after = changes.fold(metadata.clone(), |now, change| changed(&now, &change).unwrap_or(now));
    (after != *metadata).then_some(after)
}

/// Tags as a resource of Resource Manager bears them: their names have none of `<>%&\?/`.
pub(crate) fn resource_tags(tags: &Tags) -> BTreeMap<String, String> {
    let named = tags.iter().map(|(key, value)| (resource_tag(key), value.clone()));
    named.collect()
}

/// The name of a tag on a resource of Resource Manager.
pub(crate) fn resource_tag(key: &str) -> String {
    let [own, _, prefix] = OWN;
    if let Some(rest) = key.strip_prefix(own).filter(|rest| is_plain(rest)) {
        return format!("{prefix}{rest}");
    }
    let forbidden = |c: char| "<>%&\\?/".contains(c) || c.is_control();
    if key.contains(forbidden) {
        format!("{OTHER}{}", hex(key.as_bytes()))
    } else {
        key.to_owned()
    }
}

/// The tags of a resource of Resource Manager, by their own keys.
pub(crate) fn of_resource(tags: &BTreeMap<String, String>) -> Tags {
    let named = tags.iter().map(|(name, value)| (resource_key(name), value.clone()));
    named.collect()
}

/// The key of a resource's tag. Azure keeps the case of names and minds it nowhere.
pub(crate) fn resource_key(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let [own, _, prefix] = OWN;
    let ours = lower.strip_prefix(prefix).filter(|rest| is_plain(rest));
    ours.map(|rest| format!("{own}{rest}"))
        .or_else(|| unhex(lower.strip_prefix(OTHER)?))
        .unwrap_or_else(|| name.to_owned())
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
    use moorline_api::tags;

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

    #[test]
    fn one_tag_is_changed_and_the_rest_stays_as_it_was_written() {
        let before = BTreeMap::from(
            [
                ("createdBy", "file.csi.azure.com"),
                ("Moorline_Unused", "v1 orphan"),
                (SIZE, "5"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let change = |key: &str, value: Option<&str>| TagChange {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        };
        let without = changed(&before, &change(tags::UNUSED, None)).unwrap();
        assert_eq!(without.keys().collect::<Vec<_>>(), ["createdBy", SIZE]);
        assert_eq!(changed(&without, &change(tags::UNUSED, None)), None);
        let again = changed(&without, &change(tags::UNUSED, Some("v1 orphan"))).unwrap();
        assert_eq!(again["moorline_unused"], "v1 orphan");
        assert_eq!(decode(&again)[tags::UNUSED], "v1 orphan");
        assert_eq!(changed(&again, &change(tags::UNUSED, Some("v1 orphan"))), None);
        let theirs = changed(&again, &change("createdBy", None)).unwrap();
        assert_eq!(theirs.keys().collect::<Vec<_>>(), [SIZE, "moorline_unused"]);
    }

    #[test]
    fn tags_are_merged_into_what_others_wrote_under_their_own_names() {
        let before = BTreeMap::from(
            [
                ("createdBy", "file.csi.azure.com"),
                ("moorline_unused", "v1"),
                ("moorline_claim", "old"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let tags = Tags::from(
            [
                ("createdBy", "file.csi.azure.com"),
                (tags::CLAIM, "new"),
                (tags::UNUSED, "v1"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let after = merged(&before, &tags, tags::UNUSED).unwrap();
        assert_eq!(after.keys().collect::<Vec<_>>(), ["createdBy", "moorline_claim"]);
        assert_eq!(after["moorline_claim"], "new");
        assert_eq!(merged(&after, &tags, tags::UNUSED), None);
    }

    #[test]
    fn tags_of_resources_have_no_slash_and_come_back() {
        let tags = Tags::from(
            [
                (tags::UNUSED, "v1"),
                (tags::CLUSTER_UID, "c"),
                ("kubernetes.io-created-for-pvc-name", "data-0"),
                ("cost.center/x", "7"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let written = resource_tags(&tags);
        assert_eq!(written[ACCOUNT_CLUSTER], "c");
        assert_eq!(written["moorline-unused"], "v1");
        assert!(written.keys().all(|name| !name.contains('/')), "{written:?}");
        assert_eq!(of_resource(&written), tags);
        assert_eq!(resource_key("Moorline-Unused"), tags::UNUSED);
    }
}
