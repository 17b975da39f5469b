//! Rules that match claims of a token.

use graylane_decide::naming::is_name;
use serde_json::{Map, Value as Json, json};

use super::file::{ClaimOut, ClaimRule};

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
