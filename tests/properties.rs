//! What holds for every request, whatever a client sends: random headers made of pieces that mean something, and of
//! bytes that mean nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;

use graylane_decide::Role;
use graylane_tests::case::{self, Headers, Suite};
use graylane_tests::fuzz::lenient;
use graylane_tests::level::native::Native;
use graylane_tests::level::{Level, Outcome, Request};
use proptest::prelude::*;

const CLUSTERS: [Option<&str>; 4] = [
    Some("outbound|8080||api.shop.svc.cluster.local"),
    Some("outbound|80||elsewhere.shop.svc.cluster.local"),
    Some("PassthroughCluster"),
    None,
];

const OBSERVING: &str =
    r#", "mode": "observe", "policy": {"missing": "reject", "unknown": "reject", "conflict": "reject"}"#;

fn suite(role: Role, extra: &str) -> Suite {
    let text = format!(
        r#"{{"about": "", "role": "{}", "node": {{"namespace": "shop"}}, "cases": [], "document": {{
            "version": 1, "mesh": {{"name": "shop", "namespace": "shop"}},
            "tenants": {{"green": {{"default": true}}, "gray-v1": {{}}, "acme": {{}}}},
            "sticky": {{"keys": [{{"header": "x-user-id"}}, {{"cookie": "id"}}], "at": "anywhere"}},
            "services": {{"api": {{"port": 8080, "subsets": {{"stable": {{"version": "v1"}}, "canary": {{"version": "v2"}}}},
                "baseline": "stable", "pins": {{"gray-v1": "canary"}}, "rollout": {{"weights": {{"canary": 30}}}}}}}}{extra}}}}}"#,
        role.name()
    );
    serde_json::from_str(&text).unwrap()
}

/// Names that mean something, in spellings that a client may try.
fn name() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "tenant",
        "Tenant",
        "x-graylane-subset",
        "x_graylane_subset",
        "X-Graylane-Other",
        "baggage",
        "x-request-id",
        "traceparent",
        "b3",
        "x-b3-traceid",
        "x-user-id",
        "cookie",
        ":authority",
        ":path",
        "accept",
    ];
    prop_oneof![9 => prop::sample::select(KNOWN).prop_map(ToOwned::to_owned), 1 => "[a-z-]{1,12}"]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    const KNOWN: &[&str] = &[
        "gray-v1",
        "green",
        "acme",
        "blue",
        "",
        " ",
        "tenant=gray-v1",
        "%74enant=gray-v1",
        "Tenant = gray-v1 ; p, a=1",
        "graylane-unit=00000000000000ff",
        "a=1,tenant=acme,graylane-unit=zz",
        "api.shop.svc.cluster.local/canary",
        "api:8080",
        "api",
        "www.example.com",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        "id=bob; x",
        "f5a1e0c3-0d5b-4a1e-9c56-0f3f7a6f2a11",
    ];
    prop_oneof![
        6 => prop::sample::select(KNOWN).prop_map(|text| text.as_bytes().to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(prop::sample::select(b"=;,%\"\\ tenagry-v1".as_slice()), 0..40),
    ]
}

thread_local! {
    /// The gateway of examples/edge.
    static EDGE: graylane_decide::Plan = {
        let suite = r#"{"about": "", "role": "gateway", "example": "edge", "cases": []}"#;
        let mut suite: Suite = serde_json::from_str(suite).unwrap();
        suite.file = Some(case::example("edge").unwrap());
        graylane_tests::fuzz::plan(suite.configuration(Role::Gateway).unwrap().as_bytes())
    };
}

/// A line of `fuzz`: a header, a claim, or the client's address, with values that rules look for and others.
fn edge_line() -> impl Strategy<Value = Vec<u8>> {
    const NAMES: &[&str] = &[
        "tenant",
        "x-tester",
        ":authority",
        ":path",
        "cookie",
        "baggage",
        "@iss",
        "@iss[]",
        "@role",
        "@role[]",
        "@realm_access.roles",
        "@realm_access.roles[]",
        "@realm_access",
        "@sub",
        "@",
    ];
    const VALUES: &[&str] = &[
        "gray-v1",
        " gray-v1 ",
        "partner-acme",
        "green",
        "https://id.example",
        "https://customers.example",
        "employee",
        "x,employee",
        "tester,y",
        "Tester",
        "alice-7f3a9c",
        "bob-51d20e ",
        "alice-7f3a9c,bob-51d20e",
        "shop.acme.example",
        "SHOP.Acme.example.:443",
        "acme.example",
        "shop.acme.example:99999",
        "lane-id=bob",
        "10.0.0.1:80",
        "",
    ];
    let value = prop_oneof![
        8 => prop::sample::select(VALUES).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    (prop::sample::select(NAMES), value).prop_map(|(name, value)| [name.as_bytes(), b":", &value].concat())
}

fn headers() -> impl Strategy<Value = Headers> {
    prop::collection::vec((name(), value()), 0..12)
}

fn values<'a>(outcome: &'a Outcome, name: &str) -> Vec<&'a [u8]> {
    outcome.headers.iter().filter(|(is, _)| is == name).map(|(_, value)| value.as_slice()).collect()
}

/// Sends requests one after the other, through plans that are compiled once.
fn send(role: Role, extra: &'static str, requests: &[(Headers, Option<&str>)]) -> Vec<Outcome> {
    type Levels = BTreeMap<(&'static str, &'static str), Native>;
    thread_local!(static LEVELS: RefCell<Levels> = RefCell::default());
    LEVELS.with_borrow_mut(|levels| {
        let level =
            levels.entry((role.name(), extra)).or_insert_with(|| Native::new(&suite(role, extra)).unwrap());
        level.forget();
        let sent = requests
            .iter()
            .map(|(headers, cluster)| level.send(&Request::new(role, headers.clone(), *cluster)).unwrap());
        sent.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(20261122), ..ProptestConfig::default() })]

    /// Inside the mesh every request ends with exactly one declared tenant, the one that is counted.
    #[test]
    fn inside_there_is_one_declared_tenant(headers in headers(), inbound in any::<bool>(), cluster in 0..2usize) {
        let role = if inbound { Role::Inbound } else { Role::Outbound };
        // Only places inside.
        let headers: Vec<_> = headers.into_iter().filter(|(name, _)| name != ":authority").collect();
        for outcome in send(role, "", &[(headers, CLUSTERS[cluster])]) {
            let [tenant, ..] = outcome.lane.clone().unwrap();
            prop_assert!(["green", "gray-v1", "acme"].contains(&&*tenant));
            prop_assert_eq!(values(&outcome, "tenant"), vec![tenant.as_bytes()]);
        }
    }

    /// A choice that leaves a sidecar is the service's own, or there is none.
    #[test]
    fn a_subset_header_is_never_a_strangers(headers in headers(), cluster in 0..CLUSTERS.len()) {
        for outcome in send(Role::Outbound, "", &[(headers, CLUSTERS[cluster])]) {
            for value in values(&outcome, "x-graylane-subset") {
                let [_, _, subset] = outcome.lane.clone().unwrap();
                let own = format!("api.shop.svc.cluster.local/{subset}");
                prop_assert_eq!(value, own.as_bytes());
            }
        }
    }

    /// What leaves the mesh carries nothing of ours.
    #[test]
    fn nothing_of_ours_leaves(headers in headers(), gateway in any::<bool>()) {
        let role = if gateway { Role::Gateway } else { Role::Outbound };
        let headers: Vec<_> = headers.into_iter().filter(|(name, _)| name != ":authority").collect();
        for outcome in send(role, "", &[(headers, Some("PassthroughCluster"))]) {
            for name in ["tenant", "x-graylane-subset"] {
                prop_assert!(values(&outcome, name).is_empty(), "{}", name);
            }
            for line in values(&outcome, "baggage") {
                let text = String::from_utf8_lossy(line).to_lowercase().replace(' ', "");
                prop_assert!(text.split(',').all(|member| !member.starts_with("tenant=") && !member.starts_with("graylane-unit=")), "{}", text);
            }
        }
    }

    /// No caller outside gets a tenant that no rule gave, nor a unit of their choice.
    #[test]
    fn a_stranger_chooses_nothing(headers in headers(), cluster in 0..CLUSTERS.len()) {
        for outcome in send(Role::Gateway, "", &[(headers, CLUSTERS[cluster])]) {
            let [tenant, source, _] = outcome.lane.clone().unwrap();
            prop_assert_eq!((&*tenant, &*source), ("green", "default"));
            for value in values(&outcome, "tenant") {
                prop_assert_eq!(value, b"green");
            }
            for line in values(&outcome, "baggage") {
                prop_assert!(!String::from_utf8_lossy(line).contains("graylane-unit=00000000000000ff"));
                prop_assert!(!String::from_utf8_lossy(line).to_lowercase().contains("enant=gray"), "{:?}", line);
            }
            let forged = outcome.headers.iter().map(|(name, _)| name.replace('_', "-"));
            let mut ours = forged.filter(|name| name.starts_with("x-graylane-"));
            prop_assert!(ours.all(|name| name == "x-graylane-subset"));
        }
    }

    /// No input at the edge gets a tenant that no rule gave: two readings of the same rules agree (`src/fuzz.rs`).
    #[test]
    fn the_edge_gives_what_its_rules_give(lines in prop::collection::vec(edge_line(), 0..10)) {
        EDGE.with(|plan| graylane_tests::fuzz::edge::edge(plan, &lines.join(&b'\n')));
    }

    /// Nor do bytes that mean nothing, and none of them panics.
    #[test]
    fn the_edge_takes_any_bytes(data in prop::collection::vec(any::<u8>(), 0..200)) {
        EDGE.with(|plan| graylane_tests::fuzz::edge::edge(plan, &data));
    }

    /// Deciding twice changes nothing more: what a sidecar wrote, the next one finds right.
    #[test]
    fn a_decided_request_is_right(headers in headers(), cluster in 0..2usize) {
        let first = send(Role::Outbound, "", &[(headers, CLUSTERS[cluster])]).remove(0);
        let second = send(Role::Outbound, "", &[(first.headers.clone(), CLUSTERS[cluster])]).remove(0);
        prop_assert_eq!(&first.headers, &second.headers);
        prop_assert_eq!(first.lane.map(|[tenant, _, subset]| [tenant, subset]), second.lane.map(|[tenant, _, subset]| [tenant, subset]));
    }

    /// Observing changes nothing at all, but for what only graylane gives a meaning to where the outside comes in.
    #[test]
    fn observing_changes_nothing(headers in headers(), cluster in 0..CLUSTERS.len(), role in 0..4usize) {
        let role = Role::ALL[role];
        let lower: Vec<_> = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let is_ours = |name: &str, value: &[u8]| {
            let value = String::from_utf8_lossy(value).to_lowercase();
            lenient::fold(name.as_bytes()).starts_with(b"x_graylane_") || (name == "baggage" && value.contains("graylane"))
        };
        // A list that loses a unit is written as one line.
        let whole = lower.iter().any(|(name, value)| name == "baggage" && is_ours(name, value));
        let rest = |lines: &Headers| -> Headers {
            let mut lines = lines.clone();
            if role == Role::Gateway {
                lines.retain(|(name, value)| !(is_ours(name, value) || whole && name == "baggage"));
            }
            lines
        };
        for outcome in send(role, OBSERVING, &[(headers, CLUSTERS[cluster])]) {
            prop_assert_eq!(rest(&outcome.headers), rest(&lower));
            prop_assert!(outcome.reply.is_none());
            let ours = |(name, _): &(String, Vec<u8>)| lenient::fold(name.as_bytes()).starts_with(b"x_graylane_");
            prop_assert!(role != Role::Gateway || !outcome.headers.iter().any(ours));
        }
    }
}
