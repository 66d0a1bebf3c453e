//! What `docs/policy.md` shows is right, and it shows everything.

use serde_json::Value;

use super::good::{SCHEMA, keys_of, read};

const PAGE: &str = include_str!("../../../docs/policy.md");

/// The blocks of code of a language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let fence = format!("```{language}\n");
    let start = fence.len();
    PAGE.match_indices(&fence)
        .map(move |(at, _)| PAGE[at + start..].split("\n```").next().unwrap())
        .collect::<Vec<_>>()
        .into_iter()
}

#[test]
fn every_policy_of_the_page_is_good() {
    let policies: Vec<_> = blocks("yaml").filter(|block| block.contains("scopes:")).collect();
    assert!(policies.len() >= 3, "{}", policies.len());
    for policy in policies {
        let policy = read(policy);
        assert!(policy.warnings.is_empty(), "{}", policy.warnings);
    }
}

#[test]
fn everything_else_of_the_page_can_be_read() {
    for block in blocks("yaml") {
        let source = moorline_yaml::source::Source::new("page.yaml".into(), block.to_owned());
        let mut findings = moorline_yaml::diagnostic::Findings::default();
        moorline_yaml::read(&source, &mut findings);
        assert!(findings.is_empty(), "{}", findings.finish());
    }
    let documents: Vec<Value> = blocks("json")
        .map(|block| serde_json::from_str(block).unwrap())
        .collect();
    assert_eq!(documents.len(), 2);
    assert!(documents[0]["Statement"].is_array() && documents[1]["Actions"].is_array());
}

#[test]
fn every_key_is_explained() {
    let mut keys = Vec::new();
    keys_of(&serde_json::from_str(SCHEMA).unwrap(), &mut keys);
    // The two clouds head the keys of their items.
    for key in keys.iter().filter(|key| !matches!(key.as_str(), "disk" | "share")) {
        let explained = [format!("`{key}`"), format!(".{key}`"), format!("`{key}:")];
        assert!(explained.iter().any(|text| PAGE.contains(text)), "{key}");
    }
}

#[test]
fn every_item_with_a_price_has_its_place_in_the_tables() {
    for item in moorline_prices::items(moorline_api::CloudName::Aws) {
        assert!(PAGE.contains(&format!("`{item}`")), "{item}");
    }
    for item in moorline_prices::items(moorline_api::CloudName::Azure) {
        let sort = item.split('.').next().unwrap();
        assert!(PAGE.contains(&format!("| `{sort}.")), "{item}");
    }
}
