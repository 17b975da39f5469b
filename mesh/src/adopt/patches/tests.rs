use serde_json::json;

use super::*;
use crate::document;
use crate::resources::{Kind, Options, resources};

const FILE: &str = "
version: 1
mesh: {name: shop, namespace: shop, namespaces: [pay]}
tenants: {green: {default: true}}
edge: {gateway: {selector: {istio: ingressgateway}, name: istio-ingress/public}, accept: never}
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    routing: external
    expose: {hosts: [api.example.com]}
    rollout: {weights: external, route: primary}
";

fn mesh(text: &str) -> Mesh {
    Mesh::of(&crate::check::open(document::load_text("graylane.yaml", text).unwrap()).checked().unwrap())
}

/// The EnvoyFilters that are rendered for a file.
fn rendered(mesh: &Mesh) -> Vec<Json> {
    let only = Some(BTreeSet::from([Kind::EnvoyFilter]));
    let all = resources(mesh, &Options { only, ..Options::default() });
    let all = all.iter().filter(|one| one.metadata.labels.contains_key(SERVICE_LABEL));
    all.map(crate::resources::Resource::json).collect()
}

fn virtual_service(host: &str, gateways: &Json, http: &Json) -> Json {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": host, "namespace": "shop"}, "spec": {"hosts": [host], "gateways": gateways, "http": http},
    })
}

fn to(subset: &str, weight: u8) -> Json {
    json!({"destination": {"host": "api", "subset": subset}, "weight": weight})
}

/// What is wrong, and with which EnvoyFilters.
fn said(file: &str, filters: &[Json], routes: &[Json]) -> Vec<(What, String, String)> {
    let mesh = mesh(file);
    let all: Vec<&Json> = filters.iter().chain(routes).collect();
    let filters = super::filters(&mesh, &all);
    let found = mismatches(&filters, &World::of(&all, "tenant"));
    let names = |one: &Mismatch<'_>| {
        one.filters.iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect::<Vec<_>>().join(" ")
    };
    found.iter().map(|one| (one.problem.what, one.problem.text.clone(), names(one))).collect()
}

fn inside(http: &Json) -> Json {
    virtual_service("api", &json!([]), http)
}

fn outside(http: &Json) -> Json {
    virtual_service("api.example.com", &json!(["istio-ingress/public"]), http)
}

#[test]
fn a_rule_that_lost_its_second_destination_is_named_with_all_filters_on_it() {
    let two = json!([{"name": "primary", "route": [to("stable", 100), to("canary", 0)]}]);
    let single = json!([{"name": "primary", "route": [to("stable", 100)]}]);
    let filters = rendered(&mesh(FILE));
    assert_eq!(filters.len(), 3);
    assert_eq!(said(FILE, &filters, &[inside(&two), outside(&two)]), []);
    let broken = said(FILE, &filters, &[inside(&single), outside(&two)]);
    let text = "rule `primary` of `api.shop.svc.cluster.local` inside the mesh has a single destination";
    let names = "pay/shop-point-api shop/shop-point-api";
    assert_eq!(broken, [(What::Rejected, text.to_owned(), names.to_owned())]);
    let broken = said(FILE, &filters, &[inside(&two), outside(&single)]);
    let text = "rule `primary` of `api.example.com` at gateway istio-ingress/public has a single destination";
    assert_eq!(broken, [(What::Rejected, text.to_owned(), "istio-system/shop-gateway-point-api".to_owned())]);
}

#[test]
fn without_its_filter_a_single_destination_is_no_matter() {
    let single = json!([{"name": "primary", "route": [to("stable", 100)]}]);
    assert_eq!(said(FILE, &[], &[inside(&single)]), []);
    let mut others = rendered(&mesh(FILE));
    others.iter_mut().for_each(|one| one["metadata"]["labels"][PART_OF] = json!("another"));
    assert_eq!(said(FILE, &others, &[inside(&single)]), [], "another mesh's are its own");
}

#[test]
fn a_rule_of_another_name_is_missed() {
    let renamed = json!([{"name": "main", "route": [to("stable", 90), to("canary", 10)]}]);
    let filters = rendered(&mesh(FILE));
    let found = said(FILE, &filters, &[inside(&renamed)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, What::Missed);
    assert!(found[0].1.contains("has the name `primary`"), "{found:?}");
}

#[test]
fn what_is_there_counts_and_not_what_the_file_says_now() {
    let filters = rendered(&mesh(&FILE.replace(", route: primary", "")));
    let one_of_two = json!([
        {"name": "testers", "match": [{"uri": {"prefix": "/t"}}], "route": [to("canary", 100)]},
        {"name": "primary", "route": [to("stable", 90), to("canary", 10)]},
    ]);
    let found = said(FILE, &filters, &[inside(&one_of_two)]);
    assert!(found.len() == 1 && found[0].1.starts_with("rule `testers`"), "{found:?}");
}

#[test]
fn namespaces_without_their_filter_are_named() {
    let mesh = mesh(FILE);
    let all = rendered(&mesh);
    let all: Vec<&Json> = all.iter().filter(|one| one["metadata"]["namespace"] != "pay").collect();
    assert_eq!(missing(&mesh, &filters(&mesh, &all)), [("api", vec!["pay"])]);
}
