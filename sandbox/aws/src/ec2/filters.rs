//! `Filter.N.Name` and `Filter.N.Value.M`: all filters must match, each by any of its values.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::AwsError;
use crate::wire::params::Params;

/// The most values over all filters of a call.
const MAX_VALUES: usize = 200;

/// The filters of one call.
#[derive(Debug)]
pub(crate) struct Filters {
    filters: Vec<Filter>,
}

#[derive(Debug)]
struct Filter {
    name: String,
    values: Vec<Pattern>,
}

impl Filters {
    /// Reads the filters; names other than `known` and the tag filters are refused.
    pub(crate) fn read(params: &Params, known: &[&str]) -> Result<Self, AwsError> {
        let filters = params.list("Filter").into_iter().map(|filter| read_one(filter, known));
        let filters = filters.collect::<Result<Vec<_>, _>>()?;
        if filters.iter().map(|filter| filter.values.len()).sum::<usize>() > MAX_VALUES {
            let message = format!("The maximum number of filter values specified on a single call is {MAX_VALUES}");
            return Err(AwsError::new("FilterLimitExceeded", message));
        }
        Ok(Self { filters })
    }

    /// The values of the filter `name` in order, where it has one without patterns: nothing else can pass.
    pub(crate) fn literals(&self, name: &str) -> Option<BTreeSet<String>> {
        let filter = self.filters.iter().find(|filter| filter.name == name)?;
        filter.values.iter().map(Pattern::literal).collect()
    }

    /// Whether something passes that has these tags, and this value under each other filter's name.
    pub(crate) fn pass(&self, tags: &BTreeMap<String, String>, value: impl Fn(&str) -> Option<String>) -> bool {
        self.filters.iter().all(|filter| match filter.name.as_str() {
            "tag-key" => tags.keys().any(|key| filter.matches(key)),
            "tag-value" => tags.values().any(|value| filter.matches(value)),
            name => match name.strip_prefix("tag:") {
                Some(key) => tags.get(key).is_some_and(|value| filter.matches(value)),
                None => value(name).is_some_and(|value| filter.matches(&value)),
            },
        })
    }
}

impl Filter {
    fn matches(&self, text: &str) -> bool {
        self.values.iter().any(|pattern| pattern.matches(text))
    }
}

fn read_one(filter: &Params, known: &[&str]) -> Result<Filter, AwsError> {
    let name = filter.text("Name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| AwsError::missing("Filter.Name"))?;
    let of_tags = name == "tag-key" || name == "tag-value" || name.len() > 4 && name.starts_with("tag:");
    if !of_tags && !known.contains(&name) {
        return Err(AwsError::invalid_value(format!("The filter '{name}' is invalid")));
    }
    let values: Vec<Pattern> = filter.texts("Value").into_iter().map(Pattern::compile).collect();
    if values.is_empty() {
        return Err(AwsError::invalid_value(format!(
            "The filter '{name}' must have at least one value"
        )));
    }
    Ok(Filter {
        name: name.to_owned(),
        values,
    })
}

/// A filter's value: `*` is any text, `?` any character, `\` takes the next character as it is.
#[derive(Debug)]
struct Pattern(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Many,
    One,
    Exactly(char),
}

impl Pattern {
    fn compile(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            pieces.push(match character {
                '*' => Piece::Many,
                '?' => Piece::One,
                '\\' => Piece::Exactly(characters.next().unwrap_or('\\')),
                other => Piece::Exactly(other),
            });
        }
        Self(pieces)
    }

    /// The one text that matches, where it is no pattern.
    fn literal(&self) -> Option<String> {
        let characters = self.0.iter().map(|piece| match piece {
            Piece::Exactly(character) => Some(*character),
            Piece::Many | Piece::One => None,
        });
        characters.collect()
    }

    fn matches(&self, text: &str) -> bool {
        let mut pattern = self.0.as_slice();
        let mut rest = text.chars();
        // Greedy with one way back: only the last `*` can usefully take more.
        let mut retry = None;
        loop {
            let mut ahead = rest.clone();
            match (pattern.split_first(), ahead.next()) {
                (None, None) => return true,
                (Some((Piece::Many, after)), _) => {
                    retry = Some((after, rest.clone()));
                    pattern = after;
                }
                (Some((Piece::One, after)), Some(_)) => (pattern, rest) = (after, ahead),
                (Some((Piece::Exactly(wanted), after)), Some(c)) if *wanted == c => (pattern, rest) = (after, ahead),
                _ => {
                    let Some((after, mut taken)) = retry else { return false };
                    if taken.next().is_none() {
                        return false;
                    }
                    (pattern, rest) = (after, taken.clone());
                    retry = Some((after, taken));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wildcard(pattern: &str, text: &str) -> bool {
        Pattern::compile(pattern).matches(text)
    }

    #[test]
    fn wildcards_and_escapes() {
        let good = [
            ("pvc-*", "pvc-1"),
            ("*", ""),
            ("a?c", "abc"),
            (r"a\*c", "a*c"),
            (r"\\", r"\"),
            ("*b*b", "abab"),
        ];
        for (pattern, text) in good {
            assert!(wildcard(pattern, text), "{pattern} {text}");
        }
        let bad = [
            ("pvc", "pvc-1"),
            ("?", ""),
            (r"a\*c", "abc"),
            ("a*", "ba"),
            ("Abc", "abc"),
            (r"\?", "x"),
        ];
        for (pattern, text) in bad {
            assert!(!wildcard(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn values_without_patterns_are_known() {
        let literals = |text: &str| {
            let filters = Filters::read(&Params::parse([text.as_bytes()]).unwrap(), &["status"]).unwrap();
            filters
                .literals("status")
                .map(|values| values.into_iter().collect::<Vec<_>>())
        };
        let two = "Filter.1.Name=status&Filter.1.Value.1=b%5C*&Filter.1.Value.2=a";
        assert_eq!(literals(two), Some(vec!["a".to_owned(), "b*".to_owned()]));
        assert_eq!(literals("Filter.1.Name=status&Filter.1.Value.1=b*"), None);
        assert_eq!(literals("Filter.1.Name=tag-key&Filter.1.Value.1=b"), None);
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        assert!(!wildcard(&"*a".repeat(500), &"a".repeat(400)));
        assert!(!wildcard(&format!("{}b", "*a".repeat(200)), &"a".repeat(256)));
    }

    #[test]
    fn filters_are_joined_by_and_values_by_or() {
        let text = "Filter.1.Name=tag:app&Filter.1.Value.1=web&Filter.1.Value.2=db\
                    &Filter.2.Name=status&Filter.2.Value.1=available";
        let filters = Filters::read(&Params::parse([text.as_bytes()]).unwrap(), &["status"]).unwrap();
        let passes = |app: &str, status: &str| {
            let tags = BTreeMap::from([("app".to_owned(), app.to_owned())]);
            filters.pass(&tags, |_| Some(status.to_owned()))
        };
        assert!(passes("db", "available"));
        assert!(!passes("db", "creating"));
        assert!(!passes("cache", "available"));
    }

    #[test]
    fn an_unknown_name_and_a_missing_value_are_refused() {
        for text in [
            "Filter.1.Name=colour&Filter.1.Value.1=red",
            "Filter.1.Name=status",
            "Filter.1.Name=tag:&Filter.1.Value.1=x",
        ] {
            let error = Filters::read(&Params::parse([text.as_bytes()]).unwrap(), &["status"]).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValue", "{text}");
        }
    }
}
