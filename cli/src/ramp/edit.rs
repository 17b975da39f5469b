//! Bytes of files: what to replace, and where something can be put in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::document::finding::Findings;
use crate::document::source::{SourceFiles, Span};
use crate::document::tree::{self, Node, Value};

/// Bytes of one file that are replaced; where both ends are the same, something is put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    file: usize,
    start: usize,
    end: usize,
    text: String,
}

/// Replaces a value or a key.
///
/// # Errors
/// When it was written with a variable, an anchor or an alias: it is not the file's own then.
pub fn replace(sources: &SourceFiles, span: Span, text: String) -> Result<Edit> {
    let written = sources.text(span.file).get(span.start..span.end).unwrap_or_default();
    let own = !written.is_empty() && !written.starts_with(['*', '&', '!']) && !written.contains('$');
    ensure!(
        own,
        "{}:{}: `{written}` is not written out here, so it cannot be edited: write its value",
        sources.name(span.file),
        span.line
    );
    Ok(Edit { file: span.file, start: span.start, end: span.end, text })
}

/// Puts an entry behind the last one of a map that has some, in its own style, in the file that the last one came from.
///
/// # Errors
/// When the map has none.
pub fn insert(sources: &SourceFiles, path: &[&str], map: &Node, key: &str, value: &str) -> Result<Edit> {
    let last = map.entries().last().context("there is no entry to put another one behind")?;
    let file = last.key_span.file;
    // The map as this file alone has it: in the merged one, values and places of other files are among it.
    let own = own(sources, file);
    let own = own.as_ref().and_then(|own| own.at(path)).unwrap_or(map);
    let last = own.entries().last().context("there is no entry to put another one behind")?;
    let text = sources.text(file);
    let end = end_of(&last.node, text).max(last.key_span.end);
    let before = text.get(..last.key_span.start).unwrap_or_default();
    if before.trim_end().ends_with(['{', ',']) {
        return Ok(Edit { file, start: end, end, text: format!(", {key}: {value}") });
    }
    // Behind the line, so that a comment at its end stays where it is.
    let indent = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
    let indent: String = indent.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let rest = text.get(end..).unwrap_or_default();
    let at = end + rest.find('\n').unwrap_or(rest.len());
    let (at, line) = if text[..at].ends_with('\r') { (at - 1, "\r\n") } else { (at, "\n") };
    Ok(Edit { file, start: at, end: at, text: format!("{line}{indent}{key}: {value}") })
}

/// What one file says, without the others.
#[must_use]
pub fn own(sources: &SourceFiles, file: usize) -> Option<Node> {
    tree::parse(sources, file, &mut Findings::default()).into_iter().next()
}

/// The byte behind a value.
fn end_of(node: &Node, text: &str) -> usize {
    let last = match &node.value {
        Value::Map(entries) => entries.last().map(|entry| end_of(&entry.node, text).max(entry.key_span.end)),
        Value::List(elements) => elements.last().map(|element| end_of(element, text)),
        _ => return node.span.end,
    };
    let inside = last.unwrap_or(node.span.start + 1);
    let closes = match text.as_bytes().get(node.span.start) {
        Some(b'{') => '}',
        Some(b'[') => ']',
        _ => return inside,
    };
    text.get(inside..).and_then(|rest| rest.find(closes)).map_or(inside, |at| inside + at + 1)
}

/// A name as a YAML scalar: in quotes where it would be read as anything but text.
#[must_use]
pub fn scalar(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&&*name.to_ascii_lowercase());
    if plain { name.to_owned() } else { format!("\"{name}\"") }
}

/// The texts of all files that edits touch.
///
/// # Errors
/// When the text is that of standard input, which cannot be written back.
pub fn apply(sources: &SourceFiles, mut edits: Vec<Edit>) -> Result<BTreeMap<PathBuf, String>> {
    // From the end, so that places before stay what they are.
    edits.sort_by_key(|edit| std::cmp::Reverse((edit.file, edit.start)));
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    for edit in edits {
        let name = sources.name(edit.file);
        ensure!(name != "<stdin>", "standard input cannot be edited: pass a file");
        let text = texts.entry(PathBuf::from(name)).or_insert_with(|| sources.text(edit.file).to_owned());
        text.replace_range(edit.start..edit.end, &edit.text);
    }
    Ok(texts)
}
