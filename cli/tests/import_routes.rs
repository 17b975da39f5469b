//! `import` of HTTPRoutes: what is rendered, imported and rendered again routes the same, and what a file cannot say is said.

mod generated_routes;

use std::collections::BTreeSet;
use std::path::Path;

use graylane::document;
use graylane::document::finding::{Findings, Severity};
use graylane::document::source::SourceFiles;
use graylane::import::{self, Choices, Found, Step};
use graylane::mesh::Mesh;
use graylane::resources::{Kind, Options, resources};
use graylane::traffic::{self, World};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRunner};
use serde_json::{Value as Json, json};

use generated_routes::{route, services};

struct Outcome {
    text: Option<String>,
    lost: Vec<String>,
    steps: Vec<(Step, String)>,
}

fn imported(current: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("current.yaml");
    std::fs::write(&path, current).unwrap();
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let found = import::read(&[path], &mut sources, &mut findings).unwrap();
    assert!(!findings.has_errors(), "{findings:?}");
    let imported = import::import(&Found::of(found), &Choices::default(), &sources).unwrap();
    let lost = imported.findings.iter().filter(|finding| finding.severity == Severity::Error);
    Outcome {
        text: imported.text,
        lost: lost.map(|finding| finding.message.clone()).collect(),
        steps: imported.plan.steps,
    }
}

fn mesh(text: &str) -> Mesh {
    Mesh::of(&graylane::check::open(document::load_text("graylane.yaml", text).unwrap()).checked().unwrap())
}

fn rendered(mesh: &Mesh, only: &[Kind]) -> Vec<Json> {
    let options =
        Options { without_filter: true, only: Some(only.iter().copied().collect()), ..Options::default() };
    resources(mesh, &options).iter().map(graylane::resources::Resource::json).collect()
}

fn list(items: &[Json]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn differences(before: &[Json], after: &[Json]) -> Vec<String> {
    let world = |list: &[Json]| World::of(&list.iter().collect::<Vec<_>>(), "tenant");
    let report = traffic::compare(&world(before), &world(after));
    assert!(report.tried > 0);
    report.differences.iter().map(traffic::Difference::text).collect()
}

#[test]
fn every_example_that_has_http_routes_survives_a_round_trip() {
    let mut tried = BTreeSet::new();
    for name in ["bank", "boutique", "edge", "gateways", "observability", "ramp", "shop"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
        let (mut layers, _) = document::as_written(&[path]).unwrap();
        layers.push(vec![("form".to_owned(), "mesh: {routes: gateway-api}\n".to_owned())]);
        let opened = graylane::check::open(document::of_texts(layers));
        // Some say what only a VirtualService can.
        let Ok(file) = opened.checked() else { continue };
        tried.insert(name);
        let before = rendered(&Mesh::of(&file), &[Kind::HttpRoute, Kind::DestinationRule, Kind::Service]);
        let outcome = imported(&list(&before));
        assert_eq!(outcome.lost, [""; 0], "{name}");
        let after = mesh(&outcome.text.unwrap());
        // The Services are there: none is written over them.
        assert_eq!(rendered(&after, &[Kind::Service]).len(), 0, "{name}");
        let after = rendered(&after, &[Kind::HttpRoute, Kind::DestinationRule]);
        assert_eq!(differences(&before, &after), Vec::<String>::new(), "{name}");
    }
    assert!(tried.len() >= 4, "{tried:?}");
}

/// How many generated sets there are.
const CASES: u32 = 500;

#[test]
fn nothing_is_lost_without_a_word() {
    let equal = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(7),
        max_shrink_iters: 200,
        ..Config::default()
    });
    let routes = prop_oneof![
        prop::collection::vec(route("shop"), 1..3),
        (route("shop"), route("cart")).prop_map(|(a, b)| vec![a, b]),
    ];
    let result = runner.run(&routes, |current| {
        let all: Vec<Json> =
            current.iter().cloned().chain(services("shop")).chain(services("cart")).collect();
        let outcome = imported(&list(&all));
        let Some(text) = outcome.text else {
            prop_assert!(!outcome.lost.is_empty());
            return Ok(());
        };
        if text.ends_with("services: {}\n") {
            // Redirects of everything stay as they are, and are not of a service.
            return Ok(());
        }
        // Whatever is written passes `check`.
        let mesh = mesh(&text);
        if !outcome.lost.is_empty() {
            return Ok(());
        }
        equal.set(equal.get() + 1);
        let kept = |json: &&Json| {
            let title = format!("HTTPRoute demo/{}", json["metadata"]["name"].as_str().unwrap_or_default());
            outcome.steps.contains(&(Step::Keep, title))
        };
        let kept = current.iter().filter(kept).cloned();
        let after: Vec<Json> =
            rendered(&mesh, &[Kind::HttpRoute, Kind::DestinationRule]).into_iter().chain(kept).collect();
        // A Service has one port here, so a route without one is for that.
        let before: Vec<Json> = current
            .iter()
            .map(|json| {
                let mut json = json.clone();
                for parent in json["spec"]["parentRefs"]
                    .as_array_mut()
                    .unwrap()
                    .iter_mut()
                    .filter(|parent| parent["kind"] == "Service")
                {
                    parent["port"] = json!(80);
                }
                json
            })
            .collect();
        prop_assert_eq!(differences(&before, &after), Vec::<String>::new());
        Ok(())
    });
    result.unwrap();
    assert!(equal.get() > CASES / 2, "{} of {CASES}", equal.get());
}

fn http_route(spec: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: api, namespace: shop}}\nspec: {spec}\n---\n"
    )
}

const PARENT: &str = "parentRefs: [{group: '', kind: Service, name: api, port: 80}]";
const BACKEND: &str = "backendRefs: [{name: api-v1, port: 80}]";

#[test]
fn what_a_file_cannot_say_is_said() {
    let cases = [
        (
            format!(
                "{{{PARENT}, rules: [{{{BACKEND}, filters: [{{type: RequestMirror, requestMirror: {{backendRef: {{name: audit, port: 80}}}}}}]}}]}}"
            ),
            "HTTPRoute shop/api, rule 1: a filter of type RequestMirror",
        ),
        (
            format!("{{{PARENT}, rules: [{{{BACKEND}, sessionPersistence: {{type: Cookie}}}}]}}"),
            "HTTPRoute shop/api, rule 1: `sessionPersistence`",
        ),
        (
            format!("{{{PARENT}, rules: [{{{BACKEND}, retry: {{attempts: 2, codes: [503]}}}}]}}"),
            "rule 1: `retry.codes`",
        ),
        (
            format!(
                "{{{PARENT}, rules: [{{{BACKEND}, filters: [{{type: URLRewrite, urlRewrite: {{path: {{type: ReplaceFullPath, replaceFullPath: /x}}}}}}]}}]}}"
            ),
            "a rewrite with `replaceFullPath` of paths that are not exact",
        ),
        (
            format!(
                "{{{PARENT}, rules: [{{matches: [{{path: {{type: Exact, value: /x}}}}]}}, {{{BACKEND}}}]}}"
            ),
            "rule 1: no backend, so Istio answers 500",
        ),
        (
            format!(
                "{{{PARENT}, rules: [{{backendRefs: [{{name: api-v1, port: 80, weight: 0}}], matches: [{{path: {{type: Exact, value: /x}}}}]}}, {{{BACKEND}}}]}}"
            ),
            "rule 1: all weights are 0, so Istio answers 500",
        ),
        (
            format!("{{parentRefs: [{{name: public, sectionName: https}}], rules: [{{{BACKEND}}}]}}"),
            "HTTPRoute shop/api: `sectionName` of a Gateway",
        ),
        (
            format!(
                "{{parentRefs: [{{group: '', kind: Service, name: api, namespace: other, port: 80}}], rules: [{{{BACKEND}}}]}}"
            ),
            "it is for callers in namespace shop only",
        ),
        (
            format!(
                "{{{PARENT}, rules: [{{backendRefs: [{{group: inference.networking.k8s.io, kind: InferencePool, name: pool}}]}}]}}"
            ),
            "a backend of kind InferencePool",
        ),
        (
            format!("{{parentRefs: [{{kind: Service, name: api, port: 80}}], rules: [{{{BACKEND}}}]}}"),
            "a Service whose `group` is not empty",
        ),
        (
            format!("{{parentRefs: [{{group: '', kind: Service, name: api}}], rules: [{{{BACKEND}}}]}}"),
            "the port of Service api is not known",
        ),
        (format!("{{{PARENT}, rules: [{{{BACKEND}, retry: {{}}}}]}}"), "`retry` without `attempts`"),
        (
            format!("{{{PARENT}, rules: [{{{BACKEND}, timeouts: {{backendRequest: 1s}}}}]}}"),
            "`timeouts.backendRequest` without `retry`",
        ),
    ];
    for (spec, want) in cases {
        let outcome = imported(&http_route(&spec));
        assert!(outcome.lost.iter().any(|text| text.contains(want)), "{want}: {:#?}", outcome.lost);
    }
}

#[test]
fn routes_of_other_kinds_beside_http_routes_are_said_and_stay() {
    let beside = "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web, namespace: shop}, spec: {hosts: [web], http: [{route: [{destination: {host: web}}]}]}}\n---\n\
        {apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: calls, namespace: shop}, spec: {}}\n";
    let outcome = imported(&(http_route(&format!("{{{PARENT}, rules: [{{{BACKEND}}}]}}")) + beside));
    assert!(outcome.lost[1].contains("GRPCRoute shop/calls: GRPCRoutes are not read"), "{:#?}", outcome.lost);
    assert!(
        outcome.lost[0].contains("VirtualService shop/web: there are HTTPRoutes too"),
        "{:#?}",
        outcome.lost
    );
    assert_eq!(outcome.lost.len(), 2);
    for kept in ["VirtualService shop/web", "GRPCRoute shop/calls"] {
        assert!(outcome.steps.contains(&(Step::Keep, kept.to_owned())), "{kept}: {:?}", outcome.steps);
    }
    assert!(outcome.steps.contains(&(Step::Delete, "HTTPRoute shop/api".to_owned())));
}

#[test]
fn a_version_without_any_share_is_one_nevertheless() {
    let spec = format!(
        "{{{PARENT}, rules: [{{backendRefs: [{{name: api-v1, port: 80}}, {{name: api-v2, port: 80, weight: 0}}]}}]}}"
    );
    let outcome = imported(&http_route(&spec));
    assert_eq!(outcome.lost, [""; 0]);
    let json: Json = serde_saphyr::from_str(&outcome.text.unwrap()).unwrap();
    assert_eq!(json["services"]["api"]["versions"]["v2"]["host"], "api-v2.shop.svc.cluster.local");
    assert_eq!(json["services"]["api"]["baseline"], "v1");
}

fn named(name: &str, made: u32, spec: &str) -> String {
    http_route(spec).replace(
        "name: api, namespace",
        &format!("name: {name}, creationTimestamp: '{made}-01-01T00:00:00Z', namespace"),
    )
}

#[test]
fn what_stays_is_not_overwritten_and_the_youngest_goes_first() {
    // The mesh is called `shop`, so the route of `api` is rendered as `shop-api`.
    let redirect = "{parentRefs: [{name: gw}], hostnames: [a.example], rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}]}";
    let mesh = format!("{{{PARENT}, rules: [{{{BACKEND}}}]}}");
    let outcome = imported(&(named("shop-api", 2024, redirect) + &named("api", 2024, &mesh)));
    let want = "HTTPRoute shop/shop-api stays, but what the file renders has the same name";
    assert!(outcome.lost.iter().any(|text| text.contains(want)), "{:#?}", outcome.lost);

    let hidden = mesh.replace("api-v1", "api-v2");
    let outcome = imported(&(named("old", 2024, &mesh) + &named("hidden", 2025, &hidden)));
    let gone: Vec<&str> = outcome
        .steps
        .iter()
        .filter(|(step, _)| *step == Step::Delete)
        .map(|(_, title)| title.as_str())
        .collect();
    assert_eq!(gone, ["HTTPRoute shop/hidden", "HTTPRoute shop/old"]);
}

#[test]
fn routes_with_and_without_a_port_are_not_merged() {
    let without =
        format!("{{parentRefs: [{{group: '', kind: Service, name: api}}], rules: [{{{BACKEND}}}]}}");
    let with = format!("{{{PARENT}, rules: [{{{BACKEND}}}]}}");
    let service = "{apiVersion: v1, kind: Service, metadata: {name: api, namespace: shop}, spec: {selector: {app: api}, ports: [{port: 80}]}}\n";
    let outcome = imported(&(named("a", 2024, &with) + &named("b", 2025, &without) + service));
    assert!(
        outcome.lost.iter().any(|text| text.contains("with a port and without are not merged")),
        "{:#?}",
        outcome.lost
    );
}

#[test]
fn subsets_that_others_may_use_stay_and_a_canary_is_not_the_baseline() {
    let rule = "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: api, namespace: shop}, spec: {host: api, subsets: [{name: v1, labels: {version: v1}}]}}\n";
    let outcome = imported(&(named("a", 2024, &format!("{{{PARENT}, rules: [{{{BACKEND}}}]}}")) + rule));
    assert!(
        outcome.steps.contains(&(Step::Keep, "DestinationRule shop/api".to_owned())),
        "{:?}",
        outcome.steps
    );

    let front = "{parentRefs: [{name: gw}], hostnames: [a.example], rules: [{backendRefs: [{name: web-canary, port: 80, weight: 10}, {name: web-stable, port: 80, weight: 90}]}]}";
    let json: Json = serde_saphyr::from_str(&imported(&named("a", 2024, front)).text.unwrap()).unwrap();
    assert!(json["services"].as_object().unwrap().contains_key("web-stable"), "{json}");
}

#[test]
fn of_two_ports_each_has_the_versions_of_its_own_routes() {
    let second = "{parentRefs: [{group: '', kind: Service, name: api, port: 8080}], rules: [{backendRefs: [{name: api-v1, port: 8080}]}]}";
    let first = format!(
        "{{{PARENT}, rules: [{{backendRefs: [{{name: api-v1, port: 80}}, {{name: api-v2, port: 80, weight: 0}}]}}]}}"
    );
    let outcome = imported(&(named("a", 2024, &first) + &named("b", 2024, second)));
    let json: Json = serde_saphyr::from_str(&outcome.text.unwrap()).unwrap();
    let versions = |service: &str| json["services"][service]["versions"].clone();
    assert!(versions("api-80").get("v2").is_some(), "{json}");
    assert!(versions("api-8080").get("v2").is_none(), "{json}");
}
