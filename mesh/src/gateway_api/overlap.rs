//! Which requests two matches have in common.

use std::collections::BTreeMap;

use super::precedence::is_under;
use crate::routes::{Match, Text};
use crate::traffic;

/// The requests for which two conditions hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Both<T> {
    /// There are none.
    Never,
    /// Those for which this holds.
    Is(T),
    /// There may be some, and no condition says which.
    Unknown,
}

/// What two matches have in common. Both are of the kinds that the API has.
#[must_use]
pub fn both(a: &Match, b: &Match) -> Both<Match> {
    let mut one = a.clone();
    let parts = [
        merged(&a.path, &b.path, path).into(&mut one.path),
        merged(&a.method, &b.method, text).into(&mut one.method),
        all(&a.headers, &b.headers, &mut one.headers, str::eq_ignore_ascii_case),
        all(&a.query, &b.query, &mut one.query, |a, b| a == b),
    ];
    // Two conditions that exclude each other settle it, whatever the others are.
    if parts.contains(&Both::Never) {
        Both::Never
    } else if parts.contains(&Both::Unknown) {
        Both::Unknown
    } else {
        Both::Is(one)
    }
}

impl<T> Both<T> {
    fn into(self, place: &mut T) -> Both<()> {
        match self {
            Self::Never => Both::Never,
            Self::Unknown => Both::Unknown,
            Self::Is(value) => {
                *place = value;
                Both::Is(())
            }
        }
    }
}

type Merge = fn(&Text, &Text) -> Both<Text>;

fn merged(a: &Option<Text>, b: &Option<Text>, merge: Merge) -> Both<Option<Text>> {
    match (a, b) {
        (None, one) | (one, None) => Both::Is(one.clone()),
        (Some(a), Some(b)) => match merge(a, b) {
            Both::Never => Both::Never,
            Both::Unknown => Both::Unknown,
            Both::Is(text) => Both::Is(Some(text)),
        },
    }
}

fn all(
    a: &BTreeMap<String, Text>,
    b: &BTreeMap<String, Text>,
    into: &mut BTreeMap<String, Text>,
    is_same: fn(&str, &str) -> bool,
) -> Both<()> {
    let mut known = Both::Is(());
    for (name, theirs) in b {
        let Some((own, text)) = a.iter().find(|(own, _)| is_same(own, name)) else {
            into.insert(name.clone(), theirs.clone());
            continue;
        };
        match self::text(text, theirs) {
            Both::Never => return Both::Never,
            Both::Unknown => known = Both::Unknown,
            Both::Is(text) => drop(into.insert(own.clone(), text)),
        }
    }
    known
}

/// Texts of headers, parameters and methods.
fn text(a: &Text, b: &Text) -> Both<Text> {
    match (a, b) {
        (Text::Other(_), _) | (_, Text::Other(_)) => Both::Unknown,
        (Text::Exact(value), other) | (other, Text::Exact(value)) => {
            let holds = traffic::Text::from(other).matches(Some(value), false);
            if holds { Both::Is(Text::Exact(value.clone())) } else { Both::Never }
        }
        (Text::Present, other) | (other, Text::Present) => Both::Is(other.clone()),
        (Text::Prefix(a), Text::Prefix(b)) => {
            longer(a, b, a.starts_with(b.as_str()), b.starts_with(a.as_str()))
        }
        (a, b) if a == b => Both::Is(a.clone()),
        (Text::Prefix(_) | Text::Regex(_), Text::Prefix(_) | Text::Regex(_)) => Both::Unknown,
    }
}

/// The regular expression for every path.
pub const ANY_PATH: &str = "/.*";

/// Paths: a prefix is one of segments.
fn path(a: &Text, b: &Text) -> Both<Text> {
    let is_root = |prefix: &str| is_under("/", prefix);
    match (a, b) {
        (Text::Regex(any), other) | (other, Text::Regex(any)) if any == ANY_PATH => Both::Is(other.clone()),
        (Text::Exact(path), Text::Prefix(prefix)) | (Text::Prefix(prefix), Text::Exact(path)) => {
            if is_under(path, prefix) { Both::Is(Text::Exact(path.clone())) } else { Both::Never }
        }
        (Text::Prefix(a), Text::Prefix(b)) => longer(a, b, is_under(a, b), is_under(b, a)),
        (Text::Prefix(prefix), other) | (other, Text::Prefix(prefix)) if is_root(prefix) => {
            Both::Is(other.clone())
        }
        (a, b) => text(a, b),
    }
}

fn longer(a: &str, b: &str, a_is_under: bool, b_is_under: bool) -> Both<Text> {
    match (a_is_under, b_is_under) {
        (true, _) => Both::Is(Text::Prefix(a.to_owned())),
        (false, true) => Both::Is(Text::Prefix(b.to_owned())),
        (false, false) => Both::Never,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn of(a: Json, b: Json) -> Both<Json> {
        let read = |json: Json| Match::of(json.as_object().unwrap());
        match both(&read(a), &read(b)) {
            Both::Never => Both::Never,
            Both::Unknown => Both::Unknown,
            Both::Is(one) => Both::Is(one.istio().into()),
        }
    }

    #[test]
    fn what_two_have_in_common_is_all_that_either_says() {
        let is = |json| Both::Is(json);
        assert_eq!(
            of(json!({"uri": {"prefix": "/api"}}), json!({"headers": {"a": {"exact": "1"}}})),
            is(json!({"uri": {"prefix": "/api"}, "headers": {"a": {"exact": "1"}}}))
        );
        assert_eq!(
            of(json!({"uri": {"prefix": "/api"}}), json!({"uri": {"exact": "/api/x"}})),
            is(json!({"uri": {"exact": "/api/x"}}))
        );
        assert_eq!(of(json!({"uri": {"prefix": "/a"}}), json!({"uri": {"prefix": "/ab"}})), Both::Never);
        assert_eq!(of(json!({"uri": {"regex": "/a.*"}}), json!({"uri": {"exact": "/b"}})), Both::Never);
        assert_eq!(of(json!({"uri": {"regex": "/a.*"}}), json!({"uri": {"prefix": "/a"}})), Both::Unknown);
        assert_eq!(of(json!({"method": {"exact": "GET"}}), json!({"method": {"exact": "PUT"}})), Both::Never);
        let header = |json: Json| json!({"headers": {"A": json}});
        assert_eq!(
            of(header(json!({"regex": "x.*"})), header(json!({"exact": "xy"}))),
            is(header(json!({"exact": "xy"})))
        );
        assert_eq!(of(header(json!({"regex": "x.*"})), header(json!({"regex": ".*y"}))), Both::Unknown);
        assert_eq!(of(header(json!({})), header(json!({"prefix": "x"}))), is(header(json!({"prefix": "x"}))));
        // What excludes each other settles it, whatever else is not known.
        let a = json!({"uri": {"regex": "/a.*"}, "method": {"exact": "GET"}});
        assert_eq!(of(a, json!({"uri": {"regex": "/b.*"}, "method": {"exact": "PUT"}})), Both::Never);
    }
}
