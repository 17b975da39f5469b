//! What becomes of a request.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value as Json};

use super::rule::At;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The rule that it met; none: no rule.
    pub rule: Option<At>,
    /// Where it goes, and the share of each in hundredths of a percent; in order. Empty: nowhere.
    pub targets: Vec<(Target, u64)>,
    /// The other fields of the rule.
    pub fields: Map<String, Json>,
}

/// Some pods, and how they are called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The full host name.
    pub host: String,
    /// The subset's name, for messages.
    pub subset: Option<String>,
    /// The labels that make the subset; none: there is no such subset.
    pub labels: Option<BTreeMap<String, String>>,
    /// The port.
    pub port: Option<u16>,
    /// Istio's TrafficPolicy that holds, as text.
    pub policy: String,
    /// Istio's Headers of this destination, as text.
    pub headers: String,
}

impl Answer {
    /// Is it the same for every caller?
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let (own, others) = (self.key(), other.key());
        // A hundredth of a percent more or less is rounding: weights of any sum add up to 100 %.
        let near = |((a, n), (b, m)): (&(Target, u64), &(Target, u64))| a == b && n.abs_diff(*m) <= 1;
        self.fields == other.fields && own.len() == others.len() && own.iter().zip(&others).all(near)
    }

    /// Are the same pods called, however?
    #[must_use]
    pub fn goes_the_same_way(&self, other: &Self) -> bool {
        let key = |answer: &Self| {
            let mut all: Vec<_> = answer
                .targets
                .iter()
                .map(|(one, share)| (one.host.clone(), one.labels.clone(), *share))
                .collect();
            all.sort();
            all
        };
        let (own, others) = (key(self), key(other));
        own.len() == others.len()
            && own.iter().zip(&others).all(|(a, b)| a.0 == b.0 && a.1 == b.1 && a.2.abs_diff(b.2) <= 1)
    }

    fn key(&self) -> Vec<(Target, u64)> {
        // The name of a subset matters to the resources only.
        let mut key: Vec<_> = Vec::new();
        for (target, share) in &self.targets {
            let target = Target { subset: None, ..target.clone() };
            // Two destinations that are the same pods.
            match key.iter_mut().find(|(known, _): &&mut (Target, u64)| *known == target) {
                Some((_, sum)) => *sum += share,
                None => key.push((target, *share)),
            }
        }
        key.sort();
        key
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.targets.is_empty() {
            let own =
                ["redirect", "directResponse"].into_iter().find_map(|key| Some((key, self.fields.get(key)?)));
            return match own {
                Some((key, value)) => write!(f, "{key} {value}"),
                None => f.write_str("404"),
            };
        }
        for (index, (target, share)) in self.targets.iter().enumerate() {
            f.write_str(if index > 0 { " and " } else { "" })?;
            if self.targets.len() > 1 {
                write!(f, "{} % ", crate::percent::of(*share))?;
            }
            write!(f, "{target}")?;
        }
        let fields: Vec<String> = self.fields.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        if !fields.is_empty() {
            write!(f, " with {}", fields.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match &self.labels {
            None => {
                write!(f, " subset {}, which does not exist", self.subset.as_deref().unwrap_or_default())?;
            }
            Some(labels) if labels.is_empty() => f.write_str(" (every pod)")?,
            Some(labels) => {
                let labels: Vec<String> =
                    labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, " ({})", labels.join(", "))?;
            }
        }
        if self.headers != "null" {
            write!(f, " with headers {}", self.headers)?;
        }
        Ok(())
    }
}
