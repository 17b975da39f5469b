//! One rule of a VirtualService.

use serde_json::{Map, Value as Json};

use super::matches::Match;
use super::names::full_host;

/// Where a rule was written: the resource's place in what was given, and the rule's place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The resource.
    pub resource: usize,
    /// The rule, from 0.
    pub rule: usize,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where it was written.
    pub at: At,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// One of these has to hold; empty: every request.
    pub matches: Vec<Match>,
    /// Where requests go.
    pub destinations: Vec<Destination>,
    /// All other fields; hosts in them are full names.
    pub fields: Map<String, Json>,
    /// The same, as written.
    pub written: Map<String, Json>,
    /// The namespace that short hosts in them are of.
    pub namespace: String,
}

/// One of a rule's destinations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its full host name.
    pub host: String,
    /// Its subset.
    pub subset: Option<String>,
    /// Its port; none: the one that the request was sent to.
    pub port: Option<u16>,
    /// Its weight, as written.
    pub weight: Option<u64>,
    /// Istio's Headers, of this destination only.
    pub headers: Json,
    /// Fields that Istio does not have.
    pub unknown: Vec<String>,
}

impl Rule {
    /// Out of JSON. `namespace` completes hosts, `gateway` the names of gateways.
    #[must_use]
    pub fn of(json: &Json, at: At, namespace: &str, gateway: &dyn Fn(&str) -> String) -> Self {
        let list = |key: &str| json[key].as_array().into_iter().flatten();
        let empty = Map::new();
        let mut fields = json.as_object().cloned().unwrap_or_default();
        fields.retain(|key, value| !["name", "match", "route"].contains(&key.as_str()) && !value.is_null());
        let name = json["name"].as_str().map(ToOwned::to_owned);
        let matches =
            list("match").map(|one| Match::of(one.as_object().unwrap_or(&empty), gateway)).collect();
        let destinations = list("route").map(|one| Destination::of(one, namespace)).collect();
        Self::made(at, name, matches, destinations, fields, namespace)
    }

    /// Of its parts. `fields`: all others, as written.
    pub(super) fn made(
        at: At,
        name: Option<String>,
        matches: Vec<Match>,
        destinations: Vec<Destination>,
        mut fields: Map<String, Json>,
        namespace: &str,
    ) -> Self {
        let mut written = fields.clone();
        tidy_headers(&mut written);
        complete(&mut fields, namespace);
        Self { at, name, matches, destinations, fields, written, namespace: namespace.to_owned() }
    }

    /// Destinations and their shares in hundredths of a percent; without those that get nothing.
    #[must_use]
    pub fn shares(&self) -> Vec<(&Destination, u64)> {
        if let [only] = &self.destinations[..] {
            return vec![(only, 10_000)];
        }
        let weight = |one: &Destination| one.weight.unwrap_or(0);
        let sum: u64 = self.destinations.iter().map(weight).sum();
        let share = |weight: u64| (weight * 20_000 / sum.max(1)).div_ceil(2);
        self.destinations.iter().filter(|one| weight(one) > 0).map(|one| (one, share(weight(one)))).collect()
    }

    /// Does it answer by itself: a redirect, or a direct response?
    #[must_use]
    pub fn answers(&self) -> bool {
        ["redirect", "directResponse"].iter().any(|key| self.fields.contains_key(*key))
    }

    /// Is it about every request, or does one of its matches hold for all?
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        self.matches.is_empty() || self.matches.iter().any(Match::is_everything)
    }
}

impl Destination {
    fn of(json: &Json, namespace: &str) -> Self {
        let destination = &json["destination"];
        let unknown = |json: &Json, known: &[&str]| -> Vec<String> {
            let keys = json.as_object().into_iter().flatten().map(|(key, _)| key.clone());
            keys.filter(|key| !known.contains(&key.as_str())).collect()
        };
        let mut foreign = unknown(json, &["destination", "weight", "headers"]);
        foreign.extend(unknown(destination, &["host", "subset", "port"]));
        Self {
            host: full_host(destination["host"].as_str().unwrap_or_default(), namespace),
            subset: destination["subset"].as_str().map(ToOwned::to_owned).filter(|name| !name.is_empty()),
            port: destination["port"]["number"].as_u64().and_then(|port| u16::try_from(port).ok()),
            weight: json["weight"].as_u64(),
            headers: tidy(&json["headers"]),
            unknown: foreign,
        }
    }
}

/// Hosts in fields mean services of the namespace that they are written in.
fn complete(fields: &mut Map<String, Json>, namespace: &str) {
    let full = |host: &mut Json| {
        if let Some(name) = host.as_str() {
            *host = full_host(name, namespace).into();
        }
    };
    if let Some(host) = fields.get_mut("mirror").and_then(|mirror| mirror.get_mut("host")) {
        full(host);
    }
    for mirror in fields.get_mut("mirrors").and_then(Json::as_array_mut).into_iter().flatten() {
        if let Some(host) = mirror.pointer_mut("/destination/host") {
            full(host);
        }
    }
    tidy_headers(fields);
}

fn tidy_headers(fields: &mut Map<String, Json>) {
    if let Some(headers) = fields.remove("headers") {
        let headers = tidy(&headers);
        if !headers.is_null() {
            fields.insert("headers".to_owned(), headers);
        }
    }
}

/// Without what is empty; null if nothing is left.
pub fn tidy(json: &Json) -> Json {
    match json {
        Json::Object(fields) => {
            let fields: Map<String, Json> = fields
                .iter()
                .map(|(key, value)| (key.clone(), tidy(value)))
                .filter(|(_, value)| !value.is_null())
                .collect();
            if fields.is_empty() { Json::Null } else { fields.into() }
        }
        Json::Array(list) if list.is_empty() => Json::Null,
        other => other.clone(),
    }
}
