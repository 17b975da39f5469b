//! YAML with places: every value knows the file, line and bytes that it was written at.
//!
//! Files are merged, checked and edited in this form; the typed document is read from it last.

mod raw;

use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Spanned};

use raw::{Key, Raw};

use crate::document::finding::Findings;
use crate::document::source::{SourceFiles, Span};

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where. Of a list or map: its first byte.
    pub span: Span,
    /// What.
    pub value: Value,
}

/// A value of YAML's core schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~`, `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite decimal number, and how it was written.
    Number(serde_json::Number, String),
    /// What YAML takes for a number and is not a finite decimal, as `0x1F`, `.5` or `12e4567`: how it was written.
    Odd(String),
    /// Text.
    Text(String),
    /// What variables made, until it is known what its field wants; see [`crate::document::variables::settle`].
    Expanded {
        /// The text.
        text: String,
        /// Is it in quotes?
        quoted: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order it was written.
    Map(Vec<Entry>),
}

/// A key of a map and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// A key and its value.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries of a map; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// The elements of a list; none of anything else.
    #[must_use]
    pub fn elements(&self) -> &[Node] {
        if let Value::List(elements) = &self.value { elements } else { &[] }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) | Value::Expanded { text, .. } = &self.value { Some(text) } else { None }
    }

    /// The value at a path of keys and decimal indices.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, step| match &node.value {
            Value::Map(_) => node.get(step),
            Value::List(elements) => elements.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Where to point for a path: at the value, or at its key if the value is a map or list; at the nearest thing
    /// above it if it is not there.
    #[must_use]
    pub fn span_of(&self, path: &[&str]) -> Span {
        let mut span = self.span;
        let mut node = self;
        for step in path {
            match &node.value {
                Value::Map(_) => {
                    let Some(entry) = node.entry(step) else { break };
                    let is_leaf = !matches!(entry.node.value, Value::Map(_) | Value::List(_) | Value::Null);
                    span = if is_leaf { entry.node.span } else { entry.key_span };
                    node = &entry.node;
                }
                Value::List(elements) => {
                    let Some(element) = step.parse::<usize>().ok().and_then(|index| elements.get(index))
                    else {
                        break;
                    };
                    span = element.span;
                    node = element;
                }
                _ => break,
            }
        }
        span
    }

    /// Where the key at the end of a path was written; see [`Node::span_of`] for what is not there.
    #[must_use]
    pub fn key_of(&self, path: &[&str]) -> Span {
        let parent = path.split_last().and_then(|(last, above)| self.at(above)?.entry(last));
        parent.map_or_else(|| self.span_of(path), |entry| entry.key_span)
    }

    /// As JSON, without places.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number, _) => serde_json::Value::Number(number.clone()),
            Value::Odd(text) | Value::Text(text) | Value::Expanded { text, quoted: true } => {
                text.as_str().into()
            }
            Value::Expanded { text, quoted: false } => scalar(text),
            Value::List(elements) => elements.iter().map(Node::json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// What a text without quotes is read as: a number, a boolean, else text. Never a list, a map or nothing.
#[must_use]
pub fn scalar(text: &str) -> serde_json::Value {
    match (text, serde_json::from_str(text)) {
        ("true", _) => true.into(),
        ("false", _) => false.into(),
        (_, Ok(number)) => serde_json::Value::Number(number),
        _ => text.into(),
    }
}

/// Parses the documents of a file, comments and empty documents left out. What is not YAML, and every key that stands
/// twice in a map, is a finding.
pub fn parse(sources: &SourceFiles, file: usize, findings: &mut Findings) -> Vec<Node> {
    let mut options = serde_saphyr::Options::default();
    // Seen by ourselves, to report all of them.
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    // What is rendered for a thousand services is more than a thousand documents. Aliases keep their own limits.
    if let Some(budget) = options.budget.as_mut() {
        budget.max_documents = 100_000;
        budget.max_nodes = 4_000_000;
        budget.max_events = 16_000_000;
    }
    // `no` is text, as in YAML 1.2, and `030` and `1_000` are not treated as numbers.
    options.strict_booleans = true;
    options.non_finite_float_policy = NonFiniteFloatPolicy::PassThrough;
    options.leading_zero_numbers_as_strings = true;
    options.underscored_numbers_as_strings = true;
    let text = sources.text(file);
    match serde_saphyr::from_multiple_with_options::<Spanned<Raw>>(text, options) {
        Ok(documents) => {
            let mut builder = Builder { file, text, findings };
            documents
                .into_iter()
                .map(|raw| builder.node(raw))
                .filter(|node| node.value != Value::Null)
                .collect()
        }
        Err(error) => {
            let span = error.location().map(|location| Builder { file, text, findings }.span(location));
            let message = error.without_snippet().to_string();
            let message = message
                .split_once(": ")
                .filter(|(head, _)| head.contains("line "))
                .map_or(&*message, |(_, tail)| tail);
            let span = if message.contains("tab") { tab(text, file, span) } else { span };
            let line = span.and_then(|span| text.lines().nth(span.line - 1)).unwrap_or_default();
            if message.starts_with("budget breached") {
                findings
                    .error(span, "the aliases of this file expand to more than is allowed")
                    .help("write the values instead of the aliases, or split the file");
                return Vec::new();
            }
            let finding = findings.error(span, format!("invalid YAML: {message}"));
            if line.trim_start_matches(' ').starts_with('\t') {
                finding.help("indent with spaces: YAML allows no tab there");
            } else if line.contains("{{") {
                finding.help("this looks like a template: render it first, as in `helm template CHART`");
            } else if line.contains("${") {
                finding.help("between `{}` or `[]` write a variable in quotes, as in `\"${NAME}\"`");
            }
            Vec::new()
        }
    }
}

/// The first tab that indents a line, at or behind the place where reading stopped.
fn tab(text: &str, file: usize, stopped: Option<Span>) -> Option<Span> {
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let reached = stopped.is_none_or(|span| span.line <= index + 1);
        if reached && let Some(at) = line[..indent].find('\t') {
            let start = start + at;
            return Some(Span { file, start, end: start + 1, line: index + 1, column: at + 1 });
        }
        start += line.len();
    }
    stopped
}

struct Builder<'a> {
    file: usize,
    text: &'a str,
    findings: &'a mut Findings,
}

impl Builder<'_> {
    fn span(&self, location: Location) -> Span {
        let number = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok());
        let length = number(location.span().byte_len()).unwrap_or(0);
        let line = number(Some(location.line())).unwrap_or(1).max(1);
        let column = number(Some(location.column())).unwrap_or(1).max(1);
        let start = match number(location.span().byte_offset()).unwrap_or(0) {
            // Places outside of YAML have no bytes.
            0 if line > 1 => self.offset(line, column),
            start => start.min(self.text.len()),
        };
        Span { file: self.file, start, end: (start + length).min(self.text.len()), line, column }
    }

    /// The byte at a line and a column in characters, both from 1.
    fn offset(&self, line: usize, column: usize) -> usize {
        let lines: usize = self.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let rest = self.text.get(lines..).unwrap_or_default();
        lines + rest.chars().take(column - 1).map(char::len_utf8).sum::<usize>()
    }

    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let span = self.span(raw.referenced);
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Bool(value) => Value::Bool(value),
            Raw::Number(number) => self.number(raw.defined, number),
            Raw::Text(text) => Value::Text(text),
            Raw::List(elements) => {
                Value::List(elements.into_iter().map(|element| self.node(element)).collect())
            }
            Raw::Map(entries) => Value::Map(self.entries(entries)),
        };
        Node { span, value }
    }

    /// The text that was written at a place; none for what has no bytes.
    fn written(&self, location: Location) -> Option<&str> {
        let span = self.span(location);
        self.text.get(span.start..span.end).map(str::trim).filter(|text| !text.is_empty())
    }

    /// A number by its text: YAML has more of them than there are.
    fn number(&self, location: Location, number: serde_json::Number) -> Value {
        let Some(text) = self.written(location) else {
            let text = number.to_string();
            return Value::Number(number, text);
        };
        // JSON's grammar: decimal, finite, without leading zeros.
        match serde_json::from_str::<serde_json::Number>(text) {
            Ok(exact) if exact.as_f64().is_some_and(f64::is_finite) => Value::Number(number, text.to_owned()),
            _ => Value::Odd(text.to_owned()),
        }
    }

    fn entries(&mut self, raw: Vec<(Spanned<Key>, Spanned<Raw>)>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
        let mut places = std::collections::HashMap::new();
        for (key, value) in raw {
            let key_span = self.span(key.referenced);
            let text = match key.value {
                Key::Text(text) => text,
                Key::Scalar(text) => self.written(key.defined).map_or(text, ToOwned::to_owned),
            };
            let node = self.node(value);
            match places.insert(text.clone(), key_span) {
                None => entries.push(Entry { key: text, key_span, node }),
                Some(first) => {
                    self.findings
                        .error(Some(key_span), format!("duplicate key `{text}`"))
                        .help("keep one of them")
                        .related(Some(first), "the first one");
                }
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests;
