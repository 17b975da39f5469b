//! Claims of a caller's token, and what a verified token leaves behind in Envoy.

use graylane_decide::names;
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// The issuer that files name.
pub const ISSUER: &str = "https://id.example";

/// Claims of a token.
pub type Claims = serde_json::Map<String, serde_json::Value>;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// Issued by an unknown issuer.
    UnknownIssuer,
    /// No longer valid.
    Expired,
    /// `alg: none`, without a signature.
    Unsigned,
    /// Claims were changed after it was signed.
    Changed,
    /// Signed with a key that is not the issuer's.
    StrangersKey,
}

/// What a verified token says, whole.
#[must_use]
pub fn payload(claims: &Claims) -> Json {
    let mut payload = json!({"iss": ISSUER, "sub": "alice"});
    claims.iter().for_each(|(name, value)| payload[name] = value.clone());
    payload
}

/// The properties that a verified token leaves behind, in Envoy's wire form.
pub fn properties(claims: &Claims) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for (name, value) in [("iss", ISSUER), ("sub", "alice")] {
        if !claims.contains_key(name) {
            all.push((names::claim_path(&[name.to_owned()]), value.as_bytes().to_vec()));
        }
    }
    for (name, value) in claims {
        walk(&mut vec![name.clone()], value, &mut all);
    }
    all
}

fn walk(path: &mut Vec<String>, value: &Json, all: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    if let Json::Object(inner) = value {
        for (name, value) in inner {
            path.push(name.clone());
            walk(path, value, all);
            path.pop();
        }
    } else {
        all.push((names::claim_path(path), wire(value)));
    }
}

fn wire(value: &Json) -> Vec<u8> {
    let size = |size: usize| (size as u32).to_le_bytes();
    match value {
        Json::String(text) => text.clone().into_bytes(),
        Json::Number(number) => number.as_f64().unwrap_or_default().to_le_bytes().to_vec(),
        Json::Bool(truth) => vec![u8::from(*truth)],
        Json::Array(list) => {
            let list: Vec<Vec<u8>> = list.iter().map(wire).collect();
            let mut bytes = size(list.len()).to_vec();
            list.iter().for_each(|one| bytes.extend([size(one.len()), size(0)].concat()));
            list.iter().for_each(|one| bytes.extend([one.as_slice(), b"\0\0"].concat()));
            bytes
        }
        Json::Null | Json::Object(_) => Vec::new(),
    }
}
