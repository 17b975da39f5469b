//! `claim`: a claim of a token that Istio verified.

use graylane_decide::config;
use schemars::JsonSchema;
use serde::Deserialize;

use super::combined::one_or;
use super::text::{Kind, Text};
use super::{Report, at};

/// A claim, and the condition on its value.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Claim {
    /// Name of the claim; a list for a nested claim, as in `[realm_access, roles]`.
    pub name: ClaimName,
    /// What it has to be.
    #[serde(flatten)]
    pub is: Text,
}

/// The name of a claim, or the way to one that is in another.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClaimName {
    /// Its name; dots mean nothing.
    Name(String),
    /// The names on the way to it.
    Path(Vec<String>),
}

impl ClaimName {
    /// The names on the way to it.
    #[must_use]
    pub fn path(&self) -> Vec<String> {
        match self {
            Self::Name(name) => vec![name.clone()],
            Self::Path(path) => path.clone(),
        }
    }
}

impl Claim {
    /// Says what is wrong with it.
    pub fn check(&self, report: &mut dyn Report, path: &[String]) {
        let steps = self.name.path();
        if steps.is_empty() || steps.iter().any(String::is_empty) {
            report
                .error(&at(path, &["name"]), "a claim without a name".to_owned())
                .help("write its name, or the way to it, as in `[realm_access, roles]`");
        }
        self.is.check(Kind::Other, report, path);
    }

    /// What the filter reads. Filters of graylane 0.1 do not know that numbers and booleans are their text, so `"5"` is
    /// written as both.
    #[must_use]
    pub fn lower(&self) -> Option<config::Condition> {
        let is = self.is.lower(false)?;
        let mut tests = Vec::new();
        if let config::Text::In(list) = &is {
            let numbers = list.iter().filter_map(|text| {
                let number: f64 = text.parse().ok()?;
                (number.is_finite() && number.to_string() == *text).then_some(config::Text::Number(number))
            });
            tests.extend(numbers);
            tests.extend(list.iter().filter_map(|text| text.parse().ok()).map(config::Text::Truth));
        }
        tests.insert(0, is);
        let one = |is| config::Condition::Claim(config::Claim { path: self.name.path(), is });
        Some(one_or(tests.into_iter().map(one).collect(), config::Condition::Any))
    }
}
