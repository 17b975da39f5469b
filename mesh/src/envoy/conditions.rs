//! Conditions of a route, as Envoy's RouteMatch.
//!
//! What they mean is what Istio makes of an HTTPMatchRequest (`TranslateRouteMatch` in pilot/pkg/networking/core/route/route.go): a
//! prefix is one of the text, and a header that must not be there, or not be so, may be absent.

use serde_json::{Value as Json, json};

use crate::lacking::Lost;
use crate::routes::{MATCH, Match, Place, Text};

/// One condition. Its port is not part of it: virtual hosts are made port by port.
pub(super) fn of(one: &Match, place: &Place, lost: &mut Lost) -> Json {
    let mut json = path(one, place, lost);
    let mut headers: Vec<Json> =
        [(":method", &one.method), (":scheme", &one.scheme), (":authority", &one.host)]
            .into_iter()
            .filter_map(|(name, text)| Some(condition(name, text.as_ref()?, place, lost)))
            .collect();
    headers.extend(
        one.headers.iter().map(|(name, text)| condition(&name.to_ascii_lowercase(), text, place, lost)),
    );
    headers.extend(one.without_headers.iter().map(|(name, text)| {
        let mut json = condition(&name.to_ascii_lowercase(), text, place, lost);
        json["invert_match"] = true.into();
        // Absent is not this value, either.
        if json.get("present_match").is_none() {
            json["treat_missing_header_as_empty"] = true.into();
        }
        json
    }));
    if !headers.is_empty() {
        json["headers"] = headers.into();
    }
    let query: Vec<Json> = one.query.iter().map(|(name, text)| condition(name, text, place, lost)).collect();
    if !query.is_empty() {
        json["query_parameters"] = query.into();
    }
    left_out(one, place, lost);
    json
}

fn path(one: &Match, place: &Place, lost: &mut Lost) -> Json {
    let mut json = match &one.path {
        None | Some(Text::Present) => json!({"prefix": "/"}),
        Some(Text::Exact(text)) => json!({"path": text}),
        Some(Text::Prefix(text)) => json!({"prefix": text}),
        Some(Text::Regex(text)) => json!({"safe_regex": {"regex": text}}),
        Some(Text::Other(_)) => {
            place.lose(lost, (MATCH, "uri"), UNREADABLE, KINDS);
            json!({"prefix": "/"})
        }
    };
    if one.ignores_path_case == Some(true) && json.get("safe_regex").is_none() {
        json["case_sensitive"] = false.into();
    }
    json
}

const UNREADABLE: &str = "is no condition on a text";
const KINDS: &str = "write one of `exact`, `prefix` and `regex`";

/// A condition on a header or on a parameter: both have these fields.
fn condition(name: &str, text: &Text, place: &Place, lost: &mut Lost) -> Json {
    match text {
        Text::Exact(text) => json!({"name": name, "string_match": {"exact": text}}),
        Text::Prefix(text) if !text.is_empty() => json!({"name": name, "string_match": {"prefix": text}}),
        // As Istio: every value will do.
        Text::Present | Text::Prefix(_) => json!({"name": name, "present_match": true}),
        Text::Regex(text) if text == "*" => json!({"name": name, "present_match": true}),
        Text::Regex(text) => json!({"name": name, "string_match": {"safe_regex": {"regex": text}}}),
        Text::Other(_) => {
            place.lose(lost, (MATCH, name), UNREADABLE, KINDS);
            json!({"name": name, "present_match": true})
        }
    }
}

/// What Envoy does not know of a request.
fn left_out(one: &Match, place: &Place, lost: &mut Lost) {
    const HEADER: &str = "match a header that the caller sends";
    if !one.caller_labels.is_empty() {
        place.lose(
            lost,
            (MATCH, "sourceLabels"),
            "asks for labels of the caller's pod, which Envoy does not know",
            HEADER,
        );
    }
    if one.caller_namespace.is_some() {
        place.lose(
            lost,
            (MATCH, "sourceNamespace"),
            "asks for the caller's namespace, which Envoy does not know",
            HEADER,
        );
    }
    if !one.gateways.is_empty() {
        place.lose(
            lost,
            (MATCH, "gateways"),
            "names resources of Istio",
            "expose the service at some of `edge.gateways` instead",
        );
    }
    let claims = one.headers.keys().chain(one.without_headers.keys()).filter(|name| name.starts_with('@'));
    for name in claims {
        place.lose(
            lost,
            (MATCH, name),
            "matches a claim, which Istio reads of its own metadata",
            "give callers with this claim a tenant, in `edge.rules`",
        );
    }
    for key in one.istio.keys().filter(|key| *key != "name") {
        place.lose(lost, (MATCH, key), "is Istio's, and Envoy has nothing like it", "take it off the file");
    }
}
