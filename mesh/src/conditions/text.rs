//! A condition on a text.

use graylane_decide::config;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Path, Report, at};
use crate::regex;

/// A condition on a value: one of these. Only hosts are compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Text {
    /// Equals this.
    pub exact: Option<String>,
    /// One of these.
    #[serde(rename = "in")]
    pub any_of: Option<Vec<String>>,
    /// Starts with this.
    pub prefix: Option<String>,
    /// Ends with this.
    pub suffix: Option<String>,
    /// A regular expression that matches the whole value, as in Istio; character classes and ignoring case cover ASCII only.
    pub regex: Option<String>,
    /// `true`: present.
    pub present: Option<bool>,
    /// `true`: missing or blank.
    pub absent: Option<bool>,
}

/// What kind of text is tested.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Host,
    Path,
    Method,
    Other,
}

const TESTS: &str = "exact, in, prefix, suffix, regex, present, absent";

impl Text {
    /// Says what is wrong with it, as a text of this kind.
    pub fn check(&self, kind: Kind, report: &mut dyn Report, path: &[String]) {
        let text = self;
        let given = [
            text.exact.is_some(),
            text.any_of.is_some(),
            text.prefix.is_some(),
            text.suffix.is_some(),
            text.regex.is_some(),
            text.present.is_some(),
            text.absent.is_some(),
        ];
        match given.into_iter().filter(|given| *given).count() {
            1 => {}
            0 => {
                let what = path.last().map_or("it", String::as_str);
                report
                    .error(&at(path, &[]), format!("`{what}` has no condition on its value"))
                    .help(format!("add one of {TESTS}"));
            }
            _ => {
                report
                    .error(&at(path, &[]), "more than one test".to_owned())
                    .help(format!("keep one of {TESTS}; `all: [..]` joins several conditions"));
            }
        }
        if text.present == Some(false) {
            report.error(&at(path, &["present"]), "`present: false`".to_owned()).help("write `absent: true`");
        }
        if text.absent == Some(false) {
            report.error(&at(path, &["absent"]), "`absent: false`".to_owned()).help("write `present: true`");
        }
        if let Some(pattern) = &text.regex
            && let Err(problem) = regex::compile(pattern, kind == Kind::Host)
        {
            report
            .error(&at(path, &["regex"]), format!("`{pattern}` cannot be a regular expression: {problem}"))
            .help("write a pattern of RE2, as in Istio, for the whole value; `in`, `prefix` and `suffix` often do");
        }
        if text.any_of.as_ref().is_some_and(Vec::is_empty) {
            report
                .error(&at(path, &["in"]), "an empty `in` never matches".to_owned())
                .help("write values, as in `[alice, bob]`");
        }
        let one = |key: &'static str, value: &Option<String>| {
            value.clone().map(|value| (vec![key.to_owned()], value))
        };
        let listed = text.any_of.iter().flatten().enumerate();
        let values: Vec<(Path, String)> =
            [one("exact", &text.exact), one("prefix", &text.prefix), one("suffix", &text.suffix)]
                .into_iter()
                .flatten()
                .chain(listed.map(|(index, value)| (vec!["in".to_owned(), index.to_string()], value.clone())))
                .collect();
        for (key, value) in values {
            let place = path.iter().chain(&key).map(String::as_str).collect::<Vec<_>>();
            if value.is_empty() {
                report
                    .error(&place, "an empty value never matches: a blank header counts as absent".to_owned())
                    .help("write `absent: true`, or `present: true`");
            } else if let Some((problem, help)) = never(kind, &key[0], &value) {
                report.error(&place, format!("`{value}` never matches: {problem}")).help(help);
            }
        }
    }

    /// A test of a text; none if it is not exactly one, or no regular expression. `fold`: the text will be lower case.
    #[must_use]
    pub fn lower(&self, fold: bool) -> Option<config::Text> {
        let text = self;
        let mut tests = Vec::new();
        tests.extend(text.exact.iter().map(|exact| config::Text::In(vec![exact.clone()])));
        tests.extend(text.any_of.iter().map(|list| config::Text::In(list.clone())));
        tests.extend(text.prefix.iter().map(|prefix| config::Text::Prefix(prefix.clone())));
        tests.extend(text.suffix.iter().map(|suffix| config::Text::Suffix(suffix.clone())));
        if let Some(pattern) = &text.regex {
            tests.push(config::Text::Regex(regex::compile(pattern, fold).ok()?));
        }
        tests.extend(text.present.iter().map(|present| config::Text::Present(*present)));
        tests.extend(text.absent.iter().map(|absent| config::Text::Present(!absent)));
        let last = tests.pop();
        if tests.is_empty() { last } else { None }
    }
}

/// Why a value of this kind never matches, and what to write instead.
fn never(kind: Kind, test: &str, value: &str) -> Option<(&'static str, String)> {
    let begins = test != "suffix";
    match kind {
        Kind::Host if value.contains([':', '/']) => {
            let host = value.trim_start_matches("https://").trim_start_matches("http://");
            let host = host.split([':', '/']).next().unwrap_or_default();
            Some(("a host has neither scheme, port nor path", format!("write `{host}`")))
        }
        Kind::Path if value.contains(['?', '#']) => Some((
            "the query is not part of the path",
            "write `query: {name: .., exact: ..}` beside it".to_owned(),
        )),
        Kind::Path if begins && !value.starts_with('/') => {
            Some(("a path starts with `/`", format!("write `/{value}`")))
        }
        Kind::Method if value.bytes().any(|byte| byte.is_ascii_lowercase()) => {
            Some(("methods are in capitals", format!("write `{}`", value.to_ascii_uppercase())))
        }
        _ => None,
    }
}
