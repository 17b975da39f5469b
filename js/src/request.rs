//! A request to be explained, as a value: the options of `graylane explain`.

use std::collections::BTreeMap;

use graylane_mesh::explain::{self, Request};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::failure::Failure;

/// What is asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    path: Vec<String>,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    claims: Map<String, Json>,
    #[serde(default)]
    drops: Drops,
    #[serde(default)]
    routes: BTreeMap<String, String>,
    worker: Option<Worker>,
}

/// Headers by name, or as pairs where one comes twice.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Headers {
    Pairs(Vec<(String, String)>),
    Named(BTreeMap<String, String>),
}

impl Default for Headers {
    fn default() -> Self {
        Self::Pairs(Vec::new())
    }
}

/// Services that drop headers, with what each drops, or without.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Drops {
    All(Vec<String>),
    Named(BTreeMap<String, String>),
}

impl Default for Drops {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Worker {
    name: String,
    tenant: String,
}

impl Asked {
    /// As the library has it.
    ///
    /// # Errors
    /// When a value is none of its kind.
    pub fn request(self) -> Result<Request, Failure> {
        let mut request = Request { path: self.path, routes: self.routes, ..Request::default() };
        let headers = match self.headers {
            Headers::Pairs(pairs) => pairs,
            Headers::Named(named) => named.into_iter().collect(),
        };
        for (name, value) in headers {
            let read = explain::header(&format!("{name}: {value}"));
            // A name without its colon would be cut at one of the value's.
            let (read, value) = read.map_err(|_| header(&name))?;
            let is_whole = read == name.to_ascii_lowercase() || read == ":authority";
            request.headers.push(if is_whole { (read, value) } else { return Err(header(&name)) });
        }
        if !self.claims.is_empty() {
            request.claim(&Json::Object(self.claims).to_string())?;
        }
        let drops = match self.drops {
            Drops::All(services) => services,
            Drops::Named(named) => named.iter().map(|(service, what)| format!("{service}={what}")).collect(),
        };
        for drop in drops {
            request.drop(&drop)?;
        }
        request.worker = self.worker.map(|worker| (worker.name, worker.tenant));
        Ok(request)
    }
}

fn header(name: &str) -> Failure {
    Failure::of(format!("headers: invalid name `{name}`: expected one such as `tenant`"))
}
