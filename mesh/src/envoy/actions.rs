//! What becomes of a request: fields of Istio's HTTPRoute, as fields of an Envoy route.

use serde_json::{Value as Json, json};

use super::names::cluster_name;
use super::{header_edits, types};
use crate::document::duration;
use crate::lacking::Lost;
use crate::mesh::Fields;
use crate::routes::{HTTP, Match, Place, Rule, Target, Text};

/// A route without its name and match. `port`: where requests go that no version sends to a port of its own.
pub(super) fn of(rule: &Rule, port: u16, place: &Place, lost: &mut Lost) -> Fields {
    let said = rule.fields();
    let mut headers = said.get("headers").cloned().unwrap_or(Json::Null);
    if let [(only, _)] = &rule.to[..] {
        // As Istio (`processDestination` in route.go): those of the only destination come last.
        join(&mut headers, &Json::from(only.headers.clone()));
    }
    no_host(&headers, place, lost);
    let mut route = header_edits::of(&headers);
    unknown(&said, place, lost);
    let (key, action) = match (said.get("redirect"), said.get("directResponse")) {
        (Some(redirect), _) => ("redirect", redirected(redirect, place, lost)),
        (None, Some(answer)) => ("direct_response", answered(answer, place, lost)),
        (None, None) => ("route", sent(rule, &said, port, place, lost)),
    };
    route.insert(key.to_owned(), action);
    route
}

/// Adds Istio's Headers to others: what is set later counts, and lists go on.
fn join(headers: &mut Json, further: &Json) {
    match (headers, further) {
        (Json::Object(own), Json::Object(others)) => {
            for (key, value) in others {
                join(own.entry(key.clone()).or_insert(Json::Null), value);
            }
        }
        (Json::Array(own), Json::Array(others)) => own.extend(others.clone()),
        (own, others) => {
            if !others.is_null() {
                own.clone_from(others);
            }
        }
    }
}

/// Envoy refuses a table that edits these headers.
fn no_host(headers: &Json, place: &Place, lost: &mut Lost) {
    let is_fixed = |name: &str| name.starts_with(':') || name.eq_ignore_ascii_case("host");
    for edits in ["request", "response"].map(|side| &headers[side]) {
        let set = ["set", "add"]
            .map(|key| edits[key].as_object())
            .into_iter()
            .flatten()
            .flatten()
            .map(|(name, _)| name.as_str());
        let removed = edits["remove"].as_array().into_iter().flatten().filter_map(Json::as_str);
        if let Some(name) = set.chain(removed).find(|name| is_fixed(name)) {
            let text = format!("cannot change `{name}`");
            place.lose(
                lost,
                (HTTP, "headers"),
                &text,
                "write `rewrite: {authority: …}` to call another host",
            );
        }
    }
}

/// All that is read here.
const KNOWN: [&str; 6] = ["headers", "timeout", "retries", "rewrite", "redirect", "directResponse"];

fn unknown(said: &Fields, place: &Place, lost: &mut Lost) {
    for key in said.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
        place.lose(
            lost,
            (HTTP, key),
            "is not written for Envoy",
            "take it off the file, and add it to the routes by a patch of your own",
        );
    }
}

/// Says what of an object has no place in what is written.
fn only(said: &Json, keys: &[&str], within: &str, place: &Place, lost: &mut Lost) {
    for key in
        said.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| !keys.contains(&key.as_str()))
    {
        place.lose(
            lost,
            (HTTP, &format!("{within}.{key}")),
            "is not written for Envoy",
            "take it off the file",
        );
    }
}

fn sent(rule: &Rule, said: &Fields, port: u16, place: &Place, lost: &mut Lost) -> Json {
    let mut action = match &rule.to[..] {
        [(only, _)] => json!({"cluster": name(only, port)}),
        several => {
            let weighted = several.iter().map(|(target, weight)| {
                let headers = Json::from(target.headers.clone());
                no_host(&headers, place, lost);
                let mut cluster = header_edits::of(&headers);
                cluster.insert("name".to_owned(), name(target, port).into());
                cluster.insert("weight".to_owned(), (*weight).into());
                Json::from(cluster)
            });
            json!({"weighted_clusters": {"clusters": weighted.collect::<Vec<_>>()}})
        }
    };
    // Envoy's own default is 15 s; Istio's, and so the file's, is none.
    action["timeout"] =
        said.get("timeout").map_or_else(|| "0s".into(), |text| seconds(text, "timeout", place, lost));
    // A caller's `grpc-timeout` counts within that, as in Istio.
    action["max_stream_duration"] = json!({"grpc_timeout_header_max": action["timeout"]});
    // Without a number Istio does not try again, either.
    if let Some(retries) =
        said.get("retries").filter(|retries| retries["attempts"].as_u64().is_some_and(|n| n > 0))
    {
        action["retry_policy"] = retried(retries, place, lost);
    }
    if let Some(rewrite) = said.get("rewrite") {
        only(rewrite, &["uri", "authority"], "rewrite", place, lost);
        if let Some(uri) = rewrite.get("uri") {
            let is_regex = |one: &Match| matches!(one.path, Some(Text::Regex(_)));
            if rule.matches.iter().any(is_regex) {
                place.lose(
                    lost,
                    (HTTP, "rewrite.uri"),
                    "is for prefixes and exact paths, and the route matches a regular expression",
                    "match a prefix",
                );
            }
            action["prefix_rewrite"] = uri.clone();
        }
        if let Some(host) = rewrite.get("authority") {
            action["host_rewrite_literal"] = host.clone();
        }
    }
    action
}

fn name(target: &Target, port: u16) -> String {
    cluster_name(&target.host, target.subset.as_deref().unwrap_or_default(), target.port.unwrap_or(port))
}

/// A duration as protobuf's JSON has it: in seconds.
fn seconds(said: &Json, key: &str, place: &Place, lost: &mut Lost) -> Json {
    let text = said.as_str().unwrap_or_default();
    match duration::parse(text) {
        Some(length) => format!("{}s", length.as_secs_f64()).into(),
        None if duration::is_zero(text) => "0s".into(),
        None => {
            place.lose(lost, (HTTP, key), "is no duration", "write one, as in `5s` or `500ms`");
            "0s".into()
        }
    }
}

/// When Istio tries again unless it is told (`DefaultPolicy` in pilot/pkg/networking/core/route/retry/retry.go).
const RETRY_ON: &str = "connect-failure,refused-stream,unavailable,cancelled";

fn retried(said: &Json, place: &Place, lost: &mut Lost) -> Json {
    only(said, &["attempts", "perTryTimeout", "retryOn"], "retries", place, lost);
    let on = said["retryOn"].as_str().filter(|on| !on.is_empty()).unwrap_or(RETRY_ON);
    let words = || on.split(',').map(str::trim).filter(|word| !word.is_empty());
    // A number is a status, which Envoy wants elsewhere.
    let codes: Vec<u32> = words().filter_map(|word| word.parse().ok()).collect();
    let mut on: Vec<&str> = words().filter(|word| word.parse::<u32>().is_err()).collect();
    if !codes.is_empty() {
        on.push("retriable-status-codes");
    }
    let mut policy = json!({
        "retry_on": on.join(","),
        "num_retries": said["attempts"],
        // Another pod than before, if there is one; as Istio has it.
        "retry_host_predicate": [{
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {"@type": types::PREVIOUS_HOSTS},
        }],
        "host_selection_retry_max_attempts": 5,
    });
    if !codes.is_empty() {
        policy["retriable_status_codes"] = codes.into();
    }
    if let Some(each) = said.get("perTryTimeout") {
        policy["per_try_timeout"] = seconds(each, "perTryTimeout", place, lost);
    }
    policy
}

fn redirected(said: &Json, place: &Place, lost: &mut Lost) -> Json {
    only(said, &["uri", "authority", "port", "scheme", "redirectCode"], "redirect", place, lost);
    let mut action = json!({});
    for (ours, envoys) in [
        ("uri", "path_redirect"),
        ("authority", "host_redirect"),
        ("port", "port_redirect"),
        ("scheme", "scheme_redirect"),
    ] {
        // The scheme's own port is left out, as in Istio.
        let pair = (said["scheme"].as_str(), said["port"].as_u64());
        let usual = ours == "port" && matches!(pair, (Some("https"), Some(443)) | (Some("http"), Some(80)));
        if let Some(value) = said.get(ours).filter(|_| !usual) {
            action[envoys] = value.clone();
        }
    }
    let code = match said["redirectCode"].as_u64() {
        None | Some(301) => "MOVED_PERMANENTLY",
        Some(302) => "FOUND",
        Some(303) => "SEE_OTHER",
        Some(307) => "TEMPORARY_REDIRECT",
        Some(308) => "PERMANENT_REDIRECT",
        Some(_) => {
            place.lose(
                lost,
                (HTTP, "redirectCode"),
                "is none that Envoy answers",
                "write 301, 302, 303, 307 or 308",
            );
            "MOVED_PERMANENTLY"
        }
    };
    action["response_code"] = code.into();
    action
}

fn answered(said: &Json, place: &Place, lost: &mut Lost) -> Json {
    only(said, &["status", "body"], "directResponse", place, lost);
    if !said["status"].as_u64().is_some_and(|status| (200..600).contains(&status)) {
        place.lose(
            lost,
            (HTTP, "directResponse.status"),
            "is no status that Envoy answers",
            "write one from 200 to 599",
        );
    }
    let mut action = json!({"status": said["status"]});
    if let Some(body) = said.get("body") {
        let field = if body.get("bytes").is_some() { "bytes" } else { "string" };
        only(body, &[field], "directResponse.body", place, lost);
        action["body"] = json!({format!("inline_{field}"): body[field]});
    }
    action
}
