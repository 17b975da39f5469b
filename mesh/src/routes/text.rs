//! A condition on a text.

use serde_json::{Value as Json, json};

/// A condition on a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Any value, but it must be present.
    Present,
    /// Equals this.
    Exact(String),
    /// This at its beginning.
    Prefix(String),
    /// A regular expression (RE2) matches all of it.
    Regex(String),
    /// None of the above, as it was written.
    Other(Json),
}

impl Text {
    /// Of Istio's StringMatch.
    #[must_use]
    pub fn of(json: &Json) -> Self {
        let other = || Self::Other(json.clone());
        let Some(fields) = json.as_object() else { return other() };
        let mut fields = fields.iter();
        match (fields.next(), fields.next()) {
            (None, _) => Self::Present,
            (Some((kind, Json::String(text))), None) => match kind.as_str() {
                "exact" => Self::Exact(text.clone()),
                "prefix" => Self::Prefix(text.clone()),
                "regex" => Self::Regex(text.clone()),
                _ => other(),
            },
            _ => other(),
        }
    }

    /// As Istio's StringMatch: what [`Text::of`] was given.
    #[must_use]
    pub fn istio(&self) -> Json {
        match self {
            Self::Present => json!({}),
            Self::Exact(text) => json!({"exact": text}),
            Self::Prefix(text) => json!({"prefix": text}),
            Self::Regex(text) => json!({"regex": text}),
            Self::Other(json) => json.clone(),
        }
    }
}
