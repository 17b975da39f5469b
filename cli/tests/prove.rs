//! `import` proves itself: of generated VirtualServices nothing is lost without a word, and whatever is changed in what
//! would be rendered is found.

use graylane::document;
use graylane::document::finding::{Findings, Severity};
use graylane::document::source::SourceFiles;
use graylane::import::{self, Choices, Found, Step};
use graylane::mesh::Mesh;
use graylane::resources::{Kind, Options, resources};
use graylane::traffic::{self, World};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRunner};
use serde_json::{Map, Value as Json, json};

/// How many generated sets there are.
const CASES: u32 = 2000;

fn text_match(
    values: &'static [&'static str],
    patterns: &'static [&'static str],
) -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => select(values).prop_map(|value| json!({"exact": value})),
        2 => select(values).prop_map(|value| json!({"prefix": value})),
        1 => select(patterns).prop_map(|pattern| json!({"regex": pattern})),
        1 => Just(json!({})),
    ]
}

fn uri() -> impl Strategy<Value = Json> {
    prop_oneof![
        select(&["/", "/api", "/api/v1", "/static/"][..]).prop_map(|path| json!({"prefix": path})),
        select(&["/", "/api", "/pay"][..]).prop_map(|path| json!({"exact": path})),
        select(&["/item/[0-9]+", "/(a|b)/.*"][..]).prop_map(|path| json!({"regex": path})),
    ]
}

/// One condition, by the field that it is in.
fn condition() -> impl Strategy<Value = (&'static str, Json)> {
    let header = |name: &'static str| {
        text_match(&["on", "jason", "b"], &["^j.*n$", "a|b"])
            .prop_map(move |text| ("headers", json!({name: text})))
    };
    prop_oneof![
        4 => uri().prop_map(|uri| ("uri", uri)),
        4 => select(&["gray", "beta"][..]).prop_map(|tenant| ("headers", json!({"tenant": {"exact": tenant}}))),
        1 => Just(("headers", json!({"tenant": {"prefix": "g"}}))),
        2 => header("x-user"),
        1 => header("X-Beta"),
        1 => Just(("headers", json!({"cookie": {"regex": "^(.*?;)?(user=jason)(;.*)?$"}}))),
        1 => Just(("withoutHeaders", json!({"x-user": {}}))),
        1 => select(&["GET", "PUT"][..]).prop_map(|method| ("method", json!({"exact": method}))),
        1 => text_match(&["1", "2"], &["[12]"]).prop_map(|text| ("queryParams", json!({"v": text}))),
        1 => select(&[80, 8080][..]).prop_map(|port| ("port", json!(port))),
        1 => Just(("sourceLabels", json!({"app": "web"}))),
        1 => Just(("sourceNamespace", json!("other"))),
    ]
}

fn one_match() -> impl Strategy<Value = Json> {
    prop::collection::vec(condition(), 1..3).prop_map(|conditions| {
        let mut fields = Map::new();
        for (key, value) in conditions {
            match (fields.get_mut(key).and_then(Json::as_object_mut), &value) {
                (Some(known), Json::Object(more)) if key != "uri" && key != "method" => {
                    known.extend(more.clone());
                }
                _ => drop(fields.insert(key.to_owned(), value)),
            }
        }
        Json::from(fields)
    })
}

fn destination(service: &'static str) -> impl Strategy<Value = Json> {
    let host = prop_oneof![8 => Just(service.to_owned()), 1 => Just(format!("{service}-canary"))];
    let subset = prop::option::weighted(0.6, select(&["v1", "v2", "v3"][..]));
    let port = prop::option::weighted(0.2, select(&[80, 8080][..]));
    let headers = prop::option::weighted(0.1, Just(json!({"response": {"set": {"x-version": "2"}}})));
    (host, subset, port, headers).prop_map(|(host, subset, port, headers)| {
        let mut to = json!({"destination": {"host": host}});
        if let Some(subset) = subset
            && !host.ends_with("-canary")
        {
            to["destination"]["subset"] = subset.into();
        }
        if let Some(port) = port {
            to["destination"]["port"] = json!({"number": port});
        }
        if let Some(headers) = headers {
            to["headers"] = headers;
        }
        to
    })
}

fn rule(service: &'static str) -> impl Strategy<Value = Json> {
    let weights = select(&[[100, 0, 0], [90, 10, 0], [0, 100, 0], [1, 1, 1], [2, 1, 0], [50, 25, 25]][..]);
    let further = select(
        &[
            ("timeout", "\"2s\""),
            ("retries", "{\"attempts\": 0}"),
            ("fault", "{\"abort\": {\"httpStatus\": 500, \"percentage\": {\"value\": 10}}}"),
            ("rewrite", "{\"uri\": \"/new\"}"),
            ("headers", "{\"request\": {\"set\": {\"x-a\": \"${HOME}\"}}}"),
            ("mirror", "{\"host\": \"audit\"}"),
            ("redirect", "{\"uri\": \"/login\"}"),
        ][..],
    );
    (
        prop::collection::vec(one_match(), 0..3),
        prop::collection::vec(destination(service), 1..4),
        weights,
        prop::option::weighted(0.4, further),
    )
        .prop_map(|(matches, mut route, weights, further)| {
            let mut rule = json!({});
            if !matches.is_empty() {
                rule["match"] = matches.into();
            }
            if let Some((key, value)) = further {
                rule[key] = serde_json::from_str(value).unwrap();
                if key == "redirect" {
                    return rule;
                }
            }
            if route.len() > 1 {
                for (to, weight) in route.iter_mut().zip(weights) {
                    to["weight"] = weight.into();
                }
            }
            rule["route"] = route.into();
            rule
        })
}

fn virtual_service(service: &'static str) -> impl Strategy<Value = Json> {
    let bound = select(&["mesh", "mesh", "gateway", "both"][..]);
    let public = select(&["a.example.com", "b.example.com", "*"][..]);
    let last = prop::bool::weighted(0.8);
    (bound, public, prop::collection::vec(rule(service), 1..5), last).prop_map(move |(bound, public, mut rules, last)| {
        if last && let Some(rule) = rules.last_mut().and_then(Json::as_object_mut) {
            rule.remove("match");
        }
        let mut spec = json!({"http": rules});
        let public_of = format!("{service}.example.com");
        let (hosts, gateways) = match bound {
            "mesh" => (vec![service], None),
            "gateway" => (vec![public], Some(vec!["front"])),
            _ => (vec![service, &public_of], Some(vec!["mesh", "edge/front"])),
        };
        spec["hosts"] = json!(hosts);
        if let Some(gateways) = gateways {
            spec["gateways"] = json!(gateways);
        }
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": format!("{service}-routes"), "namespace": "demo"}, "spec": spec})
    })
}

fn destination_rule(service: &'static str) -> impl Strategy<Value = Json> {
    (any::<bool>(), any::<bool>()).prop_map(move |(whole, own)| {
        let mut spec = json!({"host": service, "subsets": [
            {"name": "v1", "labels": {"version": "v1"}},
            {"name": "v2", "labels": {"version": "v2"}},
            {"name": "v3", "labels": {"version": "v3"}},
        ]});
        if whole {
            spec["trafficPolicy"] = json!({"connectionPool": {"tcp": {"maxConnections": 5}}});
        }
        if own {
            spec["subsets"][1]["trafficPolicy"] = json!({"loadBalancer": {"simple": "RANDOM"}});
        }
        json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": service, "namespace": "demo"}, "spec": spec})
    })
}

fn mesh() -> impl Strategy<Value = Vec<Json>> {
    let of = |service| (virtual_service(service), destination_rule(service)).prop_map(|(a, b)| vec![a, b]);
    prop_oneof![
        of("shop"),
        (of("shop"), of("cart")).prop_map(|(a, b)| a.into_iter().chain(b).collect::<Vec<_>>())
    ]
}

struct Outcome {
    text: Option<String>,
    lost: Vec<String>,
    kept: Vec<String>,
}

fn imported(current: &[Json]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("current.yaml");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": current});
    std::fs::write(&path, serde_json::to_string(&list).unwrap()).unwrap();
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let resources = import::read(&[path], &mut sources, &mut findings).unwrap();
    assert!(!findings.has_errors(), "{findings:?}");
    let imported = import::import(&Found::of(resources), &Choices::default(), &sources).unwrap();
    let lost = imported.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let kept = imported.plan.steps.iter().filter(|(step, _)| *step == Step::Keep);
    let kept = kept.map(|(_, title)| title.clone()).collect();
    Outcome { kept, text: imported.text, lost: lost.map(|finding| finding.message.clone()).collect() }
}

/// What is rendered of a file, from its text on.
fn rendered(file: &str) -> Vec<Json> {
    let file = graylane::check::open(document::load_text("graylane.yaml", file).unwrap()).checked().unwrap();
    let only = Some([Kind::VirtualService, Kind::DestinationRule].into());
    let options = Options { without_filter: true, only, ..Options::default() };
    resources(&Mesh::of(&file), &options).iter().map(graylane::resources::Resource::json).collect()
}

fn differences(before: &[Json], after: &[Json]) -> Vec<String> {
    let world = |list: &[Json]| World::of(&list.iter().collect::<Vec<_>>(), "tenant");
    let report = traffic::compare(&world(before), &world(after));
    report.differences.iter().map(traffic::Difference::text).collect()
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(7),
        max_shrink_iters: 200,
        ..Config::default()
    })
}

#[test]
fn nothing_is_lost_without_a_word() {
    let equal = std::cell::Cell::new(0);
    let result = runner(CASES).run(&mesh(), |current| {
        let outcome = imported(&current);
        let Some(text) = outcome.text else {
            prop_assert!(!outcome.lost.is_empty());
            return Ok(());
        };
        // Whatever is written passes `check`.
        let after = rendered(&text);
        if outcome.lost.is_empty() {
            equal.set(equal.get() + 1);
            // A VirtualService that leads to no service stays.
            let title = |json: &Json| {
                let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
                format!("{} demo/{}", text(&json["kind"]), text(&json["metadata"]["name"]))
            };
            let kept = current.iter().filter(|json| outcome.kept.contains(&title(json))).cloned();
            let after: Vec<Json> = after.into_iter().chain(kept).collect();
            prop_assert_eq!(differences(&current, &after), Vec::<String>::new());
        }
        Ok(())
    });
    result.unwrap();
    // Most do not only say what they lose: they lose nothing.
    assert!(equal.get() > CASES / 2, "{} of {CASES}", equal.get());
}

#[test]
fn what_is_changed_is_found() {
    // Of a set that imports equal, every rule's first destination is led elsewhere, one at a time; the original and the
    // changed set differ, or no request reaches that rule.
    let mut runner = runner(150);
    let found = std::cell::Cell::new(0);
    let tried = std::cell::Cell::new(0);
    runner
        .run(&mesh(), |current| {
            for index in 0..current.len() {
                let rules = current[index].pointer("/spec/http").and_then(Json::as_array).map_or(0, Vec::len);
                for rule in (0..rules)
                    .filter(|rule| current[index].pointer(&format!("/spec/http/{rule}/route/0")).is_some())
                {
                    let mut changed = current.clone();
                    let to = &mut changed[index]["spec"]["http"][rule]["route"][0]["destination"]["host"];
                    if to.is_null() || current[index]["spec"]["http"][rule]["route"][0]["weight"] == json!(0)
                    {
                        continue;
                    }
                    *to = "elsewhere".into();
                    tried.set(tried.get() + 1);
                    found.set(found.get() + u32::from(!differences(&current, &changed).is_empty()));
                }
            }
            Ok(())
        })
        .unwrap();
    // The rest are rules behind one that is for everybody, or that contradict themselves.
    assert!(found.get() * 10 >= tried.get() * 6, "{} of {}", found.get(), tried.get());
}
