//! Fields of Istio's resources that a file does not carry: each is said.

use serde_json::Value as Json;

use super::claims;
use super::read::{Found, Resource};
use super::said::{self, Said};
use crate::traffic::{At, full_host};

/// Says all of them.
pub fn check(found: &Found, said: &mut Said) {
    let resources = &found.known;
    for (place, resource) in resources.iter().enumerate() {
        match resource.kind.as_str() {
            // Beside HTTPRoutes they stay.
            "VirtualService" if !found.is_of_gateway_api() => {
                virtual_service(resources, place, resource, said);
            }
            "DestinationRule" => destination_rule(resources, resource, said),
            _ => {}
        }
    }
}

/// The keys of an object that says something under them, but for these.
pub fn keys<'a>(json: &'a Json, known: &'a [&str]) -> impl Iterator<Item = &'a String> {
    let keys =
        json.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()).map(|(key, _)| key);
    keys.filter(move |key| !known.contains(&key.as_str()))
}

fn virtual_service(resources: &[Resource], index: usize, resource: &Resource, said: &mut Said) {
    let title = resource.title();
    let host = hosts(resource).into_iter().next();
    for key in keys(&resource.spec, &["hosts", "gateways", "http"]) {
        let place = Some(resource.place(&["spec", key]));
        let (what, help) = match key.as_str() {
            "tcp" | "tls" => (
                format!("{title}: `{key}` routes"),
                "keep them in a VirtualService of their own, and apply it before this one is deleted",
            ),
            "exportTo" if resource.spec["exportTo"] == serde_json::json!(["*"]) => continue,
            "exportTo" => (
                format!("{title}: `exportTo`; what is rendered is seen by the whole mesh"),
                "leave it as it is, if that matters",
            ),
            _ => (format!("{title}: Istio has no field `{key}`"), "remove it, or check its spelling"),
        };
        said.loss(place, host.as_deref(), what, help);
    }
    for (number, rule) in resource.spec["http"].as_array().into_iter().flatten().enumerate() {
        let at = At { resource: index, rule: number };
        let rule_title = said::title(resources, at);
        let mut loss = |what: String, help: &str| {
            said.rule_loss(resources, at, host.as_deref(), format!("{rule_title}: {what}"), help);
        };
        let known = [
            "name",
            "match",
            "route",
            "redirect",
            "directResponse",
            "delegate",
            "rewrite",
            "timeout",
            "retries",
            "fault",
            "mirror",
            "mirrors",
            "mirrorPercentage",
            "corsPolicy",
            "headers",
        ];
        for key in keys(rule, &known) {
            match key.as_str() {
                "mirrorPercent" | "mirror_percent" => {
                    loss(format!("`{key}`, which Istio has removed"), "write `mirrorPercentage: {value: …}`");
                }
                _ => {
                    loss(format!("Istio has no field `{key}`"), "remove it, or check its spelling");
                }
            }
        }
        for claim in claims::claims(&rule["match"]) {
            loss(
                format!(
                    "matches the claim `{claim}` of a token, which a route cannot; without the filter no request matches it"
                ),
                &format!(
                    "check whether `edge.rules` does what you need: callers with the claim get a tenant, as in \
                     `{{tenant: NAME, claim: {{name: {claim}, exact: VALUE}}}}`, and the route is for that tenant"
                ),
            );
        }
        destinations(rule, &mut loss);
    }
}

fn destinations(rule: &Json, loss: &mut dyn FnMut(String, &str)) {
    let route = rule["route"].as_array().map_or(&[][..], Vec::as_slice);
    for to in route {
        for key in keys(to, &["destination", "weight", "headers"])
            .chain(keys(&to["destination"], &["host", "subset", "port"]))
        {
            loss(format!("Istio has no field `{key}` of a destination"), "remove it, or check its spelling");
        }
        if to["destination"]["host"].as_str().is_none_or(str::is_empty) {
            loss("a destination without host".to_owned(), "Istio refuses it, too: write one");
        }
    }
    let weights: Vec<u64> = route.iter().map(|to| to["weight"].as_u64().unwrap_or(0)).collect();
    let sum: u64 = weights.iter().sum();
    if route.len() > 1 && sum == 0 {
        loss("all weights are 0".to_owned(), "Istio refuses it, too: give one a weight");
    }
    let answers = ["redirect", "directResponse", "delegate"]
        .iter()
        .any(|key| rule.get(key).is_some_and(|value| !value.is_null()));
    if route.is_empty() && !answers {
        loss(
            "no destination".to_owned(),
            "Istio refuses it, too: write `route`, `redirect` or `directResponse`",
        );
    }
}

fn destination_rule(resources: &[Resource], resource: &Resource, said: &mut Said) {
    let title = resource.title();
    let host = full_host(resource.spec["host"].as_str().unwrap_or_default(), &resource.namespace);
    let place = |path: &[&str]| Some(resource.place(path));
    if host.contains('*') {
        said.hint(place(&["spec", "host"]), format!("{title} is about many hosts: it stays as it is"), "");
        return;
    }
    for key in keys(&resource.spec, &["host", "trafficPolicy", "subsets"]) {
        if key == "exportTo" && resource.spec["exportTo"] == serde_json::json!(["*"]) {
            continue;
        }
        said.loss(
            place(&["spec", key]),
            Some(&host),
            format!("{title}: `{key}`"),
            "leave it as it is, if that matters",
        );
    }
    for (index, subset) in resource.spec["subsets"].as_array().into_iter().flatten().enumerate() {
        for key in keys(subset, &["name", "labels", "trafficPolicy"]) {
            let number = index.to_string();
            let text = format!("{title}, subset {}: Istio has no field `{key}`", index + 1);
            said.loss(
                place(&["spec", "subsets", &number]),
                Some(&host),
                text,
                "remove it, or check its spelling",
            );
        }
    }
    let same = |other: &&Resource| {
        other.kind == "DestinationRule"
            && full_host(other.spec["host"].as_str().unwrap_or_default(), &other.namespace) == host
    };
    let others: Vec<&Resource> = resources.iter().filter(same).collect();
    if others.len() > 1 && others[0].title() == title && others[0].name_place() == resource.name_place() {
        let names: Vec<String> =
            others.iter().map(|other| format!("{}/{}", other.namespace, other.name)).collect();
        said.hint(
            Some(resource.name_place()),
            format!("{} DestinationRules of {host}: {}; Istio merges those of one namespace, and so does the file", others.len(), names.join(", ")),
            "",
        );
    }
}

/// The hosts of a VirtualService inside the mesh.
fn hosts(resource: &Resource) -> Vec<String> {
    let hosts = resource.spec["hosts"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let first = resource.spec["http"].pointer("/0/route/0/destination/host").and_then(Json::as_str);
    let public = |host: &&str| host.contains('.') && !host.ends_with(".svc.cluster.local") || *host == "*";
    let inner: Vec<String> =
        hosts.filter(|host| !public(host)).map(|host| full_host(host, &resource.namespace)).collect();
    if inner.is_empty() {
        first.map(|host| full_host(host, &resource.namespace)).into_iter().collect()
    } else {
        inner
    }
}
