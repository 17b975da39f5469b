//! Is the tree of the right shape? Compared with a schema, all mistakes at once: the JSON schema that the typed
//! document has, or, for the fields of Istio's own types that a file may give, the schemas of Istio's CRDs.
//!
//! Only the part of JSON Schema that those two use is understood.

use std::sync::LazyLock;

use serde_json::{Map, Value as Json};

use crate::document::duration;
use crate::document::finding::Findings;
pub use crate::document::instead::nearest;
use crate::document::instead::{map_instead, number_instead};
use crate::document::model::Document;
use crate::document::source::Span;
use crate::document::tree::{Entry, Node, Value};

/// The schema of the file (JSON Schema, draft 2020-12).
pub static SCHEMA: LazyLock<Json> = LazyLock::new(|| schemars::schema_for!(Document).to_value());

/// Compares a tree with the schema of the file. What it returns reads as a [`Document`]: whatever is wrong is left
/// out, up to the nearest thing that can be missing, so that the rest can be checked too.
pub fn check(tree: &Node, findings: &mut Findings) -> Option<Json> {
    let mut walker = Walker { root: &SCHEMA, dialect: Dialect::Own, path: Vec::new(), findings };
    walker.node(tree, &SCHEMA, tree.span)
}

/// Compares a part of the tree with a part of a CRD's schema. `path`: where that part is, for messages.
pub fn check_istio(node: &Node, schema: &Json, path: &[&str], findings: &mut Findings) {
    let path = path.iter().map(|step| (*step).to_owned()).collect();
    let mut walker = Walker { root: schema, dialect: Dialect::Crd, path, findings };
    walker.node(node, schema, node.span);
}

/// Whose schema it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// Made by schemars: several branches are several types.
    Own,
    /// A structural schema of Kubernetes: fields that are not named are unknown, several branches say which fields
    /// exclude each other, and some rules are in CEL.
    Crd,
}

struct Walker<'a> {
    root: &'a Json,
    dialect: Dialect,
    path: Vec<String>,
    findings: &'a mut Findings,
}

impl<'a> Walker<'a> {
    fn resolve(&self, schema: &'a Json) -> &'a Json {
        match schema.get("$ref").and_then(Json::as_str).and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.root.pointer(pointer).map_or(schema, |schema| self.resolve(schema)),
            None => schema,
        }
    }

    fn name(&self) -> String {
        if self.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.path.join(".")) }
    }

    fn node(&mut self, node: &Node, schema: &'a Json, place: Span) -> Option<Json> {
        let schema = self.resolve(schema);
        let branches = ["anyOf", "oneOf"].into_iter().find_map(|key| schema.get(key)?.as_array());
        if let (Some(branches), Dialect::Own) = (branches, self.dialect) {
            return self.branches(node, branches, place);
        }
        if let Some(words) = words(schema) {
            return self.word(node, &words, place);
        }
        let types = types(schema);
        if let (Value::Number(_, text) | Value::Odd(text), ["string"] | ["string", "null"]) =
            (&node.value, &types[..])
        {
            return Some(self.number_as_text(text, place));
        }
        if !types.is_empty() && !types.iter().any(|name| fits(node, name)) {
            self.wrong_type(node, &types, place);
            return None;
        }
        match &node.value {
            Value::Map(entries) => {
                if self.dialect == Dialect::Crd {
                    self.exclusions(node, schema, place);
                }
                self.map(entries, schema, place)
            }
            Value::Text(text) if self.dialect == Dialect::Crd => {
                self.istio_duration(text, schema, place);
                Some(node.json())
            }
            Value::List(elements) => {
                let items = schema.get("items").unwrap_or(&Json::Null);
                let read = |(index, element): (usize, &Node)| {
                    self.path.push(index.to_string());
                    let json = self.node(element, items, element.span);
                    self.path.pop();
                    json
                };
                elements.iter().enumerate().map(read).collect()
            }
            Value::Number(number, _) => self.range(number, schema, place).then(|| node.json()),
            _ => Some(node.json()),
        }
    }

    /// Of several branches the one counts whose type the value has.
    fn branches(&mut self, node: &Node, branches: &'a [Json], place: Span) -> Option<Json> {
        let resolved: Vec<&Json> = branches
            .iter()
            .map(|branch| self.resolve(branch))
            // What may be missing and has several types is a branch with branches.
            .flat_map(|branch| match branch.get("anyOf").and_then(Json::as_array) {
                Some(inner) => inner.iter().map(|branch| self.resolve(branch)).collect(),
                None => vec![branch],
            })
            .collect();
        let all_words: Option<Vec<&str>> = resolved
            .iter()
            .map(|branch| words(branch))
            .collect::<Option<Vec<_>>>()
            .map(|words| words.concat());
        if let Some(words) = all_words {
            return self.word(node, &words, place);
        }
        let is_number =
            |branch: &&Json| types(branch).iter().any(|name| ["number", "integer"].contains(name));
        if let Value::Number(_, text) | Value::Odd(text) = &node.value
            && !resolved.iter().any(is_number)
            && resolved.iter().any(|branch| types(branch) == ["string"])
        {
            return Some(self.number_as_text(text, place));
        }
        // A word, or a map: a text is one of the words.
        let some_words: Vec<&str> = resolved.iter().filter_map(|branch| words(branch)).flatten().collect();
        if !some_words.is_empty() && node.text().is_some() {
            return self.word(node, &some_words, place);
        }
        let fitting = resolved.iter().find(|branch| {
            let types = types(branch);
            if types.is_empty() { node.text().is_some() } else { types.iter().any(|name| fits(node, name)) }
        });
        match fitting {
            Some(branch) => self.node(node, branch, place),
            None => {
                let types: Vec<&str> =
                    resolved.iter().flat_map(|branch| types(branch)).filter(|name| *name != "null").collect();
                self.wrong_type(node, &types, place);
                None
            }
        }
    }

    fn map(&mut self, entries: &[Entry], schema: &'a Json, place: Span) -> Option<Json> {
        let known = schema.get("properties").and_then(Json::as_object);
        let others = schema.get("additionalProperties");
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let mut json = Map::new();
        for entry in entries {
            let schema =
                known.and_then(|known| known.get(&entry.key)).or(others.filter(|schema| schema.is_object()));
            let closed = match self.dialect {
                Dialect::Own => others == Some(&Json::Bool(false)),
                Dialect::Crd => others.is_none() && known.is_some(),
            };
            let Some(schema) = schema else {
                if closed {
                    self.unknown_key(entry, known);
                } else {
                    json.insert(entry.key.clone(), entry.node.json());
                }
                continue;
            };
            let is_null = entry.node.value == Value::Null;
            let known_key = known.is_some_and(|known| known.contains_key(&entry.key));
            if is_null && known_key && !required.contains(&&*entry.key) {
                // A key without a value is as good as none.
                continue;
            }
            self.path.push(entry.key.clone());
            let place = if is_null { entry.key_span } else { entry.node.span };
            let value = self.node(&entry.node, schema, place);
            self.path.pop();
            if let Some(value) = value {
                json.insert(entry.key.clone(), value);
            }
        }
        for key in required.iter().filter(|key| entries.iter().all(|entry| entry.key != ***key)) {
            let whose = self.name();
            self.findings.error(Some(place), format!("{whose} has no `{key}`")).help(format!("add `{key}:`"));
        }
        required.iter().all(|key| json.contains_key(*key)).then(|| json.into())
    }

    /// Which fields exclude each other, or need one another.
    fn exclusions(&mut self, node: &Node, schema: &Json, place: Span) {
        let rules = ["oneOf", "anyOf", "allOf"];
        let own: Map<String, Json> =
            rules.iter().filter_map(|key| Some(((*key).to_owned(), schema.get(*key)?.clone()))).collect();
        if holds(node, &Json::Object(own)) {
            return;
        }
        let whose = self.name();
        let mut fields = Vec::new();
        required(schema, &mut fields);
        let given: Vec<&str> = fields.into_iter().filter(|field| node.get(field).is_some()).collect();
        let help = if given.is_empty() {
            "see Istio's reference for what it needs".to_owned()
        } else {
            format!("keep one of {}", given.join(", "))
        };
        self.findings
            .error(Some(place), format!("{whose} has fields that exclude each other, or lacks one"))
            .help(help);
    }

    /// The only rule in CEL that these schemas have.
    fn istio_duration(&mut self, text: &str, schema: &Json, place: Span) {
        let rules = schema.get("x-kubernetes-validations").and_then(Json::as_array).into_iter().flatten();
        let wants = rules
            .filter_map(|rule| rule.get("rule")?.as_str())
            .any(|rule| rule.starts_with("duration(self)"));
        if wants && duration::parse(text).is_none() {
            let message = format!("{} cannot be `{text}`", self.name());
            self.findings.error(Some(place), message).help(duration::EXAMPLES);
        }
    }

    fn unknown_key(&mut self, entry: &Entry, known: Option<&Map<String, Json>>) {
        let keys: Vec<&str> = known.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let message = format!("`{}` is not a key of {}", entry.key, self.name());
        let help = match nearest(&entry.key, &keys) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("keys here: {}", keys.join(", ")),
        };
        self.findings.error(Some(entry.key_span), message).help(help);
    }

    fn word(&mut self, node: &Node, words: &[&str], place: Span) -> Option<Json> {
        if node.text().is_some_and(|text| words.contains(&text)) {
            return Some(node.json());
        }
        let is = node.text().map_or_else(|| kind(node).to_owned(), |text| format!("`{text}`"));
        let message = format!("{} cannot be {is}", self.name());
        let near = node.text().and_then(|text| nearest(text, words));
        let help = match near {
            Some(near) => format!("did you mean `{near}`? it is one of: {}", words.join(", ")),
            None => format!("write one of: {}", words.join(", ")),
        };
        self.findings.error(Some(place), message).help(help);
        None
    }

    fn wrong_type(&mut self, node: &Node, types: &[&str], place: Span) {
        let wanted: Vec<&str> = types
            .iter()
            .filter(|name| **name != "null")
            .map(|name| match *name {
                "object" => "a map",
                "array" => "a list",
                "string" => "text",
                "integer" => "a whole number",
                "number" => "a number",
                "boolean" => "`true` or `false`",
                other => other,
            })
            .collect();
        let is = match (&node.value, types) {
            (Value::Odd(text), ["integer" | "number", ..]) => format!("`{text}`"),
            _ => kind(node).to_owned(),
        };
        let message = format!("{} must be {}, not {is}", self.name(), wanted.join(" or "));
        let help = match (&node.value, types) {
            (Value::Number(_, text) | Value::Odd(text), ["string", ..]) => {
                Some(format!("write \"{text}\", in quotes"))
            }
            (Value::Bool(value), ["string", ..]) => Some(format!("write \"{value}\", in quotes")),
            (Value::Text(text), ["array", ..]) => Some(format!("write [{text}]")),
            (Value::Text(text) | Value::Odd(text), ["integer" | "number", ..]) => {
                number_instead(text, &self.path)
            }
            (Value::List(elements), ["object", ..]) => map_instead(elements, self.path == ["tenants"]),
            _ => None,
        };
        self.findings.error(Some(place), message).help = help;
    }

    /// A number where text is wanted is the text that was written.
    fn number_as_text(&mut self, text: &str, place: Span) -> Json {
        let message = format!("{} must be text, not a number; it is read as \"{text}\"", self.name());
        self.findings.warning(Some(place), message).help(format!("write \"{text}\", in quotes"));
        text.into()
    }

    fn range(&mut self, number: &serde_json::Number, schema: &Json, place: Span) -> bool {
        let is = number.as_f64().unwrap_or_default();
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        let (low, high) = (bound("minimum"), bound("maximum"));
        let fits = low.is_none_or(|low| low <= is) && high.is_none_or(|high| is <= high);
        if !fits {
            let help = match (low, high) {
                (Some(low), Some(high)) if low == high => format!("write {low}"),
                (Some(low), Some(high)) => format!("write a number from {low} to {high}"),
                (Some(low), None) => format!("write at least {low}"),
                (None, high) => format!("write at most {}", high.unwrap_or_default()),
            };
            let message = format!("{} cannot be {number}", self.name());
            self.findings.error(Some(place), message).help(help);
        }
        fits
    }
}

/// Does a map have the fields that these branches want?
fn holds(node: &Node, schema: &Json) -> bool {
    let list = |key: &str| schema.get(key).and_then(Json::as_array);
    let has =
        |fields: &Vec<Json>| fields.iter().filter_map(Json::as_str).all(|field| node.get(field).is_some());
    list("required").is_none_or(has)
        && schema.get("not").is_none_or(|not| !holds(node, not))
        && list("anyOf").is_none_or(|branches| branches.iter().any(|branch| holds(node, branch)))
        && list("allOf").is_none_or(|branches| branches.iter().all(|branch| holds(node, branch)))
        && list("oneOf")
            .is_none_or(|branches| branches.iter().filter(|branch| holds(node, branch)).count() == 1)
}

/// All fields that any branch wants.
fn required<'s>(schema: &'s Json, fields: &mut Vec<&'s str>) {
    for field in
        schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
    {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        schema
            .get(key)
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .for_each(|branch| required(branch, fields));
    }
    schema.get("not").into_iter().for_each(|not| required(not, fields));
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn words(schema: &Json) -> Option<Vec<&str>> {
    if let Some(word) = schema.get("const").and_then(Json::as_str) {
        return Some(vec![word]);
    }
    schema.get("enum")?.as_array().map(|words| words.iter().filter_map(Json::as_str).collect())
}

fn fits(node: &Node, name: &str) -> bool {
    match &node.value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Odd(_) => false,
        Value::Number(number, _) => name == "number" || (name == "integer" && !number.is_f64()),
        Value::Text(_) | Value::Expanded { .. } => name == "string",
        Value::List(_) => name == "array",
        Value::Map(_) => name == "object",
    }
}

/// What a value is, in words.
fn kind(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "empty",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(..) | Value::Odd(_) => "a number",
        Value::Text(_) | Value::Expanded { .. } => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}
