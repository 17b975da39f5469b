//! The generated part of docs/: compared with what the program says about itself, or, with GRAYLANE_DOCS=write,
//! rewritten (`make docs`).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use graylane::args::Cli;
use graylane::document;
use graylane::document::shape::SCHEMA;
use graylane::mesh::Mesh;
use graylane::report::{Decision, LaneMap, drawing, page};
use serde_json::Value as Json;

fn current(file: &str, text: &str) {
    let path = root().join(file);
    if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
        std::fs::write(&path, text).unwrap();
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(is == text, "{file} is not current: run `make docs`");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Pages that show files of the checkout: a comment with the path, then a block with what is in it.
#[test]
fn files_that_pages_show() {
    for page in [
        "docs/start.md",
        "docs/edge.md",
        "docs/owners.md",
        "examples/events/README.md",
        "examples/eighty/README.md",
    ] {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        let mut shown = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            shown += &format!("{line}\n");
            let path = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
            let Some(path) = path.filter(|path| root().join(path).is_file()) else { continue };
            shown += &format!("{}\n", lines.next().unwrap_or_default());
            shown += &std::fs::read_to_string(root().join(path)).unwrap();
            lines.by_ref().find(|line| *line == "```").expect("the end of the block");
            shown += "```\n";
        }
        current(page, &shown);
    }
}

#[test]
fn schema_of_the_file() {
    current("docs/graylane.schema.json", &(serde_json::to_string_pretty(&*SCHEMA).unwrap() + "\n"));
}

#[test]
fn reference_of_the_file() {
    let mut text = "# The file\n\nMade from the types that read it; `graylane schema` prints the same as JSON schema, for editors.\n".to_owned();
    let mut seen = Vec::new();
    section(&mut text, "graylane.yaml", &SCHEMA, &mut seen);
    current("docs/file.md", &text);
}

fn resolve(schema: &Json) -> &Json {
    let reference =
        schema.get("$ref").and_then(Json::as_str).and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| SCHEMA.pointer(pointer)).unwrap_or(schema)
}

/// The type that is meant: nothing is the absence of a key.
fn meant(schema: &Json) -> &Json {
    let branches = schema.get("anyOf").and_then(Json::as_array).into_iter().flatten();
    let mut some = branches.filter(|branch| branch.get("type").and_then(Json::as_str) != Some("null"));
    match (some.next(), some.next()) {
        (Some(only), None) => resolve(only),
        _ => resolve(schema),
    }
}

/// The map of what is a map, or a word or a boolean.
fn structured(schema: &Json) -> &Json {
    let inner = meant(schema);
    let branches = inner.get("anyOf").and_then(Json::as_array).into_iter().flatten().map(resolve);
    let is_map = |branch: &&Json| {
        branch.get("properties").is_some() || branch.get("additionalProperties").is_some_and(Json::is_object)
    };
    let is_switch = |branch: &Json| branch.get("type").and_then(Json::as_str) == Some("boolean");
    let words = branches.clone().any(|branch| words(branch).is_some() || is_switch(branch));
    let map = if words { branches.clone().find(is_map) } else { None };
    map.unwrap_or(inner)
}

fn words(schema: &Json) -> Option<Vec<String>> {
    let branches = schema.get("oneOf").and_then(Json::as_array);
    let constants =
        branches.map(|branches| branches.iter().filter_map(|branch| branch.get("const")).collect::<Vec<_>>());
    let all = constants
        .filter(|words| !words.is_empty())
        .or_else(|| schema.get("enum")?.as_array().map(|words| words.iter().collect()))?;
    Some(all.iter().filter_map(|word| word.as_str()).map(|word| format!("`{word}`")).collect())
}

fn kind(schema: &Json) -> String {
    let schema = meant(schema);
    if let Some(words) = words(schema) {
        return words.join(", ");
    }
    let branches = schema.get("anyOf").and_then(Json::as_array);
    if let Some(branches) = branches {
        return branches.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let name = match schema.get("type") {
        Some(Json::Array(names)) => {
            names.iter().filter_map(Json::as_str).find(|name| *name != "null").unwrap_or_default()
        }
        Some(Json::String(name)) => name,
        _ => "anything",
    };
    match name {
        "object" => match schema.get("additionalProperties").filter(|inner| inner.is_object()) {
            Some(inner) => format!("map of name to {}", kind(inner)),
            None => "map".to_owned(),
        },
        "array" => format!("list of {}", schema.get("items").map_or_else(|| "anything".to_owned(), kind)),
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        other => other.to_owned(),
    }
}

/// What it has is described at `edge` and `sticky`, where most files have it.
const DESCRIBED_ELSEWHERE: &str = "edge.gateways.&lt;name&gt;";

/// A table of an object's keys, then the same for the objects in it.
fn section(text: &mut String, path: &str, schema: &Json, seen: &mut Vec<String>) {
    let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    let about = schema.get("description").and_then(Json::as_str).unwrap_or_default();
    let _ = write!(
        text,
        "\n## {path}\n\n{}\n\n| key | | what | default |\n|-|-|-|-|\n",
        about.replace('\n', " ")
    );
    for (key, property) in properties {
        let about = property.get("description").or_else(|| resolve(property).get("description"));
        let about = about.and_then(Json::as_str).unwrap_or_default().replace('\n', " ");
        let default = match property.get("default") {
            _ if required.contains(&key.as_str()) => "required".to_owned(),
            Some(Json::Null) | None => String::new(),
            Some(Json::Object(_)) => String::new(),
            Some(Json::Array(list)) if list.is_empty() => String::new(),
            Some(Json::String(word)) => format!("`{word}`"),
            Some(value) => format!("`{value}`"),
        };
        let _ = writeln!(text, "| `{key}` | {} | {about} | {default} |", kind(property));
    }
    if path == DESCRIBED_ELSEWHERE {
        return;
    }
    for (key, property) in properties {
        let inner = structured(property);
        let (path, inner) =
            match (inner.get("additionalProperties").filter(|inner| inner.is_object()), inner.get("items")) {
                (Some(inner), _) => (format!("{path}.{key}.&lt;name&gt;"), meant(inner)),
                (None, Some(items)) => (format!("{path}.{key}[]"), meant(items)),
                (None, None) => (format!("{path}.{key}"), inner),
            };
        let path = path.replace("graylane.yaml.", "");
        let identity = inner.to_string();
        if inner.get("properties").is_some() && !seen.contains(&identity) {
            seen.push(identity);
            section(text, &path, inner, seen);
        }
    }
}

#[test]
fn reference_of_the_commands() {
    let mut text = "# The commands\n\nMade from `graylane --help`.\n\nstdout carries data, stderr carries messages. Exit 0: fine; 1: something was found; 2: wrong use, or it did not work.\n".to_owned();
    let mut command = Cli::command().term_width(110);
    command.build();
    for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        let name = sub.get_name().to_owned();
        let _ = write!(text, "\n## graylane {name}\n\n```text\n{}```\n", sub.render_long_help());
    }
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    current("docs/commands.md", &(trimmed.join("\n") + "\n"));
}

/// The drawing in the README: what `graylane report` draws of these requests.
#[test]
fn drawing_of_the_lanes() {
    let bank = include_str!("../../examples/observability/graylane.yaml");
    let mesh = Mesh::of(
        &graylane::check::open(document::load_text("graylane.yaml", bank).unwrap()).checked().unwrap(),
    );
    // Workload, direction, tenant, subset, source, service, requests a minute.
    let rows = [
        ("gateway", "gateway", "gray-v1", "canary", "claim", "api", 84),
        ("gateway", "gateway", "green", "canary", "default", "api", 310),
        ("gateway", "gateway", "green", "stable", "default", "api", 930),
        ("invoice-mailer", "outbound", "gray-v1", "canary", "workload", "api", 36),
        ("api-v2", "inbound", "gray-v1", "canary", "header", "", 120),
        ("api-v2", "inbound", "green", "canary", "header", "", 310),
        ("api-v1", "inbound", "green", "stable", "header", "", 930),
        ("api-v2", "outbound", "gray-v1", "canary", "header", "orders", 120),
        ("api-v1", "outbound", "green", "stable", "header", "orders", 1240),
        ("orders-v2", "inbound", "gray-v1", "canary", "header", "", 120),
        ("orders-v1", "inbound", "green", "stable", "header", "", 1240),
        ("orders-v2", "outbound", "gray-v1", "stable", "memory", "ledger", 95),
        ("orders-v1", "outbound", "green", "stable", "header", "ledger", 1100),
        ("ledger", "inbound", "gray-v1", "stable", "header", "", 95),
        ("ledger", "inbound", "green", "stable", "header", "", 1100),
    ];
    let decisions = rows.map(|(workload, direction, tenant, subset, source, service, count)| {
        let text = ToOwned::to_owned;
        let decision = Decision {
            namespace: "bank".to_owned(),
            workload: text(workload),
            direction: text(direction),
            tenant: text(tenant),
            subset: text(subset),
            source: text(source),
            service: text(service),
        };
        (decision, f64::from(count))
    });
    let map = LaneMap::of(&mesh, &decisions.into(), 1.0);
    assert_eq!(map.breaks.len(), 1);
    assert_eq!(
        map.breaks[0].says,
        "orders receives 120 gray-v1 requests a minute; none of its 95 gray-v1 calls to ledger carry the tenant: 95 were restored from the request id or trace id."
    );
    // `make pictures` looks at the page, too.
    if let Some(path) = std::env::var_os("GRAYLANE_REPORT") {
        std::fs::write(path, page(&map)).unwrap();
    }
    current("docs/lanes.svg", &drawing(&map));
}
