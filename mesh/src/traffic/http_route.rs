//! HTTPRoutes of the Gateway API, as istiod reads them: all for one host at one place become a VirtualService, whose rules are sorted
//! (`sortHTTPRoutes` and `mergeHTTPRoutes` in istio/pilot/pkg/config/kube/gateway).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::names::namespace;
use super::request::MESH;
use super::rule::{At, Rule};
use super::virtual_service::VirtualService;
use crate::gateway_api::precedence::{Rank, rank, segments};
use crate::routes::{Match, Text};

/// A place, which is a gateway or the mesh, and a host there.
pub type Place = (String, String);

/// VirtualServices with the rules of these, the oldest first.
pub fn virtual_services(routes: &[(usize, &Json)]) -> Vec<VirtualService> {
    let mut places: BTreeMap<Place, VirtualService> = BTreeMap::new();
    let mut ranks: BTreeMap<Place, Vec<(std::cmp::Reverse<Rank>, Rule)>> = BTreeMap::new();
    for (resource, json) in routes {
        for (place, port) in parents(json) {
            let rules = rules(*resource, json, port);
            ranks.entry(place.clone()).or_default().extend(rules);
            places.entry(place).or_insert_with_key(|(gateway, host)| VirtualService {
                resource: *resource,
                kind: "HTTPRoute",
                title: format!(
                    "{}/{}",
                    namespace(json),
                    json["metadata"]["name"].as_str().unwrap_or_default()
                ),
                namespace: namespace(json).to_owned(),
                hosts: vec![host.clone()],
                gateways: vec![gateway.clone()],
                rules: Vec::new(),
                lost: Vec::new(),
            });
        }
    }
    for (place, mut rules) in ranks {
        rules.sort_by_key(|(rank, _)| *rank);
        if let Some(own) = places.get_mut(&place) {
            own.rules = rules.into_iter().map(|(_, rule)| rule).collect();
        }
    }
    places.into_values().collect()
}

/// Where a route applies, and at which port.
pub fn parents(json: &Json) -> Vec<(Place, Option<u64>)> {
    let own = namespace(json);
    let list = |key: &str| json["spec"][key].as_array().into_iter().flatten();
    let mut all = Vec::new();
    for parent in list("parentRefs") {
        let name = parent["name"].as_str().unwrap_or_default();
        let home = parent["namespace"].as_str().unwrap_or(own);
        if parent["kind"] == "Service" {
            all.push((
                (MESH.to_owned(), format!("{name}.{home}.svc.cluster.local")),
                parent["port"].as_u64(),
            ));
            continue;
        }
        let hosts: Vec<&str> = list("hostnames").filter_map(Json::as_str).collect();
        let hosts = if hosts.is_empty() { vec!["*"] } else { hosts };
        all.extend(hosts.into_iter().map(|host| ((format!("{home}/{name}"), host.to_owned()), None)));
    }
    all
}

/// The rules of a route, one for each match, each with how specific it is.
fn rules(resource: usize, json: &Json, port: Option<u64>) -> Vec<(std::cmp::Reverse<Rank>, Rule)> {
    let mut all = Vec::new();
    for (place, rule) in json["spec"]["rules"].as_array().into_iter().flatten().enumerate() {
        let fields = fields(rule, namespace(json));
        let every = [json!({})];
        let matches = rule["matches"].as_array().filter(|matches| !matches.is_empty());
        for one in matches.map_or(&every[..], Vec::as_slice) {
            let one = condition(one);
            let rank = rank(&one);
            let with_port = |mut istio: Map<String, Json>| {
                istio.extend(port.map(|port| ("port".to_owned(), port.into())));
                istio
            };
            // A file whose routes are of the Gateway API has its prefixes as they are here.
            let said = match &one.path {
                Some(Text::Prefix(path)) if segments(path) == "/" => Match { path: None, ..one.clone() },
                _ => one.clone(),
            };
            let written = with_port(said.istio());
            let mut fields = fields.clone();
            fields.insert("match".to_owned(), json!([with_port(read(one).istio())]));
            let mut rule =
                Rule::of(&fields.into(), At { resource, rule: place }, namespace(json), &|name: &str| {
                    name.to_owned()
                });
            rule.matches.iter_mut().for_each(|one| one.json.clone_from(&written));
            all.push((std::cmp::Reverse(rank), rule));
        }
    }
    all
}

fn condition(json: &Json) -> Match {
    let text = |json: &Json| {
        let value = json["value"].as_str().unwrap_or("/").to_owned();
        match json["type"].as_str() {
            Some("RegularExpression") => Text::Regex(value),
            Some("PathPrefix") => Text::Prefix(value),
            _ => Text::Exact(value),
        }
    };
    let texts = |key: &str| {
        let all = json[key].as_array().into_iter().flatten();
        all.filter_map(|one| Some((one["name"].as_str()?.to_owned(), text(one)))).collect()
    };
    let path = &json["path"];
    let path = match path["type"].as_str() {
        None => Text::Prefix(path["value"].as_str().unwrap_or("/").to_owned()),
        Some(_) => text(path),
    };
    Match {
        path: Some(path),
        method: json["method"].as_str().map(|method| Text::Exact(method.to_owned())),
        headers: texts("headers"),
        query: texts("queryParams"),
        ..Match::default()
    }
}

/// The same for Istio, whose prefixes are of texts.
fn read(one: Match) -> Match {
    let path = match one.path {
        Some(Text::Prefix(path)) if segments(&path) == "/" => None,
        Some(Text::Prefix(path)) => {
            Some(Text::Regex(format!("{}(/.*)?", regex_syntax::escape(segments(&path)))))
        }
        other => other,
    };
    Match { path, ..one }
}

/// The other fields of a rule, as Istio's HTTPRoute has them.
fn fields(rule: &Json, own: &str) -> Map<String, Json> {
    let mut fields = Map::new();
    fields.extend(rule.get("name").map(|name| ("name".to_owned(), name.clone())));
    for filter in rule["filters"].as_array().into_iter().flatten() {
        edit(filter, &mut fields);
    }
    if let Some(request) = rule.pointer("/timeouts/request") {
        fields.insert("timeout".to_owned(), request.clone());
    }
    let mut retries = Map::new();
    retries.extend(rule.pointer("/retry/attempts").map(|attempts| ("attempts".to_owned(), attempts.clone())));
    retries.extend(
        rule.pointer("/timeouts/backendRequest").map(|time| ("perTryTimeout".to_owned(), time.clone())),
    );
    if !retries.is_empty() {
        fields.insert("retries".to_owned(), retries.into());
    }
    // istiod drops those of weight 0 before it counts them (`buildHTTPDestination`).
    let backends =
        rule["backendRefs"].as_array().into_iter().flatten().filter(|backend| backend["weight"] != 0);
    let route: Vec<Json> = backends
        .map(|backend| {
            let name = backend["name"].as_str().unwrap_or_default();
            let host = match backend["kind"].as_str() {
                None | Some("Service") => {
                    format!("{name}.{}.svc.cluster.local", backend["namespace"].as_str().unwrap_or(own))
                }
                Some(_) => name.to_owned(),
            };
            let mut to =
                json!({"destination": {"host": host}, "weight": backend.get("weight").unwrap_or(&json!(1))});
            if let Some(port) = backend.get("port") {
                to["destination"]["port"] = json!({"number": port});
            }
            let mut edits = Map::new();
            for filter in backend["filters"].as_array().into_iter().flatten() {
                edit(filter, &mut edits);
            }
            if let Some(headers) = edits.remove("headers") {
                to["headers"] = headers;
            }
            to
        })
        .collect();
    fields.insert("route".to_owned(), route.into());
    fields
}

/// A filter.
fn edit(filter: &Json, fields: &mut Map<String, Json>) {
    for (key, side) in [("requestHeaderModifier", "request"), ("responseHeaderModifier", "response")] {
        let Some(said) = filter.get(key) else { continue };
        let mut edits = Map::new();
        for kind in ["set", "add"] {
            let pairs = said[kind].as_array().into_iter().flatten();
            let pairs: Map<String, Json> = pairs
                .filter_map(|pair| Some((pair["name"].as_str()?.to_owned(), pair["value"].clone())))
                .collect();
            if !pairs.is_empty() {
                edits.insert(kind.to_owned(), pairs.into());
            }
        }
        edits.extend(said.get("remove").map(|names| ("remove".to_owned(), names.clone())));
        let headers = fields.entry("headers").or_insert_with(|| json!({}));
        headers[side] = edits.into();
    }
    if let Some(rewrite) = filter.get("urlRewrite") {
        let mut said = Map::new();
        said.extend(rewrite.get("hostname").map(|host| ("authority".to_owned(), host.clone())));
        let path = ["replacePrefixMatch", "replaceFullPath"].iter().find_map(|key| rewrite["path"].get(key));
        said.extend(path.map(|path| ("uri".to_owned(), path.clone())));
        fields.insert("rewrite".to_owned(), said.into());
    }
    if let Some(redirect) = filter.get("requestRedirect") {
        let mut said = Map::new();
        for (key, istios) in [
            ("hostname", "authority"),
            ("scheme", "scheme"),
            ("port", "port"),
            ("statusCode", "redirectCode"),
        ] {
            said.extend(redirect.get(key).map(|value| (istios.to_owned(), value.clone())));
        }
        // The API's default; Istio's is 301.
        said.entry("redirectCode").or_insert_with(|| 302.into());
        let path = ["replacePrefixMatch", "replaceFullPath"].iter().find_map(|key| redirect["path"].get(key));
        said.extend(path.map(|path| ("uri".to_owned(), path.clone())));
        fields.insert("redirect".to_owned(), said.into());
    }
    // What has no place in this model is kept, so that two routes that differ in it are not the same.
    for key in ["requestMirror", "cors", "extensionRef"] {
        fields.extend(filter.get(key).map(|value| (key.to_owned(), value.clone())));
    }
}
