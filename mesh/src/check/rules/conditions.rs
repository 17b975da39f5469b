//! Conditions: what can be said of a request, and what never matches.

use std::net::IpAddr;

use graylane_decide::edge::network::Network;
use graylane_decide::names::OWN_PREFIX;

use super::{Path, at};
use crate::check::Checker;
use crate::check::names::{is_cookie_name, is_token};
use crate::document::model::{Claim, Condition, Text};
use crate::regex;

/// How deep conditions may stand in each other.
const MAX_DEPTH: usize = 8;

/// What kind of text is tested.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host,
    Path,
    Method,
    Other,
}

pub fn check(checker: &mut Checker<'_>, condition: &Condition, path: &[String], depth: usize) {
    if depth > MAX_DEPTH {
        checker
            .error(&at(path, &[]), format!("conditions stand more than {MAX_DEPTH} deep in each other"))
            .help("write several rules instead");
        return;
    }
    if *condition == Condition::default() {
        checker.error(&at(path, &[]), "a condition that says nothing").help("take it out");
    }
    let below = |key: &str| -> Path { path.iter().cloned().chain([key.to_owned()]).collect() };
    if let Some(header) = &condition.header {
        header_name(checker, &header.name, &below("header"));
        text(checker, &header.is, Kind::Other, &below("header"));
    }
    if let Some(cookie) = &condition.cookie {
        if !is_cookie_name(&cookie.name) {
            checker
                .error(&at(&below("cookie"), &["name"]), format!("`{}` is no name of a cookie", cookie.name))
                .help("write a name, as in `lane-id`");
        }
        text(checker, &cookie.is, Kind::Other, &below("cookie"));
    }
    if let Some(query) = &condition.query {
        text(checker, &query.is, Kind::Other, &below("query"));
    }
    for (key, is, kind) in [
        ("host", &condition.host, Kind::Host),
        ("path", &condition.path, Kind::Path),
        ("method", &condition.method, Kind::Method),
        ("certificate", &condition.certificate, Kind::Other),
    ] {
        is.iter().for_each(|is| text(checker, is, kind, &below(key)));
    }
    if let Some(is) = &condition.claim {
        claim(checker, is, &below("claim"));
    }
    for (index, network) in condition.source.iter().enumerate() {
        source(checker, network, &at(path, &["source", &index.to_string()]));
    }
    for (key, list) in [("all", &condition.all), ("any", &condition.any)] {
        let Some(list) = list else { continue };
        if list.is_empty() {
            checker.error(&at(path, &[key]), format!("`{key}` of nothing")).help(format!(
                "write a list of conditions, as in `{key}: [{{host: {{exact: www.example.com}}}}]`"
            ));
        }
        for (index, inner) in list.iter().enumerate() {
            let mut path = below(key);
            path.push(index.to_string());
            check(checker, inner, &path, depth + 1);
        }
    }
    if let Some(inner) = &condition.not {
        check(checker, inner, &below("not"), depth + 1);
    }
}

fn header_name(checker: &mut Checker<'_>, name: &str, path: &[String]) {
    let lower = name.to_ascii_lowercase();
    let tenant = checker.document().header.to_ascii_lowercase();
    let path = at(path, &["name"]);
    if lower == tenant {
        checker
            .error(&path, format!("`{name}` is the tenant header itself"))
            .help("write `mayChoose: [..]`: it lets the header count if it names one of those tenants");
        return;
    }
    let better = match &*lower {
        "cookie" => Some("cookie: {name: .., exact: ..}"),
        "host" => Some("host: {exact: ..}"),
        "authorization" => Some("claim: {name: .., exact: ..}"),
        "x-forwarded-for" | "x-real-ip" | "x-envoy-external-address" => Some("source: [10.0.0.0/8]"),
        "x-forwarded-client-cert" => Some("certificate: {exact: ..}"),
        _ => None,
    };
    if let Some(better) = better {
        checker
            .error(&path, format!("a rule on the header `{name}` would believe what anybody types"))
            .help(format!("write `{better}`, which looks at what Envoy made of it"));
    } else if !is_token(name) || lower.starts_with(OWN_PREFIX) {
        checker
            .error(&path, format!("`{name}` is no header of a client's"))
            .help("write a header that clients send, as in `x-user-id`");
    }
}

fn claim(checker: &mut Checker<'_>, claim: &Claim, path: &[String]) {
    let steps = claim.name.path();
    if steps.is_empty() || steps.iter().any(String::is_empty) {
        checker
            .error(&at(path, &["name"]), "a claim without a name")
            .help("write its name, or the way to it, as in `[realm_access, roles]`");
    }
    text(checker, &claim.is, Kind::Other, path);
}

fn source(checker: &mut Checker<'_>, network: &str, path: &[&str]) {
    if Network::parse(network).is_some() {
        return;
    }
    let help = match nearest_network(network) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            "write networks or addresses, as in `10.0.0.0/8`, `2001:db8::/32` or `203.0.113.9`".to_owned()
        }
    };
    checker.error(path, format!("`{network}` is no network")).help(help);
}

/// The network that an address with a prefix lies in: `10.1.2.3/8` is `10.0.0.0/8`.
fn nearest_network(text: &str) -> Option<String> {
    let (address, bits) = text.split_once('/')?;
    let (address, bits): (IpAddr, u32) = (address.parse().ok()?, bits.parse().ok()?);
    Some(match address {
        IpAddr::V4(four) => {
            let mask = u32::MAX.checked_shl(32u32.checked_sub(bits)?).unwrap_or(0);
            format!("{}/{bits}", std::net::Ipv4Addr::from_bits(four.to_bits() & mask))
        }
        IpAddr::V6(six) => {
            let mask = u128::MAX.checked_shl(128u32.checked_sub(bits)?).unwrap_or(0);
            format!("{}/{bits}", std::net::Ipv6Addr::from_bits(six.to_bits() & mask))
        }
    })
}

const TESTS: &str = "exact, in, prefix, suffix, regex, present, absent";

fn text(checker: &mut Checker<'_>, text: &Text, kind: Kind, path: &[String]) {
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
            checker
                .error(&at(path, &[]), format!("`{what}` does not say what it has to be"))
                .help(format!("add one of {TESTS}"));
        }
        _ => {
            checker
                .error(&at(path, &[]), "one test at a time")
                .help(format!("keep one of {TESTS}; `all: [..]` joins several conditions"));
        }
    }
    if text.present == Some(false) {
        checker.error(&at(path, &["present"]), "`present: false`").help("write `absent: true`");
    }
    if text.absent == Some(false) {
        checker.error(&at(path, &["absent"]), "`absent: false`").help("write `present: true`");
    }
    if let Some(pattern) = &text.regex
        && let Err(problem) = regex::compile(pattern, kind == Kind::Host)
    {
        checker
            .error(&at(path, &["regex"]), format!("`{pattern}` cannot be a regular expression: {problem}"))
            .help("write a pattern of RE2, as in Istio, for the whole value; `in`, `prefix` and `suffix` often do");
    }
    if text.any_of.as_ref().is_some_and(Vec::is_empty) {
        checker
            .error(&at(path, &["in"]), "`in` of nothing never matches")
            .help("write values, as in `[alice, bob]`");
    }
    let one =
        |key: &'static str, value: &Option<String>| value.clone().map(|value| (vec![key.to_owned()], value));
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
            checker
                .error(&place, "nothing is never a value: what is blank is absent")
                .help("write `absent: true`, or `present: true`");
        } else if let Some((problem, help)) = never(kind, &key[0], &value) {
            checker.error(&place, format!("`{value}` never matches: {problem}")).help(help);
        }
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
            "the query is no part of the path",
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
