//! Reads a class's parameters by the catalogue: keys without case, every value checked, all that is wrong at once.

use std::collections::BTreeMap;

use moorline_api::{FieldPath, FieldProblem, StorageClass};

use crate::catalogue::{Driver, Form, Handling, Parameter};

/// Fields of a StorageClass that stand beside its parameters.
const OF_THE_CLASS: [&str; 5] = [
    "mountOptions",
    "reclaimPolicy",
    "volumeBindingMode",
    "allowVolumeExpansion",
    "allowedTopologies",
];

/// The parameters of one class that concern us, and what is wrong with any.
pub(crate) struct Reader<'a> {
    pub(crate) driver: Driver,
    /// By the catalogue's spelling: the key as written, and the value.
    given: BTreeMap<&'static str, (&'a str, &'a str)>,
    /// For `volumeAttributes`, by the catalogue's spelling.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) problems: Vec<FieldProblem>,
}

impl<'a> Reader<'a> {
    /// Sorts the class's parameters; what may be handed on or is wrong by itself is settled here.
    pub(crate) fn new(class: &'a StorageClass) -> Self {
        let mut reader = Self {
            driver: Driver::of(&class.provisioner),
            given: BTreeMap::new(),
            attributes: BTreeMap::new(),
            problems: Vec::new(),
        };
        for (key, value) in &class.parameters {
            reader.sort(key, value);
        }
        reader
    }

    fn sort(&mut self, key: &'a str, value: &'a str) {
        let Some(parameter) = self.driver.parameter(key) else {
            return self.unknown(key);
        };
        if let Some((before, _)) = self.given.get(parameter.key) {
            let cause = format!("{key} and {before} are the same parameter: case is ignored");
            return self.report(key, cause, "keep one of them");
        }
        self.given.insert(parameter.key, (key, value));
        match parameter.handling {
            Handling::Read => {}
            Handling::Attribute(form) => self.attribute(parameter.key, form),
            Handling::OnlyDefault(values, cause, cure) => {
                if !values.iter().any(|only| value.eq_ignore_ascii_case(only)) {
                    self.report(key, format!("{key} cannot be {value:?}: {cause}"), cure);
                }
            }
            Handling::Refused(cause, cure) => self.report(key, format!("{key} is not supported: {cause}"), cure),
        }
    }

    fn unknown(&mut self, key: &str) {
        let cause = format!("{} has no parameter {key}", self.driver.provisioner);
        if self.driver.only_in_successor(key) {
            return self.report(
                key,
                cause,
                format!("use provisioner: {}, which has it", self.driver.csi()),
            );
        }
        let taken = |parameter: &&Parameter| !matches!(parameter.handling, Handling::Refused(..));
        let known: Vec<_> = self.driver.parameters().filter(taken).map(|one| one.key).collect();
        let cure = match nearest(key, &known) {
            _ if OF_THE_CLASS.iter().any(|field| key.eq_ignore_ascii_case(field)) => {
                "move it out of parameters: it is a field of the class itself".to_owned()
            }
            _ if self.driver.other().parameter(key).is_some() => {
                format!("remove it: it is a parameter of {}", self.driver.other().provisioner)
            }
            Some(nearest) => format!("did you mean {nearest}?"),
            None => "remove it; parameter names are those of the CSI driver's docs/driver-parameters.md".to_owned(),
        };
        self.report(key, cause, cure);
    }

    fn attribute(&mut self, key: &'static str, form: Form) {
        let value = match form {
            Form::Text => self.text(key),
            Form::Flag => self.flag(key).map(|flag| flag.to_string()),
            Form::OneOf(choices) => self.choice(key, choices).map(str::to_owned),
            Form::Octal => self.octal(key),
        };
        if let Some(value) = value {
            self.attributes.insert(key.to_owned(), value);
        }
    }

    fn octal(&mut self, key: &'static str) -> Option<String> {
        let text = self.text(key)?;
        if u32::from_str_radix(&text, 8).is_err() {
            self.wrong(
                key,
                format!("{text:?} is no octal number"),
                format!("write it like {key}: \"0777\""),
            );
            return None;
        }
        Some(text)
    }

    /// The key as the class spells it, or as documented where the class has none.
    pub(crate) fn spelling(&self, key: &'static str) -> &'a str {
        self.given.get(key).map_or(key, |(written, _)| written)
    }

    /// Whether the class gives a value at all.
    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.given.contains_key(key)
    }

    /// Says what is wrong with a parameter.
    pub(crate) fn wrong(&mut self, key: &'static str, cause: impl Into<String>, cure: impl Into<String>) {
        let key = self.spelling(key);
        self.report(key, cause, cure);
    }

    fn report(&mut self, key: &str, cause: impl Into<String>, cure: impl Into<String>) {
        self.problems.push(FieldProblem {
            field: FieldPath::Class(vec!["parameters".to_owned(), key.to_owned()]),
            cause: cause.into(),
            cure: cure.into(),
        });
    }

    /// A text; blank ones are wrong.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        let (written, value) = *self.given.get(key)?;
        let text = value.trim();
        if text.is_empty() {
            self.report(written, format!("{written} is empty"), "give it a value or remove it");
            return None;
        }
        Some(text.to_owned())
    }

    /// `true` or `false`, however cased.
    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let (written, value) = *self.given.get(key)?;
        let flag = value.trim().to_ascii_lowercase().parse().ok();
        if flag.is_none() {
            let cure = format!("write {written}: \"true\" or {written}: \"false\"");
            self.report(written, format!("{value:?} is neither true nor false"), cure);
        }
        flag
    }

    /// A positive whole number.
    pub(crate) fn number(&mut self, key: &'static str) -> Option<u32> {
        let (written, value) = *self.given.get(key)?;
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits
            .then(|| value.parse().ok())
            .flatten()
            .filter(|number| *number > 0);
        if number.is_none() {
            let cure = format!("write it like {written}: \"500\"");
            self.report(written, format!("{value:?} is not a positive whole number"), cure);
        }
        number
    }

    /// One of these, however cased, in their spelling.
    pub(crate) fn choice(&mut self, key: &'static str, choices: &[&'static str]) -> Option<&'static str> {
        let (written, value) = *self.given.get(key)?;
        let chosen = choices
            .iter()
            .copied()
            .find(|choice| choice.eq_ignore_ascii_case(value.trim()));
        if chosen.is_none() {
            let cure = format!("use {}", choices.join(", "));
            self.report(written, format!("{written} cannot be {value:?}"), cure);
        }
        chosen
    }
}

/// The known word that is meant, where one is near.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&word, &known.to_ascii_lowercase()), *known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 5)
        .min()
        .map(|(_, known)| known)
}
