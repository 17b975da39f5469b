//! What becomes of headers on the way.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// What happens to headers on the way; those that graylane itself needs, besides what a file says for Istio.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Headers that requests lose.
    pub request_remove: Vec<String>,
    /// Headers that responses lose.
    pub response_remove: Vec<String>,
    /// Headers that responses get, whatever they had.
    pub response_set: BTreeMap<String, String>,
    /// Headers that responses get besides what they have.
    pub response_add: BTreeMap<String, String>,
}

impl Edits {
    /// As Istio's Headers; null if there is nothing to do.
    #[must_use]
    pub fn istio(&self) -> Json {
        let mut headers = json!({});
        if !self.request_remove.is_empty() {
            headers["request"]["remove"] = json!(self.request_remove);
        }
        if !self.response_remove.is_empty() {
            headers["response"]["remove"] = json!(self.response_remove);
        }
        if !self.response_set.is_empty() {
            headers["response"]["set"] = json!(self.response_set);
        }
        if !self.response_add.is_empty() {
            headers["response"]["add"] = json!(self.response_add);
        }
        if headers.as_object().is_some_and(serde_json::Map::is_empty) { Json::Null } else { headers }
    }
}
