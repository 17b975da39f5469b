//! The edge: rules as people write them, in the fewer words that the filter reads.

use graylane_decide::Role;
use graylane_decide::config::{Cookie, Edge, Key, Rule};

use crate::document::duration;
use crate::document::model;
use crate::document::model::SameSite;
use crate::mesh::{Ingress, Mesh};

/// Who may choose a tenant at a gateway.
pub(super) fn edge(mesh: &Mesh, ingress: &Ingress<'_>) -> Edge {
    Edge {
        accept: ingress.accept,
        issuer: ingress.jwt.map(|jwt| jwt.issuer.clone()),
        remove: ingress.remove.clone(),
        tokens: mesh.document.edge.token_keys().to_vec(),
        rules: ingress.rules.iter().filter_map(rule).collect(),
        debug: mesh
            .document
            .telemetry
            .debug_header
            .callers()
            .and_then(|callers| debug(mesh, callers))
            .into_iter()
            .collect(),
    }
}

/// Who gets the debug header; none if `check` would find an error in the condition.
fn debug(mesh: &Mesh, callers: &model::Callers) -> Option<Rule> {
    let may_choose = if callers.tenants.is_empty() { &mesh.tenants } else { &callers.tenants };
    Some(Rule { tenant: None, may_choose: may_choose.clone(), when: callers.when.lower()? })
}

/// A rule; none if `check` would find an error in its condition.
#[must_use]
pub fn rule(rule: &model::Rule) -> Option<Rule> {
    Some(Rule { tenant: rule.tenant.clone(), may_choose: rule.may_choose.clone(), when: rule.when.lower()? })
}

/// Where a role looks for a user's key; none of what that role cannot see. `of_session`: what a minted cookie outranks must
/// not be outranked by anything else of that name.
pub(super) fn key(key: &model::Key, role: Role, of_session: bool) -> Option<Key> {
    let gateway = role == Role::Gateway;
    if let Some(header) = &key.header {
        return Some(Key::Header(header.to_ascii_lowercase()));
    }
    if let Some(cookie) = &key.cookie {
        let mint = if gateway { key.mint.as_ref().map(attributes) } else { None };
        let minted = of_session && key.mint.is_some();
        return Some(Key::Cookie(Cookie { name: cookie.clone(), mint, minted }));
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
