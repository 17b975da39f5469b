//! Which of several matches counts: the most specific one (HTTPRouteRule in the Gateway API's apis/v1/httproute_types.go).
//!
//! As in Istio (`sortHTTPRoutes` in pilot/pkg/config/kube/gateway/conversion.go): the kind of the path, its length, a method, the
//! number of headers, that of parameters; then the rule that comes first.

use crate::routes::{Match, Text};

/// How specific a match is; of two that hold, the greater one counts, and of equal ones the first.
pub type Rank = (PathKind, usize, bool, usize, usize);

/// Kinds of paths, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathKind {
    /// A regular expression.
    Regex,
    /// Whole segments at the beginning; without a path, `/`.
    Prefix,
    /// All of it.
    Exact,
}

/// How specific a match is.
#[must_use]
pub fn rank(one: &Match) -> Rank {
    let (kind, length) = match &one.path {
        Some(Text::Exact(path)) => (PathKind::Exact, path.len()),
        Some(Text::Prefix(path)) => (PathKind::Prefix, segments(path).len()),
        Some(Text::Regex(path)) => (PathKind::Regex, path.len()),
        None | Some(Text::Present | Text::Other(_)) => (PathKind::Prefix, 1),
    };
    (kind, length, one.method.is_some(), one.headers.len(), one.query.len())
}

/// A prefix of paths as the API reads it: a `/` at its end does not count.
#[must_use]
pub fn segments(prefix: &str) -> &str {
    match prefix.strip_suffix('/') {
        None => prefix,
        Some("") => "/",
        Some(prefix) => prefix,
    }
}

/// Is a path under a prefix of whole segments?
#[must_use]
pub fn is_under(path: &str, prefix: &str) -> bool {
    let prefix = segments(prefix);
    prefix == "/" || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_most_specific_comes_first() {
        let of = |json: serde_json::Value| rank(&Match::of(json.as_object().unwrap()));
        let order = [
            json!({"uri": {"exact": "/api/x"}}),
            json!({"uri": {"exact": "/api"}, "headers": {"a": {"exact": "1"}}}),
            json!({"uri": {"prefix": "/api/x/"}}),
            json!({"uri": {"prefix": "/api"}, "method": {"exact": "GET"}}),
            json!({"uri": {"prefix": "/api"}, "headers": {"a": {"exact": "1"}, "b": {"exact": "1"}}}),
            json!({"uri": {"prefix": "/api"}, "headers": {"a": {"exact": "1"}}, "queryParams": {"a": {"exact": "1"}}}),
            json!({"uri": {"prefix": "/api"}, "headers": {"a": {"exact": "1"}}}),
            json!({"uri": {"prefix": "/api"}, "queryParams": {"a": {"exact": "1"}}}),
            json!({"uri": {"prefix": "/"}, "headers": {"a": {"exact": "1"}}}),
            json!({}),
            json!({"uri": {"regex": "/a.*"}, "method": {"exact": "GET"}}),
        ];
        let ranks: Vec<Rank> = order.into_iter().map(of).collect();
        assert!(ranks.windows(2).all(|pair| pair[0] > pair[1]), "{ranks:?}");
        assert_eq!(of(json!({"uri": {"prefix": "/api/"}})), of(json!({"uri": {"prefix": "/api"}})));
    }

    #[test]
    fn a_prefix_is_one_of_segments() {
        assert!(is_under("/api", "/api/") && is_under("/api/x", "/api") && is_under("/x", "/"));
        assert!(!is_under("/apix", "/api") && !is_under("/ap", "/api"));
    }
}
