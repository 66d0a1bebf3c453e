//! Reads YAML and JSON into values that know their places, as `kubectl` understands them, within bounds.

mod scalar;

use std::collections::HashMap;
use std::collections::hash_map;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag};

use crate::diagnostic::{Diagnostic, Findings};
use crate::node::{Entry, Node, Value};
use crate::source::{Source, Span};
use crate::words::quote;

/// How deep values may nest; no manifest comes near it.
const DEEPEST: usize = 64;
/// How much the aliases of a file may repeat, in values and characters together: a bomb wants billions.
const ALIAS_BUDGET: usize = 1 << 20;

/// Reads every document of a source and reports all that is wrong; empty documents come back as null. Documents with broken
/// syntax are left out, and those behind them are still read.
pub fn read(source: &Source, findings: &mut Findings) -> Vec<Node> {
    let mut options = granit_parser::options! { emit_comments: false };
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    let mut parser = Parser::new_from_str_with_options(source.text(), options);
    let mut reader = Reader {
        source,
        findings,
        documents: Vec::new(),
        open: Vec::new(),
        anchors: HashMap::new(),
        spent: 0,
        exploded: false,
    };
    while let Some(next) = parser.next_event().filter(|_| !reader.exploded) {
        match next {
            Ok((event, span)) => reader.take(event, reader.span(&span)),
            Err(error) => {
                reader.syntax(&error);
                reader.open.clear();
                if reader.findings.is_full() || !parser.proceed_next_document().unwrap_or(false) {
                    break;
                }
            }
        }
    }
    reader.documents
}

/// A collection whose end has not come.
struct Open {
    start: Span,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// Where each key stands in `entries`.
    index: HashMap<String, usize>,
    /// What `<<` merges in.
    merged: Vec<Node>,
    /// The key whose value comes next.
    key: Option<Key>,
}

enum Key {
    Named(String, Span),
    Merge,
}

/// A finished value that aliases may repeat.
struct Anchored {
    node: Node,
    weight: usize,
    depth: usize,
}

struct Reader<'a> {
    source: &'a Source,
    findings: &'a mut Findings,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    /// How much of the budget aliases have used.
    spent: usize,
    /// Whether they wanted more: then the rest of the file is of no interest.
    exploded: bool,
}

impl Reader<'_> {
    fn error(&mut self, span: Span, cause: impl Into<String>, cure: &str) {
        self.findings.error(self.source, span, cause, cure);
    }

    fn span(&self, span: &granit_parser::Span) -> Span {
        let offset = |mark: &granit_parser::Marker| {
            mark.byte_offset()
                .unwrap_or_else(|| self.source.offset(mark.line(), mark.col()))
        };
        Span {
            start: offset(&span.start),
            end: offset(&span.end),
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), span);
                let merge = style == ScalarStyle::Plain && text == "<<";
                self.finish(Node { span, value }, anchor, merge);
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.check_indentation(style, span);
                self.begin(Content::List(Vec::new()), anchor, tag.as_deref(), span);
            }
            Event::MappingStart(style, anchor, tag) => {
                self.check_indentation(style, span);
                self.begin(Content::Map(OpenMap::default()), anchor, tag.as_deref(), span);
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => {}
        }
    }

    /// The parser takes a tab before the outermost keys; `kubectl` does not.
    fn check_indentation(&mut self, style: StructureStyle, start: Span) {
        let before = self.source.text().get(..start.start).unwrap_or_default();
        let line = before.rfind('\n').map_or(0, |newline| newline + 1);
        if style == StructureStyle::Block && before[line..].starts_with('\t') {
            self.error(
                Span {
                    start: line,
                    end: line + 1,
                },
                "a tab in the indentation",
                "indent with spaces",
            );
        }
    }

    fn begin(&mut self, content: Content, anchor: usize, tag: Option<&Tag>, start: Span) {
        if let Some(tag) = tag.filter(|tag| !matches!(tag.core_suffix(), Some("map" | "seq"))) {
            self.bad_tag(tag, start);
        }
        self.open.push(Open { start, anchor, content });
    }

    fn end(&mut self, end: Span) {
        let Some(Open { start, anchor, content }) = self.open.pop() else {
            return;
        };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map(map) => Value::Map(self.merge(map)),
        };
        self.finish(
            Node {
                span: Span {
                    start: start.start,
                    end: end.end.max(start.end),
                },
                value,
            },
            anchor,
            false,
        );
    }

    /// Adds what `<<` names; keys that the mapping has itself win.
    fn merge(&mut self, map: OpenMap) -> Vec<Entry> {
        let OpenMap {
            mut entries,
            mut index,
            merged,
            ..
        } = map;
        for node in merged {
            let sources = match node.value {
                Value::List(items) => items,
                _ => vec![node],
            };
            for source in sources {
                let Value::Map(more) = source.value else {
                    self.error(
                        source.span,
                        "<< merges mappings only",
                        "give it an alias of a mapping, or quote the key",
                    );
                    continue;
                };
                for entry in more {
                    if let hash_map::Entry::Vacant(vacant) = index.entry(entry.key.clone()) {
                        vacant.insert(entries.len());
                        entries.push(entry);
                    }
                }
            }
        }
        entries
    }

    /// Puts a finished value where it belongs: into the open list, as key or value into the open mapping, or as a document.
    fn finish(&mut self, node: Node, anchor: usize, merge_key: bool) {
        if anchor != 0 {
            let (weight, depth) = measure(&node);
            self.anchors.insert(
                anchor,
                Anchored {
                    node: node.clone(),
                    weight,
                    depth,
                },
            );
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.documents.push(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(map)) => match map.key.take() {
                None if merge_key => map.key = Some(Key::Merge),
                None => {
                    let key = Key::Named(self.key(&node), node.span);
                    if let Some(Content::Map(map)) = self.open.last_mut().map(|open| &mut open.content) {
                        map.key = Some(key);
                    }
                }
                Some(Key::Merge) => map.merged.push(node),
                Some(Key::Named(key, key_span)) => {
                    if let Some(first) = map.index.get(&key).and_then(|first| map.entries.get(*first)) {
                        let (first, again) = (self.source.locate(first.key_span), self.source.locate(key_span));
                        let cause = format!("key {} is given twice", quote(&key));
                        let diagnostic = Diagnostic::new(again, cause, "keep one of the two");
                        self.findings.add(diagnostic.also(first, "first given here"));
                    } else {
                        map.index.insert(key.clone(), map.entries.len());
                        map.entries.push(Entry {
                            key,
                            key_span,
                            value: node,
                        });
                    }
                }
            },
        }
    }

    /// The text of a key. A number that means itself is one, as it is to `kubectl`; what would change its meaning is refused.
    fn key(&mut self, node: &Node) -> String {
        let written = self.source.slice(node.span).to_owned();
        match &node.value {
            Value::String(text) => return text.clone(),
            Value::Number(number) if number.to_string() == written => {}
            Value::List(_) | Value::Map(_) => {
                self.error(
                    node.span,
                    format!("{} cannot be a key", node.sort()),
                    "keys are strings: quote it if it is meant as one",
                );
            }
            _ => {
                let cause = format!("key {} is {}, not a string", quote(&written), node.sort());
                self.error(node.span, cause, &format!("quote it: {written:?}"));
            }
        }
        written
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Value {
        let string = || Value::String(text.to_owned());
        let read = match tag.map(|tag| (tag, tag.core_suffix())) {
            None if style == ScalarStyle::Plain => scalar::plain(text),
            None | Some((_, Some("str"))) => return string(),
            Some((_, Some("int" | "float" | "bool" | "null"))) => scalar::plain(text),
            Some((tag, _)) => {
                // `!` alone is YAML's way to say string.
                if tag.original() != "!" {
                    self.bad_tag(tag, span);
                }
                return string();
            }
        };
        read.unwrap_or_else(|why| {
            self.error(span, why, "write a finite number, or quote it");
            Value::Null
        })
    }

    fn bad_tag(&mut self, tag: &Tag, span: Span) {
        let cause = format!("the tag {} means nothing here", quote(&tag.original()));
        self.error(span, cause, "remove the tag");
    }

    fn alias(&mut self, anchor: usize, span: Span) {
        let budget = ALIAS_BUDGET.saturating_sub(self.spent);
        let node = match self.anchors.get(&anchor) {
            Some(anchored) if anchored.weight > budget => {
                self.exploded = true;
                Err((
                    "aliases repeat too much, as they do in a YAML bomb",
                    "write the values out",
                ))
            }
            Some(anchored) if anchored.depth + self.open.len() > DEEPEST => {
                Err(("aliases nest too deep", "write the values out"))
            }
            Some(anchored) => {
                self.spent += anchored.weight;
                Ok(anchored.node.clone())
            }
            None => Err(("an alias inside of what it names has no end", "write the value out")),
        };
        let node = node.unwrap_or_else(|(cause, cure)| {
            self.error(span, cause, cure);
            Node {
                span,
                value: Value::Null,
            }
        });
        self.finish(Node { span, ..node }, 0, false);
    }

    fn syntax(&mut self, error: &ScanError) {
        let mark = error.marker();
        let start = mark
            .byte_offset()
            .unwrap_or_else(|| self.source.offset(mark.line(), mark.col()));
        let tab = self.tab_in_indentation(start);
        let span = Span {
            start: tab.unwrap_or(start),
            end: tab.unwrap_or(start) + 1,
        };
        let (cause, cure) = match error.kind() {
            _ if tab.is_some() => ("a tab in the indentation".to_owned(), "indent with spaces"),
            ErrorKind::RecursionLimitExceeded => {
                (format!("values nest deeper than {DEEPEST} levels"), "make it flatter")
            }
            ErrorKind::UnknownAnchor => (
                "an alias of an anchor that does not exist".to_owned(),
                "write &name at the value it means, before it",
            ),
            ErrorKind::UnclosedQuotedScalar => ("a quote that is not closed".to_owned(), "close it"),
            ErrorKind::InvalidQuotedScalarIndent => (
                "a quote that is not closed in its line".to_owned(),
                "close it, or indent the lines that belong to it",
            ),
            ErrorKind::MappingValueNotAllowed => (
                "a second `:` where a value was expected".to_owned(),
                "quote the text that has `: ` in it, or begin a new line",
            ),
            _ if self.source.is_json() => (
                format!("not JSON: {}", error.info()),
                "check commas, quotes and brackets here and above",
            ),
            _ => (
                format!("not YAML: {}", error.info()),
                "check indentation, colons and quotes here and in the line above",
            ),
        };
        self.error(span, cause, cure);
    }

    /// The first tab before the text of the line of a syntax error, or of a line beside it: the parser may notice it early or late.
    fn tab_in_indentation(&self, offset: usize) -> Option<usize> {
        let text = self.source.text();
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let begin = text[..end].rfind('\n').map_or(0, |newline| newline + 1);
        let above = text[..begin.saturating_sub(1)]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let below = text[end..].find('\n').map_or(text.len(), |newline| end + newline + 1);
        [begin, above, below].into_iter().find_map(|line| {
            let indentation = text[line..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t'));
            indentation
                .enumerate()
                .find(|(_, byte)| *byte == b'\t')
                .map(|(index, _)| line + index)
        })
    }
}

/// How much a value repeats when it is repeated, and how deep it goes.
fn measure(node: &Node) -> (usize, usize) {
    let add = |(weight, depth): (usize, usize), child: &Node| {
        let (more, deeper) = measure(child);
        (weight + more, depth.max(deeper + 1))
    };
    match &node.value {
        Value::String(text) => (1 + text.len(), 1),
        Value::List(items) => items.iter().fold((1, 1), add),
        Value::Map(entries) => entries.iter().fold((1, 1), |sum, entry| {
            let (weight, depth) = add(sum, &entry.value);
            (weight + entry.key.len(), depth)
        }),
        _ => (1, 1),
    }
}

#[cfg(test)]
mod tests;
