//! What a rule matches: Istio's HTTPMatchRequest.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::request::{MESH, Request};
use super::text::Text;
use crate::routes;

/// All of it has to hold.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// As written, without `gateways`.
    pub json: Map<String, Json>,
    /// At which gateways; none: wherever the VirtualService is.
    pub gateways: Option<Vec<String>>,
    uri: Option<Text>,
    ignore_uri_case: bool,
    method: Option<Text>,
    scheme: Option<Text>,
    authority: Option<Text>,
    headers: BTreeMap<String, Text>,
    without_headers: BTreeMap<String, Text>,
    query: BTreeMap<String, Text>,
    port: Option<u64>,
    labels: BTreeMap<String, String>,
    namespace: Option<String>,
    unknown: Vec<String>,
}

impl Match {
    /// Out of JSON. `gateway`: completes the name of a gateway.
    #[must_use]
    pub fn of(json: &Map<String, Json>, gateway: impl Fn(&str) -> String) -> Self {
        Self::of_neutral(&routes::Match::of(json), gateway)
    }

    /// Of the form that belongs to no API.
    #[must_use]
    pub fn of_neutral(form: &routes::Match, gateway: impl Fn(&str) -> String) -> Self {
        let text = |text: &Option<routes::Text>| text.as_ref().map(Text::from);
        let mut json = form.istio();
        json.remove("gateways");
        let gateways: Vec<String> = form.gateways.iter().map(|name| gateway(name)).collect();
        Self {
            json,
            gateways: (!gateways.is_empty()).then_some(gateways),
            uri: text(&form.path),
            ignore_uri_case: form.ignores_path_case.unwrap_or(false),
            method: text(&form.method),
            scheme: text(&form.scheme),
            authority: text(&form.host),
            headers: texts(&form.headers, true),
            without_headers: texts(&form.without_headers, true),
            query: texts(&form.query, false),
            port: form.port.map(u64::from),
            labels: form.caller_labels.clone(),
            namespace: form.caller_namespace.clone(),
            unknown: form.istio.iter().filter_map(unknown).collect(),
        }
    }

    /// Does it hold? Gateways are another's business.
    #[must_use]
    pub fn holds(&self, request: &Request) -> bool {
        let given = |text: &Option<Text>, value: Option<&str>| {
            text.as_ref().is_none_or(|text| text.matches(value, false))
        };
        let inside = request.place == MESH;
        self.unknown.is_empty()
            && self.uri.as_ref().is_none_or(|uri| uri.matches(Some(&request.path), self.ignore_uri_case))
            && given(&self.method, Some(&request.method))
            && given(&self.scheme, Some(&request.scheme))
            && given(&self.authority, Some(&request.host))
            && self.headers.iter().all(|(name, text)| text.matches(request.header(name), false))
            && self.without_headers.iter().all(|(name, text)| !text.matches(request.header(name), false))
            && self
                .query
                .iter()
                .all(|(name, text)| text.matches(request.query.get(name).map(String::as_str), false))
            && self.port.is_none_or(|port| port == u64::from(request.port))
            && (self.labels.is_empty() || inside)
            && self.labels.iter().all(|(key, value)| request.labels.get(key) == Some(value))
            && self.namespace.as_ref().is_none_or(|namespace| inside && *namespace == request.namespace)
    }

    /// Does istiod write a route for it into the sidecar that this request leaves, at the port that it is sent to? (`sourceMatchHTTP` in
    /// istio/pilot/pkg/networking/core/route/route.go)
    #[must_use]
    pub fn is_for_caller(&self, request: &Request) -> bool {
        self.port.is_none_or(|port| port == u64::from(request.port))
            && self.labels.iter().all(|(key, value)| request.labels.get(key) == Some(value))
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == request.namespace)
    }

    /// Does it hold for every request?
    #[must_use]
    pub fn is_everything(&self) -> bool {
        let any_path = match &self.uri {
            None => true,
            Some(Text::Prefix(prefix)) => prefix == "/" || prefix.is_empty(),
            _ => false,
        };
        any_path
            && self.gateways.is_none()
            && self.json.keys().all(|key| {
                ["uri", "ignoreUriCase", "name", "statPrefix"].contains(&key.as_str())
                    || self.json[key].is_null()
                    || self.json[key].as_object().is_some_and(Map::is_empty)
            })
    }

    /// Makes a request one that it holds for, as far as is known how. `pick` chooses one of several texts.
    pub fn apply(&self, request: &mut Request, pick: &mut dyn FnMut(usize) -> usize) {
        let mut one = |text: &Text| {
            let samples = text.samples();
            if samples.is_empty() { None } else { samples.get(pick(samples.len())).cloned() }
        };
        if let Some(path) = self.uri.as_ref().and_then(&mut one) {
            request.path = path;
        }
        if let Some(method) = self.method.as_ref().and_then(&mut one) {
            request.method = method;
        }
        if let Some(scheme) = self.scheme.as_ref().and_then(&mut one) {
            request.scheme = scheme;
        }
        for name in self.without_headers.keys() {
            request.headers.remove(name);
        }
        for (name, text) in &self.headers {
            if let Some(value) = one(text) {
                request.headers.insert(name.clone(), value);
            }
        }
        for (name, text) in &self.query {
            if let Some(value) = one(text) {
                request.query.insert(name.clone(), value);
            }
        }
        if let Some(port) = self.port.and_then(|port| u16::try_from(port).ok()) {
            request.port = port;
        }
        request.labels.extend(self.labels.clone());
        if let Some(namespace) = &self.namespace {
            request.namespace.clone_from(namespace);
        }
    }

    /// Requests like this one for which one of its conditions does not hold.
    #[must_use]
    pub fn broken(&self, request: &Request) -> Vec<Request> {
        let mut all = Vec::new();
        let mut with = |change: &dyn Fn(&mut Request)| {
            let mut other = request.clone();
            change(&mut other);
            all.push(other);
        };
        for name in self.headers.keys() {
            with(&|request| drop(request.headers.remove(name)));
            with(&|request| drop(request.headers.insert(name.clone(), "other".to_owned())));
        }
        for (name, text) in &self.without_headers {
            for value in text.samples() {
                with(&|request| drop(request.headers.insert(name.clone(), value.clone())));
            }
        }
        for name in self.query.keys() {
            with(&|request| drop(request.query.remove(name)));
            with(&|request| drop(request.query.insert(name.clone(), "other".to_owned())));
        }
        if self.method.is_some() {
            ["POST", "DELETE", "GET"]
                .iter()
                .for_each(|method| with(&|request| request.method = (*method).to_owned()));
        }
        if self.port.is_some() {
            with(&|request| request.port = request.port.wrapping_add(1));
        }
        if self.scheme.is_some() {
            ["https", "http"]
                .iter()
                .for_each(|scheme| with(&|request| request.scheme = (*scheme).to_owned()));
        }
        if !self.labels.is_empty() {
            with(&|request| request.labels.clear());
        }
        if self.namespace.is_some() {
            with(&|request| request.namespace = "elsewhere".to_owned());
        }
        if self.uri.is_some() {
            for path in [
                "/zzz".to_owned(),
                format!("{}x", request.path),
                format!("{}/more", request.path.trim_end_matches('/')),
            ] {
                with(&|request| request.path.clone_from(&path));
            }
        }
        all
    }

    /// What it says about paths.
    #[must_use]
    pub fn uri(&self) -> Option<&Text> {
        self.uri.as_ref()
    }

    /// Is the case of paths ignored?
    #[must_use]
    pub fn folds(&self) -> bool {
        self.ignore_uri_case
    }

    /// Headers that have to be there or not, by lower-case name.
    pub fn all_headers(&self) -> impl Iterator<Item = (&String, &Text)> {
        self.headers.iter().chain(&self.without_headers)
    }

    /// Headers that have to be there, by lower-case name.
    #[must_use]
    pub fn headers(&self) -> &BTreeMap<String, Text> {
        &self.headers
    }

    /// Query parameters.
    #[must_use]
    pub fn query(&self) -> &BTreeMap<String, Text> {
        &self.query
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Option<&Text> {
        self.method.as_ref()
    }

    /// The port that the request was sent to.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port.and_then(|port| u16::try_from(port).ok())
    }

    /// Labels of the pod that calls.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// The namespace that calls.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// What cannot be decided about it, in words.
    #[must_use]
    pub fn undecided(&self) -> Vec<String> {
        let texts = [&self.uri, &self.method, &self.scheme, &self.authority].into_iter().flatten();
        let texts = texts.chain(self.headers.values()).chain(self.without_headers.values());
        texts.chain(self.query.values()).filter_map(Text::undecided).chain(self.unknown.clone()).collect()
    }
}

/// What cannot be decided about a field that only Istio has.
fn unknown((key, value): (&String, &Json)) -> Option<String> {
    let says_nothing = value.is_null()
        || value.as_object().is_some_and(Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty);
    let known = ["name", "statPrefix"].contains(&key.as_str()) || says_nothing;
    (!known).then(|| format!("a match on `{key}`"))
}

fn texts(pairs: &BTreeMap<String, routes::Text>, fold: bool) -> BTreeMap<String, Text> {
    let name = |name: &str| if fold { name.to_ascii_lowercase() } else { name.to_owned() };
    pairs.iter().map(|(key, value)| (name(key), Text::from(value))).collect()
}
