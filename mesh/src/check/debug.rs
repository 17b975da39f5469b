//! Who gets the debug header.

use graylane_decide::config::Accept;

use super::rules::{any_token, proven};
use super::{Checker, instead};
use crate::conditions::{Condition, Path, Proof, at};
use crate::document::model::{Callers, DebugHeader, Document, Rule, Tenant};
use crate::document::tree::Node;
use crate::mesh::{Ingress, has_gateway, ingresses};

const FORMS: &str = "write who gets it, as in `debugHeader: {claim: {name: role, exact: employee}}` or `debugHeader: {tenants: [gray-v1]}`";

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    let path = ["telemetry", "debugHeader"];
    match &document.telemetry.debug_header {
        DebugHeader::Everybody(true) if has_callers_outside(document) => {
            checker
                .warning(
                    &path,
                    "`true`: every caller outside gets the tenant, subset and source of its requests in `x-graylane-debug`",
                )
                .help(FORMS);
        }
        DebugHeader::Everybody(_) => {}
        DebugHeader::Callers(callers) => some(checker, callers, &path.map(str::to_owned).into()),
    }
}

/// Is there a gateway, and a service behind it?
fn has_callers_outside(document: &Document) -> bool {
    has_gateway(document)
        && document
            .services
            .values()
            .any(|service| service.expose.as_ref().is_some_and(|expose| !expose.hosts.is_empty()))
}

fn some(checker: &mut Checker<'_>, callers: &Callers, path: &Path) {
    let document = checker.document();
    let has_condition = callers.when != Condition::default();
    // A condition whose key is wrong was found already.
    let keys = checker.project.tree.at(&at(path, &[])).into_iter().flat_map(Node::entries);
    if !has_condition && callers.tenants.is_empty() {
        if keys.filter(|entry| entry.key != "tenants").count() == 0 {
            checker.error(&at(path, &[]), "a debug header for nobody in particular").help(FORMS);
        }
        return;
    }
    for (index, tenant) in callers.tenants.iter().enumerate() {
        if !document.tenants.contains_key(tenant) {
            checker
                .error(&at(path, &["tenants", &index.to_string()]), format!("unknown tenant `{tenant}`"))
                .help(instead(tenant, document.tenants.keys().map(String::as_str)));
            return;
        }
    }
    if has_condition {
        callers.when.check(checker, path, 1);
        for ingress in ingresses(document) {
            if any_token(checker, &ingress, &callers.when, &at(path, &[]), "the debug header for a claim") {
                break;
            }
        }
    }
    if !has_gateway(document) {
        checker
            .warning(
                &at(path, &[]),
                "the debug header for some callers comes from a gateway, and the file names none",
            )
            .help("add `edge.gateway`, as in `gateway: {selector: {istio: ingressgateway}}`");
        return;
    }
    if proven(&callers.when)
        || !callers.tenants.is_empty() && !callers.tenants.iter().any(|one| is_open(document, one))
    {
        return;
    }
    if callers.when.has(&|part| part.proof() == Proof::Typed) {
        checker
            .error(
                &at(path, &[]),
                "any caller can send a header, cookie or query parameter: everyone who knows the value gets the debug header",
            )
            .help("add a `claim:`, `certificate:` or `source:` beside it");
    } else {
        checker
            .warning(&at(path, &[]), "callers without any token or certificate get the debug header")
            .help("add a condition that identifies the caller, as in `claim: {name: role, exact: employee}`");
    }
}

/// Can a caller without any proof be given this tenant?
fn is_open(document: &Document, tenant: &str) -> bool {
    let is_default =
        |(name, is): (&String, &Option<Tenant>)| name == tenant && is.as_ref().is_some_and(|is| is.default);
    let gives = |rule: &&Rule| {
        rule.tenant.as_deref() == Some(tenant) || rule.may_choose.iter().any(|one| one == tenant)
    };
    let at = |ingress: &Ingress<'_>| {
        ingress.accept == Accept::Always || ingress.rules.iter().filter(gives).any(|rule| !proven(&rule.when))
    };
    document.tenants.iter().any(is_default) || ingresses(document).iter().any(at)
}
