//! One rule; the first that matches counts.

use serde_json::{Value as Json, json};

use super::edits::Edits;
use super::matches::Match;
use crate::mesh::Fields;

/// One rule; the first that matches counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, by which the filter knows the route.
    pub name: String,
    /// One of these has to hold; empty: every request.
    pub matches: Vec<Match>,
    /// Where requests go and their weights, which need not add up to anything; empty: the proxy answers.
    pub to: Vec<(Target, u32)>,
    /// What becomes of headers on the way.
    pub edits: Edits,
    /// Fields of Istio's HTTPRoute, as the file has them.
    pub istio: Fields,
}

/// Some pods, and how they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The full host name.
    pub host: String,
    /// The subset; none: every pod.
    pub subset: Option<String>,
    /// The port; none: the one that the request was sent to.
    pub port: Option<u16>,
    /// Fields of Istio's Headers, for this destination only.
    pub headers: Fields,
}

impl Rule {
    /// The fields of Istio's HTTPRoute besides name, match and route.
    #[must_use]
    pub fn fields(&self) -> Fields {
        with_edits(&self.istio, &self.edits)
    }
}

impl Target {
    /// As Istio's Destination.
    #[must_use]
    pub fn istio(&self) -> Json {
        let mut json = json!({"host": self.host});
        if let Some(subset) = &self.subset {
            json["subset"] = subset.as_str().into();
        }
        if let Some(port) = self.port {
            json["port"] = json!({"number": port});
        }
        json
    }
}

/// Fields of Istio's HTTPRoute, and edits of headers.
pub fn with_edits(istio: &Fields, edits: &Edits) -> Fields {
    let mut fields = istio.clone();
    let headers = edits.istio();
    if !headers.is_null() {
        merge(fields.entry("headers").or_insert_with(|| json!({})), &headers);
    }
    fields
}

/// Adds to JSON: objects are merged, lists joined, everything else replaced.
fn merge(to: &mut Json, from: &Json) {
    match (to, from) {
        (Json::Object(to), Json::Object(from)) => {
            for (key, value) in from {
                merge(to.entry(key.clone()).or_insert(Json::Null), value);
            }
        }
        (Json::Array(to), Json::Array(from)) => {
            let news: Vec<Json> = from.iter().filter(|value| !to.contains(value)).cloned().collect();
            to.extend(news);
        }
        (to, from) => *to = from.clone(),
    }
}
