//! What says of itself, or of which the policy says, that it is never deleted.

use std::collections::BTreeMap;

use moorline_api::{Object, Tags, Volume, tags};

use crate::maker;
use crate::names;
use crate::policy::Protect;

/// Why a volume is protected.
pub(crate) fn of_volume(rules: &Protect, volume: &Volume) -> Option<String> {
    if volume.tags.contains_key(tags::ADOPTED) {
        return Some("its class names it, and no claim made it".to_owned());
    }
    let (namespace, claim, _) = maker::claim_names(&volume.tags);
    of_thing(rules, &volume.tags, &[&volume.id.0, volume.id.name()], namespace).or_else(|| {
        let rule = named(&rules.names, &[claim?])?;
        Some(format!("the policy protects claims named {rule}"))
    })
}

/// Why something of a cloud is protected: by its tags, its names, or the namespaces of what it was made for.
pub(crate) fn of_thing<'a>(
    rules: &Protect,
    tags: &Tags,
    own_names: &[&str],
    namespaces: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    if let Some(value) = tags.get(names::PROTECT).filter(|value| *value != "false") {
        return Some(format!("its tag {} is {value:?}", names::PROTECT));
    }
    if let Some(why) = pair(&rules.tags, "tag", |key| tags.get(key).map(String::as_str)) {
        return Some(why);
    }
    if let Some(rule) = named(&rules.names, own_names) {
        return Some(format!("the policy protects the name {rule}"));
    }
    let mut namespaces = namespaces.into_iter();
    namespaces.find_map(|namespace| in_namespace(rules, namespace))
}

/// Why a claim or a PersistentVolume protects the volume behind it.
pub(crate) fn of_object(rules: &Protect, object: &Object) -> Option<String> {
    let what = object.str_at(&["kind"]).unwrap_or("object");
    let name = object.name();
    let says = object
        .annotation(names::PROTECT)
        .or_else(|| object.label(names::PROTECT));
    if let Some(value) = says.filter(|value| *value != "false") {
        return Some(format!("{what} {name} has {}={value}", names::PROTECT));
    }
    if let Some(why) = pair(&rules.labels, "label", |key| object.label(key)) {
        return Some(format!("{what} {name}: {why}"));
    }
    if let Some(rule) = named(&rules.names, &[name]) {
        return Some(format!("the policy protects the name {rule}, as {what} {name} has"));
    }
    let claimed_in = object.str_at(&["spec", "claimRef", "namespace"]);
    let namespace = object.namespace().or(claimed_in)?;
    in_namespace(rules, namespace)
}

fn in_namespace(rules: &Protect, namespace: &str) -> Option<String> {
    named(&rules.namespaces, &[namespace])?;
    Some(format!("the policy protects namespace {namespace}"))
}

fn named<'a>(rules: &'a [String], names: &[&str]) -> Option<&'a str> {
    let hit = |rule: &&String| names.iter().any(|name| matches(rule, name));
    rules.iter().find(hit).map(String::as_str)
}

fn pair<'a>(
    rules: &BTreeMap<String, Option<String>>,
    what: &str,
    value_of: impl Fn(&str) -> Option<&'a str>,
) -> Option<String> {
    let hit = |(key, wanted): &(&String, &Option<String>)| {
        value_of(key).is_some_and(|value| wanted.as_deref().is_none_or(|wanted| wanted == value))
    };
    let (key, _) = rules.iter().find(hit)?;
    Some(format!("the policy protects {what} {key}"))
}

/// Whether a name is of this pattern, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(before) else {
        return false;
    };
    let starts = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    starts.into_iter().any(|at| matches(rest, &name[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, hit) in [
            ("db", "db", true),
            ("db", "dba", false),
            ("db*", "db-0", true),
            ("*-db", "my-db", true),
            ("*-db", "my-db-0", false),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "ac", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), hit, "{pattern} {name}");
        }
    }
}
