//! `${NAME}` and `${NAME:-default}` in values: what differs from one environment to the next.
//!
//! Variables are put into values that were read already, never into the text of a file: a variable cannot make a key, a
//! list or a second line of YAML, and every place stays what it was. `$$` is one `$`; any other `$` means itself.

use serde_json::Value as Json;

use crate::document::finding::Findings;
use crate::document::shape::SCHEMA;
use crate::document::source::{SourceFiles, Span};
use crate::document::tree::{self, Node, Value};
use crate::istio;

/// Why a variable has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarError {
    /// It is not set.
    NotPresent,
    /// Its value is not text.
    NotUnicode,
}

/// Finds a variable.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<String, VarError>;

const FORMS: &str = "write `${NAME}` or `${NAME:-default}`, or `$$` for a dollar";

/// Puts variables into all values of a tree; keys stay as they are.
pub fn expand(node: &mut Node, sources: &SourceFiles, lookup: Lookup<'_>, findings: &mut Findings) {
    let span = node.span;
    match &mut node.value {
        Value::Map(entries) => {
            entries.iter_mut().for_each(|entry| expand(&mut entry.node, sources, lookup, findings));
        }
        Value::List(elements) => {
            elements.iter_mut().for_each(|element| expand(element, sources, lookup, findings));
        }
        Value::Text(text) if text.contains('$') => {
            let place =
                Position { span, source: sources.text(span.file).get(span.start..span.end).unwrap_or("") };
            let Expanded { text, has_variable } = expand_text(text, &place, lookup, findings);
            node.value = if has_variable {
                Value::Expanded { text, quoted: !place.is_plain() }
            } else {
                Value::Text(text)
            };
        }
        _ => {}
    }
}

/// A scalar and how it was written.
struct Position<'a> {
    span: Span,
    source: &'a str,
}

impl Position<'_> {
    fn is_plain(&self) -> bool {
        !self.source.starts_with(['"', '\'', '|', '>', '!', '&', '*'])
    }

    /// Where a part of the scalar is; the whole of it where the file writes it differently.
    fn of(&self, part: &str) -> Span {
        let Some(offset) = self.source.find(part) else { return self.span };
        let before = &self.source[..offset];
        let last = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let lines = before.matches('\n').count();
        Span {
            start: self.span.start + offset,
            end: self.span.start + offset + part.len(),
            line: self.span.line + lines,
            column: if lines == 0 { self.span.column + last } else { last + 1 },
            ..self.span
        }
    }
}

struct Expanded {
    text: String,
    has_variable: bool,
}

fn expand_text(text: &str, place: &Position<'_>, lookup: Lookup<'_>, findings: &mut Findings) -> Expanded {
    let mut expanded = Expanded { text: String::with_capacity(text.len()), has_variable: false };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.text += before;
        if let Some(after) = after.strip_prefix('$') {
            expanded.text.push('$');
            rest = after;
        } else if let Some(inner) = after.strip_prefix('{') {
            expanded.has_variable = true;
            let Some((inner, behind)) = inner.split_once('}') else {
                let whole = format!("${after}");
                findings
                    .error(Some(place.of(&whole)), format!("`{whole}` has no `}}` at its end"))
                    .help(FORMS);
                return expanded;
            };
            expanded.text += &variable(inner, place, lookup, findings);
            rest = behind;
        } else {
            expanded.text.push('$');
            rest = after;
        }
    }
    expanded.text += rest;
    expanded
}

fn variable(inner: &str, place: &Position<'_>, lookup: Lookup<'_>, findings: &mut Findings) -> String {
    let whole = format!("${{{inner}}}");
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    if !is_name(name) || default.is_some_and(|default| default.contains("${")) {
        findings.error(Some(place.of(&whole)), format!("invalid variable `{whole}`")).help(FORMS);
        return String::new();
    }
    match (lookup(name), default) {
        (Ok(value), Some(default)) if value.is_empty() => default.to_owned(),
        (Ok(value), _) => value,
        (Err(VarError::NotPresent), Some(default)) => default.to_owned(),
        (Err(VarError::NotPresent), None) => {
            findings
                .error(Some(place.of(&whole)), format!("the variable `{name}` is not set"))
                .help(format!("set it, or give a default, as in `${{{name}:-…}}`"));
            String::new()
        }
        (Err(VarError::NotUnicode), _) => {
            findings
                .error(Some(place.of(&whole)), format!("the variable `{name}` is not UTF-8"))
                .help("set it to text in UTF-8");
            String::new()
        }
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Makes of what variables gave what each field wants: text, a number or a boolean. A value of a variable often has to
/// be in quotes, within `{}` always, and then a weight could not be written. Where any type will do, the quotes decide.
pub fn settle(tree: &mut Node) {
    settle_as(tree, &SCHEMA, false);
}

/// `is_istios`: in a field that holds what is Istio's, a number is the text that was written, if text is wanted.
fn settle_as(node: &mut Node, schema: &Json, is_istios: bool) {
    let schema = resolve(schema);
    match &mut node.value {
        Value::Map(entries) => {
            let field = |name: &str| all_of(schema).find_map(|schema| schema.get("properties")?.get(name));
            let others = all_of(schema).find_map(|schema| schema.get("additionalProperties"));
            for entry in entries {
                let own = field(&entry.key).or(others).unwrap_or(&Json::Null);
                let istios = if is_free(own) { istios(&entry.key) } else { None };
                settle_as(&mut entry.node, istios.unwrap_or(own), is_istios || istios.is_some());
            }
        }
        Value::List(elements) => {
            let items = all_of(schema).find_map(|schema| schema.get("items")).unwrap_or(&Json::Null);
            elements.iter_mut().for_each(|element| settle_as(element, items, is_istios));
        }
        Value::Number(_, text) | Value::Odd(text) if is_istios => {
            let wants = |name| all_of(schema).any(|schema| has_type(schema, name));
            if wants("string") && !wants("number") && !wants("integer") {
                node.value = Value::Text(std::mem::take(text));
            }
        }
        Value::Expanded { text, .. } => {
            let wants = |name| all_of(schema).any(|schema| has_type(schema, name));
            let written = text.clone();
            let free = !["string", "number", "integer", "boolean"].into_iter().any(wants)
                && all_of(schema).all(|schema| schema.get("enum").or(schema.get("const")).is_none());
            let json = match tree::scalar(text) {
                _ if free => node.json(),
                Json::Number(number) if wants("number") || wants("integer") => number.into(),
                Json::Bool(value) if wants("boolean") => value.into(),
                _ => text.as_str().into(),
            };
            node.value = match json {
                Json::Number(number) => Value::Number(number, written),
                Json::Bool(value) => Value::Bool(value),
                json => Value::Text(json.as_str().unwrap_or_default().to_owned()),
            };
        }
        _ => {}
    }
}

/// Fields that hold what is Istio's: these have its types.
fn istios(key: &str) -> Option<&'static Json> {
    match key {
        "http" => Some(istio::http_route()),
        "trafficPolicy" => Some(istio::traffic_policy()),
        "match" => Some(istio::http_matches()),
        "headers" => Some(istio::headers()),
        _ => None,
    }
}

fn resolve(schema: &Json) -> &Json {
    let reference = schema.get("$ref").and_then(Json::as_str).and_then(|path| path.strip_prefix('#'));
    reference.and_then(|pointer| SCHEMA.pointer(pointer)).unwrap_or(schema)
}

/// A schema and its branches.
fn all_of(schema: &Json) -> impl Iterator<Item = &Json> {
    let branches = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array());
    std::iter::once(schema).chain(branches.flatten().map(resolve))
}

fn is_free(schema: &Json) -> bool {
    resolve(schema).get("properties").is_none()
}

fn has_type(schema: &Json, name: &str) -> bool {
    match schema.get("type") {
        Some(Json::String(is)) => is == name,
        Some(Json::Array(names)) => names.iter().any(|is| is == name),
        _ => false,
    }
}

/// The text that reads as this one: the other way round.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        escaped.push(character);
        if character == '$' && matches!(characters.peek(), Some('$' | '{')) {
            escaped.push('$');
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tree;

    fn lookup(name: &str) -> Result<String, VarError> {
        match name {
            "PORT" => Ok("8080".to_owned()),
            "ON" => Ok("true".to_owned()),
            "EMPTY" => Ok(String::new()),
            "EVIL" => Ok("{a: [1]}\nb: 2 # x".to_owned()),
            _ => Err(VarError::NotPresent),
        }
    }

    fn read(text: &str) -> (serde_json::Value, Vec<String>) {
        let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
        let file = sources.add("a.yaml", text);
        let mut node = tree::parse(&sources, file, &mut findings).remove(0);
        expand(&mut node, &sources, &lookup, &mut findings);
        let said = |finding: &crate::document::finding::Finding| {
            let span = finding.span.unwrap();
            let source = &text[span.start..span.end];
            format!("{}:{} {source}: {}", span.line, span.column, finding.message)
        };
        let found = findings.iter().map(said).collect();
        (node.json(), found)
    }

    #[test]
    fn values_get_variables_and_types_go_by_quotes() {
        let (json, found) = read(
            "port: ${PORT}\ntext: \"${PORT}\"\non: ${ON}\nmixed: a-${PORT}-${NONE:-b}\nempty: x${EMPTY}\n\
             default: ${EMPTY:-7}\nlist:\n- '${PORT}'\n- ${PORT}\nhost: ${NONE:-}\n",
        );
        assert_eq!(found, [""; 0]);
        let want = serde_json::json!({
            "port": 8080, "text": "8080", "on": true, "mixed": "a-8080-b", "empty": "x", "default": 7,
            "list": ["8080", 8080], "host": "",
        });
        assert_eq!(json, want);
    }

    #[test]
    fn a_field_decides_what_a_variable_in_it_is() {
        let text = "services:\n  a: {port: '${PORT}', subsets: {s: {version: '${PORT}'}}, rollout: {weights: {s: '${PORT}'}, \
                    salt: '${PORT}'}, http: {timeout: '${PORT}', retries: {attempts: '${PORT}'}}}\n\
                    telemetry: {metrics: '${ON}', source: '${ON}'}\nunknown: {a: '${ON}', b: x}\n";
        let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
        let file = sources.add("a.yaml", text);
        let mut node = tree::parse(&sources, file, &mut findings).remove(0);
        expand(&mut node, &sources, &lookup, &mut findings);
        settle(&mut node);
        assert_eq!(
            node.json(),
            serde_json::json!({
                "services": {"a": {
                    "port": 8080, "subsets": {"s": {"version": "8080"}},
                    "rollout": {"weights": {"s": 8080}, "salt": "8080"},
                    "http": {"timeout": "8080", "retries": {"attempts": 8080}},
                }},
                "telemetry": {"metrics": true, "source": "true"}, "unknown": {"a": "true", "b": "x"},
            })
        );
    }

    #[test]
    fn keys_comments_and_other_dollars_are_left_alone() {
        let (json, found) = read("${NONE}: 1 # ${NONE}\nregex: ^/x$\ncost: 5$ a$b $$5 $${PORT}\n");
        assert_eq!(found, [""; 0]);
        assert_eq!(json, serde_json::json!({"${NONE}": 1, "regex": "^/x$", "cost": "5$ a$b $5 ${PORT}"}));
    }

    #[test]
    fn a_variable_is_never_structure() {
        let (json, found) = read("a: ${EVIL}\nb: ${EMPTY}\n");
        assert_eq!(found, [""; 0]);
        assert_eq!(json, serde_json::json!({"a": "{a: [1]}\nb: 2 # x", "b": ""}));
    }

    #[test]
    fn what_is_not_set_or_no_variable_is_found_at_its_place() {
        let (_, found) =
            read("a: x ${NONE} y\nb: '${1}'\nc: |\n  line\n  ${X-y}\nd: ${A:-${B}}\ne: \"${PORT\"\n");
        assert_eq!(
            found,
            [
                "1:6 ${NONE}: the variable `NONE` is not set",
                "2:5 ${1}: invalid variable `${1}`",
                "5:3 ${X-y}: invalid variable `${X-y}`",
                "6:4 ${A:-${B}: invalid variable `${A:-${B}`",
                "7:5 ${PORT: `${PORT` has no `}` at its end",
            ]
        );
    }

    #[test]
    fn what_is_escaped_reads_as_itself() {
        for text in ["$", "$$", "${A}", "$${A}", "a$b", "$$$", "x$"] {
            let place = Position { span: Span { file: 0, start: 0, end: 0, line: 1, column: 1 }, source: "" };
            let back = expand_text(&escape(text), &place, &lookup, &mut Findings::default());
            assert_eq!(back.text, text);
        }
    }
}
