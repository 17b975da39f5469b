//! The rules of the edge.

mod covers;

use graylane_decide::config::Accept;

use super::{Checker, instead};
use crate::conditions::{Condition, Part, Path, Proof, Report, at};
use crate::document::finding::Finding;
use crate::document::model::Rule;
use crate::document::tree::Node;
use crate::lower;
use crate::mesh::{Ingress, ingresses};

impl Report for Checker<'_> {
    fn error(&mut self, path: &[&str], message: String) -> &mut Finding {
        Checker::error(self, path, message)
    }

    fn tenant_header(&self) -> &str {
        &self.document().header
    }
}

pub fn check(checker: &mut Checker<'_>) {
    for ingress in ingresses(checker.document()) {
        at_gateway(checker, &ingress);
    }
}

fn at_gateway(checker: &mut Checker<'_>, ingress: &Ingress<'_>) {
    let path_of = |index: usize| -> Path {
        ingress.path(&["rules", &index.to_string()]).into_iter().map(str::to_owned).collect()
    };
    for (index, rule) in ingress.rules.iter().enumerate() {
        let path = path_of(index);
        gives(checker, ingress, rule, &path);
        if rule.when == Condition::default() {
            // A condition whose key is wrong was found already.
            let node = checker.project.tree.at(&at(&path, &[]));
            let keys = node.into_iter().flat_map(Node::entries).map(|entry| entry.key.as_str());
            if keys.filter(|key| !["tenant", "mayChoose", "trusted"].contains(key)).count() == 0 {
                checker
                    .error(&at(&path, &[]), "a rule without a condition: it applies to every caller")
                    .help("add a condition, as in `claim: {name: role, exact: employee}`");
            }
            continue;
        }
        rule.when.check(checker, &path, 1);
        trust(checker, rule, &path);
    }
    covered(checker, ingress);
    if !ingress.rules.is_empty() && ingress.gateway.is_none() {
        checker
            .warning(&ingress.path(&["rules"]), "rules apply at a gateway, and the file names none")
            .help("add `edge.gateway`, as in `gateway: {selector: {istio: ingressgateway}}`");
    }
    for (index, rule) in ingress.rules.iter().enumerate() {
        if any_token(checker, ingress, &rule.when, &at(&path_of(index), &[]), "a rule on a claim") {
            break;
        }
    }
}

/// Warns of a condition on a claim where the file does not say whose tokens count. Did it?
pub(super) fn any_token(
    checker: &mut Checker<'_>,
    ingress: &Ingress<'_>,
    when: &Condition,
    path: &[&str],
    what: &str,
) -> bool {
    let warns = ingress.jwt.is_none() && when.has(&|part| matches!(part, Part::Claim(_)));
    if warns {
        let whose =
            ingress.name.map_or_else(|| "the file".to_owned(), |name| format!("`edge.gateways.{name}`"));
        checker
            .warning(path, format!("{what}, but {whose} names no `jwt`: any token that Istio verifies there counts"))
            .help("add `jwt: {issuer: https://id.example}`; a RequestAuthentication must exist, or `render: true` writes one");
    }
    warns
}

fn gives(checker: &mut Checker<'_>, ingress: &Ingress<'_>, rule: &Rule, path: &[String]) {
    let document = checker.document();
    let tenants = || document.tenants.keys().map(String::as_str);
    match (&rule.tenant, rule.may_choose.is_empty()) {
        (None, true) => {
            checker
                .error(&at(path, &[]), "a rule with neither `tenant` nor `mayChoose`")
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
            .error(&at(path, &["tenant"]), format!("unknown tenant `{tenant}`"))
            .help(instead(tenant, tenants()));
    }
    for (index, tenant) in rule.may_choose.iter().enumerate() {
        if !document.tenants.contains_key(tenant) {
            checker
                .error(&at(path, &["mayChoose", &index.to_string()]), format!("unknown tenant `{tenant}`"))
                .help(instead(tenant, tenants()));
        }
    }
    if !rule.may_choose.is_empty() && ingress.accept == Accept::Always {
        checker
            .warning(
                &at(path, &["mayChoose"]),
                format!(
                    "every caller can choose already: `{}` is `always`",
                    ingress.path(&["accept"]).join(".")
                ),
            )
            .help("write `accept: never`, or remove this rule");
    }
}

/// Does it hold only for callers with a proof: a claim, a certificate, an address?
pub(super) fn proven(condition: &Condition) -> bool {
    condition.parts().iter().any(|part| match (part, part.proof()) {
        (Part::All(list), _) => list.iter().any(proven),
        (Part::Any(list), _) => !list.is_empty() && list.iter().all(proven),
        (_, Proof::Needed(text)) => text.is_none_or(|text| text.absent.is_none()),
        (_, Proof::Typed | Proof::None) => false,
    })
}

/// Does it ask that a proof be something else, or missing? A caller without one matches then.
fn disproves(condition: &Condition, negated: bool) -> bool {
    condition.parts().iter().any(|part| match (part, part.proof()) {
        (Part::All(list) | Part::Any(list), _) => list.iter().any(|inner| disproves(inner, negated)),
        (Part::Not(inner), _) => disproves(inner, !negated),
        (_, Proof::Needed(Some(text))) => text.absent.is_some() != negated,
        (_, Proof::Needed(None) | Proof::Typed | Proof::None) => false,
    })
}

fn trust(checker: &mut Checker<'_>, rule: &Rule, path: &[String]) {
    if proven(&rule.when) {
        return;
    }
    let typed = rule.when.has(&|part| part.proof() == Proof::Typed);
    if typed && !rule.trusted {
        checker
            .error(
                &at(path, &[]),
                "any caller can send a header, cookie or query parameter: this rule admits everyone who knows the value",
            )
            .help(
                "add `trusted: true` if that is intended, or a `claim:`, `certificate:` or `source:` beside it",
            );
    }
    if disproves(&rule.when, false) {
        checker
            .warning(&at(path, &[]), "callers without any token or certificate match this rule too")
            .help("add a condition that identifies the caller, as in `claim: {name: sub, present: true}`");
    }
}

fn covered(checker: &mut Checker<'_>, ingress: &Ingress<'_>) {
    let rules: Vec<_> = ingress.rules.iter().map(lower::rule).collect();
    for (index, later) in rules.iter().enumerate() {
        let Some(later) = later else { continue };
        let earlier = rules[..index]
            .iter()
            .position(|earlier| earlier.as_ref().is_some_and(|earlier| covers::covers(earlier, later)));
        let Some(earlier) = earlier else { continue };
        let place = checker.project.span(&ingress.path(&["rules", &earlier.to_string()]));
        checker
            .warning(
                &ingress.path(&["rules", &index.to_string()]),
                "this rule never matches: an earlier one covers it",
            )
            .help("put it before the earlier one, or remove it")
            .related(place, "the earlier one");
    }
}
