//! Weights that somebody else moves, in real Envoy: with the patch that `render` writes each user stays where the model
//! says, in whichever order the two versions are listed, and a DestinationRule's own hash also keeps a user on one pod. Any
//! Envoy can be tried: `ENVOY=/path cargo test -p graylane-tests --test weights`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use graylane::adopt::weights::choose;
use graylane::envoy::{Envoy, Options, config, locate};
use graylane::mesh::Mesh;
use graylane::resources::{self, Kind, resources};
use graylane_decide::choice::sticky::{Seed, Unit};
use graylane_tests::echo;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

const FILE: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge: none
sticky: {keys: [{header: x-user-id}]}
services: {api: {port: 8080, routing: external, rollout: {weights: external, salt: release-42, route: primary}}}
";
/// Users, each with so many requests.
const USERS: u64 = 50;
const REQUESTS: usize = 3;
/// The canary's weights, on the way up.
const STEPS: [u64; 5] = [0, 10, 25, 50, 100];
const PODS: usize = 3;

/// What the EnvoyFilter that is rendered merges into the route.
fn patch() -> Json {
    let loaded = graylane::document::load_text("weights.yaml", FILE).unwrap();
    let mesh = Mesh::of(&graylane::check::open(loaded).checked().unwrap());
    let all = resources(&mesh, &resources::Options::default());
    let filters: Vec<_> = all.iter().filter(|one| one.kind() == Kind::EnvoyFilter).collect();
    assert_eq!(filters.len(), 1);
    filters[0].json()["spec"]["configPatches"][0]["patch"]["value"].clone()
}

/// The versions in the order of a list, with their weights.
fn listed(canary: u64, canary_first: bool) -> [(&'static str, u64); 2] {
    let mut list = [("stable", 100 - canary), ("canary", canary)];
    if canary_first {
        list.reverse();
    }
    list
}

fn listener(name: &str, list: [(&str, u64); 2], is_patched: bool) -> Json {
    let clusters = list.map(|(version, weight)| json!({"name": version, "weight": weight}));
    // What a DestinationRule with `consistentHash` puts there.
    let hash = json!([{"header": {"header_name": "x-session"}}]);
    let mut route = json!({
        "match": {"prefix": "/"},
        "route": {"weighted_clusters": {"clusters": clusters}, "hash_policy": hash},
    });
    if is_patched {
        let patch = patch();
        route["request_headers_to_remove"] = patch["request_headers_to_remove"].clone();
        for (key, value) in patch["route"]["weighted_clusters"].as_object().unwrap() {
            route["route"]["weighted_clusters"][key] = value.clone();
        }
    }
    let routes = json!({"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]});
    config::listener(name, 0, "OUTBOUND", &[], &json!({"route_config": routes}))
}

/// A version's pods: each answers with its name, and whether the point reached it.
fn version(name: &'static str) -> Json {
    let pods: Vec<SocketAddr> = (0..PODS)
        .map(|pod| {
            let answer = move |head: &[u8]| {
                let seen = String::from_utf8_lossy(head).contains("x-graylane-point");
                format!("{name} {pod} {seen}").into_bytes()
            };
            echo::serve_with(answer).unwrap()
        })
        .collect();
    let mut cluster = config::cluster(name, &pods);
    cluster["lb_policy"] = "RING_HASH".into();
    cluster
}

/// Who answers one of a user's requests: the version and the pod.
fn ask(address: SocketAddr, user: u64, point: &str) -> (String, String) {
    let head = format!(
        "GET / HTTP/1.1\r\nhost: api\r\nx-session: session-{user}\r\nx-graylane-point: {point}\r\n\r\n"
    );
    let answer = echo::send(address, head.as_bytes()).unwrap();
    let body = String::from_utf8(answer.body).unwrap();
    let parts: Vec<&str> = body.split(' ').collect();
    (parts[0].to_owned(), format!("{} {}", parts[1], parts[2]))
}

#[test]
fn users_stay_where_external_weights_put_them() {
    let runtime = Runtime::new().unwrap();
    let mut listeners = vec![listener("without", listed(50, false), false)];
    for canary in STEPS {
        for first in [false, true] {
            listeners.push(listener(&format!("{canary}-{first}"), listed(canary, first), true));
        }
    }
    let node = config::node("sidecar", "web", "shop", &json!({}));
    let bootstrap = config::bootstrap(&node, &listeners, &["stable", "canary"].map(version));
    let binary = locate().unwrap();
    let start = Envoy::start(&binary, "weights", &bootstrap, Options { concurrency: 1, environment: &[] });
    let envoy = runtime.block_on(start).unwrap();
    let address = |name: &str| runtime.block_on(envoy.listener(name)).unwrap();
    let point = |user: u64| Unit::of(&user.to_be_bytes(), Seed::of("shop")).point(Seed::of("release-42"));

    for first in [false, true] {
        let mut before: BTreeMap<u64, String> = BTreeMap::new();
        for canary in STEPS {
            let (address, list) = (address(&format!("{canary}-{first}")), listed(canary, first));
            for user in 0..USERS {
                let asked: BTreeSet<(String, String)> =
                    (0..REQUESTS).map(|_| ask(address, user, &point(user).to_string())).collect();
                assert_eq!(asked.len(), 1, "{canary} %, user {user}: one version and one pod: {asked:?}");
                let (version, pod) = asked.into_iter().next().unwrap();
                assert!(pod.ends_with("false"), "the point goes no further than the route");
                let (wanted, _) = choose(&list, |(_, weight)| *weight, point(user)).unwrap();
                assert_eq!(version, *wanted, "{canary} %, user {user}");
                let back = before.insert(user, version.clone()).is_some_and(|was| was == "canary");
                assert!(!back || version == "canary", "{canary} %, user {user} moved back");
            }
        }
    }
    // Who has no point, or none that is a number, is drawn; without the patch everybody is.
    for (name, sent) in [("50-false", ""), ("50-false", "zz"), ("without", "17")] {
        let drawn: BTreeSet<String> = (0..60).map(|_| ask(address(name), 1, sent).0).collect();
        assert_eq!(drawn.len(), 2, "{name}, point `{sent}`");
    }
}
