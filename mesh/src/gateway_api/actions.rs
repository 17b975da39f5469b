//! What becomes of a request: fields of Istio's HTTPRoute, as an HTTPRouteRule has them.

use serde_json::{Map, Value as Json, json};

use super::limits::{self, INSTEAD, UNSUPPORTED};
use super::precedence::segments;
use crate::dns::is_dns_name;
use crate::document::duration;
use crate::lacking::Lost;
use crate::mesh::Fields;
use crate::routes::{HTTP, Match, Place, Rule, Target, Text};

/// What a backend is told of the place of its route.
pub struct Around<'a> {
    /// The namespace of the route.
    pub namespace: &'a str,
    /// What the full names of Services end in: `.svc.cluster.local`.
    pub end: &'a str,
    /// The port of the service.
    pub port: u16,
}

/// The fields of a rule besides name and matches, which was found sayable. What is left out of the API's defaults is written.
pub fn json(rule: &Rule, around: &Around<'_>) -> Fields {
    let said = rule.fields();
    let mut fields = Fields::new();
    let mut filters = header_filters(said.get("headers").unwrap_or(&Json::Null));
    filters.extend(said.get("rewrite").map(|rewrite| rewritten(rewrite, &rule.matches)));
    filters.extend(said.get("redirect").map(redirected));
    if !filters.is_empty() {
        fields.insert("filters".to_owned(), filters.into());
    }
    if !said.contains_key("redirect") {
        let several = rule.to.len() > 1;
        let backends = rule.to.iter().map(|(target, weight)| {
            let mut backend = backend(target, around);
            // Percent of a percent; the API's default is 1.
            backend["weight"] = if several { *weight } else { 1 }.into();
            let filters = header_filters(&target.headers.clone().into());
            if !filters.is_empty() {
                backend["filters"] = filters.into();
            }
            backend
        });
        fields.insert("backendRefs".to_owned(), backends.collect());
    }
    let retries = said.get("retries").unwrap_or(&Json::Null);
    let mut timeouts = Map::new();
    for (key, text) in [("request", said.get("timeout")), ("backendRequest", retries.get("perTryTimeout"))] {
        timeouts
            .extend(text.and_then(Json::as_str).and_then(length).map(|text| (key.to_owned(), text.into())));
    }
    if !timeouts.is_empty() {
        fields.insert("timeouts".to_owned(), timeouts.into());
    }
    if let Some(attempts) = retries.get("attempts") {
        fields.insert("retry".to_owned(), json!({"attempts": attempts}));
    }
    fields
}

/// A duration as the API has it (GEP-2257): whole numbers of units, up to milliseconds.
fn length(text: &str) -> Option<String> {
    let millis = match duration::parse(text) {
        Some(length) => length.as_millis(),
        None if duration::is_zero(text) => return Some("0s".to_owned()),
        None => return None,
    };
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s"), (rest, "ms")];
    Some(
        parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| format!("{count}{unit}"))
            .collect(),
    )
}

/// Istio's Headers, as filters.
fn header_filters(headers: &Json) -> Vec<Json> {
    let sides = [
        ("request", "RequestHeaderModifier", "requestHeaderModifier"),
        ("response", "ResponseHeaderModifier", "responseHeaderModifier"),
    ];
    let of = |(side, kind, key): (&str, &str, &str)| {
        let said = &headers[side];
        let mut edits = Map::new();
        for edit in ["set", "add"] {
            let pairs = said[edit].as_object().into_iter().flatten();
            let pairs: Vec<Json> = pairs.map(|(name, value)| json!({"name": name, "value": value})).collect();
            if !pairs.is_empty() {
                edits.insert(edit.to_owned(), pairs.into());
            }
        }
        if said["remove"].as_array().is_some_and(|names| !names.is_empty()) {
            edits.insert("remove".to_owned(), said["remove"].clone());
        }
        (!edits.is_empty()).then(|| json!({"type": kind, key: edits}))
    };
    sides.into_iter().filter_map(of).collect()
}

/// A host, as an object of the API: a Service, or a name that a ServiceEntry has.
pub fn backend(target: &Target, around: &Around<'_>) -> Json {
    let port = target.port.unwrap_or(around.port);
    match target.host.strip_suffix(around.end).and_then(|name| name.split_once('.')) {
        Some((name, namespace)) => {
            let mut backend = json!({"group": "", "kind": "Service", "name": name, "port": port});
            if namespace != around.namespace {
                backend["namespace"] = namespace.into();
            }
            backend
        }
        None => {
            json!({"group": "networking.istio.io", "kind": "Hostname", "name": target.host, "port": port})
        }
    }
}

fn rewritten(said: &Json, matches: &[Match]) -> Json {
    let mut rewrite = Map::new();
    if let Some(host) = said.get("authority") {
        rewrite.insert("hostname".to_owned(), host.clone());
    }
    if let Some(path) = said.get("uri") {
        let is_exact = matches.iter().all(|one| matches!(one.path, Some(Text::Exact(_))));
        let path = match is_exact {
            true => json!({"type": "ReplaceFullPath", "replaceFullPath": path}),
            false => json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": path}),
        };
        rewrite.insert("path".to_owned(), path);
    }
    json!({"type": "URLRewrite", "urlRewrite": rewrite})
}

fn redirected(said: &Json) -> Json {
    // Istio's default; the API's is 302.
    let mut redirect = json!({"statusCode": said.get("redirectCode").unwrap_or(&json!(301))});
    for (istios, key) in [("authority", "hostname"), ("scheme", "scheme"), ("port", "port")] {
        if let Some(value) = said.get(istios) {
            redirect[key] = value.clone();
        }
    }
    if let Some(path) = said.get("uri") {
        redirect["path"] = json!({"type": "ReplaceFullPath", "replaceFullPath": path});
    }
    json!({"type": "RequestRedirect", "requestRedirect": redirect})
}

/// Fields of Istio's HTTPRoute that the API has as well.
const KNOWN: [&str; 5] = ["headers", "timeout", "retries", "rewrite", "redirect"];

/// Says what the API cannot.
pub fn check(rule: &Rule, place: &Place, lost: &mut Lost) {
    let said = rule.fields();
    let mut lose = |key: &str, text: &str, instead| place.lose(lost, (HTTP, key), text, instead);
    for key in said.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
        lose(key, UNSUPPORTED, INSTEAD);
    }
    for (key, fields) in [
        ("retries", &["attempts", "perTryTimeout"][..]),
        ("rewrite", &["uri", "authority"]),
        ("redirect", &["uri", "authority", "port", "scheme", "redirectCode"]),
    ] {
        let others = said.get(key).and_then(Json::as_object).into_iter().flatten().map(|(name, _)| name);
        for name in others.filter(|name| !fields.contains(&name.as_str())) {
            lose(&format!("{key}.{name}"), UNSUPPORTED, INSTEAD);
        }
    }
    let retries = said.get("retries").unwrap_or(&Json::Null);
    for (key, text) in
        [("timeout", said.get("timeout")), ("retries.perTryTimeout", retries.get("perTryTimeout"))]
    {
        if text.is_some_and(|text| text.as_str().and_then(length).is_none()) {
            lose(
                key,
                "is an invalid duration: expected whole milliseconds",
                "write one, as in `5s` or `500ms`",
            );
        }
    }
    let lengths = [said.get("timeout"), retries.get("perTryTimeout")];
    if let [Some(whole), Some(each)] =
        lengths.map(|text| text.and_then(Json::as_str).and_then(duration::parse))
        && each > whole
    {
        lose("retries.perTryTimeout", "is longer than `timeout`", "write at most `timeout`");
    }
    if retries.get("attempts").is_some_and(|attempts| attempts.as_u64().is_none_or(|attempts| attempts == 0))
    {
        lose("retries.attempts", "is not supported: expected 1 or more", INSTEAD);
    }
    rewrite(rule, said.get("rewrite").unwrap_or(&Json::Null), &mut lose);
    redirect(said.get("redirect").unwrap_or(&Json::Null), &mut lose);
    let of_targets = rule.to.iter().map(|(target, _)| Json::from(target.headers.clone()));
    for headers in said.get("headers").cloned().into_iter().chain(of_targets) {
        header_edits(&headers, &mut lose);
    }
}

type Lose<'l> = dyn FnMut(&str, &str, &'static str) + 'l;

/// Of paths, a prefix is replaced segment by segment, and `/` is none.
fn rewrite(rule: &Rule, said: &Json, lose: &mut Lose<'_>) {
    let is_path = |one: &Match| match &one.path {
        Some(Text::Exact(_)) => true,
        Some(Text::Prefix(prefix)) => segments(prefix) != "/",
        _ => false,
    };
    if said.get("uri").is_some() && !rule.matches.iter().all(is_path) {
        lose(
            "rewrite.uri",
            "needs a path in every match",
            "write `uri: {prefix: /…}` or `{exact: /…}` in each match",
        );
    }
    if said["authority"].as_str().is_some_and(|host| !is_dns_name(host)) {
        lose("rewrite.authority", "is not a lower-case host without a port", HOST);
    }
}

const HOST: &str = "write one, as in `shop.example.com`";

fn redirect(said: &Json, lose: &mut Lose<'_>) {
    if said["authority"].as_str().is_some_and(|host| !is_dns_name(host)) {
        lose("redirect.authority", "is not a lower-case host without a port", HOST);
    }
    if said.get("authority").is_some() && said.get("scheme").is_none() && said.get("port").is_none() {
        lose(
            "redirect.authority",
            "would keep the port of the request in the Gateway API",
            "write `scheme` or `port` as well",
        );
    }
    if said["scheme"].as_str().is_some_and(|scheme| !["http", "https"].contains(&scheme)) {
        lose("redirect.scheme", "is unknown: expected `http` or `https`", "write one of them");
    }
    if said["redirectCode"].as_u64().is_some_and(|code| !limits::CODES.contains(&code)) {
        lose("redirect.redirectCode", "is unknown: expected 301, 302, 303, 307 or 308", "write one of them");
    }
}

fn header_edits(headers: &Json, lose: &mut Lose<'_>) {
    for edits in ["request", "response"].map(|side| &headers[side]) {
        let set = ["set", "add"].map(|key| edits[key].as_object());
        let remove = edits["remove"].as_array();
        let counts = set.iter().flatten().map(|pairs| pairs.len()).chain(remove.map(Vec::len));
        if counts.max() > Some(limits::MOST) {
            lose(
                "headers",
                "changes more than the 16 headers that the Gateway API allows",
                "change at most 16 headers in each of `set`, `add` and `remove`",
            );
        }
        let pairs = || set.iter().flatten().flat_map(|pairs| pairs.iter());
        let names = pairs()
            .map(|(name, _)| name.as_str())
            .chain(remove.into_iter().flatten().filter_map(Json::as_str));
        if let Some(name) = names.into_iter().find(|name| !limits::is_name(name)) {
            lose(
                "headers",
                &format!("has the name `{name}`, which the Gateway API does not allow"),
                "write letters, digits and `!#$%&'*+-.^_|~`",
            );
        }
        let is_value = |value: &Json| {
            value.as_str().is_some_and(|value| !value.is_empty() && value.len() <= limits::LONGEST[0])
        };
        if let Some((name, _)) = pairs().find(|(_, value)| !is_value(value)) {
            lose(
                "headers",
                &format!("gives `{name}` an empty or too long value"),
                "write 1 to 4096 characters",
            );
        }
    }
}
