//! A route of a service at one place: all that is known of its rules before its choice is.

use std::collections::BTreeMap;

use graylane_decide::names::{
    COOKIE_STATE, DEBUG_HEADER, DEBUG_STATE, OWN_PREFIX, SUBSET_HEADER, filter_state,
};

use super::edits::Edits;
use super::matches::Match;
use super::rule::{Rule, Target, with_edits};
use crate::mesh::or_baseline;
use crate::mesh::{Fields, Mesh, Route, Service};
use crate::routing;

/// A route of a service at one place.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    /// The service.
    pub service: &'a Service,
    /// What holds for its requests.
    pub route: &'a Route,
    /// Which requests these are: one of these holds; empty: all.
    pub matches: Vec<Match>,
    /// The port of its destinations, where a version has none of its own.
    pub port: Option<u16>,
    /// Do responses go to callers outside?
    pub outside: bool,
}

impl<'a> Block<'a> {
    /// Of a route. `at`: what has to hold besides what the route itself matches.
    pub(super) fn of(
        service: &'a Service,
        route: &'a Route,
        at: &dyn Fn(&mut Match),
        port: Option<u16>,
        outside: bool,
    ) -> Self {
        let own = if route.matches.is_empty() { &[Fields::new()][..] } else { &route.matches };
        let mut matches: Vec<Match> = own.iter().map(Match::of).collect();
        matches.iter_mut().for_each(at);
        if matches.iter().any(Match::is_everything) {
            matches.clear();
        }
        Self { service, route, matches, port, outside }
    }

    /// The rules that its choice makes of it.
    #[must_use]
    pub fn rules(&self, mesh: &Mesh, without_filter: bool) -> Vec<Rule> {
        let rules = routing::rules_of(mesh, self.service, self.route);
        // Without the filter its header would not be removed from requests of callers outside.
        let ours = |rule: &routing::Rule<'_>| {
            rule.header.as_ref().is_some_and(|(name, _)| name.starts_with(OWN_PREFIX))
        };
        rules
            .into_iter()
            .filter(|rule| !without_filter || !ours(rule))
            .filter_map(|rule| {
                Some(Rule {
                    matches: self.with_header(rule.header.as_ref())?,
                    to: rule.subsets.iter().map(|(name, weight)| (self.target(name), *weight)).collect(),
                    edits: self.edits(mesh, without_filter, rule.remove.is_some()),
                    istio: self.route.http.clone(),
                    name: rule.name,
                })
            })
            .collect()
    }

    /// Its matches for requests with one exact header; none: there are no such requests.
    fn with_header(&self, header: Option<&(String, String)>) -> Option<Vec<Match>> {
        let Some((name, value)) = header else { return Some(self.matches.clone()) };
        let every = [Match::default()];
        let own = if self.matches.is_empty() { &every[..] } else { &self.matches };
        let both: Vec<Match> = own.iter().filter_map(|one| one.and_header(name, value)).collect();
        (!both.is_empty()).then_some(both)
    }

    /// Where a subset's requests go.
    #[must_use]
    pub fn target(&self, subset: &str) -> Target {
        let service = self.service;
        let version = service.version(subset);
        Target {
            host: version.and_then(|version| version.host.clone()).unwrap_or_else(|| service.host.clone()),
            subset: (!service.by_services && !service.is_plain(subset)).then(|| subset.to_owned()),
            port: version.and_then(|version| version.port).or(self.port),
            headers: version.map(|version| version.headers.clone()).unwrap_or_default(),
        }
    }

    /// Where the requests of all subsets go that any choice can name.
    #[must_use]
    pub fn targets(&self) -> BTreeMap<String, Target> {
        let service = self.service;
        let falling_back = service.falls_back.then_some(&service.subsets);
        let fallbacks = falling_back.into_iter().flat_map(BTreeMap::keys).map(|name| or_baseline(name));
        service
            .subsets
            .keys()
            .cloned()
            .chain(fallbacks)
            .map(|name| (name.clone(), self.target(&name)))
            .collect()
    }

    /// What becomes of headers. `chosen`: the filter's choice goes no further.
    #[must_use]
    pub fn edits(&self, mesh: &Mesh, without_filter: bool, chosen: bool) -> Edits {
        let mut edits = Edits::default();
        if chosen && !without_filter {
            edits.request_remove.push(SUBSET_HEADER.to_owned());
        }
        let debug = &mesh.document.telemetry.debug_header;
        if debug.is_for_everybody() {
            let state = |name: &str| format!("{name}=%FILTER_STATE({}:PLAIN)%", filter_state(name));
            let value = ["tenant", "subset", "source"].map(state).join(",");
            edits.response_set.insert(DEBUG_HEADER.to_owned(), value);
        }
        if self.outside && debug.callers().is_some() {
            // Left out where the state is not set: for everybody else.
            let value = format!("%FILTER_STATE({}:PLAIN)%", filter_state(DEBUG_STATE));
            edits.response_set.insert(DEBUG_HEADER.to_owned(), value);
        }
        if self.outside {
            answers(mesh, without_filter, &mut edits);
        }
        edits
    }

    /// The fields of Istio's HTTPRoute besides name, match and route.
    #[must_use]
    pub fn fields(&self, mesh: &Mesh, without_filter: bool, chosen: bool) -> Fields {
        with_edits(&self.route.http, &self.edits(mesh, without_filter, chosen))
    }
}

/// What happens to responses to callers outside: nothing internal is in them (an application may copy into its answer
/// what it was sent), but a cookie that was made. Neither needs a callback of the filter.
fn answers(mesh: &Mesh, without_filter: bool, edits: &mut Edits) {
    edits.response_remove.extend([mesh.header.as_str(), SUBSET_HEADER, "baggage"].map(ToOwned::to_owned));
    // Envoy removes before it sets, so that callers without the right to it do not get an application's copy either.
    if !mesh.document.telemetry.debug_header.is_for_everybody() {
        edits.response_remove.push(DEBUG_HEADER.to_owned());
    }
    let mints = mesh.ingresses().iter().any(|one| one.keys.iter().any(|key| key.mint.is_some()));
    if mints && !without_filter && !mesh.participants().is_empty() {
        // Left out where the state is not set: for users with a key.
        let value = format!("%FILTER_STATE({}:PLAIN)%", filter_state(COOKIE_STATE));
        edits.response_add.insert("set-cookie".to_owned(), value);
    }
}
