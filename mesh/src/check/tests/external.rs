//! What a file leaves to somebody else.

use super::{findings, notes};

const HEADER_ONLY: &str = "
version: 1
mesh: {name: shop, namespace: shop, namespaces: [shop, pay]}
tenants: {green: {default: true}, gray-v1: {}}
edge: none
";

const CANARY: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge: none
sticky: {keys: [{header: x-user-id}]}
services:
  api: {routing: external, rollout: {weights: external, salt: release-42, route: primary, tenants: [green, gray-v1]}}
";

fn one(text: &str, says: &[&str]) {
    let found = findings(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in says {
        assert!(found[0].contains(part), "`{part}` is not in {}", found[0]);
    }
    assert!(!found[0].contains("(no help)"), "{}", found[0]);
}

#[test]
fn the_shortest_file_is_in_order_and_says_what_more_there_is() {
    assert_eq!(findings(HEADER_ONLY), [""; 0]);
    let said = notes(HEADER_ONLY);
    assert!(
        said.len() == 1 && said[0].contains("routes, weights and sticky users stay as they are"),
        "{said:?}"
    );
    assert_eq!(
        findings(&format!("{HEADER_ONLY}services: {{ledger: {{}}}}")),
        [""; 0],
        "a service by its name alone"
    );
}

#[test]
fn without_an_edge_a_forged_header_would_be_restored() {
    let text = HEADER_ONLY.replace("edge: none\n", "");
    one(&text, &["would be restored at each hop", "`edge: none`", "selector"]);
    one(&HEADER_ONLY.replace("edge: none", "edge: {accept: never}"), &["`edge.gateway` is missing"]);
    one(&CANARY.replace("edge: none\n", ""), &["`edge.gateway` is missing"]);
    one(&HEADER_ONLY.replace("edge: none", "edge: nothing"), &["`edge` cannot be `nothing`"]);
}

#[test]
fn a_gateway_among_the_namespaces_needs_a_selector() {
    let text = HEADER_ONLY.replace("edge: none", "edge: {gateway: {namespace: pay}}");
    one(&text, &["`edge.gateway` has no `selector`"]);
}

#[test]
fn namespaces_are_names() {
    one(&HEADER_ONLY.replace("[shop, pay]", "[shop, Pay_1]"), &["Pay_1"]);
}

#[test]
fn rendered_settings_have_no_effect_on_external_routes() {
    for field in [
        "http: {timeout: 3s}",
        "trafficPolicy: {}",
        "routes: [{match: [{uri: {prefix: /x}}]}]",
        "versions: {}",
    ] {
        let text = CANARY.replace("routing: external,", &format!("routing: external, {field},"));
        one(&text, &["has no effect: the routes of `api` are external"]);
    }
    let all = CANARY
        .replace("namespace: shop}", "namespace: shop, routing: external}")
        .replace("api: {routing: external,", "api: {");
    assert_eq!(findings(&all), [""; 0], "the mesh says it for all");
}

#[test]
fn external_weights_are_reported_and_not_changed() {
    assert_eq!(findings(CANARY), [""; 0]);
    one(
        &CANARY.replace("api: {routing: external,", "api: {routing: graylane, subsets: {v1: {version: v1}},"),
        &["`external` weights, but graylane writes the routes"],
    );
    for field in ["steps: [1, 5]", "hold: 10m", "gate: gray-v1", "guards: []"] {
        let text = CANARY.replace("route: primary", &format!("route: primary, {field}"));
        one(&text, &["has no effect: the weights of `api` are external"]);
    }
    let numbers = CANARY
        .replace("weights: external", "weights: {canary: 25}")
        .replace(
            "api: {",
            "api: {subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, ",
        )
        .replace(", route: primary", "");
    one(&numbers, &["are in external routes", "weights: external"]);
    one(&CANARY.replace("weights: external", "weights: externally"), &["did you mean `external`"]);
}

#[test]
fn weights_of_one_route_are_numbers() {
    let routes = |list: &str| {
        let route = "{name: a, match: [{uri: {prefix: /a}}], rollout: {weights: external}}";
        let own = list.replace("ROUTE", route);
        super::GOOD.to_owned() + &own
    };
    let found = |text: &str| {
        findings(text).into_iter().filter(|one| one.contains("of a whole service, not of one route")).count()
    };
    assert_eq!(found(&routes("    routes: [ROUTE]\n")), 1);
    assert_eq!(found(&routes("    expose: {hosts: [api.example.com], routes: [ROUTE]}\n")), 1);
}

#[test]
fn who_takes_no_part_is_drawn_and_that_is_said() {
    let said = notes(&CANARY.replace(", tenants: [green, gray-v1]", ""));
    assert!(said.iter().any(|note| note.contains("`gray-v1` get a version at random")), "{said:?}");
    assert!(!notes(CANARY).iter().any(|note| note.contains("at random")));
}
