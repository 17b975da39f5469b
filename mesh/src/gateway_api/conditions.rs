//! Matches, as HTTPRouteMatch. What is left out of its defaults is written, so that an object of the cluster equals what was rendered.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::limits::{INSTEAD, LONGEST, MOST, UNSUPPORTED, is_name, is_path};
use crate::lacking::Lost;
use crate::routes::{MATCH, Match, Place, Text};

/// Methods that the API knows (HTTPMethod in apis/v1/httproute_types.go).
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// A match that was said to be sayable.
pub fn json(one: &Match) -> Json {
    let mut json = json!({"path": path(one.path.as_ref())});
    if let Some(Text::Exact(method)) = &one.method {
        json["method"] = method.as_str().into();
    }
    for (key, texts) in [("headers", &one.headers), ("queryParams", &one.query)] {
        if !texts.is_empty() {
            json[key] = texts.iter().map(|(name, text)| named(name, text)).collect();
        }
    }
    json
}

fn path(text: Option<&Text>) -> Json {
    let (kind, value) = match text {
        Some(Text::Exact(path)) => ("Exact", path.as_str()),
        Some(Text::Prefix(path)) => ("PathPrefix", path.as_str()),
        Some(Text::Regex(path)) => ("RegularExpression", path.as_str()),
        None | Some(Text::Present | Text::Other(_)) => ("PathPrefix", "/"),
    };
    json!({"type": kind, "value": value})
}

/// A condition on a header or on a parameter: both have these fields.
fn named(name: &str, text: &Text) -> Json {
    let (kind, value) = match text {
        Text::Exact(value) => ("Exact", value.clone()),
        Text::Prefix(value) => ("RegularExpression", format!("{}.*", regex_syntax::escape(value))),
        Text::Regex(value) if value != "*" => ("RegularExpression", value.clone()),
        Text::Regex(_) | Text::Present | Text::Other(_) => ("RegularExpression", ".*".to_owned()),
    };
    json!({"type": kind, "name": name, "value": value})
}

/// Says what the API cannot. The port of its service is not among the conditions any more.
pub fn check(one: &Match, place: &Place, lost: &mut Lost) {
    let mut lose = |key: &str, text: &str, instead| place.lose(lost, (MATCH, key), text, instead);
    if one.ignores_path_case == Some(true) {
        lose(
            "ignoreUriCase",
            UNSUPPORTED,
            "write one `exact` or `prefix` match for each spelling, or `routes: virtual-service` under `mesh`",
        );
    }
    if !one.without_headers.is_empty() {
        lose(
            "withoutHeaders",
            UNSUPPORTED,
            "put a route before this one that matches requests with the header",
        );
    }
    for (key, said) in [("scheme", &one.scheme), ("authority", &one.host)] {
        if said.is_some() {
            lose(key, UNSUPPORTED, INSTEAD);
        }
    }
    if !one.caller_labels.is_empty() {
        lose("sourceLabels", UNSUPPORTED, "match a header that the caller sends");
    }
    if one.caller_namespace.is_some() {
        lose("sourceNamespace", UNSUPPORTED, "match a header that the caller sends");
    }
    if !one.gateways.is_empty() {
        lose("gateways", "refers to Istio Gateways", "expose the service at some of `edge.gateways` instead");
    }
    if one.port.is_some() {
        lose(
            "port",
            "is not supported: an HTTPRoute applies to the service's port inside the mesh, and to each listener at a gateway",
            "remove it",
        );
    }
    for key in one.istio.keys().filter(|key| *key != "name") {
        lose(key, UNSUPPORTED, INSTEAD);
    }
    match &one.method {
        None => {}
        Some(Text::Exact(method)) if METHODS.contains(&method.as_str()) => {}
        Some(_) => lose(
            "method",
            "is not supported: the Gateway API has exact methods only",
            "write one match for each method, as in `method: {exact: GET}`",
        ),
    }
    check_path(one.path.as_ref(), &mut lose);
    for (key, texts) in [("headers", &one.headers), ("queryParams", &one.query)] {
        check_texts(key, texts, &mut lose);
    }
}

fn check_path(path: Option<&Text>, lose: &mut dyn FnMut(&str, &str, &'static str)) {
    const KINDS: &str = "write one of `exact`, `prefix` and `regex`";
    match path {
        None => {}
        Some(Text::Exact(path) | Text::Prefix(path)) if is_path(path) => {}
        Some(Text::Exact(_) | Text::Prefix(_)) => lose(
            "uri",
            "is an invalid path",
            "write a path that starts with `/`, of letters, digits, `-._~!$&'()*+,;=:@` and escapes as in `%41`, without `//`, `/./`, `/../` and `%2F`",
        ),
        Some(Text::Regex(path)) if path.len() <= LONGEST[2] => {}
        Some(_) => lose("uri", "has an unknown condition", KINDS),
    }
}

fn check_texts(
    key: &'static str,
    texts: &BTreeMap<String, Text>,
    lose: &mut dyn FnMut(&str, &str, &'static str),
) {
    // Two are ours: that of the tenant and that of the choice.
    if texts.len() + 2 > MOST {
        lose(
            key,
            "has more than 14 conditions: the Gateway API allows 16, and graylane adds two",
            "write at most 14",
        );
    }
    let longest = if key == "headers" { LONGEST[0] } else { LONGEST[1] };
    for (name, text) in texts {
        match text {
            _ if !name.starts_with('@') && !is_name(name) => {
                lose(
                    key,
                    "has a name that the Gateway API does not allow",
                    "write letters, digits and `!#$%&'*+-.^_|~`",
                );
            }
            Text::Other(_) => {
                lose(key, "has an unknown condition", "write one of `exact`, `prefix` and `regex`");
            }
            Text::Exact(value) | Text::Prefix(value) | Text::Regex(value)
                if value.is_empty() || value.len() > longest =>
            {
                lose(
                    key,
                    "has a value that is empty or too long",
                    "write 1 to 4096 characters for a header, 1 to 1024 for a parameter",
                );
            }
            _ if name.starts_with('@') => {
                lose(
                    key,
                    "matches a JWT claim, which the Gateway API cannot",
                    "give callers with this claim a tenant, in `edge.rules`",
                );
            }
            _ => {}
        }
    }
}
