use super::*;
use crate::document;
use crate::resources::{Options, Resource, resources};

fn file(name: &str, namespaces: &str, gateway: &str, service: &str) -> Mesh {
    let text = format!(
        "
version: 1
mesh: {{name: {name}, namespace: {namespaces}}}
tenants: {{green: {{default: true}}}}
edge: {{gateway: {{selector: {{istio: {gateway}}}, name: istio-ingress/public}}, accept: never}}
sticky: {{keys: [{{header: x-user-id}}]}}
services:
  {service}:
    routing: external
    expose: {{hosts: [{service}.example.com]}}
    rollout: {{weights: external, route: primary}}
"
    );
    Mesh::of(&crate::check::open(document::load_text("graylane.yaml", &text).unwrap()).checked().unwrap())
}

/// What a file says of everything that another renders, without its help.
fn said(own: &Mesh, other: &Mesh) -> Vec<String> {
    let options = Options { url: Some("file:///graylane.wasm".to_owned()), ..Options::default() };
    let rendered: Vec<Json> = resources(other, &options).iter().map(Resource::json).collect();
    claims(own, &rendered.iter().collect::<Vec<_>>()).into_iter().map(|claim| claim.text).collect()
}

#[test]
fn a_file_under_another_name_claims_all_that_it_had() {
    let old = file("old", "shop", "ingressgateway", "api");
    assert_eq!(
        said(&file("shop", "shop", "ingressgateway", "api"), &old),
        [
            "WasmPlugin shop/old-inbound of the file `old` is for the same pods as this file's: they would decide each request twice",
            "WasmPlugin shop/old-outbound of the file `old` is for the same pods as this file's: they would decide each request twice",
            "EnvoyFilter istio-system/old-gateway-point-api of the file `old` patches the routes of `api.example.com`, as this file does",
            "EnvoyFilter shop/old-point-api of the file `old` patches the routes of `api.shop.svc.cluster.local`, as this file does",
            "WasmPlugin istio-system/old-gateway of the file `old` is for the same pods as this file's: they would decide each request twice",
        ]
    );
    assert_eq!(said(&old, &old), Vec::<String>::new(), "its own objects are no claim");
}

#[test]
fn files_that_share_nothing_share_nothing() {
    let own = file("shop", "shop", "ingressgateway", "api");
    assert_eq!(said(&own, &file("pay", "pay", "partner", "ledger")), Vec::<String>::new());
}

#[test]
fn the_help_removes_what_the_other_file_has_and_nothing_else() {
    let (own, old) = (file("shop", "shop", "a", "api"), file("old", "shop", "b", "api"));
    let rendered: Vec<Json> = resources(&old, &Options::default()).iter().map(Resource::json).collect();
    let claims = claims(&own, &rendered.iter().collect::<Vec<_>>());
    let command = "kubectl delete envoyfilter -A -l app.kubernetes.io/part-of=old,graylane.dev/service=api";
    assert!(claims.iter().all(|claim| claim.help.ends_with(command)), "{claims:?}");
    assert_eq!(claims.len(), 2);
}
