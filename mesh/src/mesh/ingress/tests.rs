use graylane_decide::config::Key as LoweredKey;
use serde_json::{Value as Json, json};

use crate::check::open;
use crate::document;
use crate::lower;
use crate::mesh::Mesh;
use crate::resources::{Options, Resource, resources};

const FILE: &str = include_str!("../../../../examples/gateways/graylane.yaml");

fn mesh(text: &str) -> Mesh {
    Mesh::of(&open(document::load_text("graylane.yaml", text).unwrap()).checked().unwrap())
}

fn rendered(mesh: &Mesh) -> Vec<Json> {
    let options = Options {
        url: Some("oci://registry.example/graylane@sha256:1".to_owned()),
        native: Some("/opt/libgraylane.so".to_owned()),
        ..Options::default()
    };
    resources(mesh, &options).iter().map(Resource::json).collect()
}

fn named<'j>(all: &'j [Json], kind: &str, name: &str) -> &'j Json {
    let found = all.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("{kind} {name}"))
}

#[test]
fn each_gateway_has_what_is_its_own() {
    let mesh = mesh(FILE);
    let [partner, public] = &mesh.ingresses()[..] else { panic!("two gateways") };
    assert_eq!(
        (partner.resource(), public.resource()),
        ("gateway-partner".to_owned(), "gateway-public".to_owned())
    );
    let edge = |ingress| lower::gateway(&mesh, ingress).edge.unwrap();
    assert_eq!(edge(partner).remove, ["x-user-role", "x-price-list"]);
    assert_eq!(edge(public).remove, ["x-user-role"]);
    assert_eq!(edge(partner).issuer.as_deref(), Some("https://customers.example"));
    assert_eq!(edge(public).rules.len(), 1);
    let keys = |ingress| lower::gateway(&mesh, ingress).sticky.unwrap().keys;
    assert_eq!(keys(partner)[0], LoweredKey::Header("x-account".to_owned()));
    assert!(matches!(keys(public)[0], LoweredKey::Claim(_)));
    assert_eq!(partner.path(&["rules"]), ["edge", "gateways", "partner", "rules"]);
}

#[test]
fn resources_are_those_of_each_gateway() {
    let mesh = mesh(&FILE.replace("issuer: https://id.example", "issuer: https://id.example, render: true"));
    let all = rendered(&mesh);
    let plugin = |name: &str| named(&all, "WasmPlugin", name);
    let (partner, public) = (plugin("shop-gateway-partner"), plugin("shop-gateway-public"));
    assert_eq!(partner["spec"]["selector"]["matchLabels"], json!({"istio": "partner"}));
    assert_eq!(partner["metadata"]["namespace"], "partners");
    assert_eq!(public["metadata"]["namespace"], "istio-system");
    let config = |plugin: &Json| plugin["spec"]["pluginConfig"].clone();
    assert_eq!(config(partner)["revision"], config(public)["revision"], "one revision for the whole file");
    assert_ne!(config(partner)["edge"], config(public)["edge"]);
    assert!(partner["spec"]["vmConfig"].to_string().contains("x-price-list"), "{partner}");
    assert!(!public["spec"]["vmConfig"].to_string().contains("x-price-list"), "{public}");
    let tokens: Vec<_> = all.iter().filter(|one| one["kind"] == "RequestAuthentication").collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0]["metadata"]["name"], "shop-gateway-public");
    for gateway in ["partner", "public"] {
        let native = named(&all, "EnvoyFilter", &format!("shop-native-gateway-{gateway}")).to_string();
        assert!(native.contains(&format!(".shop-gateway-{gateway}")), "{native}");
        named(&all, "EnvoyFilter", &format!("shop-gateway-{gateway}-trace"));
    }
}

#[test]
fn routes_are_bound_where_a_service_is_exposed() {
    let mesh = mesh(FILE);
    let all = rendered(&mesh);
    let gateways = |name: &str| named(&all, "VirtualService", name)["spec"]["gateways"].clone();
    assert_eq!(gateways("shop-host-shop.example.com"), json!(["istio-ingress/public"]));
    assert_eq!(
        gateways("shop-host-api.example.com"),
        json!(["istio-ingress/partner", "istio-ingress/public"])
    );
    let (web, api) = (mesh.service("web").unwrap(), mesh.service("api").unwrap());
    let shown = |service: &crate::mesh::Service| {
        mesh.ingresses().iter().map(|at| service.is_shown_at(at)).collect::<Vec<_>>()
    };
    assert_eq!((shown(web), shown(api)), (vec![false, true], vec![true, true]));
}

#[test]
fn the_revision_is_that_of_all_gateways() {
    let before = lower::revision(&mesh(FILE));
    for (from, to) in
        [("exact: acme", "exact: other"), ("exact: employee", "exact: other"), ("x-price-list", "x-list")]
    {
        assert_ne!(lower::revision(&mesh(&FILE.replace(from, to))), before, "{from}");
    }
}

#[test]
fn a_gateway_is_named_where_there_are_several() {
    let mesh = mesh(FILE);
    let said = |name| mesh.ingress(name).unwrap_err().to_string();
    assert_eq!(said(None), "the file has several gateways, expected one of partner, public");
    assert_eq!(said(Some("prtner")), "unknown gateway `prtner`, expected one of partner, public");
    assert_eq!(mesh.ingress(Some("public")).unwrap().name, Some("public"));
    let one = self::mesh(
        "version: 1\nmesh: {name: m, namespace: a}\ntenants: {green: {default: true}}\nedge: {gateway: {selector: {a: b}}}\n",
    );
    assert_eq!(one.ingress(None).unwrap().name, None);
    assert!(one.ingress(Some("public")).unwrap_err().to_string().contains("no `edge.gateways`"));
}

#[test]
fn a_file_without_a_gateway_has_what_one_would_do() {
    let mesh =
        mesh("version: 1\nmesh: {name: m, namespace: a}\ntenants: {green: {default: true}}\nedge: none\n");
    assert_eq!((mesh.ingresses().len(), mesh.gateways().count()), (1, 0));
}
