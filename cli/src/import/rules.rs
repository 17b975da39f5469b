//! Rules of a VirtualService, brought to what a graylane file can say: pins, rollouts, routes.

use std::collections::BTreeMap;

use graylane_decide::names::SUBSET_HEADER;
use serde_json::{Map, Value as Json};

use super::file::{ChoicesOut, ShareOut};

/// Fields of a rule that are not carried over as `http`.
const STRUCTURE: [&str; 3] = ["name", "match", "route"];

/// What a rule matches: one of these.
type Matches = Vec<Map<String, Json>>;

/// A rule, and what it matches.
#[derive(Clone, Debug)]
pub struct Rule<'a> {
    /// Its name, or its place.
    pub name: String,
    json: &'a Json,
    matches: Matches,
}

/// All HTTP rules of a VirtualService, in order.
pub fn all(spec: &Json) -> Vec<Rule<'_>> {
    let rules = spec["http"].as_array().into_iter().flatten().enumerate();
    let rule = |(index, json): (usize, &'_ Json)| {
        let matches = json["match"].as_array().into_iter().flatten().filter_map(Json::as_object);
        (index, matches.cloned().collect::<Vec<_>>())
    };
    rules
        .map(|(index, json)| {
            let (_, matches) = rule((index, json));
            let name = json["name"].as_str().map_or_else(|| format!("{}", index + 1), ToOwned::to_owned);
            Rule { name, json, matches }
        })
        .collect()
}

/// A host name, completed as Istio completes it.
pub fn full_host(host: &str, namespace: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host.contains('.') { host } else { format!("{host}.{namespace}.svc.cluster.local") }
}

impl<'a> Rule<'a> {
    fn routes(&self) -> impl Iterator<Item = &'a Json> {
        self.json["route"].as_array().into_iter().flatten()
    }

    /// Header names and values that it matches exactly.
    pub fn exact_headers(&self) -> Vec<(String, String)> {
        let headers = self.matches.iter().filter_map(|one| one.get("headers")?.as_object()).flatten();
        headers
            .filter_map(|(name, value)| {
                Some((name.to_ascii_lowercase(), value["exact"].as_str()?.to_owned()))
            })
            .collect()
    }

    /// The hosts that it leads to.
    pub fn hosts(&self, namespace: &str) -> Vec<String> {
        let hosts = self.routes().filter_map(|route| route["destination"]["host"].as_str());
        let mut hosts: Vec<String> = hosts.map(|host| full_host(host, namespace)).collect();
        hosts.dedup();
        hosts
    }

    /// The port that all its matches say.
    pub fn matched_port(&self) -> Option<u16> {
        let port =
            |one: &Map<String, Json>| one.get("port")?.as_u64().and_then(|port| u16::try_from(port).ok());
        port(self.matches.first()?)
    }

    /// The port that its destination says.
    pub fn destination_port(&self) -> Option<u16> {
        let port = self.routes().next()?["destination"]["port"]["number"].as_u64()?;
        u16::try_from(port).ok()
    }

    /// The path prefix that all its matches say.
    pub fn prefix(&self) -> Option<String> {
        self.matches.first()?.get("uri")?["prefix"].as_str().map(ToOwned::to_owned)
    }

    /// Does it only pass requests on, to no subset?
    pub fn is_passthrough(&self) -> bool {
        self.matches.is_empty() && self.routes().all(|route| route["destination"].get("subset").is_none())
    }

    /// Without some of what it matches.
    #[must_use]
    pub fn without(&self, keys: &[&str]) -> Self {
        let mut rule = self.clone();
        for one in &mut rule.matches {
            one.retain(|key, _| !keys.contains(&key.as_str()));
        }
        rule.matches.retain(|one| !one.is_empty());
        rule
    }

    /// Takes the tenant out of what it matches. None: it matches the header in a way that is no tenant.
    fn tenant(&self, header: &str) -> Option<(Option<String>, Matches)> {
        let mut tenant: Option<Option<String>> = None;
        let mut rest = Vec::new();
        for one in &self.matches {
            let mut one = one.clone();
            let mut own = None;
            if let Some(headers) = one.get_mut("headers").and_then(Json::as_object_mut) {
                let name = headers.keys().find(|name| name.eq_ignore_ascii_case(header)).cloned();
                if let Some(value) = name.and_then(|name| headers.remove(&name)) {
                    own = Some(value["exact"].as_str()?.to_owned());
                }
                if headers.is_empty() {
                    one.remove("headers");
                }
            }
            if tenant.get_or_insert_with(|| own.clone()) != &own {
                return None;
            }
            if !one.is_empty() {
                rest.push(one);
            }
        }
        Some((tenant.flatten(), rest))
    }

    /// Subsets and weights; a destination without subset has none.
    fn targets(&self) -> Vec<(Option<&'a str>, u64)> {
        self.routes()
            .map(|route| (route["destination"]["subset"].as_str(), route["weight"].as_u64().unwrap_or(100)))
            .collect()
    }

    /// What else it says, without what graylane writes itself.
    fn http(&self) -> Map<String, Json> {
        let mut fields = self.json.as_object().cloned().unwrap_or_default();
        fields.retain(|key, _| !STRUCTURE.contains(&key.as_str()));
        if let Some(headers) = fields.get_mut("headers").and_then(Json::as_object_mut) {
            for side in ["request", "response"] {
                let Some(edits) = headers.get_mut(side).and_then(Json::as_object_mut) else { continue };
                for edit in ["set", "add"] {
                    if let Some(edits) = edits.get_mut(edit).and_then(Json::as_object_mut) {
                        edits.retain(|name, _| !name.starts_with("x-graylane-"));
                    }
                }
                if let Some(names) = edits.get_mut("remove").and_then(Json::as_array_mut) {
                    names.retain(|name| !name.as_str().is_some_and(|name| name.starts_with("x-graylane-")));
                }
                edits.retain(|_, edit| {
                    edit.as_object().is_none_or(|edit| !edit.is_empty())
                        && edit.as_array().is_none_or(|edit| !edit.is_empty())
                });
            }
            headers.retain(|_, edits| edits.as_object().is_none_or(|edits| !edits.is_empty()));
        }
        fields.retain(|key, value| {
            key != "headers" || value.as_object().is_some_and(|headers| !headers.is_empty())
        });
        fields
    }
}

/// Rules that match the same, tenants aside: a route, or, if they match everything, all other requests.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they match.
    pub matches: Matches,
    /// What else they all say.
    pub http: Map<String, Json>,
    /// Who goes where.
    pub choices: ChoicesOut,
    /// Where everybody else goes.
    pub baseline: Option<String>,
    /// The name that graylane gave, if it did.
    pub name: Option<String>,
    /// A pin led to a subset with fallback.
    pub falls_back: bool,
}

impl Group {
    /// Groups rules, in order of their first.
    pub fn of(rules: Vec<Rule<'_>>, header: &str, title: &str, notes: &mut Vec<String>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for rule in rules {
            if rule.exact_headers().iter().any(|(name, _)| name == SUBSET_HEADER) {
                continue;
            }
            let Some((tenant, matches)) = rule.tenant(header) else {
                notes.push(format!(
                    "{title}, rule {}: matches `{header}` other than exactly, left out",
                    rule.name
                ));
                continue;
            };
            let place = groups.iter().position(|group| group.matches == matches).unwrap_or_else(|| {
                groups.push(Self::new(&rule, matches));
                groups.len() - 1
            });
            groups[place].take(&rule, tenant, title, notes);
        }
        groups
    }

    fn new(rule: &Rule<'_>, matches: Matches) -> Self {
        // `<service>:<route>:<rule>`, as graylane names them.
        let parts: Vec<&str> = rule.name.split(':').collect();
        let name = if let [_, route, _] = parts[..] { Some(route.to_owned()) } else { None };
        Self {
            matches,
            http: rule.http(),
            choices: ChoicesOut::default(),
            baseline: None,
            name,
            falls_back: false,
        }
    }

    fn take(&mut self, rule: &Rule<'_>, tenant: Option<String>, title: &str, notes: &mut Vec<String>) {
        let at = format!("{title}, rule {}", rule.name);
        if rule.http() != self.http {
            notes.push(format!(
                "{at}: other fields than the rules before it; those are carried over, these are not"
            ));
        }
        let mut targets = Vec::new();
        for (subset, weight) in rule.targets() {
            let Some(subset) = subset else {
                notes.push(format!("{at}: a destination without subset, left out"));
                return;
            };
            targets.push((subset, weight));
        }
        match (&targets[..], tenant) {
            ([], _) => notes.push(format!("{at}: no destination (a redirect or the like), left out")),
            ([(subset, _)], Some(tenant)) => {
                let strict = subset.strip_suffix("-or-baseline");
                self.falls_back |= strict.is_some();
                self.choices.pins.insert(tenant, strict.unwrap_or(subset).to_owned());
            }
            ([(subset, _)], None) => self.baseline = Some((*subset).to_owned()),
            (_, Some(tenant)) => {
                let shares = self.shares(&targets, &at, notes);
                self.choices.split.push((tenant, shares));
            }
            (_, None) => self.choices.weights = self.shares(&targets, &at, notes),
        }
    }

    /// Percent by canary; the heaviest is the baseline.
    fn shares(
        &mut self,
        targets: &[(&str, u64)],
        at: &str,
        notes: &mut Vec<String>,
    ) -> BTreeMap<String, ShareOut> {
        let sum: u64 = targets.iter().map(|(_, weight)| weight).sum();
        let known = self.baseline.clone();
        let heaviest =
            targets.iter().rev().max_by_key(|(_, weight)| weight).map(|(subset, _)| (*subset).to_owned());
        let baseline = known.or(heaviest).unwrap_or_default();
        let mut shares = BTreeMap::new();
        for (subset, weight) in targets.iter().filter(|(subset, _)| *subset != baseline) {
            let hundredths = weight * 10_000 / sum.max(1);
            if hundredths * sum != weight * 10_000 {
                notes.push(format!("{at}: {weight} of {sum} is no hundredth of a percent, rounded down"));
            }
            shares.insert((*subset).to_owned(), ShareOut::of_hundredths(hundredths));
        }
        self.baseline = Some(baseline);
        shares
    }
}
