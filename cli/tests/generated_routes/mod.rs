//! HTTPRoutes and Services, at random.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

fn one_match() -> impl Strategy<Value = Json> {
    let path = prop_oneof![
        2 => Just(Json::Null),
        3 => select(&["/", "/api", "/api/v1", "/static/"][..]).prop_map(|path| json!({"type": "PathPrefix", "value": path})),
        2 => select(&["/", "/api", "/pay"][..]).prop_map(|path| json!({"type": "Exact", "value": path})),
        1 => Just(json!({"type": "RegularExpression", "value": "/item/[0-9]+"})),
    ];
    let header = prop_oneof![
        3 => Just(Json::Null),
        2 => select(&["gray", "beta"][..]).prop_map(|tenant| json!([{"name": "tenant", "value": tenant}])),
        1 => Just(json!([{"name": "x-user", "type": "Exact", "value": "jason"}])),
        1 => Just(json!([{"name": "x-user", "type": "RegularExpression", "value": "j.*"}])),
    ];
    let method = prop_oneof![4 => Just(Json::Null), 1 => Just(json!("POST"))];
    let query = prop_oneof![6 => Just(Json::Null), 1 => Just(json!([{"name": "v", "value": "2"}]))];
    (path, header, method, query).prop_map(|(path, headers, method, query)| {
        let fields = [("path", path), ("headers", headers), ("method", method), ("queryParams", query)];
        Json::Object(
            fields
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    })
}

fn rule(service: &'static str) -> impl Strategy<Value = Json> {
    let backend = |name: String, weight: u32| json!({"name": name, "port": 80, "weight": weight});
    let weights = select(&[[100, 0], [90, 10], [0, 1], [1, 2]][..]);
    let filters = prop_oneof![
        5 => Just(Json::Null),
        1 => Just(json!([{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-a", "value": "${HOME}"}], "remove": ["x-b"]}}])),
        1 => Just(json!([{"type": "URLRewrite", "urlRewrite": {"hostname": "other.example"}}])),
        1 => Just(json!([{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "audit", "port": 80}}}])),
        1 => Just(json!([{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}])),
    ];
    let timeout = prop_oneof![2 => Just(Json::Null), 1 => Just(json!({"request": "2s"}))];
    (prop::collection::vec(one_match(), 0..3), weights, prop::bool::ANY, filters, timeout).prop_map(
        move |(matches, weights, of_versions, filters, timeouts)| {
            let mut rule = json!({"backendRefs": [backend(service.to_owned(), 1)]});
            if of_versions {
                let named =
                    |(place, weight): (usize, &u32)| backend(format!("{service}-v{}", place + 1), *weight);
                rule["backendRefs"] = weights.iter().enumerate().map(named).collect();
            }
            if filters[0]["type"] == "RequestRedirect" {
                rule.as_object_mut().unwrap().remove("backendRefs");
            }
            for (key, value) in
                [("matches", Json::from(matches)), ("filters", filters), ("timeouts", timeouts)]
            {
                if !value.is_null() && value != json!([]) {
                    rule[key] = value;
                }
            }
            rule
        },
    )
}

/// An HTTPRoute for a Service or at a Gateway.
pub fn route(service: &'static str) -> impl Strategy<Value = Json> {
    let parents = prop_oneof![
        3 => Just((json!([{"group": "", "kind": "Service", "name": service, "port": 80}]), Json::Null)),
        1 => Just((json!([{"group": "", "kind": "Service", "name": service}]), Json::Null)),
        2 => select(&["a.example.com", "b.example.com"][..])
            .prop_map(|host| (json!([{"name": "front", "namespace": "ingress"}]), json!([host]))),
        1 => Just((json!([{"name": "front", "namespace": "ingress"}]), json!(["a.example.com", "b.example.com"]))),
    ];
    (parents, prop::collection::vec(rule(service), 1..5), prop::bool::weighted(0.8), any::<u16>()).prop_map(
        move |((parents, hostnames), mut rules, last, number)| {
            if last && let Some(rule) = rules.last_mut().and_then(Json::as_object_mut) {
                rule.remove("matches");
            }
            let mut spec = json!({"parentRefs": parents, "rules": rules});
            if !hostnames.is_null() {
                spec["hostnames"] = hostnames;
            }
            json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
                "metadata": {"name": format!("{service}-{number}"), "namespace": "demo"}, "spec": spec,
            })
        },
    )
}

/// A Service, and one for each of its versions.
pub fn services(name: &str) -> Vec<Json> {
    let service = |name: String, selector: Json| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "demo"},
            "spec": {"selector": selector, "ports": [{"name": "http", "port": 80}]},
        })
    };
    let version =
        |version: &str| service(format!("{name}-{version}"), json!({"app": name, "version": version}));
    vec![service(name.to_owned(), json!({"app": name})), version("v1"), version("v2")]
}
