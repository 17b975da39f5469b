//! Can a rule ever match, with the rules before it?
//!
//! Found: the same condition again; one that asks for more than an earlier one (another condition beside it, fewer
//! values, a longer prefix or suffix, a smaller network), also inside `all`, `any` and `not`; values of which each
//! matches an earlier pattern. Not found: conditions that only together leave nothing over, and patterns against
//! patterns. So what is said is always true, and silence proves nothing.

use graylane_decide::config::{Condition, Rule, Text};
use graylane_decide::edge::network::Network;
use graylane_decide::edge::text::Text as Compiled;

/// Does the earlier rule take every request that the later one could?
pub fn covers(earlier: &Rule, later: &Rule) -> bool {
    let gives = match (&earlier.tenant, &later.tenant) {
        (Some(_), _) => true,
        (None, None) => later.may_choose.iter().all(|tenant| earlier.may_choose.contains(tenant)),
        (None, Some(_)) => false,
    };
    gives && implies(&later.when, &earlier.when)
}

/// Does the second hold wherever the first does?
fn implies(narrow: &Condition, wide: &Condition) -> bool {
    if narrow == wide {
        return true;
    }
    // What takes both apart first, then either.
    match (narrow, wide) {
        (_, Condition::All(list)) => return list.iter().all(|wide| implies(narrow, wide)),
        (Condition::Any(list), _) => return list.iter().all(|narrow| implies(narrow, wide)),
        (Condition::Not(narrow), Condition::Not(wide)) if implies(wide, narrow) => return true,
        _ => {}
    }
    let parts = match narrow {
        Condition::All(list) => list.iter().any(|narrow| implies(narrow, wide)),
        _ => false,
    };
    let branches = match wide {
        Condition::Any(list) => list.iter().any(|wide| implies(narrow, wide)),
        _ => false,
    };
    parts || branches || leaf(narrow, wide)
}

fn leaf(narrow: &Condition, wide: &Condition) -> bool {
    match (narrow, wide) {
        (Condition::Header(a), Condition::Header(b))
        | (Condition::Cookie(a), Condition::Cookie(b))
        | (Condition::Query(a), Condition::Query(b)) => a.name == b.name && text(&a.is, &b.is, false),
        (Condition::Host(a), Condition::Host(b)) => text(a, b, true),
        (Condition::Path(a), Condition::Path(b)) | (Condition::Certificate(a), Condition::Certificate(b)) => {
            text(a, b, false)
        }
        (Condition::Claim(a), Condition::Claim(b)) => a.path == b.path && text(&a.is, &b.is, false),
        (Condition::Source(a), Condition::Source(b)) => {
            let networks =
                |list: &[String]| list.iter().map(|one| Network::parse(one)).collect::<Option<Vec<_>>>();
            let (Some(a), Some(b)) = (networks(a), networks(b)) else { return false };
            a.iter().all(|narrow| b.iter().any(|wide| wide.covers(narrow)))
        }
        _ => false,
    }
}

fn text(narrow: &Text, wide: &Text, fold: bool) -> bool {
    match (narrow, wide) {
        (narrow, Text::Present(true)) => *narrow != Text::Present(false),
        (Text::In(values), wide) => {
            let fits = |wide: Compiled| {
                values.iter().all(|value| {
                    let value = if fold { value.to_ascii_lowercase() } else { value.clone() };
                    wide.fits(value.as_bytes())
                })
            };
            *wide != Text::Present(false) && Compiled::new(wide, fold).is_some_and(fits)
        }
        (Text::Prefix(narrow), Text::Prefix(wide)) => narrow.starts_with(wide.as_str()),
        (Text::Suffix(narrow), Text::Suffix(wide)) => narrow.ends_with(wide.as_str()),
        (Text::Regex(narrow), Text::Regex(wide)) => narrow.table == wide.table,
        (narrow, wide) => narrow == wide,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::model;
    use crate::lower;

    fn rule(yaml: &str) -> Rule {
        let rule: model::Rule = serde_saphyr::from_str(yaml).unwrap();
        lower::rule(&rule).unwrap()
    }

    #[test]
    fn an_earlier_rule_covers_what_asks_for_more() {
        let host = "tenant: a\nhost: {suffix: .acme.example}";
        let role = "tenant: a\nclaim: {name: role, in: [employee, tester]}";
        let cases = [
            (host, host, true),
            (host, "tenant: b\nhost: {suffix: .eu.acme.example}", true),
            (host, "tenant: b\nhost: {in: [X.acme.example, y.ACME.example]}", true),
            (host, "tenant: b\nhost: {in: [x.acme.example, acme.example]}", false),
            (host, "tenant: b\nhost: {suffix: .acme.example}\npath: {prefix: /x}", true),
            (host, "tenant: b\nhost: {suffix: acme.example}", false),
            (host, "tenant: b\npath: {prefix: /x}", false),
            (role, "tenant: b\nclaim: {name: role, exact: tester}", true),
            (role, "tenant: b\nclaim: {name: role, exact: '5'}", false),
            (role, "tenant: b\nclaim: {name: roles, exact: tester}", false),
            (
                "tenant: a\nclaim: {name: level, in: ['5', '6']}",
                "tenant: b\nclaim: {name: level, exact: '6'}",
                true,
            ),
            ("tenant: a\nclaim: {name: role, present: true}", role, true),
            ("tenant: a\nclaim: {name: role, absent: true}", role, false),
            ("tenant: a\nsource: [10.0.0.0/8]", "tenant: b\nsource: [10.1.0.0/16, 10.2.3.4]", true),
            ("tenant: a\nsource: [10.0.0.0/8]", "tenant: b\nsource: [10.1.0.0/16, 11.2.3.4]", false),
            ("tenant: a\npath: {regex: '/v[0-9]+/.*'}", "tenant: b\npath: {in: [/v1/x, /v22/]}", true),
            ("tenant: a\npath: {prefix: /a}", "tenant: b\npath: {prefix: /ab}", true),
            (
                "tenant: a\nany: [{path: {prefix: /a}}, {host: {exact: b}}]",
                "tenant: b\nhost: {exact: b}",
                true,
            ),
            (
                "tenant: a\nhost: {exact: b}",
                "tenant: b\nany: [{path: {prefix: /a}}, {host: {exact: b}}]",
                false,
            ),
            ("tenant: a\nnot: {host: {exact: b}}", "tenant: b\nnot: {host: {in: [b, c]}}", true),
            ("tenant: a\nnot: {host: {in: [b, c]}}", "tenant: b\nnot: {host: {exact: b}}", false),
            ("mayChoose: [a, b]\nhost: {exact: b}", "mayChoose: [b]\nhost: {exact: b}", true),
            ("mayChoose: [a]\nhost: {exact: b}", "mayChoose: [a, b]\nhost: {exact: b}", false),
            ("mayChoose: [a]\nhost: {exact: b}", "tenant: a\nhost: {exact: b}", false),
            ("tenant: a\nhost: {exact: b}", "mayChoose: [a]\nhost: {exact: b}", true),
        ];
        for (earlier, later, covered) in cases {
            assert_eq!(covers(&rule(earlier), &rule(later)), covered, "{earlier}\n--\n{later}");
        }
    }
}
