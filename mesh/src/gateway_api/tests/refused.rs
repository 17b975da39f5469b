//! What is refused, because the API or a cluster would do something else with it than the file says.

use super::{SUBSETS, gateway_api, open, rendered};
use crate::document::finding;
use crate::resources::{Options, Scope, off};

fn said(services: &str) -> String {
    let opened = open(", routes: gateway-api", services);
    finding::render(&opened.findings, &opened.sources)
}

#[test]
fn each_is_said_by_its_name() {
    let api = |rest: &str| format!("  api: {{port: 8080, {SUBSETS}, {rest}}}\n");
    let of_match = |one: &str| api(&format!("routes: [{{match: [{{{one}}}], baseline: v2}}]"));
    let of_http = |http: &str| {
        api(&format!("routes: [{{match: [{{uri: {{prefix: /a}}}}], http: {{{http}}}, baseline: v2}}]"))
    };
    let cases = [
        (of_match("uri: {prefix: \"/items/{id}\"}"), "`uri` in `match` of `api` is an invalid path"),
        (of_match("uri: {exact: \"/a b\"}"), "`uri` in `match` of `api` is an invalid path"),
        (of_match("headers: {\":scheme\": {exact: http}}"), "`headers` in `match` of `api` has a name"),
        (of_match("queryParams: {\"filter[x]\": {exact: a}}"), "`queryParams` in `match` of `api` has a name"),
        (of_match("headers: {x: {exact: \"\"}}"), "empty or too long"),
        (of_http("timeout: 2s, retries: {attempts: 3, perTryTimeout: 5s}"), "is longer than `timeout`"),
        (of_http("retries: {attempts: 0}"), "expected 1 or more"),
        (of_http("headers: {request: {set: {x-debug: \"\"}}}"), "gives `x-debug` an empty"),
        (of_http("headers: {request: {set: {\":authority\": a}}}"), "the name `:authority`"),
        (of_http("rewrite: {authority: \"a.example:80\"}"), "not a lower-case host without a port"),
        (of_http("redirect: {authority: other.example}"), "would keep the port of the request"),
        (of_http("redirect: {uri: /b, redirectCode: 304}"), "expected 301"),
        (
            api("routes: [{match: [{uri: {prefix: /a}}], http: {rewrite: {uri: /v}}}, {match: [{uri: {exact: /a/x}}], baseline: v2}]"),
            "a rewritten path",
        ),
        (of_http("rewrite: {uri: /v}").replace("prefix: /a", "prefix: /"), "needs a path in every match"),
        (api("versions: {v2: {port: 9090}}"), "the Service of a subset has the port of the service"),
        (api("versions: {v2: {host: api}}"), "the labels of `v2` of `api` have no effect"),
        (
            api("pins: {gray: v2}") + "  front: {host: api, port: 9090, kubernetes: {selector: {run: api}}, subsets: {v1: {version: v1}}}\n",
            "would be the same Service with different selectors",
        ),
        (
            "  api: {port: 80, subsets: {admin-v2: {version: v2}}}\n  api-admin: {port: 90, subsets: {v2: {version: v2}}}\n".to_owned(),
            "would be the same Service with different selectors",
        ),
        (
            api("expose: {hosts: [a.example], routes: [{match: [{port: 8080}], baseline: v2}]}"),
            "applies to the service's port inside the mesh, and to each listener at a gateway",
        ),
    ];
    for (services, part) in cases {
        let said = said(&services);
        assert!(said.contains(part), "{services}{part}\n{said}");
    }
}

#[test]
fn off_writes_each_route_again_that_was_there() {
    let routes: String = (0..6)
        .map(|number| format!("{{name: r{number}, match: [{{uri: {{prefix: /r{number}}}}}], rollout: {{weights: {{v2: {}}}}}}}, ", number + 1))
        .collect();
    let mesh = gateway_api(&format!(
        "  api: {{port: 8080, {SUBSETS}, rollout: {{weights: {{v2: 10}}}}, routes: [{routes}]}}\n"
    ));
    let names = |all: &[serde_json::Value]| -> Vec<String> {
        let routes = all.iter().filter(|json| json["kind"] == "HTTPRoute");
        routes.map(|json| json["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let (on, off) = (rendered(&mesh), off(&mesh, &Options::default(), &Scope::Mesh).unwrap());
    let off: Vec<serde_json::Value> = off.iter().map(crate::resources::Resource::json).collect();
    assert_eq!(names(&on), ["m-api", "m-api.2"]);
    assert_eq!(names(&off), names(&on));
    assert!(on.iter().any(|json| json.to_string().contains("x-graylane-subset")));
    assert!(
        off.iter().all(|json| json["kind"] != "HTTPRoute" || !json.to_string().contains("x-graylane-subset"))
    );
}

#[test]
fn a_service_that_lost_its_versions_keeps_its_route() {
    let mesh = gateway_api("  api: {port: 8080, subsets: {stable: {}}}\n");
    let all = rendered(&mesh);
    let route = all.iter().find(|json| json["kind"] == "HTTPRoute").expect("in place of the former one");
    assert_eq!(route["spec"]["rules"][0]["backendRefs"][0]["name"], "api");
}

#[test]
fn a_grant_has_the_services_of_all_subsets() {
    let mesh = gateway_api(&format!(
        "  api: {{port: 80, namespace: b, {SUBSETS}, expose: {{hosts: [a.example]}}}}\n"
    ));
    let all = rendered(&mesh);
    let grant = all.iter().find(|json| json["kind"] == "ReferenceGrant").expect("a grant");
    let names: Vec<&str> =
        grant["spec"]["to"].as_array().unwrap().iter().filter_map(|to| to["name"].as_str()).collect();
    assert_eq!(names, ["api-v1", "api-v2"]);
}

#[test]
fn services_of_one_host_keep_the_policy_of_the_first_and_all_ports() {
    let mesh = gateway_api(&format!(
        "  a-front: {{host: api, port: 8080, trafficPolicy: {{loadBalancer: {{simple: RANDOM}}}}, {SUBSETS}}}\n\
         \x20 z-back: {{host: api, port: 9090, kubernetes: {{appProtocol: kubernetes.io/h2c}}, {SUBSETS}}}\n"
    ));
    let all = rendered(&mesh);
    let of = |kind: &str| {
        all.iter()
            .find(|json| json["kind"] == kind && json.to_string().contains("api-v1"))
            .expect("one for `v1`")
    };
    assert_eq!(of("DestinationRule")["spec"]["trafficPolicy"]["loadBalancer"]["simple"], "RANDOM");
    let ports = of("Service")["spec"]["ports"].as_array().unwrap().iter();
    let names: Vec<&str> = ports.filter_map(|port| port["name"].as_str()).collect();
    assert_eq!(names, ["http-8080", "port-9090"], "no name of a port has a slash");
}
