//! Where a route stands in the file.

use super::block::Block;
use crate::lacking::Lost;
use crate::mesh::Route;

/// Where a route stands in the file, for messages.
pub struct Place {
    path: Vec<String>,
    service: String,
}

impl Place {
    /// Of a block.
    pub fn of(block: &Block<'_>) -> Self {
        let service = block.service;
        let mut path = vec!["services".to_owned(), service.name.clone()];
        let is_it = |route: &Route| route.name == block.route.name;
        let index = if block.outside && !service.outside.is_empty() {
            path.extend(["expose", "routes"].map(str::to_owned));
            service.outside.iter().position(|one| is_it(&one.route))
        } else {
            let index = block.route.name.as_ref().and_then(|_| service.routes.iter().position(is_it));
            path.extend(index.map(|_| "routes".to_owned()));
            index
        };
        path.extend(index.map(|index| index.to_string()));
        Self { path, service: service.name.clone() }
    }

    /// Says that something of a route is lost: of its `match`, or of its `http`.
    pub fn lose(&self, lost: &mut Lost, (part, key): (&str, &str), text: &str, instead: &'static str) {
        let first = key.split('.').next().unwrap_or(key);
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let path =
            if part == HTTP { [&path[..], &[part, first]].concat() } else { [&path[..], &[part]].concat() };
        lost.say(&path, format!("`{key}` in `{part}` of `{}` {text}", self.service), instead);
    }
}

/// The part of a route with fields of Istio's HTTPRoute.
pub const HTTP: &str = "http";
/// The part of a route that says which requests it is for.
pub const MATCH: &str = "match";
