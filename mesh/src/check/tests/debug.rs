//! What can be found about who gets the debug header.

use super::findings;

fn debug(value: &str) -> Vec<String> {
    findings(&format!(
        "version: 1
mesh: {{name: shop, namespace: shop}}
tenants: {{green: {{default: true}}, gray-v1: {{}}, beta: {{}}}}
services:
  api: {{expose: {{hosts: [shop.example.com]}}, subsets: {{stable: {{version: v1}}}}}}
edge:
  gateway: {{selector: {{istio: ingressgateway}}, name: istio-ingress/public}}
  jwt: {{issuer: https://id.example}}
  rules:
  - {{tenant: gray-v1, claim: {{name: role, exact: employee}}}}
  - {{tenant: beta, header: {{name: x-tester, exact: abc}}, trusted: true}}
telemetry:
  debugHeader: {value}
"
    ))
}

#[test]
fn everybody_gets_it() {
    let found = debug("true");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("13: Warning: `true`: every caller outside gets"), "{}", found[0]);
    assert!(found[0].contains("debugHeader: {claim:"), "{}", found[0]);
    for open in ["{tenants: [gray-v1, green]}", "{tenants: [beta]}", "{host: {exact: shop.example.com}}"] {
        let found = debug(open);
        assert_eq!(found.len(), 1, "{open}: {found:#?}");
        let says = "13: Warning: callers without any token or certificate get the debug header";
        assert!(found[0].starts_with(says), "{open}: {}", found[0]);
    }
}

#[test]
fn some_get_it() {
    for proven in [
        "false",
        "{tenants: [gray-v1]}",
        "{claim: {name: role, exact: employee}}",
        "{tenants: [green], claim: {name: debug, exact: 'true'}}",
        "{any: [{certificate: {prefix: 'spiffe://bank.example/'}}, {source: [10.0.0.0/8]}]}",
        "{tenants: [gray-v1], header: {name: x-debug, present: true}}",
    ] {
        assert_eq!(debug(proven), [""; 0], "{proven}");
    }
}

#[test]
fn a_header_never_opens_it() {
    for typed in [
        "{header: {name: x-debug, exact: s3cret}}",
        "{tenants: [beta], cookie: {name: debug, present: true}}",
    ] {
        let found = debug(typed);
        assert_eq!(found.len(), 1, "{typed}: {found:#?}");
        assert!(found[0].starts_with("13: Error: any caller can send a header"), "{typed}: {}", found[0]);
    }
}

#[test]
fn a_claim_of_any_token_is_said() {
    let file = "version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}}
services: {api: {subsets: {stable: {version: v1}}}}
edge: {gateway: {selector: {istio: ingressgateway}, name: istio-ingress/public}}
telemetry: {debugHeader: {claim: {name: role, exact: employee}}}
";
    let found = findings(file);
    assert!(
        found[0].starts_with("6: Warning: the debug header for a claim, but the file names no `jwt`"),
        "{found:#?}"
    );
}

#[test]
fn what_is_written_wrongly() {
    for (wrong, says) in [
        ("{}", "13: Error: a debug header for nobody in particular"),
        ("{tenants: [grey-v1]}", "13: Error: unknown tenant `grey-v1` / did you mean `gray-v1`?"),
        (
            "{clam: {name: role, exact: x}}",
            "13: Error: `clam` is not a key of `telemetry.debugHeader` / did you mean `claim`?",
        ),
        ("yes please", "13: Error: `telemetry.debugHeader` must be `true` or `false` or a map"),
        ("{claim: {name: '', exact: x}}", "13: Error: a claim without a name"),
    ] {
        let found = debug(wrong);
        assert_eq!(found.len(), 1, "{wrong}: {found:#?}");
        assert!(found[0].starts_with(says), "{wrong}: {}", found[0]);
    }
}

#[test]
fn without_a_gateway_nobody_gets_it() {
    let file = "version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
services: {api: {subsets: {stable: {version: v1}}}}
telemetry: {debugHeader: {tenants: [gray-v1]}}
";
    let found = findings(file);
    assert!(
        found.iter().any(|one| one.starts_with("5: Warning: the debug header for some callers")),
        "{found:#?}"
    );
    assert_eq!(findings(&file.replace("{tenants: [gray-v1]}", "true")), [""; 0]);
}
