//! Routes of the Gateway API against the same file's VirtualServices: who goes where is the same, in every order of rules.

mod refused;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::lost;
use crate::check;
use crate::document::{self, finding};
use crate::mesh::Mesh;
use crate::resources::{Options, resources};
use crate::routes::{self, Text};
use crate::traffic::{Answer, World, requests};

const HEAD: &str = "version: 1
tenants: {green: {default: true}, gray: {}, load: {}}
edge: {gateway: {name: ingress/public, selector: {istio: ingress}}, accept: always}
";

fn open(mesh: &str, services: &str) -> check::Opened {
    let text = format!("{HEAD}mesh: {{name: m, namespace: a{mesh}}}\nservices:\n{services}");
    check::open(document::load_text("f.yaml", &text).unwrap())
}

fn gateway_api(services: &str) -> Mesh {
    Mesh::of(&open(", routes: gateway-api", services).checked().unwrap())
}

fn rendered(mesh: &Mesh) -> Vec<Json> {
    resources(mesh, &Options::default()).iter().map(crate::resources::Resource::json).collect()
}

/// Where requests go: services and their subsets, whichever form says so.
fn places(mesh: &Mesh, answer: &Answer) -> (BTreeSet<(String, String, u64)>, String) {
    let place = |(target, share): &(crate::traffic::Target, u64)| {
        let of = mesh.services.iter().find_map(|service| {
            let subset = service
                .subsets
                .keys()
                .find(|subset| service.service_of(subset).as_deref() == Some(&target.host))?;
            Some((service.host.clone(), subset.clone()))
        });
        let (host, subset) =
            of.unwrap_or_else(|| (target.host.clone(), target.subset.clone().unwrap_or_default()));
        (host, subset, *share)
    };
    (answer.targets.iter().map(place).collect(), Json::from(answer.fields.clone()).to_string())
}

/// Every request that the rules of either form talk about goes to the same place in both. How many were tried.
fn same(services: &str) -> usize {
    let ours = Mesh::of(&open("", services).checked().unwrap());
    let theirs = gateway_api(services);
    let (before, after) = (rendered(&ours), rendered(&theirs));
    let worlds = [&before, &after].map(|all| World::of(&all.iter().collect::<Vec<_>>(), "tenant"));
    let hosts = routes::all(&ours);
    let matches = hosts.iter().flat_map(|host| &host.blocks).flat_map(|block| &block.matches);
    let prefixes: Vec<String> = matches
        .filter_map(|one| match &one.path {
            Some(Text::Prefix(prefix)) => Some(prefix.clone()),
            _ => None,
        })
        .collect();
    let mut tried = 0;
    for (place, host) in worlds[0].places().into_iter().filter(|(_, host)| !host.contains("-v")) {
        let rules = [0, 1].map(|one| worlds[one].rules(&place, &host));
        for request in requests(&place, &host, [rules[0].as_ref(), rules[1].as_ref()]) {
            if prefixes.iter().any(|prefix| is_text_only(&request.path, prefix))
                || (place == "mesh" && request.port != 80)
            {
                continue;
            }
            let answers = [0, 1].map(|one| worlds[one].answer(&request, rules[one].as_ref()));
            assert_eq!(places(&theirs, &answers[0]), places(&theirs, &answers[1]), "{request}\n{services}");
            tried += 1;
        }
    }
    tried
}

/// Is a prefix one of the text, and not one of whole segments?
fn is_text_only(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !prefix.ends_with('/'))
}

const SUBSETS: &str = "subsets: {v1: {version: v1}, v2: {version: v2}}, baseline: v1";

#[test]
fn a_rollout_with_pins_inside_and_at_a_gateway() {
    let tried = same(&format!(
        "  api: {{port: 80, {SUBSETS}, pins: {{gray: v2}}, rollout: {{weights: {{v2: 2.5}}}}, expose: {{hosts: [api.example]}}, http: {{timeout: 3s}}}}\n"
    ));
    assert!(tried > 20, "{tried}");
}

#[test]
fn a_regular_expression_for_a_path_before_all_other_requests() {
    let tried = same(&format!(
        "  api: {{port: 80, {SUBSETS}, pins: {{gray: v2}}, rollout: {{weights: {{v2: 25}}}}, routes: [\n\
         \x20   {{match: [{{uri: {{prefix: /b}}}}], pins: {{}}}}, {{match: [{{uri: {{regex: /a.*}}}}], baseline: v2}}]}}\n"
    ));
    assert!(tried > 20, "{tried}");
}

#[test]
fn rules_in_an_order_that_the_api_would_turn_round() {
    same(&format!(
        "  api: {{port: 80, {SUBSETS}, pins: {{gray: v2}}, rollout: {{weights: {{v2: 25}}}}, routes: [\n\
         \x20   {{match: [{{queryParams: {{debug: {{exact: '1'}}}}}}], baseline: v2}},\n\
         \x20   {{match: [{{headers: {{x-b: {{prefix: beta-}}}}}}], baseline: v2}},\n\
         \x20   {{match: [{{uri: {{exact: /api/x}}}}, {{uri: {{prefix: /api}}, method: {{exact: POST}}}}], pins: {{}}}}]}}\n"
    ));
}

fn one_match() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        Just(String::new()),
        Just("uri: {prefix: /api}".to_owned()),
        Just("uri: {exact: /api/x}".to_owned()),
        Just("uri: {prefix: /api/x}".to_owned()),
        Just("uri: {prefix: /b}".to_owned()),
        Just("uri: {regex: /a.*}".to_owned()),
    ];
    let method = prop_oneof![Just(""), Just("method: {exact: GET}"), Just("method: {exact: POST}")];
    let headers = prop_oneof![
        Just(""),
        Just("headers: {x-b: {exact: one}}"),
        Just("headers: {x-b: {prefix: o}, x-c: {exact: two}}"),
        Just("headers: {x-c: {regex: t.*}}"),
    ];
    let query = prop_oneof![Just(""), Just("queryParams: {q: {exact: '1'}}")];
    (path, method, headers, query).prop_filter_map(
        "a match that says something",
        |(path, method, headers, query)| {
            let parts: Vec<&str> =
                [path.as_str(), method, headers, query].into_iter().filter(|part| !part.is_empty()).collect();
            (!parts.is_empty()).then(|| format!("{{{}}}", parts.join(", ")))
        },
    )
}

fn route() -> impl Strategy<Value = String> {
    let choice = prop_oneof![
        Just("baseline: v2"),
        Just("baseline: v1"),
        Just("pins: {gray: v2}"),
        Just("rollout: {weights: {v2: 50}}"),
        Just("http: {timeout: 1s}"),
    ];
    (prop::collection::vec(one_match(), 1..3), choice)
        .prop_map(|(matches, choice)| format!("    {{match: [{}], {choice}}}", matches.join(", ")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_most_specific_match_gives_what_the_order_of_the_file_gives(
        routes in prop::collection::vec(route(), 1..4),
        rest in prop_oneof![Just("pins: {gray: v2}, rollout: {weights: {v2: 25}}"), Just("pins: {gray: v2, load: v2}"), Just("rollout: {weights: {v2: 1}}")],
    ) {
        let services = format!("  api: {{port: 80, {SUBSETS}, {rest}, routes: [\n{}]}}\n", routes.join(",\n"));
        let opened = open(", routes: gateway-api", &services);
        // Too many matches for one route are refused, and nothing else of these is.
        let said = finding::render(&opened.findings, &opened.sources);
        prop_assert!(!opened.findings.has_errors() || said.contains("for the same requests") || said.contains("because of a regular expression or a rewritten path"), "{said}");
        if opened.file.is_some() {
            same(&services);
        }
    }
}

#[test]
fn what_the_api_cannot_say_is_refused_by_its_name() {
    let text = "  api: {subsets: {v1: {version: v1}, v2: {version: v2}}, baseline: v1, pins: {gray: v2}, fallback: baseline, routes: [\n\
                \x20   {match: [{withoutHeaders: {x: {exact: a}}}, {ignoreUriCase: true, uri: {prefix: /a}}, {sourceLabels: {app: web}}], http: {fault: {abort: {httpStatus: 500, percentage: {value: 1}}}}},\n\
                \x20   {match: [{uri: {regex: /r.*}}], http: {retries: {attempts: 1, retryOn: 5xx}, rewrite: {uri: /}}},\n\
                \x20   {match: [{uri: {prefix: /r}}], baseline: v2}]}\n  api-v1: {port: 80, subsets: {only: {}}}\n";
    let opened = open(", routes: gateway-api", text);
    let said = finding::render(&opened.findings, &opened.sources);
    for part in [
        "`fallback` of `api` needs subsets",
        "`api` has no `port`",
        "`withoutHeaders` in `match` of `api` is not supported by the Gateway API",
        "`ignoreUriCase` in `match` of `api`",
        "`sourceLabels` in `match` of `api`",
        "`fault` in `http` of `api` is not supported",
        "`retries.retryOn` in `http` of `api` is not supported",
        "`rewrite.uri` in `http` of `api` needs a path",
        "because of a regular expression",
        "is the Service that subset `v1` of `api` gets",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert!(opened.file.is_none());
}

#[test]
fn many_tenants_share_rules_and_very_many_share_routes() {
    let tenants = |count: usize| (0..count).map(|number| format!("t{number}")).collect::<Vec<_>>();
    let open = |count: usize| {
        let all: String = tenants(count).iter().map(|name| format!(", {name}: {{}}")).collect();
        let pins: Vec<String> = tenants(count).iter().map(|name| format!("{name}: v2")).collect();
        let text = format!(
            "version: 1\nmesh: {{name: m, namespace: a, routes: gateway-api}}\ntenants: {{green: {{default: true}}{all}}}\nedge: none\n\
             services:\n  api: {{port: 80, {SUBSETS}, pins: {{{}}}}}\n",
            pins.join(", ")
        );
        check::open(document::load_text("f.yaml", &text).unwrap())
    };
    let mesh = Mesh::of(&open(60).checked().unwrap());
    let all = rendered(&mesh);
    let routes: Vec<&Json> = all.iter().filter(|json| json["kind"] == "HTTPRoute").collect();
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0]["spec"]["rules"].as_array().unwrap().len(), 2, "60 pins are one rule");
    let mesh = Mesh::of(&open(150).checked().unwrap());
    let all = rendered(&mesh);
    let routes = all.iter().filter(|json| json["kind"] == "HTTPRoute");
    let counts = routes.map(|route| {
        let rules = route["spec"]["rules"].as_array().unwrap().iter();
        rules.map(|rule| rule["matches"].as_array().unwrap().len()).collect::<Vec<_>>()
    });
    // No request has two tenants, and that for all others is less specific: a second route decides nothing anew.
    assert_eq!(counts.collect::<Vec<_>>(), [vec![64, 64], vec![22, 1]]);
}

#[test]
fn a_host_of_many_services_has_several_routes_where_none_of_their_requests_are_the_same() {
    let services: String = (0..9)
        .map(|number| {
            format!("  s{number}: {{port: 80, {SUBSETS}, pins: {{gray: v2}}, rollout: {{weights: {{v2: 5}}}}, expose: {{hosts: [a.example], paths: [/s{number}]}}}}\n")
        })
        .collect();
    let mesh = gateway_api(&services);
    let all = rendered(&mesh);
    let of_host = all.iter().filter(|json| json["spec"]["hostnames"] == json!(["a.example"]));
    let names: Vec<&str> = of_host.filter_map(|json| json["metadata"]["name"].as_str()).collect();
    assert!(
        names.len() > 1 && names[0] == "m-host-a.example" && names[1] == "m-host-a.example.2",
        "{names:?}"
    );
    same(&services);
}

#[test]
fn services_of_other_namespaces_allow_routes_of_gateways() {
    let mesh = gateway_api(&format!(
        "  api: {{port: 80, namespace: b, {SUBSETS}, expose: {{hosts: [api.example]}}}}\n"
    ));
    let all = rendered(&mesh);
    let grant = all.iter().find(|json| json["kind"] == "ReferenceGrant").expect("a grant");
    assert_eq!(grant["metadata"]["namespace"], "b");
    assert_eq!(grant["spec"]["from"][0]["namespace"], "a");
    assert_eq!(lost(&mesh), []);
}

#[test]
fn what_belongs_to_a_host_of_another_namespace_is_there() {
    let mesh = gateway_api(&format!("  api: {{port: 80, host: old.b.svc.cluster.local, {SUBSETS}}}\n"));
    let names: Vec<String> = rendered(&mesh)
        .iter()
        .filter(|json| json["kind"] != "Telemetry")
        .map(|json| {
            format!("{} {}/{}", json["kind"], json["metadata"]["namespace"], json["metadata"]["name"])
        })
        .collect();
    let want = ["Service b/old-v1", "Service b/old-v2", "HTTPRoute b/m-api"];
    assert_eq!(names.join(", ").replace('"', ""), want.join(", "));
}

#[test]
fn a_service_that_a_version_names_is_not_written() {
    // Also under the name that one would get: its owner may have given it another `targetPort`.
    let mesh = gateway_api(&format!("  api: {{port: 80, {SUBSETS}, versions: {{v1: {{host: api-v1}}}}}}\n"));
    let services = rendered(&mesh).into_iter().filter(|json| json["kind"] == "Service");
    let names: Vec<Json> = services.map(|json| json["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["api-v2"]);
}
