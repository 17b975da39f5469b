//! The gateway that the file names, and the tokens that it verifies.

use std::collections::BTreeMap;

use super::drafts::Drafts;
use super::file::{ClaimRule, EdgeOut, GatewayOut, JwtOut};
use super::read;
use super::said::Said;
use crate::document::source::Span;

/// The gateway that most rules are bound to.
pub struct Found {
    /// `namespace/name`.
    pub name: String,
    /// Is it one of the Gateway API, whose pods have no selector?
    of_gateway_api: bool,
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
    Some(Found { name, of_gateway_api: found.is_of_gateway_api(), selector, jwt, others })
}

impl Found {
    /// As the file says it.
    pub fn out(&self, rules: &[ClaimRule]) -> EdgeOut {
        let usual = || BTreeMap::from([("istio".to_owned(), "ingressgateway".to_owned())]);
        let selector =
            if self.of_gateway_api { None } else { Some(self.selector.clone().unwrap_or_else(usual)) };
        EdgeOut {
            gateway: GatewayOut { selector, name: self.name.clone() },
            rules: rules.to_vec(),
            jwt: self.jwt.as_ref().map(|(jwt, _)| jwt.clone()),
        }
    }

    /// Notes about it.
    pub fn say(&self, header: &str, tenants: bool, said: &mut Said) {
        if self.of_gateway_api {
            said.hint(
                None,
                format!(
                    "the pods of Gateway {} are assumed to be made by Istio, in its namespace",
                    self.name
                ),
                "if you run them yourself, add `edge.gateway.selector`, the labels of the pods",
            );
        } else if self.selector.is_none() {
            said.hint(
                None,
                format!(
                    "Gateway {} is not among the resources: the selector of its pods is guessed",
                    self.name
                ),
                "pass the Gateway too, or correct `edge.gateway.selector`",
            );
        } else {
            said.hint(
                None,
                "the gateway's pods are assumed to be in istio-system",
                "if they are elsewhere, add `edge.gateway.namespace`",
            );
        }
        if tenants {
            said.hint(
                None,
                format!("with the filter, the gateway removes `{header}` from what clients send: `edge.accept` is `never`"),
                "write `edge.rules` for who gets which tenant, or `accept: always` if any caller can choose",
            );
        }
        for other in &self.others {
            said.hint(
                None,
                format!(
                    "Gateway {other} has routes of its own in the file; the filter runs at {} only",
                    self.name
                ),
                if self.of_gateway_api {
                    "if it admits users too, list both under `edge.gateways`"
                } else {
                    "if other pods serve it, list both under `edge.gateways`, each with its pods' `selector`"
                },
            );
        }
    }
}
