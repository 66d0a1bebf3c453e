//! From a text to a policy, with all that is wrong on the way.

mod clusters;
mod rules;
mod scopes;
mod settings;

use std::collections::HashMap;
use std::collections::hash_map::Entry as Seat;
use std::hash::Hash;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use moorline_gc::policy::Policy;
use moorline_yaml::diagnostic::{Diagnostic, Findings};
use moorline_yaml::shape::Shapes;
use moorline_yaml::source::{Source, Span};
use moorline_yaml::words::quote;
use moorline_yaml::{Node, Value};

use crate::duration;
use crate::model::PolicyFile;

/// Generated from the structs of `schema`; `generate.rs` says how.
const SHAPES: &str = include_str!("../shapes.txt");

/// Reads a policy. What has errors is no policy, though one comes out: all that can be read is, so that all problems come at
/// once. `None` where the text says nothing.
pub(crate) fn policy(source: &Source, path: &Path, home: Option<&Path>, findings: &mut Findings) -> Option<PolicyFile> {
    let documents = moorline_yaml::read(source, findings);
    let mut documents = documents.iter().filter(|document| !document.is_null());
    let Some(document) = documents.next() else {
        if !findings.has_errors() {
            let cure = "give it at least scopes: and clusters:, or write one with: moorline gc init";
            findings.error(source, Span::default(), "the file is empty", cure);
        }
        return None;
    };
    if let Some(second) = documents.next() {
        let cure = "put the other one into a file of its own";
        findings.error(source, second.start(), "a policy is one document", cure);
    }
    Shapes::read(SHAPES).check("policy", source, document, findings);
    let mut reader = Reader {
        source,
        findings,
        folder: path.parent().unwrap_or(Path::new("")),
        home,
    };
    Some(reader.policy(path, document))
}

/// Takes a document apart. That values are of their types was checked before: those that are not are passed over.
struct Reader<'a> {
    source: &'a Source,
    findings: &'a mut Findings,
    /// The folder of the file, where relative paths begin.
    folder: &'a Path,
    home: Option<&'a Path>,
}

/// Why a value is refused, and what would be right.
type Refusal = (String, String);

impl Reader<'_> {
    fn policy(&mut self, path: &Path, document: &Node) -> PolicyFile {
        let scopes = self.scopes(document);
        let clusters = self.clusters(document);
        let (grace, leftovers) = self.grace(document);
        let mut rules = Policy::of(clusters.iter().map(crate::model::ClusterSpec::named));
        rules.grace = grace;
        rules.caps = self.caps(document);
        rules.snapshot_first = self.snapshot_first(document);
        rules.include_retain = self.given(document, "includeRetain", "").is_some_and(is_true);
        rules.protect = self.protect(document);
        if let Some(stale_after) = self.stale_after(document) {
            rules.stale_after = stale_after;
        }
        PolicyFile {
            path: path.to_owned(),
            rules,
            leftovers,
            store: self.store(document),
            lock: self.lock(document),
            prices: self.prices(document),
            concurrency: self.concurrency(document),
            ..PolicyFile::of(scopes, clusters)
        }
    }

    fn error(&mut self, span: Span, cause: impl Into<String>, cure: impl Into<String>) {
        self.findings.error(self.source, span, cause, cure);
    }

    fn warning(&mut self, span: Span, cause: impl Into<String>, cure: impl Into<String>) {
        self.findings.warning(self.source, span, cause, cure);
    }

    /// The value of a key that has to have one where it stands: what was left blank is nothing that anybody decided.
    fn given<'n>(&mut self, map: &'n Node, key: &str, path: &str) -> Option<&'n Node> {
        let entry = map.entry(key)?;
        if entry.value.is_null() {
            let cause = format!("{} is given no value", join(path, key));
            self.error(entry.key_span, cause, "give it one, or remove the line");
            return None;
        }
        Some(&entry.value)
    }

    /// A string that passes a check.
    fn text(
        &mut self,
        map: &Node,
        (path, key): (&str, &str),
        check: impl Fn(&str) -> Result<(), String>,
        cure: &str,
    ) -> Option<String> {
        let node = self.given(map, key, path)?;
        self.checked(node, &join(path, key), check, cure)
    }

    /// The strings of a list that pass a check, none twice; each with its place.
    fn texts(
        &mut self,
        map: &Node,
        (path, key): (&str, &str),
        check: impl Fn(&str) -> Result<(), String>,
        cure: &str,
    ) -> Vec<(String, Span)> {
        let path = join(path, key);
        let mut seen = Places::default();
        let mut texts = Vec::new();
        for (index, node) in map.items_at(&[key]).iter().enumerate() {
            let Some(text) = self.checked(node, &format!("{path}[{index}]"), &check, cure) else {
                continue;
            };
            match seen.take(text.clone(), node.span) {
                Some(first) => self.twice(node.span, first, format!("{path} has {} twice", quote(&text))),
                None => texts.push((text, node.span)),
            }
        }
        texts
    }

    fn checked(
        &mut self,
        node: &Node,
        what: &str,
        check: impl Fn(&str) -> Result<(), String>,
        cure: &str,
    ) -> Option<String> {
        let text = node.as_str()?;
        match check(text) {
            Ok(()) => Some(text.to_owned()),
            Err(why) => {
                self.error(node.span, format!("{what} cannot be {}: {why}", quote(text)), cure);
                None
            }
        }
    }

    fn duration(&mut self, map: &Node, path: &str, key: &str) -> Option<(SignedDuration, Span)> {
        let node = self.given(map, key, path)?;
        self.duration_of(node, &join(path, key))
    }

    fn duration_of(&mut self, node: &Node, what: &str) -> Option<(SignedDuration, Span)> {
        let text = node.as_str()?;
        match duration::parse(text) {
            Ok(duration) => Some((duration, node.span)),
            Err(why) => {
                let cause = format!("{what} cannot be {}: {why}", quote(text));
                self.error(node.span, cause, duration::CURE);
                None
            }
        }
    }

    /// A path, with the file's folder before a relative one and the home folder for `~`.
    fn path(&self, text: &str) -> Result<PathBuf, Refusal> {
        if text.trim().is_empty() {
            return Err(("it is blank".to_owned(), "write a path, or remove the line".to_owned()));
        }
        if text.starts_with('$') {
            let cure = "write the path out, or begin it with ~/".to_owned();
            return Err(("variables have no meaning here".to_owned(), cure));
        }
        let Some(below) = text.strip_prefix('~') else {
            return Ok(self.folder.join(text));
        };
        let write_out = || "write the path out".to_owned();
        match (self.home, below.strip_prefix('/')) {
            _ if !below.is_empty() && !below.starts_with('/') => {
                Err(("only one's own home folder is known".to_owned(), write_out()))
            }
            (None, _) => Err(("HOME is not set, so ~ is no folder".to_owned(), write_out())),
            (Some(home), below) => Ok(home.join(below.unwrap_or_default())),
        }
    }

    /// Reports that something was given before.
    fn twice(&mut self, again: Span, first: Span, cause: String) {
        let diagnostic = Diagnostic::new(self.source.locate(again), cause, "keep one of the two");
        self.findings
            .add(diagnostic.also(self.source.locate(first), "first given here"));
    }
}

/// Where each thing was first given.
struct Places<K>(HashMap<K, Span>);

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Places<K> {
    /// Notes a thing; where it was given before, that place.
    fn take(&mut self, thing: K, span: Span) -> Option<Span> {
        match self.0.entry(thing) {
            Seat::Occupied(first) => Some(*first.get()),
            Seat::Vacant(seat) => {
                seat.insert(span);
                None
            }
        }
    }
}

/// `caps.count` of `caps` and `count`.
fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn is_true(node: &Node) -> bool {
    matches!(node.value, Value::Bool(true))
}
