//! The lane token of a request, and whether it counts.

use graylane_decide::edge::token::{LEEWAY, LONGEST, Said};
use graylane_decide::names::{TOKEN_HEADER, TOKEN_PARAMETER};
use graylane_decide::request::field::Value;
use graylane_decide::request::query;

use super::Request;
use crate::mesh::Mesh;

/// Why a token counts for nothing at a gateway of this mesh at this time, in milliseconds since 1970; none: it counts.
#[must_use]
pub fn problem(mesh: &Mesh, token: &[u8], now: u64) -> Option<String> {
    let keys = mesh.document.edge.token_keys();
    if keys.is_empty() {
        return Some("the file has no `edge.tokens`, so its gateway reads none".to_owned());
    }
    if token.len() > LONGEST {
        return Some(format!("it has {} bytes, expected {LONGEST} at most", token.len()));
    }
    let Some(said) = Said::read(token) else {
        return Some("invalid: expected `v1.<tenant>.<unit or ->.<expiry>.<mac>`".to_owned());
    };
    let tenant = String::from_utf8_lossy(said.tenant);
    if !mesh.tenants.iter().any(|known| *known == tenant) {
        return Some(format!("its tenant `{}` is unknown", tenant.escape_default()));
    }
    if mesh.token_keys.is_empty() {
        return Some(format!(
            "nobody here can verify it: set {} or pass --token-key-file FILE",
            keys.join(" or ")
        ));
    }
    if !mesh.token_keys.iter().any(|key| said.is_of(key)) {
        let which = if mesh.token_keys.len() < keys.len() { ", or with a key that is not here" } else { "" };
        return Some(format!("it was changed, or signed with another key{which}"));
    }
    said.has_expired(now).then(|| {
        let ago = (now / 1000).saturating_sub(said.expiry);
        format!("it expired {ago} s ago, and the gateway accepts {LEEWAY} s")
    })
}

/// Why the token of a request counts for nothing; none: it counts, or there is none.
pub fn note(mesh: &Mesh, request: &Request) -> Option<String> {
    let header = |name: &str| request.headers.iter().find(|(is, _)| is == name).map(|(_, value)| value);
    let why = match (header(TOKEN_HEADER), header(":path")) {
        (Some(token), _) => problem(mesh, token.trim_ascii(), request.now),
        (None, Some(path)) => query::with(path, TOKEN_PARAMETER, |value| match value {
            Value::One(token) => problem(mesh, token, request.now),
            Value::Mixed => Some("the query has several".to_owned()),
            Value::Absent => None,
        }),
        (None, None) => None,
    };
    why.map(|why| format!("the lane token counts for nothing: {why}"))
}
