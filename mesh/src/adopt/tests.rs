use serde_json::{Value as Json, json};

use super::*;
use crate::document;

fn mesh(text: &str) -> Mesh {
    Mesh::of(&crate::check::open(document::load_text("graylane.yaml", text).unwrap()).checked().unwrap())
}

const HEADER_ONLY: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge: {gateway: {selector: {istio: ingressgateway}, name: istio-ingress/public}}
";

fn route(subset: &str) -> Json {
    json!([{"destination": {"host": "api", "subset": subset}}])
}

fn virtual_service(gateways: Json, hosts: Json, http: Json) -> Json {
    let mut json = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "api", "namespace": "shop"},
    });
    (json["spec"]["hosts"], json["spec"]["gateways"], json["spec"]["http"]) = (hosts, gateways, http);
    json
}

fn subsets() -> Json {
    let subset = |name: &str| json!({"name": name, "labels": {"version": name}});
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"host": "api", "subsets": [subset("stable"), subset("canary")]},
    })
}

fn texts(file: &str, resources: &[Json]) -> Vec<String> {
    let resources: Vec<&Json> = resources.iter().collect();
    let report = differences(&mesh(file), &World::of(&resources, "tenant")).unwrap();
    assert!(report.tried > 0);
    report.differences.iter().map(Difference::text).collect()
}

/// Live users have no tenant: a rule for requests without one.
fn without_header() -> Json {
    virtual_service(
        json!([]),
        json!(["api"]),
        json!([
            {"match": [{"withoutHeaders": {"tenant": {}}}], "route": route("stable")},
            {"route": route("canary")},
        ]),
    )
}

#[test]
fn a_route_for_requests_without_a_tenant_stays_as_it_is() {
    assert_eq!(texts(HEADER_ONLY, &[without_header(), subsets()]), [""; 0]);
}

#[test]
fn a_file_that_writes_the_default_tenant_says_whom_it_moves() {
    let file = format!("{HEADER_ONLY}policy: {{missing: default}}\n");
    let said = texts(&file, &[without_header(), subsets()]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("(version=stable)") && said[0].contains("would go to"), "{said:?}");
    let regex = virtual_service(
        json!([]),
        json!(["api"]),
        json!([
            {"match": [{"headers": {"tenant": {"regex": "g.+"}}}], "route": route("canary")},
            {"route": route("stable")},
        ]),
    );
    assert_eq!(texts(HEADER_ONLY, &[regex.clone(), subsets()]), [""; 0]);
    assert_eq!(texts(&file, &[regex, subsets()]).len(), 1);
}

#[test]
fn a_tenant_that_the_file_does_not_declare_is_noticed() {
    let blue = virtual_service(
        json!([]),
        json!(["api"]),
        json!([
            {"match": [{"headers": {"tenant": {"exact": "blue"}}}], "route": route("canary")},
            {"route": route("stable")},
        ]),
    );
    assert_eq!(texts(HEADER_ONLY, &[blue.clone(), subsets()]), [""; 0], "it stays");
    let written = format!("{HEADER_ONLY}policy: {{unknown: default}}\n");
    let said = texts(&written, &[blue, subsets()]);
    assert!(said.len() == 1 && said[0].contains("`tenant: blue`"), "{said:?}");
}

#[test]
fn headers_from_outside_that_no_longer_count_are_reported() {
    let public = virtual_service(
        json!(["istio-ingress/public"]),
        json!(["shop.example.com"]),
        json!([
            {"match": [{"headers": {"tenant": {"exact": "gray-v1"}}}], "route": route("canary")},
            {"route": route("stable")},
        ]),
    );
    let said = texts(HEADER_ONLY, &[public.clone(), subsets()]);
    assert!(said.len() == 1 && said[0].contains("at gateway istio-ingress/public"), "{said:?}");
    let chosen = HEADER_ONLY.replace("edge: {", "edge: {accept: always, ");
    assert_eq!(texts(&chosen, &[public.clone(), subsets()]), [""; 0]);
    let elsewhere = HEADER_ONLY.replace("istio-ingress/public", "istio-ingress/other");
    let resources = [public, subsets()];
    let resources: Vec<&Json> = resources.iter().collect();
    let report = differences(&mesh(&elsewhere), &World::of(&resources, "tenant")).unwrap();
    assert!(report.differences.is_empty(), "no filter is at that gateway");
}
