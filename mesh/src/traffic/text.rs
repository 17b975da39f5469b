//! Istio's StringMatch.

use serde_json::Value as Json;

use super::pattern::Pattern;
use crate::routes;

/// A condition on a text.
#[derive(Clone, Debug)]
pub enum Text {
    /// Any value, but it must be present.
    Present,
    /// Equals this.
    Exact(String),
    /// This at its beginning.
    Prefix(String),
    /// A regular expression (RE2) matches all of it.
    Regex(Pattern),
    /// None of the above: it is not known what it matches.
    Unknown(String),
}

impl From<&routes::Text> for Text {
    fn from(text: &routes::Text) -> Self {
        match text {
            routes::Text::Present => Self::Present,
            routes::Text::Exact(text) => Self::Exact(text.clone()),
            routes::Text::Prefix(text) => Self::Prefix(text.clone()),
            // No RE2, and yet what many write: Istio makes it a test for presence.
            routes::Text::Regex(text) if text == "*" => Self::Present,
            routes::Text::Regex(text) => Self::Regex(Pattern::of(text)),
            routes::Text::Other(json) => Self::of(json),
        }
    }
}

impl Text {
    /// Out of JSON that may be none that Istio takes.
    #[must_use]
    pub fn of(json: &Json) -> Self {
        let Some(fields) = json.as_object() else { return Self::of_scalar(json) };
        let mut given = fields.iter().filter(|(_, value)| !value.is_null());
        match (given.next(), given.next()) {
            (None, _) => Self::Present,
            (Some((kind, value)), None) => match (kind.as_str(), scalar(value)) {
                ("exact", Some(text)) => Self::Exact(text),
                ("prefix", Some(text)) => Self::Prefix(text),
                // No RE2, and yet what many write: Istio makes it a test for presence.
                ("regex", Some(text)) if text == "*" => Self::Present,
                ("regex", Some(text)) => Self::Regex(Pattern::of(&text)),
                _ => Self::Unknown(json.to_string()),
            },
            _ => Self::Unknown(json.to_string()),
        }
    }

    fn of_scalar(json: &Json) -> Self {
        if json.is_null() { Self::Present } else { Self::Unknown(json.to_string()) }
    }

    /// Does a text match? None is a text that is not there. `fold`: without regard to case, but for patterns.
    #[must_use]
    pub fn matches(&self, text: Option<&str>, fold: bool) -> bool {
        let Some(text) = text else { return false };
        let lower = |text: &str| if fold { text.to_lowercase() } else { text.to_owned() };
        match self {
            Self::Present => true,
            Self::Exact(exact) => lower(text) == lower(exact),
            Self::Prefix(prefix) => lower(text).starts_with(&lower(prefix)),
            Self::Regex(pattern) => pattern.matches(text),
            Self::Unknown(_) => false,
        }
    }

    /// Texts that match, the plainest first; none if it is not known.
    #[must_use]
    pub fn samples(&self) -> Vec<String> {
        match self {
            Self::Present => vec!["present".to_owned()],
            Self::Exact(text) => vec![text.clone()],
            Self::Prefix(text) => vec![text.clone(), format!("{text}z")],
            Self::Regex(pattern) => pattern.samples(),
            Self::Unknown(_) => Vec::new(),
        }
    }

    /// Why it is not known what matches, if it is not.
    #[must_use]
    pub fn undecided(&self) -> Option<String> {
        match self {
            Self::Regex(pattern) if pattern.samples().is_empty() => {
                Some(format!("found no text that `{}` matches", pattern.text()))
            }
            Self::Unknown(what) => Some(format!("Istio knows no match {what}")),
            _ => None,
        }
    }
}

/// A text, or a number or boolean that Kubernetes refuses here but files contain.
fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}
