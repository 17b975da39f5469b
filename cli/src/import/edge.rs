//! The gateway that the file names, and the tokens that it verifies.

use std::collections::BTreeMap;

use graylane_decide::naming::is_name;
use serde_json::{Map, Value as Json, json};

use super::drafts::Drafts;
use super::file::{ClaimOut, ClaimRule, EdgeOut, GatewayOut, JwtOut};
use super::read;
use super::said::Said;
use crate::document::source::Span;

/// The gateway that most rules are bound to.
pub struct Found {
    /// `namespace/name`.
    pub name: String,
    selector: Option<BTreeMap<String, String>>,
    jwt: Option<(JwtOut, Span)>,
    /// All others.
    others: Vec<String>,
}

/// Looks for it among the resources.
pub fn of(found: &read::Found, drafts: &Drafts) -> Option<Found> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for front in drafts.all.values().flat_map(|draft| &draft.fronts) {
        front.gateways.iter().for_each(|name| *counts.entry(name).or_default() += 1);
    }
    let name =
        counts.iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a))).map(|(name, _)| (*name).clone())?;
    let others = counts.into_keys().filter(|other| **other != name).cloned().collect();
    let own =
        found.of_kind("Gateway").find(|gateway| format!("{}/{}", gateway.namespace, gateway.name) == name);
    let selector = own.and_then(|gateway| {
        let pairs = gateway.spec["selector"].as_object()?.iter();
        Some(pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect())
    });
    let mut tokens = found.of_kind("RequestAuthentication").flat_map(|resource| {
        let rules = resource.spec["jwtRules"].as_array().into_iter().flatten();
        rules.map(|rule| (rule, resource.name_place()))
    });
    let jwt = match (tokens.next(), tokens.next()) {
        (Some((rule, place)), None) => rule["issuer"].as_str().map(|issuer| {
            let jwks_uri = rule["jwksUri"].as_str().map(ToOwned::to_owned);
            (JwtOut { issuer: issuer.to_owned(), jwks_uri }, place)
        }),
        _ => None,
    };
    Some(Found { name, selector, jwt, others })
}

impl Found {
    /// As the file says it.
    pub fn out(&self, rules: &[ClaimRule]) -> EdgeOut {
        let usual = || BTreeMap::from([("istio".to_owned(), "ingressgateway".to_owned())]);
        EdgeOut {
            gateway: GatewayOut {
                selector: self.selector.clone().unwrap_or_else(usual),
                name: self.name.clone(),
            },
            rules: rules.to_vec(),
            jwt: self.jwt.as_ref().map(|(jwt, _)| jwt.clone()),
        }
    }

    /// What is good to know of it.
    pub fn say(&self, header: &str, tenants: bool, said: &mut Said) {
        if self.selector.is_none() {
            said.hint(
                None,
                format!(
                    "Gateway {} is not among the resources: the selector of its pods is guessed",
                    self.name
                ),
                "pass the Gateway too, or mend `edge.gateway.selector`",
            );
        } else {
            said.hint(
                None,
                "the gateway's pods are taken to be in istio-system",
                "if they are elsewhere, add `edge.gateway.namespace`",
            );
        }
        if tenants {
            said.hint(
                None,
                format!("with the filter, the gateway removes `{header}` from what clients send: `edge.accept` is `never`"),
                "say at `edge.rules` who gets which tenant, or write `accept: always` if anybody may choose",
            );
        }
        for other in &self.others {
            said.hint(
                None,
                format!(
                    "Gateway {other} has routes of its own in the file; the filter runs at {} only",
                    self.name
                ),
                "if other pods serve it, they need a file of their own",
            );
        }
    }
}

/// A claim that a rule matches, as `groups` of `@request.auth.claims.groups`.
#[must_use]
pub fn claim(header: &str) -> Option<&str> {
    let rest = header.strip_prefix("@request.auth.claims")?;
    Some(rest.trim_start_matches('.').trim_matches(['[', ']']))
}

/// A match on a tenant, and the rule that gives it.
pub type OfTenant = (Map<String, Json>, ClaimRule);

/// Turns a match on one exact claim into one on the tenant that the edge gives its owner. None: nothing of claims is in it.
/// An error: it says more of claims than that.
pub fn tenant_of_claim(one: &Map<String, Json>, header: &str) -> Result<Option<OfTenant>, ()> {
    let is_claim = |headers: &Map<String, Json>| headers.keys().any(|name| claim(name).is_some());
    if one.get("withoutHeaders").and_then(Json::as_object).is_some_and(is_claim) {
        return Err(());
    }
    let Some(headers) = one.get("headers").and_then(Json::as_object).filter(|headers| is_claim(headers))
    else {
        return Ok(None);
    };
    let mut claims = headers.iter().filter_map(|(name, value)| Some((name, claim(name)?, value)));
    let (Some((key, name, value)), None) = (claims.next(), claims.next()) else { return Err(()) };
    let exact = value["exact"].as_str().filter(|exact| is_name(exact)).ok_or(())?;
    if headers.keys().any(|name| name.eq_ignore_ascii_case(header)) {
        return Err(());
    }
    let path: Vec<&str> = name.split(['.', '[', ']']).filter(|part| !part.is_empty()).collect();
    let name = if let [only] = path[..] { Json::from(only) } else { Json::from(path) };
    let mut headers = headers.clone();
    headers.remove(key);
    headers.insert(header.to_owned(), json!({"exact": exact}));
    let mut one = one.clone();
    one.insert("headers".to_owned(), headers.into());
    let rule = ClaimRule { tenant: exact.to_owned(), claim: ClaimOut { name, exact: exact.to_owned() } };
    Ok(Some((one, rule)))
}

/// The claims that a rule matches.
#[must_use]
pub fn claims(matches: &Json) -> Vec<String> {
    let all = matches.as_array().into_iter().flatten();
    let headers = all.flat_map(|one| ["headers", "withoutHeaders"].map(|part| one[part].clone()));
    let names = headers
        .filter_map(|headers| Some(headers.as_object()?.keys().cloned().collect::<Vec<_>>()))
        .flatten();
    names.filter_map(|name| claim(&name).map(ToOwned::to_owned)).collect()
}
