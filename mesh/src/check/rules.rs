//! The rules of the edge.

mod conditions;
mod covers;

use graylane_decide::config::Accept;

use super::{Checker, instead};
use crate::document::model::{Condition, Rule, Text};
use crate::document::tree::Node;
use crate::lower;

/// A path of keys and indices.
type Path = Vec<String>;

fn at<'p>(path: &'p [String], more: &[&'p str]) -> Vec<&'p str> {
    path.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    let rules = &document.edge.rules;
    for (index, rule) in rules.iter().enumerate() {
        let path: Path = ["edge", "rules", &index.to_string()].map(str::to_owned).into();
        gives(checker, rule, &path);
        if rule.when == Condition::default() {
            // A condition whose key is wrong was found already.
            let node = checker.project.tree.at(&at(&path, &[]));
            let keys = node.into_iter().flat_map(Node::entries).map(|entry| entry.key.as_str());
            if keys.filter(|key| !["tenant", "mayChoose", "trusted"].contains(key)).count() == 0 {
                checker
                    .error(&at(&path, &[]), "a rule without a condition: it is for everybody")
                    .help("say for whom, as in `claim: {name: role, exact: employee}`");
            }
            continue;
        }
        conditions::check(checker, &rule.when, &path, 1);
        trust(checker, rule, &path);
    }
    covered(checker);
    if !rules.is_empty() && document.edge.gateway.is_none() {
        checker
            .warning(&["edge", "rules"], "rules count at a gateway, and none is named")
            .help("add `edge.gateway`, as in `gateway: {selector: {istio: ingressgateway}}`");
    }
    if document.edge.jwt.is_none()
        && let Some(index) = rules.iter().position(|rule| any(&rule.when, &|one| one.claim.is_some()))
    {
        checker
            .warning(
                &["edge", "rules", &index.to_string()],
                "a rule on a claim, but the file names no `jwt`: whatever token Istio verifies there counts",
            )
            .help("add `jwt: {issuer: https://id.example}`; a RequestAuthentication has to be there, or `render: true` writes one");
    }
}

fn gives(checker: &mut Checker<'_>, rule: &Rule, path: &[String]) {
    let document = checker.document();
    let tenants = || document.tenants.keys().map(String::as_str);
    match (&rule.tenant, rule.may_choose.is_empty()) {
        (None, true) => {
            checker
                .error(&at(path, &[]), "a rule that gives nothing")
                .help("add `tenant:` with the tenant it gives, or `mayChoose: [..]` with those that the header may name");
        }
        (Some(_), false) => {
            checker
                .error_at_key(
                    &at(path, &["mayChoose"]),
                    "a rule gives a tenant or lets callers choose, not both",
                )
                .help("write two rules; the first one that matches counts");
        }
        _ => {}
    }
    if let Some(tenant) = rule.tenant.as_ref().filter(|tenant| !document.tenants.contains_key(*tenant)) {
        checker
            .error(&at(path, &["tenant"]), format!("`{tenant}` is no tenant"))
            .help(instead(tenant, tenants()));
    }
    for (index, tenant) in rule.may_choose.iter().enumerate() {
        if !document.tenants.contains_key(tenant) {
            checker
                .error(&at(path, &["mayChoose", &index.to_string()]), format!("`{tenant}` is no tenant"))
                .help(instead(tenant, tenants()));
        }
    }
    if !rule.may_choose.is_empty() && document.edge.accept == Accept::Always {
        checker
            .warning(&at(path, &["mayChoose"]), "everybody may choose already: `edge.accept` is `always`")
            .help("write `accept: never`, or take this rule out");
    }
}

/// Does anything in a condition fit?
fn any(condition: &Condition, fits: &dyn Fn(&Condition) -> bool) -> bool {
    let inner = condition.all.iter().chain(&condition.any).flatten().chain(condition.not.as_deref());
    fits(condition) || inner.into_iter().any(|inner| any(inner, fits))
}

/// Does it hold only for callers with a proof: a claim, a certificate, an address?
fn proven(condition: &Condition) -> bool {
    let given = |text: &Text| text.absent.is_none();
    condition.claim.as_ref().is_some_and(|claim| given(&claim.is))
        || condition.certificate.as_ref().is_some_and(given)
        || !condition.source.is_empty()
        || condition.all.as_ref().is_some_and(|list| list.iter().any(proven))
        || condition.any.as_ref().is_some_and(|list| !list.is_empty() && list.iter().all(proven))
}

/// Does it ask that a proof be something else, or missing? Whoever has none fits then.
fn disproves(condition: &Condition, negated: bool) -> bool {
    let wants_none = |text: Option<&Text>| text.is_some_and(|text| text.absent.is_some() != negated);
    let list = condition.all.iter().chain(&condition.any).flatten();
    wants_none(condition.claim.as_ref().map(|claim| &claim.is))
        || wants_none(condition.certificate.as_ref())
        || list.into_iter().any(|inner| disproves(inner, negated))
        || condition.not.as_ref().is_some_and(|inner| disproves(inner, !negated))
}

fn trust(checker: &mut Checker<'_>, rule: &Rule, path: &[String]) {
    if proven(&rule.when) {
        return;
    }
    let typed = any(&rule.when, &|one| one.header.is_some() || one.cookie.is_some() || one.query.is_some());
    if typed && !rule.trusted {
        checker
            .error(
                &at(path, &[]),
                "anybody can type a header, a cookie or a query: this rule lets everybody in who knows it",
            )
            .help(
                "add `trusted: true` if that is meant, or a `claim:`, `certificate:` or `source:` beside it",
            );
    }
    if disproves(&rule.when, false) {
        checker
            .warning(&at(path, &[]), "callers without any token or certificate match this rule too")
            .help("add a condition that proves who it is, as in `claim: {name: sub, present: true}`");
    }
}

fn covered(checker: &mut Checker<'_>) {
    let rules: Vec<_> = checker.document().edge.rules.iter().map(lower::rule).collect();
    for (index, later) in rules.iter().enumerate() {
        let Some(later) = later else { continue };
        let earlier = rules[..index]
            .iter()
            .position(|earlier| earlier.as_ref().is_some_and(|earlier| covers::covers(earlier, later)));
        let Some(earlier) = earlier else { continue };
        let place = checker.project.span(&["edge", "rules", &earlier.to_string()]);
        checker
            .warning(
                &["edge", "rules", &index.to_string()],
                "this rule never matches: an earlier one covers it",
            )
            .help("put it before the earlier one, or take it out")
            .related(place, "the earlier one");
    }
}
