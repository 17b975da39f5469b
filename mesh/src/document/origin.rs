//! A merged tree as a file again, each value with the place that it came from.

use serde::Serialize;

use crate::document::source::SourceFiles;
use crate::document::tree::{Node, Value};
use crate::document::variables;

/// The widest line that a comment is put behind in a row with the others.
const COLUMN: usize = 60;

/// A value and where it came from, as `--output json` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Keys and indices on the way to it.
    path: Vec<String>,
    /// The value: text, number, boolean, null, or an empty list or map.
    value: serde_json::Value,
    /// The file.
    file: String,
    /// Its line, from 1.
    line: usize,
    /// Its column, from 1.
    column: usize,
    /// What is written there, where variables made the value of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<String>,
}

/// Every value that is not a non-empty list or map, in order.
#[must_use]
pub fn rows(tree: &Node, sources: &SourceFiles) -> Vec<Row> {
    let mut rows = Vec::new();
    collect(tree, sources, &mut Vec::new(), &mut rows);
    rows
}

fn collect(node: &Node, sources: &SourceFiles, path: &mut Vec<String>, rows: &mut Vec<Row>) {
    let mut below = |step: String, node: &Node| {
        path.push(step);
        collect(node, sources, path, rows);
        path.pop();
    };
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            entries.iter().for_each(|entry| below(entry.key.clone(), &entry.node));
        }
        Value::List(elements) if !elements.is_empty() => {
            elements.iter().enumerate().for_each(|(index, element)| below(index.to_string(), element));
        }
        _ => rows.push(Row {
            path: path.clone(),
            value: node.json(),
            file: sources.name(node.span.file).to_owned(),
            line: node.span.line,
            column: node.span.column,
            written: written(node, sources).map(ToOwned::to_owned),
        }),
    }
}

/// What the file has in place of a value, if there is a variable in it.
fn written<'a>(node: &Node, sources: &'a SourceFiles) -> Option<&'a str> {
    let source = sources.text(node.span.file).get(node.span.start..node.span.end)?;
    let scalar = !matches!(node.value, Value::List(_) | Value::Map(_));
    (scalar && source.contains("${")).then_some(source)
}

/// YAML that reads as this tree, and behind each value, as a comment, the file and the line that it came from.
#[must_use]
pub fn yaml(tree: &Node, sources: &SourceFiles) -> String {
    let mut lines = Vec::new();
    match &tree.value {
        Value::Map(entries) if !entries.is_empty() => map(entries, sources, "", &mut lines),
        _ => lines.push((scalar(tree), comment(tree, sources))),
    }
    let width = |(line, comment): &(String, String)| {
        if comment.is_empty() { 0 } else { line.chars().count() }
    };
    let column = lines.iter().map(width).filter(|width| *width <= COLUMN).max().unwrap_or(0);
    let joined = lines.into_iter().map(|(line, comment)| {
        if comment.is_empty() { format!("{line}\n") } else { format!("{line:column$}  # {comment}\n") }
    });
    joined.collect()
}

fn map(
    entries: &[crate::document::tree::Entry],
    sources: &SourceFiles,
    indent: &str,
    lines: &mut Vec<(String, String)>,
) {
    for entry in entries {
        field(&format!("{indent}{}:", text(&entry.key)), &entry.node, sources, indent, lines);
    }
}

fn field(head: &str, node: &Node, sources: &SourceFiles, indent: &str, lines: &mut Vec<(String, String)>) {
    let inner = format!("{indent}  ");
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            lines.push((head.to_owned(), String::new()));
            map(entries, sources, &inner, lines);
        }
        Value::List(elements) if !elements.is_empty() => {
            lines.push((head.to_owned(), String::new()));
            for element in elements {
                item(element, sources, &inner, lines);
            }
        }
        _ => lines.push((format!("{head} {}", scalar(node)), comment(node, sources))),
    }
}

/// An element of a list: the first line of what is in it goes behind the dash.
fn item(node: &Node, sources: &SourceFiles, indent: &str, lines: &mut Vec<(String, String)>) {
    let first = lines.len();
    let inner = format!("{indent}  ");
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => map(entries, sources, &inner, lines),
        Value::List(elements) if !elements.is_empty() => {
            elements.iter().for_each(|element| item(element, sources, &inner, lines));
        }
        _ => lines.push((format!("{inner}{}", scalar(node)), comment(node, sources))),
    }
    if let Some((line, _)) = lines.get_mut(first) {
        line.replace_range(indent.len()..indent.len() + 1, "-");
    }
}

fn comment(node: &Node, sources: &SourceFiles) -> String {
    let place = format!("{}:{}", sources.name(node.span.file), node.span.line);
    match written(node, sources).filter(|written| !written.contains('\n')) {
        Some(written) => format!("{place} {written}"),
        None => place,
    }
}

fn scalar(node: &Node) -> String {
    match &node.value {
        Value::Text(value) => text(&variables::escape(value)),
        Value::Null => "null".to_owned(),
        _ => node.json().to_string(),
    }
}

/// A text without quotes where that reads as the same text, with quotes elsewhere.
fn text(value: &str) -> String {
    let plain = value.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/' || first == '_')
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./@%+".contains(&byte));
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan"];
    if plain && !word.contains(&&*value.to_ascii_lowercase()) {
        value.to_owned()
    } else {
        serde_json::Value::from(value).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::finding::Findings;
    use crate::document::{layers, tree};

    fn merged(texts: &[(&str, &str)]) -> (SourceFiles, Node) {
        let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
        let read = |(name, text): &(&str, &str)| {
            let file = sources.add(*name, *text);
            tree::parse(&sources, file, &mut findings).remove(0)
        };
        let trees = texts.iter().map(read).collect();
        let tree = layers::merge(trees, &mut findings).unwrap();
        assert!(!findings.has_errors());
        (sources, tree)
    }

    #[test]
    fn it_reads_back_as_the_same() {
        let base = "a: {b: [1, {c: x, d: [[y, z], {}]}], e: null}\n\"k: 1\": \"true\"\nm: |\n  l1\n  ${l2} $$ # no\nn: -1.5\n\
                    o: ['- x', \"#\", 'ä: b', ' ', '', 030, 'No', '${X}']\n";
        let (sources, tree) = merged(&[("base.yaml", base), ("prod.yaml", "a: {b: [2]}\nq: 1\n")]);
        let text = yaml(&tree, &sources);
        let (back_sources, mut back) = merged(&[("out.yaml", &text)]);
        let unset = |_: &str| Err(variables::VarError::NotPresent);
        let mut findings = Findings::default();
        variables::expand(&mut back, &back_sources, &unset, &mut findings);
        assert!(!findings.has_errors(), "{text}");
        assert_eq!(back.json(), tree.json(), "{text}");
    }

    #[test]
    fn each_value_says_where_it_came_from() {
        let (sources, tree) =
            merged(&[("base.yaml", "a:\n  b: 1\n  l: [x, {k: z}]\n"), ("prod.yaml", "a:\n\n  b: 2\n")]);
        assert_eq!(
            yaml(&tree, &sources),
            "a:\n  b: 2      # prod.yaml:3\n  l:\n    - x     # base.yaml:3\n    - k: z  # base.yaml:3\n"
        );
        let rows = rows(&tree, &sources);
        assert_eq!(rows.len(), 3);
        assert_eq!((rows[2].path.join("."), rows[2].column), ("a.l.1.k".to_owned(), 14));
    }
}
