//! Tokens (JWT, RFC 7519; ES256, RFC 7518 section 3.4): signed here, verified by Envoy's jwt_authn, which stands for
//! Istio's RequestAuthentication and is configured as istiod does it.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value as Json, json};

pub use graylane_cases::claims::{Claims, Flaw, ISSUER, payload, properties};

/// Another one that the gateway verifies tokens of.
pub const OTHER_ISSUER: &str = "https://customers.example";

static KEYS: LazyLock<[EcdsaKeyPair; 2]> = LazyLock::new(|| [key(), key()]);

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ES256, &random).expect("random bits");
    EcdsaKeyPair::from_pkcs8(&ES256, pkcs8.as_ref(), &random).expect("a key that was made just now")
}

fn part(json: &Json) -> String {
    BASE64.encode(json.to_string())
}

/// A token with these claims, of [`ISSUER`] unless they say another.
#[must_use]
pub fn sign(claims: &Claims, flaw: Option<Flaw>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut payload = json!({"iss": ISSUER, "sub": "alice", "iat": now, "exp": now + 3600});
    for (name, value) in claims {
        payload[name] = value.clone();
    }
    match flaw {
        Some(Flaw::UnknownIssuer) => payload["iss"] = json!("https://evil.example"),
        Some(Flaw::Expired) => payload["exp"] = json!(now - 3600),
        _ => {}
    }
    let algorithm = if flaw == Some(Flaw::Unsigned) { "none" } else { "ES256" };
    let signed =
        format!("{}.{}", part(&json!({"alg": algorithm, "typ": "JWT", "kid": "one"})), part(&payload));
    if flaw == Some(Flaw::Unsigned) {
        return signed + ".";
    }
    let key = &KEYS[usize::from(flaw == Some(Flaw::StrangersKey))];
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
    let signature = BASE64.encode(signature.as_ref());
    if flaw == Some(Flaw::Changed) {
        let (head, _) = signed.split_once('.').expect("two parts");
        payload["sub"] = json!("mallory");
        return format!("{head}.{}.{signature}", part(&payload));
    }
    format!("{signed}.{signature}")
}

/// The keys of every issuer (JWKS, RFC 7517).
#[must_use]
pub fn keys() -> Json {
    // Uncompressed (SEC 1, section 2.3.3): a 4, then both coordinates.
    let (x, y) = KEYS[0].public_key().as_ref()[1..].split_at(32);
    json!({"keys": [{
        "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "one", "x": BASE64.encode(x), "y": BASE64.encode(y),
    }]})
}

/// The `authorization` of a request with such a token.
#[must_use]
pub fn authorization(claims: &Claims, flaw: Option<Flaw>) -> (String, Vec<u8>) {
    ("authorization".to_owned(), format!("Bearer {}", sign(claims, flaw)).into())
}

/// The jwt_authn filter, as Istio has it: payload in metadata, tokens forwarded, requests without one let through.
#[must_use]
pub fn filter() -> Json {
    let provider = |issuer: &str| {
        json!({
            "issuer": issuer,
            "local_jwks": {"inline_string": keys().to_string()},
            "payload_in_metadata": "payload",
            "forward": true,
        })
    };
    let either = json!({"requires_any": {"requirements": [
        {"provider_name": "employees"}, {"provider_name": "customers"}, {"allow_missing": {}},
    ]}});
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"employees": provider(ISSUER), "customers": provider(OTHER_ISSUER)},
            "rules": [{"match": {"prefix": "/"}, "requires": either}],
        },
    })
}
