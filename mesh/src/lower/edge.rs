//! The edge: rules as people write them, in the fewer words that the filter reads.

use graylane_decide::Role;
use graylane_decide::config::{Claim, Condition, Cookie, Edge, Key, Named, Rule, Text};

use crate::document::duration;
use crate::document::model;
use crate::document::model::SameSite;
use crate::mesh::Mesh;
use crate::regex;

/// Who may choose a tenant.
pub(super) fn edge(mesh: &Mesh) -> Edge {
    let edge = &mesh.document.edge;
    Edge {
        accept: edge.accept,
        issuer: edge.jwt.as_ref().map(|jwt| jwt.issuer.clone()),
        remove: super::names_removed_at_the_edge(&mesh.document),
        rules: edge.rules.iter().filter_map(rule).collect(),
    }
}

/// A rule; none if `check` would find an error in its condition.
#[must_use]
pub fn rule(rule: &model::Rule) -> Option<Rule> {
    Some(Rule {
        tenant: rule.tenant.clone(),
        may_choose: rule.may_choose.clone(),
        when: condition(&rule.when)?,
    })
}

/// A condition; none if `check` would find an error in it.
#[must_use]
pub fn condition(condition: &model::Condition) -> Option<Condition> {
    let each = |list: &[model::Condition]| list.iter().map(self::condition).collect::<Option<Vec<_>>>();
    let mut all = Vec::new();
    if let Some(header) = &condition.header {
        all.push(Condition::Header(named(header, header.name.to_ascii_lowercase())?));
    }
    if let Some(cookie) = &condition.cookie {
        all.push(Condition::Cookie(named(cookie, cookie.name.clone())?));
    }
    if let Some(query) = &condition.query {
        all.push(Condition::Query(named(query, query.name.clone())?));
    }
    if let Some(host) = &condition.host {
        all.push(Condition::Host(text(host, true)?));
    }
    if let Some(path) = &condition.path {
        all.push(Condition::Path(text(path, false)?));
    }
    if let Some(method) = &condition.method {
        all.push(Condition::Header(Named { name: ":method".to_owned(), is: text(method, false)? }));
    }
    if let Some(is) = &condition.claim {
        all.push(claim(is)?);
    }
    if let Some(certificate) = &condition.certificate {
        all.push(Condition::Certificate(text(certificate, false)?));
    }
    if !condition.source.is_empty() {
        all.push(Condition::Source(condition.source.clone()));
    }
    if let Some(list) = &condition.all {
        all.push(Condition::All(each(list)?));
    }
    if let Some(list) = &condition.any {
        all.push(Condition::Any(each(list)?));
    }
    if let Some(inner) = &condition.not {
        all.push(Condition::Not(Box::new(self::condition(inner)?)));
    }
    Some(one_or(all, Condition::All))
}

/// The only one of a list, or all of them as one.
fn one_or(mut list: Vec<Condition>, several: fn(Vec<Condition>) -> Condition) -> Condition {
    match (list.pop(), list.is_empty()) {
        (Some(only), true) => only,
        (last, _) => several(list.into_iter().chain(last).collect()),
    }
}

fn named(named: &model::Named, name: String) -> Option<Named> {
    Some(Named { name, is: text(&named.is, false)? })
}

/// A test of a text; none if it is not exactly one, or no regular expression. `fold`: the text will be lower case.
#[must_use]
pub fn text(text: &model::Text, fold: bool) -> Option<Text> {
    let mut tests = Vec::new();
    tests.extend(text.exact.iter().map(|exact| Text::In(vec![exact.clone()])));
    tests.extend(text.any_of.iter().map(|list| Text::In(list.clone())));
    tests.extend(text.prefix.iter().map(|prefix| Text::Prefix(prefix.clone())));
    tests.extend(text.suffix.iter().map(|suffix| Text::Suffix(suffix.clone())));
    if let Some(pattern) = &text.regex {
        tests.push(Text::Regex(regex::compile(pattern, fold).ok()?));
    }
    tests.extend(text.present.iter().map(|present| Text::Present(*present)));
    tests.extend(text.absent.iter().map(|absent| Text::Present(!absent)));
    tests.pop().filter(|_| tests.is_empty())
}

/// A claim may be a number or a boolean, which Envoy hands over in other bytes than text: `"5"` means both.
fn claim(claim: &model::Claim) -> Option<Condition> {
    let is = text(&claim.is, false)?;
    let mut tests = Vec::new();
    if let Text::In(list) = &is {
        let numbers = list.iter().filter_map(|text| {
            let number: f64 = text.parse().ok()?;
            (number.is_finite() && number.to_string() == *text).then_some(Text::Number(number))
        });
        tests.extend(numbers);
        tests.extend(list.iter().filter_map(|text| text.parse().ok()).map(Text::Truth));
    }
    tests.insert(0, is);
    let one = |is| Condition::Claim(Claim { path: claim.name.path(), is });
    Some(one_or(tests.into_iter().map(one).collect(), Condition::Any))
}

/// Where a role looks for a user's key; none of what that role cannot see.
pub(super) fn key(key: &model::Key, role: Role) -> Option<Key> {
    let gateway = role == Role::Gateway;
    if let Some(header) = &key.header {
        return Some(Key::Header(header.to_ascii_lowercase()));
    }
    if let Some(cookie) = &key.cookie {
        let mint = key.mint.as_ref().filter(|_| gateway).map(attributes);
        return Some(Key::Cookie(Cookie { name: cookie.clone(), mint }));
    }
    if let Some(query) = &key.query {
        return Some(Key::Query(query.clone()));
    }
    match &key.claim {
        Some(claim) => gateway.then(|| Key::Claim(claim.path())),
        None => (key.source && gateway).then_some(Key::Source(true)),
    }
}

/// What follows a cookie's value in `Set-Cookie` (RFC 6265, section 4.1.1).
fn attributes(mint: &model::Mint) -> String {
    let mut text = String::new();
    if let Some(age) = mint.max_age.as_deref().and_then(duration::parse) {
        text += &format!("; Max-Age={}", age.as_secs());
    }
    text += &format!("; Path={}", mint.path);
    if let Some(domain) = &mint.domain {
        text += &format!("; Domain={domain}");
    }
    text += match mint.same_site {
        SameSite::Lax => "; SameSite=Lax",
        SameSite::Strict => "; SameSite=Strict",
        SameSite::None => "; SameSite=None",
    };
    text += if mint.secure { "; Secure" } else { "" };
    text + if mint.http_only { "; HttpOnly" } else { "" }
}
