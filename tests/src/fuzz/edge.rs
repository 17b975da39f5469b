//! The whole decision of the edge, for any bytes.
//!
//! The bytes are lines: `name: value` is a header, `@name: value` a claim, `@name[]: a,b` a claim that is a list,
//! `@: address` the client's. They go through the plan of examples/edge and through a second reading of its rules,
//! written here as plainly as can be; the two have to agree.

use std::collections::BTreeMap;

use graylane_decide::edge::{dfa::Dfa, facts, network::Network};
use graylane_decide::ids::Ids;
use graylane_decide::memory::{Marks, Recall};
use graylane_decide::request::{authority, query};
use graylane_decide::{Plan, World, config, names, plan::Node};

/// The issuer of examples/edge.
const ISSUER: &str = "https://id.example";

#[derive(Default)]
struct Input<'a> {
    headers: Vec<(&'a [u8], &'a [u8])>,
    claims: BTreeMap<Vec<String>, Vec<&'a [u8]>>,
    properties: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Reads the lines; what is none is left out.
fn input(data: &[u8]) -> Input<'_> {
    let mut input = Input::default();
    for line in data.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().skip(1).position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon + 1);
        let value = &value[1..];
        let Some(claim) = name.strip_prefix(b"@") else {
            input.headers.push((name, value));
            continue;
        };
        if claim.is_empty() {
            input.properties.insert(names::SOURCE_ADDRESS.to_vec(), value.to_vec());
            continue;
        }
        let (claim, list) = match claim.strip_suffix(b"[]") {
            Some(claim) => (claim, true),
            None => (claim, false),
        };
        let Ok(claim) = std::str::from_utf8(claim) else { continue };
        let path: Vec<String> = claim.split('.').map(str::to_owned).collect();
        let elements: Vec<&[u8]> =
            if list { value.split(|byte| *byte == b',').collect() } else { vec![value] };
        // A text with NULs may look like a list; a caller who can choose it can choose any text.
        if value.contains(&0) {
            continue;
        }
        // An issuer is one text (RFC 7519, section 4.1.1); jwt_authn lets nothing else through.
        if list && path == ["iss"] {
            continue;
        }
        let mut wire = value.to_vec();
        if list {
            wire = (elements.len() as u32).to_le_bytes().to_vec();
            for element in &elements {
                wire.extend([(element.len() as u32).to_le_bytes(), [0; 4]].concat());
            }
            elements.iter().for_each(|element| wire.extend([element, b"\0\0".as_slice()].concat()));
        }
        input.properties.insert(names::claim_path(&path), wire);
        input.claims.insert(path, elements);
    }
    input
}

impl World for Input<'_> {
    fn marks(&mut self, _: &Ids<'_>) -> Marks {
        panic!("a gateway asked its memory");
    }

    fn recall(&mut self, _: &Marks) -> Recall {
        panic!("a gateway asked its memory");
    }

    fn cluster_name(&mut self) -> Option<Vec<u8>> {
        Some(b"outbound|8080||web.shop.svc.cluster.local".to_vec())
    }

    fn route_name(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn port(&mut self) -> Option<u16> {
        None
    }

    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        self.properties.get(path).cloned()
    }

    fn random(&mut self) -> Option<u64> {
        Some(42)
    }

    fn now(&mut self) -> Option<u64> {
        Some(1_700_000_000_000)
    }
}

impl Input<'_> {
    /// The one value of a header.
    fn header(&self, name: &str) -> Option<&[u8]> {
        let lines = self.headers.iter().filter(|(is, _)| *is == name.as_bytes());
        let mut values: Vec<&[u8]> = lines.map(|(_, value)| value.trim_ascii()).collect();
        values.retain(|value| !value.is_empty());
        values.dedup();
        if let [only] = values[..] { Some(only) } else { None }
    }

    fn claims(&self, path: &[&str], wanted: &str) -> bool {
        let of =
            |path: &[&str]| self.claims.get(&path.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>());
        of(&["iss"]).is_some_and(|issuer| issuer[..] == [ISSUER.as_bytes()])
            && of(path).is_some_and(|list| list.contains(&wanted.as_bytes()))
    }

    /// The rules of examples/edge, read once more.
    fn tenant(&self) -> &'static str {
        let asked = self.header("tenant");
        for choice in ["gray-v1", "partner-acme"] {
            if asked == Some(choice.as_bytes()) && self.claims(&["realm_access", "roles"], "tester") {
                return choice;
            }
        }
        if self.claims(&["role"], "employee") {
            return "gray-v1";
        }
        let host = self.headers.iter().rfind(|(name, _)| *name == b":authority").map(|(_, host)| *host);
        let host = host.unwrap_or_default().to_ascii_lowercase();
        // What a port is, is not what is asked here.
        let (host, _port) = authority::split(&host);
        if host.strip_suffix(b".").unwrap_or(host).ends_with(b".acme.example") {
            return "partner-acme";
        }
        match self.header("x-tester") {
            Some(b"alice-7f3a9c" | b"bob-51d20e") => "gray-v1",
            _ => "green",
        }
    }
}

/// Decides about these bytes. Built on `decide` alone, so that the fuzz target is quickly built too.
///
/// # Panics
/// When anything panics, or a caller gets a tenant that no rule gives them.
pub fn edge(plan: &Plan, data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Dfa::parse(text).map(|dfa| dfa.matches(data));
        let _ = Network::parse(text);
    }
    let _ = facts::any_of(Some(data), |_| false);
    query::with(data, b"a", |_| ());
    if let Ok(config) = config::parse(data) {
        let _ = Plan::compile(&config, &Node::default());
    }
    let mut input = input(data);
    let want = input.tenant();
    let headers = input.headers.clone();
    let decision = plan.decide(headers.iter().copied(), &mut input).expect("a gateway leaves nothing alone");
    assert_eq!(plan.tenants.name(decision.tenant), want, "{:?}", String::from_utf8_lossy(data));
    assert_eq!(decision.rule.is_some(), want != "green");
    assert!(decision.rejection.is_none());
}
