//! What can be found in several gateways.

use super::findings;

/// A file in order; gateways go behind it.
const GATES: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
sticky: {keys: [{header: x-user-id}]}
services:
  api: {expose: {hosts: [shop.example.com]}, subsets: {stable: {version: v1}}}
edge:
  gateways:
    public: {selector: {istio: ingressgateway}, name: istio-ingress/public}
";
const PARTNER: &str = "partner: {selector: {istio: partner}, name: istio-ingress/partner}";

fn with(lines: &str) -> Vec<String> {
    findings(&format!("{GATES}    {}\n", lines.replace('\n', "\n    ")))
}

/// These lines behind the first gateway have exactly one finding, an error with a remedy that says all of these things.
fn one(lines: &str, says: &[&str]) {
    let found = with(lines);
    assert_eq!(found.len(), 1, "{lines}: {found:#?}");
    for part in [": Error: "].iter().chain(says) {
        assert!(found[0].contains(part), "{lines}: `{part}` is not in {}", found[0]);
    }
    assert!(!found[0].contains("(no help)"), "{}", found[0]);
}

#[test]
fn gateways_in_order_have_no_finding() {
    assert_eq!(with(PARTNER), [""; 0]);
    let whole = "partner:
  selector: {istio: partner}
  namespace: partners
  name: istio-ingress/partner
  mode: enforce
  accept: never
  traceContext: keep
  remove: [x-price-list]
  jwt: {issuer: 'https://customers.example'}
  rules: [{tenant: gray-v1, claim: {name: client, exact: acme}}]
  keys: [{header: x-account}]";
    assert_eq!(with(whole), [""; 0]);
}

#[test]
fn a_gateway_beside_gateways_and_what_belongs_to_one() {
    let edge = |key: &str| findings(&format!("{GATES}  {key}\n"));
    for (key, says) in [
        (
            "gateway: {selector: {app: a}}",
            "11: Error: `gateway` beside `gateways` / move it into `gateways` under a name",
        ),
        (
            "accept: never",
            "11: Error: `accept` beside `gateways`: it does not say for the callers of which gateway",
        ),
        ("rules: []", "move it into that gateway, as in `gateways: {public: {rules: …}}`"),
        ("jwt: {issuer: 'https://id.example'}", "no gateway takes it over from here"),
    ] {
        let found = edge(key);
        assert_eq!(found.len(), 1, "{key}: {found:#?}");
        assert!(found[0].contains(says), "{key}: {}", found[0]);
    }
    for key in ["remove: [x-user-role]", "mode: enforce", "traceContext: restart"] {
        assert_eq!(edge(key), [""; 0], "{key}");
    }
}

#[test]
fn no_pod_is_of_two_gateways() {
    one(
        "again: {selector: {istio: ingressgateway}, name: istio-ingress/again}",
        &[
            "again",
            "`public` has the pods of `again`",
            "decide each request twice",
            "a label that only its own pods have",
        ],
    );
    one(
        "narrow: {selector: {istio: ingressgateway, app: narrow}}",
        &[
            "10: Error",
            "the plugin of `public` goes to the pods of `narrow` too",
            "give `public` a `selector`",
        ],
    );
    // Plugins of istio-system, where the first one is, go to all namespaces.
    one(
        "elsewhere: {selector: {istio: ingressgateway}, namespace: istio-ingress}",
        &["the plugin of `public` goes to the pods of `elsewhere` too"],
    );
    assert_eq!(with("other: {selector: {istio: other}, namespace: istio-ingress}"), [""; 0]);
    let found = with("a: {namespace: ingress}\nb: {namespace: ingress, selector: {app: b}}");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("11: Error: the plugin of `a` goes to the pods of `b` too"), "{found:#?}");
    assert_eq!(with("a: {namespace: ingress}\nb: {namespace: ingress-b}"), [""; 0]);
    one("wide: {}", &["`edge.gateways.wide` has no `selector`"]);
}

#[test]
fn a_gateway_resource_is_of_one_gateway() {
    one(
        "partner: {selector: {istio: partner}, name: istio-ingress/public}",
        &["`partner` has the Gateway `istio-ingress/public` as well", "a Gateway resource of its own"],
    );
}

#[test]
fn names_of_gateways() {
    one(
        "Partner: {selector: {istio: partner}}",
        &["`Partner` cannot be the name of a gateway", "lowercase letters"],
    );
    let none = GATES.split("    public:").next().unwrap();
    let found = findings(&none.replace("  gateways:\n", "  gateways: {}\n"));
    assert!(
        found
            .iter()
            .any(|one| one.contains("8: Error: no gateways") || one.contains("9: Error: no gateways")),
        "{found:#?}"
    );
}

#[test]
fn what_a_gateway_says_is_checked_in_its_place() {
    one(
        "partner: {selector: {istio: partner}, rules: [{tenant: grey-v1, host: {exact: a.example}}]}",
        &["unknown tenant `grey-v1`"],
    );
    one("partner: {selector: {istio: partner}, mode: 'off'}", &["a gateway cannot be `off`"]);
    one(
        "partner: {selector: {istio: partner}, remove: [cookie]}",
        &["`cookie` cannot be removed from every request"],
    );
    one(
        "partner: {selector: {istio: partner}, keys: [{header: cookie}]}",
        &["the header `cookie` cannot identify a user"],
    );
    one("partner: {selector: {istio: partner}, namespace: Partners}", &["`Partners` cannot be a namespace"]);
    let found = with("partner: {selector: {istio: partner}, accept: always}");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].contains("write `edge.gateways.partner.rules` for callers who may choose"),
        "{found:#?}"
    );
    let found =
        with("partner: {selector: {istio: partner}, rules: [{tenant: gray-v1, claim: {name: a, exact: b}}]}");
    assert!(found[0].contains("`edge.gateways.partner` names no `jwt`"), "{found:#?}");
}

#[test]
fn a_service_is_exposed_at_gateways_by_name() {
    let at = |gateways: &str| {
        findings(&format!(
            "{}    {PARTNER}\n    hidden: {{selector: {{istio: hidden}}}}\n",
            GATES.replace(
                "hosts: [shop.example.com]",
                &format!("hosts: [shop.example.com], gateways: {gateways}")
            )
        ))
    };
    assert_eq!(at("[partner, public]"), [""; 0]);
    assert_eq!(at("[partner, other/gateway]"), [""; 0]);
    for (gateways, says) in [
        ("[partnr]", "unknown gateway `partnr` / did you mean `partner`?"),
        ("[other]", "unknown gateway `other` / write one of `hidden`, `partner`, `public`"),
        ("[a/b/c]", "invalid Gateway `a/b/c`"),
        ("[hidden]", "`edge.gateways.hidden` has no `name`"),
    ] {
        let found = at(gateways);
        assert_eq!(found.len(), 1, "{gateways}: {found:#?}");
        assert!(found[0].contains(says), "{gateways}: {}", found[0]);
    }
}
