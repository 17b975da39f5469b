use super::*;
use crate::document;

fn mesh(edge: &str) -> Mesh {
    let text = format!(
        "version: 1
mesh: {{name: shop, namespace: shop}}
tenants: {{green: {{default: true}}}}
edge: {edge}
services: {{api: {{subsets: {{stable: {{version: v1}}}}}}}}
"
    );
    Mesh::of(&crate::check::open(document::load_text("graylane.yaml", &text).unwrap()).checked().unwrap())
}

const ONE: &str = "{gateway: {selector: {istio: ingressgateway}, name: ingress/public}}";
const TWO: &str =
    "{gateways: {public: {selector: {istio: ingressgateway}}, b: {selector: {istio: partner}}}}";

fn objects(text: &str) -> Vec<Json> {
    text.split("---\n").map(|one| serde_saphyr::from_str(one).unwrap()).collect()
}

fn said(edge: &str, text: &str) -> Vec<Unlisted> {
    let objects = objects(text);
    gateways(&mesh(edge), &objects.iter().collect::<Vec<_>>())
}

const PARTNER: &str = "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: partner, namespace: ingress}
spec: {selector: {istio: partner}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: partner-api, namespace: ingress}
spec:
  hosts: [partner.example.com]
  gateways: [partner]
  http: [{route: [{destination: {host: api.shop.svc.cluster.local}}]}]
";

#[test]
fn a_gateway_from_which_a_route_leads_to_a_service() {
    let found = said(ONE, PARTNER);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].resource, 0);
    for part in [
        "Gateway ingress/partner",
        "VirtualService ingress/partner-api",
        "`api.shop.svc.cluster.local`",
        "any tenant",
    ] {
        assert!(found[0].text.contains(part), "{}", found[0].text);
    }
    assert!(
        found[0].help.contains("gateways: {partner: {namespace: istio-system, selector: {istio: partner}}}"),
        "{}",
        found[0].help
    );
    assert_eq!(said(TWO, PARTNER), []);
    assert_eq!(said("none", PARTNER), [], "the file says that something else does it");
    let named = "{gateways: {public: {selector: {istio: ingressgateway}}, b: {selector: {app: b}, name: ingress/partner}}}";
    assert_eq!(said(named, PARTNER), []);
}

#[test]
fn routes_to_others_and_at_other_gateways_do_not_count() {
    assert_eq!(said(ONE, &PARTNER.replace("api.shop.svc", "api.finance.svc")), []);
    assert_eq!(said(ONE, &PARTNER.replace("gateways: [partner]", "gateways: [mesh, other/partner]")), []);
    assert_eq!(said(ONE, &PARTNER.replace("istio: partner", "istio: egressgateway")), []);
    assert_eq!(said(ONE, &PARTNER.replace("istio: partner", "istio: ingressgateway, app: gw")), []);
}

#[test]
fn pods_that_were_passed_decide() {
    let pod = |labels: &str, namespace: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: {namespace}, labels: {{{labels}}}}}\n"
        )
    };
    let both = pod("istio: partner, app: x", "ingress");
    let app = "{gateways: {public: {selector: {istio: ingressgateway}}, b: {selector: {app: x}, namespace: ingress}}}";
    assert_eq!(said(app, &(PARTNER.to_owned() + &both)), [], "one pod with the labels of both");
    assert_eq!(said(app, PARTNER).len(), 1);
    // The plugin of another namespace does not reach it.
    let found = said(app, &(PARTNER.to_owned() + &pod("istio: partner, app: x", "elsewhere")));
    assert!(found[0].help.contains("namespace: elsewhere"), "{found:#?}");
}

#[test]
fn gateways_of_the_gateway_api() {
    let text = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mobile, namespace: ingress}
spec: {gatewayClassName: istio}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api, namespace: shop}
spec:
  parentRefs: [{name: mobile, namespace: ingress}]
  rules: [{backendRefs: [{name: api, port: 80}]}]
";
    let found = said(ONE, text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].text.contains("HTTPRoute shop/api leads from there"), "{}", found[0].text);
    assert!(
        found[0]
            .help
            .contains("namespace: ingress, selector: {gateway.networking.k8s.io/gateway-name: mobile}"),
        "{}",
        found[0].help
    );
    let listed =
        "{gateway: {selector: {gateway.networking.k8s.io/gateway-name: mobile}, namespace: ingress}}";
    assert_eq!(said(listed, text), []);
    assert_eq!(
        said(ONE, &text.replace("name: mobile, namespace: ingress}]", "kind: Service, name: api}]")),
        []
    );
    assert_eq!(said(ONE, &text.replace("gatewayClassName: istio", "addresses: [{value: gw.ingress}]")), []);
}

#[test]
fn an_http_route_does_not_lead_from_a_gateway_of_istios_with_that_name() {
    let text = PARTNER
        .split_once("---")
        .map(|(gateway, _)| {
            format!(
                "{gateway}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: api, namespace: shop}}
spec:
  parentRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: partner, namespace: ingress}}]
  hostnames: [partner.example.com]
  rules: [{{backendRefs: [{{name: api, port: 80}}]}}]
"
            )
        })
        .unwrap();
    assert_eq!(said(ONE, &text), []);
}
